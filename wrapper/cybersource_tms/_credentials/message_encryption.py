"""Message-level encryption (MLE): requests are encrypted or not sent at all, and encrypted responses are decrypted."""

import re
import time
from datetime import datetime
from pathlib import Path
from typing import Self

import httpx
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from joserfc import jwe
from joserfc.jwk import RSAKey
from joserfc.registry import HeaderParameter

from cybersource_tms._tracebacks import raise_without_frames
from cybersource_tms.errors import InvalidRequest

from . import certificates
from .arguments import check_id, naming, show
from .json_web_token import JsonWebTokenAuth
from .p12 import read_p12

# What to say to those who have the signing key's P12 only.
OTHER_P12 = 'the response key has a P12 of its own: see "REST - API Response MLE" in the Business Center'

_ALGORITHMS = {"alg": "RSA-OAEP-256", "enc": "A256GCM"}
_REQUESTS = jwe.JWERegistry({"iat": HeaderParameter("Issued At", "int")}, _ALGORITHMS.values())
# A gateway of the service's responds with RSA-OAEP.
_RESPONSES = jwe.JWERegistry(algorithms=["RSA-OAEP", *_ALGORITHMS.values()], strict_check_header=False)
_RESPONSES.max_ciphertext_length = 2**24  # joserfc stops at 64 KiB; a response with _embedded can be larger
# Not parsed as JSON, of which kilobytes can become gigabytes of objects.
_ENCRYPTED = re.compile(rb'(?:\xef\xbb\xbf)?\s*{\s*"encryptedResponse"\s*:\s*"([^"]*)"\s*}\s*')


class DecryptionFailed(Exception):
    """An encrypted response cannot be decrypted; the message is the kind of failure."""


class MessageEncryption:
    """Encrypts requests, and asks for encrypted responses and decrypts them. A client takes it as `encryption=`.

    Each direction can be used alone. It needs credentials that sign with a JSON Web Token. A request that cannot be
    encrypted is not sent. Source: the service's guide, "Message-Level Encryption". See `from_p12` for a P12 file.

    Args:
        request_certificate: The service's certificate as PEM, to encrypt requests for. Of several, it is the one of
            `CyberSource_SJC_US` that is valid now. None: requests are not encrypted.
        response_key: Your private RSA key for responses as PEM: in the Business Center "REST - API Response MLE", not
            the key that signs. None: responses are not encrypted.
        response_key_id: The id that the Business Center shows for that key.
        response_key_password: The password of `response_key`, if it has one.

    Attributes:
        request_key_id: The id of the service's key that requests are encrypted for; None if they are not encrypted.
        request_expires: When the service's certificate expires; None if requests are not encrypted.
        response_key_id: The id of the key that responses are encrypted for; None if they are not encrypted.
        response_public_key: The public half of that key.

    Raises:
        InvalidRequest: One of them is wrong, the certificate is not valid now, or neither direction is encrypted.

    Warns:
        UserWarning: The certificate expires within 30 days.
    """

    request_key_id: str | None = None
    request_expires: datetime | None = None
    response_key_id: str | None = None
    response_public_key: RSAPublicKey | None = None
    _recipient: tuple[RSAKey, x509.Certificate] | None = None
    _response_key: RSAKey | None = None

    @raise_without_frames
    def __init__(
        self,
        request_certificate: bytes | None = None,
        response_key: bytes | None = None,
        response_key_id: str | None = None,
        *,
        response_key_password: str | bytes | None = None,
    ) -> None:
        if request_certificate is None and response_key is None:
            raise InvalidRequest("request_certificate, response_key: give one of them, or no encryption at all")
        if (response_key is None) != (response_key_id is None or response_key_id == ""):
            raise InvalidRequest("response_key, response_key_id: give both of them or none")
        if request_certificate is not None:
            given = certificates.read_certificates("request_certificate", request_certificate)
            if len(given) > 1:
                given = certificates.certificates_of("request_certificate", certificates.SERVICE, given)
            key, self.request_key_id = certificates.identify("request_certificate", given[0])
            self._recipient = RSAKey.import_key(key), given[0]
            self.request_expires = given[0].not_valid_after_utc
        if response_key is not None:
            private_key = certificates.read_key("response_key", response_key, response_key_password)
            self._response_key, self.response_public_key = RSAKey.import_key(private_key), private_key.public_key()
            self.response_key_id = check_id("response_key_id", response_key_id)

    @classmethod
    @raise_without_frames
    def from_p12(
        cls,
        path: str | Path | bytes,
        password: str | bytes | None = None,
        *,
        merchant_id: str,
        response_key_id: str | None = None,
    ) -> Self:
        """Encrypt requests and responses with the response key's P12, which also holds the service's certificate.

        It is the file that the Business Center makes for "REST - API Response MLE". The P12 with the signing key is
        another one.

        Args:
            path: The file, or its content as bytes.
            password: Its password; None or empty if it has none.
            merchant_id: Whose key it is: the common name of its certificate; with a meta key, the portfolio's id.
            response_key_id: The id that the Business Center shows for the key, if it is not the one in the file.

        Raises:
            InvalidRequest: The file cannot be read, is not a P12, has another password, lacks the key or a certificate,
                or holds one that is not valid now.
        """
        with naming(private_key="path", certificate="path", request_certificate="path", response_key="path"):
            owner, p12 = check_id("merchant_id", merchant_id), read_p12(path, password)
            certificate = certificates.service_certificate("path", p12[1])
            return cls(certificate, *certificates.response_key(*p12, owner, response_key_id))

    @classmethod
    @raise_without_frames
    def requests_from_p12(cls, path: str | Path | bytes, password: str | bytes | None = None) -> Self:
        """Encrypt requests only, with the service's certificate, which each P12 from the Business Center holds.

        Args:
            path: The file, or its content as bytes.
            password: Its password; None or empty if it has none.

        Raises:
            InvalidRequest: The file cannot be read, is not a P12, has another password, or lacks a valid certificate of
                the service.
        """
        with naming(certificate="path", request_certificate="path"):
            return cls(certificates.service_certificate("path", read_p12(path, password)[1]))

    def __repr__(self) -> str:
        response_key_id = self.response_key_id and show(self.response_key_id)
        return f"MessageEncryption(request_key_id={self.request_key_id!r}, response_key_id={response_key_id!r})"

    def encrypt_request(self, content: bytes) -> bytes:
        """Return the body to send: `content` in a compact JWE, or unchanged if requests are not encrypted."""
        if not self._recipient:
            return content
        key, certificate = self._recipient
        certificates.check_validity("encryption", certificate)
        header = {**_ALGORITHMS, "kid": self.request_key_id, "iat": int(time.time())}
        token = jwe.encrypt_compact(header, content, key, registry=_REQUESTS)
        return b'{"encryptedRequest":"%s"}' % token.encode()  # RFC 7516 section 7.1: nothing in it needs escaping

    def decrypt_response(self, content: bytes) -> bytes | None:
        """Return the plain text of a response's body, or None if it is not encrypted, or there is no response key."""
        found = _ENCRYPTED.fullmatch(content)
        if found is None or self._response_key is None:
            return None
        try:
            decrypted = jwe.decrypt_compact(found[1], self._response_key, registry=_RESPONSES)
        except Exception as error:  # noqa: BLE001 - of many kinds
            problem = type(error).__name__
        else:
            if "crit" not in decrypted.protected:  # RFC 7516 section 4.1.13; joserfc lets `b64` pass
                return decrypted.plaintext
            problem = "crit"
        raise DecryptionFailed(problem)  # not within `except`: some errors hold the token's content


def refuse_signing_key(auth: httpx.Auth, encryption: MessageEncryption) -> None:
    """Raise `InvalidRequest` if the response key is the signing key, for which the service does not encrypt."""
    key = auth.public_key if isinstance(auth, JsonWebTokenAuth) else None
    if key is not None and key == encryption.response_public_key:
        raise InvalidRequest(f"encryption: the response key is the signing key; {OTHER_P12}")
