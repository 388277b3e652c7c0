"""What comes with the sandbox for other people's tests: one import, one fixture, the spec's rules."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

import cybersource_tms_sandbox
from cybersource_tms_sandbox._limits import close, find_errors, wrong_in
from support.caller import FIELD, GROUP, SPEC

ROOT = Path(__file__).parents[2]
pytest_plugins = ["pytester"]


def run(code: str, *arguments: str) -> str:
    """Run code in a new process, with warnings as errors, and return what it printed."""
    command = [sys.executable, "-W", "error", "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout


def test_all_is_sorted() -> None:
    """The public names are few, in order, and each says what it is."""
    names = cybersource_tms_sandbox.__all__
    assert names == sorted(names, key=lambda name: (not name.isupper(), name[0].islower(), name))
    for name in names:
        assert name.isupper() or getattr(cybersource_tms_sandbox, name).__doc__


def test_without_the_extra() -> None:
    """What is missing is said with the command that installs it."""
    code = (
        "import sys; sys.modules['jsonschema'] = None\n"
        "try: import cybersource_tms_sandbox\n"
        "except ImportError as error: print(error)"
    )
    assert 'pip install "cybersource-tms[sandbox]"' in run(code)


# With pytest


def test_the_fixture(pytester: pytest.Pytester) -> None:
    """It is there without an import, and each test has its own sandbox; before the first one nothing of it is loaded.

    Coverage would miss what is imported by then.
    """
    pytester.makepyfile("""
        import sys

        def test_nothing():
            loaded = {name.split(".")[0] for name in sys.modules}
            assert "pytest_cybersource_sandbox" in loaded
            assert not {"cybersource_tms", "cybersource_tms_sandbox", "httpx", "jsonschema", "cryptography"} & loaded

        def test_one(cybersource_sandbox):
            cybersource_sandbox.add({"id": "A"})

        def test_two(cybersource_sandbox):
            cybersource_sandbox.add({"id": "A"})
    """)
    plugins = [f"-pno:{name}" for name in ("pytest_httpx", "hypothesispytest", "anyio")]
    pytester.runpytest_subprocess("-W", "error", *plugins).assert_outcomes(passed=3)


# What the spec says

CARD: dict[str, Any] = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}
CARD_REFERENCE = {"$ref": "#/components/schemas/Card"}
ID = "93b32398-ad51-4cc2-a682-ea3e93614eb1"
# A field of each type: its schema, values that are taken, and values that are not.
TYPES: dict[str, tuple[dict[str, Any], list[Any], list[Any]]] = {
    "tier": ({"type": ["string", "null"], "enum": ["gold", None]}, ["gold", None], ["bronze", "Gold"]),
    "visits": ({"type": ["integer", "null"], "minimum": 0}, [0, None], [-1, True, 1.5]),
    "share": ({"type": "number"}, [0.5, 1], ["0.5", None]),
    "active": ({"type": "boolean"}, [False], [0, None]),
    "born": ({"type": "string", "format": "date"}, ["2026-11-25"], ["2026-02-30", "25.11.2026"]),
    "seen": (
        {"type": "string", "format": "date-time"},
        ["2026-11-25T04:23:00Z", "2026-11-25t04:23:00.123456789+01:00"],
        ["2026-11-25", "2026-11-25T04:23:00", "2026-11-25T25:00:00Z", 1],
    ),
    "key": ({"type": "string", "format": "uuid"}, [ID], ["x", 1]),
    "tags": ({"type": "array", "items": {"type": "string", "pattern": "^[a-z]+$"}}, [["a", "b"], []], ["a", None]),
    "cards": ({"type": "array", "items": CARD_REFERENCE}, [[{"id": "a"}]], [{"id": "a"}]),
    "labels": ({"type": "object", "additionalProperties": {"type": "string", "maxLength": 2}}, [{"x": "yz"}], [[]]),
    "card": ({"oneOf": [CARD_REFERENCE, {"type": "null"}]}, [{"id": "a"}, None], [{}, [], "a"]),
    "since": ({"type": "string", "readOnly": True}, [], ["2026", None]),
    "either": ({"anyOf": [{"type": "string", "maxLength": 1}, {"type": "object"}]}, ["a", {}], ["ab"]),
    "more": ({"allOf": [{"properties": {"a": {"type": "string"}}}, {"required": ["a"]}]}, [{"a": "b"}], [{}, 1]),
}
# The schema is closed as that of an update is.
ANY = close({"type": "object", "properties": {name: schema for name, (schema, _, _) in TYPES.items()}})
ANY["components"] = {"schemas": {"Card": close(CARD)}}
DEEP: list[tuple[dict[str, Any], list[str]]] = [
    ({"unknown": None, "Tier": "gold"}, ["/Tier", "/unknown"]),
    ({"tags": ["a", 1, "b\n", None]}, ["/tags/1", "/tags/2", "/tags/3"]),
    ({"cards": [{"id": "a"}, {"ids": "a"}]}, ["/cards/1", "/cards/1/ids"]),
    ({"card": {"id": 1, "more": None}}, ["/card/id", "/card/more"]),
    ({"more": {"a": "b", "b": 1}}, ["/more/b"]),
]


def wrong_places(value: object) -> list[str]:
    """Return where a value is not as the schema says."""
    return sorted({each.location for error in find_errors(ANY, value) for each in wrong_in(error)})


@pytest.mark.parametrize("name", TYPES)
def test_every_type_of_field(name: str) -> None:
    """A field of any type that the spec may get is taken with a value of that type, and no other."""
    _, right, wrong = TYPES[name]
    assert [value for value in right if wrong_places({name: value})] == []
    assert [value for value in wrong if wrong_places({name: value}) != [f"/{name}"]] == []


@pytest.mark.parametrize(("value", "expected"), DEEP, ids=json.dumps)
def test_places_of_wrong_values(value: dict[str, Any], expected: list[str]) -> None:
    """Each place that is wrong is named, at every depth, once."""
    assert wrong_places(value) == expected


IN_A_ZIP = f"""
import sys
sys.path.insert(0, sys.argv[1])
import cybersource_tms_sandbox as it
from cybersource_tms_sandbox._limits import wrong_fields, wrong_headers
from cybersource_tms_sandbox._spec import service_hosts
assert it.__file__.startswith(sys.argv[1])
print([wrong_fields({{{GROUP!r}: {{"new": value}}}}) for value in ("gold", "golden")])
print(wrong_headers("PATCH", {{"x-new": "ab"}}), "api.example.com" in service_hosts())
print(it.page_customer()[{GROUP!r}]["new"], it.Sandbox().signing_p12.exists())
"""


def test_a_change_of_the_spec_in_a_zip(tmp_path: Path) -> None:
    """A new field, a header's limit, a server and an example are known with no other change, and without a folder."""
    spec = json.loads(json.dumps(SPEC).replace(f'"{FIELD}": "', f'"new": "gold", "{FIELD}": "'))
    reference = spec["components"]["schemas"]["CustomerUpdate"]["properties"][GROUP]["oneOf"][0]["$ref"]
    spec["components"]["schemas"][reference.split("/")[-1]]["properties"]["new"] = {"type": "string", "maxLength": 4}
    path = spec["paths"]["/tms/v2/customers/{customerTokenId}"]
    path["patch"]["parameters"].append({"name": "x-new", "in": "header", "schema": {"type": "string", "maxLength": 1}})
    spec["servers"].append({"url": "https://api.example.com"})
    with ZipFile(tmp_path / "all.zip", "w") as file:
        file.writestr("cybersource_tms_api/__init__.py", "raise AssertionError('the generated code was imported')")
        file.writestr("cybersource_tms_api/openapi.json", json.dumps(spec))
        for each in (ROOT / "wrapper" / "cybersource_tms_sandbox").glob("*.py"):
            file.write(each, f"cybersource_tms_sandbox/{each.name}")
    assert run(IN_A_ZIP, str(tmp_path / "all.zip")).splitlines() == [
        f"[[], [WrongField(location='/{GROUP}/new', name='new', rule='maxLength')]]",
        "['x-new'] True",
        "gold True",
    ]
