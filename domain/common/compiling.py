"""Loops over numbers, compiled. It imports numba, which takes a moment: import it where something is compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

from numba import njit

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def compiled(**options: Any) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result]]:
    """Return a decorator that compiles a function on its first call, and keeps what it compiled for later processes.

    It is kept beside the source or in the user's cache (https://numba.readthedocs.io/en/stable/developer/caching.html);
    where neither may be written, it is compiled again in each process.

    Args:
        options: numba's, of ``njit``.
    """

    def compile_(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        try:
            return cast(Callable[Arguments, Result], njit(cache=True, **options)(function))
        except RuntimeError:  # numba finds no folder to keep it in
            return cast(Callable[Arguments, Result], njit(**options)(function))

    return compile_
