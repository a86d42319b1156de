"""The host's side of an ADD: what the VF is, its settings by way of the PF, and the move into the pod.

PF and VF are looked up once (`find`) and then worked by ifindex: in a burst each look-up queues for RTNL behind
others' moves. What vanishes meanwhile is ENODEV then, and told as code 101.
"""

from __future__ import annotations

import errno
import time

from ..conf.netconf import NetConf
from ..decide import knobs
from ..kernel.netlink import ZERO_MAC, Netlink
from ..kernel.netns import Netns
from ..owner import giveback
from ..words.domain import Link, Record, VfState
from ..words.errors import (
    BadConfig,
    CniError,
    DriverRefused,
    IfnameExists,
    KernelRefused,
    PfUnusable,
    TryAgain,
)
from . import homename, stacked
from .host import Host


class Card:
    """The PF and the VF of one attachment as they were found; `pf` None = it is not visible (vf/lone.py)."""

    __slots__ = ("driver", "host", "pf", "record", "vf")

    def __init__(self, host: Host, record: Record, pf: Link | None, driver: str, vf: Link) -> None:
        self.host = host
        self.record = record
        self.pf = pf
        self.driver = driver
        self.vf = vf

    @property
    def where(self) -> str:
        return f"{self.pf.ifname} vf {self.record.vf_index}" if self.pf else f"VF {self.record.vf}"


def find(host: Host, record: Record, conf: NetConf) -> Card:
    """Read all that the VF is, judge what only the hardware can judge, and put the Record: nothing is changed yet."""
    link = host.vf_link(record.vf)
    if link is None:
        raise PfUnusable(f"use VF {record.vf}: its netdev vanished when it was claimed")
    pf, driver = _pf(host, record) if record.pf else (None, record.driver)
    card = Card(host, record, pf, driver, link)
    _check_mtu(card, conf)
    if pf is not None and not pf.is_up and not conf.pf_up:
        raise PfUnusable(
            f"use PF {pf.ifname}: it is down, so its VFs carry nothing", 'bring it up, or set "pfUp": true'
        )
    if link.is_up:
        host.log.info("the VF is UP in the host; taken all the same", vf=record.vf, ifname=link.ifname)
    record.parent_dev = link.parent_dev
    record.baseline = _baseline(card)
    host.ledger.put(record)
    if record.baseline.ifname != link.ifname:
        homename.forget(host, record.vf)  # the Record knows it now
    if link.is_held:
        _free(card, conf)
    return card


def _pf(host: Host, record: Record) -> tuple[Link, str]:
    """(its netdev, its driver)"""
    found = host.sysfs.pf_by_pci(record.pf)
    pf = host.netlink.link_by_index(found.ifindex) if found is not None and found.ifindex else None
    if found is None or pf is None:  # gone, or in a netns itself (lab.md 6.16)
        raise PfUnusable(f"use PF {record.pf}: it has no netdev in the host netns")
    return pf, found.driver


def _free(card: Card, conf: NetConf) -> None:
    """Something that an earlier container left in another netns holds its netdev: it is made anew, and as it was."""
    host, record = card.host, card.record
    host.log.warning("something holds the VF; its netdev is made anew", vf=record.vf, ifname=card.vf.ifname)
    stacked.note(host, record)
    try:
        giveback.return_vf(host, record, conf.verify_timeout_ms)
    except giveback.NotYet as reason:
        raise TryAgain(f"use VF {record.vf}: something holds its netdev, and {reason}") from reason
    link = host.vf_link(record.vf)
    if link is None:
        raise PfUnusable(f"use VF {record.vf}: its netdev vanished when it was made anew")
    card.vf = link
    record.parent_dev = link.parent_dev


def refuse_shared(card: Card, netns: Netns, link: Link) -> None:
    """The link is UP in the pod now, and with it each VLAN that somebody put on it and took to another netns
    (vlan_device_event). What is found goes with the netdev, which the undo makes anew.
    """
    link.flags |= 1  # IFF_UP
    if stacked.has_strangers(netns, netns.proc_net("dev_mcast"), link, []):
        stacked.note(card.host, card.record)
        raise TryAgain(
            f"use VF {card.record.vf}: something in another network namespace is stacked on it",
            "an earlier container left it; the VF is made anew, and the next ADD can have it",
        )


def _baseline(card: Card) -> VfState:
    link = card.vf
    baseline = _admin_state(card)
    baseline.mac = giveback.admin_mac(baseline, link) if card.pf is not None else None
    baseline.ifname = homename.of(card.host, card.record.vf) or link.ifname
    baseline.own_mac, baseline.mtu, baseline.txqueuelen = link.mac, link.mtu, link.txqueuelen
    baseline.altnames, baseline.up, baseline.modes = link.altnames, link.is_up, link.modes
    return baseline


def _admin_state(card: Card) -> VfState:
    """What the PF tells of the VF. A PF that lists none is accepted only if nothing is asked of it."""
    record = card.record
    if card.pf is None:
        return VfState()
    try:
        return card.host.netlink.vf_state(card.pf.ifindex, record.vf_index)
    except KernelRefused as refused:
        if knobs.steps(VfState(), record.settings) or record.settings.mac:
            raise PfUnusable(
                f"use PF {card.pf.ifname}: it tells nothing of vf {record.vf_index}", str(refused)
            ) from refused
        return VfState()


def _check_mtu(card: Card, conf: NetConf) -> None:
    mtu, pf, vf = conf.settings.mtu, card.pf, card.vf
    if mtu is None:
        return
    pf = pf or vf
    low = max(pf.min_mtu, vf.min_mtu)
    high = min(pf.max_mtu or mtu, vf.max_mtu or mtu)
    if not low <= mtu <= high:
        raise BadConfig(f"read mtu {mtu}: {pf.ifname} and its VFs take {low}-{high}")


def bring_pf_up(card: Card, conf: NetConf) -> None:
    """Without it all settings seem to succeed and nothing works (lab.md 6.4). Never undone: others may use it by now."""
    if card.pf is not None and not card.pf.is_up and conf.pf_up:
        card.host.log.warning("the PF was down; bringing it up", pf=card.pf.ifname)
        with refusal(card, "pfUp"):
            card.host.netlink.set_up(card.pf.ifindex)
        if knobs.has_rates(card.record.settings):
            _await_carrier(card, conf.verify_timeout_ms / 1000)


def _await_carrier(card: Card, timeout_s: float) -> None:
    """igb knows no speed before that, and refuses rates (igb_ndo_set_vf_bw). Where none comes, the refusal says so."""
    deadline = time.monotonic() + timeout_s
    while not _has_carrier(card) and time.monotonic() < deadline:
        time.sleep(0.02)


def _has_carrier(card: Card) -> bool:
    if card.pf is None:
        return True
    try:
        pf = card.host.netlink.link_by_index(card.pf.ifindex)
    except KernelRefused:
        return False
    return pf is not None and pf.carrier


def set_mac(card: Card) -> None:
    """Existing admin MAC cleared, own address, then admin MAC: the other way round the VF keeps its old address and
    loses all traffic, with no error (lab.md 6.1). An admin MAC equal to the own address cannot be seen, so it is
    always cleared; a driver that refuses that refuses the next step too if there was one.
    """
    mac, baseline, netlink = card.record.settings.mac, card.record.baseline, card.host.netlink
    if mac is None or baseline is None or mac == baseline.own_mac == baseline.mac:
        return
    with refusal(card, "mac"):
        if card.pf is None:  # whoever has the PF may refuse it
            netlink.set_mac(card.vf.ifindex, mac)
            return
        try:
            netlink.set_vf_mac(card.pf.ifindex, card.record.vf_index, ZERO_MAC)
        except KernelRefused as refused:
            card.host.log.debug("admin MAC not cleared", vf=card.record.vf, reason=refused)
        netlink.set_mac(card.vf.ifindex, mac)
        netlink.set_vf_mac(card.pf.ifindex, card.record.vf_index, mac)


def set_mtu(card: Card) -> None:
    mtu = card.record.settings.mtu
    if mtu not in {None, card.vf.mtu}:
        with refusal(card, "mtu"):
            card.host.netlink.set_mtu(card.vf.ifindex, mtu or 0)


def set_netdev(card: Card) -> None:
    """What the VF's own netdev has; it goes along into the pod."""
    settings, vf, netlink = card.record.settings, card.vf, card.host.netlink
    if settings.txqueuelen not in {None, vf.txqueuelen}:
        with refusal(card, "txqueuelen"):
            netlink.set_txqueuelen(vf.ifindex, settings.txqueuelen or 0)
    modes = settings.modes(vf.modes)
    if modes != vf.modes:
        with refusal(card, "promisc or allmulti"):
            netlink.set_modes(vf.ifindex, modes)


def set_knobs(card: Card) -> None:
    assert card.record.baseline is not None
    if card.pf is None:
        return  # none is asked: lone.pf_of
    for step in knobs.steps(card.record.baseline, card.record.settings):
        with refusal(card, step.label):
            card.host.netlink.set_vf(card.pf.ifindex, card.record.vf_index, step.knob, *step.values)


class refusal:  # noqa: N801 # reads as a preposition; contextlib costs 5 ms
    """`with refusal(card, "vlan"):` the kernel's no becomes code 100 with knob, PF, VF and driver."""

    __slots__ = ("card", "knob")

    def __init__(self, card: Card, knob: str) -> None:
        self.card = card
        self.knob = knob

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, KernelRefused):
            raise _driver_refused(self.card, self.knob, error) from error


def _driver_refused(card: Card, knob: str, refused: KernelRefused) -> CniError:
    if refused.errno == errno.ENODEV or (
        card.pf is not None and card.host.sysfs.pf_by_pci(card.record.pf) is None
    ):
        return PfUnusable(f"set {knob}: the PF {card.record.pf} or its VF has vanished", str(refused))
    if refused.errno in {errno.EOPNOTSUPP, errno.EPROTONOSUPPORT}:  # other numbers speak for themselves
        return DriverRefused(
            f"set {knob} on {card.where}: driver {card.driver} does not support it", str(refused)
        )
    why = str(refused)
    if knob.endswith("_rate") and not _has_carrier(card):
        why += "; the PF has no carrier, and its driver may want one to set rates"
    return DriverRefused(f"set {knob} on {card.where}: driver {card.driver} refused", why)


def move(card: Card, netns: Netns) -> None:
    """One message moves and renames: no rename that udev can see, no temporary netns."""
    ifname, netlink = card.record.attachment.ifname, card.host.netlink
    try:
        if ifname in card.vf.altnames:
            netlink.del_altname(card.vf.ifindex, ifname)  # it would stand in the way of its own name
        netlink.move(card.vf.ifindex, netns.fd, ifname)
    except KernelRefused as refused:
        if refused.errno == errno.ENODEV:
            raise PfUnusable(f"move VF {card.record.vf}: its netdev has vanished", str(refused)) from refused
        if refused.errno == errno.EEXIST:
            raise IfnameExists(
                f"add interface {ifname}: {netns.path} has one of that name, or of an altname of {card.vf.ifname}"
            ) from refused
        raise


def read_back(card: Card, conf: NetConf, inside_pod: Netlink) -> Link:
    """Given = set and read back; i40e and iavf apply asynchronously (sriov-cni utils.go), so up to `verifyTimeout`.
    The answer is the VF as it is in the pod.
    """
    deadline = time.monotonic() + conf.verify_timeout_ms / 1000
    while True:
        link = inside_pod.link(card.record.attachment.ifname)
        if link is None:
            raise PfUnusable(f"move VF {card.record.vf}: it vanished on the way")
        wrong = _differences(card, link)
        if not wrong:
            return link
        if time.monotonic() >= deadline:
            raise DriverRefused(
                f"set up {card.where}: driver {card.driver} took it without effect",
                f"after {conf.verify_timeout_ms} ms: {'; '.join(wrong)}",
            )
        time.sleep(0.02)


def _differences(card: Card, link: Link) -> list[str]:
    settings = card.record.settings
    wrong = []
    if settings.mac not in {None, link.mac}:
        wrong.append(f"own MAC {link.mac}, not {settings.mac}")
    if settings.mtu not in {None, link.mtu}:
        wrong.append(f"mtu {link.mtu}, not {settings.mtu}")
    if settings.txqueuelen not in {None, link.txqueuelen}:
        wrong.append(f"txqueuelen {link.txqueuelen}, not {settings.txqueuelen}")
    if settings.modes(link.modes) != link.modes:
        wrong.append("promisc or allmulti is not as asked")
    if card.pf is not None and (settings.mac or knobs.steps(VfState(), settings)):
        with refusal(card, "what was asked"):
            now = card.host.netlink.vf_state(card.pf.ifindex, card.record.vf_index)
        wrong += knobs.differences(now, settings)
        if settings.mac not in {None, now.mac}:
            wrong.append(f"admin MAC {now.mac}, not {settings.mac}")
    return wrong
