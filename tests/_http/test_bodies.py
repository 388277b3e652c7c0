"""What a peer sends: bodies without end, text for terminals, and bodies that hide their status."""

import gzip
import json
import logging
import threading
import time
import tracemalloc
import zlib
from typing import Any

import httpx
import pytest

from cybersource_tms import MessageEncryption, Retries, errors
from cybersource_tms_sandbox import PAGE_CUSTOMER_ID, page_customer
from support.clients import NEW_EMAIL, Clients
from support.fixed_response import FixedResponse
from support.keys import key_pem, rsa_key
from support.scripted_server import Connection, response, serving

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
    "deflate": (zlib.compress(bytes(64 * MEBIBYTE)), "deflate"),
}


@pytest.mark.parametrize(("body", "encoding"), BOMBS.values(), ids=BOMBS)
@pytest.mark.parametrize("status", [200, 404, 503])
def test_a_compressed_bomb(clients: Clients, body: bytes, encoding: str, status: int) -> None:
    """Few bytes that hold very many are not decompressed; the status stands if it is not 200."""
    client = clients.open(transport=FixedResponse(status, body, {"Content-Encoding": encoding}))
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


@pytest.mark.parametrize("left", [1, len(PAGE) // 4], ids=["all but a byte", "a part"])
def test_a_compressed_body_that_ends_early(clients: Clients, left: int) -> None:
    """A gzip stream without its end is refused, even if all of the customer is in what came."""
    transport = FixedResponse(200, gzip.compress(PAGE)[:-left], {"Content-Encoding": "gzip"})
    with pytest.raises(errors.UnreadableResponse, match="wrongly compressed"):
        clients.open(transport=transport).retrieve(PAGE_CUSTOMER_ID)


def test_compression_that_is_asked_for(clients: Clients) -> None:
    """Only gzip is asked for, and it is read."""
    transport = FixedResponse(200, gzip.compress(PAGE), {"Content-Encoding": "GZIP"})
    assert clients.open(transport=transport).retrieve(PAGE_CUSTOMER_ID).customer.to_dict() == page_customer()
    assert transport.requests[0].headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize("status", ["200 OK", "503 Service Unavailable"])
def test_an_endless_body(clients: Clients, status: str) -> None:
    """A body that never ends is read up to the largest size."""
    ended = threading.Event()

    def send_for_ever(connection: Connection) -> None:
        connection.read_request()
        connection.send(f"HTTP/1.1 {status}\r\n\r\n".encode())
        while not ended.is_set():
            connection.send(bytes(2**18))

    with serving(send_for_ever) as url:
        with pytest.raises(errors.CybersourceError) as caught:
            clients.open(base_url=url).update(PAGE_CUSTOMER_ID, NEW_EMAIL)
        ended.set()
    assert isinstance(caught.value, errors.UnreadableResponse if status == "200 OK" else errors.ServiceError)


def test_a_body_that_the_transport_has_read(clients: Clients) -> None:
    """A custom transport may hand over a response that is read and decompressed already."""

    def respond(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=gzip.compress(PAGE), headers={"Content-Encoding": "gzip"})

    client = clients.open(transport=httpx.MockTransport(respond))
    assert client.retrieve(PAGE_CUSTOMER_ID).customer.to_dict() == page_customer()


# What a peer says, in messages and logs

SAID = {
    "a terminal's": b"\x1b[2Jid",
    "next line": b"id\x85X",
    "a line separator": "id\u2028X".encode(),
    "long": b"i" * 60_000,
    "65 characters": b"i" * 65,
}


@pytest.mark.parametrize("said", SAID.values(), ids=SAID)
@pytest.mark.parametrize("status", [200, 404])
def test_the_correlation_id_is_cut(
    clients: Clients, caplog: pytest.LogCaptureFixture, said: bytes, status: int
) -> None:
    """In a message or a log line it is at most 64 characters of printable ASCII; the attribute has it whole."""
    caplog.set_level(logging.DEBUG, "cybersource_tms")
    headers: Any = [(b"v-c-correlation-id", said), (b"ETag", b"e")]
    body = b"{" if status == 200 else b""
    kind = errors.UnreadableResponse if status == 200 else errors.NotFound
    with pytest.raises(kind) as caught:
        clients.open(transport=FixedResponse(status, body, headers)).retrieve(PAGE_CUSTOMER_ID)
    assert isinstance(caught.value, errors.UnreadableResponse | errors.NotFound)
    whole = httpx.Headers(headers)["v-c-correlation-id"]
    assert caught.value.correlation_id == whole
    shown = "".join(each if " " <= each <= "~" else "?" for each in whole[:64])
    for text in (str(caught.value), *(record.getMessage() for record in caplog.records)):
        assert text.isprintable()
        assert text.isascii()
        assert f"correlation id {shown}" in text
        assert len(text) < 400


def test_the_milliseconds_in_the_log(clients: Clients, caplog: pytest.LogCaptureFixture) -> None:
    """The log's time is the exchange's: it is no less than the server took, and no more than the call."""
    caplog.set_level(logging.DEBUG, "cybersource_tms")

    def respond_late(connection: Connection) -> None:
        connection.read_request()
        time.sleep(0.05)
        connection.send(response(page_customer()))

    with serving(respond_late) as url:
        client = clients.open(base_url=url)
        started = time.monotonic()
        client.retrieve(PAGE_CUSTOMER_ID)
        whole = (time.monotonic() - started) * 1000
    [line] = [record.getMessage() for record in caplog.records]
    assert 49 <= int(line.partition(" in ")[2].partition(" ms")[0]) <= whole + 1


# A body that hides the status


@pytest.mark.parametrize("token", ["x.y.z", "", "a.b.c.d.e"])
@pytest.mark.parametrize(
    ("status", "kind", "attempts"),
    [(412, errors.PreconditionFailed, 1), (404, errors.NotFound, 1), (503, errors.ServiceError, 2)],
)
def test_an_error_that_cannot_be_decrypted(
    clients: Clients, token: str, status: int, kind: type[errors.StatusError], attempts: int
) -> None:
    """The status stands, and is retried as ever."""
    transport = FixedResponse(status, json.dumps({"encryptedResponse": token}).encode())
    encryption = MessageEncryption(response_key=key_pem(rsa_key("response")), response_key_id="1")
    retries = Retries(attempts=2, initial_delay=0)
    client = clients.open(transport=transport, encryption=encryption, retries=retries)
    with pytest.raises(kind) as caught:
        client.update(PAGE_CUSTOMER_ID, NEW_EMAIL)
    assert type(caught.value) is kind
    assert len(transport.requests) == attempts
