"""What a PCI device is called (pci.ids) and which kernel modules could drive it (modules.alias), from the node's files."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...kernel.files import Files
from ...kernel.modules import Aliases
from ...words.device import Device
from ...words.failures import Failures
from .classes import DPDK_DRIVERS

_PCI_IDS = ("/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids")  # Debian's pci.ids, Fedora's hwdata


@dataclass(slots=True)
class Naming:
    """Read when the first name is asked for, once for all devices: 1.5 MB each. A node without these files names nothing, and
    one where they cannot be read neither: only words depend on it.
    """

    files: Files
    _vendors: dict[int, tuple[str, dict[int, str]]] | None = None
    _aliases: Aliases | None = None
    _loaded: list[str] | None = field(default=None)

    def model(self, device: Device) -> str:
        """Vendor and model, as `lspci` shows them; the model alone where the vendor's name is in it."""
        if self._vendors is None:
            self._vendors = _parsed(next(filter(None, map(self._text, _PCI_IDS)), ""))
        vendor, models = self._vendors.get(device.vendor, ("", {}))
        return f"{vendor} {models[device.device]}" if device.device in models else vendor

    def unused(self, device: Device) -> list[str]:
        """Drivers that could have it and do not: those that its modalias fits, and DPDK's as far as they are loaded."""
        if self._loaded is None:
            self._loaded = [name for name in DPDK_DRIVERS if self._is_loaded(name)]
        found = dict.fromkeys([*self._fitting(device.modalias), *self._loaded])
        return [name for name in found if name.replace("_", "-") != device.driver.replace("_", "-")]

    def _text(self, path: str) -> str:
        with Failures().of(file=path):
            return self.files.text(path) or ""
        return ""

    def _is_loaded(self, driver: str) -> bool:
        return self.files.has(f"/sys/module/{driver.replace('-', '_')}")

    def _fitting(self, modalias: str) -> list[str]:
        if self._aliases is None:
            with Failures().of(file="modules.alias"):
                self._aliases = Aliases(self.files)
        return self._aliases.fitting(modalias) if self._aliases else []


def _parsed(text: str) -> dict[int, tuple[str, dict[int, str]]]:
    """By vendor: its name, and its devices' by number. What follows the vendors (C 00 ...) is passed over, and subsystems,
    which have two numbers.
    """
    found: dict[int, tuple[str, dict[int, str]]] = {}
    models: dict[int, str] = {}
    for line in text.splitlines():
        if line.startswith("C "):
            break
        number, _, name = line.strip().partition("  ")
        if len(number) != 4 or line.startswith("#"):
            continue
        if line.startswith("\t"):
            models[int(number, 16)] = name
        else:
            models = {}
            found[int(number, 16)] = name, models
    return found
