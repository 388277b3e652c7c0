"""The customers that are kept, and how one changes."""

import copy
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ._json import is_object
from ._spec import response_example

PAGE_CUSTOMER_ID = "F2F3ADA770102B51E053A2598D0A9078"
LONGEST_ETAG = 32  # characters, as if-match may have


@dataclass(frozen=True)
class Stored:
    """What is kept of a customer: JSON text, so that nothing is shared with whoever hands one in or gets one out."""

    text: bytes
    etag: str
    deleted: bool = False


def page_customer() -> dict[str, Any]:
    """Return the customer of CyberSource's page "Update a Customer", which is the spec's example."""
    customer: dict[str, Any] = copy.deepcopy(response_example(200))
    return customer


def make_up(count: int) -> Iterator[dict[str, Any]]:
    """Yield customers that are like the page's, with ids that count from 1."""
    text = json.dumps(page_customer())
    for number in range(1, count + 1):
        yield json.loads(text.replace(PAGE_CUSTOMER_ID, f"{number:032X}"))


def new_etag(form: str = "{}") -> str:
    """Return an ETag that was never used: going back to an earlier state does not bring its ETag back."""
    return form.format(secrets.token_hex(14))  # with W/"" around it, LONGEST_ETAG


def merge(target: Any, patch: Any) -> Any:
    """Apply a JSON Merge Patch, https://www.rfc-editor.org/rfc/rfc7396#section-2, without changing `target`."""
    if not is_object(patch):
        return patch
    merged = {**target} if is_object(target) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), value)
    return merged
