"""The fake's sysfs: a tree on disk that the real Sysfs reads. A write asks the rules."""

from __future__ import annotations

import shutil
from errno import EBUSY, ENODEV, ENOENT, EXDEV
from typing import TYPE_CHECKING

from cni_sriov.kernel.sysfs import Sysfs
from cni_sriov.words.domain import PF
from cni_sriov.words.errors import KernelRefused
from cni_sriov.words.pci import is_userspace

from .effects import Refused, apply, hooked

if TYPE_CHECKING:
    from pathlib import Path

    from .card import FakeLink, FakePf, FakeVf
    from .kernel import FakeKernel


class Tree:
    """/sys on disk, as far as the real Sysfs reads it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "sys/bus/pci/devices").mkdir(parents=True)
        (root / "sys/bus/pci/drivers").mkdir()
        (root / "sys/class/net").mkdir(parents=True)
        self.groups: int | None = None  # how many IOMMU groups were made; None = there is no IOMMU

    def netdev(self, name: str) -> Path:
        return self.root / "sys/class/net" / name

    def device(self, pci_address: str) -> Path:
        return self.root / "sys/bus/pci/devices" / pci_address

    def write_device(self, pci_address: str, driver: str, files: dict[str, str]) -> None:
        device = self.device(pci_address)
        is_new = not device.exists()
        device.mkdir(exist_ok=True)
        for name, text in files.items():
            (device / name).write_text(text + "\n")
        if is_new:
            (device / "driver_override").write_text("(null)\n")
            (device / "class").write_text("0x020000\n")
            self.add_to_group(pci_address)
        (device / "driver").unlink(missing_ok=True)
        shutil.rmtree(device / "net", ignore_errors=True)
        shutil.rmtree(device / "uio", ignore_errors=True)
        if driver:
            self.add_driver(driver)
            (device / "driver").symlink_to(f"../../drivers/{driver}")
            if not is_userspace(driver):
                (device / "net").mkdir()
            elif "uio" in driver:
                numbers = {path.name for path in self.root.glob("sys/bus/pci/devices/*/uio/*")}
                free = next(n for n in range(len(numbers) + 1) if f"uio{n}" not in numbers)
                (device / "uio" / f"uio{free}").mkdir(parents=True)

    def add_driver(self, driver: str) -> None:
        """Its module is loaded."""
        (self.root / "sys/bus/pci/drivers" / driver).mkdir(exist_ok=True)

    def has_driver(self, driver: str) -> bool:
        return bool(driver) and (self.root / "sys/bus/pci/drivers" / driver).is_dir()

    def add_iommu(self) -> None:
        """Each device has a group of its own, as behind a port with ACS."""
        self.groups = 0
        for device in sorted((self.root / "sys/bus/pci/devices").iterdir()):
            self.add_to_group(device.name)

    def add_to_group(self, pci_address: str, group: int | None = None) -> None:
        """A new one if none is named."""
        if self.groups is None:
            return
        if group is None:
            group = self.groups
            self.groups += 1
        members = self.root / f"sys/kernel/iommu_groups/{group}/devices"
        members.mkdir(parents=True, exist_ok=True)
        (members / pci_address).symlink_to(f"../../../../bus/pci/devices/{pci_address}")
        (self.device(pci_address) / "iommu_group").symlink_to(f"../../../../kernel/iommu_groups/{group}")

    def has_group(self, pci_address: str) -> bool:
        return (self.device(pci_address) / "iommu_group").is_symlink()

    def override(self, pci_address: str) -> str:
        said = self.device(pci_address) / "driver_override"
        word = said.read_text().strip() if said.exists() else ""
        return "" if word == "(null)" else word

    def publish(self, link: FakeLink, ifindex: int) -> None:
        directory = self.netdev(link.name)
        directory.mkdir()
        (directory / "ifindex").write_text(f"{ifindex}\n")
        for upper in link.uppers:
            (directory / f"upper_{upper}").mkdir()
        if link.pci_address:
            (directory / "device").symlink_to(f"../../../bus/pci/devices/{link.pci_address}")
            (self.device(link.pci_address) / "net" / link.name).mkdir(parents=True)

    def withdraw(self, link: FakeLink) -> None:
        shutil.rmtree(self.netdev(link.name), ignore_errors=True)
        if link.pci_address:
            shutil.rmtree(self.device(link.pci_address) / "net" / link.name, ignore_errors=True)

    def add_vf(self, pf: FakePf, vf: FakeVf) -> None:
        self.write_device(vf.pci_address, vf.driver, {"vendor": "0x8086", "device": "0x10ca"})
        (self.device(vf.pci_address) / "physfn").symlink_to(f"../{pf.pci_address}")
        (self.device(pf.pci_address) / f"virtfn{vf.index}").symlink_to(f"../{vf.pci_address}")

    def remove_vf(self, pf: FakePf, vf: FakeVf) -> None:
        (self.device(pf.pci_address) / f"virtfn{vf.index}").unlink()
        shutil.rmtree(self.device(vf.pci_address))
        for member in (self.root / "sys/kernel/iommu_groups").glob(f"*/devices/{vf.pci_address}"):
            member.unlink()


@hooked
class FakeSysfs(Sysfs):
    """The real one on the fake's tree; a write asks the fake's rules."""

    __slots__ = ("world",)

    def __init__(self, world: FakeKernel) -> None:
        super().__init__(str(world.root / "sys"), str(world.root / "run"))
        self.world = world

    def inode(self, pci_address: str) -> int:
        """Of a new VF a new one, as in sysfs; a file system on a disk would give the old one again."""
        there = super().inode(pci_address)
        lives = next((pf.lives for pf in self.world.pfs for vf in pf.vfs if vf.pci_address == pci_address), 0)
        return there and (lives or there)

    def must_show_all(self) -> None:
        if self.world.hides_devices:
            raise KernelRefused("look for PCI devices", EXDEV, "it is tmpfs, not sysfs")

    def names_with_address(self, mac: str) -> list[str]:
        """The tree has no addresses: what is set shows at once."""
        return sorted(link.name for link in self.world.host.links.values() if link.mac == mac)

    def unbind(self, pci_address: str) -> None:
        def act() -> None:
            device = self._device(pci_address)
            if not device.driver:
                raise Refused(ENOENT)
            self.world.set_driver(device, "")

        apply(self.world, f"unbind the driver of {pci_address}", act)

    def bind(self, pci_address: str, driver: str) -> None:
        def act() -> None:
            device = self._device(pci_address)
            if device.driver:
                raise Refused(EBUSY)
            if self.world.tree.override(pci_address) not in {"", driver} or driver != device.home_driver:
                raise Refused(ENODEV)
            self.world.set_driver(device, driver)

        apply(self.world, f"bind {driver} to {pci_address}", act)

    def set_override(self, pci_address: str, driver: str) -> None:
        """Any word is taken, a driver's or not."""

        def act() -> None:
            self._device(pci_address)
            said = self.world.tree.device(pci_address) / "driver_override"
            said.write_text(f"{driver or '(null)'}\n")

        apply(self.world, f"set driver_override of {pci_address} to '{driver}'", act)

    def probe(self, pci_address: str) -> None:
        """It succeeds although nothing binds: no such driver is loaded, or vfio-pci finds no IOMMU group."""

        def act() -> None:
            device, tree = self._device(pci_address, ENODEV), self.world.tree
            driver = tree.override(pci_address) or device.home_driver
            takes = {"vfio-pci": tree.has_group(pci_address), device.home_driver: True}
            takes |= dict.fromkeys(("uio_pci_generic", "igb_uio", "pci-stub"), True)
            if not device.driver and tree.has_driver(driver) and takes.get(driver):
                self.world.set_driver(device, driver)

        apply(self.world, f"probe drivers for {pci_address}", act)

    def _device(self, pci_address: str, absent: int = ENOENT) -> FakeVf | FakePf:
        for pf in self.world.pfs:
            devices: list[FakeVf | FakePf] = [pf, *pf.vfs]
            for device in devices:
                if device.pci_address == pci_address:
                    return device
        raise Refused(absent)

    def set_numvfs(self, pf: PF, numvfs: int) -> None:
        what = f"set numvfs of {pf.pci_address} to {numvfs}"
        fake = next((p for p in self.world.pfs if p.pci_address == pf.pci_address), None)
        if fake is None:
            raise KernelRefused(what, ENOENT)
        apply(self.world, what, lambda: self.world.change_numvfs(fake, numvfs))
