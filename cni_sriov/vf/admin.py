"""What is set on a VF, by way of its PF and on its own netdev, and set back: the MAC in the order that each way needs,
the knobs, and the PF that must be up for them.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from ..conf.netconf import NetConf
from ..decide import knobs
from ..decide.knobs import Step
from ..kernel.netlink import ZERO_MAC
from ..words.domain import Link
from ..words.errors import CniError, DriverRefused, KernelRefused, PfUnusable
from ..words.gone import is_passing
from ..words.record import VfState
from .card import Card, poll


def bring_pf_up(card: Card, conf: NetConf) -> None:
    """Without it all settings seem to succeed and nothing works (kernels.md 6.4). Never undone: others may use it by now.

    igb knows no speed before it has a carrier, and refuses rates (igb_ndo_set_vf_bw). Where none comes, the refusal says
    so.
    """
    port = card.port
    if port is not None and not port.is_up and conf.pf_up:
        card.host.log.warning("the PF was down; bringing it up", pf=port.ifname)
        with refusal(card, "pfUp"):
            card.host.netlink.set_up(port.ifindex)
        if knobs.has_rates(card.record.settings):
            poll(lambda: not _has_carrier(card), conf.verify_timeout_ms / 1000)


def _has_carrier(card: Card) -> bool:
    if card.pf is None:
        return True
    try:
        port = card.host.netlink.link_by_index(card.pf.ifindex)
    except KernelRefused:
        return False
    return port is not None and port.carrier


def set_down(card: Card) -> None:
    """What is set, is set while it is DOWN: UP in the container's VLAN it would hear in the host what is the container's."""
    if card.link is not None and card.link.is_up:
        with refusal(card, "DOWN"):
            card.host.netlink.set_down(card.link.ifindex)


# the MAC -------------------------------------------------------------------------------------------------------------


def set_mac(card: Card) -> None:
    """Existing admin MAC cleared, own address, then admin MAC: the other way round the VF keeps its old address and
    loses all traffic, with no error (kernels.md 6.1). An admin MAC equal to the own address cannot be seen, so it is
    always cleared; a driver that refuses that refuses the next step too if there was one.
    """
    mac, base, link = card.record.settings.mac, card.record.baseline, card.link
    if mac is None or base is None or link is None or mac == base.own_mac == base.mac:
        return
    with refusal(card, "mac"):
        try:
            set_by_pf(card, ZERO_MAC)
        except KernelRefused as refused:
            card.host.log.debug("admin MAC not cleared", vf=card.record.vf, reason=refused)
        _set_own(card, link, mac)  # whoever has a PF that is not visible may refuse it
        set_by_pf(card, mac)


def restore_mac(card: Card) -> None:
    """Admin MAC cleared, own address back, admin MAC back: with an admin MAC and trust off the VF may set none
    (kernels.md 6.2). Where the driver refuses to clear, the old own address becomes the admin MAC.
    """
    base, link, admin = card.record.baseline, card.link, card.admin
    if base is None:
        return
    if link is None:
        _restore_admin_mac_alone(card, base)
        return
    # ADD set one, which cannot be seen if it is the VF's own address
    hidden = card.record.settings.mac is not None
    if not hidden and link.mac == base.own_mac and _shown(admin, link) in {None, base.mac}:
        return
    if admin is not None and admin.mac is not None:
        try:
            set_by_pf(card, ZERO_MAC)
            if link.mac == base.own_mac:
                _put_off_mac(card, link)
        except KernelRefused as refused:
            if is_passing(refused):
                raise
            card.host.log.warning(
                "admin MAC cannot be cleared; the VF's own becomes it", vf=card.record.vf, reason=refused
            )
            set_by_pf(card, base.own_mac)
    _set_own(card, link, base.own_mac)
    set_by_pf(card, base.mac or "")


def set_by_pf(card: Card, mac: str) -> None:
    """The admin MAC, if there is one to set and a PF to set it."""
    card.stale = True
    if mac and card.pf is not None:
        card.host.netlink.set_vf_mac(card.pf.ifindex, card.record.vf_index, mac)


def _set_own(card: Card, link: Link, mac: str) -> None:
    card.stale = True
    card.host.netlink.set_mac(link.ifindex, mac)


def _put_off_mac(card: Card, link: Link) -> None:
    """The kernel asks no driver for the address that its netdev has (dev_set_mac_address), but igb's clearing took
    that one off the PF's filter: with another one in between it comes back, and the VF hears again.
    """
    _set_own(card, link, f"{int(link.mac[:2], 16) ^ 2:02x}{link.mac[2:]}")


def _restore_admin_mac_alone(card: Card, base: VfState) -> None:
    """The driver was unbound under the pod, and the own address went with the netdev (kernels.md 6.12)."""
    admin, asked = card.admin, card.record.settings.mac
    if card.host.sysfs.has_netdev(card.record.vf) or admin is None:
        return
    if asked is not None and admin.mac != base.mac:
        set_by_pf(card, base.mac or ZERO_MAC)


def _shown(admin: VfState | None, link: Link) -> str | None:
    return mac_by_pf(admin, link) if admin is not None else None


def mac_by_pf(admin: VfState, link: Link) -> str | None:
    """Where the PF shows the VF's own address, that is no admin MAC: drivers show what the VF set (kernels.md 6.3)."""
    return "" if admin.mac == link.mac else admin.mac


# knobs ---------------------------------------------------------------------------------------------------------------


def set_own(card: Card) -> None:
    """What the VF's own netdev has; it goes along into the pod."""
    if card.link is not None:
        _take(card, knobs.own_steps(card.link, card.record.settings))


def set_knobs(card: Card) -> None:
    """By the PF. Of one that is not visible none is asked: lone.pf_of."""
    assert card.record.baseline is not None
    if card.pf is not None:
        _take(card, knobs.steps(card.record.baseline, card.record.settings))


def _take(card: Card, steps: Iterable[Step]) -> None:
    for step in steps:
        with refusal(card, step.label):
            take(card, step)


def take(card: Card, step: Step) -> None:
    """Set one knob, whichever side it is of."""
    card.stale, netlink = True, card.host.netlink
    match step.knob:
        case "mtu" | "txqueuelen" | "modes":
            assert card.link is not None
            netlink.set_own(card.link.ifindex, step.knob, *step.values)
        case _:
            assert card.pf is not None
            netlink.set_vf(card.pf.ifindex, card.record.vf_index, step.knob, *step.values)


def restore_knobs(card: Card) -> None:
    """Each knob of the PF that differs from the baseline; what the driver does not report is left alone."""
    base, pf = card.record.baseline, card.pf
    if base is None or pf is None:
        return
    if card.admin is None:
        asked = card.record.settings.mac is not None or knobs.steps(base, card.record.settings)
        if pf.driver and asked:  # without a driver the settings are gone as well
            raise KernelRefused(
                f"restore knobs by PF {card.record.pf}", errno.ENODEV, "it has no netdev in the host"
            )
        return
    for step in knobs.steps(card.admin, base):
        take(card, step)


# what the kernel says ------------------------------------------------------------------------------------------------


@contextmanager
def refusal(card: Card, knob: str) -> Iterator[None]:
    """The kernel's no, in the body, becomes code 100 with knob, PF, VF and driver."""
    try:
        yield
    except KernelRefused as refused:
        raise _driver_refused(card, knob, refused) from refused


def _driver_refused(card: Card, knob: str, refused: KernelRefused) -> CniError:
    record = card.record
    if refused.errno == errno.ENODEV or (
        card.pf is not None and card.host.sysfs.pf_by_pci(record.pf) is None
    ):
        return PfUnusable(f"set {knob}: the PF {record.pf} or its VF has vanished", str(refused))
    if refused.errno in {errno.EOPNOTSUPP, errno.EPROTONOSUPPORT}:  # other numbers speak for themselves
        return DriverRefused(
            f"set {knob} on {card.where}: driver {card.driver} does not support it", str(refused)
        )
    why = str(refused)
    if knob.endswith("_rate") and not _has_carrier(card):
        why += "; the PF has no carrier, and its driver may want one to set rates"
    return DriverRefused(f"set {knob} on {card.where}: driver {card.driver} refused", why)
