"""The spec is compared with a Swagger document: a change of the service is named, a difference by choice is not."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from compare_swagger import CHOSEN, compare, facts, main

DOCUMENTS: Any = yaml.safe_load(Path("tests/support/swagger.yaml").read_text(encoding="utf-8"))
TEXT = {"type": "string"}
GONE = "gone"
ENTRIES = "PATCH request merchantDefinedInformation"
HEADER = "PATCH parameter header"
# Where the words at the beginning of a route lead to.
ROUTES = {
    "item": "paths /tms/v2/customers/{customerId}",
    "get": "item get",
    "patch": "item patch",
    "body": "patch parameters 3 schema properties",
    "buyer": "body buyerInformation properties",
    "entry": "body merchantDefinedInformation items properties",
    "error": "patch responses 400 schema properties errors items properties",
    "read": "get responses 200 schema properties",
}


def put(route: str, value: object) -> Any:
    """Return the document with another value in a place, or without what is there."""
    while (first := route.split(maxsplit=1)[0]) in ROUTES:
        route = route.replace(first, ROUTES[first], 1)
    changed = node = json.loads(json.dumps(DOCUMENTS["document"]))  # nothing of it stands in two places
    *outer, last = [int(word) if len(word) == 1 else word for word in route.split()]
    for word in outer:
        node = node[word]
    if value == GONE:
        del node[last]
    else:
        node[last] = value
    return changed


def said(document: Any) -> list[str]:
    """Return what is said of a document, without the two values."""
    lines, _ = compare(facts(DOCUMENTS["spec"]), facts(document), DOCUMENTS["choices"])
    return [line.partition(": ")[0] for line in lines]


# Where the document is changed, to what, and what is said of it; more than one thing with a semicolon, or nothing.
CHANGES: list[tuple[str, object, str]] = [
    ("buyer phone", TEXT, "PATCH request buyerInformation.phone"),
    ("buyer email", GONE, "PATCH request buyerInformation.email"),
    ("buyer email readOnly", True, "PATCH request buyerInformation.email"),
    ("buyer email type", "integer", "PATCH request buyerInformation.email type"),
    ("buyer email format", "email", "PATCH request buyerInformation.email format"),
    ("buyer email maxLength", 254, "PATCH request buyerInformation.email maxLength"),
    ("buyer email maxLength", GONE, "PATCH request buyerInformation.email maxLength"),
    ("buyer email minLength", 3, "PATCH request buyerInformation.email minLength"),
    ("buyer email pattern", "@", "PATCH request buyerInformation.email pattern"),
    ("buyer email enum", ["a"], "PATCH request buyerInformation.email enum"),
    ("buyer email default", "a", "PATCH request buyerInformation.email default"),
    ("body buyerInformation required", ["email"], "PATCH request buyerInformation.email required"),
    ("body buyerInformation additionalProperties", False, "PATCH request buyerInformation additionalProperties"),
    ("body loyalty", {"type": "object", "properties": {"tier": TEXT}}, "PATCH request loyalty"),
    ("body metadata readOnly", False, "PATCH request metadata"),
    ("body id", GONE, "PATCH request id"),
    ("body merchantDefinedInformation maxItems", 4, f"{ENTRIES} maxItems"),
    ("body merchantDefinedInformation uniqueItems", True, f"{ENTRIES} uniqueItems"),
    ("body merchantDefinedInformation items", TEXT, f"{ENTRIES}.name; {ENTRIES}.value; {ENTRIES}[] type"),
    ("entry value maxLength", 99, f"{ENTRIES}.value maxLength"),
    ("entry name description", "data1 to data8 or sensitive1 to sensitive4", f"{ENTRIES}.name values"),
    ("entry name description", "data1 to data4. Values:\n- data1\n", f"{ENTRIES}.name values"),
    ("entry name description", "Any word.", f"{ENTRIES}.name values"),
    ("patch parameters 0 required", True, f"{HEADER} profile-id required"),
    ("patch parameters 0 maxLength", 32, f"{HEADER} profile-id maxLength"),
    ("patch parameters 0 in", "query", f"{HEADER} profile-id; PATCH parameter query profile-id"),
    ("patch parameters 1 maxLength", 40, "PATCH parameter path maxLength"),
    ("patch parameters 2 maxLength", 64, f"{HEADER} if-match maxLength; {HEADER} if-match maxLength"),
    ("patch parameters 2 name", "if-not", f"{HEADER} if-match; {HEADER} if-not; {HEADER} if-match maxLength"),
    ("patch parameters 3 required", False, "PATCH request required"),
    ("patch parameters 3 schema type", "array", "PATCH request type"),
    ("get parameters 0", {"name": "a", "in": "query"}, "GET parameter header profile-id; GET parameter query a"),
    ("patch responses 409", {"schema": TEXT}, "PATCH 409"),
    ("patch responses 412", GONE, "PATCH 412"),
    ("patch responses 200 headers Retry-After", TEXT, "PATCH 200 header retry-after"),
    ("patch responses 200 headers ETag", GONE, "PATCH 200 header etag"),
    ("patch responses 200 headers ETag maxLength", 32, "PATCH 200 header etag maxLength"),
    ("patch responses 200 schema", GONE, "PATCH 200 response"),
    ("read phone", TEXT, "GET 200 response phone"),
    ("read metadata properties creator", GONE, "GET 200 response metadata.creator"),
    ("read id type", "integer", "GET 200 response id type"),
    ("error type description", "Possible values:\n- missingFields\n", "PATCH 400 response errors.type values"),
    ("error reason", TEXT, "PATCH 400 response errors.reason"),
    ("error message", GONE, "PATCH 400 response errors.message"),
    ("patch x-devcenter-metaData mleForRequest", "mandatory", "PATCH mleForRequest"),
    ("patch x-devcenter-metaData mleForResponse", "mandatory", "PATCH mleForResponse"),
    ("get x-devcenter-metaData", {"mleForResponse": "optional"}, "GET mleForResponse"),
    ("patch consumes", ["application/merge-patch+json"], "PATCH consumes"),
    ("get produces", GONE, "GET produces"),
    ("patch deprecated", True, "PATCH deprecated"),
    ("buyer email deprecated", True, "PATCH request buyerInformation.email deprecated"),
    ("patch security", [{"oauth": []}], "PATCH credentials"),
    ("securityDefinitions", {"oauth": {"type": "oauth2"}}, "other credentials"),
    ("host", "api.visa.com", "host"),
    ("schemes", ["http"], "protocols"),
    ("basePath", "/rest", "base path"),
    ("get", GONE, "GET"),
    ("paths /tms/v3/customers/{customerId}", {}, "path /tms/v3/customers/{}"),
    # The document says the same in another way, or something that is not about these operations.
    ("swagger", "2.0", ""),
    ("item delete", {"deprecated": True, "responses": {}}, ""),
    ("paths /tms/v2/customers/{customerId}/payment-instruments", {"get": {"responses": {}}}, ""),
    ("patch operationId", "updateCustomer", ""),
    ("patch summary", "Change a customer", ""),
    ("patch x-devcenter-metaData mleForResponse", False, ""),
    ("get x-devcenter-metaData", {"mleForRequest": "false", "developerGuides": "somewhere"}, ""),
    ("patch consumes", ["application/json; charset=UTF-8"], ""),
    ("patch parameters 2 name", "If-Match", ""),
    ("patch parameters 3 name", "body", ""),
    ("patch responses 200 headers", {"etag": TEXT, "V-C-Correlation-Id": TEXT}, ""),
    ("buyer email description", "From 1 to 255 characters.\n- of any kind\n- but not empty", ""),
    ("buyer email x-hide-field", True, ""),
    ("body _embedded properties", {"more": TEXT}, ""),
    ("entry name description", "sensitive1 to sensitive4 and data1 to data4", ""),
    ("definitions", {"Other": TEXT}, ""),
]  # fmt: skip


@pytest.mark.parametrize(("route", "value", "what"), CHANGES, ids=[f"{row[0]} {row[1]}"[:60] for row in CHANGES])
def test_a_change_is_named(route: str, value: object, what: str) -> None:
    """What has changed is named once, and a choice that was made for what was there before is named with it."""
    assert said(put(route, value)) == (what.split("; ") if what else [])


def test_a_line() -> None:
    """It says what the spec has, and what the document has."""
    changed = facts(put("patch consumes", []))
    lines, chosen = compare(facts(DOCUMENTS["spec"]), changed, DOCUMENTS["choices"])
    values = "spec/customers.yaml has application/json;charset=utf-8, the Swagger document has nothing"
    assert (lines, chosen) == ([f"PATCH consumes: {values}"], 9)


def test_another_service() -> None:
    """A document without these operations has neither of them, and no choice applies to it."""
    named = ["GET", "PATCH", "path /tms/v2/customers/{}", *(each["difference"] for each in DOCUMENTS["choices"])]
    assert said(put("paths", {})) == named


@pytest.mark.parametrize("text", ["", "[]", "{", "{}", '{"paths": []}'], ids=repr)
def test_another_file(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    """A file that is no Swagger document is refused in one sentence."""
    file = tmp_path / "swagger.json"
    file.write_text(text, encoding="utf-8")
    assert main(file) == 1
    printed, complaint = capsys.readouterr()
    assert printed == ""
    assert complaint.startswith(f"{file} cannot be read as a Swagger document: ")


def test_the_exit_code() -> None:
    """The script ends with it, here for its own spec, which is not a service's document."""
    command = ["scripts/compare_swagger", "spec/customers.yaml"]
    variables = os.environ | {"VENV": sys.prefix}
    done = subprocess.run(command, capture_output=True, text=True, env=variables, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines()[-1].startswith(f"0 differences by choice, see {CHOSEN}; ")


def test_each_choice_has_a_reason() -> None:
    """A difference by choice says why, and what it was made for."""
    entries = yaml.safe_load(CHOSEN.read_text(encoding="utf-8"))
    assert entries
    assert all(set(entry) == {"difference", "document", "reason"} for entry in entries)
