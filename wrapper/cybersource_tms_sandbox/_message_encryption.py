"""Message-level encryption: requests are encrypted for the service's certificate, responses for a merchant's key."""

import time
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from ._jose import ABSENT, CLOCK_LEEWAY, decrypt, encrypt, read_header, require_rsa
from ._json import dump_json, is_object, parse_json
from ._keys import RESPONSE, SERVICE, key_pair

WRAPPER = "encryptedRequest"
RESPONSE_KEY_CLAIM = "v-c-response-mle-kid"
OLDEST_ENCRYPTION = 300  # seconds; nothing is published


def find_wrapper(body: bytes) -> dict[str, Any] | None:
    """Return the JSON object that has an `encryptedRequest`, if the body is one; it may have more than it should."""
    try:
        value = parse_json(body)
    except ValueError:
        return None
    return value if is_object(value) and WRAPPER in value else None


def right_header(key_id: str) -> dict[str, object]:
    """Return the header of what is encrypted for a key, but for its time."""
    return {"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": key_id}


def check_header(header: Mapping[str, Any]) -> None:
    """Refuse a JWE that is not made as documented, for the service's key, and of now."""
    for name, value in (right_header(SERVICE) | {"zip": ABSENT, "crit": ABSENT}).items():
        if header.get(name, ABSENT) != value:
            raise ValueError(f"{name} of {WRAPPER} is wrong")
    iat, now = header.get("iat"), time.time()
    if type(iat) is not int or not now - OLDEST_ENCRYPTION <= iat <= now + CLOCK_LEEWAY:  # a bool is an int
        raise ValueError(f"iat of {WRAPPER} is not of now")


def decrypt_request(body: bytes) -> bytes | None:
    """Return what a body holds encrypted, or None for a plain one. A ValueError says why it is refused."""
    wrapper = find_wrapper(body)
    if wrapper is None:
        return None
    token = wrapper[WRAPPER]
    if len(wrapper) != 1 or not isinstance(token, str):
        raise ValueError(f"{WRAPPER} is not text, or not alone")
    check_header(read_header(token))
    return decrypt(token, key_pair(SERVICE).private)[1]


class ResponseKeys:
    """The merchants' keys to encrypt responses for, by their ids."""

    def __init__(self) -> None:
        self._keys: dict[str, RSAPublicKey] = {}

    def trust(self, key_id: str, public_key: bytes) -> None:
        """Encrypt responses for a merchant's key, in PEM, when a token names its id."""
        self._keys[key_id] = require_rsa(load_pem_public_key(public_key))

    def find(self, claims: Mapping[str, Any]) -> RSAPublicKey | None:
        """Return the key that a token names. That of the ready-made P12 is made now, if it was not before."""
        key_id = claims.get(RESPONSE_KEY_CLAIM)
        if key_id == RESPONSE and RESPONSE not in self._keys:
            self._keys[RESPONSE] = key_pair(RESPONSE).private.public_key()
        return self._keys.get(key_id) if isinstance(key_id, str) else None

    def encrypt(self, body: bytes, claims: Mapping[str, Any]) -> bytes:
        """Return a response's body, encrypted if the token asks for that with a key that is known."""
        key = self.find(claims)
        if key is None:
            return body
        header = right_header(claims[RESPONSE_KEY_CLAIM]) | {"iat": int(time.time())}
        return dump_json({"encryptedResponse": encrypt(body, key, header)})
