"""The device nodes of a device for user space: which there are, and whose they are."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from errno import EBUSY, ENOTTY

from ..words.errors import KernelRefused
from ..words.gone import is_gone
from . import holders
from .files import Files

GROUPS, OF_DEVICES = "/dev/vfio/", "/dev/vfio/devices/"
CONTAINER = f"{GROUPS}vfio"  # of all groups; its mode is 0666 (drivers/vfio/container.c)
IOMMUFD = "/dev/iommu"  # where vfio has nodes of devices, and no groups (CONFIG_VFIO_GROUP=n)

_GROUP = re.compile(f"{GROUPS}(noiommu-)?[0-9]+")


@dataclass(slots=True)
class Nodes:
    """None is opened but by `is_taken`: a vfio group is for one at a time."""

    files: Files

    def of(self, address: str) -> list[str]:
        """Those that are there. A vfio group's may be of other devices, too."""
        return sorted(path for path in holders.nodes_of(self.files, address) if self.owner(path) is not None)

    def owner(self, path: str) -> tuple[int, int] | None:
        """uid and gid; None if it is not there."""
        try:
            found = os.lstat(self.files.root + path)
        except OSError as error:
            if is_gone(error):
                return None
            raise KernelRefused(f"look at {path}", error.errno or 0) from error
        if not stat.S_ISCHR(found.st_mode):
            raise KernelRefused(f"use {path}: it is no device node", ENOTTY)
        return found.st_uid, found.st_gid

    def set_owner(self, path: str, uid: int, gid: int) -> None:
        """ENOENT: it went with its driver."""
        try:
            os.chown(self.files.root + path, uid, gid, follow_symlinks=False)
        except OSError as error:
            raise KernelRefused(f"give {path} to {uid}:{gid}", error.errno or 0) from error

    def is_taken(self, path: str) -> bool:
        """Whether somebody has that vfio group, by the kernel's own word (vfio_group_fops_open): also through what no
        descriptor of a process shows, like a mapping or a message that nobody has read. Who would open it just now is
        refused: so it is asked only of what is on its way back.
        """
        if not _GROUP.fullmatch(path) or self.owner(path) is None:
            return False
        try:
            os.close(os.open(self.files.root + path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC))
        except OSError as error:
            return error.errno == EBUSY
        return False
