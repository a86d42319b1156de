"""What an ADD and STATUS see of a cluster: which blocks are this node's, and how the last refill went. All that changes
something is in state/blocks.py, which the plugin does not have: it is large, and wants hashes.

    <base>/<cluster>/blocks/10.10.16.0_20      ours; the name says it
    <base>/<cluster>/lost/10.10.16.0_20        ours until the engine named another holder; nothing is cut from it
    <base>/<cluster>/machine                   which machine's all this is, by its machine-id
    <base>/<cluster>/stopped                   the engine knows who has our token as another one, and it may be right
    <run_dir>/clusters/<cluster>/lock          one refill, release or contact at a time
    <run_dir>/clusters/<cluster>/waiting       the refill that waits a moment before it asks
    <run_dir>/clusters/<cluster>/failure       of the last refill; none after one that went well
    <run_dir>/clusters/<cluster>/contacted     when the engine was asked last, in this boot
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from ..words.errors import Unreadable
from ..words.inet import Prefix, name_of, prefix_of
from ..words.stored import checked, opened, parsed
from . import files
from .lock import Lock

BASE = "/var/lib/cni-sriov/clusters"
CONF_DIR = "/etc/cni-sriov/clusters"  # as conf/cluster.py has it
MACHINE_ID = "/etc/machine-id"
BLOCKS, LOST = "blocks", "lost"
CONTACT_S = 3600  # after which the next ADD has the engine asked again


class Failure(NamedTuple):
    """The CNI error of the last refill that failed."""

    code: int
    msg: str
    details: str
    at: int


class NodeBlocks:
    """Nothing of it needs a lock to be looked at."""

    __slots__ = ("machine_id", "name", "path", "run_path")

    def __init__(self, name: str, base: str, run_dir: str, machine_id: str = MACHINE_ID) -> None:
        self.machine_id = machine_id
        self.name = name
        self.path = f"{base}/{name}"
        self.run_path = f"{run_dir}/clusters/{name}"

    def names(self) -> list[Prefix]:
        """Those that are ours, by one look at names alone: each ADD asks."""
        return self._names(BLOCKS)

    def lost_to(self) -> dict[Prefix, str]:
        """The node that has each of them by the engine's word, "" = its file does not say."""
        return {block: self._holder(block) for block in self._names(LOST)}

    def _holder(self, block: Prefix) -> str:
        path = self._of(LOST, block)
        try:
            found = parsed(path, files.read(path) or "{}", opened).get("holder")
        except (Unreadable, files.NoFile):
            found = None
        node = found.get("node") if isinstance(found, dict) else None
        return node if isinstance(node, str) else ""

    def _names(self, directory: str) -> list[Prefix]:
        found = (prefix_of(name) for name in files.names(f"{self.path}/{directory}"))
        return [prefix for prefix in found if prefix is not None]

    def _of(self, directory: str, prefix: Prefix) -> str:
        return f"{self.path}/{directory}/{name_of(prefix)}"

    def is_of_another_machine(self) -> bool:
        """The disk was copied: the blocks are those of the machine that it was copied from. No engine is needed to see it."""
        made_on, here = files.read(f"{self.path}/machine"), self.machine()
        return bool(made_on and here) and made_on != here

    def is_stopped(self) -> bool:
        """A contact found that this may be a copy of another machine, and none has found otherwise since."""
        return not self.was_contacted() and files.exists(f"{self.path}/stopped")

    def machine(self) -> str:
        """machine-id(5); "" where there is none yet."""
        try:
            text = files.read(self.machine_id) or ""
        except files.NoFile:  # a link to where it can be written; then nobody tells machines apart
            text = ""
        return "" if text.startswith("uninitialized") else text

    # of this boot --------------------------------------------------------------------------------

    def lock(self, verb: str, fd: int = -1) -> Lock:
        """One refill, release or contact at a time. `fd`: the descriptor by which our parent handed the lock over."""
        files.ensure_directory(self.run_path)
        lock = Lock(f"{self.run_path}/lock", verb)
        if fd >= 0:
            lock.adopt(fd)
        return lock

    def waiting(self, verb: str) -> Lock:
        """Of the one refill that waits before its contact, so that the nodes of a rack do not all ask at once."""
        return Lock(f"{self.run_path}/waiting", verb)

    def is_awaited(self) -> bool:
        """A contact will come of itself."""
        lock = self.waiting("ADD")
        is_free = lock.try_share()
        lock.release()
        return not is_free

    def failure(self) -> Failure | None:
        """Of the last refill. What cannot be read is none: it only tells why another one may be in vain."""
        path = f"{self.run_path}/failure"
        try:
            text = files.read(path)
            return None if text is None else parsed(path, text, _failure)
        except (Unreadable, files.NoFile):
            return None

    def was_contacted(self) -> bool:
        """In this boot and not long ago: an engine that was restored since, or a cloned machine, is found by a contact alone,
        and until then two nodes may cut from one block.
        """
        at = files.modified(f"{self.run_path}/contacted")
        return at is not None and 0 <= time.time() - at < CONTACT_S


def _failure(raw: dict[str, Any]) -> Failure:
    return Failure(**checked(opened(raw), {"code": (int,), "msg": (str,), "details": (str,), "at": (int,)}))
