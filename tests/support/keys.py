"""RSA keys, certificates and P12 files, with whatever a test wants wrong about them; each key is made once."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID

PASSWORD = "the-password-of-the-P12"
SERVICE = "CyberSource_SJC_US"
SERIAL = "1716240386523032000"  # the serialNumber in a subject; never a certificate's own serial
X509_TEXT = "20261122"
X509_SERIAL = int.from_bytes(X509_TEXT.encode())  # as CyberSource makes them
DAY = timedelta(days=1)

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@cache
def _rsa_key(owner: str, bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def rsa_key(owner: str = "merchant", bits: int = 2048) -> rsa.RSAPrivateKey:
    """Return the one key of somebody."""
    return _rsa_key(owner, bits)


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    """Return a key that is no RSA key."""
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: Key, encryption: KeySerializationEncryption | None = None) -> bytes:
    """Return a private key in PEM."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())


def public_pem(key: Key) -> bytes:
    """Return a key's public half in PEM."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def certificate(
    owner: str,
    key: Key | None = None,
    serial: str | None = SERIAL,
    *,
    starts: timedelta = -DAY,
    ends: timedelta = 365 * DAY,
    x509_serial: int = X509_SERIAL,
) -> x509.Certificate:
    """Return a self-signed certificate that is valid from one time to another, both counted from now."""
    attributes = {NameOID.COMMON_NAME: owner} | ({NameOID.SERIAL_NUMBER: serial} if serial else {})
    name = x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes.items()])
    key, now = key or rsa_key(), datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509_serial, now + starts, now + ends)
    return builder.sign(key, hashes.SHA256())


def pem(*certificates: x509.Certificate) -> bytes:
    """Return certificates in PEM, one after the other."""
    return b"".join(each.public_bytes(Encoding.PEM) for each in certificates)


def service_certificate(**options: Any) -> x509.Certificate:
    """Return a certificate with the name of the service's."""
    return certificate(SERVICE, rsa_key("service"), "service-key", **options)


def protection(password: str = PASSWORD) -> KeySerializationEncryption:
    """Return today's encryption of a P12, but with few rounds: the usual ones take a while."""
    builder = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(10).hmac_hash(hashes.SHA256())
    return builder.key_cert_algorithm(pkcs12.PBES.PBESv2SHA256AndAES256CBC).build(password.encode())


def p12(
    own: x509.Certificate | None,
    *others: x509.Certificate,
    key: Key | None = None,
    encryption: KeySerializationEncryption | None = None,
) -> bytes:
    """Return a P12 that has the merchant's key, its certificate and others."""
    return pkcs12.serialize_key_and_certificates(None, key or rsa_key(), own, others, encryption or protection())


def p12_without_key(certificates: Iterable[x509.Certificate]) -> bytes:
    """Return a P12 that has only certificates."""
    return pkcs12.serialize_key_and_certificates(None, None, None, [*certificates], protection())


def written(folder: Path, content: bytes, name: str = "store.p12") -> Path:
    """Write a file and return its path."""
    path = folder / name
    path.write_bytes(content)
    return path
