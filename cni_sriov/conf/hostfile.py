"""What a node is to be, /etc/cni-sriov/host.json: a dict in, a HostFile out, or BadConfig (code 7) that names key and value.

Pure. Only the operator writes it, so what is not known is a slip of his, and refused: a "turst" that is passed over would
be a VF without its default. Its tables are held against conf/host.schema.json and docs/provisioning.md by tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from ..words.errors import BadConfig
from ..words.jsontext import words
from ..words.modules import UIO, VFIO
from . import netconf, values
from .netconf import PfSelector
from .values import Key, Table

PATH = "/etc/cni-sriov/host.json"
USERSPACE = (VFIO, *UIO)
DRIVERS = ("kernel", "auto", *USERSPACE)
Count = int | Literal["max"] | None


def _count(value: Any) -> Count:
    """The field of the capability has 16 bits: PCIe 9.3.3.5."""
    if value == "max" or (type(value) is int and 0 <= value <= 65535):
        return value  # type: ignore[no-any-return]
    raise ValueError('must be an integer in 0-65535 or "max"')


_MTU = values.integer(68, 65535)  # ETH_MIN_MTU, linux/if_ether.h; a port's own limits are judged by the plan
VFS = Table(
    {
        "range": values.indices,
        "trust": values.on_off,
        "spoofchk": values.on_off,
        "mtu": _MTU,
        "driver": values.one_of(*DRIVERS),
    }
)
PF = Table({name: row for name, row in netconf.PF.rows.items() if name != "vfs"})
ENTRY = Table(
    {
        "pf": Key(values.an_object, below=PF),
        "optional": Key(values.boolean, False),
        "numvfs": _count,
        "mtu": _MTU,
        "up": Key(values.boolean, True),
        "vfs": Key(values.list_of(values.an_object), below=VFS),
    }
)
FILE = Table({"$schema": values.text, "pfs": Key(values.list_of(values.an_object), below=ENTRY)})


@dataclass(slots=True)
class VfRange:
    """What VFs of these indices are to be while nobody has them; None or "" = as they are."""

    ranges: list[tuple[int, int]]
    trust: bool | None = None
    spoofchk: bool | None = None
    mtu: int | None = None
    driver: str = ""

    def has(self, index: int) -> bool:
        return any(first <= index <= last for first, last in self.ranges)


@dataclass(slots=True)
class PfEntry:
    """`where` it stands in the file. `numvfs` None = as many as there are. `up` False = as it is."""

    where: str
    selector: PfSelector
    optional: bool = False
    numvfs: Count = None
    mtu: int | None = None
    up: bool = True
    vfs: list[VfRange] | None = None

    def of(self, index: int) -> VfRange | None:
        return next((found for found in self.vfs or [] if found.has(index)), None)


@dataclass(slots=True)
class HostFile:
    """What the operator wants of this node's cards."""

    pfs: list[PfEntry]


def parse(raw: dict[str, Any]) -> HostFile:
    told = _read(FILE, raw, "")
    if "pfs" not in told:
        raise BadConfig('read the file: has no "pfs"', 'give a list of PFs; "pfs": [] asks for nothing')
    return HostFile([_entry(entry, f"pfs[{number}]") for number, entry in enumerate(told["pfs"])])


def is_one(document: dict[str, Any]) -> bool:
    """By its looks: no network's configuration has `pfs`."""
    return "pfs" in document and not document.keys() & {"type", "plugins", "kind"}


def _read(table: Table, raw: dict[str, Any], where: str) -> dict[str, Any]:
    prefix = f"{where}." if where else ""
    for key in raw:
        if key not in table.keys:
            raise BadConfig(f"read {prefix}{words(key)}: unknown key", f"known are {', '.join(table.keys)}")
    return table.read(raw, f"read {prefix}")


def _entry(raw: dict[str, Any], where: str) -> PfEntry:
    told = _read(ENTRY, raw, where)
    if "pf" not in told:
        raise BadConfig(
            f'read {where}: has no "pf"', 'say which PFs it is about, like "pf": {"names": [...]}'
        )
    vfs = [
        _vf_range(one, f"{where}.vfs[{number}]", told.get("numvfs"))
        for number, one in enumerate(told.get("vfs", []))
    ]
    _refuse_overlap(vfs, where)
    selector = _selector(told["pf"], f"{where}.pf")
    numvfs, mtu = told.get("numvfs"), told.get("mtu")
    return PfEntry(where, selector, told["optional"], numvfs, mtu, told["up"], vfs)


def _selector(raw: dict[str, Any], where: str) -> PfSelector:
    found = PfSelector(*map(_read(PF, raw, where).get, netconf.PF.keys))
    if not any((found.names, found.pci_addresses, found.vendors, found.devices, found.drivers)):
        raise BadConfig(f"read {where}: selects no PF", f"give {', '.join(PF.keys)}, or some of them")
    return found


def _vf_range(raw: dict[str, Any], where: str, numvfs: Count) -> VfRange:
    told = _read(VFS, raw, where)
    if "range" not in told:
        raise BadConfig(f'read {where}: has no "range"', 'say which VFs, like "range": "0-3,6"')
    found = VfRange(
        told["range"], told.get("trust"), told.get("spoofchk"), told.get("mtu"), told.get("driver", "")
    )
    last = max(last for _, last in found.ranges)
    if isinstance(numvfs, int) and last >= numvfs:
        raise BadConfig(f"read {where}.range {words(raw['range'])}: VF {last} is beyond numvfs {numvfs}")
    if found.mtu is not None and found.driver in USERSPACE:
        raise BadConfig(f"read {where}.mtu: a VF on {found.driver} has no network interface")
    return found


def _refuse_overlap(vfs: list[VfRange], where: str) -> None:
    """Also within one: whoever writes 0-3,2 meant something else."""
    ends = sorted((first, last, number) for number, found in enumerate(vfs) for first, last in found.ranges)
    for (_, last, one), (first, _, other) in pairwise(ends):
        if first <= last:
            named = " and ".join(f"vfs[{number}]" for number in sorted({one, other}))
            raise BadConfig(f"read {where}: VF {first} is twice in the ranges of {named}")
