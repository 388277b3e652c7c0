"""Whatever leaves the package leaves without the frames within.

Their locals hold secrets and customers' values, and tools such as crash reporters record the locals of each frame. What
happened is in the message, and the causes stay, without their tracebacks. What the caller was handling before the call
is the caller's, and so are errors of the caller's own code, which keep the frames of that code.
"""

import sys
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator
from contextlib import aclosing
from functools import wraps
from inspect import currentframe, iscoroutinefunction
from types import TracebackType
from typing import ParamSpec, TypeVar, cast

from .errors import CybersourceError

_Arguments = ParamSpec("_Arguments")
_Returned = TypeVar("_Returned")

_OURS = ("cybersource_tms", "cybersource_tms_api")


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


def yield_without_frames(steps: Generator[_Returned]) -> Generator[_Returned]:
    """Yield what a generator does, and raise without the frames within."""
    before = sys.exception()
    try:
        yield from steps
    except BaseException as error:  # noqa: BLE001 - it is raised again
        leaving = drop_frames(error, before)
    else:
        return
    del steps, before
    raise leaving


async def async_yield_without_frames(steps: AsyncGenerator[_Returned]) -> AsyncGenerator[_Returned]:
    """Yield what an async generator does, and raise without the frames within."""
    before, step = sys.exception(), None
    try:
        async with aclosing(steps):
            async for step in steps:
                yield step
    except BaseException as error:  # noqa: BLE001 - it is raised again
        leaving = drop_frames(error, before)
    else:
        return
    del steps, step, before
    raise leaving


def drop_frames(error: BaseException, before: BaseException | None = None) -> BaseException:
    """Return an error without the frames within the package; `before` is what was being handled before the call."""
    # Any other error comes from code of the caller's that was called here, such as a mapping's.
    ours = isinstance(error, CybersourceError | Warning) or not isinstance(error, Exception)
    for each in _chain(error, before):
        each.__traceback__ = None if ours else _from_the_callers_code(each.__traceback__)
    return error


def _from_the_callers_code(traceback: TracebackType | None) -> TracebackType | None:
    while traceback and traceback.tb_frame.f_globals.get("__name__", "").partition(".")[0] in _OURS:
        traceback = traceback.tb_next
    return traceback


def _chain(error: BaseException, before: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, its causes, its contexts and the members of groups, but not what was there before the call."""
    found: list[BaseException | None] = [error]
    seen = {id(None), id(before)}
    while found:
        each = found.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        found += [each.__cause__, each.__context__]
        if isinstance(each, BaseExceptionGroup):
            found += cast("BaseExceptionGroup[BaseException]", each).exceptions


def warn(message: str, category: type[Warning]) -> None:
    """Warn about the line outside of the package that led here."""
    level, frame = 1, currentframe()
    while frame and frame.f_globals.get("__name__", "").partition(".")[0] in _OURS:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
