"""Where the time of one call goes: with CNI_SRIOV_TIMES=1 the last line on standard error tells it, as JSON.

It wraps acts by name, so the code that is measured has no line for it. Read docs/speed.md; `sriovctl profile` and
`make bench` read the line.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any, NoReturn

from ..words import jsontext

# what is in none of these acts: the door, parsing, locks, records, the answer. A part of "decide"
REST = "rest"
ACTS = {  # module and name: part; an act that somebody imports by its name is not seen there
    "vf.claim.take": "decide",
    "vf.baseline.find": "decide",
    "state.lock._flock": "wait",
    "kernel.netns._setns": "kernel",
    "vf.admin.bring_pf_up": "kernel",
    "vf.admin.set_mac": "kernel",
    "vf.admin.set_own": "kernel",
    "vf.admin.set_knobs": "kernel",
    "vf.netdev.move": "kernel",
    "vf.netdev.read_back": "kernel",
    "vf.netdev.configure": "kernel",
    "vf.netdev.add_late": "kernel",
    "vf.netdev.announce": "kernel",
    "vf.restore.return_vf": "kernel",
    "owner.reclaim.reserve": "IPAM",
    "ipam.own.asked_for": "IPAM",
    "ipam.own.release": "IPAM",
    "ipam.own.release_leases": "IPAM",
    "ipam.own.check": "IPAM",
    "ipam.own.check_leases": "IPAM",
    "ipam.delegate.add": "IPAM",
    "ipam.delegate.release": "IPAM",
    "ipam.delegate.check": "IPAM",
    "ipam.delegate.forward": "IPAM",
}
LOCKS = ("state.lock.Lock",)


class Sheet:
    """Nanoseconds by act, each its own: while an act runs inside another, the outer one's watch stands still.

    So they add up to the time since the sheet was made. `held` is by lock, and beside that sum, not in it.
    """

    __slots__ = ("_clock", "_running", "_since", "_taken", "entry", "held", "spent")

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._running = [REST]
        self._taken: dict[str, int] = {}
        self.entry = self._since = clock()
        self.spent: dict[str, int] = {REST: 0}
        self.held: dict[str, int] = {}

    def enter(self, act: str) -> None:
        self._book()
        self._running.append(act)

    def leave(self) -> None:
        self._book()
        self._running.pop()

    def _book(self) -> None:
        now, act = self._clock(), self._running[-1]
        self.spent[act] = self.spent.get(act, 0) + now - self._since
        self._since = now

    def take(self, path: str) -> None:
        self._taken[path] = self._clock()

    def drop(self, path: str) -> None:
        """Nothing if it was not taken: a lock is released after a vain try, and twice."""
        since = self._taken.pop(path, None)
        if since is not None:
            lock = lock_name(path)
            self.held[lock] = self.held.get(lock, 0) + self._clock() - since

    def close(self, verb: str) -> dict[str, Any]:
        """The document; `entry` and `end` are CLOCK_MONOTONIC, as all processes of the machine see it."""
        self._book()
        for path in list(self._taken):
            self.drop(path)
        parts: dict[str, int] = {}
        for act, spent in self.spent.items():
            part = ACTS.get(act, "decide")
            parts[part] = parts.get(part, 0) + spent
        return {
            "cniSriovTimes": 1,  # the version of this document, in ns
            "verb": verb,
            "entry": self.entry,
            "end": self._since,
            "parts": parts,
            "acts": self.spent,
            "held": self.held,
        }


def lock_name(path: str) -> str:
    """Which of the plugin's locks a file is (docs/state.md)."""
    if path.endswith("/subnets/lock"):
        return "ipam"
    return "attachment" if path.rpartition("/")[0].endswith("/locks") else "node"


def start() -> None:
    """From here on every act is watched; _exit, which ends the plugin, tells the sheet first."""
    sheet = Sheet(time.monotonic_ns)
    for name in ACTS:
        _watch_act(sheet, name)
    for name in LOCKS:
        _watch_lock(sheet, name)
    end = os._exit  # public in os

    def tell(status: int) -> NoReturn:
        try:
            verb = os.environ.get("CNI_COMMAND", "")
            os.write(2, jsontext.render(sheet.close(verb)).encode() + b"\n")
        except OSError:
            pass  # nobody listens
        finally:
            end(status)  # whatever happened: who calls it may not go on

    os._exit = tell


def _watch_act(sheet: Sheet, name: str) -> None:
    module, attribute = find(name)
    act = getattr(module, attribute)

    def timed(*args: Any, **kwargs: Any) -> Any:
        sheet.enter(name)
        try:
            return act(*args, **kwargs)
        finally:
            sheet.leave()

    setattr(module, attribute, timed)


def _watch_lock(sheet: Sheet, name: str) -> None:
    module, attribute = find(name)
    lock_class = getattr(module, attribute)
    acquire, release = lock_class.acquire, lock_class.release

    def timed_acquire(lock: Any, *args: Any, **kwargs: Any) -> None:
        acquire(lock, *args, **kwargs)
        sheet.take(lock.path)

    def timed_release(lock: Any) -> None:
        release(lock)
        sheet.drop(lock.path)

    lock_class.acquire, lock_class.release = timed_acquire, timed_release


def find(name: str) -> tuple[ModuleType, str]:
    """The module, which the door has imported, and the name in it. KeyError names what is not there."""
    module, _, attribute = name.rpartition(".")
    return sys.modules[f"cni_sriov.{module}"], attribute
