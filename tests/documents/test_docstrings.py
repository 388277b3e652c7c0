"""The code in the docstrings of what is public runs against the sandbox."""

import inspect
import re
import textwrap
from collections.abc import Iterator
from functools import partial

import pytest

import cybersource_tms
import cybersource_tms_sandbox
from cybersource_tms import AsyncCustomersClient, CustomersClient, SharedSecretAuth, errors
from cybersource_tms_sandbox import KEY_ID, MERCHANT_ID, PAGE_CUSTOMER_ID, SECRET, Sandbox
from documents.pages import Variables, run

MODULES = (cybersource_tms, errors, cybersource_tms_sandbox)


def public() -> Iterator[tuple[str, object]]:
    """Yield what can be imported and is written by hand, with its methods."""
    for module in MODULES:
        yield module.__name__, module
        for name, thing in vars(module).items():
            if is_written(thing):
                yield name, thing
                members = vars(thing).items() if isinstance(thing, type) else ()
                yield from ((f"{name}.{method}", member) for method, member in members if is_written(member))


def is_written(thing: object) -> bool:
    """Return whether a class or function is of the wrapper, and not generated or of attrs."""
    return str(getattr(thing, "__module__", None)).startswith(("cybersource_tms.", "cybersource_tms_sandbox."))


def examples() -> dict[str, list[str]]:
    """Return the blocks of code in docstrings by their places: they are indented, after an empty line."""
    found = {
        place: re.findall(r"\n\n((?:    .+\n|\n(?=    ))+)", f"{inspect.getdoc(thing)}\n") for place, thing in public()
    }
    return {place: [textwrap.dedent(block) for block in blocks] for place, blocks in found.items() if blocks}


@pytest.mark.parametrize("place", examples())
def test_examples_run(place: str, sandbox: Sandbox, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each block runs, after those before it in the same docstring."""
    for name, value in {**sandbox.variables, "CYBERSOURCE_BASE_URL": url}.items():
        monkeypatch.setenv(name, value)
    auth = SharedSecretAuth(MERCHANT_ID, KEY_ID, SECRET)
    client_class = AsyncCustomersClient if place.startswith("Async") else CustomersClient
    names = {**vars(cybersource_tms), **vars(cybersource_tms_sandbox)} | {
        "customers": client_class("test", auth, transport=sandbox.transport),
        "customer_id": PAGE_CUSTOMER_ID,
        "desired": {"buyerInformation": {"email": "new@example.com"}},
        "monkeypatch": Variables(monkeypatch),
        "pairs": [(PAGE_CUSTOMER_ID, {"buyerInformation": {"email": "a@example.com"}})],
        "partial": partial,
        "rows": [{"id": PAGE_CUSTOMER_ID, "email": "a@example.com"}],
        "wanted": lambda row: {"buyerInformation": {"email": row["email"]}},
    }
    for code in examples()[place]:
        run(place, 0, code, names)


def test_the_calls_have_examples() -> None:
    """What a reader looks up first shows how it is called."""
    assert set(examples()) >= {
        "cybersource_tms",
        "cybersource_tms_sandbox",
        "AsyncCustomersClient",
        *(f"CustomersClient.{name}" for name in ("apply", "update", "modify", "apply_many")),
        "MerchantData",
    }
