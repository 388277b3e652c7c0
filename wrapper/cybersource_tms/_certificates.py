"""Certificates and RSA keys, from a P12 file or as PEM: read once, and checked before anything is signed with them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)
from cryptography.x509.oid import NameOID

from ._tracebacks import warn
from .errors import InvalidRequest

_Key = TypeVar("_Key", RSAPrivateKey, RSAPublicKey)
_SOON = timedelta(days=30)
_MINIMUM_BITS = 2048  # RFC 7518 sections 3.3 and 4.3


def read_p12(path: str | Path, password: str | bytes) -> tuple[bytes, bytes]:
    """Return the private key and all the certificates of a P12 file, as PEM.

    Raises:
        InvalidRequest: It cannot be read, is no P12, is for another password, or lacks an RSA key.
    """
    try:
        data = Path(path).read_bytes()
    except (OSError, TypeError, ValueError) as error:
        raise InvalidRequest(f"path: the P12 file cannot be read ({type(error).__name__})") from error
    if data[:1] != b"\x30" or b"\x02\x01\x03" not in data[:12]:  # RFC 7292 section 4: a sequence that starts with 3
        raise InvalidRequest("path: the file is not a P12")
    try:
        store = pkcs12.load_pkcs12(data, password.encode() if isinstance(password, str) else password)
    except (TypeError, ValueError, UnsupportedAlgorithm):
        raise InvalidRequest("password: it is not the one of the P12, or the file is damaged") from None
    if not isinstance(store.key, RSAPrivateKey):
        raise InvalidRequest("path: there is no RSA key in the P12")
    key = store.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    found = [store.cert, *store.additional_certs]
    return key, b"".join(each.certificate.public_bytes(Encoding.PEM) for each in found if each)


def read_pem_key(name: str, pem: bytes) -> RSAPrivateKey:
    """Read a private key, in PEM and without a password; `name` is the argument that it came in.

    Raises:
        InvalidRequest: It is no such key.
    """
    try:
        key = load_pem_private_key(pem, None)
    except (TypeError, ValueError, UnsupportedAlgorithm):
        raise InvalidRequest(f"{name}: expected a private RSA key as PEM bytes, without a password") from None
    if not isinstance(key, RSAPrivateKey):
        raise InvalidRequest(f"{name}: expected an RSA key")
    return _long_enough(name, key)


def read_pem_certificates(name: str, pem: bytes) -> tuple[x509.Certificate, ...]:
    """Read one or more certificates in PEM; `name` is the argument that they came in.

    Raises:
        InvalidRequest: They are no certificates.
    """
    try:
        found = tuple(x509.load_pem_x509_certificates(pem))
        for certificate in found:
            key_id_of(certificate)  # a subject is not parsed before it is asked for
    except (TypeError, ValueError) as error:
        raise InvalidRequest(f"{name}: expected a certificate as PEM bytes") from error
    return found


def certificate_of(name: str, owner: str, certificates: tuple[x509.Certificate, ...]) -> x509.Certificate:
    """Return the certificate whose subject's common name is `owner`, without case; of several, the last to end.

    Raises:
        InvalidRequest: There is none.
    """
    found = [
        certificate
        for certificate in certificates
        if owner.casefold() in {each.casefold() for each in _subject(certificate, NameOID.COMMON_NAME)}
    ]
    if not found:
        raise InvalidRequest(f"{name}: there is no certificate for {owner} in it")
    return max(found, key=lambda certificate: certificate.not_valid_after_utc)


def refuse_others_key(name: str, key: RSAPrivateKey, certificate_name: str, certificate: x509.Certificate) -> None:
    """Raise `InvalidRequest` unless the key is the one that the certificate is for."""
    if public_key_of(certificate_name, certificate) != key.public_key():
        raise InvalidRequest(f"{name}: the private key does not belong to the certificate")


def good_now(name: str, certificate: x509.Certificate) -> x509.Certificate:
    """Return a certificate, after a warning if it ends within 30 days.

    Raises:
        InvalidRequest: It is not valid now.
    """
    now = datetime.now(UTC)
    ends = certificate.not_valid_after_utc
    if now < certificate.not_valid_before_utc:
        raise InvalidRequest(f"{name}: the certificate is not valid before {certificate.not_valid_before_utc:%Y-%m-%d}")
    if now > ends:
        raise InvalidRequest(f"{name}: the certificate has expired on {ends:%Y-%m-%d}; get a new one")
    if now > ends - _SOON:
        warn(f"{name}: the certificate expires on {ends:%Y-%m-%d}; get a new one", UserWarning)
    return certificate


def key_id_of(certificate: x509.Certificate) -> str:
    """Return the key id that the service goes by: the subject's serialNumber, or else the certificate's serial."""
    return next(iter(_subject(certificate, NameOID.SERIAL_NUMBER)), str(certificate.serial_number))


def public_key_of(name: str, certificate: x509.Certificate) -> RSAPublicKey:
    """Return a certificate's public key, which has to be an RSA key.

    Raises:
        InvalidRequest: It is no RSA key, or too short.
    """
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPublicKey):
        raise InvalidRequest(f"{name}: the certificate's key is no RSA key")
    return _long_enough(name, key)


def _long_enough(name: str, key: _Key) -> _Key:
    if key.key_size < _MINIMUM_BITS:
        raise InvalidRequest(f"{name}: the RSA key is shorter than {_MINIMUM_BITS} bits (RFC 7518 section 3.3)")
    return key


def _subject(certificate: x509.Certificate, attribute: x509.ObjectIdentifier) -> list[str]:
    return [str(each.value) for each in certificate.subject.get_attributes_for_oid(attribute)]
