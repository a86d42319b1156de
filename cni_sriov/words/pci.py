"""PCI addresses as text. A word of its own: a conf's is checked before it becomes part of a sysfs path."""

from __future__ import annotations

from functools import lru_cache

_HEX = frozenset("0123456789abcdef")


def parse_pci_address(text: str) -> str:
    """The canonical form, 0000:01:10.0, of what may lack the domain or have upper case; ValueError else."""
    if not isinstance(text, str):
        raise ValueError("must be a PCI address like 0000:01:10.0")
    return _canonical(text)


@lru_cache(maxsize=1024)  # every look into sysfs asks, twenty times in an ADD
def _canonical(text: str) -> str:
    canonical = text.lower() if text.count(":") == 2 else "0000:" + text.lower()
    domain, bus, rest = [*canonical.split(":"), "", ""][:3]
    slot, dot, function = rest.partition(".")
    # the domain has more digits behind some host bridges (VMD: 10000:e1:00.0)
    shape = 4 <= len(domain) <= 8 and len(bus) == len(slot) == 2 and dot and len(function) == 1
    digits = _HEX.issuperset(domain + bus + slot + function)
    if not (shape and digits and canonical.count(":") == 2 and int(slot, 16) < 32 and function in "01234567"):
        raise ValueError("must be a PCI address like 0000:01:10.0")
    return canonical


def is_userspace(driver: str) -> bool:
    """Whether that driver makes no netdev: vfio-pci, mlx5_vfio_pci, uio_pci_generic, igb_uio; pci-stub and pciback only
    keep the device.
    """
    return "vfio" in driver or "uio" in driver or driver in {"pci-stub", "pciback", "xen-pciback"}
