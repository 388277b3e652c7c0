"""JSON as it goes over the wire."""

import json
from typing import Any, TypeGuard


def parse_json(raw: bytes) -> Any:
    """Return the JSON in UTF-8 bytes. Whatever is wrong is a ValueError.

    Refused, too: NaN and infinite numbers, half a surrogate pair (RFC 8259 section 8.2), and too many levels.
    """
    try:
        value = json.loads(raw.decode(), parse_constant=int)  # int refuses NaN and Infinity
        dump_json(value)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    return value


def dump_json(value: object, *, sort_keys: bool = False) -> bytes:
    """Return a value as JSON in UTF-8."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=sort_keys).encode()


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Return whether parsed JSON is an object."""
    return isinstance(value, dict)
