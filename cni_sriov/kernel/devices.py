"""Every PCI device of the node, as sysfs shows it. Looks only."""

from __future__ import annotations

from ..words.device import Device
from ..words.pci import parse_pci_address
from .files import Files

DEVICES = "/sys/bus/pci/devices"


def devices(files: Files) -> list[Device]:
    """By address."""
    return [device(files, address) for address in files.names(DEVICES)]


def device(files: Files, address: str) -> Device:
    """ValueError where that is no PCI address. One that is not there has no kind."""
    where = f"{DEVICES}/{parse_pci_address(address)}"
    group = files.target(f"{where}/iommu_group").rpartition("/")[2]
    return Device(
        address=address,
        kind=_number(files, f"{where}/class") >> 8,
        vendor=_number(files, f"{where}/vendor"),
        device=_number(files, f"{where}/device"),
        driver=files.target(f"{where}/driver").rpartition("/")[2],
        override=override(files, address),
        netdevs=netdevs(files, address),
        pf=files.target(f"{where}/physfn").rpartition("/")[2],
        totalvfs=_number(files, f"{where}/sriov_totalvfs"),
        numvfs=_number(files, f"{where}/sriov_numvfs"),
        group=group,
        members=files.names(f"/sys/kernel/iommu_groups/{group}/devices") if group else [],
        numa_node=numa_node(files, address),
        modalias=files.text(f"{where}/modalias") or "",
    )


def override(files: Files, address: str) -> str:
    """The driver that it is meant for, "" = any that knows it."""
    told = files.text(f"{DEVICES}/{address}/driver_override") or ""
    return "" if told == "(null)" else told  # driver_override_show, drivers/pci/pci-sysfs.c


def netdevs(files: Files, address: str) -> list[str]:
    """A virtio card has its netdev one device further down."""
    where = f"{DEVICES}/{address}"
    inner = [name for name in files.names(where) if name.startswith("virtio")]
    below = [netdev for name in inner for netdev in files.names(f"{where}/{name}/net")]
    return files.names(f"{where}/net") + below


def ids(files: Files, address: str) -> tuple[int, int]:
    """(vendor, device), 0 where there is none."""
    where = f"{DEVICES}/{address}"
    return _number(files, f"{where}/vendor"), _number(files, f"{where}/device")


def numa_node(files: Files, address: str) -> int:
    """-1 = not known, or there is no such device."""
    return _number(files, f"{DEVICES}/{address}/numa_node", absent=-1)


def _number(files: Files, path: str, absent: int = 0) -> int:
    """Decimal, or hex with 0x."""
    try:
        return int(files.text(path) or "", 0)
    except ValueError:
        return absent
