"""Guests with VFs for files of tests, one made ahead: an emulated guest keeps one of the machine's processors busy, so
the other one has the next file's guest ready by the time that this file's tests are done.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

from tests import bundle

from . import again
from .errors import LabError
from .node import PLUGIN, Node
from .ready import Lab
from .vm import Vm


class Made(NamedTuple):
    """A guest with seven VFs on each port, and the card as it was before the first test."""

    vm: Vm
    node: Node
    card: dict[str, dict[str, Any]]


def make(saved: Lab) -> Made:
    """No call of the product that does something comes before the look at the card; VERSION has its pages read."""
    vm = saved.restore(bundle.directory())
    try:
        node = Node(vm)
        node.create_vfs(7)
        vm.run([PLUGIN], env={"CNI_COMMAND": "VERSION"}, input='{"cniVersion": "1.0.0"}')
        return Made(vm, node, node.card())
    except BaseException:
        vm.stop()
        raise


class Ahead:
    """One thread makes them all, and lives as long as the last: QEMU dies with the thread that started it (vm.py)."""

    def __init__(self, saved: Lab) -> None:
        self._saved = saved
        self._thread = ThreadPoolExecutor(1, "lab-ahead")
        self._next: Future[Made] | None = None

    def take(self, *, is_last: bool) -> Made:
        """The one that was made ahead, if there is one; the next is begun."""
        try:
            made = self._begun().result()
        except LabError as problem:
            again.told.append(f"a guest that was just restored\n{problem}")
            self._next = None
            made = self._begun().result()
        self._next = None
        if not is_last:
            self._begun()
        return made

    def _begun(self) -> Future[Made]:
        bundle.directory()  # made by this thread, once
        if self._next is None:
            self._next = self._thread.submit(make, self._saved)
        return self._next

    def stop(self) -> None:
        """Also what nobody has taken."""
        if self._next is not None and not self._next.cancel() and self._next.exception() is None:
            self._next.result().vm.stop()
        self._next = None
        self._thread.shutdown()
