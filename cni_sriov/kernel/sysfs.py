"""The PCI side: PFs, their VFs, drivers, numvfs. The only file of the CNI path that opens /sys (files.py: sriovctl).

Imported on every CNI call. Everything may vanish while it is read (numvfs 0, an unbind, a pod's end), so what is
missing counts as absent; a look that fails otherwise (words/gone.py) is KernelRefused. `net/` below a device shows netdevs of this process's netns only: empty means "in a pod, or
not named yet", not "no driver".
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from errno import EINVAL, EOPNOTSUPP, EXDEV
from functools import cache
from typing import TypeVar

from ..words.domain import PF, VF
from ..words.errors import KernelRefused
from ..words.gone import GONE, is_gone
from ..words.names import is_ifname
from ..words.pci import is_userspace, parse_pci_address
from .living import file_system

T = TypeVar("T")
# EINVAL: the netdev goes just now (netdev_show in net/core/net-sysfs.c, by dev_isalive); EOPNOTSUPP: it has no switch ID
_NO_VALUE = GONE | {EINVAL, EOPNOTSUPP}


@dataclass(slots=True)
class Sysfs:
    """What sysfs tells, and udev below `run`; whoever tests it has both elsewhere."""

    root: str = "/sys"
    run: str = "/run"

    # -- PFs ----------------------------------------------------------------------------------------------------------

    def pf_by_name(self, ifname: str) -> PF | None:
        """None if there is no such netdev here, or it is no PF: `bond_ports` and `pf_of_vf` may tell why."""
        pci_address = self.pci_of_netdev(ifname)
        return self.pf_by_pci(pci_address, ifname) if pci_address else None

    def pf_by_pci(self, pci_address: str, ifname: str = "") -> PF | None:
        """`ifname`: where the PF has several netdevs (one per port), the one that is meant."""
        device = _device(pci_address)
        totalvfs = _number(self._read(device, "sriov_totalvfs"))
        if totalvfs <= 0:
            return None
        pci_address = device.rpartition("/")[2]
        names = self.netdevs(pci_address)
        name = ifname if ifname in names else next(iter(names), "")
        ifindex = _number(self._of_netdev(name, "ifindex")) if name else 0
        numvfs = max(_number(self._read(device, "sriov_numvfs")), 0)
        return PF(pci_address, name, max(ifindex, 0), self.driver(pci_address), numvfs, totalvfs)

    def pfs(self) -> list[PF]:
        """Every device that can have VFs, by PCI address. Reads one small file per PCI device."""
        found = map(self.pf_by_pci, sorted(self._list("bus/pci/devices")))
        return [pf for pf in found if pf]

    def pf_of_vf(self, vf_pci: str) -> PF | None:
        """None if that device is gone or is no VF."""
        pf_pci = self._link_name(_device(vf_pci), "physfn")
        return self.pf_by_pci(pf_pci) if pf_pci else None

    # -- VFs ----------------------------------------------------------------------------------------------------------

    def vf_index(self, vf_pci: str) -> int | None:
        pf_pci = self._link_name(_device(vf_pci), "physfn")
        return next((index for index, pci in self.virtfns(pf_pci) if pci == vf_pci), None) if pf_pci else None

    def vfs(self, pf: PF) -> list[VF]:
        """All, by index: for the operator. An ADD reads by `virtfns` and `vf` only what it must."""
        return [self.vf(index, pci_address) for index, pci_address in self.virtfns(pf.pci_address)]

    def virtfns(self, pf_pci: str) -> Iterator[tuple[int, str]]:
        """(index, PCI address) in the order of the index (a listing has virtfn10 before virtfn9), a link at a time."""
        device = _device(pf_pci)
        indices = sorted(
            int(entry[6:])
            for entry in self._list(device)
            if entry.startswith("virtfn") and entry[6:].isdigit()
        )
        for index in indices:
            pci_address = self._link_name(device, f"virtfn{index}")
            if pci_address:
                yield index, pci_address

    def vf(self, index: int, pci_address: str) -> VF:
        """`busy` has what sysfs can tell: no driver, no netdev here, an upper device."""
        driver = self.driver(pci_address)
        names = self.netdevs(pci_address)
        ifname = names[0] if names else ""
        never = not driver or is_userspace(driver)
        return VF(index, pci_address, driver, ifname, self._busy(driver, names), lasting=never)

    def set_numvfs(self, pf: PF, numvfs: int) -> None:
        """ENOMEM: no bus numbers or no memory window for them; EBUSY: 0 first; ERANGE: above totalvfs; ENOENT: driver.

        The kernel takes its time: seconds for many VFs. udev names the netdevs later still.
        """
        path = f"{_device(pf.pci_address)}/sriov_numvfs"
        self._write(f"set numvfs of {pf.pci_address} to {numvfs}", path, str(numvfs))

    def probes_drivers(self, pf_pci: str) -> bool:
        """Whether the kernel binds drivers to new VFs."""
        return self._read(_device(pf_pci), "sriov_drivers_autoprobe") != "0"

    # -- any PCI device -----------------------------------------------------------------------------------------------

    def driver(self, pci_address: str) -> str:
        """Empty if none is bound."""
        return self._link_name(_device(pci_address), "driver")

    def ids(self, pci_address: str) -> tuple[str, str]:
        """(vendor, device) as four hex digits each, empty if the device is gone."""
        device = _device(pci_address)
        return self._read(device, "vendor").removeprefix("0x"), self._read(device, "device").removeprefix(
            "0x"
        )

    def unbind(self, pci_address: str) -> None:
        """Take the driver off it; its netdev goes, wherever that is. ENOENT if none is bound."""
        path = f"{_device(pci_address)}/driver/unbind"
        self._write(f"unbind the driver of {pci_address}", path, pci_address)

    def bind(self, pci_address: str, driver: str) -> None:
        """ENOENT: no such driver; ENODEV: it does not take the device; else what its probe says."""
        self._write(f"bind {driver} to {pci_address}", f"bus/pci/drivers/{driver}/bind", pci_address)

    def set_override(self, pci_address: str, driver: str) -> None:
        """The one driver that may bind it from now on, whatever its tables say; "" = as the tables say."""
        path = f"{_device(pci_address)}/driver_override"
        self._write(f"set driver_override of {pci_address} to '{driver}'", path, f"{driver}\n")

    def probe(self, pci_address: str) -> None:
        """Ask the drivers whether one takes it. It succeeds although nothing binds: look at `driver` after it."""
        self._write(f"probe drivers for {pci_address}", "bus/pci/drivers_probe", pci_address)

    def exists(self, pci_address: str) -> bool:
        return _exists(f"{self.root}/{_device(pci_address)}")

    def inode(self, pci_address: str) -> int:
        """Which one of the devices that were at that address since boot; 0 = none is there now.

        The kernel numbers sysfs directories without ever using a number again (fs/kernfs/dir.c, idr_alloc_cyclic), so
        a VF that was destroyed and created anew has another one; a reset or another driver changes nothing.
        """
        found = _look(os.stat, f"{self.root}/{_device(pci_address)}")
        return found.st_ino if found is not None else 0

    def must_show_all(self) -> None:
        """KernelRefused where what it does not show may be there all the same: its devices are not sysfs."""
        where = f"{self.root}/bus/pci/devices"
        kind = file_system(where)
        if kind != "sysfs":
            raise KernelRefused(
                f"look for PCI devices in {where}", EXDEV, f"it is {kind or 'nothing'}, not sysfs"
            )

    def has_netdev(self, pci_address: str) -> bool:
        """Whether its driver made a netdev, in whatever netns that is now (kernels.md 6.13)."""
        return _exists(f"{self.root}/{_device(pci_address)}/net")

    def is_vf(self, pci_address: str) -> bool:
        return bool(self._link_name(_device(pci_address), "physfn"))

    def netdevs(self, pci_address: str) -> list[str]:
        """Names visible from this netns, lowest dev_port first; [] = in another netns, unnamed yet, or none."""
        names = self._list(_device(pci_address), "net")
        if len(names) < 2:
            return names
        return sorted(names, key=lambda name: (_number(self._of_netdev(name, "dev_port")), name))

    # -- netdevs ------------------------------------------------------------------------------------------------------

    def pci_of_netdev(self, ifname: str) -> str:
        """Empty for what does not sit on PCI, or is not here."""
        if not is_ifname(ifname):
            return ""
        try:
            return parse_pci_address(self._link_name("class/net", ifname, "device"))
        except ValueError:
            return ""

    def bond_ports(self, ifname: str) -> list[str]:
        """The ports of a bond, [] if it is none."""
        return self._of_netdev(ifname, "bonding/slaves").split() if is_ifname(ifname) else []

    def uppers(self, ifname: str) -> list[str]:
        """Devices stacked on it (bond, bridge, vlan, macvtap, ...)."""
        entries = self._list("class/net", ifname) if is_ifname(ifname) else []
        return sorted([entry[6:] for entry in entries if entry.startswith("upper_")])

    def names_with_address(self, mac: str) -> list[str]:
        """Of all that is in this netns: without a dump of links, which holds RTNL. One that goes just now is EINVAL
        (address_show, net/core/net-sysfs.c), and has none.
        """
        names = self._list("class/net")
        return sorted(name for name in names if self._of_netdev(name, "address") == mac)

    def switch_id(self, ifname: str) -> str:
        """phys_switch_id: not empty on a PF in switchdev mode and its representors, on some drivers in legacy mode too."""
        return self._of_netdev(ifname, "phys_switch_id") if is_ifname(ifname) else ""

    def udev_named(self, ifindex: int) -> bool:
        """Whether udev is through with it, and the name stays; True where no udev runs."""
        return not _exists(f"{self.run}/udev/control") or _exists(f"{self.run}/udev/data/n{ifindex}")

    # -- reading ------------------------------------------------------------------------------------------------------

    def _busy(self, driver: str, names: list[str]) -> str:
        if not driver:
            return "no driver is bound"
        if not names and not is_userspace(driver):
            return "its netdev is in another netns, or not there yet"
        for name in names:
            uppers = self.uppers(name)
            if uppers:
                return f"{name} is a port of {', '.join(uppers)}"
        return ""

    def _read(self, *parts: str, absent: frozenset[int] = GONE) -> str:
        """What the attribute says; "" if it is not there, or has no value by one of the errno `absent`."""
        path = "/".join((self.root, *parts))
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                return os.read(fd, 4096).decode("utf-8", "replace").strip()
            finally:
                os.close(fd)
        except OSError as error:
            if error.errno in absent:
                return ""
            raise _unseen(path, error) from error

    def _of_netdev(self, ifname: str, name: str) -> str:
        return self._read("class/net", ifname, name, absent=_NO_VALUE)

    def _write(self, verb: str, path: str, text: str) -> None:
        try:
            fd = os.open(f"{self.root}/{path}", os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.write(fd, text.encode())
            finally:
                os.close(fd)
        except OSError as error:
            raise KernelRefused(verb, error.errno or 0) from error

    def _list(self, *parts: str) -> list[str]:
        return _look(os.listdir, "/".join((self.root, *parts))) or []

    def _link_name(self, *parts: str) -> str:
        """The last element of what the symbolic link points to, empty if there is no link."""
        return (_look(os.readlink, "/".join((self.root, *parts))) or "").rpartition("/")[2]


@cache
def _device(pci_address: str) -> str:
    """Its directory; ValueError where that is no PCI address. A call asks twenty times for two or three devices."""
    return "bus/pci/devices/" + parse_pci_address(pci_address)


def _number(text: str) -> int:
    """-1 if it is none."""
    try:
        return int(text)
    except ValueError:
        return -1


def _exists(path: str) -> bool:
    return _look(os.stat, path) is not None


def _look(look: Callable[[str], T], path: str) -> T | None:
    """None if nothing is there."""
    try:
        return look(path)
    except OSError as error:
        if is_gone(error):
            return None
        raise _unseen(path, error) from error


def _unseen(path: str, error: OSError) -> KernelRefused:
    return KernelRefused(f"look at {path}", error.errno or 0)
