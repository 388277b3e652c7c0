"""The sandbox's own credentials, with either client: those of production, without a line of code for them."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from cybersource_tms import CertificateAuth, CustomerUpdate, MessageEncryption
from cybersource_tms_sandbox import KEY_ID, MERCHANT_ID, PAGE_CUSTOMER_ID, Sandbox
from support.caller import CHANGE, CHANGED
from support.clients import Clients


@pytest.mark.parametrize(
    ("credential", "encryption"), [("secret", "off"), ("p12", "request"), ("p12", "response"), ("secret", "both")]
)
def test_variables(clients: Clients, monkeypatch: pytest.MonkeyPatch, credential: Any, encryption: Any) -> None:
    """They are all that `from_env` needs, and the one transport serves either client, which signs for the service."""
    sandbox = Sandbox(credential=credential, encryption=encryption)
    for name, value in sandbox.variables.items():
        monkeypatch.setenv(name, value)
    client = clients.wrap(clients.client_class.from_env(transport=sandbox.transport))
    record = client.update(PAGE_CUSTOMER_ID, CustomerUpdate.from_dict(CHANGE))
    assert record.customer.to_dict() == sandbox.customer() == CHANGED
    [received] = sandbox.received
    assert received.headers["host"] == "apitest.cybersource.com"
    assert received.encrypted is (encryption in ("request", "both"))
    assert received.reply
    assert received.reply.body.startswith(b'{"encryptedResponse"') is (encryption in ("response", "both"))
    assert (sandbox.variables.get("CYBERSOURCE_KEY_ID") == KEY_ID) is (credential == "secret")


def test_in_code(clients: Clients, sandbox: Sandbox) -> None:
    """The files open with the password, and another sandbox than the one that gave them trusts what is in them."""
    made = Sandbox()
    auth = CertificateAuth.from_p12(made.signing_p12, made.p12_password, merchant_id=MERCHANT_ID)
    encryption = MessageEncryption.from_p12(made.response_p12, made.p12_password, merchant_id=MERCHANT_ID)
    client = clients.open(auth=auth, encryption=encryption, transport=sandbox.transport)
    assert client.retrieve(PAGE_CUSTOMER_ID).customer.to_dict() == sandbox.customer()
    assert made.request_certificate == sandbox.request_certificate


def test_files_are_as_from_the_business_center(sandbox: Sandbox) -> None:
    """Each P12 has a key of its own with its certificate, and the service's; ids stand in the X.509 serials as text."""
    password = sandbox.p12_password.encode()
    stores = [pkcs12.load_pkcs12(path.read_bytes(), password) for path in (sandbox.signing_p12, sandbox.response_p12)]
    service = x509.load_pem_x509_certificate(sandbox.request_certificate)
    certificates = [service]
    for store in stores:
        assert store.key
        assert store.cert
        assert store.key.public_key() == store.cert.certificate.public_key()
        assert [each.certificate for each in store.additional_certs] == [service]
        certificates.append(store.cert.certificate)
    subjects = [{name.oid: name.value for name in each.subject} for each in certificates]
    common_names = [subject[NameOID.COMMON_NAME] for subject in subjects]
    assert common_names == ["CyberSource_SJC_US", MERCHANT_ID, MERCHANT_ID]
    assert len({subject[NameOID.SERIAL_NUMBER] for subject in subjects}) == 3
    for each, subject in zip(certificates, subjects, strict=True):
        assert each.serial_number.to_bytes(19).decode() == subject[NameOID.SERIAL_NUMBER]
        assert each.not_valid_before_utc < datetime.now(UTC) < each.not_valid_after_utc


ONCE = """
import os, sys, threading
from concurrent.futures import ThreadPoolExecutor
from cryptography.hazmat.primitives.asymmetric import rsa
from cybersource_tms_sandbox import Sandbox

def counted(*arguments):
    made.append(arguments)
    return make(*arguments)

def ask(_):
    barrier.wait()
    return Sandbox(credential="p12", encryption="both").variables["CYBERSOURCE_P12_PATH"]

made, make, rsa.generate_private_key = [], rsa.generate_private_key, counted
barrier = threading.Barrier(4)
Sandbox().variables
assert not made
with ThreadPoolExecutor(4) as pool:
    [path] = {*pool.map(ask, range(4))}
assert len(made) == 3, made
if not os.fork():
    sys.exit()
os.wait()
assert os.path.exists(path)
print(path)
"""


def test_keys_and_files_are_made_once() -> None:
    """A plain sandbox makes none, many threads make each once, and the process that made the files removes them."""
    command = [sys.executable, "-W", "error", "-c", ONCE]
    path = Path(subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip())
    assert (path.name, path.parent.exists()) == ("signing.p12", False)
