"""`sriovctl baseline`: what each VF was when this node first saw it, what of it differs now, and the operator's word that
what is there now is meant (vf/golden.py). Looks only, but for `--take`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..vf import card, golden, restore
from ..vf.card import Card
from ..vf.golden import Golden
from ..vf.host import Host
from ..words.domain import PF, Attachment
from ..words.errors import CniError, KernelRefused, PfUnusable, TryAgain
from ..words.jsontext import words
from ..words.pci import parse_pci_address
from ..words.record import Record
from . import vfs


@dataclass(slots=True)
class Row:
    """One VF. `first` None: none is kept. `note` says why nothing is compared, or why there is none; `differs`: what of
    the VF is not as it was, in words.
    """

    pf: PF
    index: int
    vf: str
    first: Golden | None = None
    differs: list[str] = field(default_factory=list)
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """A contract with who parses it: keys are only ever added."""
        return {
            "pf": self.pf.ifname or self.pf.pci_address,
            "index": self.index,
            "pci": self.vf,
            "golden": self.first.to_json() if self.first is not None else None,
            "differs": self.differs,
            "note": self.note,
        }

    def kept(self) -> list[tuple[str, str]]:
        """For a reader: what is told of it, by name."""
        if self.first is None:
            return []
        state = self.first.state.to_json() | {"mac": self.first.state.mac or None}
        told = {_NAMES.get(key, key): value for key, value in state.items() if key not in _TODAYS}
        return [(key, words(value)) for key, value in (told | self.first.traits).items() if value is not None]


# not what it was at first: an ADD keeps them as they are that day
_TODAYS = {"ifname", "altnames", "up"}
_NAMES = {"mac": "admin MAC", "own_mac": "MAC"}


def run(host: Host, where: str, taken: str) -> list[Row]:
    """Of a VF by PCI address, of a PF by name or PCI address, or of all; `taken`: first take that VF as it is now."""
    if taken:
        _take(host, taken)
        return [_row(host, *_vf(host, taken))]
    if _is_vf(host, where):
        return [_row(host, *_vf(host, where))]
    pfs = [vfs.find_pf(host, where)] if where else host.sysfs.pfs()
    return [
        _row(host, pf, index, address) for pf in pfs for index, address in host.sysfs.virtfns(pf.pci_address)
    ]


def _is_vf(host: Host, where: str) -> bool:
    try:
        return host.sysfs.is_vf(parse_pci_address(where))
    except ValueError:
        return False


def _vf(host: Host, where: str) -> tuple[PF, int, str]:
    if not _is_vf(host, where):
        raise PfUnusable(
            f"use VF {where}: no such VF", "give its PCI address; `sriovctl baseline` lists them"
        )
    address = parse_pci_address(where)
    pf, index = host.sysfs.pf_of_vf(address), host.sysfs.vf_index(address)
    if pf is None or index is None:
        raise PfUnusable(f"use VF {where}: it has just gone")
    return pf, index, address


def _row(host: Host, pf: PF, index: int, vf: str) -> Row:
    row = Row(pf, index, vf)
    try:
        row.first = golden.of(host, vf)
        row.note = _why_not(host, row)
        if not row.note and row.first is not None:
            found = look(host, row)
            row.differs = restore.differences(found, row.first.state, row.first)
    except (CniError, KernelRefused) as error:
        row.note = str(error)
    return row


def _why_not(host: Host, row: Row) -> str:
    if row.first is None:
        return "no container has had it yet"
    if row.vf not in host.ledger.claimed():
        return ""
    claim = host.ledger.claim_on(row.vf)
    return f"{claim.attachment} has it" if claim is not None else "it is claimed"


def look(host: Host, row: Row) -> Card:
    found = unclaimed(host, row.vf, row.pf.pci_address, row.index)
    if found.link is None and host.sysfs.has_netdev(row.vf):
        raise TryAgain(f"look at VF {row.vf}: its netdev is in another network namespace")
    return found


def unclaimed(host: Host, device: str, pf: str, index: int) -> Card:
    """By a Record of nobody's, which is written nowhere. `pf` "" = it is no VF of a PF that is visible."""
    return card.look(host, Record(Attachment("", ""), "", pf, device, index, "", [], host.ledger.boot_id))


def _take(host: Host, where: str) -> None:
    """TryAgain (11) while somebody has it: what is there now is a container's."""
    pf, index, vf = _vf(host, where)
    host.ledger.open_run_dir()
    with host.ledger.node_lock("sriovctl baseline"):
        if vf in host.ledger.claimed():
            claim = host.ledger.claim_on(vf)
            who = f"{claim.attachment} has" if claim is not None else "somebody has claimed"
            raise TryAgain(
                f"take VF {vf} as it is now: {who} it", "DEL that first; `sriovctl gc` takes back the dead"
            )
        golden.keep(host, vf, golden.seen(look(host, Row(pf, index, vf))))
