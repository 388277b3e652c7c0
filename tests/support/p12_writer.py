"""Writes P12 files (RFC 7292) that `cryptography` does not write: in BER, with several private keys, of other tools."""

import hashlib
import hmac
import os
import shutil
import subprocess
from collections.abc import Iterable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from support.keys import PASSWORD, Key

INTEGER, OCTETS, NULL, SEQUENCE, CONTEXT = 0x02, 0x04, 0x05, 0x30, 0xA0
OIDS = {
    "data": "2a864886f70d010701",
    "encryptedData": "2a864886f70d010706",
    "keyBag": "2a864886f70d010c0a0101",
    "shroudedKeyBag": "2a864886f70d010c0a0102",
    "certBag": "2a864886f70d010c0a0103",
    "x509Certificate": "2a864886f70d01091601",
    "PBES2": "2a864886f70d01050d",
    "PBKDF2": "2a864886f70d01050c",
    "hmacWithSHA256": "2a864886f70d0209",
    "aes256-CBC": "60864801650304012a",
    "sha256": "608648016503040201",
}
PIECE = 1000  # bytes; Bouncy Castle writes long octet strings in such pieces


class Encoded:
    """What takes the place of a certificate in a file: any bytes."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def public_bytes(self, encoding: Encoding) -> bytes:
        """Return the bytes."""
        return self._content


class Writer:
    """Writes ASN.1: DER, or BER with indefinite lengths and octet strings in pieces."""

    def __init__(self, *, ber: bool, password: str = PASSWORD) -> None:
        self._ber = ber
        self._password = password

    def value(self, tag: int, *parts: bytes) -> bytes:
        """Write a value."""
        content = b"".join(parts)
        if self._ber and tag & 0x20:
            return bytes([tag, 0x80]) + content + b"\0\0"
        return bytes([tag]) + self._length(len(content)) + content

    def _length(self, size: int) -> bytes:
        if size < 0x80:
            return bytes([size])
        digits = size.to_bytes(4) if self._ber else size.to_bytes(4).lstrip(b"\0")  # BER may have leading zeros
        return bytes([0x80 | len(digits)]) + digits

    def sequence(self, *parts: bytes) -> bytes:
        """Write a sequence."""
        return self.value(SEQUENCE, *parts)

    def octets(self, content: bytes, tag: int = OCTETS) -> bytes:
        """Write an octet string."""
        if not self._ber:
            return self.value(tag, content)
        pieces = [content[start : start + PIECE] for start in range(0, len(content), PIECE)]
        return self.value(tag | 0x20, *(self.value(OCTETS, piece) for piece in pieces))

    def oid(self, name: str) -> bytes:
        """Write an object identifier."""
        return self.value(0x06, bytes.fromhex(OIDS[name]))

    def tagged(self, name: str, content: bytes) -> bytes:
        """Write what has an object identifier before it."""
        return self.sequence(self.oid(name), self.value(CONTEXT, content))

    def data(self, content: bytes) -> bytes:
        """Write a ContentInfo in plain text."""
        return self.tagged("data", self.octets(content))

    def encrypted_data(self, content: bytes) -> bytes:
        """Write a ContentInfo that is encrypted: PBES2 of RFC 8018 with AES-256."""
        salt, iv = os.urandom(8), os.urandom(16)
        key = hashlib.pbkdf2_hmac("sha256", self._password.encode(), salt, 1)
        padder, encryptor = PKCS7(128).padder(), Cipher(algorithms.AES256(key), modes.CBC(iv)).encryptor()
        encrypted = encryptor.update(padder.update(content) + padder.finalize()) + encryptor.finalize()
        der = Writer(ber=False)
        prf = der.sequence(der.oid("hmacWithSHA256"), der.value(NULL))
        kdf = der.sequence(der.oid("PBKDF2"), der.sequence(der.octets(salt), der.value(INTEGER, b"\1"), prf))
        cipher = der.sequence(der.oid("aes256-CBC"), der.octets(iv))
        algorithm = der.sequence(der.oid("PBES2"), der.sequence(kdf, cipher))
        info = self.sequence(self.oid("data"), algorithm, self.octets(encrypted, CONTEXT & ~0x20))
        return self.tagged("encryptedData", self.sequence(der.value(INTEGER, b"\0"), info))

    def mac(self, content: bytes, *, explicit: bool) -> bytes:
        """Write the MacData of RFC 7292 appendix B with SHA-256 and one iteration, which is the default."""
        salt = os.urandom(64)
        text = self._password.encode("utf-16-be") + b"\0\0"
        key = hashlib.sha256(b"\3" * 64 + salt + (text * 64)[: -(-len(text) // 64) * 64]).digest()
        algorithm = self.sequence(self.oid("sha256"), self.value(NULL))
        info = self.sequence(algorithm, self.octets(hmac.digest(key, content, "sha256")))
        return self.sequence(info, self.octets(salt), *([self.value(INTEGER, b"\1")] if explicit else []))


def write_p12(
    keys: Iterable[Key],
    certificates: Iterable[x509.Certificate | Encoded],
    *,
    password: str = PASSWORD,
    explicit: bool = False,
    outer: bool = False,
    safes: bool = False,
    within: bool = False,
    hidden: bool = False,
) -> bytes:
    """Write a P12 in DER, or with one of its faults.

    Args:
        keys: Private keys; the first one is the one that `cryptography` returns.
        certificates: Certificates.
        password: The password; without one, keys are not encrypted.
        explicit: Write out a value that is the default, as CyberSource's files do.
        outer: Write the file as such in BER.
        safes: Write what the MAC covers in BER.
        within: Write what is encrypted in BER.
        hidden: Encrypt the keys again, as CyberSource's old files do, and not the certificates, as its new ones do.
    """
    file, safe, bags = (Writer(ber=ber, password=password) for ber in (outer, safes, within))
    encryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    key_bag = "shroudedKeyBag" if password else "keyBag"
    key_bags = [bags.tagged(key_bag, key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, encryption)) for key in keys]
    encoded = [bags.octets(each.public_bytes(Encoding.DER)) for each in certificates]
    certificate_bags = [bags.tagged("certBag", bags.tagged("x509Certificate", each)) for each in encoded]
    parts = [bags.sequence(*certificate_bags), bags.sequence(*key_bags)]
    plain, secret = parts if hidden else parts[::-1]
    contents = safe.sequence(safe.encrypted_data(secret), safe.data(plain))
    return file.sequence(file.value(INTEGER, b"\3"), file.data(contents), file.mac(contents, explicit=explicit))


def run(*command: str) -> bytes:
    """Run a tool and return its output, or skip the test where it is missing."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is missing")
    return subprocess.run(command, check=True, capture_output=True).stdout
