"""P12 files (PKCS #12, RFC 7292): their private keys and certificates.

`cryptography` returns only the first of several private keys, so the others are looked up here. And it returns nothing
if one of the certificates cannot be parsed, so they are read one by one then.
"""

import hashlib
import hmac
from collections.abc import Iterable, Iterator
from contextlib import suppress
from operator import attrgetter
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import load_der_private_key, pkcs12

from cybersource_tms.errors import InvalidRequest

from .arguments import read_file
from .ber import Value, read_value
from .certificates import parse_certificates, without_warnings

P12 = tuple[list[RSAPrivateKey], list[x509.Certificate]]  # what is in it

_INSTEAD = {b"-----BEGIN": "; it is PEM", b"MII": "; it looks like base64 text of one: decode that first"}
_DATA = bytes.fromhex("2a864886f70d010701")
_KEY, _ENCRYPTED_KEY, _CERTIFICATE = (bytes.fromhex(f"2a864886f70d010c0a010{last}") for last in "123")
_MAC_HASHES = {"2b0e03021a": "sha1", "608648016503040201": "sha256", "608648016503040203": "sha512"}
_PBKDF2_HASHES = {"2a864886f70d0209": "sha256", "2a864886f70d020b": "sha512"}
_AES_KEYS = {"60864801650304012a": 32, "608648016503040116": 24, "608648016503040102": 16}  # sizes in bytes
_AES_BLOCK = 128  # bits
_UNREADABLE = (KeyError, IndexError, TypeError, ValueError, UnsupportedAlgorithm, x509.InvalidVersion)


def read_p12(path: str | Path | bytes, password: object) -> P12:
    """Return the private RSA keys, at least one, and the certificates of a P12, or raise `InvalidRequest`."""
    content = path if isinstance(path, bytes) else read_file("path", path)
    file = _parse(content)
    if not isinstance(password, str | bytes | None):
        raise InvalidRequest("password: expected text, bytes or None")
    found: Iterable[object] | None = None
    with suppress(*_UNREADABLE):  # and raise after it: an error about the password's characters holds the password
        secret = password.encode() if isinstance(password, str) else password or b""
        found, certificates = _open(content, file, secret)
        keys = [key for key in found if isinstance(key, RSAPrivateKey)]
        if keys:
            return keys, certificates
    if found:
        raise InvalidRequest("path: the P12 holds no private RSA key")
    problem = "it does not open the P12" if password else "the P12 has one, and none was given"
    hint = "; it starts or ends with a blank or a line break" if password and password != password.strip() else ""
    raise InvalidRequest(f"password: {problem}, or the file is damaged{hint}")


def _parse(content: bytes) -> Value:
    if content[:1] != b"\x30" or b"\2\1\3" not in content[:12]:  # RFC 7292 section 4: a sequence that starts with 3
        instead = next((what for start, what in _INSTEAD.items() if content.lstrip().startswith(start)), "")
        raise InvalidRequest(f"path: the file is not a P12{instead}")
    try:
        return read_value(content)
    except (IndexError, RecursionError):
        raise InvalidRequest("path: the P12 file is damaged or incomplete; copy it again") from None


def _open(content: bytes, file: Value, password: bytes) -> tuple[Iterable[object], list[x509.Certificate]]:
    encoded = [*_keys(file, password)]
    try:
        with without_warnings():  # about BER, which CyberSource writes, and about certificates that nobody needs
            store = pkcs12.load_pkcs12(content, password or None)
    except (ValueError, x509.InvalidVersion):
        _check_mac(file, password)  # so that it was not the password
        bags = [bag for safe in _contents(file.parts[1]) for bag in _contents(safe, password)]
        certificates = [bag.parts[1].parts[0].parts[1].parts[0].content for bag in bags if _kind(bag) == _CERTIFICATE]
        keys = [load_der_private_key(*key) for key in encoded]
        return keys, parse_certificates(certificates, x509.load_der_x509_certificate)
    others = [load_der_private_key(*key) for key in encoded[1:]]
    return (store.key, *others), parse_certificates(
        filter(None, [store.cert, *store.additional_certs]), attrgetter("certificate")
    )


def _keys(file: Value, password: bytes) -> Iterator[tuple[memoryview, bytes | None]]:
    """Yield each private key, and the password that it is encrypted with, if it is."""
    for safe in _contents(file.parts[1]):
        for bag in _contents(safe):
            if _kind(bag) in {_KEY, _ENCRYPTED_KEY}:
                yield bag.parts[1].parts[0].encoded, password if _kind(bag) == _ENCRYPTED_KEY else None


def _kind(bag: Value) -> bytes:
    return bag.parts[0].content


def _contents(info: Value, password: bytes | None = None) -> tuple[Value, ...]:
    """Return what a ContentInfo holds (RFC 7292 section 4); nothing if it is encrypted and there is no password."""
    held = info.parts[1].parts[0]
    if _kind(info) == _DATA:
        return read_value(held.content).parts
    return () if password is None else read_value(_decrypt(held.parts[1], password)).parts


def _decrypt(info: Value, password: bytes) -> bytes:
    """Decrypt what is encrypted as today's files are, with PBKDF2 and AES: RFC 8018 section 6.2."""
    _, algorithm, encrypted = info.parts
    derivation, cipher = algorithm.parts[1].parts
    salt, rounds, *_, prf = derivation.parts[1].parts
    name, size = _PBKDF2_HASHES[_kind(prf).hex()], _AES_KEYS[_kind(cipher).hex()]
    key = hashlib.pbkdf2_hmac(name, password, salt.content, int.from_bytes(rounds.content), size)
    decryptor = Cipher(algorithms.AES(key), modes.CBC(cipher.parts[1].content)).decryptor()
    unpadder = PKCS7(_AES_BLOCK).unpadder()
    padded = decryptor.update(encrypted.content) + decryptor.finalize()
    return unpadder.update(padded) + unpadder.finalize()


def _check_mac(file: Value, password: bytes) -> None:
    """Raise `ValueError` if the file was changed or has another password: RFC 7292 section 5.1 and appendix B."""
    digest, salt, *rounds = file.parts[2].parts
    name = _MAC_HASHES[_kind(digest.parts[0]).hex()]
    size = hashlib.new(name).block_size
    text = (password.decode() + "\0").encode("utf-16-be")
    key = b"\3" * size + b"".join((each * size)[: -(-len(each) // size) * size] for each in (salt.content, text))
    for _ in range(int.from_bytes(rounds[0].content) if rounds else 1):
        key = hashlib.new(name, key).digest()
    mac = hmac.digest(key, file.parts[1].parts[1].parts[0].content, name)
    if not hmac.compare_digest(mac, digest.parts[1].content):
        raise ValueError(name)
