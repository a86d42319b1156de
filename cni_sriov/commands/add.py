"""ADD: choose and claim a VF, record what it was, set it up, move it into the pod. Any failure undoes all of it."""

from __future__ import annotations

import _signal  # loaded in every Python, unlike `signal`, which costs 6 ms
import errno
import time

from .. import claim, knobs, release, reservation
from ..domain import Interface, IPConfig, Result, VfState
from ..errors import (
    AttachedAlready,
    BadConfig,
    CniError,
    DriverRefused,
    IfnameExists,
    KernelRefused,
    PfUnusable,
    TryAgain,
)
from ..netlink import ZERO_MAC
from . import foreign, pod

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..domain import IpamResult, Link, Record, Request
    from ..host import Host
    from ..netconf import NetConf
    from ..netlink import Netlink
    from ..netns import Netns
    from ..poolconf import IpamConf


def run(request: Request, conf: NetConf, ipam_conf: IpamConf | None, host: Host) -> Result:
    """Hold the attachment's lock, refuse a second attachment, then attach."""
    with host.open_netns(request.netns) as netns, host.pod(netns) as inside_pod:
        host.ledger.open()
        with host.ledger.attachment_lock(request.attachment, "ADD") as lock:
            try:
                _take_back_dead(request, conf, host)
                _refuse_taken_name(request, inside_pod)
                return _attach(request, conf, ipam_conf, host, netns, inside_pod)
            except BaseException:
                if host.ledger.find(request.attachment) is None:
                    lock.forget()  # a refused ADD leaves nothing, not even its lock's file
                raise


def _refuse_taken_name(request: Request, inside_pod: Netlink) -> None:
    name = request.attachment.ifname
    if inside_pod.ifindex(name):
        raise IfnameExists(f"add interface {name}: {request.netns} has one of that name")


def _take_back_dead(request: Request, conf: NetConf, host: Host) -> None:
    """An ADD that died left its record in progress: undo it and go on. A finished one stays, and this ADD fails."""
    record = host.ledger.find(request.attachment)
    if record is None:
        return
    if record.status == "done" and not claim.death_proof(host, record):
        raise AttachedAlready(
            f"add {request.attachment}: it is attached already, to VF {record.vf}",
            "DEL it before it is added again",
        )
    if not release.give_back(host, record, conf.verify_timeout_ms):
        raise TryAgain(
            f"add {request.attachment}: its former VF {record.vf} is still in a netns that does not die"
        )
    host.log.warning("took back what a former ADD left", attachment=request.attachment, vf=record.vf)


def _attach(
    request: Request, conf: NetConf, ipam_conf: IpamConf | None, host: Host, netns: Netns, inside_pod: Netlink
) -> Result:
    record = claim.take(host, request, conf, netns)
    try:
        record.ipam = _way_back(host, request, ipam_conf)
        record_baseline(host, record, conf)
        found = reservation.reserve(host, ipam_conf, record) if ipam_conf else None
        _bring_pf_up(host, record, conf)
        _set_mac(host, record)
        _set_mtu(host, record)
        _set_knobs(host, record)
        _move(host, record, netns)
        _read_back(host, record, conf, inside_pod)
        pod.configure(host, netns, inside_pod, record, conf, found)
        if "type" in record.ipam:
            found = foreign.add(host, request, record)
            pod.add_late(host, netns, inside_pod, record, conf, found)
        return _finish(host, record, conf, netns, inside_pod, found)
    except BaseException as error:  # SIGTERM's SystemExit too
        _undo(host, record, conf, error)
        raise


def _way_back(host: Host, request: Request, ipam_conf: IpamConf | None) -> dict[str, Any]:
    """Record.ipam: how to give back what the IPAM will give."""
    if ipam_conf is not None:
        return {"dataDir": ipam_conf.data_dir, "scope": ipam_conf.scope}
    return foreign.remember(host, request) if request.conf.get("ipam") else {}


def _finish(
    host: Host, record: Record, conf: NetConf, netns: Netns, inside_pod: Netlink, found: IpamResult | None
) -> Result:
    record.leases = found.leases if found else []
    record.addresses = [ip.address for ip in found.ips] if found else []
    record.status = "done"
    host.ledger.put(record)
    link = pod.link_of(inside_pod, record)
    pod.announce(host, netns, inside_pod, link, found, conf.announce_wait_ms)
    return _result(record, conf, link, found)


def _undo(host: Host, record: Record, conf: NetConf, error: BaseException) -> None:
    """The same inverses as DEL's. What fails among them is told beside the error, never instead of it."""
    record.status = "in-progress"
    mask = _signal.pthread_sigmask(_signal.SIG_BLOCK, (_signal.SIGTERM, _signal.SIGINT))
    try:
        release.give_back(host, record, conf.verify_timeout_ms)
        host.log.info("undone", attachment=record.attachment, vf=record.vf, reason=error)
    except (CniError, KernelRefused) as second:
        host.log.error("undo failed", attachment=record.attachment, vf=record.vf, reason=second)
        if isinstance(error, CniError):
            error.details = "; ".join(filter(None, [error.details, f"also: {second}"]))
    finally:
        _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)  # a stop signal that came meanwhile ends it now


def record_baseline(host: Host, record: Record, conf: NetConf) -> None:
    """Read all that the VF is, judge what only the hardware can judge, and put the Record: nothing is changed yet."""
    link = _vf_link(host, record)
    pf = _pf_link(host, record)
    if pf is None:
        raise PfUnusable(f"use PF {record.pf}: it has no netdev in the host netns")
    baseline = _admin_state(host, record, pf)
    baseline.mac = release.admin_mac(baseline, link)
    baseline.ifname, baseline.own_mac, baseline.mtu = link.ifname, link.mac, link.mtu
    baseline.altnames, baseline.up = link.altnames, link.is_up
    _check_mtu(conf, pf, link)
    if not pf.is_up and not conf.pf_up:
        raise PfUnusable(
            f"use PF {pf.ifname}: it is down, so its VFs carry nothing", 'bring it up, or set "pfUp": true'
        )
    if link.is_up:
        host.log.info("the VF is UP in the host; taken all the same", vf=record.vf, ifname=link.ifname)
    record.parent_dev = link.parent_dev
    record.baseline = baseline
    host.ledger.put(record)


def _admin_state(host: Host, record: Record, pf: Link) -> VfState:
    """What the PF tells of the VF. A PF that lists none is accepted only if nothing is asked of it."""
    try:
        return host.netlink.vf_state(pf.ifindex, record.vf_index)
    except KernelRefused as refused:
        if knobs.steps(VfState(), record.settings) or record.settings.mac:
            raise PfUnusable(
                f"use PF {pf.ifname}: it tells nothing of vf {record.vf_index}", str(refused)
            ) from refused
        return VfState()


def _check_mtu(conf: NetConf, pf: Link, vf: Link) -> None:
    mtu = conf.settings.mtu
    if mtu is None:
        return
    low = max(pf.min_mtu, vf.min_mtu)
    high = min(pf.max_mtu or mtu, vf.max_mtu or mtu)
    if not low <= mtu <= high:
        raise BadConfig(f"read mtu {mtu}: {pf.ifname} and its VFs take {low}-{high}")


def _bring_pf_up(host: Host, record: Record, conf: NetConf) -> None:
    """Without it all settings seem to succeed and nothing works (lab.md 6.4). Never undone: others may use it by now."""
    pf = _pf_link(host, record)
    if pf is not None and not pf.is_up and conf.pf_up:
        host.log.warning("the PF was down; bringing it up", pf=pf.ifname)
        host.netlink.set_up(pf.ifindex)


def _set_mac(host: Host, record: Record) -> None:
    """Existing admin MAC cleared, own address, then admin MAC: the other way round the VF keeps its old address and
    loses all traffic, with no error (lab.md 6.1). An admin MAC equal to the own address cannot be seen, so it is
    always cleared; a driver that refuses that refuses the next step too if there was one.
    """
    mac, baseline = record.settings.mac, record.baseline
    if mac is None or baseline is None or mac == baseline.own_mac == baseline.mac:
        return
    pf, link = _pf_index(host, record), _vf_link(host, record)
    with _refusal(host, record, "mac"):
        try:
            host.netlink.set_vf_mac(pf, record.vf_index, ZERO_MAC)
        except KernelRefused as refused:
            host.log.debug("admin MAC not cleared", vf=record.vf, reason=refused)
        host.netlink.set_mac(link.ifindex, mac)
        host.netlink.set_vf_mac(pf, record.vf_index, mac)


def _set_mtu(host: Host, record: Record) -> None:
    link = _vf_link(host, record)
    if record.settings.mtu not in {None, link.mtu}:
        with _refusal(host, record, "mtu"):
            host.netlink.set_mtu(link.ifindex, record.settings.mtu or 0)


def _set_knobs(host: Host, record: Record) -> None:
    assert record.baseline is not None
    for step in knobs.steps(record.baseline, record.settings):
        with _refusal(host, record, step.label):
            getattr(host.netlink, step.verb)(_pf_index(host, record), record.vf_index, *step.args)


class _refusal:  # noqa: N801 # reads as a preposition; contextlib costs 5 ms
    """`with _refusal(host, record, "vlan"):` the kernel's no becomes code 100 with knob, PF, VF and driver."""

    __slots__ = ("host", "knob", "record")

    def __init__(self, host: Host, record: Record, knob: str) -> None:
        self.host = host
        self.record = record
        self.knob = knob

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, KernelRefused):
            raise _driver_refused(self.host, self.record, self.knob, error) from error


def _driver_refused(host: Host, record: Record, knob: str, refused: KernelRefused) -> CniError:
    pf = host.sysfs.pf_by_pci(record.pf)
    if pf is None:
        return PfUnusable(f"set {knob}: the PF {record.pf} has vanished", str(refused))
    where = f"set {knob} on {pf.ifname} vf {record.vf_index}"
    # EOPNOTSUPP, EPROTONOSUPPORT (asm-generic/errno.h): the driver lacks it; other numbers speak for themselves
    if refused.errno in {95, 93}:
        return DriverRefused(f"{where}: driver {pf.driver} does not support it", str(refused))
    return DriverRefused(f"{where}: driver {pf.driver} refused", str(refused))


def _move(host: Host, record: Record, netns: Netns) -> None:
    """One message moves and renames: no rename that udev can see, no temporary netns."""
    link, ifname = _vf_link(host, record), record.attachment.ifname
    if ifname in link.altnames:
        host.netlink.del_altname(link.ifindex, ifname)  # it would stand in the way of its own name
    try:
        host.netlink.move(link.ifindex, netns.fd, ifname)
    except KernelRefused as refused:
        if refused.errno != errno.EEXIST:
            raise
        raise IfnameExists(
            f"add interface {ifname}: {netns.path} has one of that name, or of an altname of {link.ifname}"
        ) from refused


def _read_back(host: Host, record: Record, conf: NetConf, inside_pod: Netlink) -> None:
    """Given = set and read back; i40e and iavf apply asynchronously (sriov-cni utils.go), so up to `verifyTimeout`."""
    deadline = time.monotonic() + conf.verify_timeout_ms / 1000
    while wrong := _differences(host, record, inside_pod):
        if time.monotonic() >= deadline:
            pf = host.sysfs.pf_by_pci(record.pf)
            driver = pf.driver if pf else "?"
            raise DriverRefused(
                f"set up vf {record.vf_index} of {_pf_name(host, record)}: driver {driver} took it without effect",
                f"after {conf.verify_timeout_ms} ms: {'; '.join(wrong)}",
            )
        time.sleep(0.02)


def _differences(host: Host, record: Record, inside_pod: Netlink) -> list[str]:
    settings = record.settings
    link = inside_pod.link(record.attachment.ifname)
    if link is None:
        raise PfUnusable(f"move VF {record.vf}: it vanished on the way")
    wrong = []
    if settings.mac not in {None, link.mac}:
        wrong.append(f"own MAC {link.mac}, not {settings.mac}")
    if settings.mtu not in {None, link.mtu}:
        wrong.append(f"mtu {link.mtu}, not {settings.mtu}")
    if settings.mac or knobs.steps(VfState(), settings):
        now = host.netlink.vf_state(_pf_index(host, record), record.vf_index)
        wrong += knobs.differences(now, settings)
        if settings.mac not in {None, now.mac}:
            wrong.append(f"admin MAC {now.mac}, not {settings.mac}")
    return wrong


def _vf_link(host: Host, record: Record) -> Link:
    link = host.vf_link(record.vf)
    if link is None:
        raise PfUnusable(f"use VF {record.vf}: its netdev vanished while it was set up")
    return link


def _pf_link(host: Host, record: Record) -> Link | None:
    """None if the PF is gone, or in a netns itself (lab.md 6.16)."""
    pf = host.sysfs.pf_by_pci(record.pf)
    return host.netlink.link_by_index(pf.ifindex) if pf is not None and pf.ifindex else None


def _pf_name(host: Host, record: Record) -> str:
    pf = host.sysfs.pf_by_pci(record.pf)
    return pf.ifname if pf else ""


def _pf_index(host: Host, record: Record) -> int:
    pf = host.sysfs.pf_by_pci(record.pf)
    if pf is None or not pf.ifindex:
        raise PfUnusable(f"use PF {record.pf}: it vanished while its VF was set up")
    return pf.ifindex


def _result(record: Record, conf: NetConf, link: Link, found: IpamResult | None) -> Result:
    interface = Interface(link.ifname, link.mac, link.mtu, record.netns, record.vf)
    if found is None:
        return Result([interface], [], [], conf.dns)
    ips = [IPConfig(ip.address, ip.gateway, 0) for ip in found.ips]
    return Result([interface], ips, found.routes, conf.dns or found.dns)
