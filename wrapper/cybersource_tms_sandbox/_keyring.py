"""The keys that the service trusts to sign with."""

import base64
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.oid import NameOID

from ._jose import require_rsa
from ._keys import MERCHANT_ID, SIGNING, key_pair


@dataclass(frozen=True)
class TrustedKey:
    """A shared secret or a certificate's key, whose it is, and the merchants that it signs for."""

    owner: str
    key: bytes | RSAPublicKey
    merchants: tuple[str, ...]


class Keyring:
    """The trusted keys by their ids."""

    def __init__(self) -> None:
        self._keys: dict[str, TrustedKey] = {}

    def find(self, key_id: object) -> TrustedKey | None:
        """Return a trusted key. That of the ready-made P12 is made now, if nobody has asked for it before."""
        if key_id == SIGNING and SIGNING not in self._keys:
            self.trust_certificate(MERCHANT_ID, key_pair(SIGNING).pem, ())
        return self._keys.get(key_id) if isinstance(key_id, str) else None

    def trust_secret(self, owner: str, key_id: str, secret: str, merchants: Iterable[str]) -> None:
        """Trust a shared secret, in base64."""
        key = base64.b64decode(secret, validate=True)
        self._keys[key_id] = TrustedKey(owner, key, tuple(merchants) or (owner,))

    def trust_certificate(self, owner: str, pem: bytes, merchants: Iterable[str]) -> None:
        """Trust a certificate in PEM. Its CN is compared with the owner in any case, as in CyberSource's SDKs."""
        certificate = x509.load_pem_x509_certificate(pem)
        key, name = require_rsa(certificate.public_key()), subject(certificate, NameOID.COMMON_NAME)
        if name is None or name.casefold() != owner.casefold():
            raise ValueError(f"the certificate is for {name}, not for {owner}")
        self._keys[certificate_key_id(certificate)] = TrustedKey(owner, key, tuple(merchants) or (owner,))


def certificate_key_id(certificate: x509.Certificate) -> str:
    """Return the id of a certificate's key: the serialNumber in its subject (OID 2.5.4.5).

    Where there is none, it is the ASCII text that the bytes of the X.509 serial number are.
    """
    if key_id := subject(certificate, NameOID.SERIAL_NUMBER):
        return key_id
    number = certificate.serial_number
    digits = number.to_bytes((number.bit_length() + 7) // 8)
    if not digits.isdigit():
        raise ValueError("the certificate has no serialNumber in its subject")
    return digits.decode()


def subject(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> str | None:
    """Return an attribute of the certificate's subject."""
    attributes = certificate.subject.get_attributes_for_oid(oid)
    return str(attributes[0].value) if attributes else None
