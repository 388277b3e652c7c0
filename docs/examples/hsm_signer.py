"""Sign with a key that never leaves its hardware: an HSM, a smart card, a cloud's key service.

`CertificateAuth(sign=...)` takes a function that gets bytes and returns their signature. Here the key is behind an
interface of one's own, in the words of PKCS #11. With python-pkcs11 it would be

    session = pkcs11.lib("/usr/lib/softhsm/libsofthsm2.so").get_token(token_label="bank").open(user_pin=pin)
    key = session.get_key(pkcs11.ObjectClass.PRIVATE_KEY, label="cybersource")
    sign = lambda content: key.sign(content, mechanism=pkcs11.Mechanism.SHA256_RSA_PKCS)

A cloud's key service often wants the digest in place of the content: hash it in the function.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from cybersource_tms import BuyerInformation, CertificateAuth, CustomersClient, CustomerUpdate
from cybersource_tms_sandbox import MERCHANT_ID, PAGE_CUSTOMER_ID, Sandbox


class HardwareKey(Protocol):
    """A private key that can be used, and not read."""

    def sign(self, content: bytes, *, mechanism: str) -> bytes:
        """Return the signature of bytes."""
        ...


def signer(key: HardwareKey) -> Callable[[bytes], bytes]:
    """Return what `CertificateAuth` calls once for each request; what it raises reaches the client's caller."""
    return lambda content: key.sign(content, mechanism="SHA256_RSA_PKCS")


class SoftwareKey:
    """Takes the hardware's place here, with a key and a certificate of its own."""

    def __init__(self, merchant_id: str) -> None:
        self._key = rsa.generate_private_key(65537, 2048)
        ids = {x509.NameOID.COMMON_NAME: merchant_id, x509.NameOID.SERIAL_NUMBER: "1716240386523032000"}
        name = x509.Name([x509.NameAttribute(oid, value) for oid, value in ids.items()])
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(name, name, self._key.public_key(), 1, now, now + timedelta(days=3 * 365))
        self.certificate = builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def sign(self, content: bytes, *, mechanism: str) -> bytes:
        """Return the signature of bytes."""
        if mechanism != "SHA256_RSA_PKCS":
            raise NotImplementedError(mechanism)
        return self._key.sign(content, padding.PKCS1v15(), hashes.SHA256())


def main() -> None:
    """Update a customer of the sandbox, which knows the certificate, and never the key."""
    key, sandbox = SoftwareKey(MERCHANT_ID), Sandbox()
    sandbox.trust_certificate(MERCHANT_ID, key.certificate)
    auth = CertificateAuth(sign=signer(key), certificate=key.certificate, merchant_id=MERCHANT_ID)
    print(f"{auth} signs with {auth.algorithm} until {auth.expires:%Y-%m-%d}")
    with CustomersClient("test", auth, transport=sandbox.transport) as customers:
        changes = CustomerUpdate(buyer_information=BuyerInformation(email="jane.roe@example.com"))
        record = customers.update(PAGE_CUSTOMER_ID, changes)
    print(f"updated, correlation id {record.correlation_id}")


if __name__ == "__main__":
    main()
