"""Message-level encryption: requests are encrypted for the service's certificate, answers for a merchant's key."""

import json
import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_public_key
from cryptography.x509.oid import NameOID

from sandbox_jose import ABSENT, SMALLEST_RSA_KEY, decrypted, encrypted, jwe_header

WRAPPER = "encryptedRequest"
RESPONSE_KEY_CLAIM = "v-c-response-mle-kid"
OLDEST_ENCRYPTION = 300  # seconds; nothing is published
CLOCK_LEEWAY = 5  # seconds by which a client's clock may be ahead


def wrapper(body: bytes) -> dict[str, Any] | None:
    """Return the JSON object that has an `encryptedRequest`, if the body is one; it may have more than it should."""
    try:
        value = json.loads(body.decode())
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and WRAPPER in value else None


def jwe_for(key_id: str) -> dict[str, object]:
    """Return the header of what is encrypted for a key, but for its time."""
    return {"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": key_id}


def check_header(header: Mapping[str, Any], key_id: str) -> None:
    """Take only a JWE that is made as documented, for this key, and of now."""
    for name, value in (jwe_for(key_id) | {"zip": ABSENT, "crit": ABSENT}).items():
        if header.get(name, ABSENT) != value:
            raise ValueError(f"{name} of {WRAPPER} is wrong")
    iat, now = header.get("iat"), time.time()
    if type(iat) is not int or not now - OLDEST_ENCRYPTION <= iat <= now + CLOCK_LEEWAY:  # a bool is an int
        raise ValueError(f"iat of {WRAPPER} is not of now")


class OwnKey:
    """The service's key for requests, with a self-signed certificate."""

    def __init__(self) -> None:
        self.private = rsa.generate_private_key(65537, SMALLEST_RSA_KEY)
        self.key_id = str(secrets.randbits(64))  # not the X.509 serial, so that who takes that for it is refused
        subject = {NameOID.COMMON_NAME: "CyberSource_SJC_US", NameOID.SERIAL_NUMBER: self.key_id}
        name = x509.Name([x509.NameAttribute(oid, value) for oid, value in subject.items()])
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(name, name, self.private.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=365))
        self.certificate = builder.sign(self.private, hashes.SHA256()).public_bytes(Encoding.PEM)


class MessageEncryption:
    """Decrypts requests and encrypts responses."""

    def __init__(self) -> None:
        self._response_keys: dict[str, rsa.RSAPublicKey] = {}

    @cached_property
    def own_key(self) -> OwnKey:
        """The service's key, made when it is first asked for: making it takes a while."""
        return OwnKey()

    def trust(self, key_id: str, public_key: bytes) -> None:
        """Encrypt answers for a merchant's key, in PEM, where its id is named."""
        key = load_pem_public_key(public_key)
        if not isinstance(key, rsa.RSAPublicKey) or key.key_size < SMALLEST_RSA_KEY:
            raise ValueError(f"not an RSA key of {SMALLEST_RSA_KEY} bits")
        self._response_keys[key_id] = key

    def opened(self, body: bytes) -> bytes | None:
        """Return what a body holds encrypted, or None for a plain one. A ValueError says why it is not taken."""
        wrapped = wrapper(body)
        if wrapped is None:
            return None
        token = wrapped[WRAPPER]
        if len(wrapped) != 1 or not isinstance(token, str):
            raise ValueError(f"{WRAPPER} is not text, or not alone")
        check_header(jwe_header(token), self.own_key.key_id)
        return decrypted(token, self.own_key.private)[1]

    def can_answer(self, claims: Mapping[str, Any]) -> bool:
        """Whether the key that a token wants its answer encrypted for is known, if it wants that."""
        return claims.get(RESPONSE_KEY_CLAIM, ABSENT) in (ABSENT, *self._response_keys)

    def encrypt_response(self, value: object, claims: Mapping[str, Any]) -> object:
        """Return an answer's JSON, encrypted if the token asked for that with a key that is known."""
        key_id = claims.get(RESPONSE_KEY_CLAIM)
        if not isinstance(key_id, str) or key_id not in self._response_keys:
            return value
        payload = json.dumps(value, ensure_ascii=False).encode()
        header = jwe_for(key_id) | {"iat": int(time.time())}
        return {"encryptedResponse": encrypted(payload, self._response_keys[key_id], header)}
