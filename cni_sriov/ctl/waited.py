"""What may never end is done in a thread, which is left alone when its time is over: no signal ends a wait for a name server, or
for a file system whose server is gone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Late(Exception):
    """It has not ended, and goes on until the process ends."""


def within(seconds: float, act: Callable[[], T]) -> T:
    """What `act` gives, or raises."""
    done: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(act())
        except BaseException as error:  # it is raised below
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if failed:
        raise failed[0]
    if not done:
        raise Late
    return done[0]
