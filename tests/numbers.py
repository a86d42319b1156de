"""The number of a namespace that ended, given out again on purpose.

The kernel gives a new namespace of any kind the lowest number that is free (fs/proc/generic.c, proc_alloc_inum), and each entry
of a netns in /proc/net takes one from the same row, some seventy of them. So netns alone step over a free number as often as
they hit it.
"""

from __future__ import annotations

import ctypes
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

CLONE_NEWUTS = 0x04000000
OWN = "/proc/thread-self/ns/uts"


def take(number: int, make: Callable[[], int], seconds: float = 60) -> None:
    """Until what `make` makes, a namespace whose number is its answer, has this one; others on the machine take some, too."""
    with ThreadPoolExecutor(1, "numbers") as thread:  # a namespace of its thread ends with it
        deadline = time.monotonic() + seconds
        while thread.submit(_with_the_lower_ones_held, number, make, deadline).result() != number:
            assert time.monotonic() < deadline, f"number {number} was always another's"


def _with_the_lower_ones_held(number: int, make: Callable[[], int], deadline: float) -> int:
    """UTS namespaces hold them: such a one takes one number, and gives it back at once."""
    held = [os.open(OWN, os.O_RDONLY)]
    try:
        while (lowest := _hold()) != number:
            assert time.monotonic() < deadline, (
                f"number {number} did not become free; {len(held)} below it are held"
            )
            if lowest < number:
                held.append(os.open(OWN, os.O_RDONLY))
            else:
                _enter(held[0])
                time.sleep(0.01)  # the kernel ends a netns in its own time (cleanup_net)
        _enter(held[0])
        return make()
    finally:
        _enter(held[0])
        for namespace in held:
            os.close(namespace)


def _hold() -> int:
    """Enter a new UTS namespace; its number."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert not libc.unshare(CLONE_NEWUTS), os.strerror(ctypes.get_errno())
    return os.stat(OWN).st_ino


def _enter(namespace: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    assert not libc.setns(namespace, CLONE_NEWUTS), os.strerror(ctypes.get_errno())
