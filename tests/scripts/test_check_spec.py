"""Mistakes in the spec that the generator does not see are said in one sentence, with their place."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from check_spec import errors, warnings

SPEC = Path("spec/customers.yaml").read_text(encoding="utf-8")
EMAIL = "components.schemas.BuyerInformation.properties.email"
PATCH = "paths./tms/v2/customers/{customerTokenId}.patch"
LIMIT = "maxLength: 255"
TEXT = f'type: [string, "null"]\n          {LIMIT}'
GROUP = "type: object\n      description: Who"


def changed(old: str, new: str) -> Any:
    """Return the spec with some text, which must be there, replaced."""
    assert old in SPEC
    return yaml.safe_load(SPEC.replace(old, new, 1))


def test_the_spec_is_right() -> None:
    """There is nothing to say about the spec as it is, with its reasons."""
    spec = yaml.safe_load(SPEC)
    assert errors(spec) == warnings(spec) == []


# What is replaced in the spec by what, and what is said.
WRONG: dict[str, tuple[str, str, str]] = {
    "no OpenAPI": ("openapi: 3.1.0", "swagger: '2.0'", "the document: "),
    "a misspelt part": (
        "summary: Update",
        "sumary: Update",
        f"{PATCH}: Unevaluated properties are not allowed ('sumary'",
    ),
    "no operation id": (
        "operationId: updateCustomer",
        "deprecated: false",
        f"{PATCH}: the operation has no operationId",
    ),
    "a reference to nothing": (
        '/schemas/Link"',
        '/schemas/Lnk"',
        "components.schemas.CustomerLinks.properties.self.oneOf.0: there is no #/components/schemas/Lnk",
    ),
    "an unknown type": (TEXT, "type: text", f"{EMAIL}.type: 'text' is not valid"),
    "a default": (LIMIT, "default: a@example.com", f"{EMAIL}: default would be sent with every update"),
    "a constant": (LIMIT, "const: a@example.com", f"{EMAIL}: const would make the generated parser refuse"),
    "read only": (LIMIT, "readOnly: true", f"{EMAIL}: a field that only the service writes belongs in Customer"),
    "closed": (
        GROUP,
        "additionalProperties: false\n      description: Who",
        "components.schemas.BuyerInformation: additionalProperties: false would lose the fields that the service adds",
    ),
}


@pytest.mark.parametrize(("old", "new", "said"), WRONG.values(), ids=list(WRONG))
def test_an_error_is_named(old: str, new: str, said: str) -> None:
    """What would make the generated code wrong is an error."""
    [sentence, *_] = errors(changed(old, new))
    assert sentence.startswith(said)


DOUBTFUL: dict[str, tuple[str, str, str]] = {
    "nullable": (LIMIT, "nullable: true", f"{EMAIL}: nullable has no meaning in OpenAPI 3.1"),
    "a misspelt keyword": (LIMIT, "maxLenght: 255", f"{EMAIL}: maxLenght is not a keyword, did you mean maxLength?"),
    "a field without null": (
        TEXT,
        "type: string",
        f"{EMAIL}: without null it cannot be removed: if so, say why in x-not",
    ),
    "an enum without null": (
        TEXT,
        'type: [string, "null"]\n          enum: [a, b]',
        f"{EMAIL}: without null it cannot be removed",
    ),
    "a date without null": (
        TEXT,
        "type: string\n          format: date",
        f"{EMAIL}: it has to admit null: an unexpected value could otherwise not be read",
    ),
    "a map whose entries cannot be removed": (
        TEXT,
        'oneOf: [{type: object, additionalProperties: {type: string}}, {type: "null"}]',
        f"{EMAIL}.oneOf[0].additionalProperties: without null it cannot be removed",
    ),
    "a required field": (
        GROUP,
        "required: [email]\n      description: Who",
        f"{EMAIL}: without it no response could be read: say why in x-required-because",
    ),
    "a list that only the service writes": (
        '- $ref: "#/components/schemas/CustomerMetadata"',
        '- {type: array, items: {$ref: "#/components/schemas/CustomerMetadata"}}',
        "components.schemas.Customer.allOf[1].properties.metadata.oneOf[0].items: it has to admit null",
    ),
}


@pytest.mark.parametrize(("old", "new", "said"), DOUBTFUL.values(), ids=list(DOUBTFUL))
def test_a_warning_is_named(old: str, new: str, said: str) -> None:
    """What can be generated, and is a mistake or needs a reason, is a warning."""
    spec = changed(old, new)
    assert errors(spec) == []
    [sentence] = warnings(spec)
    assert sentence.startswith(said)
