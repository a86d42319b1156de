"""The huge pages that a conf asks for, looked for before a VF is spent on it."""

from __future__ import annotations

from ..conf.netconf import NetConf
from ..decide import hugepages as decide
from ..kernel import devices, hugepages
from ..words.domain import PF
from .host import Host


def with_enough(host: Host, conf: NetConf, pfs: list[PF]) -> list[PF]:
    """For a conf that asks for some: those of the PFs whose VFs have them near; CniError (11 or 7) says what is free where none has."""
    asked = conf.plane.hugepages
    of_nodes, of_machine = hugepages.pages(host.files), hugepages.of_machine(host.files)
    places = [
        decide.near(devices.numa_node(host.files, conf.device or pf.pci_address), of_nodes, of_machine)
        for pf in pfs
    ]
    refused = decide.refusal(asked, places)
    if refused is not None:
        raise refused
    lacking = {pf.pci_address: decide.refusal(asked, [place]) for pf, place in zip(pfs, places, strict=True)}
    for pf in pfs:
        if lacking[pf.pci_address] is not None:
            host.log.routine("passed over", pf=pf.ifname, reason=lacking[pf.pci_address])
    return [pf for pf in pfs if lacking[pf.pci_address] is None]
