"""Which drivers the running kernel has, loaded or not, and which of them know a device. Looks, but for `load`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

from ..words.device import Device
from ..words.errors import PfUnusable
from ..words.modules import LOADABLE, LOADED, MISSING, plain
from . import process
from .files import Files

_DRIVERS = "/sys/bus/pci/drivers"
_ROOTS = ("/lib/modules", "/usr/lib/modules")
_MODPROBE = ("/sbin/modprobe", "/usr/sbin/modprobe", "/bin/modprobe", "/usr/bin/modprobe")
# a line of modules.alias, or one of modules.builtin.modinfo
_ALIAS = re.compile(r"^(?:alias |(\w+)\.alias=)(pci:v(\w{8}|\*)d(\w{8}|\*)\S*)(?: (\S+))?$", re.MULTILINE)


def release(files: Files) -> str:
    return files.text("/proc/sys/kernel/osrelease") or ""


def state(files: Files, driver: str) -> str:
    """Of a PCI driver: loaded, loadable or missing."""
    return states(files, [driver])[driver]


def states(files: Files, drivers: Iterable[str]) -> dict[str, str]:
    """`state` of each; depmod's lists, of half a megabyte, are read once, and only if one of them is not loaded."""
    loaded = {driver: files.has(f"{_DRIVERS}/{driver}") for driver in drivers}
    known = set() if all(loaded.values()) else _all(files)
    return {
        driver: LOADED if is_loaded else LOADABLE if plain(driver) in known else MISSING
        for driver, is_loaded in loaded.items()
    }


def _all(files: Files) -> set[str]:
    """The modules below /lib/modules that depmod knows, and those that are built in."""
    lines = [*_text(files, "modules.dep").splitlines(), *_text(files, "modules.builtin").splitlines()]
    paths = (line.partition(":")[0] for line in lines)
    return {plain(path.rpartition("/")[2].partition(".ko")[0]) for path in paths}


def knowing(files: Files, device: Device) -> list[str]:
    """Drivers of the kernel's that know the device, by the aliases of their modules; not those for user space alone."""
    fitting = Aliases(files).fitting(device.modalias) if device.modalias else []
    return [driver for module in fitting for driver in _drivers(files, module)]


class Aliases:
    """Of modules that drive PCI devices, loadable and built in, as files say. vfio's begin with vfio_pci: and are none."""

    def __init__(self, files: Files) -> None:
        """Reads them all: a distribution's kernel has twenty thousand."""
        lists = "\n".join(
            (_text(files, "modules.alias"), _text(files, "modules.builtin.modinfo").replace("\0", "\n"))
        )
        self._of: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for built_in, pattern, vendor, device, module in _ALIAS.findall(lists):
            self._of.setdefault((vendor, device), []).append((pattern, built_in or module))

    def fitting(self, modalias: str) -> list[str]:
        """Each module once; those that name the device before those that name its class."""
        vendor, number = modalias[5:13], modalias[14:22]  # pci:vVVVVVVVVdDDDDDDDD...
        pairs = (
            pair for key in ((vendor, number), (vendor, "*"), ("*", "*")) for pair in self._of.get(key, [])
        )
        return list(dict.fromkeys(module for pattern, module in pairs if fnmatchcase(modalias, pattern)))


def _drivers(files: Files, module: str) -> list[str]:
    """A driver may be called otherwise than its module: xhci_pci has xhci_hcd. Where it is not loaded, nobody tells."""
    names = files.names(f"/sys/module/{plain(module)}/drivers")
    return [name.removeprefix("pci:") for name in names if name.startswith("pci:")] or [module]


def _root(files: Files) -> str:
    kernel = release(files)
    return next((path for root in _ROOTS if files.has(path := f"{root}/{kernel}")), "") if kernel else ""


def _text(files: Files, name: str) -> str:
    root = _root(files)
    return (files.text(f"{root}/{name}") or "") if root else ""


def load(files: Files, driver: str) -> None:
    """PfUnusable if that fails; what modprobe says goes to standard error."""
    modprobe = next((path for path in _MODPROBE if files.has(path)), "")
    if not modprobe:
        raise PfUnusable(
            f"load module {driver}: there is no modprobe on this machine", "install kmod, or load it by hand"
        )
    status, _ = process.run(files.root + modprobe, process.clean_environment(os.environ), "", ("--", driver))
    if status or state(files, driver) != LOADED:
        raise PfUnusable(
            f"load module {driver}: modprobe ended with {status}",
            "is it on a blacklist (/etc/modprobe.d), or not signed for this kernel? dmesg says more",
        )
