"""The bodies of responses: how large, and how compressed, they may be."""

import gzip
import json
import tracemalloc
import zlib

import httpx
import pytest

from cybersource_tms import MessageEncryption, errors
from cybersource_tms_sandbox import PAGE_CUSTOMER_ID, page_customer
from support.clients import NEW_EMAIL, Clients
from support.fixed_response import FixedResponse
from support.keys import key_pem, rsa_key
from support.scripted_server import Connection, serving

MEBIBYTE = 2**20
LARGEST = 16 * MEBIBYTE
PAGE = json.dumps(page_customer()).encode()


def padded(size: int) -> bytes:
    """Return the page's customer with blanks after it, of so many bytes in all."""
    return PAGE.ljust(size)


# Bodies without end


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize(("size", "fits"), [(LARGEST, True), (LARGEST + 1, False)], ids=["16 MiB", "one byte more"])
def test_the_largest_body(clients: Clients, size: int, *, compressed: bool, fits: bool) -> None:
    """A body of up to 16 MiB, decompressed, is read; a larger one is refused."""
    body = gzip.compress(padded(size)) if compressed else padded(size)
    client = clients.open(transport=FixedResponse(200, body, {"Content-Encoding": "gzip"} if compressed else {}))
    if fits:
        assert client.retrieve(PAGE_CUSTOMER_ID).customer.to_dict() == page_customer()
    else:
        with pytest.raises(errors.UnreadableResponse, match="larger than 16777216 bytes"):
            client.retrieve(PAGE_CUSTOMER_ID)


TWICE = gzip.compress(gzip.compress(bytes(LARGEST)))
BOMBS: dict[str, tuple[bytes, str]] = {
    "gzip twice": (TWICE, "gzip, gzip"),
    "gzip, 256 MiB of zeros": (gzip.compress(bytes(256 * MEBIBYTE), 1), "gzip"),
    "gzip, 16 MiB of tiny objects": (gzip.compress(b'{"errors":[' + b"{}," * (LARGEST // 3 - 9) + b"{}]}"), "gzip"),
    "deflate": (zlib.compress(bytes(64 * MEBIBYTE)), "deflate"),
}


@pytest.mark.parametrize(("body", "encoding"), BOMBS.values(), ids=BOMBS)
@pytest.mark.parametrize("status", [200, 404, 503])
def test_a_compressed_bomb(clients: Clients, body: bytes, encoding: str, status: int) -> None:
    """Few bytes that hold very many are not decompressed; the status stands if it is not 200."""
    encryption = MessageEncryption(response_key=key_pem(rsa_key("response")), response_key_id="id")
    client = clients.open(transport=FixedResponse(status, body, {"Content-Encoding": encoding}), encryption=encryption)
    tracemalloc.start()
    try:
        with pytest.raises(errors.CybersourceError) as caught:
            client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    kinds = {200: errors.UnreadableResponse, 404: errors.NotFound, 503: errors.ServiceError}
    assert type(caught.value) is kinds[status]
    assert peak < 100 * MEBIBYTE


@pytest.mark.parametrize("body", [gzip.compress(PAGE)[:-1], PAGE], ids=["all but a byte", "no gzip"])
def test_what_is_wrongly_compressed(clients: Clients, body: bytes) -> None:
    """What is no gzip, or gzip without its end, is refused, even if all of the customer is in what came."""
    transport = FixedResponse(200, body, {"Content-Encoding": "gzip"})
    with pytest.raises(errors.UnreadableResponse, match="wrongly compressed"):
        clients.open(transport=transport).retrieve(PAGE_CUSTOMER_ID)


def test_compression_that_is_asked_for(clients: Clients) -> None:
    """Only gzip is asked for, and it is read."""
    for body, encoding in (
        (gzip.compress(PAGE), "GZIP"),
        (gzip.compress(PAGE), "x-gzip"),
        (PAGE, ""),
        (PAGE, "Identity"),
    ):
        transport = FixedResponse(200, body, {"Content-Encoding": encoding})
        assert clients.open(transport=transport).retrieve(PAGE_CUSTOMER_ID).customer.to_dict() == page_customer()
        assert transport.requests[0].headers["accept-encoding"] == "gzip"


ENDLESS = {"plain": b"\r\n", "after the end of gzip": b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(PAGE)}


@pytest.mark.parametrize("start", ENDLESS.values(), ids=ENDLESS)
@pytest.mark.parametrize("status", ["200 OK", "503 Service Unavailable"])
def test_an_endless_body(clients: Clients, status: str, start: bytes) -> None:
    """A body that does not end is read up to the largest size, or to its end."""

    def send_for_ever(connection: Connection) -> None:
        connection.read_request()
        connection.send(f"HTTP/1.1 {status}\r\n".encode(), start)
        for _ in range(80):  # 20 MiB, or until the client has left
            connection.send(bytes(2**18))

    with serving(send_for_ever) as url, pytest.raises(errors.CybersourceError) as caught:
        clients.open(base_url=url).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert isinstance(caught.value, errors.UnreadableResponse if status == "200 OK" else errors.ServiceError)


def test_a_body_that_the_transport_has_read(clients: Clients) -> None:
    """A custom transport may hand over a response that is read and decompressed already."""

    def respond(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=gzip.compress(PAGE), headers={"Content-Encoding": "gzip"})

    client = clients.open(transport=httpx.MockTransport(respond))
    assert client.retrieve(PAGE_CUSTOMER_ID).customer.to_dict() == page_customer()
