"""Files and Sysfs whose answers come from a recording. A look that failed when it was recorded fails the same way, and what
was not recorded is an error, never absence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from errno import EINVAL, ENODATA, EROFS, EXDEV
from typing import TypeVar

from ...kernel.files import Files, is_absent
from ...kernel.sysfs import Sysfs
from ...words.errors import InputOutput, KernelRefused
from ...words.gone import GONE
from ...words.pci import parse_pci_address
from .tree import NotRecorded, Tree

T = TypeVar("T")
READ_ONLY = "a recording is replayed, and nothing can be changed in it"
AGAIN = "record it again: `sriovctl record node.recording`, with the version of sriovctl that replays it"


@dataclass(slots=True)
class RecordedFiles(Files):
    """kernel/files.Files from a Tree. `root` is where the node's state is now: who asks for that has it before the path."""

    tree: Tree = field(default_factory=Tree)

    def data(self, path: str) -> bytes | None:
        return self._told(self.tree.content, path)

    def tail(self, path: str, most: int) -> bytes | None:
        found = self.data(path)
        return None if found is None else found[-most:]

    def names(self, path: str) -> list[str]:
        return sorted(self._told(self.tree.names, path) or [])

    def target(self, path: str) -> str:
        return self._told(self.tree.target, path, EINVAL) or ""

    def number(self, *_: object) -> int:
        """It is not recorded: a node is known by its name alone."""
        return 0

    def real(self, path: str) -> str:
        return self._told(self.tree.real, path) or ""

    def has(self, path: str) -> bool:
        return self._told(self.tree.real, path) is not None

    def _told(self, look: Callable[[str], T], path: str, *absent: int) -> T | None:
        """As Files judges an errno."""
        path = path.removeprefix(self.root) or "/"
        try:
            return look(path)
        except NotRecorded as error:
            raise InputOutput(f"look at {path}: it is not in the recording", AGAIN) from error
        except OSError as error:
            if is_absent(error, path, absent):
                return None
            raise InputOutput(f"look at {path}: {error.strerror}") from error


@dataclass(slots=True)
class RecordedSysfs(Sysfs):
    """kernel/sysfs.Sysfs from a Tree. `inodes`: of devices, by PCI address; `kind`: the file system that they were on."""

    tree: Tree = field(default_factory=Tree)
    inodes: dict[str, int] = field(default_factory=dict)
    kind: str = "sysfs"

    def exists(self, pci_address: str) -> bool:
        return self._is_there(self._device(pci_address))

    def inode(self, pci_address: str) -> int:
        return self.inodes.get(parse_pci_address(pci_address), 0) if self.exists(pci_address) else 0

    def must_show_all(self) -> None:
        where = f"{self.root}/bus/pci/devices"
        if self.kind != "sysfs":
            raise KernelRefused(
                f"look for PCI devices in {where}", EXDEV, f"it is {self.kind or 'nothing'}, not sysfs"
            )

    def has_netdev(self, pci_address: str) -> bool:
        return self._is_there(f"{self._device(pci_address)}/net")

    def udev_named(self, ifindex: int) -> bool:
        named = f"{self.run}/udev/data/n{ifindex}"
        return not self._is_there(f"{self.run}/udev/control") or self._is_there(named)

    def _read(self, *parts: str, absent: frozenset[int] = GONE) -> str:
        found = self._told(self.tree.content, "/".join((self.root, *parts)), absent)
        return (found or b"")[:4096].decode("utf-8", "replace").strip()

    def _list(self, *parts: str) -> list[str]:
        return self._told(self.tree.names, "/".join((self.root, *parts))) or []

    def _link_name(self, *parts: str) -> str:
        return (self._told(self.tree.target, "/".join((self.root, *parts))) or "").rpartition("/")[2]

    def _write(self, verb: str, *_: str) -> None:
        raise KernelRefused(verb, EROFS, READ_ONLY)

    def _device(self, pci_address: str) -> str:
        return f"{self.root}/bus/pci/devices/{parse_pci_address(pci_address)}"

    def _is_there(self, path: str) -> bool:
        return self._told(self.tree.real, path) is not None

    def _told(self, look: Callable[[str], T], path: str, absent: frozenset[int] = GONE) -> T | None:
        """As Sysfs judges an errno."""
        try:
            return look(path)
        except NotRecorded as error:
            raise KernelRefused(f"look at {path}", ENODATA, "it is not in the recording") from error
        except OSError as error:
            if error.errno in absent:
                return None
            raise KernelRefused(f"look at {path}", error.errno or 0) from error
