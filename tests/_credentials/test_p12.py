"""P12 files as CyberSource, openssl and Java write them: which key and certificate are taken, and what is refused."""

import base64
import os
from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, pkcs12

from cybersource_tms import CertificateAuth, MessageEncryption
from cybersource_tms.errors import InvalidRequest
from support.keys import (
    DAY,
    PASSWORD,
    SERIAL,
    certificate,
    ec_key,
    key_pem,
    p12,
    pem,
    rsa_key,
    service_certificate,
    written,
)
from support.p12_writer import Encoded, Writer, run, write_p12
from support.tokens import OWNER, certificate_auth, header_of


def opened(source: Any, password: Any = PASSWORD) -> object:
    """Return the key id of a P12 that both signs and encrypts."""
    encryption = MessageEncryption.from_p12(source, password, merchant_id=OWNER)
    assert (encryption.request_key_id, encryption.response_key_id is None) == ("service-key", False)
    assert MessageEncryption.requests_from_p12(source, password).request_key_id == "service-key"
    return header_of(CertificateAuth.from_p12(source, password, merchant_id=OWNER))["kid"]


# BER. Warnings are errors in every test, those of cryptography too

FORMS: dict[str, dict[str, Any]] = {
    "DER": {},
    "default written out, as CyberSource does": {"explicit": True},
    "file in BER": {"outer": True},
    "key encrypted twice": {"hidden": True},
    "everything in BER": {"explicit": True, "outer": True, "safes": True, "within": True},
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_der_and_ber(form: dict[str, Any]) -> None:
    """A P12 signs and decrypts in whatever way it is encoded, and nobody warns."""
    assert opened(write_p12([rsa_key()], [certificate(OWNER, serial="1"), service_certificate()], **form)) == "1"


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_wrong_password(form: dict[str, Any]) -> None:
    """The password is still checked, and everything that it protects."""
    content = write_p12([rsa_key()], [certificate(OWNER)], **form)
    with pytest.raises(InvalidRequest, match=r"^password: it does not open the P12"):
        CertificateAuth.from_p12(content, PASSWORD + "x", merchant_id=OWNER)
    position = len(content) // 2
    changed = content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :]
    with pytest.raises(InvalidRequest, match=r"damaged"):
        CertificateAuth.from_p12(changed, PASSWORD, merchant_id=OWNER)


@pytest.mark.parametrize("form", ["DER", "everything in BER"])
def test_a_file_that_is_cut_short(form: str) -> None:
    """A file that ends too early is refused wherever it ends; what follows a whole one is ignored."""
    content = write_p12([rsa_key()], [certificate(OWNER)], **FORMS[form])
    for size in [*range(40), *range(40, len(content), 61), len(content) - 1]:
        with pytest.raises(InvalidRequest, match=r"^path: .*(incomplete|not a P12)"):
            CertificateAuth.from_p12(content[:size], PASSWORD, merchant_id=OWNER)


def test_nesting_without_end() -> None:
    """A file that would need a parser without limits is refused, wherever it nests."""
    nested, writer = b"\x30\x80" * 100_000, Writer(ber=False)
    within = writer.sequence(b"\x02\x01\x03", writer.data(nested))
    for content in (b"\x30\x80\x02\x01\x03" + nested, within):
        with pytest.raises(InvalidRequest, match=r"damaged"):
            CertificateAuth.from_p12(content, PASSWORD, merchant_id=OWNER)


# Files and contents


@pytest.mark.parametrize("given", [Path, str, Path.read_bytes], ids=["path", "text", "content"])
@pytest.mark.parametrize("password", [PASSWORD, PASSWORD.encode()], ids=["text", "bytes"])
def test_a_file_or_its_content(tmp_path: Path, given: Callable[[Path], Any], password: Any) -> None:
    """A P12 is a path, or bytes from where secrets are kept, in each place that takes one."""
    source = given(written(tmp_path, p12(certificate(OWNER, serial="1"), service_certificate())))
    assert opened(source, password) == "1"


# Passwords that do not open a P12, and what the message says.
BAD_PASSWORDS: list[tuple[Any, str]] = [
    *((password, "") for password in ("another", PASSWORD.upper(), b"\xff\xfe", "\ud800", 5, ["x"], PASSWORD + "\0")),
    *((password, ".*blank or a line break") for password in (" " + PASSWORD, (PASSWORD + "\r\n").encode())),
    *((password, "the P12 has one, and none was given") for password in (None, "", b"")),
]


@pytest.mark.parametrize(("password", "problem"), BAD_PASSWORDS, ids=ascii)
def test_bad_passwords(password: Any, problem: str) -> None:
    """A password that is wrong, missing or none is refused and not repeated, and the message says what it is."""
    with pytest.raises(InvalidRequest, match=rf"^password: {problem}") as caught:
        CertificateAuth.from_p12(p12(certificate(OWNER)), password, merchant_id=OWNER)
    assert not [given for given in (PASSWORD, "another") if given in str(caught.value)]


WITHOUT_PASSWORD: dict[str, Callable[[Path], bytes]] = {
    "cryptography": lambda _: p12(certificate(OWNER), service_certificate(), encryption=NoEncryption()),
    "two keys": lambda _: write_p12(
        [rsa_key("other"), rsa_key()], [certificate(OWNER), service_certificate()], password=""
    ),
    "openssl, without a MAC": lambda folder: openssl(
        folder, "-keypbe", "NONE", "-certpbe", "NONE", "-nomac", password=""
    ).read_bytes(),
    "openssl, legacy": lambda folder: openssl(folder, "-legacy", password="").read_bytes(),
}


@pytest.mark.parametrize("make", WITHOUT_PASSWORD.values(), ids=WITHOUT_PASSWORD)
def test_a_file_without_a_password(tmp_path: Path, make: Callable[[Path], bytes]) -> None:
    """A P12 that key vaults export opens, whether no password is given or an empty one."""
    content = make(tmp_path)
    assert header_of(CertificateAuth.from_p12(content, merchant_id=OWNER))["kid"]
    for password in (None, "", b""):
        assert MessageEncryption.requests_from_p12(content, password).request_key_id == "service-key"


# Certificates that nobody needs

ROOT = certificate("ZZZZ root", rsa_key("other"), "99").public_bytes(Encoding.DER)
ROOTS: dict[str, bytes] = {
    "negative serial number": ROOT.replace(b"20261122", b"\xff0261122"),
    "name that is not UTF-8": ROOT.replace(b"ZZZZ", b"\xfc" * 4),
    "unknown version": ROOT.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x05", 1),
    "key that is none": ROOT.replace(b"\x02\x82\x01\x01\x00", b"\x02\x82\x01\x01\x80"),
    "cut": ROOT[:-20],
}


@pytest.mark.parametrize("position", [0, 2])
@pytest.mark.parametrize("root", ROOTS.values(), ids=ROOTS)
def test_a_certificate_that_nobody_needs(root: bytes, position: int) -> None:
    """A root certificate that cannot be parsed, or only with a warning, does no harm, wherever it stands."""
    assert root != ROOT
    several = [certificate(OWNER, serial="1"), service_certificate()]
    content = write_p12([rsa_key()], [*several[:position], Encoded(root), *several[position:]], within=position > 0)
    assert header_of(CertificateAuth.from_p12(content, PASSWORD, merchant_id=OWNER))["kid"] == "1"


def test_the_password_beside_such_a_certificate() -> None:
    """The password and the MAC are still checked, and several keys are still read."""
    content = write_p12([rsa_key("other"), rsa_key()], [Encoded(b"none"), certificate(OWNER), service_certificate()])
    assert opened(content) == SERIAL
    position = len(content) // 3
    changed = content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :]
    for given, password in ((content, PASSWORD + "x"), (content, None), (changed, PASSWORD)):
        with pytest.raises(InvalidRequest, match=r"^password: .*, or the file is damaged"):
            CertificateAuth.from_p12(given, password, merchant_id=OWNER)


def test_the_merchants_own_certificate_cannot_be_parsed() -> None:
    """Then there is none of the merchant's, and the message names those that are there."""
    own = certificate(OWNER, serial="ZZZZ").public_bytes(Encoding.DER).replace(b"ZZZZ", b"\xfc" * 4)
    content = write_p12([rsa_key()], [service_certificate(), Encoded(own)])
    with pytest.raises(InvalidRequest, match=r"(?m)^path: .*those that are there: CyberSource_SJC_US$"):
        CertificateAuth.from_p12(content, PASSWORD, merchant_id=OWNER)


def test_such_a_certificate_in_pem() -> None:
    """In PEM it does no harm either."""
    several = pem(certificate(OWNER, serial="1")) + b"".join(
        b"-----BEGIN CERTIFICATE-----\n%s-----END CERTIFICATE-----\n" % base64.encodebytes(root)
        for root in ROOTS.values()
    )
    assert header_of(certificate_auth(certificate=several))["kid"] == "1"


# What is no P12


def pipe(folder: Path) -> Path:
    """Make a pipe that nobody writes to."""
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


NO_FILE = "cannot be read: there is none, or it is a folder, a pipe or a device$"
NO_P12: dict[str, tuple[Callable[[Path], Any], str]] = {
    "PEM": (lambda folder: written(folder, key_pem(rsa_key()) + pem(certificate(OWNER))), "not a P12; it is PEM$"),
    "base64": (
        lambda folder: written(folder, base64.encodebytes(p12(certificate(OWNER)))),
        "base64 text of one: decode",
    ),
    "text": (lambda folder: written(folder, b"0123456789"), "not a P12$"),
    "8 MB": (lambda folder: written(folder, p12(certificate(OWNER)) + bytes(2**23)), "larger than 1048576 bytes$"),
    "pipe": (pipe, NO_FILE),
    "endless device": (lambda _: "/dev/zero", NO_FILE),
    "empty path": (lambda _: "", NO_FILE),
    "NUL in the path": (lambda _: "a\0b", "cannot be read"),
    "missing": (lambda folder: folder / "missing.p12", NO_FILE),
    "path too long": (lambda _: "a" * 9999, "cannot be read: OSError$"),
    "number": (lambda _: 4242424242, "cannot be read: TypeError$"),
}


@pytest.mark.parametrize(("source", "problem"), NO_P12.values(), ids=NO_P12)
def test_what_is_no_p12(tmp_path: Path, source: Callable[[Path], Any], problem: str) -> None:
    """It is refused in one line that says what it is; that the test ends shows that no pipe or device is read."""
    given = source(tmp_path)
    for make in (CertificateAuth.from_p12, MessageEncryption.from_p12):
        with pytest.raises(InvalidRequest, match=rf"(?m)^path: the file .*{problem}") as caught:
            make(given, PASSWORD, merchant_id=OWNER)
        assert "\n" not in str(caught.value)


# Several private keys

OTHER = certificate("other", rsa_key("other"), "2")


@pytest.mark.parametrize("owners", [*permutations(["merchant", "other", "elliptic"])], ids="-".join)
def test_several_private_keys(owners: tuple[str, ...]) -> None:
    """Of several keys the one that the merchant's certificate is for is taken, wherever it stands."""
    keys = [ec_key() if owner == "elliptic" else rsa_key(owner) for owner in owners]
    content = write_p12(keys, [OTHER, certificate(OWNER, serial="1"), certificate("third", rsa_key("third"), "3")])
    assert header_of(CertificateAuth.from_p12(content, PASSWORD, merchant_id=OWNER))["kid"] == "1"
    assert header_of(CertificateAuth.from_p12(content, PASSWORD, merchant_id="other"), "other")["kid"] == "2"


def test_a_renewed_key_beside_the_old_one() -> None:
    """Of two keys with certificates of the merchant's, the one whose certificate is valid now is taken."""
    new = certificate(OWNER, rsa_key("other"), "new")
    content = write_p12([rsa_key(), rsa_key("other")], [certificate(OWNER, serial="old", ends=-DAY), new])
    assert header_of(CertificateAuth.from_p12(content, PASSWORD, merchant_id=OWNER), "other")["kid"] == "new"


def test_several_private_keys_without_the_right_one() -> None:
    """If none of several keys is the merchant's, the message says that there are several."""
    content = write_p12([rsa_key("other"), rsa_key("third")], [OTHER, certificate(OWNER)])
    with pytest.raises(InvalidRequest, match=r"^path: none of the private keys belongs to the cert"):
        CertificateAuth.from_p12(content, PASSWORD, merchant_id=OWNER)


# Files of other tools


def openssl(folder: Path, *options: str, owner: str = OWNER, password: str = PASSWORD) -> Path:
    """Let openssl write a P12 with somebody's key and certificate and the service's certificate."""
    path = folder / f"{owner}.p12"
    given = pem(certificate(owner, rsa_key(owner), f"{owner}-key"), service_certificate()) + key_pem(rsa_key(owner))
    run("openssl", "pkcs12", "-export", "-in", str(written(folder, given, "all.pem")), "-out", str(path),
        "-name", owner, "-passout", f"pass:{password}", *options)  # fmt: skip
    return path


def keytool(folder: Path, *owners: str) -> Path:
    """Let Java's keytool write one P12 with the keys of several."""
    path = folder / "java.p12"
    for owner in owners:
        source = str(openssl(folder, owner=owner))
        run("keytool", "-importkeystore", "-noprompt", "-srckeystore", source, "-srcstorepass", PASSWORD,
            "-destkeystore", str(path), "-deststoretype", "PKCS12", "-deststorepass", PASSWORD)  # fmt: skip
    return path


@pytest.mark.parametrize("options", [(), ("-legacy",), ("-nomac",), ("-keypbe", "PBE-SHA1-3DES")], ids=" ".join)
def test_files_of_openssl(tmp_path: Path, options: tuple[str, ...]) -> None:
    """What openssl writes is read."""
    assert opened(openssl(tmp_path, *options)) == "merchant-key"


@pytest.mark.parametrize("make", [openssl, lambda folder: keytool(folder, "other", OWNER)], ids=["openssl", "keytool"])
def test_files_of_other_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], Path]) -> None:
    """What they write is read, also one by one, as if a certificate could not be parsed."""
    path = make(tmp_path)

    def refuse(*_: object) -> None:
        raise ValueError

    assert header_of(CertificateAuth.from_p12(path, PASSWORD, merchant_id=OWNER))["kid"] == "merchant-key"
    monkeypatch.setattr(pkcs12, "load_pkcs12", refuse)
    assert header_of(CertificateAuth.from_p12(path, PASSWORD, merchant_id=OWNER))["kid"] == "merchant-key"
    with pytest.raises(InvalidRequest, match=r"^password: it does not open"):
        CertificateAuth.from_p12(path, PASSWORD + "x", merchant_id=OWNER)
