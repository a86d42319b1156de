"""What the host uses itself, which no lease may overlap."""

from __future__ import annotations

from ..vf.host import Host
from ..words.domain import HostUse


def host_use(host: Host, without: set[int]) -> list[HostUse]:
    """Addresses and connected routes, but for those of the links in `without`."""
    return [
        HostUse(prefix, words)
        for prefix, ifindex, words in host.netlink.host_use(host.addresses)
        if ifindex not in without
    ]


def own_links(host: Host, pf_address: str) -> set[int]:
    """The PF, its VLANs, its bond, and theirs: a pool may be cut from the LAN that the PF itself is on."""
    pf = host.sysfs.pf_by_pci(pf_address) if pf_address else None
    return stacked_on(host, pf.ifname) if pf is not None and pf.ifname else set()


def stacked_on(host: Host, ifname: str) -> set[int]:
    """The interface and all that is stacked on it, as ifindexes."""
    todo, names = [ifname], set()
    while todo:
        name = todo.pop()
        if name not in names:
            names.add(name)
            todo += host.sysfs.uppers(name)
    return {host.netlink.ifindex(name) for name in names}
