"""The errors: the tree that the docstring draws is the real one, and an error survives every way of handing it on."""

import copy
import pickle
import re
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise

import httpx
import pytest

from cybersource_tms import errors
from cybersource_tms._calls.requests import retrieve_call
from cybersource_tms._calls.responses import Response, status_error
from cybersource_tms.errors import ConnectionFailed, CybersourceError, ErrorEntry, StatusError

ENTRIES = (ErrorEntry("invalidFields", "jane.roe@example.com is wrong", ("email",)), ErrorEntry("other", ""))


def real_tree(error: type[CybersourceError] = CybersourceError, depth: int = 0) -> Iterator[tuple[int, str]]:
    """Yield the classes in the order in which they were written, each with its depth."""
    yield depth, error.__name__
    for below in error.__subclasses__():
        yield from real_tree(below, depth + 1)


def drawn_tree() -> Iterator[tuple[int, str, str]]:
    """Yield what the docstring draws: depth, name, and what it says of the class."""
    for line in (errors.__doc__ or "").splitlines():
        if match := re.fullmatch(r"([ │├└─]*)([A-Z]\w+)(?: {2,}(.*))?", line):
            yield len(match[1]) // 4, match[2], match[3] or ""


CLASSES: dict[str, type[CybersourceError]] = {name: getattr(errors, name) for _, name, _ in drawn_tree()}
SAID = {name: said for _, name, said in drawn_tree()}
# The service's Swagger document and facts of the gateways before it.
STATUSES: dict[int, type[CybersourceError]] = {
    400: errors.BadRequest,
    401: errors.Unauthorized,
    403: errors.Forbidden,
    404: errors.NotFound,
    410: errors.TokenDeleted,
    412: errors.PreconditionFailed,
    424: errors.ProfileNotFound,
    429: errors.TooManyRequests,
    **dict.fromkeys(range(500, 512), errors.ServiceError),
    **dict.fromkeys([201, 302, 402, 409, 499, 512], StatusError),
}


def test_the_drawn_tree_is_the_real_one() -> None:
    """The docstring has every class, under its parent and in order, and no other."""
    assert [(depth, name) for depth, name, _ in drawn_tree()] == [*real_tree()]


def test_the_drawing_is_well_formed() -> None:
    """Nothing hangs two levels below its neighbour, and there is one root."""
    depths = [depth for depth, _, _ in drawn_tree()]
    assert depths.count(0) == 1
    assert all(below - above <= 1 for above, below in pairwise(depths))


@pytest.mark.parametrize(("name", "builtin"), [("InvalidRequest", ValueError), ("TimedOut", TimeoutError)])
def test_also_a_builtin(name: str, builtin: type[Exception]) -> None:
    """Who knows only Python's own exceptions can catch these two, as the docstring says."""
    assert f"also a {builtin.__name__}" in SAID[name]
    assert issubclass(CLASSES[name], builtin)


def test_no_other_class_is_a_builtin() -> None:
    """A class of which the docstring says nothing is no ValueError or OSError by accident."""
    silent = [kind for name, kind in CLASSES.items() if "also a" not in SAID[name]]
    assert not [kind for kind in silent if issubclass(kind, (ValueError, OSError, LookupError))]


@pytest.mark.parametrize(("status", "kind"), STATUSES.items(), ids=map(str, STATUSES))
def test_statuses_and_classes(status: int, kind: type[CybersourceError]) -> None:
    """A status raises its own class, and not one below or above it; one without a class raises the base."""
    error = status_error(retrieve_call("A", None), Response(status, httpx.Headers(), b""))
    assert type(error) is kind


def test_a_class_holds_its_statuses_and_advice() -> None:
    """Each class below StatusError says which statuses it is for, no status is two classes', and all give advice."""
    statuses = [status for kind in StatusError.__subclasses__() for status in kind.statuses]
    assert len(statuses) == len(set(statuses))
    assert all(kind.statuses and kind.advice != StatusError.advice for kind in StatusError.__subclasses__())


def every_error() -> Iterator[CybersourceError]:
    """Yield an error of each class, with every attribute set to something."""
    for kind in CLASSES.values():
        if issubclass(kind, StatusError):
            yield kind("m", status_code=418, errors=ENTRIES, correlation_id="c", unique_transaction_id="t")
            yield kind("m", status_code=503)
        elif issubclass(kind, ConnectionFailed):
            yield kind("m", may_have_been_applied=False)
            yield kind("m", may_have_been_applied=True)
        elif kind is errors.UnreadableResponse:
            yield errors.UnreadableResponse("m", status_code=200, correlation_id="c")
        else:
            yield kind("m")


def pickled(protocol: int, error: CybersourceError) -> CybersourceError:
    """Return what comes out of a pickle."""
    again: CybersourceError = pickle.loads(pickle.dumps(error, protocol))
    return again


HANDED_ON: dict[str, Callable[[CybersourceError], CybersourceError]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{f"pickle {protocol}": partial(pickled, protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)},
}


@pytest.mark.parametrize("way", HANDED_ON)
@pytest.mark.parametrize("error", [*every_error()], ids=lambda error: type(error).__name__)
def test_errors_are_handed_on_whole(error: CybersourceError, way: str) -> None:
    """A copy, also in another process, has the class, the text and every attribute."""
    error.add_note("while updating")
    clients = HANDED_ON[way](error)
    assert clients is not error
    assert type(clients) is type(error)
    assert (str(clients), repr(clients), clients.args) == (str(error), repr(error), error.args)
    assert error.args == ("m",)
    assert vars(clients) == vars(error)
    assert clients.may_have_been_applied is error.may_have_been_applied


@pytest.mark.parametrize("error", [*every_error()], ids=lambda error: type(error).__name__)
def test_every_error_can_be_raised_and_caught(error: CybersourceError) -> None:
    """One `except` catches all of them, and Python prints what they say."""
    with pytest.raises(CybersourceError, match=r"^m\b") as caught:
        raise error
    assert caught.value is error


@pytest.mark.parametrize(
    ("status", "applied"),
    [(204, True), (302, False), (400, False), (418, False), (499, False), (500, True), (520, True), (600, True)],
)
def test_whether_a_status_may_have_been_applied(status: int, *, applied: bool) -> None:
    """Below 500 the service refused; a 2xx did something, and of the rest nobody knows."""
    assert StatusError("m", status_code=status).may_have_been_applied is applied


def test_invalid_requests_were_never_applied() -> None:
    """They are raised before anything is sent; of the base and of an unreadable response, nobody knows."""
    assert not errors.InvalidRequest("m").may_have_been_applied
    assert CybersourceError("m").may_have_been_applied
    assert errors.UnreadableResponse("m", status_code=200, correlation_id=None).may_have_been_applied


def test_an_entry_hides_its_message() -> None:
    """What the service says to a person may quote the customer: it is there to be asked for, not to be printed."""
    entry = ENTRIES[0]
    assert "jane" not in repr(entry) + str(entry) + repr(ENTRIES)
    assert entry.message == "jane.roe@example.com is wrong"
    assert entry == copy.deepcopy(entry) != ErrorEntry("invalidFields", "another", ("email",))


def test_an_entry_cannot_be_changed() -> None:
    """Entries are frozen, and can be members of a set."""
    with pytest.raises(AttributeError):
        ENTRIES[0].type = "x"  # type: ignore[misc]
    assert len({*ENTRIES, ENTRIES[0]}) == 2
