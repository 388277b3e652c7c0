"""The stand-in takes what is documented and nothing else: certificates, meta keys, HTTP Signature, encryption.

What is sent is made here, by hand; `test_sandbox.py` has the tokens that a merchant makes with a shared secret.
"""

import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from functools import partial
from itertools import product
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, PSS, PKCS1v15
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from cybersource_tms_sandbox import KEY_ID, MERCHANT_ID, PAGE_CUSTOMER_ID, SECRET, Fault, Sandbox, page_customer
from cybersource_tms_sandbox._jose import decode, decrypt, encrypt, is_signed, signing_algorithms

PATH = f"/tms/v2/customers/{PAGE_CUSTOMER_ID}"
CHANGE = b'{"buyerInformation":{"email":"new@example.com"}}'
SHOP, STORE, PORTFOLIO = "shop", "store", "portfolio"
SHOP_SERIAL, SHOP_X509_TEXT, META_SERIAL = "1716240386523032000", "20261122", "1716240386523032999"
SHOP_X509_SERIAL = int.from_bytes(SHOP_X509_TEXT.encode())
META_ID, META_SECRET = "meta-key", base64.b64encode(b"the portfolio's, of thirty-two B").decode()
RESPONSE_ID = "responses-2026"
ABSENT = object()
HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
CERTIFICATE_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]


def part(data: object) -> str:
    """Encode bytes, or the JSON of anything else, as a part of a token."""
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def present(items: Mapping[str, object]) -> dict[str, Any]:
    """Leave out what is ABSENT."""
    return {name: value for name, value in items.items() if value is not ABSENT}


def digest(body: bytes) -> str:
    """Return the digest of a body in base64."""
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


# Who calls

SHOP_KEY, OTHER_KEY = (rsa.generate_private_key(65537, 2048) for _ in range(2))


def pem_of(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    """Return a key's public half in PEM."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def certificate(
    owner: str, serial: str | None = None, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = SHOP_KEY
) -> bytes:
    """Return a self-signed certificate in PEM."""
    attributes = {NameOID.COMMON_NAME: owner} | ({NameOID.SERIAL_NUMBER: serial} if serial else {})
    name = x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes.items()])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), SHOP_X509_SERIAL, now, now + timedelta(days=1))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def with_secret(message: bytes, secret: str = SECRET) -> bytes:
    """Sign as HS256."""
    return hmac.new(base64.b64decode(secret), message, "sha256").digest()


def with_key(message: bytes, algorithm: str = "RS256", key: rsa.RSAPrivateKey = SHOP_KEY) -> bytes:
    """Sign as one of the algorithms of certificates."""
    hashed = HASHES[algorithm[2:]]
    return key.sign(message, PSS(MGF1(hashed), hashed.digest_size) if algorithm[0] == "P" else PKCS1v15(), hashed)


def with_pss(message: bytes, mask: hashes.HashAlgorithm, salt: Any) -> bytes:
    """Sign with SHA-256 as PS256 does, but for its mask or salt."""
    return SHOP_KEY.sign(message, PSS(MGF1(mask), salt), hashes.SHA256())


@dataclass(frozen=True)
class Signer:
    """Makes tokens in one way."""

    key_id: str = SHOP_SERIAL
    algorithm: str = "RS256"
    sign: Callable[[bytes], bytes] = with_key
    issuer: str = SHOP
    merchant: str = SHOP

    def claims(self, method: str, path: str, body: bytes) -> dict[str, object]:
        """Return the claims that make a token right."""
        now = int(time.time())
        claims: dict[str, object] = {"digest": digest(body), "digestAlgorithm": "SHA-256"} if body else {}
        return claims | {
            "iat": now,
            "exp": now + 120,
            "request-method": method.lower(),
            "request-host": "127.0.0.1",
            "request-resource-path": path,
            "iss": self.issuer,
            "jti": str(uuid.uuid4()),
            "v-c-jwt-version": "2",
            "v-c-merchant-id": self.merchant,
        }

    def token(self, claims: Mapping[str, object], header: Mapping[str, object] = {}) -> str:
        """Sign the claims; `header` is put over the right one."""
        jose = {"alg": self.algorithm, "kid": self.key_id, "typ": "JWT"} | dict(header)
        signed = f"{part(present(jose))}.{part(present(claims))}"
        return f"{signed}.{part(self.sign(signed.encode()))}"


CERTIFICATE = Signer()
SHARED_SECRET = Signer(KEY_ID, "HS256", with_secret, MERCHANT_ID, MERCHANT_ID)
META_SHARED_SECRET = Signer(META_ID, "HS256", partial(with_secret, secret=META_SECRET), PORTFOLIO, SHOP)
META_CERTIFICATE = Signer(META_SERIAL, issuer=PORTFOLIO)


@dataclass(frozen=True)
class Caller:
    """Calls the running sandbox."""

    http: httpx.Client

    def call(
        self,
        signer: Signer = CERTIFICATE,
        *,
        method: str = "PATCH",
        path: str = PATH,
        body: bytes = CHANGE,
        claims: Mapping[str, object] = {},
        header: Mapping[str, object] = {},
        headers: Mapping[str, str] = {},
    ) -> httpx.Response:
        """Call with a good token, but for what `claims` and `header` spoil."""
        token = signer.token(signer.claims(method, path, body) | dict(claims), header)
        sent = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", **headers}
        return self.http.request(method, path, content=body, headers=sent)


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Sandbox, Caller]]:
    """Return a running sandbox that trusts everybody above, and who calls it."""
    sandbox = Sandbox()
    sandbox.trust_certificate(SHOP, certificate(SHOP, SHOP_SERIAL))
    sandbox.trust_certificate(SHOP, certificate(SHOP))
    sandbox.trust_secret(PORTFOLIO, META_ID, META_SECRET, [SHOP, STORE])
    sandbox.trust_certificate(PORTFOLIO, certificate(PORTFOLIO, META_SERIAL), iter([SHOP, STORE]))
    sandbox.trust_response_key(RESPONSE_ID, pem_of(OTHER_KEY))
    with sandbox.running() as url, httpx.Client(base_url=url, trust_env=False) as http:
        yield sandbox, Caller(http)


@pytest.fixture
def sandbox(served: tuple[Sandbox, Caller]) -> Sandbox:
    """Return the running sandbox in its first state."""
    served[0].reset()
    return served[0]


@pytest.fixture
def caller(sandbox: Sandbox, served: tuple[Sandbox, Caller]) -> Caller:
    """Return who calls the sandbox, which is in its first state."""
    return served[1]


def assert_unauthenticated(sandbox: Sandbox, response: httpx.Response, reason: str) -> None:
    """Check that the client learns nothing, that the sandbox knows why, and that nothing was applied."""
    assert (response.status_code, response.json()) == (401, {"response": {"rmsg": "Authentication Failed"}})
    received = sandbox.received[-1]
    assert (received.reason, received.authenticated, received.claims, received.status) == (reason, False, {}, 401)
    assert sandbox.customer() == page_customer()


def assert_refused(sandbox: Sandbox, response: httpx.Response, reason: str) -> None:
    """Check that the client learns it in plain JSON, that the sandbox knows why, and that nothing was applied."""
    error = {"type": "invalidRequest", "message": "Invalid HTTP Body"}
    assert (response.status_code, response.json()) == (400, {"errors": [error]})
    assert (sandbox.received[-1].reason, sandbox.received[-1].status) == (reason, 400)
    assert sandbox.customer() == page_customer()


# The examples of the RFCs

RFC_7515_PAYLOAD = (
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"  # both examples'
)
RFC_7515_A1_KEY = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
RFC_7515_A1 = f"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{RFC_7515_PAYLOAD}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
RFC_7515_A2_MODULUS = (
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pC"
    "gNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg6"
    "65xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRW"
    "yuXpoQ"
)
RFC_7515_A2 = (
    f"eyJhbGciOiJSUzI1NiJ9.{RFC_7515_PAYLOAD}."
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t"
    "1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12j"
    "zDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQ"
    "Ge77Rw"
)
RFC_7516_A1_MODULUS = (
    "oahUIoWw0K0usKNuOR6H4wkf4oBUXHTxRvgb48E-BVvxkeDNjbC4he8rUWcJoZmds2h7M70imEVhRU5djINXtqllXI4DFqcI1DgjT9LewND8MW2K"
    "rf3Spsk_ZkoFnilakGygTwpZ3uesH-PFABNIUYpOiN15dsQRkgr0vEhxN92i2asbOenSZeyaxziK72UwxrrKoExv6kc5twXTq4h-QChLOln0_mtU"
    "ZwfsRaMStPs6mS6XrgxnxbWhojf663tuEQueGC-FCMfra36C9knDFGzKsNa7LZK2djYgyD3JR_MB_4NUJW_TqOQtwHYbxevoJArm-L5StowjzGy-"
    "_bq6Gw"
)
RFC_7516_A1_EXPONENT = (
    "kLdtIj6GbDks_ApCSTYQtelcNttlKiOyPzMrXHeI-yk1F7-kpDxY4-WY5NWV5KntaEeXS1j82E375xxhWMHXyvjYecPT9fpwR_M9gV8n9Hrh2anT"
    "pTD93Dt62ypW3yDsJzBnTnrYu1iwWRgBKrEYY46qAZIrA2xAwnm2X7uGR1hghkqDp0Vqj3kbSCz1XyfCs6_LehBwtxHIyh8Ripy40p24moOAbgxV"
    "w3rxT_vlt3UVe4WO3JkJOzlpUf-KTVI2Ptgm-dARxTEtE-id-4OJr0h-K-VFs3VSndVTIznSxfyrj8ILL6MG_Uv8YAu7VILSB3lOW085-4qE3Dzg"
    "rTjgyQ"
)
RFC_7516_A1 = (
    "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ."
    "OKOawDo13gRp2ojaHV7LFpZcgV7T6DVZKTyKOMTYUmKoTCVJRgckCL9kiMT03JGeipsEdY3mx_etLbbWSrFr05kLzcSr4qKAq7YN7e9jwQRb23nf"
    "a6c9d-StnImGyFDbSv04uVuxIp5Zms1gNxKKK2Da14B8S4rzVRltdYwam_lDp5XnZAYpQdb76FdIKLaVmqgfwX7XWRxv2322i-vDxRfqNzo_tETK"
    "zpVLzfiwQyeyPGLBIO56YJ7eObdv0je81860ppamavo35UgoRdbYaBcoh9QcfylQr66oc6vFWXRcZ_ZT2LawVCWTIy3brGPi6UklfCpIMfIjf7iG"
    "dXKHzg.48V1_ALb6US04U3b."
    "5eym8TW_c8SuK0ltJ3rpYIzOeDQz7TALvtu6UG9oMo4vpzs9tX_EFShS8iB7j6jiSdiwkIr3ajwQzaBtQD_A.XFBoMYUZodetZdvTiFvSkQ"
)


def number(text: str) -> int:
    """Return a number of a JSON Web Key."""
    return int.from_bytes(decode(text))


def private_key(modulus: int, exponent: int) -> rsa.RSAPrivateKey:
    """Return a private key of two of its numbers."""
    p, q = rsa.rsa_recover_prime_factors(modulus, 65537, exponent)
    dp, dq, inverse = rsa.rsa_crt_dmp1(exponent, p), rsa.rsa_crt_dmq1(exponent, q), rsa.rsa_crt_iqmp(p, q)
    public = rsa.RSAPublicNumbers(65537, modulus)
    return rsa.RSAPrivateNumbers(p, q, exponent, dp, dq, inverse, public).private_key()


@pytest.mark.parametrize(
    ("token", "algorithm", "key"),
    [
        (RFC_7515_A1, "HS256", decode(RFC_7515_A1_KEY)),
        (RFC_7515_A2, "RS256", rsa.RSAPublicNumbers(65537, number(RFC_7515_A2_MODULUS)).public_key()),
    ],
    ids=["A.1", "A.2"],
)
def test_signatures_of_rfc_7515(token: str, algorithm: str, key: bytes | rsa.RSAPublicKey) -> None:
    """The RFC's signatures are right for its messages, and for no others."""
    message, _, signature = token.rpartition(".")
    assert is_signed(message.encode(), decode(signature), algorithm, key)
    assert not is_signed(message[:-1].encode(), decode(signature), algorithm, key)
    assert algorithm in signing_algorithms(key)


def test_encryption_of_rfc_7516_a1() -> None:
    """The RFC's token decrypts with its key."""
    key = private_key(number(RFC_7516_A1_MODULUS), number(RFC_7516_A1_EXPONENT))
    sentence = b"The true sign of intelligence is not knowledge but imagination."
    assert decrypt(RFC_7516_A1, key) == ({"alg": "RSA-OAEP", "enc": "A256GCM"}, sentence)


@pytest.mark.parametrize(
    "header",
    [
        {"alg": algorithm, "enc": content} | extra
        for algorithm, content, extra in product(
            ["RSA-OAEP", "RSA-OAEP-256"], ["A128GCM", "A256GCM"], [{}, {"zip": "DEF", "kid": "x", "iat": True}]
        )
    ],
    ids=str,
)
def test_encrypted_is_decrypted(header: dict[str, object]) -> None:
    """What is encrypted in any way comes back whole; it is another token each time, and shorter when compressed."""
    payload = "é€".encode() * 1000
    first, second = (encrypt(payload, SHOP_KEY.public_key(), header) for _ in range(2))
    assert decrypt(first, SHOP_KEY) == decrypt(second, SHOP_KEY) == (header, payload)
    assert not {*first.split(".")[1:]} & {*second.split(".")[1:]}
    assert (len(first) < len(payload)) is ("zip" in header)


def jwe_by_hand(
    header: object, plain: bytes = b"plain", mask: hashes.HashAlgorithm = HASHES["256"], key: int = 32, nonce: int = 12
) -> str:
    """Make a JWE of any header as RSA-OAEP-256 and AES-GCM are documented, with some lengths to choose."""
    protected, secret, once = part(header), bytes(range(key)), bytes(nonce)
    wrapped_key = SHOP_KEY.public_key().encrypt(secret, OAEP(MGF1(mask), hashes.SHA256(), None))
    ciphertext = AESGCM(secret).encrypt(once, plain, protected.encode())
    return ".".join([protected, *map(part, (wrapped_key, once, ciphertext[:-16], ciphertext[-16:]))])


RIGHT_JWE = {"alg": "RSA-OAEP-256", "enc": "A256GCM"}
RAW_DEFLATED = b"\x01\x05\x00\xfa\xffplain"  # RFC 1951 3.2.4: the last block, stored; its length, and that inverted


@pytest.mark.parametrize(
    ("header", "plain"), [(RIGHT_JWE, b"plain"), (RIGHT_JWE | {"zip": "DEF"}, RAW_DEFLATED)], ids=["plain", "zip"]
)
def test_encryption_by_hand(header: dict[str, object], plain: bytes) -> None:
    """The hash is also the mask's, and what is compressed is so without zlib's frame."""
    assert decrypt(jwe_by_hand(header, plain), SHOP_KEY) == (header, b"plain")


WRONG_JWES: dict[str, Callable[[], str]] = {
    "mask of another hash": lambda: jwe_by_hand(RIGHT_JWE, mask=hashes.SHA1()),
    "short key": lambda: jwe_by_hand(RIGHT_JWE, key=16),
    "long key": lambda: jwe_by_hand(RIGHT_JWE | {"enc": "A128GCM"}),
    "long nonce": lambda: jwe_by_hand(RIGHT_JWE, nonce=16),
    "another alg": lambda: jwe_by_hand(RIGHT_JWE | {"alg": "RSA1_5"}),
    "another enc": lambda: jwe_by_hand(RIGHT_JWE | {"enc": "A256CBC-HS512"}),
    "alg in a list": lambda: jwe_by_hand(RIGHT_JWE | {"alg": ["RSA-OAEP-256"]}),
    "no alg": lambda: jwe_by_hand({"enc": "A256GCM"}),
    "not compressed": lambda: jwe_by_hand(RIGHT_JWE | {"zip": "DEF"}, b"plain"),
}


@pytest.mark.parametrize("token", WRONG_JWES.values(), ids=WRONG_JWES)
def test_what_is_not_decrypted(token: Callable[[], str]) -> None:
    """Whatever is wrong, it is one error."""
    with pytest.raises(ValueError, match="the JWE cannot be decrypted"):
        decrypt(token(), SHOP_KEY)


# Certificates


@pytest.mark.parametrize("algorithm", CERTIFICATE_ALGORITHMS)
def test_certificate_algorithms(sandbox: Sandbox, caller: Caller, algorithm: str) -> None:
    """Each documented algorithm is believed, and no signature that was made with another."""
    right = Signer(algorithm=algorithm, sign=partial(with_key, algorithm=algorithm))
    for other in CERTIFICATE_ALGORITHMS:
        response = caller.call(right, method="GET", body=b"", header={"alg": other})
        assert (other, response.status_code) == (other, 200 if other == algorithm else 401)
    assert [received.reason for received in sandbox.received].count("the signature is wrong") == 5


def test_certificate_without_a_serial_number_in_its_subject(sandbox: Sandbox, caller: Caller) -> None:
    """Its id is the X.509 serial in decimal; where the subject has a serialNumber, that alone is the id."""
    assert caller.call(Signer(key_id=SHOP_X509_TEXT)).status_code == 200
    fresh = Sandbox()
    fresh.trust_certificate(SHOP, certificate(SHOP, SHOP_SERIAL))
    with fresh.running() as url, httpx.Client(base_url=url, trust_env=False) as http:
        assert Caller(http).call(Signer(key_id=SHOP_X509_TEXT)).status_code == 401
        assert Caller(http).call().status_code == 200


WRONG = "the signature is wrong"
PS256 = Signer(algorithm="PS256", sign=partial(with_key, algorithm="PS256"))
WRONG_PSS: dict[str, tuple[hashes.HashAlgorithm, Any]] = {
    "no salt": (hashes.SHA256(), 0),
    "salt of SHA-1's length": (hashes.SHA256(), 20),
    "salt as long as it can be": (hashes.SHA256(), PSS.MAX_LENGTH),
    "mask of another hash": (hashes.SHA1(), 32),
}
HS_WITH_CERTIFICATE = Signer(algorithm="HS256", sign=lambda message: hmac.digest(pem_of(SHOP_KEY), message, "sha256"))
BAD_SIGNERS: dict[str, tuple[Signer, dict[str, object], str]] = {
    "another key": (Signer(sign=partial(with_key, key=OTHER_KEY)), {}, WRONG),
    "signature cut short": (Signer(sign=lambda message: with_key(message)[:-1]), {}, WRONG),
    "no signature": (Signer(sign=lambda _: b""), {}, WRONG),
    **{
        name: (Signer(algorithm="PS256", sign=partial(with_pss, mask=mask, salt=salt)), {}, WRONG)
        for name, (mask, salt) in WRONG_PSS.items()
    },
    "public key as a secret": (HS_WITH_CERTIFICATE, {}, "alg is wrong"),
    "secret's algorithm": (SHARED_SECRET, {"kid": SHOP_SERIAL}, "alg is wrong"),
    "secret's id": (CERTIFICATE, {"kid": KEY_ID}, "alg is wrong"),
    "secret's id with PS256": (PS256, {"kid": META_ID}, "alg is wrong"),
    **{
        f"alg {algorithm}": (CERTIFICATE, {"alg": algorithm}, "alg is wrong")
        for algorithm in ("none", "rs256", "RS1", "ES256", "RSA-OAEP", ["RS256"], None)
    },
    "no alg": (CERTIFICATE, {"alg": ABSENT}, "alg is wrong"),
    "typ": (CERTIFICATE, {"typ": "at+jwt"}, "typ is wrong"),
    "no typ": (CERTIFICATE, {"typ": ABSENT}, "typ is wrong"),
    "crit": (CERTIFICATE, {"crit": ["exp"]}, "crit is wrong"),
    "unknown kid": (CERTIFICATE, {"kid": "1"}, "kid is wrong"),
    "kid as a number": (CERTIFICATE, {"kid": SHOP_X509_SERIAL}, "kid is wrong"),
    "X.509 serial in hex": (CERTIFICATE, {"kid": f"{SHOP_X509_SERIAL:x}"}, "kid is wrong"),
    "no kid": (CERTIFICATE, {"kid": ABSENT}, "kid is wrong"),
    "another owner's certificate": (CERTIFICATE, {"kid": META_SERIAL}, "iss is wrong"),
}


@pytest.mark.parametrize(("signer", "header", "reason"), BAD_SIGNERS.values(), ids=BAD_SIGNERS)
def test_bad_signers(sandbox: Sandbox, caller: Caller, signer: Signer, header: dict[str, object], reason: str) -> None:
    """Each fault in how a token is signed is enough for a 401; a kind of key has only its own algorithms."""
    assert_unauthenticated(sandbox, caller.call(signer, header=header), reason)


def test_the_signers_are_good(caller: Caller) -> None:
    """What the tables spoil is believed as it is."""
    for signer in (CERTIFICATE, PS256, SHARED_SECRET, META_SHARED_SECRET, META_CERTIFICATE):
        assert caller.call(signer).status_code == 200


BAD_CLAIMS: dict[str, tuple[dict[str, object], str]] = {
    **{
        f"no {name}": ({name: ABSENT}, f"{name} is wrong")
        for name in CERTIFICATE.claims("PATCH", PATH, CHANGE)
        if name not in ("iat", "exp", "jti")
    },
    "digest": ({"digest": digest(b"")}, "digest is wrong"),
    "digestAlgorithm": ({"digestAlgorithm": "sha-256"}, "digestAlgorithm is wrong"),
    "request-method": ({"request-method": "get"}, "request-method is wrong"),
    "request-host": ({"request-host": "example.com"}, "request-host is wrong"),
    "request-resource-path": ({"request-resource-path": "/"}, "request-resource-path is wrong"),
    "iss": ({"iss": MERCHANT_ID}, "iss is wrong"),
    "iss in capitals": ({"iss": SHOP.upper()}, "iss is wrong"),
    "v-c-merchant-id": ({"v-c-merchant-id": STORE}, "v-c-merchant-id is wrong"),
    "v-c-merchant-id in a list": ({"v-c-merchant-id": [SHOP]}, "v-c-merchant-id is wrong"),
    "v-c-jwt-version": ({"v-c-jwt-version": "1"}, "v-c-jwt-version is wrong"),
    "iat": ({"iat": ABSENT}, "iat or exp is not an integer"),
    "exp": ({"exp": ABSENT}, "iat or exp is not an integer"),
    "life": ({"exp": 2**40}, "exp is too far from iat"),
    "time": ({"iat": 1, "exp": 2}, "exp is in the past"),
    "jti": ({"jti": "1"}, "jti is not a UUID v4"),
}


@pytest.mark.parametrize(("claims", "reason"), BAD_CLAIMS.values(), ids=BAD_CLAIMS)
def test_bad_claims_with_a_certificate(
    sandbox: Sandbox, caller: Caller, claims: dict[str, object], reason: str
) -> None:
    """What a token claims must be as true with a certificate as with a shared secret."""
    assert_unauthenticated(sandbox, caller.call(claims=claims), reason)


def test_tokens_nested_too_deep(sandbox: Sandbox, caller: Caller) -> None:
    """A token that would break the JSON parser is a wrong token."""
    token = f"{part({'alg': 'RS256'})}.{part(b'[' * 5000)}.AA"
    response = caller.http.get(PATH, headers={"Authorization": f"Bearer {token}"})
    assert_unauthenticated(sandbox, response, "the token is not a compact JWS")


def test_jti_is_taken_once_by_whatever_key(sandbox: Sandbox, caller: Caller) -> None:
    """Keys do not have their own memories of what was seen; a reset clears the one that there is."""
    once = {"jti": str(uuid.uuid4())}
    assert caller.call(claims=once, body=b"{}").status_code == 200
    assert_unauthenticated(sandbox, caller.call(SHARED_SECRET, claims=once), "jti was seen before")
    sandbox.reset()
    assert caller.call(SHARED_SECRET, claims=once).status_code == 200


def test_keys_stay_trusted_over_a_reset(sandbox: Sandbox, caller: Caller) -> None:
    """A reset forgets no key, and brings back the default one if it was replaced."""
    before = sandbox.request_certificate
    sandbox.trust_secret(STORE, KEY_ID, META_SECRET)
    assert caller.call(SHARED_SECRET).status_code == 401
    sandbox.reset()
    assert sandbox.request_certificate == before
    for signer in (SHARED_SECRET, CERTIFICATE, META_SHARED_SECRET):
        assert caller.call(signer, claims={"v-c-response-mle-kid": RESPONSE_ID}).json().keys() == {"encryptedResponse"}


EC_KEY = ec.generate_private_key(ec.SECP256R1())
SMALL_KEY = rsa.generate_private_key(65537, 1024)
NOT_TRUSTED: dict[str, tuple[Callable[[Sandbox], None], str]] = {
    "name of another": (lambda it: it.trust_certificate(STORE, certificate(SHOP)), "is for shop, not for store"),
    "elliptic curve": (lambda it: it.trust_certificate(SHOP, certificate(SHOP, key=EC_KEY)), "not an RSA key of 2048"),
    "short key": (lambda it: it.trust_certificate(SHOP, certificate(SHOP, key=SMALL_KEY)), "not an RSA key of 2048"),
    "no certificate": (lambda it: it.trust_certificate(SHOP, pem_of(SHOP_KEY)), "PEM"),
    "no base64": (lambda it: it.trust_secret(SHOP, "a", "***="), "base64"),
    "elliptic curve for responses": (lambda it: it.trust_response_key("a", pem_of(EC_KEY)), "not an RSA key of 2048"),
    "short key for responses": (lambda it: it.trust_response_key("a", pem_of(SMALL_KEY)), "not an RSA key of 2048"),
}


@pytest.mark.parametrize(("trust", "reason"), NOT_TRUSTED.values(), ids=NOT_TRUSTED)
def test_what_cannot_be_trusted(trust: Callable[[Sandbox], None], reason: str) -> None:
    """A key that the service would not take is an error in the test that brings it."""
    with pytest.raises(ValueError, match=reason):
        trust(Sandbox())


def test_names_of_certificates_are_compared_without_case(sandbox: Sandbox, caller: Caller) -> None:
    """The owner of a certificate may be written in other letters than its CN; the claims have the owner's."""
    sandbox.trust_certificate("Kiosk", certificate("KIOSK", "kiosk-serial"))
    assert caller.call(Signer(key_id="kiosk-serial", issuer="Kiosk", merchant="Kiosk")).status_code == 200


# Meta keys


@pytest.mark.parametrize("signer", [META_SHARED_SECRET, META_CERTIFICATE], ids=["secret", "certificate"])
def test_meta_key(sandbox: Sandbox, caller: Caller, signer: Signer) -> None:
    """A portfolio speaks for its merchants, one at a time, and for nobody else, not even for itself."""
    assert caller.call(signer, body=b"{}").status_code == 200
    assert caller.call(signer, body=b"{}", claims={"v-c-merchant-id": STORE}).status_code == 200
    for merchant in (PORTFOLIO, MERCHANT_ID, SHOP.upper(), ABSENT):
        response = caller.call(signer, claims={"v-c-merchant-id": merchant})
        assert_unauthenticated(sandbox, response, "v-c-merchant-id is wrong")
    for issuer in (SHOP, MERCHANT_ID, ABSENT):
        assert_unauthenticated(sandbox, caller.call(signer, claims={"iss": issuer}), "iss is wrong")


# HTTP Signature


@dataclass(frozen=True)
class Signature:
    """Makes the headers of HTTP Signature; `signed`, `headers` and `parameters` are put over the right ones."""

    key_id: str = KEY_ID
    secret: bytes = base64.b64decode(SECRET)
    owner: str = MERCHANT_ID
    merchant: str = MERCHANT_ID
    method: str = "PATCH"
    body: bytes = CHANGE

    def headers(
        self,
        *,
        signed: Mapping[str, object] = {},
        headers: Mapping[str, object] = {},
        parameters: Mapping[str, object] = {},
    ) -> dict[str, str]:
        """Return what is to be sent. What is signed follows the headers, but for what is in `signed`."""
        right = {"Date": formatdate(usegmt=True), "v-c-merchant-id": self.merchant}
        right |= {"Digest": f"SHA-256={digest(self.body)}"} if self.body else {}
        sent = present(right | {"Content-Type": "application/json"} | dict(headers))
        lines = {"host": "127.0.0.1", "date": sent.get("Date"), "request-target": f"{self.method.lower()} {PATH}"}
        lines |= ({"digest": sent.get("Digest")} if self.body else {}) | {"v-c-merchant-id": self.owner}
        return {"Signature": self.signature(present(lines | dict(signed)), parameters)} | sent

    def signature(self, lines: Mapping[str, object], parameters: Mapping[str, object]) -> str:
        """Return the Signature header."""
        message = "\n".join(f"{name}: {value}" for name, value in lines.items())
        signature = base64.b64encode(hmac.digest(self.secret, message.encode(), "sha256")).decode()
        right = {"keyid": self.key_id, "algorithm": "HmacSHA256", "headers": " ".join(lines), "signature": signature}
        return ", ".join(f'{name}="{value}"' for name, value in present(right | dict(parameters)).items())

    def send(self, http: httpx.Client, **spoilt: Mapping[str, object]) -> httpx.Response:
        """Call with a good signature, but for what is spoilt."""
        return http.request(self.method, PATH, content=self.body, headers=self.headers(**spoilt))


META_SIGNATURE = Signature(META_ID, base64.b64decode(META_SECRET), PORTFOLIO, SHOP)
READ = Signature(method="GET", body=b"")


def test_worked_example_of_http_signature(sandbox: Sandbox, caller: Caller) -> None:
    """The signing string of a PATCH, written out."""
    date = formatdate(usegmt=True)
    digest_ = "SHA-256=qbJ91/2sSzHAEKE/Hrh/OoWkOTweI4ZxOTobTarrlkQ="
    message = (
        f"host: 127.0.0.1\ndate: {date}\nrequest-target: patch /tms/v2/customers/F2F3ADA770102B51E053A2598D0A9078\n"
        f"digest: {digest_}\nv-c-merchant-id: testrest"
    )
    signature = base64.b64encode(hmac.digest(bytes(range(32)), message.encode(), "sha256")).decode()
    headers = {
        "Date": date,
        "Digest": digest_,
        "v-c-merchant-id": "testrest",
        "Content-Type": "application/json",
        "Signature": 'keyid="08c94330-f618-42a3-b09d-e1e43be5efda", algorithm="HmacSHA256", '
        f'headers="host date request-target digest v-c-merchant-id", signature="{signature}"',
    }
    assert caller.http.patch(PATH, content=CHANGE, headers=headers).status_code == 200
    [received] = sandbox.received
    assert (received.authenticated, received.claims, received.plain, received.encrypted) == (True, {}, CHANGE, False)


@pytest.mark.parametrize("signature", [Signature(), READ, META_SIGNATURE], ids=["patch", "get", "meta key"])
def test_good_http_signatures(sandbox: Sandbox, caller: Caller, signature: Signature) -> None:
    """What the tables spoil is believed as it is, and again: there is nothing in it to use up."""
    for _ in range(2):
        assert signature.send(caller.http).status_code == 200
    assert (sandbox.customer() == page_customer()) is (signature is READ)


def off(seconds: int) -> dict[str, object]:
    """Return a Date header that is some seconds off."""
    return {"headers": {"Date": formatdate(time.time() + seconds, usegmt=True)}}


def date_as(form: str) -> dict[str, object]:
    """Return today's Date header in another form."""
    return {"headers": {"Date": datetime.now(UTC).strftime(form)}}


NO_DATE, NO_FORM = "date is not an HTTP date", "signature is not made as documented"
FORMAT = "%a, %d %b %Y %H:%M:%S GMT"
BAD_SIGNATURES: dict[str, tuple[Signature, Callable[[], dict[str, Any]], str]] = {
    "another key": (Signature(secret=b"other"), dict, WRONG),
    "key not decoded": (Signature(secret=SECRET.encode()), dict, WRONG),
    "unknown keyid": (Signature(key_id="x"), dict, "keyid is wrong"),
    "certificate's keyid": (Signature(key_id=SHOP_SERIAL, owner=SHOP, merchant=SHOP), dict, "keyid is wrong"),
    "another merchant": (Signature(merchant=SHOP), dict, "v-c-merchant-id is wrong"),
    "merchant signed for": (Signature(owner=SHOP), dict, WRONG),
    "meta key for itself": (
        Signature(META_ID, base64.b64decode(META_SECRET), PORTFOLIO, PORTFOLIO),
        dict,
        "v-c-merchant-id is wrong",
    ),
    "meta key that signs the merchant": (
        Signature(META_ID, base64.b64decode(META_SECRET), SHOP, SHOP),
        dict,
        WRONG,
    ),
    **{
        f"{name} signed {value}": (Signature(), partial(dict, signed={name: value}), WRONG)
        for name, value in {
            "host": "example.com",
            "date": "",
            "request-target": f"PATCH {PATH}",
            "digest": digest(CHANGE),
            "v-c-merchant-id": MERCHANT_ID.upper(),
        }.items()
    },
    "path": (Signature(), lambda: {"signed": {"request-target": f"patch {PATH}/"}}, WRONG),
    "one line less": (Signature(), lambda: {"signed": {"host": ABSENT}}, "headers is wrong"),
    "one line more": (Signature(), lambda: {"signed": {"accept": "*/*"}}, "headers is wrong"),
    "no digest line": (Signature(), lambda: {"signed": {"digest": ABSENT}}, "headers is wrong"),
    "digest line without a body": (READ, lambda: {"signed": {"digest": "SHA-256="}}, "headers is wrong"),
    "digest without a body": (
        READ,
        lambda: {"headers": {"Digest": f"SHA-256={digest(b'')}"}},
        "digest is there without a body",
    ),
    "another order": (
        Signature(),
        lambda: {"parameters": {"headers": "date host request-target digest v-c-merchant-id"}},
        "headers is wrong",
    ),
    "(request-target)": (
        Signature(),
        lambda: {"parameters": {"headers": "host date (request-target) digest v-c-merchant-id"}},
        "headers is wrong",
    ),
    "algorithm": (Signature(), lambda: {"parameters": {"algorithm": "hmac-sha256"}}, "algorithm is wrong"),
    "no algorithm": (Signature(), lambda: {"parameters": {"algorithm": ABSENT}}, NO_FORM),
    "no keyid": (Signature(), lambda: {"parameters": {"keyid": ABSENT}}, NO_FORM),
    "one parameter more": (Signature(), lambda: {"parameters": {"created": "1"}}, NO_FORM),
    "no signature": (Signature(), lambda: {"parameters": {"signature": ""}}, WRONG),
    "empty": (Signature(), lambda: {"headers": {"Signature": ""}}, NO_FORM),
    "digest of another body": (
        Signature(),
        lambda: {"headers": {"Digest": f"SHA-256={digest(b'')}"}},
        "digest is wrong",
    ),
    "digest without its algorithm": (Signature(), lambda: {"headers": {"Digest": digest(CHANGE)}}, "digest is wrong"),
    **{
        f"no {name}": (Signature(), partial(dict, headers={name: ABSENT}), f"{name.lower()} is not there once")
        for name in ("Date", "Digest", "v-c-merchant-id")
    },
    "date long ago": (Signature(), partial(off, -310), "date is not of now"),
    "date far ahead": (Signature(), partial(off, 360), "date is not of now"),
    "ISO date": (Signature(), partial(date_as, "%Y-%m-%dT%H:%M:%SZ"), NO_DATE),
    "no zone": (Signature(), partial(date_as, FORMAT.removesuffix(" GMT")), NO_DATE),
    "UTC by its number": (Signature(), partial(date_as, FORMAT.replace("GMT", "+0000")), NO_DATE),
    "small letters": (Signature(), lambda: {"headers": {"Date": formatdate(usegmt=True).lower()}}, NO_DATE),
    "another weekday": (
        Signature(),
        lambda: {"headers": {"Date": f"{formatdate(time.time() + 86400)[:3]}{formatdate(usegmt=True)[3:]}"}},
        NO_DATE,
    ),
}


@pytest.mark.parametrize(("signature", "spoilt", "reason"), BAD_SIGNATURES.values(), ids=BAD_SIGNATURES)
def test_bad_http_signatures(
    sandbox: Sandbox, caller: Caller, signature: Signature, spoilt: Callable[[], dict[str, Any]], reason: str
) -> None:
    """Each fault is enough for a 401."""
    assert_unauthenticated(sandbox, signature.send(caller.http, **spoilt()), reason)


@pytest.mark.parametrize("seconds", [-290, 290])
def test_dates_that_are_near(caller: Caller, seconds: int) -> None:
    """A clock may be wrong by some minutes."""
    assert Signature().send(caller.http, **off(seconds)).status_code == 200  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["Date", "Digest", "v-c-merchant-id", "Signature"])
def test_headers_of_http_signature_come_once(sandbox: Sandbox, caller: Caller, name: str) -> None:
    """Of two headers one would not be what was signed."""
    headers = Signature().headers()
    response = caller.http.patch(PATH, content=CHANGE, headers=[*headers.items(), (name, headers[name])])
    assert_unauthenticated(sandbox, response, f"{name.lower()} is not there once")


def test_host_of_http_signature_has_no_port(sandbox: Sandbox, caller: Caller) -> None:
    """The host is signed as in a token: bare."""
    response = Signature().send(caller.http, signed={"host": caller.http.base_url.netloc.decode()})
    assert_unauthenticated(sandbox, response, "the signature is wrong")


def test_host_of_http_signature_may_be_the_environments(caller: Caller) -> None:
    """A client that is sent here by its base URL signs for the service."""
    for host in ("apitest.cybersource.com", "api.in.cybersource.com"):
        assert Signature().send(caller.http, signed={"host": host}).status_code == 200


def test_body_of_http_signature_is_exact(sandbox: Sandbox, caller: Caller) -> None:
    """The digest is of the bytes that were sent, not of the JSON that they mean."""
    response = caller.http.patch(PATH, content=CHANGE + b" ", headers=Signature().headers())
    assert_unauthenticated(sandbox, response, "digest is wrong")


@pytest.mark.parametrize(
    "content", [{"encryptedRequest": "x"}, {"encryptedRequest": 1, "buyerInformation": {}}], ids=str
)
def test_http_signature_takes_no_encryption(sandbox: Sandbox, caller: Caller, content: dict[str, object]) -> None:
    """Message-level encryption needs a token; with a right signature it is a 401 all the same."""
    response = Signature(body=json.dumps(content).encode()).send(caller.http)
    assert_unauthenticated(sandbox, response, "an encrypted request needs a token")


# Encrypted requests


def own(sandbox: Sandbox) -> x509.Certificate:
    """Return the certificate to encrypt for."""
    return x509.load_pem_x509_certificate(sandbox.request_certificate)


def own_key_id(sandbox: Sandbox) -> str:
    """Return the subject serialNumber of the certificate to encrypt for."""
    [attribute] = own(sandbox).subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)
    return str(attribute.value)


def jwe(sandbox: Sandbox, payload: bytes = CHANGE, header: Mapping[str, object] = {}) -> str:
    """Encrypt for the sandbox; `header` is put over the right one."""
    key = own(sandbox).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    right = {"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": own_key_id(sandbox), "iat": int(time.time())}
    return encrypt(payload, key, present(right | dict(header)))


def wrapped(token: object, **others: object) -> bytes:
    """Return the body around a token."""
    return json.dumps({"encryptedRequest": token, **others}).encode()


def test_certificate_for_requests(sandbox: Sandbox) -> None:
    """It is named as documented, valid now, and its own; its two serial numbers differ."""
    certificate_ = own(sandbox)
    [name] = certificate_.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert name.value == "CyberSource_SJC_US"
    certificate_.verify_directly_issued_by(certificate_)
    assert certificate_.not_valid_before_utc < datetime.now(UTC) < certificate_.not_valid_after_utc
    assert str(certificate_.serial_number) != own_key_id(sandbox)
    assert sandbox.request_certificate == sandbox.request_certificate != Sandbox().request_certificate


@pytest.mark.parametrize(
    "signer", [CERTIFICATE, SHARED_SECRET, META_SHARED_SECRET, META_CERTIFICATE], ids=lambda signer: signer.key_id
)
def test_encrypted_request(sandbox: Sandbox, caller: Caller, signer: Signer) -> None:
    """What was encrypted is applied; what was on the wire is what was signed, and both are kept."""
    body = wrapped(jwe(sandbox))
    response = caller.call(signer, body=body)
    assert (response.status_code, response.json()) == (200, sandbox.customer())
    assert sandbox.customer()["buyerInformation"]["email"] == "new@example.com"
    [received] = sandbox.received
    assert (received.body, received.plain, received.encrypted) == (body, CHANGE, True)
    assert received.claims["digest"] == digest(body)


def test_plain_request(sandbox: Sandbox, caller: Caller) -> None:
    """A plain body is what it is, whether it is believed, refused or not JSON."""
    for body in (CHANGE, b"[", b""):
        caller.call(body=body)
        caller.call(body=body, claims={"iss": "x"})
    assert [received.plain for received in sandbox.received] == [CHANGE, CHANGE, b"[", b"[", b"", b""]
    assert not [received for received in sandbox.received if received.encrypted]


def test_digest_is_over_the_encrypted_bytes(sandbox: Sandbox, caller: Caller) -> None:
    """The digest of the plain text is wrong, and what is not believed is not decrypted."""
    body = wrapped(jwe(sandbox))
    assert_unauthenticated(sandbox, caller.call(body=body, claims={"digest": digest(CHANGE)}), "digest is wrong")
    assert (sandbox.received[0].plain, sandbox.received[0].encrypted) == (body, False)


def test_encrypted_request_is_read_whatever_the_response(sandbox: Sandbox, caller: Caller) -> None:
    """A test can look at what was sent also when a fault made the response."""
    sandbox.fail(Fault(status=503))
    assert caller.call(body=wrapped(jwe(sandbox))).status_code == 503
    assert (sandbox.received[0].plain, sandbox.received[0].encrypted) == (CHANGE, True)
    assert sandbox.customer() == page_customer()


@pytest.mark.parametrize(
    ("plain", "kind"), [(b"{", "invalidRequest"), (b"[]", "invalidRequest"), (b'{"id": "x"}', "invalidFields")]
)
def test_what_was_encrypted_is_checked(sandbox: Sandbox, caller: Caller, plain: bytes, kind: str) -> None:
    """The rules for a patch are those for its plain text."""
    response = caller.call(body=wrapped(jwe(sandbox, plain)))
    assert (response.status_code, response.json()["errors"][0]["type"]) == (400, kind)
    assert (sandbox.received[0].plain, sandbox.received[0].encrypted) == (plain, True)


def with_part(token: str, index: int, change: Callable[[bytes], bytes]) -> str:
    """Change one part of a token."""
    parts = token.split(".")
    parts[index] = part(change(decode(parts[index])))
    return ".".join(parts)


def with_header(token: str, header: bytes) -> str:
    """Put another header before what is encrypted."""
    return with_part(token, 0, lambda _: header)


def with_longer_tag(token: str) -> str:
    """Move a byte from the ciphertext to the tag: put together again, they are as they were."""
    last = decode(token.split(".")[3])[-1:]
    return with_part(with_part(token, 3, lambda raw: raw[:-1]), 4, lambda raw: last + raw)


def for_another(sandbox: Sandbox) -> str:
    """Encrypt for another key under the right key's id."""
    header = {"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": own_key_id(sandbox), "iat": int(time.time())}
    return encrypt(CHANGE, OTHER_KEY.public_key(), header)


def flipped(raw: bytes) -> bytes:
    """Change one bit."""
    return bytes([raw[0] ^ 1]) + raw[1:]


UNREADABLE, UNTIMELY = "the JWE cannot be decrypted", "iat of encryptedRequest is not of now"
NOT_JSON, NO_OBJECT = "the JWE's header is not JSON", "the JWE's header is not a JSON object"
NOT_TEXT: list[object] = [None, 1, [], {"ciphertext": "x"}]
BAD_TOKENS: dict[str, tuple[Callable[[Sandbox], object], str]] = {
    "another key": (for_another, UNREADABLE),
    "another header": (
        lambda it: with_header(jwe(it), decode(jwe(it, header={"x": 1}).partition(".")[0])),
        UNREADABLE,
    ),
    **{
        f"{name} changed": (partial(lambda it, index: with_part(jwe(it), index, flipped), index=index), UNREADABLE)
        for index, name in [(1, "key"), (2, "nonce"), (3, "ciphertext"), (4, "tag")]
    },
    **{
        f"{name} empty": (partial(lambda it, index: with_part(jwe(it), index, lambda _: b""), index=index), UNREADABLE)
        for index, name in [(1, "key"), (2, "nonce"), (3, "ciphertext"), (4, "tag")]
    },
    "tag too long": (lambda it: with_longer_tag(jwe(it)), UNREADABLE),
    "four parts": (lambda it: jwe(it).rpartition(".")[0], UNREADABLE),
    "six parts": (lambda it: jwe(it) + ".", UNREADABLE),
    "padded": (lambda it: jwe(it) + "==", UNREADABLE),
    "alg": (lambda it: jwe(it, header={"alg": "RSA-OAEP"}), "alg of encryptedRequest is wrong"),
    "enc": (lambda it: jwe(it, header={"enc": "A128GCM"}), "enc of encryptedRequest is wrong"),
    "zip": (lambda it: jwe(it, header={"zip": "DEF"}), "zip of encryptedRequest is wrong"),
    "crit": (lambda it: jwe(it, header={"crit": ["iat"]}), "crit of encryptedRequest is wrong"),
    "no kid": (lambda it: jwe(it, header={"kid": ABSENT}), "kid of encryptedRequest is wrong"),
    "X.509 serial": (
        lambda it: jwe(it, header={"kid": str(own(it).serial_number)}),
        "kid of encryptedRequest is wrong",
    ),
    "kid of a response": (lambda it: jwe(it, header={"kid": RESPONSE_ID}), "kid of encryptedRequest is wrong"),
    "no iat": (lambda it: jwe(it, header={"iat": ABSENT}), UNTIMELY),
    "iat as text": (lambda it: jwe(it, header={"iat": str(int(time.time()))}), UNTIMELY),
    "iat as a float": (lambda it: jwe(it, header={"iat": time.time()}), UNTIMELY),
    "iat as a bool": (lambda it: jwe(it, header={"iat": True}), UNTIMELY),
    "iat in milliseconds": (lambda it: jwe(it, header={"iat": int(time.time() * 1000)}), UNTIMELY),
    "old": (lambda it: jwe(it, header={"iat": int(time.time()) - 310}), UNTIMELY),
    "ahead": (lambda it: jwe(it, header={"iat": int(time.time()) + 30}), UNTIMELY),
    "empty": (lambda _: "", NOT_JSON),
    "no base64": (lambda it: f"*{jwe(it)}", NOT_JSON),
    "header that is not JSON": (lambda it: with_header(jwe(it), b"x"), NOT_JSON),
    "header nested too deep": (lambda _: part(b"[" * 100_000), NOT_JSON),
    "header that is a list": (lambda _: part([1]), NO_OBJECT),
    "a JWS": (lambda _: CERTIFICATE.token({}), "alg of encryptedRequest is wrong"),
    **{
        f"{token!r}": (partial(lambda _, token: token, token=token), "encryptedRequest is not text, or not alone")
        for token in NOT_TEXT
    },
}


@pytest.mark.parametrize(("token", "reason"), BAD_TOKENS.values(), ids=BAD_TOKENS)
def test_bad_encryption(sandbox: Sandbox, caller: Caller, token: Callable[[Sandbox], object], reason: str) -> None:
    """Each fault in the token is enough for a 400, and leaves the body as it came."""
    body = wrapped(token(sandbox))
    assert_refused(sandbox, caller.call(body=body), reason)
    assert (sandbox.received[0].plain, sandbox.received[0].encrypted) == (body, False)


def test_encryption_comes_alone(sandbox: Sandbox, caller: Caller) -> None:
    """Nothing may stand in plain text beside what is encrypted."""
    response = caller.call(body=wrapped(jwe(sandbox), buyerInformation={}))
    assert_refused(sandbox, response, "encryptedRequest is not text, or not alone")


@pytest.mark.parametrize("seconds", [-240, 0, 3])
def test_times_of_encryption_that_are_near(sandbox: Sandbox, caller: Caller, seconds: int) -> None:
    """Some minutes may pass between encrypting and sending; a clock may be slightly ahead."""
    token = jwe(sandbox, header={"iat": int(time.time()) + seconds})
    assert caller.call(body=wrapped(token)).status_code == 200


def test_encryption_that_is_required(sandbox: Sandbox, caller: Caller) -> None:
    """A plain patch is refused, a plain read is not, until a reset."""
    assert sandbox.requires_encryption is False
    sandbox.requires_encryption = True
    for body in (CHANGE, b""):
        assert_refused(sandbox, caller.call(body=body), "the body is not encrypted")
    assert_refused(sandbox, Signature().send(caller.http), "the body is not encrypted")
    assert caller.call(method="GET", body=b"").status_code == 200
    assert caller.call(body=wrapped(jwe(sandbox))).status_code == 200
    sandbox.reset()
    assert caller.call().status_code == 200


# Encrypted responses

ASKED = {"v-c-response-mle-kid": RESPONSE_ID}


def decrypted_response(response: httpx.Response) -> Any:
    """Return the JSON that is encrypted in a response, once its make is as documented."""
    assert response.headers["content-type"] == "application/json;charset=utf-8"
    assert {*response.headers} >= {"v-c-correlation-id", "uniquetransactionid"}
    [(name, token)] = response.json().items()
    header, payload = decrypt(token, OTHER_KEY)
    iat = header.pop("iat")
    assert (name, header) == ("encryptedResponse", {"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": RESPONSE_ID})
    assert (type(iat), abs(iat - time.time()) < 60) == (int, True)
    return json.loads(payload)


def test_encrypted_response(sandbox: Sandbox, caller: Caller) -> None:
    """A token asks for an encrypted response to a read, a plain patch and an encrypted one; the ETag is plain."""
    for method, body in [("GET", b""), ("PATCH", CHANGE), ("PATCH", wrapped(jwe(sandbox)))]:
        response = caller.call(method=method, body=body, claims=ASKED)
        assert (response.status_code, response.headers["etag"]) == (200, sandbox.etag())
        assert decrypted_response(response) == sandbox.customer()


ENCRYPTED_ERRORS: dict[str, tuple[dict[str, Any], int, str]] = {
    "no such token": ({"path": "/tms/v2/customers/A"}, 404, "notFound"),
    "wrong field": ({"body": b'{"id": ""}'}, 400, "invalidFields"),
    "ETag of before": ({"headers": {"if-match": "x"}}, 412, "conflict"),
    "cannot be decrypted": ({"body": wrapped("x")}, 400, "invalidRequest"),
    "no such method": ({"method": "DELETE", "body": b""}, 405, "methodNotAllowed"),
}


@pytest.mark.parametrize(("request_", "status", "kind"), ENCRYPTED_ERRORS.values(), ids=ENCRYPTED_ERRORS)
def test_encrypted_errors(caller: Caller, request_: dict[str, Any], status: int, kind: str) -> None:
    """Errors are encrypted as any response."""
    response = caller.call(claims=ASKED, **request_)
    assert (response.status_code, decrypted_response(response)["errors"][0]["type"]) == (status, kind)


def test_responses_that_are_never_encrypted(sandbox: Sandbox, caller: Caller) -> None:
    """A client that is not authenticated gets plain JSON; a fault's response is what the fault says."""
    assert_unauthenticated(sandbox, caller.call(claims=ASKED | {"iss": "x"}), "iss is wrong")
    sandbox.fail(Fault(status=500, body=b"{}", applied=True))
    assert caller.call(claims=ASKED).content == b"{}"


@pytest.mark.parametrize("key_id", ["x", "", None, 1, [RESPONSE_ID], RESPONSE_ID.upper()], ids=str)
def test_unknown_key_for_responses(sandbox: Sandbox, caller: Caller, key_id: object) -> None:
    """A response that cannot be encrypted as it was asked for is a refusal in plain JSON."""
    response = caller.call(claims={"v-c-response-mle-kid": key_id})
    assert_refused(sandbox, response, "v-c-response-mle-kid is unknown")


def test_key_for_responses_by_a_number(sandbox: Sandbox, caller: Caller) -> None:
    """An id is text: the number that looks like it is another, and its refusal is in plain JSON too."""
    sandbox.trust_response_key("7", pem_of(OTHER_KEY))
    assert_refused(sandbox, caller.call(claims={"v-c-response-mle-kid": 7}), "v-c-response-mle-kid is unknown")
