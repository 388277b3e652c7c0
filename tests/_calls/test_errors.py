"""The errors: the tree that the docstring draws is the real one, and an error survives being handed on."""

import copy
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from cybersource_tms import errors
from cybersource_tms.errors import CybersourceError, ErrorDetail, ErrorEntry, InvalidRequest, StatusError
from support.clients import EMAIL
from support.customers import COPIES


def real_tree(error: type[CybersourceError] = CybersourceError, depth: int = 0) -> Iterator[tuple[int, str]]:
    """Yield the classes of `errors` in the order in which they were written, each with its depth."""
    if error.__module__ == errors.__name__:
        yield depth, error.__name__
        for below in error.__subclasses__():
            yield from real_tree(below, depth + 1)


def drawn_tree() -> Iterator[tuple[int, str, str]]:
    """Yield what the docstring draws: depth, name, and what it says of the class."""
    for line in (errors.__doc__ or "").splitlines():
        if match := re.fullmatch(r"([ │├└─]*)([A-Z]\w+)(?: {2,}(.*))?", line):
            yield len(match[1]) // 4, match[2], match[3] or ""


SAID = {name: said for _, name, said in drawn_tree()}
CLASSES: dict[str, type[CybersourceError]] = {name: getattr(errors, name) for name in SAID}
STATUS_CLASSES: list[type[StatusError]] = StatusError.__subclasses__()

ENTRIES = (
    ErrorEntry("invalidFields", f"{EMAIL} is wrong", (ErrorDetail("email", "buyerInformation"), ErrorDetail("id"))),
    ErrorEntry("other", ""),
)


def full(name: str) -> CybersourceError:
    """Return an error of a class with every attribute set to something that is not the default."""
    kind: Any = CLASSES[name]
    if issubclass(kind, StatusError):
        ids = {"correlation_id": "c", "unique_transaction_id": "t"}
        return kind("m", status_code=503, errors=ENTRIES, **ids, retry_after=1.5)  # type: ignore[no-any-return]
    options: dict[type[CybersourceError], dict[str, Any]] = {
        errors.ConnectionFailed: {"may_have_been_applied": False, "is_transient": False},
        errors.TimedOut: {"may_have_been_applied": False, "is_transient": False},
        errors.UnreadableResponse: {"status_code": 200, "correlation_id": "c", "is_transient": True},
        InvalidRequest: {"argument": "changes", "path": "buyerInformation.email"},
    }
    error: CybersourceError = kind("m", **options.get(kind, {}))
    return error


def test_the_drawn_tree_is_the_real_one() -> None:
    """The docstring has every class, under its parent and in order, and no other."""
    drawn = [(depth, name) for depth, name, _ in drawn_tree()]
    assert drawn == [*real_tree()]
    assert all(below - above <= 1 for (above, _), (below, _) in pairwise(drawn))


@pytest.mark.parametrize("name", CLASSES)
def test_what_is_drawn_beside_a_class(name: str) -> None:
    """A class has the attributes that the drawing gives it, its statuses, and is a built-in only where it says so."""
    assert all(hasattr(full(name), attribute) for attribute in re.findall(r"\.(\w+)", SAID[name]))
    builtins = {"InvalidRequest": ValueError, "TimedOut": TimeoutError}
    assert issubclass(CLASSES[name], ValueError | OSError | LookupError) == (name in builtins)
    if name in builtins:
        assert f"also a {builtins[name].__name__}" in SAID[name]
        assert issubclass(CLASSES[name], builtins[name])
    if CLASSES[name] in STATUS_CLASSES:
        first, last = min(CLASSES[name].statuses), max(CLASSES[name].statuses)  # type: ignore[attr-defined]
        assert SAID[name].startswith(str(first) if first == last else f"{first} to {last}")


def test_statuses_of_classes() -> None:
    """No status is two classes', and each class below StatusError gives advice of its own."""
    statuses = [status for kind in STATUS_CLASSES for status in kind.statuses]
    assert len(statuses) == len(set(statuses))
    assert len({StatusError.advice, *(kind.advice for kind in STATUS_CLASSES)}) == len(STATUS_CLASSES) + 1


@pytest.mark.parametrize("name", CLASSES)
def test_errors_are_handed_on_whole(name: str) -> None:
    """A copy, also in another process, has the class, the text, the notes and every attribute."""
    error = full(name)
    error.attempts, error.may_have_been_applied = 3, True
    error.add_note("while updating")
    for hand_on in COPIES.values():
        again = hand_on(error)
        assert again is not error
        assert type(again) is type(error)
        assert (str(again), repr(again), again.args) == (str(error), repr(error), ("m",))
        assert vars(again) == vars(error)


@pytest.mark.parametrize("attempts", [1, 2])
@pytest.mark.parametrize("applied", [False, True])
def test_what_a_message_ends_with(attempts: int, *, applied: bool) -> None:
    """It says whether the update may have been applied, and how many attempts were made if it was not one."""
    error = CybersourceError("m")
    error.may_have_been_applied, error.attempts = applied, attempts
    fate = "; the update may have been applied: read the customer before deciding" * applied
    assert str(error) == f"m{fate}{' (after 2 attempts)' * (attempts - 1)}"


def test_what_is_assumed() -> None:
    """If nothing else is known, an update may have been applied, unless it was refused before it was sent."""
    unreadable = errors.UnreadableResponse("m", status_code=200, correlation_id=None)
    made = [CybersourceError("m"), InvalidRequest("m"), errors.ConnectionFailed("m"), errors.TimedOut("m"), unreadable]
    assert [error.may_have_been_applied for error in made] == [True, False, True, True, True]
    assert [error.is_transient for error in made] == [False, False, True, True, False]
    assert {error.attempts for error in made} == {1}


def test_what_a_status_means() -> None:
    """A refusal (3xx, 4xx) applied nothing, of all others nobody knows; five statuses are transient."""
    made = {status: StatusError("m", status_code=status) for status in range(100, 601)}
    assert [status for status, error in made.items() if not error.may_have_been_applied] == [*range(300, 500)]
    assert {status for status, error in made.items() if error.is_transient} == {429, 500, 502, 503, 504}


ARGUMENTS: dict[str, tuple[InvalidRequest, str | None, str | None]] = {
    "one that is named first": (InvalidRequest("timeout: too long"), "timeout", None),
    "one that is named and meant": (InvalidRequest("x: too long", argument="timeout", path="a.b"), "timeout", "a.b"),
    "a part of one": (InvalidRequest("function: the result: wrong"), "function", None),
    "a part of one that is meant": (InvalidRequest("m", argument="function: the result"), "function", None),
    "several": (InvalidRequest("key_id, secret: give both"), None, None),
    "none": (InvalidRequest("this client is closed: make a new one"), None, None),
}


@pytest.mark.parametrize(("error", "argument", "path"), ARGUMENTS.values(), ids=ARGUMENTS)
def test_the_argument_that_is_wrong(error: InvalidRequest, argument: str | None, path: str | None) -> None:
    """An InvalidRequest names the one argument that is wrong, and the field if there is one."""
    assert (error.argument, error.path) == (argument, path)


def test_entries() -> None:
    """An entry hides the message, which may quote the customer, and what is no name; entries and details are values."""
    names = "ErrorEntry(type='notFound', details=(ErrorDetail(name='id', location='/a/0/data1[12]'),))"
    assert repr(ErrorEntry("notFound", EMAIL, (ErrorDetail("id", "/a/0/data1[12]"),))) == names
    others = "ErrorEntry(type=..., details=(ErrorDetail(name=..., location=...),))"
    assert repr(ErrorEntry("no one", EMAIL, (ErrorDetail(EMAIL, "4111111111111111"),))) == others
    assert ENTRIES[0].message == f"{EMAIL} is wrong"
    assert ENTRIES[0] == copy.deepcopy(ENTRIES[0]) != ErrorEntry("invalidFields", "another", ENTRIES[0].details)
    assert len({*ENTRIES, ENTRIES[0], *ENTRIES[0].details, ErrorDetail("id", None)}) == 4
    for frozen, name in ((ENTRIES[0], "type"), (ENTRIES[0].details[0], "name")):
        with pytest.raises(AttributeError):
            setattr(frozen, name, "x")
