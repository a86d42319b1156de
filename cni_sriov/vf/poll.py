"""The one way to wait for what comes by itself: drivers that apply asynchronously, a carrier, udev."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def poll(missing: Callable[[], T], timeout_s: float, pause_s: float = 0.02) -> T:
    """Ask what is missing until that is nothing or the time is over; the answer is what is missing then."""
    deadline = time.monotonic() + timeout_s
    while (still := missing()) and time.monotonic() < deadline:
        time.sleep(pause_s)
    return still
