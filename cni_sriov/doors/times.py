"""Where the time of one call goes: with CNI_SRIOV_TIMES=1 the last line on standard error tells it, as JSON.

Without the variable this module is not imported. It wraps acts by name when their module comes in, so the code that is
measured has no line for it. Read docs/speed.md; `sriovctl explain` and `make bench` read the line.
"""

from __future__ import annotations

import builtins
import os
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

from ..words import jsontext

IMPORT, REST = "import", "rest"  # the first where there is no snapshot: a part of "start-up"
# What is in none of these acts is REST: the door, parsing, locks, records, the answer. It is a part of "decide".
ACTS = {
    "vf.claim.take": "decide",
    "vf.baseline.find": "decide",
    "state.files._flock": "wait",
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
LOCKS = ("state.files.Lock",)


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
            part = ACTS.get(act, "start-up" if act == IMPORT else "decide")
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
    imports = _Imports(sheet)
    if not imports.wrap():  # in the snapshot all of it is there
        builtins.__import__ = imports.watched(builtins.__import__)
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


class _Imports:
    """What comes in is wrapped when all of it is there; until then the modules only define."""

    __slots__ = ("_acts", "_depth", "_locks", "_sheet")

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet
        self._acts, self._locks = list(ACTS), list(LOCKS)
        self._depth = 0

    def wrap(self) -> bool:
        """What is there; whether that is all."""
        self._acts = [act for act in self._acts if not _wrap_act(self._sheet, act)]
        self._locks = [lock for lock in self._locks if not _wrap_lock(self._sheet, lock)]
        return not self._acts and not self._locks

    def watched(self, load: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            self._sheet.enter(IMPORT)
            known = len(sys.modules)
            self._depth += 1
            try:
                return load(*args, **kwargs)
            finally:
                self._depth -= 1
                if not self._depth and len(sys.modules) != known:
                    self.wrap()
                self._sheet.leave()

        return timed


def _wrap_act(sheet: Sheet, name: str) -> bool:
    """False while there is no such module, or not yet the whole of it."""
    module, attribute = find(name)
    act = getattr(module, attribute, None)
    if act is None:
        return False

    def timed(*args: Any, **kwargs: Any) -> Any:
        sheet.enter(name)
        try:
            return act(*args, **kwargs)
        finally:
            sheet.leave()

    setattr(module, attribute, timed)
    return True


def _wrap_lock(sheet: Sheet, name: str) -> bool:
    module, attribute = find(name)
    lock_class: Any = getattr(module, attribute, None)
    if lock_class is None:
        return False
    acquire, release = lock_class.acquire, lock_class.release

    def timed_acquire(lock: Any, *args: Any, **kwargs: Any) -> None:
        acquire(lock, *args, **kwargs)
        sheet.take(lock.path)

    def timed_release(lock: Any) -> None:
        release(lock)
        sheet.drop(lock.path)

    lock_class.acquire, lock_class.release = timed_acquire, timed_release
    return True


def find(name: str) -> tuple[object, str]:
    """The module, None if it is not imported, and the name of the attribute."""
    module, _, attribute = name.rpartition(".")
    return sys.modules.get(f"cni_sriov.{module}"), attribute
