"""The merchant's credentials, and the service's own key.

RSA keys and files are made when they are first needed, once a process: making them takes a while.
"""

import atexit
import base64
import os
import shutil
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Literal, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, pkcs12
from cryptography.x509.oid import NameOID

from ._jose import SMALLEST_RSA_KEY

MERCHANT_ID = "testrest"
KEY_ID = "08c94330-f618-42a3-b09d-e1e43be5efda"
SECRET = base64.b64encode(bytes(range(32))).decode()
P12_PASSWORD = "everybody knows it"  # noqa: S105 - as everybody may

Credential = Literal["secret", "p12"]
Encryption = Literal["off", "request", "response", "both"]

# The RSA keys by their ids, and the common names of their certificates.
SIGNING, RESPONSE, SERVICE = "2611250000000000001", "2611250000000000002", "2611250000000000003"
OWNERS = {SIGNING: MERCHANT_ID, RESPONSE: MERCHANT_ID, SERVICE: "CyberSource_SJC_US"}

T = TypeVar("T")
_making = threading.RLock()


def once(make: Callable[[str], T]) -> Callable[[str], T]:
    """Let a function be called once for each argument, however many threads ask for its result."""
    cached = cache(make)

    def get(name: str) -> T:
        with _making:
            return cached(name)

    return get


@dataclass(frozen=True)
class KeyPair:
    """An RSA key with a self-signed certificate."""

    private: rsa.RSAPrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> bytes:
        """The certificate in PEM."""
        return self.certificate.public_bytes(Encoding.PEM)


@once
def key_pair(key_id: str) -> KeyPair:
    """Return a key, whose certificate names its owner and its id as CyberSource's certificates do."""
    private = rsa.generate_private_key(65537, SMALLEST_RSA_KEY)
    subject = {NameOID.COMMON_NAME: OWNERS[key_id], NameOID.SERIAL_NUMBER: key_id}
    name = x509.Name([x509.NameAttribute(oid, value) for oid, value in subject.items()])
    day, now, number = timedelta(days=1), datetime.now(UTC), int.from_bytes(key_id.encode())
    years = 3 if key_id == SIGNING else 1  # as CyberSource makes them
    builder = x509.CertificateBuilder(name, name, private.public_key(), number, now - day, now + years * 365 * day)
    return KeyPair(private, builder.sign(private, hashes.SHA256()))


@once
def folder(prefix: str) -> Path:
    """Return a folder for files, which is removed when this process ends."""
    path, process = tempfile.mkdtemp(prefix=prefix), os.getpid()

    def remove() -> None:
        if os.getpid() == process:  # and not a process that was forked off it
            shutil.rmtree(path, ignore_errors=True)

    atexit.register(remove)
    return Path(path)


def write(name: str, content: bytes) -> Path:
    """Write a file, and return its path."""
    path = folder("cybersource-sandbox-") / name
    path.write_bytes(content)
    return path


@once
def p12(key_id: str) -> Path:
    """Return a merchant's P12, with the service's certificate in it as each one from the Business Center has."""
    pair, protection = key_pair(key_id), BestAvailableEncryption(P12_PASSWORD.encode())
    others = [key_pair(SERVICE).certificate]
    content = pkcs12.serialize_key_and_certificates(None, pair.private, pair.certificate, others, protection)
    return write(f"{'signing' if key_id == SIGNING else 'response'}.p12", content)


def make_variables(credential: str, encryption: str) -> dict[str, str]:
    """Return the environment variables of `CustomersClient.from_env` for a kind of credential and of encryption."""
    found = {"ENVIRONMENT": "test", "MERCHANT_ID": MERCHANT_ID}
    if credential == "p12":
        found |= {"P12_PATH": str(p12(SIGNING)), "P12_PASSWORD": P12_PASSWORD}
    else:
        found |= {"KEY_ID": KEY_ID, "SECRET_KEY": SECRET}
    if encryption != "off":
        found |= {"MLE": encryption}
    if encryption in ("response", "both"):
        found |= {"MLE_RESPONSE_P12_PATH": str(p12(RESPONSE)), "MLE_RESPONSE_P12_PASSWORD": P12_PASSWORD}
    elif (credential, encryption) == ("secret", "request"):  # any P12 would hold the certificate
        found |= {"MLE_REQUEST_CERTIFICATE_PATH": str(write("CyberSource_SJC_US.pem", key_pair(SERVICE).pem))}
    return {f"CYBERSOURCE_{name}": value for name, value in found.items()}
