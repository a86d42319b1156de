"""The fake's /dev: nodes come with a driver for user space, root's, and go with it."""

from __future__ import annotations

from errno import ENOENT
from typing import TYPE_CHECKING

from cni_sriov.kernel.files import Files
from cni_sriov.kernel.nodes import Nodes

from .effects import Refused, apply, hooked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .kernel import FakeKernel

ROOTS = (0, 0)


@hooked
class FakeNodes(Nodes):
    """`taken`: what somebody has, wherever. `owners`: of those that are there. vfio makes one for each group of which it has a device, and its own when its
    module comes; uio one for each device. `others`: what a test puts there.
    """

    __slots__ = ("others", "owners", "taken", "world")

    def __init__(self, world: FakeKernel) -> None:
        super().__init__(Files(str(world.root)))
        self.world = world
        self.owners: dict[str, tuple[int, int]] = {}
        self.others: list[str] = []
        self.taken: set[str] = set()

    def owner(self, path: str) -> tuple[int, int] | None:
        self.settle()
        return self.owners.get(path)

    def is_taken(self, path: str) -> bool:
        return path in self.taken

    def set_owner(self, path: str, uid: int, gid: int) -> None:
        def act() -> None:
            self.settle()
            if path not in self.owners:
                raise Refused(ENOENT)
            self.owners[path] = uid, gid

        apply(self.world, f"give {path} to {uid}:{gid}", act)

    def settle(self) -> None:
        """What has gone since is another one when it is there again."""
        self.owners = {path: self.owners.get(path, ROOTS) for path in self._there()}

    def snapshot(self) -> dict[str, tuple[int, int]]:
        self.settle()
        return self.owners.copy()

    def _there(self) -> Iterator[str]:
        yield from self.others
        tree = self.world.tree
        if tree.has_driver("vfio-pci"):
            yield "/dev/vfio/vfio"
        for device in sorted((tree.root / "sys/bus/pci/devices").iterdir()):
            driver, group = device / "driver", device / "iommu_group"
            if driver.is_symlink() and "vfio" in driver.readlink().name and group.is_symlink():
                yield f"/dev/vfio/{group.readlink().name}"
            yield from (f"/dev/{uio.name}" for uio in (device / "uio").glob("*"))
            yield from (f"/dev/vfio/devices/{own.name}" for own in (device / "vfio-dev").glob("*"))
