"""P12 files (PKCS #12, RFC 7292): their private keys and certificates.

CyberSource's own files are not quite DER. `cryptography` warns about that and may refuse it one day, so it is given the
same file as DER. It returns only the first of several private keys, so the others are looked up here.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key, pkcs12

from cybersource_tms.errors import InvalidRequest

from .arguments import read_file

P12 = tuple[list[RSAPrivateKey], list[x509.Certificate]]  # what is in it

_CONSTRUCTED = 0x20
_OCTET_STRING = 0x04
_INDEFINITE = 0x80  # X.690 section 8.1.3.6; more than that is the long form of a length
_END_OF_CONTENTS = b"\0\0"


class _Value(NamedTuple):
    """An ASN.1 value: its parts if it is constructed, its content if not."""

    tag: int
    content: bytes = b""
    parts: "tuple[_Value, ...]" = ()


_ONE = _Value(0x02, b"\1")
_DATA = _Value(0x06, bytes.fromhex("2a864886f70d010701"))
_ENCRYPTED_KEY = _Value(0x06, bytes.fromhex("2a864886f70d010c0a0102"))


def read_p12(path: str | Path | bytes, password: object) -> P12:
    """Return the private RSA keys, at least one, and the certificates of a P12, or raise `InvalidRequest`."""
    file = _parse(path if isinstance(path, bytes) else read_file("path", path))
    if not isinstance(password, str | bytes):
        raise InvalidRequest("password: expected text or bytes")
    try:
        secret = password.encode() if isinstance(password, str) else password
        store = pkcs12.load_pkcs12(_der(file), secret)
        certificates = [each.certificate for each in (store.cert, *store.additional_certs) if each]
        _ = [each.subject for each in certificates]  # older versions of cryptography parse it only now
        further = [load_der_private_key(_der(key), secret) for key in [*_encrypted_keys(file)][1:]]
    except (TypeError, ValueError, UnsupportedAlgorithm):
        hint = "; it starts or ends with a blank or a line break" if password != password.strip() else ""
        raise InvalidRequest(f"password: it does not open the P12, or the file is damaged{hint}") from None
    keys = [key for key in (store.key, *further) if isinstance(key, RSAPrivateKey)]
    if not keys:
        raise InvalidRequest("path: the P12 holds no private RSA key")
    return keys, certificates


def _parse(content: bytes) -> _Value:
    if content[:1] != b"\x30" or b"\2\1\3" not in content[:12]:  # RFC 7292 section 4: a sequence that starts with 3
        raise InvalidRequest("path: the file is not a P12")
    try:
        *parts, mac = _value(content, 0)[0].parts
    except (IndexError, RecursionError):
        raise InvalidRequest("path: the P12 file is damaged or incomplete; copy it again") from None
    if mac.parts[2:] == (_ONE,):  # the default number of iterations, which DER leaves out (X.690 section 11.5)
        mac = mac._replace(parts=mac.parts[:2])
    return _Value(0x30, parts=(*parts, mac))


def _value(data: bytes, start: int) -> tuple[_Value, int]:
    """Read the value that starts there, in BER (X.690 section 8.1), and return where it ends, too."""
    tag = data[start]
    start, end = _bounds(data, start + 1)
    if not tag & _CONSTRUCTED and end is not None:
        return _Value(tag, data[start:end]), end
    parts: list[_Value] = []
    while start != end and (end is not None or data[start : start + 2] != _END_OF_CONTENTS):
        part, start = _value(data, start)
        parts.append(part)
    after = start + len(_END_OF_CONTENTS) if end is None else end
    if tag == _OCTET_STRING | _CONSTRUCTED:
        return _Value(_OCTET_STRING, b"".join(part.content for part in parts)), after
    return _Value(tag, parts=tuple(parts)), after


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


def _der(value: _Value) -> bytes:
    content = b"".join(map(_der, value.parts)) if value.tag & _CONSTRUCTED else value.content
    size = len(content)
    digits = size.to_bytes((size.bit_length() + 7) // 8)
    length = bytes([size]) if size < _INDEFINITE else bytes([_INDEFINITE + len(digits)]) + digits
    return bytes([value.tag]) + length + content


def _encrypted_keys(file: _Value) -> Iterator[_Value]:
    for safe in _contents(file.parts[1]):
        for bag in _contents(safe):
            if bag.parts[0] == _ENCRYPTED_KEY:
                yield bag.parts[1].parts[0]


def _contents(info: _Value) -> tuple[_Value, ...]:
    """Return what a ContentInfo holds (RFC 7292 section 4); nothing if that is encrypted as a whole."""
    return _value(info.parts[1].parts[0].content, 0)[0].parts if info.parts[0] == _DATA else ()
