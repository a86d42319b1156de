"""A thread of this process that lives in namespaces of its own, as does what it starts: they end with it, and nothing of the
machine changes.
"""

from __future__ import annotations

import ctypes
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

P = ParamSpec("P")
T = TypeVar("T")

NEWNS, NEWUTS, NEWNET = 0x00020000, 0x04000000, 0x40000000  # linux/sched.h, CLONE_...


class Inside:
    """Who builds on it enters by `unshare`, and calls `close` where its `__enter__` fails."""

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, name)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._thread.shutdown()

    def inside(self, act: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `act` in there; processes that it starts live there."""
        return self._thread.submit(act, *args, **kwargs).result()

    def unshare(self, flags: int) -> None:
        self.inside(_unshare, flags)


def _unshare(flags: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags):
        number = ctypes.get_errno()
        raise OSError(number, f"unshare: {os.strerror(number)}")
