"""The files of a netdev in sysfs that its user can write, in a container that has sysfs of its own.

Those that netlink tells as well are left out. So is XPS: drivers set it when a netdev is UP for the first time, and
nothing tells theirs from a user's.
"""

from __future__ import annotations

import os
from errno import EINVAL, ENOENT, EOPNOTSUPP

from ..words.errors import KernelRefused
from ..words.names import is_ifname
from ..words.pci import parse_pci_address

_DEVICES = "/sys/bus/pci/devices"
_OWN = ("threaded", "gro_flush_timeout", "napi_defer_hard_irqs")
_QUEUE = {
    "rx": ("rps_cpus", "rps_flow_cnt"),
    "tx": ("tx_maxrate", "byte_queue_limits/limit_max", "byte_queue_limits/limit_min"),
}
_NONE = {ENOENT, EINVAL, EOPNOTSUPP}  # a kernel without it; a netdev that is not here
_OPENED = os.O_RDONLY | os.O_CLOEXEC


def read(pci_address: str, ifname: str, devices: str = _DEVICES) -> dict[str, str]:
    """{} for a netdev that is not in the netns that sysfs shows, or not on PCI. One value for all queues, where they have
    the same.
    """
    try:
        device = parse_pci_address(pci_address)
    except ValueError:
        return {}
    if not is_ifname(ifname):
        return {}
    try:
        directory = os.open(f"{devices}/{device}/net/{ifname}", _OPENED | os.O_DIRECTORY)
    except OSError as error:
        if error.errno == ENOENT:
            return {}
        raise KernelRefused(f"look into sysfs for link {ifname}", error.errno or 0) from error
    try:
        found = {name: text for name in _OWN if (text := _read(directory, name))}
        return found | _queues(directory)
    except OSError as error:
        raise KernelRefused(f"read the tunables of link {ifname}", error.errno or 0) from error
    finally:
        os.close(directory)


def _queues(directory: int) -> dict[str, str]:
    values: dict[str, list[str]] = {}
    for queue in _list(directory, "queues"):
        kind, _, number = queue.partition("-")
        for name in _QUEUE.get(kind, ()):
            text = _read(directory, f"queues/{queue}/{name}")
            if text:
                values.setdefault(name.rpartition("/")[2], []).append(f"{number}={text}")
    return {name: _short(texts) for name, texts in values.items()}


def _short(texts: list[str]) -> str:
    alike = {text.partition("=")[2] for text in texts}
    return alike.pop() if len(alike) == 1 else " ".join(sorted(texts))


def _list(directory: int, name: str) -> list[str]:
    """Of a kernel without CONFIG_RPS and CONFIG_XPS none."""
    try:
        fd = os.open(name, _OPENED | os.O_DIRECTORY, dir_fd=directory)
    except FileNotFoundError:
        return []
    try:
        return os.listdir(fd)
    finally:
        os.close(fd)


def _read(directory: int, name: str) -> str:
    """Empty if there is none."""
    try:
        fd = os.open(name, _OPENED, dir_fd=directory)
        try:
            return os.read(fd, 1024).decode("ascii", "replace").strip()
        finally:
            os.close(fd)
    except OSError as error:
        if error.errno in _NONE:
            return ""
        raise
