"""Mistakes in the spec that the generator does not see are said in one sentence, with their place and what to write."""

from pathlib import Path

import pytest

from check_spec import mistakes
from read_spec import read

SPEC = """
openapi: 3.1.0
info: {title: Customers, version: "1"}
paths:
  /customers:
    patch:
      operationId: updateCustomer
      parameters:
        - {name: if-match, in: header, schema: {type: string}}
      requestBody:
        content:
          application/json:
            schema: {allOf: [{$ref: "#/components/schemas/CustomerUpdate"}], unevaluatedProperties: false}
            examples: {shown: {value: {email: a@x.example}}}
      responses:
        "200":
          description: The customer.
          content:
            application/json:
              schema: {$ref: "#/components/schemas/Customer"}
components:
  schemas:
    CustomerUpdate:
      type: object
      properties:
        email: {type: [string, "null"]}
        merchantCustomerID: {type: [string, "null"]}
    Customer:
      allOf:
        - $ref: "#/components/schemas/CustomerUpdate"
        - type: object
          required: [id]
          properties:
            id: {type: string, readOnly: true, x-required-because: It says whose record it is.}
            links: {type: [array, "null"], readOnly: true, items: {$ref: "#/components/schemas/Link"}}
    Link: {type: [object, "null"], properties: {href: {type: [string, "null"]}}}
"""
FIELD = 'email: {type: [string, "null"]}'
UPDATE = "components.schemas.CustomerUpdate"
CUSTOMER = "components.schemas.Customer.allOf[1]"
LINKS = f"{CUSTOMER}.properties.links"
EMAIL = f"{UPDATE}.properties.email"
PATCH = "paths./customers.patch"
SHOWN = f"{PATCH}.requestBody.content.application/json.examples.shown"


def said(text: str) -> list[str]:
    """Return what is said of a spec."""
    spec, unclear = read(text)
    return unclear or mistakes(spec)


@pytest.mark.parametrize("text", [SPEC, Path("spec/customers.yaml").read_text(encoding="utf-8")], ids=["test", "real"])
def test_a_right_spec(text: str) -> None:
    """There is nothing to say about it."""
    assert said(text) == []


# The schema of the field email, in YAML, and what is said of it after its place; "" for nothing.
SCHEMAS: dict[str, str] = {
    '{type: [string, "null"], enum: [a, b, null]}': "",
    '{oneOf: [{type: string, enum: [a, b]}, {type: "null"}]}': "",
    '{type: [object, "null"], additionalProperties: true}': "",
    '{type: [string, "null"], example: 1, title: A, deprecated: true, $comment: a, x-any: {default: 1}}': "",
    "{type: string, enum: [001, 002]}": ".enum[0]: 001 is not text in YAML: write it in quotes, or as JSON has it",
    "{type: string, enum: [yes, no]}": ".enum[0]: yes is not text in YAML: write it in quotes",
    "{type: string, enum: [008, 010]}": ".enum[0]: 008 is not text in YAML: write it in quotes",
    '{type: [integer, "null"], maximum: 1_000}': ".maximum: 1_000 is not text in YAML",
    '{type: [string, "null"], example: 2026-11-30}': ".example: 2026-11-30 is not text in YAML: write it in quotes",
    '{type: [string, "null"], description: ~}': ".description: ~ is not text in YAML",
    '{type: [string, "null"], enum: [a], enum: [b]}': ".enum: the name stands here twice",
    '{type: [string, "null"], x-not: {1: a}}': ".x-not.1: a name has to be text: write 1 in quotes",
    "{type: string, enum: [1, a]}": ".enum: 1 is not text, write it in quotes",
    "{type: string, enum: [true]}": ".enum: true is not text, write it in quotes",
    "{type: string, enum: [a, null]}": ".enum: null is not text",
    '{type: integer, enum: ["1"]}': '.enum: "1" is not a whole number',
    '{type: [string, "null"], enum: [a]}': ".enum: the type has null, so write null here too",
    '{type: [string, "null"], enum: [null]}': ".enum: it has no value",
    '{type: [number, "null"], enum: [1.5, null]}': ": enum is for text or a whole number: leave it out",
    "{description: A field.}": ': it has no type: write for instance type: [string, "null"]',
    "": ': it has no type: write for instance type: [string, "null"]',
    "{type: strnig}": ".type: strnig is not a type, did you mean string?",
    "{type: text}": ".type: text is not a type, known are string, integer, number, boolean, object, array, null",
    '{type: [string, "null"], format: datetime}': ".format: nothing would check datetime, did you mean date-time?",
    '{type: [string, "null"], format: email}': ".format: nothing would check email, known are date, date-time, uuid",
    '{type: [integer, "null"], format: date}': ": format is for text: leave it out",
    '{type: [integer, "null"], maxLength: 3}': ": maxLength is for text: leave it out",
    '{type: [string, "null"], maxLength: "3"}': ".maxLength: '3' is not of type 'integer'",
    '{type: [string, "null"], maxLenght: 3}': ": maxLenght is not a keyword of this document, did you mean maxLength?",
    '{type: [string, "null"], not: {type: string}}': ": not is not a keyword of this document: nothing would check it",
    "{type: string, nullable: true}": ': nullable has no meaning in OpenAPI 3.1: write type: [..., "null"]',
    '{type: [string, "null"], pattern: "("}': ".pattern: Python's re cannot read it: missing )",
    '{type: [string, "null"], default: a}': ": default would be sent with every update: describe it instead",
    "{const: a}": ": const would make the generated parser refuse a new value: write an enum with one value",
    '{type: [array, "null"]}': ": a list needs items",
    '{type: [object, "null"], unevaluatedProperties: false}': ": unevaluatedProperties belongs to the schema of",
    '{type: [object, "null"], additionalProperties: false}': ": additionalProperties: false would lose the fields",
    '{oneOf: [{type: string}, {type: integer}, {type: "null"}]}': '.oneOf: write one schema and {type: "null"}',
    "{anyOf: [{type: string}]}": '.anyOf: write one schema and {type: "null"}',
    '{oneOf: [{type: [string, "null"]}, {type: "null"}]}': ".oneOf: null fits both: take it out of the type",
    '{type: object, allOf: [{$ref: "#/components/schemas/Link"}]}': ": write only one of type and allOf",
    '{$ref: "#/components/schemas/Link", minLength: 1}': ": minLength is for text: leave it out",
    '{$ref: "#/components/schemas/Lnk"}': ": there is no #/components/schemas/Lnk",
    '{type: [string, "null"], readOnly: true}': ": a field that only the service writes belongs in Customer",
    "{type: string}": ': write type: [..., "null"], so that it can be removed, or say why not in x-not-null-because',
    "{type: string, x-not-null-because: It is always there.}": "",
    "{type: string, format: date}": ': it has to admit null, as in type: [..., "null"]: an unexpected value could not',
    '{type: [object, "null"], additionalProperties: {type: string}}': ".additionalProperties: write type: [..., ",
}  # fmt: skip


@pytest.mark.parametrize(("schema", "sentence"), SCHEMAS.items(), ids=list(SCHEMAS))
def test_a_field(schema: str, sentence: str) -> None:
    """A schema that the library cannot check as it stands is refused, with its place and what to write."""
    found = said(SPEC.replace(FIELD, f"email: {schema}"))
    assert found[0].startswith(f"{EMAIL}{sentence}") if sentence else not found


# The name of another field, and what is said of it; "" for nothing.
NAMES: dict[str, str] = {
    **dict.fromkeys(["class", "self", "_links", "type", "data1", "$kind"], ""),
    **dict.fromkeys(["toDict", "fromDict", "additional_properties", "d", "a.b"], ": a model cannot have this name"),
    "e_mail": "",
    "Email": f"{UPDATE}: email and Email are both email in Python: leave one of them out",
    "merchant_customer_id": f"{UPDATE}: merchant_customer_id and merchantCustomerID are both merchant_customer_id in",
}


@pytest.mark.parametrize(("name", "sentence"), NAMES.items(), ids=list(NAMES))
def test_a_name(name: str, sentence: str) -> None:
    """A name that a model cannot have, or has already, is refused; a keyword of Python is not."""
    found = said(SPEC.replace(FIELD, f'{FIELD}\n        {name}: {{type: [string, "null"]}}'))
    place = f"{UPDATE}.properties.{name}" if sentence.startswith(":") else ""
    assert found[0].startswith(place + sentence) if sentence else not found


# What is replaced in the spec by what, and what is said.
OTHERS: dict[str, tuple[str, str, str]] = {
    "no YAML": ("openapi: 3.1.0", "openapi: [", "while parsing a flow "),
    "no end": ("openapi: 3.1.0", "x: &a [*a]", "maximum recursion depth exceeded"),
    "no document": (SPEC, "", "the document is empty"),
    "no OpenAPI": ("openapi: 3.1.0", "swagger: '2.0'", "the document: "),
    "a misspelt part": ("operationId", "operationID", f"{PATCH}: Unevaluated properties are not allowed"),
    "no operation id": ("operationId", "x-id", f"{PATCH}: the operation has no operationId"),
    "a query parameter": ("in: header", "in: query", f"{PATCH}: if-match is in the query, which is not sent: leave it"),
    "a renamed field": ("email: {", "eMail: {", f"{SHOWN}.email: the example has a field that its schema"),
    "a part of itself": ('Update"\n        - type', '"\n        - type', "the document: a schema is a part of itself"),
    "a required field": ("[id]", "[id, links]", f"{LINKS}: without it no response could be read: say why in x-"),
    "an unknown required field": ("[id]", "[idd]", f"{CUSTOMER}.required: there is no field idd, did you mean id?"),
    "entries that cannot be read": ('Link: {type: [object, "null"]', "Link: {type: object", f"{LINKS}.items: it has"),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "sentence"), OTHERS.values(), ids=list(OTHERS))
def test_another_part(old: str, new: str, sentence: str) -> None:
    """So is a mistake in any other part of the spec."""
    assert old in SPEC
    assert said(SPEC.replace(old, new, 1))[0].startswith(sentence)
