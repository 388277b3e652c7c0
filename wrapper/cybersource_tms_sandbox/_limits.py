"""What the spec admits in a request, and where a request breaks it."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from itertools import groupby
from typing import Any, NamedTuple

from ._json import is_object
from ._spec import Schema, header_schemas, read_spec, resolve, update_schema

try:
    from jsonschema import Draft202012Validator, FormatChecker, ValidationError
except ModuleNotFoundError as error:  # pragma: no cover - tested in a process of its own
    raise ImportError('the sandbox needs more: pip install "cybersource-tms[sandbox]"') from error

NOTHING: Schema = {"not": {}}  # unlike false, it gives an error for each name, at its place
RULES = {"not": "no field that can be written"}  # what a rule is called, if not as in the schema
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE)
FORMATS = FormatChecker(["date", "uuid"])


class WrongField(NamedTuple):
    """A field that may not be sent so: where it is, such as `/a/0/b`, its bare name, and the rule that it breaks."""

    location: str
    name: str
    rule: str


@FORMATS.checks("date-time", raises=ValueError)
def is_date_time(value: object) -> bool:
    """Return whether text is a date and time of RFC 3339 section 5.6."""
    return not isinstance(value, str) or bool(RFC_3339.fullmatch(value) and datetime.fromisoformat(value.upper()))


def wrong_headers(method: str, headers: Mapping[str, str]) -> list[str]:
    """Return the names of the headers whose values the spec does not admit."""
    schemas = header_schemas(method).items()
    return [name for name, schema in schemas if name in headers and find_errors(schema, headers[name])]


def wrong_fields(patch: Schema) -> list[WrongField]:
    """Return what may not be sent so, each place once."""
    found = [each for error in find_errors(update_limits(), patch) for each in wrong_in(error)]
    return sorted({each.location: each for each in found}.values())


def find_errors(schema: Schema, value: Any) -> list[ValidationError]:
    """Return what a schema does not admit of a value."""
    validator: Any = Draft202012Validator(schema, format_checker=FORMATS)
    return list(validator.iter_errors(value))


def wrong_in(error: ValidationError) -> Iterator[WrongField]:
    """Yield the fields that an error is about: in a choice, those of the first branch that is of the value's type."""
    for _, branch in groupby(error.context or (), key=lambda each: each.relative_schema_path[0]):
        errors = list(branch)
        if not any(each.validator == "type" and not each.relative_path for each in errors):
            for each in errors:
                yield from wrong_in(each)
            return
    steps = list(error.absolute_path)
    location = "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)  # RFC 6901 section 3
    name = "".join([step for step in steps if isinstance(step, str)][-1:])
    yield WrongField(location, name, RULES.get(str(error.validator), str(error.validator)))


@cache
def update_limits() -> Schema:
    """Return what the body of an update must be: the spec's schema, with no other field at any depth."""
    schemas = {name: close(schema) for name, schema in read_spec()["components"]["schemas"].items()}
    return {**close(update_schema()), "components": {"schemas": schemas}}


def close(schema: Schema) -> Schema:
    """Return a schema that admits only the fields that it names, those of `allOf` included."""
    parts = list(parts_of(schema))
    closed = {**schema}
    if properties := {name: inner for part in parts for name, inner in part.get("properties", {}).items()}:
        merged = {"allOf", "unevaluatedProperties"}
        closed = {keyword: value for keyword, value in schema.items() if keyword not in merged}
        closed["properties"] = {name: inner for name, inner in properties.items() if not inner.get("readOnly")}
        closed["required"] = [name for part in parts for name in part.get("required", ())]
        closed = {"type": "object"} | closed | {"additionalProperties": schema.get("additionalProperties", NOTHING)}
    return {keyword: close_keyword(keyword, value) for keyword, value in closed.items()}


def close_keyword(keyword: str, value: Any) -> Any:
    """Close the schemas within one keyword of a schema."""
    if keyword == "properties":
        return {name: close(inner) for name, inner in value.items()}
    if keyword in ("items", "additionalProperties") and is_object(value):
        return close(value)
    if keyword in ("oneOf", "anyOf"):
        return [close(branch) for branch in value]
    if keyword == "pattern":  # Python's $ also matches before a line break at the end
        return re.sub(r"(?<!\\)\$$", r"\\Z", value)
    return value


def parts_of(schema: Schema) -> Iterator[Schema]:
    """Yield a schema and the parts of its `allOf`."""
    yield schema
    for part in schema.get("allOf", ()):
        yield from parts_of(resolve(part))
