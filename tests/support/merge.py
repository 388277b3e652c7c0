"""JSON Merge Patch as RFC 7396 has it in section 2, written for the tests alone."""

from typing import Any

REMOVED = None  # in a table: the patch has null, which removes the field


def merge(target: Any, patch: Any) -> Any:
    """Return what `patch` makes of `target`; both stay as they are."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge(result.get(name), value)
    return result
