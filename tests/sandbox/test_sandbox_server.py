"""The sandbox over HTTP: loopback, TLS, odd clients, its own failures, and its command."""

import gc
import json
import re
import shlex
import signal
import socket
import ssl
import struct
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import trustme

from cybersource_tms import CustomersClient
from cybersource_tms_sandbox import PAGE_CUSTOMER_ID, PROFILE_ID, Fault, Sandbox
from cybersource_tms_sandbox.__main__ import main
from support.caller import ARRAY, CHANGE, FIELD, GROUP, HOST, PAGE, PATH, SHARED_SECRET, Caller, over_http, signed_patch
from support.waiting import LIMIT, eventually

READ_TIMEOUT = httpx.Timeout(LIMIT, read=0.05)


def test_tls(tmp_path: Path) -> None:
    """Over TLS it serves as without, with the given certificate, cuts, and stops though a client stays connected."""
    authority, trust, certificate = trustme.CA(), ssl.create_default_context(), tmp_path / "server.pem"
    authority.issue_cert("127.0.0.1", "localhost").private_key_and_cert_chain_pem.write_to_path(str(certificate))
    authority.configure_trust(trust)
    sandbox = Sandbox()
    with (
        httpx.Client(verify=trust, trust_env=False, timeout=LIMIT) as http,
        sandbox.running(certificate=certificate) as url,
    ):
        assert url.startswith("https://127.0.0.1:")
        http.base_url = httpx.URL(url)
        sandbox.fail(Fault(cut="before"))
        with pytest.raises(httpx.TransportError):
            Caller(http).send()
        assert Caller(http).get().json() == PAGE
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE"):
            httpx.get(url, trust_env=False)
    with pytest.raises(OSError, match="No such file"), Sandbox().running(certificate=tmp_path / "none.pem"):
        pass


def test_stopping_ends_delays() -> None:
    """A server stops with idle connections and with requests that are delayed; these are applied."""
    sandbox = Sandbox()
    sandbox.fail(Fault(delay=3600))
    with sandbox.running() as url, over_http(url) as http:
        with pytest.raises(httpx.ReadTimeout):
            http.request("PATCH", PATH, **signed_patch(), timeout=READ_TIMEOUT)
        assert eventually(lambda: len(sandbox.received) == 1)
        http.get("/")
    assert sandbox.customer() != PAGE


def test_ipv6() -> None:
    """It serves on the other loopback address too, where the bare host has no brackets."""
    with Sandbox().running(host="::1") as url, over_http(url) as http:
        assert url.startswith("http://[::1]:")
        assert Caller(http).get(claims={"request-host": "::1"}).status_code == 200


def test_own_failures_are_seen(caplog: pytest.LogCaptureFixture) -> None:
    """What breaks in the sandbox is a 500, is logged, and is raised at the end."""
    sandbox = Sandbox()
    sandbox.profiles = None  # type: ignore[assignment]
    with pytest.raises(ExceptionGroup) as caught, sandbox.running() as url:  # noqa: PT012 - its end raises
        with over_http(url) as http:
            response = Caller(http).get(headers={"profile-id": PROFILE_ID})
        assert (response.status_code, "not iterable" in response.text) == (500, True)
    assert caught.group_contains(TypeError, match="not iterable")
    assert "Traceback" in caplog.text


def test_a_large_body(sandbox: Sandbox, url: str) -> None:
    """It is read to its end before it is refused."""
    with over_http(url) as http:
        assert http.patch(PATH, content=bytes(32 << 20)).status_code == 401
    assert len(sandbox.received[0].body) == 32 << 20


# On the wire


def connect(url: str) -> socket.socket:
    """Connect to a server without a word."""
    return socket.create_connection((HOST, httpx.URL(url).port or 0), timeout=LIMIT)


def exchange(url: str, data: bytes) -> bytes:
    """Send bytes as they are, and return all that comes until the server closes the connection."""
    with connect(url) as connection, connection.makefile("rb") as received:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return received.read()


def request_head(method: str = "GET", *lines: str) -> bytes:
    """Return the first line and headers of a good request without a body."""
    token = SHARED_SECRET.token(SHARED_SECRET.claims(method, PATH))
    head = (f"{method} {PATH} HTTP/1.1", f"Host: {HOST}", f"Authorization: Bearer {token}", *lines)
    return "".join(f"{line}\r\n" for line in (*head, "")).encode()


def whole_patch() -> bytes:
    """Return a good PATCH."""
    patch = signed_patch()
    body: bytes = patch["content"]
    headers = {"Host": HOST, "Content-Length": len(body), **patch["headers"]}
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
        with over_http(url) as http:
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
def test_what_is_not_http(url: str, request_: bytes) -> None:
    """It gets a 400 in the service's shape, and the connection is closed."""
    head, _, body = exchange(url, request_).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert b"\r\ncontent-type: application/json;charset=utf-8" in head.lower()
    assert json.loads(body)["errors"][0]["type"] == "invalidRequest"


def test_requests_follow_each_other(sandbox: Sandbox, url: str) -> None:
    """Also before the response to the first, until a client asks for the end. One to HEAD (RFC 9110 9.3.2) is empty."""
    last = request_head("GET", "Connection: close")
    responses = exchange(url, request_head("HEAD") + request_head() + last + request_head()).split(b"HTTP/1.1 ")
    assert [response[:3] for response in responses] == [b"", b"405", b"200", b"200"]
    assert [response.partition(b"\r\n\r\n")[2] for response in responses[1:2]] == [b""]
    assert [json.loads(response.partition(b"\r\n\r\n")[2]) for response in responses[2:]] == [PAGE, PAGE]
    assert len(sandbox.received) == 3


def test_a_client_that_waits_before_its_body(sandbox: Sandbox, url: str) -> None:
    """It gets a 100 (RFC 9110 section 10.1.1), its body can come in chunks, and the response comes in one piece.

    Nagle's algorithm (RFC 9293 section 3.7.4) would hold back a second piece for 40 ms.
    """
    lines = ("Content-Type: application/json", "Transfer-Encoding: chunked", "Expect: 100-continue")
    with connect(url) as connection:
        connection.sendall(request_head("PATCH", *lines))
        assert connection.recv(65_536).startswith(b"HTTP/1.1 100")
        connection.sendall(b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n")
        head, _, body = connection.recv(65_536).partition(b"\r\n\r\n")
    assert (head[9:12], json.loads(body)) == (b"401", {"response": {"rmsg": "Authentication Failed"}})
    assert (sandbox.received[0].body, sandbox.received[0].reason) == (b"{}", "digest is wrong")


def test_each_request_is_told_in_a_line() -> None:
    """Its status and why it is this one, within the process as over HTTP, without a value."""
    told: list[str] = []
    sandbox = Sandbox()
    sandbox.tell = told.append
    with httpx.Client(transport=sandbox.transport, base_url=f"http://{HOST}") as http:
        Caller(http).send(body={GROUP: {FIELD: 1}, "\n": None, **{f"{number:099}": 0 for number in range(9)}})
    sandbox.fail(404, Fault(cut="after"))
    with sandbox.running() as url, over_http(url) as http:
        Caller(http).get()
        with suppress(httpx.TransportError):
            Caller(http).get()
        http.get(f"{PATH}?a=b")
        Caller(http).get("/tms/v2/customers/A")
        Caller(http).get()
        http.post("/sandbox/reset")
        exchange(url, b"nonsense\r\n\r\n")
    first, *lines = told
    assert first.startswith(
        f"PATCH {PATH} 400: Invalid fields in the request: /\\n (no field that can be written), /0000"
    )
    assert ("\n" in first, len(first) < 300) == (False, True)
    assert lines == [
        f"GET {PATH} 404: as a fault says",
        f"GET {PATH} no response: as a fault says",
        f"GET {PATH}?a=b 401: Authorization is not there once",
        "GET /tms/v2/customers/A 404: Token not found",
        f"GET {PATH} 200",
        "POST /sandbox/reset 204",
        "400: no HTTP",
    ]


# The command


def run(*arguments: object) -> subprocess.Popen[str]:
    """Run the command, with warnings as errors."""
    command = [sys.executable, "-W", "error", "-m", "cybersource_tms_sandbox", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def read_exports(process: subprocess.Popen[str]) -> tuple[list[str], dict[str, str]]:
    """Return the comments that the command prints first, and the variables that a shell would set."""
    assert process.stdout
    comments: list[str] = []
    variables: dict[str, str] = {}
    while "CYBERSOURCE_BASE_URL" not in variables:
        line = process.stdout.readline()
        if line.startswith("export "):
            name, _, value = shlex.split(line)[1].partition("=")
            variables[name] = value
        else:
            assert line.startswith("# "), process.communicate()
            comments.append(line)
    return comments, variables


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_command(number: signal.Signals) -> None:
    """It prints a shell's exports, then each request as a comment, and ends quietly."""
    with run("--port", 0) as process:
        [comment], variables = read_exports(process)
        assert variables == {**Sandbox().variables, "CYBERSOURCE_BASE_URL": comment.split()[1]}
        assert PAGE_CUSTOMER_ID in comment
        with over_http(comment.split()[1]) as http:
            assert Caller(http).get().json() == PAGE
        process.send_signal(number)
        assert (process.wait(), *process.communicate()) == (0, f"# GET {PATH} 200\n", "")


def test_command_with_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It knows customers of a file and made-up ones, and its variables are those of production; a reset keeps them."""
    file = tmp_path / "customers.jsonl"
    rows = [{"id": "A", f"{GROUP}.{FIELD}": "new", ARRAY: None}, PAGE | {"id": PAGE_CUSTOMER_ID.lower()}]
    file.write_text("\ufeff" + "\n\n".join(map(json.dumps, rows)), encoding="utf-8")
    options = ["--customers", file, "--made-up", 1000, "--credential", "p12", "--encryption", "both"]
    with run("--port", 0, *options) as process:
        comments, variables = read_exports(process)
        assert f"{1:032X} to {1000:032X}" in comments[1]
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        with CustomersClient.from_env() as customers:
            httpx.post(f"{variables['CYBERSOURCE_BASE_URL']}/sandbox/reset", trust_env=False, timeout=LIMIT)
            found = [customers.retrieve(each).customer.to_dict() for each in ("A", PAGE_CUSTOMER_ID, f"{1000:032X}")]
        process.terminate()
        assert (process.wait(), process.communicate()[1]) == (0, "")
    assert found == [{"id": "A", **CHANGE}, rows[1], json.loads(json.dumps(PAGE).replace(PAGE["id"], f"{1000:032X}"))]
    assert not Path(variables["CYBERSOURCE_P12_PATH"]).parent.exists()


REFUSED: dict[str, tuple[str, str, str]] = {
    "id as a number": ('{"id": "A"}\n{"id": 1}', "0", "read the customers: {}, line 2: not a JSON object with an id,"),
    "twice": ('{"id": "A"}\n{"id": "a"}', "0", "read the customers: there is already a customer a"),
    "missing": ("", "0", "read the customers: [Errno 2] No such file or directory: '{}'"),
    "no such port": ("\n", "65536", "serve on port 65536: a port is a number from 0 to 65535"),
    "a port that is taken": ("\n", "", "serve on port "),
}


@pytest.mark.parametrize(("content", "port", "problem"), REFUSED.values(), ids=REFUSED)
def test_command_that_cannot_serve(  # noqa: PLR0917 - three of them are fixtures
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, port: str, problem: str
) -> None:
    """It ends with one line that says what is wrong, and where."""
    file = tmp_path / "customers.jsonl"
    if content:
        file.write_text(content, encoding="utf-8")
    options = ["--port", port or str(httpx.URL(url).port), "--customers", str(file)]
    monkeypatch.setattr(sys, "argv", ["sandbox", *options])
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit, match=f"^cannot {re.escape(problem.format(file))}") as caught:
        main()
    assert "\n" not in str(caught.value.code)
