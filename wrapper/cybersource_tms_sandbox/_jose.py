"""JSON Web Signatures and JSON Web Encryption in their compact forms, on nothing but primitives of `cryptography`.

It says whether a signature is a key's, and what an encryption holds. Which keys are trusted is decided elsewhere.
"""

import base64
import hmac
import secrets
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ._json import dump_json, is_object, parse_json

ABSENT = object()  # equal to no JSON value, not even null
SMALLEST_RSA_KEY = 2048  # bits, RFC 7518 3.3, 3.5 and 4.3
SIGNATURE_HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
RSA_SIGNATURES = tuple(family + bits for family in ("RS", "PS") for bits in SIGNATURE_HASHES)
OAEP_HASHES = {"RSA-OAEP": hashes.SHA1(), "RSA-OAEP-256": hashes.SHA256()}  # noqa: S303 - RFC 7518 4.3
CONTENT_KEY_LENGTHS = {"A128GCM": 16, "A256GCM": 32}
NONCE_LENGTH, TAG_LENGTH = 12, 16  # RFC 7518 5.3
CLOCK_LEEWAY = 5  # seconds by which a client's clock may be ahead


def encode(raw: bytes) -> str:
    """Encode as base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(part: str) -> bytes:
    """Decode unpadded base64url, in its one canonical spelling."""
    raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    if encode(raw) != part:
        raise ValueError(part)
    return raw


def load_json(part: str) -> Any:
    """Return the JSON in a part of a token; whatever is wrong with it is a ValueError."""
    return parse_json(decode(part))


def require_rsa(key: object) -> RSAPublicKey:
    """Return a key if it is one that the service takes."""
    if not isinstance(key, RSAPublicKey) or key.key_size < SMALLEST_RSA_KEY:
        raise ValueError(f"not an RSA key of {SMALLEST_RSA_KEY} bits")
    return key


def signing_algorithms(key: bytes | RSAPublicKey) -> tuple[str, ...]:
    """Return all that a kind of key may sign with: a token's header must not turn one kind into the other."""
    return ("HS256",) if isinstance(key, bytes) else RSA_SIGNATURES


def is_signed(message: bytes, signature: bytes, algorithm: str, key: bytes | RSAPublicKey) -> bool:
    """Return whether the signature of the message is the key's, by one of the key's `signing_algorithms`."""
    if isinstance(key, bytes):
        return hmac.compare_digest(signature, hmac.digest(key, message, "sha256"))
    hashed = SIGNATURE_HASHES[algorithm[2:]]
    pss = PSS(MGF1(hashed), salt_length=hashed.digest_size)  # RFC 7518 3.5
    try:
        key.verify(signature, message, pss if algorithm.startswith("PS") else PKCS1v15(), hashed)
    except InvalidSignature:
        return False
    return True


def oaep_padding(algorithm: str) -> OAEP:
    """Return the padding of a JWE's `alg`."""
    hashed = OAEP_HASHES[algorithm]
    return OAEP(MGF1(hashed), hashed, label=None)


def encrypt(payload: bytes, public_key: RSAPublicKey, header: Mapping[str, object]) -> str:
    """Encrypt into a compact JWE in the way that its header says, by `alg` and `enc`."""
    key = secrets.token_bytes(CONTENT_KEY_LENGTHS[str(header["enc"])])
    nonce = secrets.token_bytes(NONCE_LENGTH)
    protected = encode(dump_json(dict(header)))
    ciphertext = AESGCM(key).encrypt(nonce, payload, protected.encode())
    encrypted_key = public_key.encrypt(key, oaep_padding(str(header["alg"])))
    return ".".join(
        [protected, *map(encode, (encrypted_key, nonce, ciphertext[:-TAG_LENGTH], ciphertext[-TAG_LENGTH:]))]
    )


def read_header(token: str) -> dict[str, Any]:
    """Return the header of a compact JWE, which nothing vouches for yet."""
    try:
        header = load_json(token.partition(".")[0])
    except ValueError as error:
        raise ValueError("the JWE's header is not JSON") from error
    if not is_object(header):
        raise ValueError("the JWE's header is not a JSON object")
    return header


def decrypt(token: str, private_key: RSAPrivateKey) -> tuple[dict[str, Any], bytes]:
    """Return a compact JWE's header and payload. What is wrong is not told apart, as in RFC 7516 11.5."""
    header = read_header(token)
    try:
        return header, decrypt_content(token, header, private_key)
    except (InvalidTag, KeyError, ValueError) as error:
        raise ValueError("the JWE cannot be decrypted") from error


def decrypt_content(token: str, header: Mapping[str, Any], private_key: RSAPrivateKey) -> bytes:
    """Return what is encrypted."""
    protected, *parts = token.split(".")
    encrypted_key, nonce, ciphertext, tag = map(decode, parts)
    key = private_key.decrypt(encrypted_key, oaep_padding(str(header["alg"])))
    lengths = CONTENT_KEY_LENGTHS[str(header["enc"])], NONCE_LENGTH, TAG_LENGTH
    if (len(key), len(nonce), len(tag)) != lengths:  # cryptography takes any that AES-GCM has
        raise ValueError(lengths)
    return AESGCM(key).decrypt(nonce, ciphertext + tag, protected.encode())
