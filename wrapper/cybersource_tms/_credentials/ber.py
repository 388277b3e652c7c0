"""ASN.1 values in BER (X.690), as far as P12 files have them."""

from typing import NamedTuple

_CONSTRUCTED = 0x20
_OCTET_STRING = 0x04
_INDEFINITE = 0x80  # section 8.1.3.6; more than that is the long form of a length
_END_OF_CONTENTS = b"\0\0"


class Value(NamedTuple):
    """A value: its parts if it is constructed, the content of an octet string or a primitive value, and all bytes."""

    content: bytes
    parts: "tuple[Value, ...]"
    encoded: memoryview


def read_value(data: bytes) -> Value:
    """Read the value that `data` starts with."""
    return _read(data, 0)[0]


def _read(data: bytes, first: int) -> tuple[Value, int]:
    """Read the value that starts there (section 8.1), and return where it ends, too."""
    start, end = _bounds(data, first + 1)
    if not data[first] & _CONSTRUCTED and end is not None:
        return Value(data[start:end], (), memoryview(data)[first:end]), end
    parts: list[Value] = []
    while start != end and (end is not None or data[start : start + 2] != _END_OF_CONTENTS):
        part, start = _read(data, start)
        parts.append(part)
    after = start + len(_END_OF_CONTENTS) if end is None else end
    in_pieces = bool(parts) and parts[0].encoded[0] == _OCTET_STRING
    content = b"".join(part.content for part in parts) if in_pieces else b""
    return Value(content, tuple(parts), memoryview(data)[first:after]), after


def _bounds(data: bytes, start: int) -> tuple[int, int | None]:
    """Read the length that stands there, and return where the content starts and ends; None: where its parts end."""
    size, start = data[start], start + 1
    if size == _INDEFINITE:
        return start, None
    if size > _INDEFINITE:
        digits = size - _INDEFINITE
        size, start = int.from_bytes(data[start : start + digits]), start + digits
    if start + size > len(data):
        raise IndexError(size)
    return start, start + size
