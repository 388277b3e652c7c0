"""P12 files as CyberSource, openssl and Java write them: which key and certificate are taken, and what is refused."""

import shutil
import subprocess
from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import pkcs12
from joserfc import jws
from joserfc.jwk import RSAKey

from cybersource_tms import CertificateAuth, MessageEncryption
from cybersource_tms.errors import InvalidRequest
from support.keys import DAY, PASSWORD, certificate, ec_key, key_pem, p12, pem, rsa_key, service_certificate, written
from support.p12_writer import write_p12

OWNER = "merchant"


def key_id(auth: CertificateAuth, signer: str = "merchant") -> object:
    """Return the key id of a token that the credentials sign, once its signature is found to be that key's."""
    request = next(auth.sync_auth_flow(httpx.Request("GET", "https://a.example/")))
    token = request.headers["Authorization"].removeprefix("Bearer ")
    return jws.deserialize_compact(token, RSAKey.import_key(rsa_key(signer).public_key())).headers()["kid"]


# BER. Warnings are errors in every test, those of cryptography too

FORMS: dict[str, dict[str, bool]] = {
    "DER": {},
    "default written out, as CyberSource does": {"explicit": True},
    "file in BER": {"outer": True},
    "contents in BER": {"safes": True},
    "encrypted contents in BER": {"within": True},
    "everything in BER": {"explicit": True, "outer": True, "safes": True, "within": True},
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_der_and_ber(tmp_path: Path, form: dict[str, bool]) -> None:
    """A P12 signs and decrypts in whatever way it is encoded, and nobody warns."""
    content = write_p12([rsa_key()], [certificate(OWNER, serial="1"), service_certificate()], **form)
    path = written(tmp_path, content)
    assert key_id(CertificateAuth.from_p12(path, PASSWORD, merchant_id=OWNER)) == "1"
    encryption = MessageEncryption.from_p12(path, PASSWORD, merchant_id=OWNER)
    assert repr(encryption) == "MessageEncryption(request_key_id='service-key', response_key_id='1')"


@pytest.mark.parametrize("form", ["default written out, as CyberSource does", "file in BER"])
def test_forms_that_cryptography_objects_to(form: str) -> None:
    """The test above can fail: read directly, these files are a warning today, and perhaps an error one day."""
    content = write_p12([rsa_key()], [certificate(OWNER)], **FORMS[form])
    with pytest.raises((UserWarning, ValueError)):
        pkcs12.load_pkcs12(content, PASSWORD.encode())


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_wrong_password(form: dict[str, bool]) -> None:
    """The password is still checked, and everything that it protects."""
    content = write_p12([rsa_key()], [certificate(OWNER)], **form)
    with pytest.raises(InvalidRequest, match=r"^password: it does not open the P12"):
        CertificateAuth.from_p12(content, PASSWORD + "x", merchant_id=OWNER)
    position = content.index(b"merchant") if b"merchant" in content else len(content) // 2
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
    CertificateAuth.from_p12(content + b"\n", PASSWORD, merchant_id=OWNER)


def test_nesting_without_end() -> None:
    """A file that would need a parser without limits is refused."""
    with pytest.raises(InvalidRequest, match=r"^path: .*damaged"):
        CertificateAuth.from_p12(b"\x30\x80\x02\x01\x03" + b"\x30\x80" * 100_000, PASSWORD, merchant_id=OWNER)


# Files and contents


@pytest.mark.parametrize("given", [Path, str, Path.read_bytes], ids=["path", "text", "content"])
def test_a_file_or_its_content(tmp_path: Path, given: Callable[[Path], Any]) -> None:
    """A P12 is a path, or bytes from where secrets are kept, in each place that takes one."""
    source = given(written(tmp_path, p12(certificate(OWNER, serial="1"), service_certificate())))
    assert key_id(CertificateAuth.from_p12(source, PASSWORD, merchant_id=OWNER)) == "1"
    assert MessageEncryption.from_p12(source, PASSWORD, merchant_id=OWNER).response_key_id == "1"
    assert MessageEncryption.requests_from_p12(source, PASSWORD).response_key_id is None


@pytest.mark.parametrize(
    "content", [b"", b"some bytes", b"0\x82", key_pem(rsa_key())], ids=["none", "text", "3", "PEM"]
)
def test_content_that_is_not_a_p12(content: bytes) -> None:
    """Bytes are taken for the content of a P12, and never for a path."""
    with pytest.raises(InvalidRequest, match=r"^path: .*not a P12"):
        CertificateAuth.from_p12(content, PASSWORD, merchant_id=OWNER)


@pytest.mark.parametrize("password", [PASSWORD + "\n", " " + PASSWORD, (PASSWORD + "\r\n").encode()], ids=ascii)
def test_a_password_with_a_line_break(password: str | bytes) -> None:
    """A password that was read with the end of its line is refused, and the message says that."""
    with pytest.raises(InvalidRequest, match=r"^password: .*(blank or a line break)") as caught:
        CertificateAuth.from_p12(p12(certificate(OWNER)), password, merchant_id=OWNER)
    assert PASSWORD not in str(caught.value)


# Several private keys

OTHER = certificate("other", rsa_key("other"), "2")


@pytest.mark.parametrize("owners", [*permutations(["merchant", "other", "third"])], ids="-".join)
def test_several_private_keys(owners: tuple[str, ...]) -> None:
    """Of several keys the one that the merchant's certificate is for is taken, wherever it stands."""
    keys = [rsa_key(owner) for owner in owners]
    content = write_p12(keys, [OTHER, certificate(OWNER, serial="1"), certificate("third", rsa_key("third"), "3")])
    assert key_id(CertificateAuth.from_p12(content, PASSWORD, merchant_id=OWNER)) == "1"
    assert key_id(CertificateAuth.from_p12(content, PASSWORD, merchant_id="other"), "other") == "2"


def test_a_renewed_key_beside_the_old_one() -> None:
    """Of two keys with certificates of the merchant's, the one whose certificate is valid now is taken."""
    new = certificate(OWNER, rsa_key("other"), "new")
    content = write_p12([rsa_key(), rsa_key("other")], [certificate(OWNER, serial="old", ends=-DAY), new])
    assert key_id(CertificateAuth.from_p12(content, PASSWORD, merchant_id=OWNER), "other") == "new"


def test_several_private_keys_without_the_right_one() -> None:
    """If none of several keys is the merchant's, the message says that there are several."""
    content = write_p12([rsa_key("other"), rsa_key("third")], [OTHER, certificate(OWNER)])
    with pytest.raises(InvalidRequest, match=r"^path: none of the private keys belongs to the cert"):
        CertificateAuth.from_p12(content, PASSWORD, merchant_id=OWNER)


def test_a_key_of_another_kind_beside_the_right_one() -> None:
    """A key that is not an RSA key does no harm."""
    content = write_p12([ec_key(), rsa_key()], [certificate(OWNER, serial="1")])
    assert key_id(CertificateAuth.from_p12(content, PASSWORD, merchant_id=OWNER)) == "1"


# Files of other tools


def run(*command: str) -> None:
    """Run a tool, or skip the test where it is missing."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is missing")
    subprocess.run(command, check=True, capture_output=True)


def openssl(folder: Path, owner: str, *options: str) -> Path:
    """Let openssl write a P12 with somebody's key and certificate and the service's certificate."""
    path = folder / f"{owner}.p12"
    given = pem(certificate(owner, rsa_key(owner), f"{owner}-key"), service_certificate()) + key_pem(rsa_key(owner))
    run("openssl", "pkcs12", "-export", "-in", str(written(folder, given, "all.pem")), "-out", str(path),
        "-name", owner, "-passout", f"pass:{PASSWORD}", *options)  # fmt: skip
    return path


def keytool(folder: Path, *owners: str) -> Path:
    """Let Java's keytool write one P12 with the keys of several."""
    path = folder / "java.p12"
    for owner in owners:
        run("keytool", "-importkeystore", "-noprompt", "-srckeystore", str(openssl(folder, owner)), "-srcstorepass",
            PASSWORD, "-destkeystore", str(path), "-deststoretype", "PKCS12", "-deststorepass", PASSWORD)  # fmt: skip
    return path


TOOLS: dict[str, Callable[[Path], Path]] = {
    "openssl": lambda folder: openssl(folder, OWNER),
    "openssl, legacy": lambda folder: openssl(folder, OWNER, "-legacy"),
    "openssl, without a MAC": lambda folder: openssl(folder, OWNER, "-nomac"),
    "openssl, 3DES": lambda folder: openssl(folder, OWNER, "-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES"),
}


@pytest.mark.parametrize("owners", [[OWNER], ["other", OWNER]], ids=["one key", "two keys"])
def test_files_of_keytool(tmp_path: Path, owners: list[str]) -> None:
    """What Java's tool writes is read; it keeps the certificates of its keys only."""
    assert key_id(CertificateAuth.from_p12(keytool(tmp_path, *owners), PASSWORD, merchant_id=OWNER)) == "merchant-key"


@pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)
def test_files_of_openssl(tmp_path: Path, tool: Callable[[Path], Path]) -> None:
    """What openssl writes is read."""
    path = tool(tmp_path)
    assert key_id(CertificateAuth.from_p12(path, PASSWORD, merchant_id=OWNER)) == "merchant-key"
    assert "'service-key'" in repr(MessageEncryption.requests_from_p12(path, PASSWORD))


def test_what_openssl_writes_as_pem(tmp_path: Path) -> None:
    """A P12 that was turned into PEM, with the text that openssl adds, serves as key and as certificate."""
    path = openssl(tmp_path, OWNER)
    converted = tmp_path / "converted.pem"
    run("openssl", "pkcs12", "-in", str(path), "-out", str(converted), "-noenc", "-passin", f"pass:{PASSWORD}")
    content = converted.read_bytes()
    assert b"Bag Attributes" in content
    assert key_id(CertificateAuth(private_key=content, certificate=content, merchant_id=OWNER)) == "merchant-key"
