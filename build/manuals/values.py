"""What may stand for an argument, by its metavar: looked up in sysfs and /run by the shell itself, since starting sriovctl
takes it a third of a second.
"""

from __future__ import annotations

DRIVERS = ("auto", "kernel", "vfio-pci", "uio_pci_generic", "igb_uio")

# metavar, or a part of one between bars: the kinds of value below
KINDS = {
    "PF": "pf",
    "VF": "vf",
    "DEVICE": "pf vf",
    "CONTAINER": "container",
    "DRIVER": "driver",
    "FILE": "file",
    "PATH": "file",
    "DIR": "directory",
    "DIRECTORY": "directory",
}


def kinds(kind: str) -> list[str]:
    """Of tree.Option.kind or tree.Argument.kind; [] where nothing can be proposed."""
    if kind.startswith("choice:"):
        return [kind]
    return [one for part in kind.split("|") for one in KINDS.get(part, "").split()]
