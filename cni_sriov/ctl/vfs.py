"""`sriovctl vfs PF N`: make a PF have N VFs, and wait until they can be used.

numvfs goes through 0 (the kernel wants that), which takes the VFs away from whoever uses them without a word
(kernels.md 6.11): so it is refused while one is in use. The node's claims lock is held meanwhile: no ADD can choose a VF
that is about to go.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from ..conf.hostfile import Count
from ..decide import oracle, provision
from ..kernel.files import Files
from ..kernel.holders import holders
from ..vf import nodes
from ..vf.host import Host
from ..words.domain import PF, VF
from ..words.errors import BadConfig, CniError, KernelRefused, PfUnusable
from ..words.pci import is_userspace, parse_pci_address
from . import node, ready, refusal, slot
from .ready import NAMED_TIMEOUT_S


@dataclass(slots=True)
class Provision:
    """The PF as it is now. `plan`: what was done, or would be; `missing`: what a VF still lacks; `notes`: what the operator
    should know; `boot`: how it is kept for the next boot (ctl/boot.py), None = it is not.
    """

    pf: node.PfRow
    plan: list[str]
    missing: list[str]
    notes: list[str]
    is_dry: bool = False
    boot: dict[str, Any] | None = None

    @property
    def changed(self) -> bool:
        return bool(self.plan) and not self.is_dry

    def to_json(self) -> dict[str, Any]:
        return {
            "changed": self.changed,
            "pfs": [self.pf.to_json()],
            "missing": self.missing,
            "notes": self.notes,
            "dryRun": self.is_dry,
            "plan": self.plan,
            "boot": self.boot,
        }


def run(
    host: Host,
    files: Files,
    where: str,
    wanted: Count,
    timeout_s: float = NAMED_TIMEOUT_S,
    is_dry: bool = False,
) -> Provision:
    """`wanted` "max": as many as there is room for. A dry run refuses what the real one does."""
    address = find_pf(host, where).pci_address
    if not is_dry:
        host.ledger.open_run_dir()
    with nullcontext() if is_dry else host.ledger.node_lock("sriovctl vfs"):
        pf = find_pf(host, address)
        count = _count(files, pf, wanted)
        plan, notes = _bring(host, files, pf, count, is_dry)
    missing = []
    if not is_dry:
        pf = find_pf(host, address)
        missing = ready.wait(host, pf, count, timeout_s)
    row = next(row for row in node.look(host) if row.pf.pci_address == address)
    notes += [] if is_dry else ready.notes(host, row)
    return Provision(row, plan, missing, notes, is_dry)


def _count(files: Files, pf: PF, wanted: Count) -> int:
    """What is there proves that there is room."""
    if isinstance(wanted, int):
        return wanted
    found = slot.look(files, pf.pci_address)
    count = max(oracle.capacity(found).count, pf.numvfs)
    if not count:
        raise refusal.no_room(found)
    return count


def _bring(host: Host, files: Files, pf: PF, count: int, is_dry: bool) -> tuple[list[str], list[str]]:
    """What there is to do, and what the operator should know of it."""
    if pf.numvfs == count:
        return [], []
    plan = [provision.say_count(pf.ifname or pf.pci_address, pf.numvfs, count)]
    if not is_dry:
        return plan, change(host, files, pf, count)
    warning = _judge(host, files, pf, count)
    return plan, [f"the kernel may refuse it: {warning}"] if warning else []


# which PF ------------------------------------------------------------------------------------------------------------


def find_pf(host: Host, where: str) -> PF:
    """By name, altname or PCI address; the error says what it is instead."""
    try:
        address = parse_pci_address(where)
    except ValueError:
        address = ""
        where = name_of(host, where)
    pf = host.sysfs.pf_by_pci(address) if address else host.sysfs.pf_by_name(where)
    if pf is None:
        raise _no_pf(host, where, address)
    return pf


def name_of(host: Host, netdev: str) -> str:
    """What a netdev is called that is named by an altname; else as it is given."""
    return host.netlink.ifname(host.netlink.ifindex(netdev)) or netdev


def _no_pf(host: Host, where: str, address: str) -> CniError:
    have = ", ".join(f"{pf.ifname or '(no netdev)'} {pf.pci_address}" for pf in host.sysfs.pfs())
    remedy = f"PFs of this node: {have or 'none'}"
    ports = host.sysfs.bond_ports(where)
    if ports:
        return BadConfig(f"use PF {where}: it is a bond", f"name one of its ports: {', '.join(ports)}")
    address = address or host.sysfs.pci_of_netdev(where)
    parent = host.sysfs.pf_of_vf(address) if address else None
    if parent is not None:
        name = parent.ifname or parent.pci_address
        return BadConfig(f"use PF {where}: it is a VF, of {name}", f"sriovctl vfs {name}")
    if address and host.sysfs.exists(address):
        return PfUnusable(
            f"use PF {where}: the device cannot have VFs (no sriov_totalvfs)",
            f"SR-IOV may be off in the BIOS or in the card's firmware. {remedy}",
        )
    if host.netlink.ifindex(where):
        return PfUnusable(f"use PF {where}: it is not a PCI device", remedy)
    return PfUnusable(
        f"use PF {where}: no such interface or PCI device",
        f"{remedy}. A PF on vfio-pci or uio has no name: use its PCI address",
    )


# change --------------------------------------------------------------------------------------------------------------


def change(host: Host, files: Files, pf: PF, count: int) -> list[str]:
    """What the operator should know of it. What the kernel is certain to refuse is not tried, and takes no VF away.

    By whoever has the node's lock: no ADD can choose a VF that is about to go.
    """
    name, warning = pf.ifname or pf.pci_address, _judge(host, files, pf, count)
    if pf.numvfs:
        _set(host, files, pf, 0)
        nodes.sweep(host)
    if count:
        try:
            _set(host, files, pf, count)
        except CniError as error:
            error.details += _put_back(host, pf, name)
            raise
    return [f"it worked, although this slot seemed too small: {warning}"] if warning else []


def _judge(host: Host, files: Files, pf: PF, count: int) -> str:
    """CniError where that is certain to be refused; what speaks against it otherwise, or ""."""
    refused, warning = refusal.beforehand(slot.look(files, pf.pci_address), count)
    if refused is not None:
        raise refused
    if pf.numvfs:
        _refuse_in_use(host, files, pf, pf.ifname or pf.pci_address, count)
    return warning


def _refuse_in_use(host: Host, files: Files, pf: PF, name: str, count: int) -> None:
    used = users(host, files, pf) or [
        f"vf {index} ({address}): open in {who}"
        for index, address in host.sysfs.virtfns(pf.pci_address)
        for who in nodes.held_unseen(host, address)
    ]
    if used:
        raise PfUnusable(
            f"change {name} from {pf.numvfs} to {count} VFs: {len(used)} of them in use, and all would go",
            "\n".join(
                [*used, "end that use first; what is left of dead containers, `sriovctl gc` takes back"]
            ),
        )


def _set(host: Host, files: Files, pf: PF, count: int) -> None:
    try:
        host.sysfs.set_numvfs(pf, count)
    except KernelRefused as refused:
        raise refusal.after(files, pf.pci_address, count, refused) from refused


def _put_back(host: Host, pf: PF, name: str) -> str:
    """The VFs that were there before, after the new number was refused."""
    if not pf.numvfs:
        return ""
    try:
        host.sysfs.set_numvfs(pf, pf.numvfs)
    except KernelRefused as refused:
        return f"\n{name} has no VFs now: {refused}"
    return f"\n{name} has its {pf.numvfs} VFs again"


def users(host: Host, files: Files, pf: PF) -> list[str]:
    """Who uses VFs of that PF, one line each."""
    return [f"vf {vf.index} ({vf.pci_address}): {reason}" for vf, reason in uses(host, files, pf) if reason]


def uses(host: Host, files: Files, pf: PF, only: int | None = None) -> Iterator[tuple[VF, str]]:
    """Each VF, or that one, with who uses it, "" = nobody."""
    owned, claimed = node.owners(host), host.ledger.claimed()
    addresses: dict[int, list[str]] = {}
    for found in host.netlink.addresses():
        if found.is_global:
            addresses.setdefault(found.ifindex, []).append(found.address)
    for index, pci_address in host.sysfs.virtfns(pf.pci_address):
        if only not in {None, index}:
            continue
        vf = host.sysfs.vf(index, pci_address)
        yield vf, node.holder(owned, claimed, pci_address) or _use(host, files, vf, addresses)


def _use(host: Host, files: Files, vf: VF, addresses: dict[int, list[str]]) -> str:
    if is_userspace(vf.driver):
        openers = holders(files, vf.pci_address)
        return f"open in {', '.join(openers)}" if openers else ""
    if not vf.ifname:
        away = vf.driver and host.sysfs.has_netdev(vf.pci_address)
        return "its netdev is in another network namespace" if away else ""
    held = addresses.get(host.netlink.ifindex(vf.ifname))
    return vf.busy or (f"{vf.ifname} has the address {', '.join(held)}" if held else "")
