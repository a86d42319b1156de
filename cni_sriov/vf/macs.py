"""Who has a MAC on this node: all PFs and their VFs, all claims, and the host's own interfaces.

Looked for only where a MAC is asked, without a dump of links: sysfs takes no RTNL, and each PF is one request. igb and
others accept one MAC on two VFs (kernels.md 6.5), and then neither gets all of its traffic.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..words import gone
from ..words.domain import PF, VF
from ..words.errors import KernelRefused, MacInUse
from ..words.record import Record
from .host import Host


@dataclass(slots=True)
class Having:
    """`vfs`: PCI address of each VF that shows it -> (its PF, its index). `interfaces`: of the host, no VF's."""

    vfs: dict[str, tuple[PF, int]] = field(default_factory=dict)
    interfaces: list[str] = field(default_factory=list)


def look(host: Host, mac: str, lone: str) -> Having:
    """By the PFs' word, which is the admin MAC or what the VF set itself, and by the addresses of what is in the host.

    `lone`: a VF whose PF is not visible, and which is the one to be given.
    """
    pfs, found = host.sysfs.pfs(), Having()
    for pf in pfs:
        indices = _showing(host, pf, mac)
        found.vfs |= {
            address: (pf, index) for index, address in _virtfns(host, pf, indices) if index in indices
        }
    for name in host.sysfs.names_with_address(mac):
        address = host.sysfs.pci_of_netdev(name)
        owner = host.sysfs.pf_of_vf(address) if address else None
        index = host.sysfs.vf_index(address) if owner is not None else None
        if owner is not None and index is not None:
            found.vfs[address] = owner, index
        elif not address or address != lone:
            found.interfaces.append(name)
    return found


def _showing(host: Host, pf: PF, mac: str) -> set[int]:
    """VF indices; none of a PF that is in another netns, or goes just now."""
    if not (pf.ifindex and pf.numvfs):
        return set()
    try:
        states = host.netlink.vf_states(pf.ifindex)
    except KernelRefused as refused:
        if gone.is_gone(refused):
            return set()
        raise
    return {index for index, state in states.items() if state.mac == mac}


def _virtfns(host: Host, pf: PF, indices: set[int]) -> list[tuple[int, str]]:
    return list(host.sysfs.virtfns(pf.pci_address)) if indices else []


def refuse_claimed(host: Host, mac: str, having: Having, vf: VF) -> None:
    """MacInUse (103) if somebody has claimed it with a VF of any PF: asked for it, shows it, or brought it along."""
    claims = {claim.vf: claim for claim in host.ledger.claims()}
    for address in host.ledger.claimed():
        claim = claims.get(address)  # None: it cannot be read, and still holds its VF
        if address != vf.pci_address and (address in having.vfs or (claim and _of_claim(claim) == mac)):
            raise MacInUse(
                f"use MAC {mac}: {_name(host, having, address, claim)} has it", vf=address, claimed=True
            )


def _of_claim(claim: Record) -> str | None:
    """What was asked; else the VF has its own, which a PF need not show."""
    return claim.settings.mac or (claim.baseline.own_mac if claim.baseline else None)


def _name(host: Host, having: Having, address: str, claim: Record | None) -> str:
    if address in having.vfs:
        pf, index = having.vfs[address]
        return where(pf, index)
    pf_there = host.sysfs.pf_by_pci(claim.pf) if claim is not None and claim.pf else None
    if claim is None or pf_there is None or not pf_there.ifname:
        return f"VF {address}"
    return where(pf_there, claim.vf_index)


def where(pf: PF, index: int) -> str:
    return f"vf {index} of {pf.ifname or pf.pci_address}"


def refuse_of_host(host: Host, mac: str, having: Having) -> None:
    """MacInUse (103) if an interface of the host has it, stacked on a PF or not: the wire cannot tell them apart."""
    for name in having.interfaces:
        what = (
            f"{name} itself" if host.sysfs.pf_by_name(name) is not None else f"interface {name} of the host"
        )
        raise MacInUse(f"use MAC {mac}: {what} has it", "ask for another")
