"""Takes what is on a node into a Tree: a path at a time, with the links on its way, and what failed as it failed.

Reads below `root`, changes nothing. What it must not have, or only in part, is for left_out.py to say.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from errno import EIO
from posixpath import dirname

from ...kernel.files import Files, content
from ...words.errors import InputOutput
from ...words.gone import is_gone
from . import left_out
from .tree import Tree, is_magic

_MOST_LINKS = 40
# of sysfs: nothing of a device's own in there, or too much of it
_NOT_BELOW = {"power", "queues", "msi_irqs", "firmware_node", "subsystem", "hwmon", "ptp", "phydev", "wakeup"}


@dataclass(slots=True)
class Camera:
    """`root` is where the node's / is. `ids`: (vendor, device) of the PCI devices that were met, of which alone the names are
    taken. `whose`: the containers of which a log is taken.
    """

    root: str = ""
    tree: Tree = field(default_factory=Tree)
    ids: set[tuple[str, str]] = field(default_factory=set)
    whose: set[str] = field(default_factory=set)
    _known: dict[str, str] = field(default_factory=dict)  # links
    _plain: set[str] = field(default_factory=set)  # directories that are no links

    def there(self, path: str) -> str:
        """Where it leads; "" if it leads nowhere, which is recorded too."""
        real = self._walk(path, last=True)
        if real and real != "/" and not self.tree.has_seen(real):
            self.tree.there.add(real)
        return real

    def link(self, path: str) -> None:
        real = self._walk(path, last=False)
        if real and real not in self.tree.links and left_out.may_name(path, self._target(real)):
            self.there(path)

    def file(self, path: str) -> None:
        real = self._walk(path, last=True)
        if real and real not in self.tree.files:
            mode = self._mode(real)
            if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
                self._read(real)
            elif mode:
                self.tree.there.add(real)  # a device is not opened

    def log(self, path: str, most: int) -> None:
        """The end of it, and of that the lines about `whose`."""
        real = self._walk(path, last=True)
        if not real or real in self.tree.files or not stat.S_ISREG(self._mode(real)):
            return
        try:
            end = Files(self.root).tail(real, most) or b""
        except InputOutput as error:
            self._failed(
                real, error.__cause__ if isinstance(error.__cause__, OSError) else OSError(EIO, error.msg)
            )
            return
        self.tree.files[real] = left_out.edited(real, left_out.lines_about(real, end, self.whose))

    def listing(self, path: str) -> list[str]:
        """Its names; [] where it is no directory."""
        real = self._walk(path, last=True)
        if real and real not in self.tree.lists:
            self._list(real)
        return self.tree.lists.get(real, [])

    def directory(self, path: str, depth: int = 0) -> None:
        """Its files, its links, where these lead, and as many levels of directories below it."""
        names = self.listing(path)
        real = self._walk(path, last=True)
        for name in names:
            self.entry(f"{real}/{name}", depth)

    def entry(self, path: str, depth: int = 0) -> None:
        """One thing, whatever it is."""
        real = self._walk(path, last=False)
        mode = self._mode(real) if real else 0
        if stat.S_ISLNK(mode):
            self.link(real)
        elif stat.S_ISREG(mode):
            if mode & 0o444:  # reset, remove and their like can only be written
                self._read(real)
            else:
                self.tree.there.add(real)
        elif stat.S_ISDIR(mode) and depth > 0 and real.rpartition("/")[2] not in _NOT_BELOW:
            self.directory(real, depth - 1)
        elif real:
            self.tree.there.add(real)

    def glob(self, pattern: str) -> list[str]:
        """Paths that fit; `*` stands for the whole of a part. Each directory that is listed for it is recorded."""
        found = [""]
        for part in pattern.strip("/").split("/"):
            found = (
                [f"{at}/{name}" for at in found for name in self.listing(at or "/")]
                if part == "*"
                else [f"{at}/{part}" for at in found]
            )
        return found

    # -- one look -----------------------------------------------------------------------------------------------------------

    def _walk(self, path: str, last: bool) -> str:
        """Without links on the way, each of which is recorded; "" where it leads nowhere."""
        todo, at, followed = [part for part in path.split("/") if part not in {"", "."}], "", 0
        while todo:
            part = todo.pop(0)
            if part == "..":
                at = dirname(at).rstrip("/")
                continue
            at = f"{at}/{part}"
            if at in self._plain:
                continue
            mode = 0 if at in self.tree.failed else self._mode(at)
            if not mode:
                return ""
            if stat.S_ISDIR(mode):
                self._plain.add(at)
            if (todo or last) and (target := self._known.get(at, "")):
                followed += 1
                self.tree.links[at] = target
                if followed > _MOST_LINKS or is_magic(target):
                    return "" if todo or followed > _MOST_LINKS else at
                todo = [part for part in target.split("/") if part not in {"", "."}] + todo
                at = "" if target.startswith("/") else dirname(at).rstrip("/")
        return at or "/"

    def _mode(self, real: str) -> int:
        """0: it is not there, or cannot be looked at."""
        try:
            mode = os.lstat(self.root + real).st_mode
            if stat.S_ISLNK(mode) and real not in self._known:
                self._known[real] = os.readlink(self.root + real)
            return mode
        except OSError as error:
            self.tree.failed[real] = error.errno or 0
            return 0

    def _target(self, real: str) -> str:
        return self._known.get(real, "")

    def _read(self, real: str) -> None:
        if left_out.is_never(real):
            self.tree.there.add(real)
            return
        try:
            found = content(self.root + real)
        except OSError as error:
            self._failed(real, error)
            return
        self.tree.files[real] = left_out.edited(real, left_out.of_present(real, found, self.ids))

    def _list(self, real: str) -> None:
        try:
            names = sorted(os.listdir(self.root + real))
        except OSError as error:
            self._failed(real, error)
            return
        self.tree.lists[real] = left_out.kept_names(real, names, lambda name: self._peek(f"{real}/{name}"))

    def _peek(self, real: str) -> str:
        """What a link says, where that alone decides whether it is taken."""
        try:
            return os.readlink(self.root + real)
        except OSError as error:
            return "" if is_gone(error) else f"errno {error.errno}"

    def _failed(self, real: str, error: OSError) -> None:
        (self.tree.failed if is_gone(error) else self.tree.unread)[real] = error.errno or 0
