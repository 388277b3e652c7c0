"""Keys and certificates of credentials: what is taken from a P12 or PEM, and what is refused at once."""

import ssl
import warnings
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from cybersource_tms import CertificateAuth
from cybersource_tms.errors import InvalidRequest
from support.keys import (
    DAY,
    PASSWORD,
    SERIAL,
    X509_TEXT,
    certificate,
    ec_key,
    key_pem,
    p12,
    p12_without_key,
    pem,
    public_pem,
    rsa_key,
    service_certificate,
    written,
)
from support.p12_writer import Encoded, run, write_p12
from support.tokens import OWNER, certificate_auth, header_of

HOUR = timedelta(hours=1)

# A key and a certificate on secp112r1, a curve that `cryptography` does not know.
OTHER_CURVE_KEY = b"""-----BEGIN PRIVATE KEY-----
ME4CAQAwEAYHKoZIzj0CAQYFK4EEAAYENzA1AgEBBA6SJEayYXAGAOKU+pBpv6Eg
Ax4ABG05bzXCCVVpx1tM1XzQR7o6vIj0HXce9FU62go=
-----END PRIVATE KEY-----
"""
OTHER_CURVE_CERTIFICATE = b"""-----BEGIN CERTIFICATE-----
MIIBMDCB/KADAgECAhRGGUSVklagfGsOA3YEbHrdpnzwDTAKBggqhkjOPQQDAjAT
MREwDwYDVQQDDAhtZXJjaGFudDAgFw0yNjExMjIyMjExMDJaGA8yMTI2MTAyOTIy
MTEwMlowEzERMA8GA1UEAwwIbWVyY2hhbnQwMjAQBgcqhkjOPQIBBgUrgQQABgMe
AARtOW81wglVacdbTNV80Ee6OryI9B13HvRVOtoKo1MwUTAdBgNVHQ4EFgQUGCRf
y0k+ojRuwFxtnk+hsPmu4QcwHwYDVR0jBBgwFoAUGCRfy0k+ojRuwFxtnk+hsPmu
4QcwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgMjADAgAg53kdIbBY4KQHc4
r1vjrwIOXhbhtKzjwkoQL1egn+s=
-----END CERTIFICATE-----
"""


def of_p12(*certificates: x509.Certificate, **options: Any) -> CertificateAuth:
    """Make credentials of a P12 that has these certificates and the merchant's key."""
    return CertificateAuth.from_p12(p12(*certificates), PASSWORD, **({"merchant_id": OWNER} | options))


@pytest.mark.parametrize(("owner", "position"), [("merchant", 0), ("MERCHANT", 1), ("MerChant", 2)])
def test_the_certificate_is_found_by_its_name(owner: str, position: int) -> None:
    """Among several the one with the merchant's name is taken, wherever it stands and however it is capitalised."""
    others = [certificate("merchant2", rsa_key("other"), "another"), service_certificate()]
    several = [*others[:position], certificate(owner), *others[position:]]
    assert header_of(certificate_auth(certificate=pem(*several)))["kid"] == SERIAL
    own = several.pop(position)
    assert header_of(of_p12(own, *several))["kid"] == SERIAL
    assert header_of(certificate_auth(certificate=pem(own), merchant_id="mErChAnT"))["kid"] == SERIAL


def test_the_portfolio_s_certificate() -> None:
    """With a meta key the certificate is the portfolio's, also where there is one of the merchant."""
    both = certificate("portfolio", serial="meta"), certificate(OWNER)
    assert header_of(of_p12(*both, portfolio_id="portfolio"))["kid"] == "meta"
    assert header_of(certificate_auth(certificate=pem(*both), portfolio_id="portfolio"))["kid"] == "meta"


# Refused


def damaged(whole: x509.Certificate, old: bytes, new: bytes) -> bytes:
    """Return a certificate in PEM with other bytes in the place of some."""
    return ssl.DER_cert_to_PEM_cert(whole.public_bytes(Encoding.DER).replace(old, new)).encode()


BAD_PEM: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
    "another's key": ("private_key: ", lambda: {"private_key": key_pem(rsa_key("other"))}),
    "no certificate for the merchant": (
        "certificate: no certificate has the common name of the merchant .* there: merchant2, CyberSource",
        lambda: {"certificate": pem(certificate("merchant2"), service_certificate())},
    ),
    "no certificate for the portfolio": (
        "certificate: no certificate .*: merchant$",
        lambda: {"portfolio_id": "portfolio"},
    ),
    "hostile names": (
        "certificate: .*: J.rg .*, y{64}$",
        lambda: {"certificate": pem(certificate("J\xf6rg \x1b[2J\u202e\nok"), certificate("y" * 64))},
    ),
    "key that is garbage": ("private_key: ", lambda: {"private_key": b"garbage"}),
    "key with a password": (
        "private_key: .*password",
        lambda: {"private_key": key_pem(rsa_key(), BestAvailableEncryption(b"x"))},
    ),
    "public key": ("private_key: ", lambda: {"private_key": public_pem(rsa_key())}),
    "no key": ("private_key, sign: give one", lambda: {"private_key": None}),
    "key and signer": ("private_key, sign: give one", lambda: {"sign": bytes, "private_key": b""}),
    "key as text": ("private_key: ", lambda: {"private_key": key_pem(rsa_key()).decode()}),
    "elliptic key": ("private_key: .*RSA", lambda: {"private_key": key_pem(ec_key())}),
    "key of an unknown curve": ("private_key: ", lambda: {"private_key": OTHER_CURVE_KEY}),
    "short key": (
        "private_key: .*2048",
        lambda: {
            "private_key": key_pem(rsa_key(bits=1024)),
            "certificate": pem(certificate(OWNER, rsa_key(bits=1024))),
        },
    ),
    "certificate of a short key": (
        "certificate: .*2048",
        lambda: {"certificate": pem(certificate(OWNER, rsa_key(bits=1024)))},
    ),
    "certificate of an unknown curve": ("certificate: ", lambda: {"certificate": OTHER_CURVE_CERTIFICATE}),
    "certificate whose subject is damaged": (
        "certificate: ",
        lambda: {"certificate": damaged(certificate(OWNER, serial="ZZZZ"), b"ZZZZ", b"\xfc" * 4)},
    ),
    "certificate with a negative serial number": (
        "certificate: .*no key id",
        lambda: {"certificate": damaged(certificate(OWNER, serial=None), b"20261122", b"\xff0261122")},
    ),
    "no certificate": ("certificate: ", lambda: {"certificate": None}),
    "key for certificate": ("certificate: ", lambda: {"certificate": key_pem(rsa_key())}),
    **{
        f"algorithm {each!r}": ("algorithm: .*RS256", partial(dict, algorithm=each))
        for each in ("HS256", "none", "RS256 ", None, ["RS256"])
    },
    "merchant empty": ("merchant_id: ", lambda: {"merchant_id": ""}),
}


@pytest.mark.parametrize(("match", "options"), BAD_PEM.values(), ids=BAD_PEM)
def test_bad_pem(match: str, options: Callable[[], dict[str, Any]]) -> None:
    """What is wrong is refused when the credentials are made, by name."""
    with pytest.raises(InvalidRequest, match=f"(?m)^{match}"):
        certificate_auth(**options())


BAD_P12: dict[str, tuple[str, Callable[[], bytes]]] = {
    "no key": ("path: .*key", lambda: p12_without_key([certificate(OWNER)])),
    "no key beside a certificate that is none": (
        "path: the P12 holds no private RSA key",
        lambda: write_p12([], [Encoded(b"none")]),
    ),
    "elliptic key": ("path: .*RSA", lambda: p12(certificate(OWNER, ec_key()), key=ec_key())),
    "no certificate": ("path: .* those that are there: none$", lambda: p12(None)),
    "no certificate for the merchant": ("path: .*: merchant2$", lambda: p12(certificate("merchant2"))),
    "another's key": (
        "path: .*does not belong",
        lambda: p12(certificate("other", rsa_key("other")), certificate(OWNER), key=rsa_key("other")),
    ),
}


@pytest.mark.parametrize(("match", "content"), BAD_P12.values(), ids=BAD_P12)
def test_bad_p12(match: str, content: Callable[[], bytes]) -> None:
    """A P12 that does not have what it should is refused when the credentials are made."""
    with pytest.raises(InvalidRequest, match=f"(?m)^{match}"):
        CertificateAuth.from_p12(content(), PASSWORD, merchant_id=OWNER)


# The end of a certificate

# When the merchant's certificate ends, and for how many of them there is a warning.
ENDS = [(HOUR, 1), (30 * DAY - HOUR, 1), (30 * DAY + HOUR, 0), (3650 * DAY, 0)]


@pytest.mark.parametrize(("ends", "count"), ENDS, ids=str)
@pytest.mark.parametrize("source", ["PEM", "P12"])
def test_a_certificate_that_ends_soon(source: str, ends: timedelta, count: int) -> None:
    """A UserWarning, for the caller's line, says when it ends, if that is within 30 days and it is the merchant's."""
    several, key = (certificate(OWNER, ends=ends), certificate("other", rsa_key("other"), ends=DAY)), key_pem(rsa_key())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if source == "PEM":
            CertificateAuth(private_key=key, certificate=pem(*several), merchant_id=OWNER)
        else:
            of_p12(*several)
    date = f"{several[0].not_valid_after_utc:%Y-%m-%d}"
    said = [(each.category, each.filename, date in str(each.message)) for each in caught]
    assert said == [(UserWarning, __file__, True)] * count


# Which of several certificates

CANDIDATES: dict[str, Callable[[], x509.Certificate]] = {
    "right": lambda: certificate(OWNER, serial="right", ends=100 * DAY),
    "another key's": lambda: certificate(OWNER, rsa_key("other"), "other", ends=900 * DAY),
    "next": lambda: certificate(OWNER, serial="next", starts=DAY, ends=800 * DAY),
    "last": lambda: certificate(OWNER, serial="last", starts=-800 * DAY, ends=-DAY),
    "shorter": lambda: certificate(OWNER, serial="shorter", ends=40 * DAY),
}
ORDERS = [[*CANDIDATES][turn:] + [*CANDIDATES][:turn] for turn in range(len(CANDIDATES))]


@pytest.mark.parametrize("order", ORDERS, ids=",".join)
def test_which_certificate(order: list[str]) -> None:
    """It is the private key's own, valid now, and of those the last to expire, wherever it stands."""
    several = [CANDIDATES[name]() for name in order]
    assert header_of(certificate_auth(certificate=pem(*several)))["kid"] == "right"
    content = write_p12([rsa_key()], several)
    assert header_of(CertificateAuth.from_p12(content, PASSWORD, merchant_id=OWNER))["kid"] == "right"


@pytest.mark.parametrize(("name", "reason"), [("next", "is not valid before"), ("last", "expired on")])
def test_no_certificate_that_is_valid_now(name: str, reason: str) -> None:
    """The message is about the key's own certificate, and not about a valid one of another key."""
    with pytest.raises(InvalidRequest, match=rf"^certificate: the certificate of merchant {reason} \d{{4}}-"):
        certificate_auth(certificate=pem(CANDIDATES["another key's"](), CANDIDATES[name]()))


# Key ids

# As in a file of CyberSource's: 22 bytes, more than RFC 5280 section 4.1.2.2 allows, so openssl has to write them.
DIGITS, DIGITS_IN_HEX = "1757695744950028980655", "0x31373537363935373434393530303238393830363535"


def openssl(folder: Path, *options: str) -> bytes:
    """Let openssl make a certificate of the merchant's key."""
    key = str(written(folder, key_pem(rsa_key()), "key.pem"))
    return run("openssl", "req", "-x509", "-new", "-key", key, "-subj", "/CN=merchant", "-days", "300", *options)


def test_key_id(tmp_path: Path) -> None:
    """It is the subject's serialNumber; without one it is the text that the X.509 serial number's bytes are."""
    expected = {"alg": "RS256", "kid": SERIAL, "typ": "JWT"}
    assert header_of(certificate_auth()) == header_of(of_p12(certificate(OWNER))) == expected
    assert header_of(certificate_auth(certificate=pem(certificate(OWNER, serial=None))))["kid"] == X509_TEXT
    assert header_of(certificate_auth(certificate=openssl(tmp_path, "-set_serial", DIGITS_IN_HEX)))["kid"] == DIGITS


@pytest.mark.parametrize("serial", [1, 0x3137353A, 0x2B31, 0xB931, 0x31323300], ids=hex)
def test_no_key_id(serial: int) -> None:
    """If the bytes of the X.509 serial number are not ASCII digits, there is no key id, and the message says so."""
    with pytest.raises(InvalidRequest, match=r"^certificate: .*no key id: its subject has no serialNumber"):
        certificate_auth(certificate=pem(certificate(OWNER, serial=None, x509_serial=serial)))


# PEM as people have it

FORMS_OF_PEM: dict[str, Callable[[bytes], bytes]] = {
    "CRLF": lambda content: content.replace(b"\n", b"\r\n"),
    "byte-order mark": lambda content: b"\xef\xbb\xbf" + content,
    "no last line break": lambda content: content.rstrip(),
    "text around": lambda content: b"Bag Attributes\n    friendlyName: x\n" + content + b"the end\n",
}


@pytest.mark.parametrize("form", FORMS_OF_PEM.values(), ids=FORMS_OF_PEM)
def test_forms_certificate_auth(form: Callable[[bytes], bytes]) -> None:
    """Line breaks and text around PEM do not matter, whether key and certificate are in two files or in one."""
    key, own = key_pem(rsa_key()), pem(certificate(OWNER))
    for private_key, certificates in ((form(key), form(own)), (form(key + own),) * 2, (form(own + key),) * 2):
        assert header_of(certificate_auth(certificate=certificates, private_key=private_key))["kid"] == SERIAL


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL], ids=["PKCS8", "traditional"])
def test_a_key_with_a_password(form: PrivateFormat) -> None:
    """The password, as text or bytes, opens a key that has one, and does no harm to a key that has none."""
    for encryption, password in product(
        (BestAvailableEncryption(b"of-the-key"), NoEncryption()), ("of-the-key", b"of-the-key")
    ):
        key = rsa_key().private_bytes(Encoding.PEM, form, encryption)
        assert header_of(certificate_auth(private_key=key, private_key_password=password))["kid"] == SERIAL


@pytest.mark.parametrize("password", ["", "another", b"\xff", "\ud800", 5], ids=ascii)
def test_a_key_with_another_password(password: Any) -> None:
    """A wrong password is named as what is wrong."""
    key = key_pem(rsa_key(), BestAvailableEncryption(b"of-the-key"))
    with pytest.raises(InvalidRequest, match=r"^private_key_password: "):
        certificate_auth(private_key=key, private_key_password=password)
