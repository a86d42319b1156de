"""All that `status` shows, looked at once. Changes nothing.

Beyond node.look it asks the kernel for counters, and each pod for its VF's netdev: a socket is opened in its network
namespace for that, and one question asked. One VF's trouble hides no other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ...ipam import own
from ...kernel import counters
from ...kernel.counters import Counters
from ...kernel.devices import devices
from ...kernel.files import Files
from ...kernel.links import decoded
from ...vf import card
from ...vf.host import Host
from ...words.device import Device
from ...words.domain import Link
from ...words.failures import Failures
from ...words.lease import Lease
from ...words.pci import is_userspace
from ...words.record import Record
from .. import keepers, node, places, slot, unreadable
from ..node import PfRow, VfRow
from . import sections, taps
from .facts import PfFacts, VfFacts
from .naming import Naming
from .sections import Bound
from .taps import Tap

_HOSTNAME = "/proc/sys/kernel/hostname"
_COUNTERS = "read counters"


@dataclass(slots=True)
class Status:
    """`unseen`: what could not be looked at, a sentence each; the rest is there all the same. `node` is the host's name.
    `is_part`: not all was asked for (selection.py).
    """

    pfs: list[PfRow]
    devices: list[Bound]
    unreadable: list[dict[str, str]]
    unseen: list[str] = field(default_factory=list)
    node: str = ""
    taps: list[Tap] = field(default_factory=list)
    is_part: bool = False

    def to_json(self) -> dict[str, Any]:
        """A contract: conf/status.schema.json."""
        return {
            "pfs": [pf.to_json() for pf in self.pfs],
            "devices": [row.to_json() for row in self.devices],
            "unreadable": self.unreadable,
            "unseen": self.unseen,
            "taps": [tap.to_json() for tap in self.taps],
        }


def look(host: Host, files: Files, naming: Naming | None = None, as_root: str = "") -> Status:
    """`naming`: who looks again and again has read the names already. `as_root`: the command that sees all, where we see no
    state files.
    """
    pfs, failures = node.look(host, not as_root), Failures()
    found: dict[str, Device] = {}
    rows: list[Bound] = []
    naming = naming or Naming(files)
    with failures.of():
        found = {device.address: device for device in devices(files)}
        rows = sections.bound(found.values(), naming, _active(host))
    for pf in pfs:
        _look_at_pf(host, pf, found, naming, failures)
    name = ""
    with failures.of():
        name = files.text(_HOSTNAME) or ""
    if as_root:
        hidden = f"who has which VF and subnet, and what is left of the dead: only root sees that: {as_root}"
        return Status(pfs, rows, [], [*failures.told, hidden], name)
    found_taps = taps.look(host, failures)
    with failures.of(what="network namespaces"):
        _look_who_keeps(host, files, [*(vf for pf in pfs for vf in pf.vfs), *found_taps])
    _tell_what_is_stuck(host, [vf for pf in pfs for vf in pf.vfs], failures)
    return Status(pfs, rows, unreadable.look(host), failures.told, name, found_taps)


def _look_who_keeps(host: Host, files: Files, rows: list[VfRow | Tap]) -> None:
    live = keepers.living(host)
    for row in rows:
        if row.record is not None and row.state in {"attached", "released"}:
            row.kept_by = keepers.mounts(row.record, live())
            row.inside = keepers.inside(files, row.record, live())


def _tell_what_is_stuck(host: Host, rows: list[VfRow], failures: Failures) -> None:
    """A container is gone, and its VF is not as it was: as `gc` has it."""
    for row in rows:
        if row.record is not None and row.state == "released":
            with failures.of(vf=row.vf.pci_address):
                row.reason = f"{row.reason}: {places.stuck(host, row.record)}"
                if row.inside:
                    row.reason += f"; {', '.join(row.inside)} in its network namespace"


def leases(host: Host, found: Status) -> list[Lease]:
    """Of every data directory in use; one that cannot be read is told in `found.unseen`."""
    failures, held = Failures(), list[Lease]()
    for store in own.stores(host):
        with failures.of(directory=store.where.path):
            held += [lease for holding in store.holdings() for lease in holding.leases]
    found.unseen += failures.told
    return held


def _active(host: Host) -> set[str]:
    return {host.netlink.ifname(ifindex) for ifindex in sections.active_indices(host.netlink.routes())}


def _look_at_pf(host: Host, pf: PfRow, found: dict[str, Device], naming: Naming, failures: Failures) -> None:
    of_vfs: dict[int, Counters] = {}
    own = None
    if pf.link is not None:
        with failures.of(pf=pf.pf.ifname):
            told = host.netlink.whole_link(pf.link.ifindex)
            own, of_vfs = _counted(told), decoded(_COUNTERS, counters.of_vfs, told)
    with failures.of(pf=pf.pf.pci_address):
        pf.offer = slot.offer(host.files, pf.pf)
    device = found.get(pf.pf.pci_address, Device(pf.pf.pci_address))
    pf.more = PfFacts(device, naming, pf.link, own)
    for vf in pf.vfs:
        link, own = vf.link, None
        with failures.of(vf=vf.vf.pci_address):
            link, own = _netdev(host, vf)
        device = found.get(vf.vf.pci_address, Device(vf.vf.pci_address))
        vf.more = VfFacts(device, link, own or of_vfs.get(vf.vf.index), vf.admin)


def _counted(told: bytes) -> Counters | None:
    """KernelRefused where that is no message about a link."""
    return decoded(_COUNTERS, counters.of_link, told)


def _netdev(host: Host, vf: VfRow) -> tuple[Link | None, Counters | None]:
    """In the host, or in its pod."""
    if vf.link is not None:
        return vf.link, _counted(host.netlink.whole_link(vf.link.ifindex))
    if vf.record is None or vf.state != "attached" or is_userspace(vf.vf.driver):
        return None, None
    return _in_pod(host, vf.record)


def _in_pod(host: Host, record: Record) -> tuple[Link | None, Counters | None]:
    """Nothing where the namespace at that path is another one by now."""
    with host.open_path(record.netns) as netns, host.netlink_in(netns) as pod:
        link = None
        if netns.is_the_one(record.netns_identity, record.netns_cookie):
            link = card.by_name(pod, record)
        return link, _counted(pod.whole_link(link.ifindex)) if link is not None else None
