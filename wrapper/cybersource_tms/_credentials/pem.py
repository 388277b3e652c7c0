"""Keys and certificates in PEM."""

import re
from contextlib import suppress
from typing import cast

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from cybersource_tms.errors import InvalidRequest

from .certificates import check_size, parse_certificates

_CERTIFICATE = re.compile(b"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def read_pem_key(name: str, pem: object, password: str | bytes | None = None) -> RSAPrivateKey:
    """Return a private RSA key, or raise `InvalidRequest`; `name` and `{name}_password` are the arguments."""
    encrypted = isinstance(pem, bytes) and b"ENCRYPTED" in pem
    if encrypted and password is None:
        raise InvalidRequest(f"{name}: the key has a password; give that too")
    key = None
    with suppress(TypeError, ValueError, UnsupportedAlgorithm):  # and raise after it: some of them hold the password
        secret = password.encode() if isinstance(password, str) else password
        key = load_pem_private_key(cast("bytes", pem), secret if encrypted else None)
    if key is None and encrypted:
        raise InvalidRequest(f"{name}_password: it does not open the key, or the key is damaged")
    if not isinstance(key, RSAPrivateKey):
        raise InvalidRequest(f"{name}: expected a private RSA key as PEM in bytes")
    return check_size(name, key)


def read_pem_certificates(name: str, pem: object) -> list[x509.Certificate]:
    """Return one or more certificates, or raise `InvalidRequest`; `name` is the argument."""
    given = _CERTIFICATE.findall(pem) if isinstance(pem, bytes) else ()
    if found := parse_certificates(given, x509.load_pem_x509_certificate):
        return found
    raise InvalidRequest(f"{name}: expected a certificate as PEM in bytes")


def key_pem(key: RSAPrivateKey) -> bytes:
    """Return a private key in PEM, without a password."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def certificate_pem(certificate: x509.Certificate) -> bytes:
    """Return a certificate in PEM."""
    return certificate.public_bytes(Encoding.PEM)
