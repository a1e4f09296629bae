"""What is compiled is compiled also where nothing may be written."""

from __future__ import annotations

from typing import Any

import pytest

from domain.common import compiling


def test_it_is_compiled_where_nothing_may_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    real, asked = compiling.njit, list[Any]()

    def njit(*, cache: bool = False, **options: Any) -> Any:
        asked.append((cache, options))
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return real(**options)

    monkeypatch.setattr(compiling, "njit", njit)

    def plus_one(number: int) -> int:
        return number + 1

    assert compiling.compiled(nogil=True)(plus_one)(1) == 2
    assert asked == [(True, {"nogil": True}), (False, {"nogil": True})]
