"""The spec is compared with a Swagger document: a change of the service is named, a difference by choice is not."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import compare_swagger

Document = dict[str, Any]

TEXT = {"type": "string"}
HEADERS = {"v-c-correlation-id": TEXT, "uniqueTransactionID": TEXT}


def limited(longest: int, **more: Any) -> Document:
    """Return the schema of a text with a limit."""
    return {"type": "string", "maxLength": longest, **more}


def group(**fields: Document) -> Document:
    """Return the schema of an object."""
    return {"type": "object", "properties": fields}


def customer() -> Document:
    """Return the schema of a customer, inline and with everything read-only marked, as the document has it."""
    link = group(href={"type": "string", "readOnly": True})
    links = group(self=link, paymentInstruments=link, shippingAddress=link)
    entry = group(name=TEXT, value=limited(100))
    return group(
        _links=links | {"readOnly": True},
        id=limited(32, minLength=1),
        objectInformation=group(title=limited(60), comment=limited(150)),
        buyerInformation=group(merchantCustomerID=limited(100), email=limited(255)),
        clientReferenceInformation=group(code=limited(50)),
        merchantDefinedInformation={"type": "array", "items": entry},
        defaultPaymentInstrument=group(id=TEXT),
        defaultShippingAddress=group(id=TEXT),
        metadata=group(creator={"type": "string", "readOnly": True}) | {"readOnly": True},
        _embedded=group(defaultPaymentInstrument=group(id=TEXT)) | {"readOnly": True},
    )


def operation(*statuses: int, parameters: list[Document]) -> Document:
    """Return an operation with the responses that the document has."""
    detail = group(name=TEXT, location=TEXT)
    entry = {"type": TEXT, "message": TEXT}
    responses: Document = {"200": {"headers": {**HEADERS, "ETag": TEXT}, "schema": customer()}}
    for status in statuses:
        details = {"details": {"type": "array", "items": detail}} if status == 400 else {}
        errors = group(errors={"type": "array", "items": group(**entry, **details)})
        responses[str(status)] = {"headers": HEADERS, "schema": errors}
    return {"parameters": parameters, "responses": responses}


def swagger() -> Document:
    """Return a document like the service's, with these operations and one that the spec does not have."""
    path = {"name": "customerId", "in": "path", "required": True, "type": "string", "minLength": 1, "maxLength": 32}
    profile = {
        "name": "profile-id",
        "in": "header",
        "required": False,
        "type": "string",
        "minLength": 36,
        "maxLength": 36,
    }
    if_match = {
        "name": "if-match",
        "in": "header",
        "required": False,
        "type": "string",
        "minLength": 1,
        "maxLength": 32,
    }
    body = {"name": "patchCustomerRequest", "in": "body", "required": True, "schema": customer()}
    item = {
        "get": operation(400, 403, 404, 410, 424, 500, parameters=[path, profile]),
        "patch": operation(400, 403, 404, 410, 412, 424, 500, parameters=[path, profile, if_match, body]),
    }
    item["delete"] = operation(400, 403, 404, 410, 424, 500, parameters=[path, profile])
    item["delete"]["responses"]["204"] = {"headers": HEADERS}
    del item["delete"]["responses"]["200"]
    return {"swagger": "2.0", "paths": {"/tms/v2/customers/{customerId}": item}}


def run(file: Path) -> subprocess.CompletedProcess[str]:
    """Run the script, with the tools of this environment."""
    command = ["scripts/compare_swagger", str(file)]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | {"VENV": sys.prefix}, check=False)


@pytest.mark.parametrize(("suffix", "write"), [("json", json.dumps), ("yaml", yaml.safe_dump)], ids=["JSON", "YAML"])
def test_the_same_service(tmp_path: Path, suffix: str, write: Callable[[Document], str]) -> None:
    """Where only what was chosen differs, there is nothing to report, and the exit code is 0."""
    file = tmp_path / f"swagger.{suffix}"
    file.write_text(write(swagger()), encoding="utf-8")
    done = run(file)
    assert (done.returncode, done.stderr) == (0, "")
    [summary] = done.stdout.splitlines()
    assert summary.endswith(" differences by choice, see spec/swagger-differences.yaml; 0 others")


def patch(document: Document) -> Document:
    """Return the update of a document."""
    found: Document = document["paths"]["/tms/v2/customers/{customerId}"]["patch"]
    return found


def buyer(document: Document) -> Document:
    """Return the fields of the buyer in the body of the update."""
    fields: Document = patch(document)["parameters"][-1]["schema"]["properties"]["buyerInformation"]["properties"]
    return fields


# What is changed in the document, and what is said of it.
CHANGES: dict[str, tuple[Callable[[Document], object], str]] = {
    "a new field": (
        lambda document: buyer(document).update(phone=TEXT),
        "PATCH request buyerInformation.phone: only in the Swagger document",
    ),
    "a field that is gone": (
        lambda document: buyer(document).pop("email"),
        "PATCH request buyerInformation.email: only in spec/customers.yaml",
    ),
    "another type": (
        lambda document: buyer(document)["email"].update(type="integer"),
        "PATCH request buyerInformation.email type: spec/customers.yaml has string, the Swagger document has integer",
    ),
    "another limit": (
        lambda document: buyer(document)["email"].update(maxLength=254),
        "PATCH request buyerInformation.email maxLength: spec/customers.yaml has 255, the Swagger document has 254",
    ),
    "a required field": (
        lambda document: patch(document)["parameters"][-1]["schema"].update(required=["buyerInformation"]),
        "PATCH request buyerInformation required: spec/customers.yaml has False, the Swagger document has True",
    ),
    "a new parameter": (
        lambda document: patch(document)["parameters"].append({"name": "v-c-date", "in": "header", **TEXT}),
        "PATCH parameter header v-c-date: only in the Swagger document",
    ),
    "a parameter that is required now": (
        lambda document: patch(document)["parameters"][1].update(required=True),
        "PATCH parameter header profile-id required: spec/customers.yaml has False, the Swagger document has True",
    ),
    "a new status": (
        lambda document: patch(document)["responses"].update(
            {"409": {"headers": HEADERS, "schema": group(errors=TEXT)}}
        ),
        "PATCH 409: only in the Swagger document",
    ),
    "a status that is gone": (
        lambda document: patch(document)["responses"].pop("412"),
        "PATCH 412: only in spec/customers.yaml",
    ),
    "a new header": (
        lambda document: patch(document)["responses"]["200"]["headers"].update({"Retry-After": TEXT}),
        "PATCH 200 header retry-after: only in the Swagger document",
    ),
    "an operation that is gone": (
        lambda document: document["paths"]["/tms/v2/customers/{customerId}"].pop("get"),
        "GET: only in spec/customers.yaml",
    ),
}


@pytest.mark.parametrize(("change", "said"), CHANGES.values(), ids=list(CHANGES))
def test_a_change_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: Callable[[Document], object], said: str
) -> None:
    """Another difference is named once, with its place, and the exit code is 1."""
    document = json.loads(json.dumps(swagger()))
    change(document)
    file = tmp_path / "swagger.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    assert compare_swagger.main(file) == 1
    first, _ = capsys.readouterr().out.splitlines()
    assert first == said


def test_the_exit_code(tmp_path: Path) -> None:
    """The script ends with that exit code."""
    document = swagger()
    buyer(document).pop("email")
    file = tmp_path / "swagger.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    done = run(file)
    assert (done.returncode, len(done.stdout.splitlines()), done.stderr) == (1, 2, "")


@pytest.mark.parametrize("text", ["", "[]", "{", "{}", '{"paths": []}'], ids=repr)
def test_another_file(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    """A file that is no Swagger document is refused in one sentence."""
    file = tmp_path / "swagger.json"
    file.write_text(text, encoding="utf-8")
    assert compare_swagger.main(file) == 1
    printed, complaint = capsys.readouterr()
    assert printed == ""
    assert complaint.startswith(f"{file} cannot be read as a Swagger document: ")


def test_no_file(tmp_path: Path) -> None:
    """A file that is not there is refused in the same way."""
    done = run(tmp_path / "none")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)


def test_each_choice_has_a_reason() -> None:
    """A difference by choice says why."""
    entries = yaml.safe_load(Path("spec/swagger-differences.yaml").read_text(encoding="utf-8"))
    assert entries
    assert all(set(entry) == {"difference", "reason"} for entry in entries)
