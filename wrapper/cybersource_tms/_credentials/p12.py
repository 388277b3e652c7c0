"""P12 files (PKCS #12, RFC 7292): their private keys and certificates.

`cryptography` returns only the first of several private keys, so the others are looked up here. And it returns nothing
if one of the certificates cannot be parsed, so they are read one by one then.
"""

import hashlib
import hmac
from contextlib import suppress
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import load_der_private_key, pkcs12

from cybersource_tms.errors import InvalidRequest

from .arguments import read_file
from .certificates import parse_certificates, without_warnings

P12 = tuple[list[RSAPrivateKey], list[x509.Certificate]]  # what is in it

_INSTEAD = {b"-----BEGIN": "; it is PEM", b"MII": "; it looks like base64 text of one: decode that first"}
_DATA = bytes.fromhex("2a864886f70d010701")
_KEY, _ENCRYPTED_KEY, _CERTIFICATE = (bytes.fromhex(f"2a864886f70d010c0a010{last}") for last in "123")
_UNREADABLE = (IndexError, RecursionError, TypeError, ValueError, UnsupportedAlgorithm, x509.InvalidVersion)
_CONSTRUCTED, _INDEFINITE, _END_OF_CONTENTS = 0x20, 0x80, b"\0\0"  # X.690 sections 8.1.2.5, 8.1.3.6 and 8.1.5


class _Value(NamedTuple):
    """An ASN.1 value in BER (X.690): all its bytes, its content if it is primitive, and otherwise its parts."""

    encoded: memoryview
    primitive: bytes
    parts: "tuple[_Value, ...]" = ()

    @property
    def content(self) -> bytes:
        """The content of a primitive value or of an octet string, which may be in pieces."""
        return b"".join(part.content for part in self.parts) or self.primitive


def read_p12(path: str | Path | bytes, password: object) -> P12:
    """Return the private RSA keys, at least one, and the certificates of a P12, or raise `InvalidRequest`."""
    content = path if isinstance(path, bytes) else read_file("path", path)
    file = _parse(content)
    if not isinstance(password, str | bytes | None):
        raise InvalidRequest("password: expected text, bytes or None")
    found: list[object] | None = None
    with suppress(*_UNREADABLE):  # and raise after it: an error about the password's characters holds the password
        secret = password.encode() if isinstance(password, str) else password or b""
        if b"\0" in secret:  # then `cryptography` panics, and prints the password
            raise ValueError
        found, certificates = _open(content, file, secret)
        if keys := [key for key in found if isinstance(key, RSAPrivateKey)]:
            return keys, certificates
    if found is not None:
        raise InvalidRequest("path: the P12 holds no private RSA key")
    problem = "it does not open the P12" if password else "the P12 has one, and none was given"
    hint = "; it starts or ends with a blank or a line break" if password and password != password.strip() else ""
    raise InvalidRequest(f"password: {problem}, or the file is damaged{hint}")


def _parse(content: bytes) -> _Value:
    if content[:1] != b"\x30" or b"\2\1\3" not in content[:12]:  # RFC 7292 section 4: a sequence that starts with 3
        instead = next((what for start, what in _INSTEAD.items() if content.lstrip().startswith(start)), "")
        raise InvalidRequest(f"path: the file is not a P12{instead}")
    try:
        return _read(content)
    except (IndexError, RecursionError):
        raise InvalidRequest("path: the P12 file is damaged or incomplete; copy it again") from None


def _read(data: bytes, first: int = 0) -> _Value:
    """Read the value that starts there: X.690 section 8.1."""
    size, start = data[first + 1], first + 2
    is_indefinite, digits = size == _INDEFINITE, max(0, size - _INDEFINITE)
    if digits:
        size, start = int.from_bytes(data[start : start + digits]), start + digits
    end = start + size
    if not data[first] & _CONSTRUCTED:
        return _Value(memoryview(data)[first:end], data[start:end])
    parts: list[_Value] = []
    while data[start : start + 2] != _END_OF_CONTENTS if is_indefinite else start != end:
        parts.append(_read(data, start))
        start += len(parts[-1].encoded)
    after = start + len(_END_OF_CONTENTS) * is_indefinite
    return _Value(memoryview(data)[first:after], b"", tuple(parts))


def _open(content: bytes, file: _Value, password: bytes) -> tuple[list[object], list[x509.Certificate]]:
    secrets = {_KEY: None, _ENCRYPTED_KEY: password}
    bags = [bag for safe in _contents(file.parts[1]) for bag in _contents(safe)]
    encoded = [(bag.parts[1].parts[0].encoded, secrets[_kind(bag)]) for bag in bags if _kind(bag) in secrets]
    keys: list[object] = []
    try:
        with without_warnings():  # about BER, which CyberSource writes, and about certificates that nobody needs
            store = pkcs12.load_pkcs12(content, password or None)
    except (ValueError, x509.InvalidVersion):
        _check_mac(file, password)  # so that it was not the password
        bags = [bag for safe in _contents(file.parts[1]) for bag in _contents(safe, password)]
        given = [bag.parts[1].parts[0].parts[1].parts[0].content for bag in bags if _kind(bag) == _CERTIFICATE]
        certificates = parse_certificates(given, x509.load_der_x509_certificate)
    else:
        keys.append(store.key)
        several = filter(None, (store.cert, *store.additional_certs))
        certificates = parse_certificates(several, attrgetter("certificate"))
    return [*keys, *(load_der_private_key(*each) for each in encoded[len(keys) :])], certificates


def _kind(bag: _Value) -> bytes:
    return bag.parts[0].content


def _contents(info: _Value, password: bytes | None = None) -> tuple[_Value, ...]:
    """Return what a ContentInfo holds (RFC 7292 section 4); nothing if it is encrypted and there is no password."""
    held = info.parts[1].parts[0]
    if _kind(info) == _DATA:
        return _read(held.content).parts
    return () if password is None else _read(_decrypt(held.parts[1], password)).parts


def _decrypt(info: _Value, password: bytes) -> bytes:
    """Decrypt as RFC 8018 section 6.2 says, with what today's tools use: PBKDF2 with SHA-256, and AES-256."""
    _, algorithm, encrypted = info.parts
    derivation, cipher = algorithm.parts[1].parts
    salt, rounds, *_ = derivation.parts[1].parts
    key = hashlib.pbkdf2_hmac("sha256", password, salt.content, int.from_bytes(rounds.content))
    decryptor = Cipher(algorithms.AES256(key), modes.CBC(cipher.parts[1].content)).decryptor()
    unpadder = PKCS7(128).unpadder()
    padded = decryptor.update(encrypted.content) + decryptor.finalize()
    return unpadder.update(padded) + unpadder.finalize()


def _check_mac(file: _Value, password: bytes) -> None:
    """Raise `ValueError` if the file was changed or has another password: RFC 7292 appendix B, with SHA-256."""
    digest, salt, *rounds = file.parts[2].parts
    text = (password.decode() + "\0").encode("utf-16-be")
    key = b"\3" * 64 + b"".join((each * 64)[: -(-len(each) // 64) * 64] for each in (salt.content, text))
    for _ in range(int.from_bytes(rounds[0].content) if rounds else 1):
        key = hashlib.sha256(key).digest()
    mac = hmac.digest(key, file.parts[1].parts[1].parts[0].content, "sha256")
    if not hmac.compare_digest(mac, digest.parts[1].content):
        raise ValueError
