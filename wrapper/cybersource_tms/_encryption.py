"""Message-level encryption (MLE): what goes out is encrypted or nothing goes out, and answers are decrypted."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.serialization import Encoding
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from joserfc.registry import HeaderParameter

from ._auth import printable
from ._certificates import (
    certificate_of,
    good_now,
    key_id_of,
    public_key_of,
    read_p12,
    read_pem_certificates,
    read_pem_key,
    refuse_others_key,
)
from ._schema import is_json_object
from ._tracebacks import raise_without_frames
from .errors import InvalidRequest

_REQUEST_CERTIFICATE = "CyberSource_SJC_US"  # the common name of the service's certificate in a merchant's P12
_ALGORITHMS = {"alg": "RSA-OAEP-256", "enc": "A256GCM"}
_ISSUED_AT = {"iat": HeaderParameter("Issued At", "int")}
_REQUESTS = jwe.JWERegistry(_ISSUED_AT, _ALGORITHMS.values())
_ANSWERS = jwe.JWERegistry(_ISSUED_AT, _ALGORITHMS.values(), strict_check_header=False)
_ANSWERS.max_ciphertext_length = 2**24  # joserfc stops at 64 KiB; an answer with _embedded can be larger
_ABOUT_THE_ENVELOPE = {"content-encoding", "content-length", "transfer-encoding"}


class MessageEncryption:
    """Encrypts requests, asks for encrypted answers and decrypts them, errors too. A client takes it as `encryption=`.

    Each part can be used alone. It needs credentials that sign with a JSON Web Token. Nothing is ever sent as plain
    text instead: what cannot be encrypted is an error. Source: the service's guide, "Message-Level Encryption".

    Args:
        request_certificate: The service's certificate as PEM, to encrypt requests for; of several, the one of
            `CyberSource_SJC_US`. None: requests are not encrypted.
        response_key: Your private RSA key as PEM without a password, to decrypt answers with. None: answers are not
            encrypted.
        response_key_id: The id under which the service has its public key.

    Raises:
        InvalidRequest: One of them is wrong, the certificate is not valid now, or there is nothing to do.

    Warns:
        UserWarning: The certificate ends within 30 days.
    """

    @raise_without_frames
    def __init__(
        self,
        request_certificate: bytes | None = None,
        response_key: bytes | None = None,
        response_key_id: str | None = None,
    ) -> None:
        if request_certificate is None and response_key is None:
            raise InvalidRequest("request_certificate, response_key: give one of them, or no encryption at all")
        if (response_key is None) != (response_key_id is None or response_key_id == ""):
            raise InvalidRequest("response_key, response_key_id: give both of them or none")
        self._request_header, self._request_key = _recipient(request_certificate)
        self._response_key = None if response_key is None else _decryption_key(response_key)
        self._response_key_id = None if response_key_id is None else printable("response_key_id", response_key_id)

    @classmethod
    @raise_without_frames
    def from_p12(cls, path: str | Path, password: str | bytes, *, merchant_id: str) -> Self:
        """Encrypt requests and answers, with a P12 that has the service's certificate beside the merchant's key.

        Args:
            path: The file.
            password: Its password.
            merchant_id: Whose key decrypts answers: the common name of its certificate.

        Raises:
            InvalidRequest: The file cannot be read, is no P12, has another password, or lacks one of the certificates.
        """
        key, certificates = read_p12(path, password)
        found = read_pem_certificates("path", certificates)
        merchants = good_now("path", certificate_of("path", printable("merchant_id", merchant_id), found))
        refuse_others_key("path", read_pem_key("path", key), "path", merchants)
        return cls(service_certificate("path", certificates), key, key_id_of(merchants))

    def __repr__(self) -> str:
        request_key_id = self._request_header.get("kid")
        return f"MessageEncryption(request_key_id={request_key_id!r}, response_key_id={self._response_key_id!r})"

    def encrypt_request(self, content: bytes) -> bytes:
        """Return what goes out for a request's body: the body inside of a compact JWE, if requests are encrypted.

        Raises:
            InvalidRequest: It cannot be encrypted.
        """
        if not self._request_key:
            return content
        header = {**self._request_header, "iat": int(time.time())}
        try:
            token = jwe.encrypt_compact(header, content, self._request_key, registry=_REQUESTS)
        except (JoseError, ValueError) as error:
            raise InvalidRequest("encryption: the request cannot be encrypted, so nothing was sent") from error
        return b'{"encryptedRequest":"%s"}' % token.encode()  # RFC 7516 section 7.1: nothing in it needs escaping

    @property
    def response_key_id(self):
        return self._response_key_id

    def decrypt_response(self, content: bytes) -> bytes | None:
        token = _token(content)
        if token is None:
            return None
        try:
            opened = jwe.decrypt_compact(token, self._response_key, registry=_ANSWERS)
            _refuse_extensions(opened.protected)
        except Exception as error:
            raise DecryptionFailed(type(error).__name__) from error
        return opened.plaintext


class DecryptionFailed(Exception):
    pass


def service_certificate(name: str, pem: bytes) -> bytes:
    """Return the service's certificate out of several in PEM; `name` is the argument that they came in.

    Raises:
        InvalidRequest: It is not there.
    """
    found = certificate_of(name, _REQUEST_CERTIFICATE, read_pem_certificates(name, pem))
    return found.public_bytes(Encoding.PEM)


def _recipient(pem: bytes | None) -> tuple[dict[str, str], RSAKey | None]:
    if pem is None:
        return {}, None
    found = read_pem_certificates("request_certificate", pem)
    alone = len(found) == 1
    certificate = found[0] if alone else certificate_of("request_certificate", _REQUEST_CERTIFICATE, found)
    good_now("request_certificate", certificate)
    key = RSAKey.import_key(public_key_of("request_certificate", certificate))
    return {**_ALGORITHMS, "kid": key_id_of(certificate)}, key


def _decryption_key(pem: bytes) -> RSAKey:
    return RSAKey.import_key(read_pem_key("response_key", pem))


def _refuse_extensions(header: Mapping[str, object]) -> None:
    if "crit" in header:  # RFC 7516 section 4.1.13; joserfc knows one, b64, which is none of encryption
        raise ValueError("crit")


def _token(content: bytes) -> str | None:
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return None
    token = body["encryptedResponse"] if is_json_object(body) and set(body) == {"encryptedResponse"} else None
    return token if isinstance(token, str) else None
