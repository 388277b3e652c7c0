"""Signs with a key that never leaves its device: an HSM over PKCS #11, or the key service of a cloud.

The device stands behind an interface of your own, `Device`, so that tests can put a key in memory in its place. With
PKCS #11, the mechanism for RS256 is CKM_SHA256_RSA_PKCS; the key services of clouds call it RSASSA_PKCS1_V1_5_SHA_256.
"""

from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from cybersource_tms import CertificateAuth


class Device(Protocol):
    """What holds the key. `sign` may raise what it likes: a call raises it as it is, and sends nothing."""

    def sign(self, content: bytes) -> bytes:
        """Return the RS256 signature of some bytes."""
        ...


class KeyInMemory:
    """A device for tests."""

    def __init__(self, pem: bytes) -> None:
        key = load_pem_private_key(pem, None)
        if not isinstance(key, RSAPrivateKey):
            raise TypeError("an RSA key is needed")
        self._key = key

    def sign(self, content: bytes) -> bytes:
        """Sign with the key."""
        return self._key.sign(content, PKCS1v15(), SHA256())


def make_auth(device: Device, certificate: Path, merchant_id: str) -> CertificateAuth:
    """Return credentials for a client. Only the certificate is a file, and it is no secret.

    A signature takes a round trip to the device for each attempt. Each one is verified with the certificate, so that a
    wrong key is told here, and not by a 401 of the service.
    """
    return CertificateAuth(
        sign=device.sign, certificate=certificate.read_bytes(), merchant_id=merchant_id, algorithm="RS256"
    )
