"""The Handover of a VF with a network driver: the container gets its netdev (vf/handover.py says what each act is for)."""

from __future__ import annotations

import errno

from ..conf.netconf import NetConf
from ..decide import choose, knobs
from ..kernel.netlink import Netlink
from ..kernel.netns import Netns
from ..words.domain import VF, IpamResult, Link, Route
from ..words.errors import DriverRefused, IfnameExists, KernelRefused, PfUnusable, TryAgain
from ..words.record import Record, VfState
from . import admin, drift, homecoming, pod, stacked
from .card import Card, in_host, poll
from .host import Host
from .pod import InPod

announce = pod.announce
differences = drift.differences
take_home = homecoming.take_home
is_home = homecoming.is_home
is_in_pod = homecoming.is_in_pod
is_out = homecoming.is_out


def busy(host: Host, conf: NetConf, vf: VF, addressed: set[int]) -> str:
    """UP or link-local alone does not keep it: NetworkManager does that."""
    if not vf.ifname:
        asked = f', and "driver": "{conf.plane.driver}" wants one' if conf.plane.driver else ""
        return f"driver {vf.driver} makes no netdev{asked}: `sriovctl bind {vf.pci_address} kernel`"
    ifindex = host.netlink.ifindex(vf.ifname)
    if ifindex in addressed:
        return f"{vf.ifname} has a global address in the host"
    if not host.sysfs.udev_named(ifindex):
        return f"{vf.ifname} {choose.UNNAMED}"
    return ""


def find(host: Host, record: Record) -> Link:
    """Its netdev in the host."""
    link = in_host(host, record.vf)
    if link is None:
        raise PfUnusable(f"use VF {record.vf}: its netdev vanished when it was claimed")
    return link


def hand_over(card: Card, netns: Netns, netlink: Netlink, conf: NetConf) -> InPod:
    """MAC, what the netdev itself has, and the PF's knobs, all in the host and DOWN; then the move, and then it is read
    back.
    """
    admin.set_down(card)
    admin.set_mac(card)
    admin.set_own(card)
    admin.set_knobs(card)
    move(card, netns)
    return InPod(card.host, netns, netlink, read_back(card, netlink, conf))


def move(card: Card, netns: Netns) -> None:
    """One message moves and renames: no rename that udev can see, no temporary netns."""
    ifname, netlink, link = card.record.attachment.ifname, card.host.netlink, card.link
    assert link is not None
    try:
        if ifname in link.altnames:
            netlink.del_altname(link.ifindex, ifname)  # it would stand in the way of its own name
        netlink.move(link.ifindex, netns.fd, ifname)
    except KernelRefused as refused:
        if refused.errno == errno.ENODEV:
            raise PfUnusable(f"move VF {card.record.vf}: its netdev has vanished", str(refused)) from refused
        if refused.errno == errno.EEXIST:
            raise IfnameExists(
                f"add interface {ifname}: {netns.path} has one of that name, or of an altname of {link.ifname}"
            ) from refused
        raise


def read_back(card: Card, netlink: Netlink, conf: NetConf) -> Link:
    """Given = set and read back; i40e and iavf apply asynchronously (sriov-cni utils.go), so up to `verifyTimeout`.
    The answer is the VF as it is in the pod.
    """
    found = []

    def wrong() -> list[str]:
        link = netlink.link(card.record.attachment.ifname)
        if link is None:
            raise PfUnusable(f"move VF {card.record.vf}: it vanished on the way")
        found.append(link)
        return _unlike(card, link)

    still = poll(wrong, conf.verify_timeout_ms / 1000)
    if still:
        raise DriverRefused(
            f"set up {card.where}: driver {card.driver} took it without effect",
            f"after {conf.verify_timeout_ms} ms: {'; '.join(still)}",
        )
    return found[-1]


_MODES = dict.fromkeys(("promisc", "allmulti"), "promisc or allmulti is not as asked")


def _unlike(card: Card, link: Link) -> list[str]:
    settings = card.record.settings
    wrong = [
        _MODES.get(key) or f"{'own MAC' if key == 'mac' else key} {now}, not {asked}"
        for key, now, asked in knobs.own_differences(link, settings)
    ]
    if card.pf is not None and (settings.mac or knobs.steps(VfState(), settings)):
        with admin.refusal(card, "what was asked"):
            now = card.host.netlink.vf_state(card.pf.ifindex, card.record.vf_index)
        wrong += knobs.differences(now, settings)
        if settings.mac not in {None, now.mac}:
            wrong.append(f"admin MAC {now.mac}, not {settings.mac}")
    return list(dict.fromkeys(wrong))


def add_late(given: InPod, _record: Record, conf: NetConf, found: IpamResult) -> list[Route]:
    return pod.add_late(given, conf, found)


def configure(given: InPod, record: Record, conf: NetConf, found: IpamResult | None) -> list[Route]:
    """It is UP then, and with it each VLAN that somebody put on it and took to another netns (vlan_device_event). What is
    found goes with the netdev, which the undo makes anew.
    """
    routes = pod.configure(given, conf, found)
    given.link.flags |= 1  # IFF_UP
    if stacked.has_strangers(given.netns, given.netns.proc_net("dev_mcast"), given.link, []):
        stacked.note(given.host, record)
        raise TryAgain(
            f"use VF {record.vf}: something in another network namespace is stacked on it",
            "an earlier container left it; the VF is made anew, and the next ADD can have it",
        )
    return routes
