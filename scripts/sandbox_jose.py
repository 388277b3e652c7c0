"""JSON Web Signatures and JSON Web Encryption in their compact forms, on nothing but primitives of `cryptography`.

It says whether a signature is a key's, and what an encryption holds. Who may say what is decided elsewhere.
"""

import base64
import hmac
import json
import secrets
import zlib
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ABSENT = object()  # equal to no JSON value, not even null
SMALLEST_RSA_KEY = 2048  # bits, RFC 7518 3.3, 3.5 and 4.3
SIGNATURE_HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
RSA_SIGNATURES = tuple(family + bits for family in ("RS", "PS") for bits in SIGNATURE_HASHES)
OAEP_HASHES = {"RSA-OAEP": hashes.SHA1(), "RSA-OAEP-256": hashes.SHA256()}  # RFC 7518 4.3
CONTENT_KEY_LENGTHS = {"A128GCM": 16, "A256GCM": 32}
NONCE_LENGTH, TAG_LENGTH = 12, 16  # RFC 7518 5.3
RAW_DEFLATE = -15  # zlib's way to say: RFC 1951 alone, as RFC 7516 4.1.3 wants it


def encoded(raw: bytes) -> str:
    """Encode as base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(part: str) -> bytes:
    """Decode unpadded base64url, in its one canonical spelling."""
    raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    if encoded(raw) != part:
        raise ValueError(part)
    return raw


def json_in(part: str) -> Any:
    """Return the JSON in a part of a token; whatever is wrong with it is a ValueError."""
    try:
        return json.loads(decoded(part).decode())
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def signing_algorithms(key: bytes | RSAPublicKey) -> tuple[str, ...]:
    """Return all that a kind of key may sign with: a token's header must not turn one kind into the other."""
    return ("HS256",) if isinstance(key, bytes) else RSA_SIGNATURES


def is_signed(message: bytes, signature: bytes, algorithm: str, key: bytes | RSAPublicKey) -> bool:
    """Whether the signature of the message is the key's, by one of the key's `signing_algorithms`."""
    if isinstance(key, bytes):
        return hmac.compare_digest(signature, hmac.digest(key, message, "sha256"))
    hashed = SIGNATURE_HASHES[algorithm[2:]]
    pss = PSS(MGF1(hashed), salt_length=hashed.digest_size)  # RFC 7518 3.5
    try:
        key.verify(signature, message, pss if algorithm.startswith("PS") else PKCS1v15(), hashed)
    except InvalidSignature:
        return False
    return True


def oaep(algorithm: str) -> OAEP:
    """Return the padding of a JWE's `alg`."""
    hashed = OAEP_HASHES[algorithm]
    return OAEP(MGF1(hashed), hashed, label=None)


def encrypted(payload: bytes, public_key: RSAPublicKey, header: Mapping[str, object]) -> str:
    """Encrypt into a compact JWE in the way that its header says: `alg`, `enc`, and `zip` if it is there."""
    key = secrets.token_bytes(CONTENT_KEY_LENGTHS[str(header["enc"])])
    nonce = secrets.token_bytes(NONCE_LENGTH)
    protected = encoded(json.dumps(dict(header)).encode())
    plain = zlib.compress(payload, wbits=RAW_DEFLATE) if "zip" in header else payload
    ciphertext = AESGCM(key).encrypt(nonce, plain, protected.encode())
    wrapped = public_key.encrypt(key, oaep(str(header["alg"])))
    return ".".join([protected, *map(encoded, (wrapped, nonce, ciphertext[:-TAG_LENGTH], ciphertext[-TAG_LENGTH:]))])


def jwe_header(token: str) -> dict[str, Any]:
    """Return the header of a compact JWE, which nothing vouches for yet."""
    try:
        header = json_in(token.partition(".")[0])
    except ValueError as error:
        raise ValueError("the JWE's header is not JSON") from error
    if not isinstance(header, dict):
        raise ValueError("the JWE's header is not a JSON object")  # noqa: TRY004 - a token is wrong, not a type
    return header


def decrypted(token: str, private_key: RSAPrivateKey) -> tuple[dict[str, Any], bytes]:
    """Return a compact JWE's header and payload. What is wrong is not told apart, as in RFC 7516 11.5."""
    header = jwe_header(token)
    try:
        plain = content(token, header, private_key)
        return header, zlib.decompress(plain, RAW_DEFLATE) if "zip" in header else plain
    except (InvalidTag, KeyError, ValueError, zlib.error) as error:
        raise ValueError("the JWE cannot be decrypted") from error


def content(token: str, header: Mapping[str, Any], private_key: RSAPrivateKey) -> bytes:
    """Return what is encrypted, still compressed if it was."""
    protected, *parts = token.split(".")
    wrapped, nonce, ciphertext, tag = map(decoded, parts)
    key = private_key.decrypt(wrapped, oaep(str(header["alg"])))
    lengths = CONTENT_KEY_LENGTHS[str(header["enc"])], NONCE_LENGTH, TAG_LENGTH
    if (len(key), len(nonce), len(tag)) != lengths:  # cryptography takes any that AES-GCM has
        raise ValueError(lengths)
    return AESGCM(key).decrypt(nonce, ciphertext + tag, protected.encode())
