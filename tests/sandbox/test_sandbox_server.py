"""The stand-in over HTTP: loopback, TLS, odd clients, its own failures, and its command."""

import gc
import json
import re
import signal
import socket
import ssl
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import trustme

from cybersource_tms_sandbox import KEY_ID, MERCHANT_ID, PAGE_CUSTOMER_ID, SECRET, Fault, Sandbox
from support.caller import PAGE, PATH, Caller, right_claims, sign_token, signed_patch
from support.waiting import LIMIT, eventually

READ_TIMEOUT = httpx.Timeout(60, read=0.05)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Return a certificate authority that nobody trusts yet."""
    return trustme.CA()


@pytest.fixture
def certificate(authority: trustme.CA, tmp_path: Path) -> Path:
    """Return a PEM file with a key and a certificate for loopback."""
    path = tmp_path / "server.pem"
    authority.issue_cert("127.0.0.1", "localhost").private_key_and_cert_chain_pem.write_to_path(str(path))
    return path


def test_tls(authority: trustme.CA, certificate: Path) -> None:
    """Over TLS it serves as without, cuts, and stops though a client keeps its connection."""
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    sandbox = Sandbox()
    with httpx.Client(verify=trust, trust_env=False) as http, sandbox.running(certificate=certificate) as url:
        assert url.startswith("https://127.0.0.1:")
        http.base_url = httpx.URL(url)
        sandbox.fail(Fault(cut="before"))
        with pytest.raises(httpx.TransportError):
            Caller(http).send()
        assert Caller(http).get().json() == PAGE


def test_tls_is_verified_by_the_client(certificate: Path) -> None:
    """The certificate is the given one: a client that does not trust its authority does not connect."""
    with Sandbox().running(certificate=certificate) as url, pytest.raises(httpx.ConnectError, match="CERTIFICATE"):
        httpx.get(url, trust_env=False)


def test_a_certificate_that_cannot_be_read(tmp_path: Path) -> None:
    """It is an error where the sandbox is started."""
    with pytest.raises(OSError, match="No such file"), Sandbox().running(certificate=tmp_path / "none.pem"):
        pass


def test_stopping_ends_delays() -> None:
    """A server stops with idle connections and with requests that are delayed; these are applied."""
    sandbox = Sandbox()
    sandbox.fail(Fault(delay=3600))
    with httpx.Client(trust_env=False) as http, sandbox.running() as url:
        with pytest.raises(httpx.ReadTimeout):
            http.request("PATCH", url + PATH, **signed_patch(), timeout=READ_TIMEOUT)
        assert eventually(lambda: len(sandbox.received) == 1)
        http.get(url)
    assert sandbox.customer() != PAGE


def test_ipv6() -> None:
    """It serves on the other loopback address too, where the bare host has no brackets."""
    with Sandbox().running(host="::1") as url, httpx.Client(base_url=url, trust_env=False) as http:
        assert url.startswith("http://[::1]:")
        assert Caller(http).get(claims={"request-host": "::1"}).status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.com"])
def test_only_loopback(host: str) -> None:
    """No other address is served on."""
    with pytest.raises(ValueError, match=f"loopback only, not on {re.escape(host)}"), Sandbox().running(host=host):
        pass


def test_own_failures_are_seen(caplog: pytest.LogCaptureFixture) -> None:
    """What breaks in the sandbox is a 500, is logged, and is raised at the end."""
    sandbox = Sandbox()
    sandbox.customers[PAGE_CUSTOMER_ID].customer["id"] = object()
    with pytest.raises(ExceptionGroup) as caught, sandbox.running() as url:  # noqa: PT012 - its end raises
        with httpx.Client(base_url=url, trust_env=False) as http:
            response = Caller(http).get()
        assert (response.status_code, "not JSON serializable" in response.text) == (500, True)
    assert caught.group_contains(TypeError, match="not JSON serializable")
    assert "Traceback" in caplog.text


# On the wire


def connect(url: str) -> socket.socket:
    """Connect to a server without a word."""
    return socket.create_connection(("127.0.0.1", httpx.URL(url).port or 0), timeout=LIMIT)


class Connection:
    """A connection on which a test says what it likes."""

    def __init__(self, url: str) -> None:
        self._socket = connect(url)
        self._received = self._socket.makefile("rb")

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._socket.sendall(data)

    def receive(self, *, body: bool = True) -> tuple[int, httpx.Headers, bytes]:
        """Return the next response's status, headers and body."""
        status = int(self._received.readline().split()[1])
        lines = [line.rstrip().partition(b": ") for line in iter(self._received.readline, b"\r\n")]
        headers = httpx.Headers([(name, value) for name, _, value in lines])
        return status, headers, self._received.read(int(headers.get("content-length", 0)) if body else 0)

    def close(self) -> bytes:
        """Return what is left until the other side closes, and close."""
        with self._socket, self._received:
            return self._received.read()


@pytest.fixture
def connection(url: str) -> Iterator[Connection]:
    """Return a connection to the sandbox; a test closes it, if it wants to see its end."""
    connection = Connection(url)
    yield connection
    connection._socket.close()
    connection._received.close()


def request_head(method: str = "GET", *lines: str) -> bytes:
    """Return the first line and headers of a good request without a body."""
    token = sign_token(right_claims(method, PATH, "127.0.0.1", b""))
    head = (f"{method} {PATH} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {token}", *lines)
    return "".join(f"{line}\r\n" for line in (*head, "")).encode()


def whole_patch() -> bytes:
    """Return a good PATCH."""
    patch = signed_patch()
    body: bytes = patch["content"]
    headers = {"Host": "127.0.0.1", "Content-Length": len(body), **patch["headers"]}
    lines = [f"PATCH {PATH} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode() + body


AT_ONCE = struct.pack("ii", 1, 0)  # of SO_LINGER: closing resets the connection


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_a_client_that_leaves_is_no_failure(*, reset: bool) -> None:
    """Before the request, within it, and before the response: what is whole is served, and the end raises nothing."""
    sandbox = Sandbox()
    sandbox.fail(Fault(delay=0.1))
    patch = whole_patch()
    with sandbox.running() as url:
        for begun in (b"", b"PATCH ", request_head()[:-2], patch[:-1], patch):
            with connect(url) as connection:
                connection.sendall(begun)
                if begun == patch:
                    assert eventually(lambda: bool(sandbox.received))
                if reset:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        assert eventually(lambda: sandbox.customer() != PAGE)
        with httpx.Client(base_url=url, trust_env=False) as http:
            assert Caller(http).get().json() == sandbox.customer()


def test_a_client_that_comes_at_the_end() -> None:
    """A connection that is made while the server stops is closed, and nothing is left to warn of in a later test."""
    for count in range(40):
        with Sandbox().running() as url:
            connections = [connect(url) for _ in range(count % 5)]
        for connection in connections:
            with connection, suppress(ConnectionResetError):
                assert connection.recv(1) == b""
    gc.collect()


@pytest.mark.parametrize(
    "request_",
    [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n"],
    ids=["no HTTP", "no host", "no name"],
)
def test_what_is_not_http(connection: Connection, request_: bytes) -> None:
    """It gets a 400 in the service's shape, and the connection is closed."""
    connection.send(request_)
    status, headers, body = connection.receive()
    assert (status, headers["content-type"]) == (400, "application/json;charset=utf-8")
    assert json.loads(body)["errors"][0]["type"] == "invalidRequest"


def test_a_connection_is_kept(sandbox: Sandbox, connection: Connection) -> None:
    """Requests follow each other, also before the response to the first; a client may ask for the end."""
    connection.send(request_head() + request_head("GET", "Connection: close"))
    for _ in range(2):
        status, _, body = connection.receive()
        assert (status, json.loads(body)) == (200, PAGE)
    assert connection.close() == b""
    assert len(sandbox.received) == 2


def test_a_response_comes_in_one_piece(connection: Connection) -> None:
    """Nagle's algorithm (RFC 9293 section 3.7.4) would hold back a second piece for 40 ms."""
    connection.send(request_head())
    assert json.loads(connection._socket.recv(65_536).partition(b"\r\n\r\n")[2]) == PAGE


def test_a_client_that_waits_before_its_body(sandbox: Sandbox, connection: Connection) -> None:
    """It gets a 100 (RFC 9110 section 10.1.1), and its body can come in chunks."""
    lines = ("Content-Type: application/json", "Transfer-Encoding: chunked", "Expect: 100-continue")
    connection.send(request_head("PATCH", *lines))
    assert connection.receive()[0] == 100
    connection.send(b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n")
    assert connection.receive()[0] == 401  # its token has no digest
    assert sandbox.received[0].body == b"{}"


def test_head(connection: Connection) -> None:
    """A response to HEAD has a length and no body (RFC 9110 section 9.3.2): what follows is the next response."""
    connection.send(request_head("HEAD") + request_head())
    status, headers, _ = connection.receive(body=False)
    assert (status, headers["content-length"] != "0") == (405, True)
    assert connection.receive()[0] == 200


# The command


def run(*arguments: str) -> subprocess.Popen[str]:
    """Run the command, with warnings as errors."""
    command = [sys.executable, "-W", "error", "-m", "cybersource_tms_sandbox", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_command_prints_what_to_use_and_ends_at_ctrl_c() -> None:
    """It prints a shell's exports, serves, and ends quietly."""
    with run("--port", "0") as process:
        assert process.stdout is not None
        printed = [process.stdout.readline() for _ in range(6)]
        url = printed[0].split()[1]
        assert PAGE_CUSTOMER_ID in printed[0]
        assert printed[1:] == [
            "export CYBERSOURCE_ENVIRONMENT=test\n",
            f"export CYBERSOURCE_MERCHANT_ID={MERCHANT_ID}\n",
            f"export CYBERSOURCE_KEY_ID={KEY_ID}\n",
            f"export CYBERSOURCE_SECRET_KEY={SECRET}\n",
            f"export CYBERSOURCE_BASE_URL={url}\n",
        ]
        with httpx.Client(base_url=url, trust_env=False) as http:
            assert Caller(http).get().json() == PAGE
        process.send_signal(signal.SIGINT)
        assert (process.wait(), *process.communicate()) == (0, "", "")


@pytest.mark.parametrize("port", ["65536", "-1", "http"])
def test_no_such_port(port: str) -> None:
    """The command ends with its usage and what is wrong."""
    with run(f"--port={port}") as process:
        printed, complaint = process.communicate()
    assert (process.returncode, printed) == (2, "")
    assert f"a port is a number from 0 to 65535, not {port}" in complaint


def test_a_port_that_is_taken(url: str) -> None:
    """The command ends with one line that says so."""
    port = httpx.URL(url).port
    with run("--port", str(port)) as process:
        printed, complaint = process.communicate()
    assert (process.returncode, printed, complaint.count("\n")) == (1, "", 1)
    assert complaint.startswith(f"cannot serve on port {port}: ")
