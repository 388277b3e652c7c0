"""RSA keys and certificates: PEM, which one to take, and whether it is good before anything is signed or encrypted."""

import re
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import NameOID

from cybersource_tms._tracebacks import warn
from cybersource_tms.errors import InvalidRequest

SERVICE = "CyberSource_SJC_US"  # the common name of the service's certificate, which each P12 of a merchant holds

_Key = TypeVar("_Key", RSAPrivateKey, RSAPublicKey)
_CERTIFICATE = re.compile(b"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_one_at_a_time = threading.Lock()  # `catch_warnings` changes the whole process
_SOON = timedelta(days=30)
_RENEW = "get a new P12 from the Business Center, which also holds the service's current certificate"
_LONGEST_NAME = 64  # characters
_MINIMUM_BITS = 2048  # RFC 7518 sections 3.3 and 4.3


@contextmanager
def without_warnings() -> Generator[None]:
    """Ignore warnings about what is read."""
    with _one_at_a_time, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def parse_certificates(given: Iterable[Any], load: Callable[[Any], x509.Certificate]) -> list[x509.Certificate]:
    """Return those of several certificates that can be parsed; nobody may need the others."""
    found: list[x509.Certificate] = []
    for each in given:
        with suppress(ValueError, x509.InvalidVersion), without_warnings():
            certificate = load(each)
            _ = certificate.subject  # which is parsed only now
            found.append(certificate)
    return found


def read_key(name: str, pem: object, password: str | bytes | None = None) -> RSAPrivateKey:
    """Return a private RSA key in PEM, or raise `InvalidRequest`; `name` and `{name}_password` are the arguments."""
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


def read_certificates(name: str, pem: object) -> list[x509.Certificate]:
    """Return one or more certificates in PEM, or raise `InvalidRequest`; `name` is the argument."""
    given = _CERTIFICATE.findall(pem) if isinstance(pem, bytes) else ()
    if found := parse_certificates(given, x509.load_pem_x509_certificate):
        return found
    raise InvalidRequest(f"{name}: expected a certificate as PEM in bytes")


def key_and_certificate(
    owner: str, keys: Sequence[RSAPrivateKey], certificates: Sequence[x509.Certificate]
) -> tuple[RSAPrivateKey, x509.Certificate]:
    """Return the owner's best certificate that belongs to one of the keys, with that key."""
    named = certificates_of("certificate", owner, certificates)
    pairs = [(key, each) for each in named for key in keys if public_key(each) == key.public_key()]
    if not pairs:
        rsa_key_of("certificate", named[0])
        which = "the private key does not belong" if len(keys) == 1 else "none of the private keys belongs"
        raise InvalidRequest(f"private_key: {which} to the certificate of {name_of(named[0])}")
    return pairs[0]


def response_key(
    keys: Sequence[RSAPrivateKey], certificates: Sequence[x509.Certificate], owner: str, key_id: str | None
) -> tuple[bytes, str]:
    """Return the response key in a P12, as PEM, and its id: the given one, or else its certificate's."""
    key = keys[0]  # the merchant may have made it, with any certificate or none
    try:
        key, certificate = key_and_certificate(owner, keys, certificates)
    except InvalidRequest:
        if key_id is None or len(keys) > 1:
            raise
    else:
        check_validity("certificate", certificate)
        key_id = key_id or key_id_of("certificate", certificate)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), key_id


def service_certificate(name: str, certificates: Sequence[x509.Certificate]) -> bytes:
    """Return the service's certificate, as PEM, or raise `InvalidRequest`."""
    return certificates_of(name, SERVICE, certificates)[0].public_bytes(Encoding.PEM)


def certificates_of(name: str, owner: str, certificates: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """Return the certificates with the owner's name in any case: valid ones first, and of those the last to expire."""
    wanted = owner.casefold()
    found = [each for each in certificates if wanted in map(str.casefold, _subject(each, NameOID.COMMON_NAME))]
    if not found:
        names = ", ".join(dict.fromkeys(map(name_of, certificates))) or "none"
        whose = SERVICE if owner == SERVICE else "the merchant or portfolio"  # whose id may be a secret by mistake
        raise InvalidRequest(f"{name}: no certificate has the common name of {whose}; those that are there: {names}")
    last_first = sorted(found, key=lambda each: each.not_valid_after_utc, reverse=True)
    now = datetime.fromtimestamp(time.time(), UTC)
    return sorted(last_first, key=lambda each: not each.not_valid_before_utc <= now <= each.not_valid_after_utc)


def identify(name: str, certificate: x509.Certificate) -> tuple[RSAPublicKey, str]:
    """Return the key of a certificate that is good to use, and its id, or raise `InvalidRequest`."""
    check_validity(name, certificate, warns=True)
    return rsa_key_of(name, certificate), key_id_of(name, certificate)


def check_validity(name: str, certificate: x509.Certificate, *, warns: bool = False) -> None:
    """Raise `InvalidRequest` if a certificate is not valid now, or warn if it expires within 30 days."""
    starts, ends, owner = certificate.not_valid_before_utc, certificate.not_valid_after_utc, name_of(certificate)
    if (now := datetime.fromtimestamp(time.time(), UTC)) < starts:
        raise InvalidRequest(f"{name}: the certificate of {owner} is not valid before {starts:%Y-%m-%d}")
    if now > ends:
        raise InvalidRequest(f"{name}: the certificate of {owner} expired on {ends:%Y-%m-%d}; {_RENEW}")
    if warns and now > ends - _SOON:
        warn(f"the certificate of {owner} expires on {ends:%Y-%m-%d}; {_RENEW}", UserWarning)


def key_id_of(name: str, certificate: x509.Certificate) -> str:
    """Return the key's id at the service: the subject's serialNumber, or the ASCII text in the X.509 serial number."""
    if found := _subject(certificate, NameOID.SERIAL_NUMBER):
        return found[0]
    with without_warnings():
        serial = max(certificate.serial_number, 0)
    digits = serial.to_bytes((serial.bit_length() + 7) // 8)
    if digits.isdigit():
        return digits.decode()
    raise InvalidRequest(
        f"{name}: the certificate names no key id: its subject has no serialNumber, and its own serial number is not "
        "the ASCII text of one; get the file from the Business Center"
    )


def rsa_key_of(name: str, certificate: x509.Certificate) -> RSAPublicKey:
    """Return a certificate's public RSA key, or raise `InvalidRequest`."""
    key = public_key(certificate)
    if not isinstance(key, RSAPublicKey):
        raise InvalidRequest(f"{name}: the certificate's key is not an RSA key")
    return check_size(name, key)


def check_size(name: str, key: _Key) -> _Key:
    """Return an RSA key that is long enough, or raise `InvalidRequest`."""
    if key.key_size < _MINIMUM_BITS:
        raise InvalidRequest(f"{name}: the RSA key is shorter than {_MINIMUM_BITS} bits (RFC 7518 section 3.3)")
    return key


def name_of(certificate: x509.Certificate) -> str:
    """Return whose certificate it is, in short printable ASCII."""
    return re.sub("[^ -~]", "?", ", ".join(_subject(certificate, NameOID.COMMON_NAME))[:_LONGEST_NAME])


def public_key(certificate: x509.Certificate) -> object:
    """Return a certificate's public key, or None if it cannot be read."""
    try:
        return certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None


def _subject(certificate: x509.Certificate, attribute: x509.ObjectIdentifier) -> list[str]:
    return [str(each.value) for each in certificate.subject.get_attributes_for_oid(attribute)]
