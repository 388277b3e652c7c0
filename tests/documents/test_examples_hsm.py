"""docs/examples/hsm_signer.py: a key behind an interface of one's own signs what the sandbox believes."""

import runpy
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "hsm_signer.py"


def test_it_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """It updates a customer, and prints whose key signs and how to find the exchange."""
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    signs, updated = capsys.readouterr().out.splitlines()
    assert signs.startswith("CertificateAuth(key_id='1716240386523032000') signs with RS256 until 2")
    assert updated.startswith("updated, correlation id ")


def test_a_key_that_is_taken_out() -> None:
    """The device's own error comes out, and nothing is sent."""
    example = runpy.run_path(str(EXAMPLE))

    class Gone(Exception):
        pass

    class Removed:
        def sign(self, content: bytes, *, mechanism: str) -> bytes:
            raise Gone(mechanism)

    with pytest.raises(Gone):
        example["signer"](Removed())(b"content")


def test_it_is_short() -> None:
    """An example is under 80 lines."""
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) < 80
