"""Errors leave the package with a traceback that begins where they leave.

The frames within hold secrets and customers' values, and some tools print or send away the locals of each frame. What
happened is in the message, and the causes stay, without their tracebacks.
"""

import warnings
from collections.abc import Awaitable, Callable
from functools import wraps
from inspect import currentframe, iscoroutinefunction
from typing import ParamSpec, TypeVar, cast

from .errors import CybersourceError

_Arguments = ParamSpec("_Arguments")
_Returned = TypeVar("_Returned")


def raise_without_frames(function: Callable[_Arguments, _Returned]) -> Callable[_Arguments, _Returned]:
    """Let a function that users call, coroutine functions included, raise its errors without the frames within."""

    @wraps(function)
    def call(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Returned:
        try:
            return function(*args, **kwargs)
        except CybersourceError as error:
            left = _without_frames(error)
        del args, kwargs
        raise left

    @wraps(function)
    async def acall(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> object:
        try:
            return await cast("Callable[..., Awaitable[object]]", function)(*args, **kwargs)
        except CybersourceError as error:
            left = _without_frames(error)
        del args, kwargs
        raise left

    return cast("Callable[_Arguments, _Returned]", acall) if iscoroutinefunction(function) else call


def _without_frames(error: CybersourceError) -> CybersourceError:
    each: BaseException | None = error
    while each is not None and each.__traceback__ is not None:
        each.__traceback__ = None
        each = each.__cause__ or each.__context__
    return error


def warn(message: str, category: type[Warning]) -> None:
    """Warn about the line outside of the package that led here."""
    level, frame = 1, currentframe()
    while frame and frame.f_globals.get("__package__") == __package__:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
