"""Exceptions leave the package without its own frames.

Their locals hold secrets and customers' values, and crash reporters record the locals of each frame. A note says which
frames they were. The causes stay, without their frames, bodies and requests. What the caller was handling before the
call is the caller's. An error of the caller's own code, such as a function for `modify`, keeps the frames of that code.
"""

import re
import sys
import warnings
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import wraps
from inspect import currentframe, iscoroutinefunction
from json import JSONDecodeError
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, ParamSpec, TypeVar, cast

import httpx

_Arguments = ParamSpec("_Arguments")
_Returned = TypeVar("_Returned")

_OURS = ("cybersource_tms", "cybersource_tms_api")
# What runs below the caller's code in a call of ours: frames of these hold requests, bodies and keys.
_LIBRARIES = ("httpx", "httpcore", "h11", "anyio", "trio", "outcome", "joserfc", "cryptography", "attr", "attrs")
_BELOW_THE_CALLER = {*_OURS, *_LIBRARIES, *sys.stdlib_module_names}
_MOST_PLACES = 6
_PLACES = ("cybersource_tms: raised in", "cybersource_tms: passed through")
_BYTES = re.compile(r"""b(['"]).*\1""", re.DOTALL)  # as `repr` writes them


def raise_without_frames(function: Callable[_Arguments, _Returned]) -> Callable[_Arguments, _Returned]:
    """Decorate a function that users call, or a coroutine function, so that it raises without the frames within."""

    @wraps(function)
    def call(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Returned:
        before = sys.exception()
        try:
            return function(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001 - it is raised again
            leaving = drop_frames(error, before)
        del args, kwargs, before
        raise leaving

    @wraps(function)
    async def async_call(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> object:
        before = sys.exception()
        try:
            return await cast("Callable[..., Awaitable[object]]", function)(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001 - it is raised again
            leaving = drop_frames(error, before)
        del args, kwargs, before
        raise leaving

    return cast("Callable[_Arguments, _Returned]", async_call) if iscoroutinefunction(function) else call


def drop_frames(error: BaseException, before: BaseException | None = None) -> BaseException:
    """Return an error without the frames within the package; `before` is what was being handled before the call.

    Each error of the chain gets one note about where it was raised. Bodies and requests in it are removed.
    """
    found: list[tuple[BaseException | None, bool]] = [(error, True)]
    seen = {id(None), id(before)}  # what was there before the call is the caller's
    while found:
        each, is_below = found.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        traceback, places = _callers_part(each.__traceback__, is_below)
        each.with_traceback(traceback)  # the attribute cannot be set where a class is frozen
        if places and not any(str(note).startswith(_PLACES) for note in getattr(each, "__notes__", ())):
            add_note(each, f"{_PLACES[1 if traceback else 0]} {' > '.join(places[-_MOST_PLACES:])}")
        is_ours = traceback is None and (is_below or bool(places))
        if is_ours or (is_below and each is not error):  # a transport of the caller's has seen our token
            _empty(each)
        members: Any = cast("Any", each).exceptions if isinstance(each, BaseExceptionGroup) else ()
        found += [(inner, is_ours) for inner in (each.__cause__, each.__context__, *members)]
    return error


def add_note(error: BaseException, note: str) -> None:
    """Add a note to an error, unless its class refuses."""
    with suppress(Exception):
        error.add_note(note)


def _callers_part(traceback: TracebackType | None, is_below: bool) -> tuple[TracebackType | None, list[str]]:  # noqa: FBT001
    """Return a traceback without our frames and those of what we call, and the places of these.

    Frames of the standard library are of what we call if those before them are; `is_below` says it of the first.
    """
    kept, places = list[TracebackType](), list[str]()
    while traceback:
        module = _package(traceback.tb_frame)
        is_below = module in _OURS or (is_below and module in _BELOW_THE_CALLER)
        if not is_below:
            kept.append(traceback)
        elif traceback.tb_frame.f_code.co_filename != __file__:
            code = traceback.tb_frame.f_code
            places.append(f"{'/'.join(Path(code.co_filename).parts[-2:])}:{traceback.tb_lineno} {code.co_name}")
        traceback = traceback.tb_next
    for each in reversed(kept):
        each.tb_next, traceback = traceback, each
    return traceback, places


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def _empty(error: BaseException) -> None:
    """Remove the body, the value or the request, with its token, that an error of the layers below holds."""
    if isinstance(error, JSONDecodeError):
        error.doc = ""
    elif isinstance(error, UnicodeDecodeError):
        error.object, error.args = b"", (error.encoding, b"", error.start, error.end, error.reason)
    elif isinstance(error, UnicodeEncodeError):
        error.object, error.args = "", (error.encoding, "", error.start, error.end, error.reason)
    elif isinstance(error, httpx.RequestError):
        error._request = None  # noqa: SLF001 - there is no other way  # pyright: ignore[reportPrivateUsage]
    if type(error).__name__ in {"LocalProtocolError", "RemoteProtocolError"}:  # h11's, and what is made of them
        error.args = (_BYTES.sub("...", str(error)),)


def warn(message: str, category: type[Warning]) -> None:
    """Issue a warning about the caller's line."""
    level, frame = 1, currentframe()
    while frame and _package(frame) in _OURS:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
