"""What comes with the stand-in for other people's tests: one import, one fixture, the spec's rules."""

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import cybersource_tms_sandbox
from cybersource_tms import BuyerInformation, CustomersClient, CustomerUpdate, Retries, errors
from cybersource_tms_sandbox import PAGE_CUSTOMER_ID, Sandbox, page_customer
from cybersource_tms_sandbox._limits import close, find_errors, places
from support.clients import Clients

ROOT = Path(__file__).parents[2]
EMAIL = CustomerUpdate(buyer_information=BuyerInformation(email="new@example.com"))
pytest_plugins = ["pytester"]


def run(code: str) -> str:
    """Run code in a new process, with warnings as errors, and return what it printed."""
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout


def test_all_is_sorted() -> None:
    """The public names are few, in order, and each says what it is."""
    names = cybersource_tms_sandbox.__all__
    assert names == sorted(names, key=lambda name: (not name.isupper(), name[0].islower(), name))
    for name in names:
        assert name.isupper() or getattr(cybersource_tms_sandbox, name).__doc__


def test_it_stands_apart() -> None:
    """It loads neither the library nor what the library makes its tokens with, and no server."""
    code = "import json, sys, cybersource_tms_sandbox as it; it.Sandbox(); print(json.dumps([*sys.modules]))"
    loaded = {*json.loads(run(code))}
    assert not {"cybersource_tms", "cybersource_tms_api", "joserfc"} & loaded


def test_it_never_imports_the_library() -> None:
    """Not in a function either."""
    for path in (ROOT / "wrapper" / "cybersource_tms_sandbox").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            assert not {name.split(".")[0] for name in names} & {"cybersource_tms", "cybersource_tms_api", "joserfc"}


def test_without_the_extra() -> None:
    """What is missing is said with the command that installs it."""
    code = (
        "import sys; sys.modules['jsonschema'] = None\n"
        "try: import cybersource_tms_sandbox\n"
        "except ImportError as error: print(error)"
    )
    assert 'pip install "cybersource-tms[sandbox]"' in run(code)


# With the clients


def test_either_client_within_the_process(clients: Clients, sandbox: Sandbox) -> None:
    """One transport serves both kinds of client; they sign for the service's own host."""
    client = clients.open(transport=sandbox.transport)
    record = client.update(PAGE_CUSTOMER_ID, EMAIL)
    assert record.customer.to_dict() == sandbox[PAGE_CUSTOMER_ID]
    assert record.etag == sandbox.etag()
    assert sandbox.received[0].headers["host"] == "apitest.cybersource.com"


def test_its_variables(clients: Clients, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are all that `from_env` needs."""
    for name, value in sandbox.variables.items():
        monkeypatch.setenv(name, value)
    client = clients.wrap(clients.client_class.from_env(transport=sandbox.transport))
    assert client.retrieve(PAGE_CUSTOMER_ID).customer.to_dict() == page_customer()


def test_retries_do_not_wait(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The way that the package documents."""
    assert cybersource_tms_sandbox.__doc__
    assert "retries=Retries(first_wait=0)" in cybersource_tms_sandbox.__doc__
    for name, value in sandbox.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("time.sleep", lambda seconds: pytest.fail("it waited") if seconds else None)
    sandbox.fail(503, 503)
    with CustomersClient.from_env(transport=sandbox.transport, retries=Retries(first_wait=0)) as customers:
        assert customers.update(PAGE_CUSTOMER_ID, EMAIL).etag == sandbox.etag()
    assert [received.status for received in sandbox.received] == [503, 503, 200]


def test_a_fault_is_the_clients_error(clients: Clients, sandbox: Sandbox) -> None:
    """A test of a failing service needs one line."""
    sandbox.fail(500)
    with pytest.raises(errors.ServiceError):
        clients.open(transport=sandbox.transport).retrieve(PAGE_CUSTOMER_ID)


# With pytest


def test_the_fixture(pytester: pytest.Pytester) -> None:
    """It is there without an import, and each test has its own sandbox."""
    pytester.makepyfile("""
        def test_one(cybersource_sandbox):
            cybersource_sandbox.add({"id": "A"})

        def test_two(cybersource_sandbox):
            cybersource_sandbox.add({"id": "A"})
    """)
    pytester.runpytest_subprocess("-W", "error").assert_outcomes(passed=2)


def test_pytest_starts_with_nothing_of_it(pytester: pytest.Pytester) -> None:
    """The plugin loads no package before a test asks for the fixture: coverage would miss what is imported by then."""
    pytester.makepyfile("""
        import sys

        def test_it():
            loaded = {name.split(".")[0] for name in sys.modules}
            assert "pytest_cybersource_sandbox" in loaded
            assert not {"cybersource_tms", "cybersource_tms_sandbox", "httpx", "jsonschema", "cryptography"} & loaded
    """)
    plugins = [f"-p no:{name}" for name in ("pytest_httpx", "hypothesispytest", "anyio")]
    pytester.runpytest_subprocess(*" ".join(plugins).split()).assert_outcomes(passed=1)


# What the spec says

ANY: dict[str, Any] = {
    "type": "object",
    "properties": {
        "tier": {"type": ["string", "null"], "enum": ["gold", "silver", None]},
        "visits": {"type": ["integer", "null"], "minimum": 0},
        "share": {"type": "number"},
        "active": {"type": "boolean"},
        "born": {"type": "string", "format": "date"},
        "seen": {"type": "string", "format": "date-time"},
        "key": {"type": "string", "format": "uuid"},
        "tags": {"type": "array", "items": {"type": "string", "pattern": "^[a-z]+$"}},
        "cards": {"type": "array", "items": {"$ref": "#/components/schemas/Card"}},
        "labels": {"type": "object", "additionalProperties": {"type": "string", "maxLength": 2}},
        "card": {"oneOf": [{"$ref": "#/components/schemas/Card"}, {"type": "null"}]},
        "since": {"type": "string", "readOnly": True},
        "either": {"anyOf": [{"type": "string", "maxLength": 1}, {"type": "object", "properties": {"a": {}}}]},
        "more": {"allOf": [{"properties": {"a": {"type": "string"}}}, {"required": ["a"]}]},
    },
}
CARD: dict[str, Any] = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}

RIGHT: list[dict[str, Any]] = [
    {},
    {"tier": "gold", "visits": 0, "share": 0.5, "active": False, "born": "2026-11-25", "tags": ["a", "b"]},
    {"tier": None, "visits": None, "card": None},
    {"seen": "2026-11-25T04:23:00Z", "key": "93b32398-ad51-4cc2-a682-ea3e93614eb1"},
    {"seen": "2026-11-25t04:23:00.123456789+01:00"},
    {"cards": [{"id": "a"}], "labels": {"x": "yz"}, "card": {"id": "a"}},
    {"either": "a"},
    {"either": {"a": 1}},
    {"more": {"a": "b"}},
]

WRONG: list[tuple[dict[str, Any], list[str]]] = [
    ({"tier": "bronze"}, ["tier"]),
    ({"visits": -1}, ["visits"]),
    ({"visits": True}, ["visits"]),
    ({"visits": 1.5}, ["visits"]),
    ({"share": "0.5"}, ["share"]),
    ({"active": 0}, ["active"]),
    ({"active": None}, ["active"]),
    ({"born": "2026-02-30"}, ["born"]),
    ({"born": "25.11.2026"}, ["born"]),
    ({"seen": "2026-11-25"}, ["seen"]),
    ({"seen": "2026-11-25T04:23:00"}, ["seen"]),
    ({"seen": "2026-11-25T25:00:00Z"}, ["seen"]),
    ({"seen": 1}, ["seen"]),
    ({"key": "x"}, ["key"]),
    ({"tags": ["a", 1, "b\n", None]}, ["tags[1]", "tags[2]", "tags[3]"]),
    ({"cards": [{"id": "a"}, {"ids": "a"}]}, ["cards[1]", "cards[1].ids"]),
    ({"labels": {"x": "long", "y": None}}, ["labels.x", "labels.y"]),
    ({"card": {"id": 1, "more": None}}, ["card.id", "card.more"]),
    ({"card": []}, ["card"]),
    ({"since": "2026"}, ["since"]),
    ({"unknown": None, "Tier": "gold"}, ["Tier", "unknown"]),
    ({"either": "ab"}, ["either"]),
    ({"either": {"b": 1}}, ["either.b"]),
    ({"more": {"b": 1}}, ["more", "more.b"]),
]


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    """Return a schema with a field of every type, closed as that of an update is."""
    return {**close(ANY), "components": {"schemas": {"Card": close(CARD)}}}


def wrong_places(schema: dict[str, Any], value: object) -> list[str]:
    """Return where a value is not as the schema says."""
    return sorted({place for error in find_errors(schema, value) for place in places(error)})


@pytest.mark.parametrize("value", RIGHT, ids=json.dumps)
def test_every_type_of_field(schema: dict[str, Any], value: dict[str, Any]) -> None:
    """A field of any type that the spec may get is taken."""
    assert wrong_places(schema, value) == []


@pytest.mark.parametrize(("value", "expected"), WRONG, ids=json.dumps)
def test_wrong_values_of_every_type(schema: dict[str, Any], value: dict[str, Any], expected: list[str]) -> None:
    """Each place that is wrong is named, at every depth, once."""
    assert wrong_places(schema, value) == expected


@pytest.fixture
def changed_spec(tmp_path: Path) -> Path:
    """Return a folder whose spec has fields that ours does not have, as `scripts/regenerate` would write it."""
    spec = json.loads((ROOT / "generated" / "cybersource_tms_api" / "openapi.json").read_text(encoding="utf-8"))
    spec["components"]["schemas"]["BuyerInformation"]["properties"]["loyaltyTier"] = {"type": "string", "maxLength": 4}
    path = spec["paths"]["/tms/v2/customers/{customerTokenId}"]
    path["patch"]["parameters"].append({"name": "x-new", "in": "header", "schema": {"type": "string", "maxLength": 1}})
    spec["servers"].append({"url": "https://api.example.com"})
    package = tmp_path / "cybersource_tms_api"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "openapi.json").write_text(json.dumps(spec), encoding="utf-8")
    return tmp_path


def test_a_change_of_the_spec(changed_spec: Path) -> None:
    """A new field, a header's limit and a server are known with no other change."""
    code = f"""
import sys
sys.path.insert(0, {str(changed_spec)!r})
from cybersource_tms_sandbox._limits import wrong_fields, wrong_headers
from cybersource_tms_sandbox._spec import service_hosts
print([wrong_fields({{"buyerInformation": {{"loyaltyTier": value}}}}) for value in ("gold", "golden")])
print(wrong_headers("PATCH", {{"x-new": "ab"}}), "api.example.com" in service_hosts())
"""
    assert run(code) == "[[], ['buyerInformation.loyaltyTier']]\n['x-new'] True\n"
