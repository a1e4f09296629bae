"""What a long-running process does once everything is loaded, to keep pauses short."""

from __future__ import annotations

import gc
import sys

_SWITCH_S = 0.0005


def freeze() -> None:
    """Leave what is loaded now out of garbage collection.

    It stays, and looking through it again takes tens of milliseconds
    (https://docs.python.org/3/library/gc.html#gc.freeze).
    """
    gc.collect()
    gc.freeze()


def settle() -> None:
    """Freeze, and have a thread that has something to do wait for a busy one half a millisecond, not Python's 5 ms.

    That costs a little of all threads' time, and so is not for the API, which has many requests and one thread.
    """
    freeze()
    sys.setswitchinterval(_SWITCH_S)
