"""CHECK: a drift detector. Everything ADD promised, compared with the world; every difference is named.

Tolerant of later chained plugins: what they added is not ours to judge, only what is missing or changed.
"""

from __future__ import annotations

from typing import Any

from ..conf.netconf import NetConf
from ..decide import knobs
from ..ipam import delegate, reservation
from ..kernel.netlink import Netlink
from ..kernel.netns import Netns
from ..kernel.replies import KernelRoute
from ..kernel.rtnl import RT_TABLE_MAIN
from ..vf import stacked
from ..vf.host import Host
from ..words.domain import ALLMULTI, PROMISC, Link, Record, Request
from ..words.errors import BadConfig, Drift, KernelRefused
from ..words.inet import parse_address, parse_interface, render_address


def run(request: Request, conf: NetConf, host: Host) -> None:
    """Drift lists all that differs in its details."""
    host.ledger.open_for(request.attachment)
    with host.ledger.attachment_lock(request.attachment, "CHECK") as lock:
        record = host.record_of(request.attachment)
        if record is None:
            lock.forget()  # nothing is there, and nothing is left
        if record is None or record.status != "done":
            raise Drift(f"check {request.attachment}: it is not attached", "no finished ADD is recorded")
        _follow(host, record, conf)
        with host.open_netns(request.netns) as netns, host.pod(netns) as pod:
            wrong = _identity(record, netns)
            link = pod.link(request.attachment.ifname)
            wrong += _link(record, link, conf)
            if link is not None:
                wrong += _addresses(pod, record, conf, link) + _routes(pod, conf)
                wrong += _stacked(host, netns, pod, link)
            wrong += _admin(host, record, conf)
        wrong += reservation.drift(host, record)
        if "type" in record.ipam and not wrong:
            delegate.check(host, record)
    if wrong:
        raise Drift(
            f"check {request.attachment}: {len(wrong)} difference(s) from what ADD left", "; ".join(wrong)
        )


def _follow(host: Host, record: Record, conf: NetConf) -> None:
    try:
        reservation.follow(record, conf.ipam)
    except BadConfig as error:  # the conf was spoiled since
        host.log.warning("the call is not as it should be", reason=error)


def _identity(record: Record, netns: Netns) -> list[str]:
    same = netns.is_the_one(record.netns_identity, record.netns_cookie)
    return [] if same else [f"netns {netns.path} is another one than ADD saw"]


def _link(record: Record, link: Link | None, conf: NetConf) -> list[str]:
    name = record.attachment.ifname
    if link is None:
        return [f"interface {name} is missing"]
    wrong = []
    if link.parent_dev != record.parent_dev:
        wrong.append(f"interface {name} is not VF {record.vf} but {link.parent_dev or 'virtual'}")
    if not link.is_up:
        wrong.append(f"interface {name} is down")
    mac = _promised_mac(record, conf)
    if mac and link.mac != mac:
        wrong.append(f"MAC of {name} is {link.mac}, not {mac}")
    # a chained `tuning` may set another MTU, and results do not tell it: only one that was asked of us can be held
    if record.settings.mtu not in {None, link.mtu}:
        wrong.append(f"MTU of {name} is {link.mtu}, not {record.settings.mtu}")
    return wrong + _asked_of_netdev(record, link)


def _asked_of_netdev(record: Record, link: Link) -> list[str]:
    name, wrong = record.attachment.ifname, []
    if record.settings.txqueuelen not in {None, link.txqueuelen}:
        wrong.append(f"txqueuelen of {name} is {link.txqueuelen}, not {record.settings.txqueuelen}")
    for key, is_so in (("promisc", PROMISC), ("allmulti", ALLMULTI)):
        asked = getattr(record.settings, key)
        if asked not in {None, bool(link.modes & is_so)}:
            wrong.append(f"{key} of {name} is {'off' if asked else 'on'}")
    return wrong


def _stacked(host: Host, netns: Netns, pod: Netlink, link: Link) -> list[str]:
    """A container may make a VLAN on its interface; what is in another netns it will leave behind."""
    multicast = netns.proc_net("dev_mcast")
    if not stacked.is_shared(multicast, link, []):
        return []
    links = pod.links()
    for upper in stacked.uppers(links, link):
        host.log.info("stacked on the VF", ifname=link.ifname, link=upper.ifname, kind=upper.kind)
    if not stacked.has_strangers(netns, multicast, link, stacked.telling(links, link)):
        return []
    return [f"something in another network namespace is stacked on {link.ifname}"]


def _promised_mac(record: Record, conf: NetConf) -> str:
    """prevResult's, since a chained plugin may have changed it, else the one that was asked; "" = none to hold."""
    told = _promised_interface(conf, record.attachment.ifname).get("mac")
    return str(told or record.settings.mac or "").lower()


def _promised_interface(conf: NetConf, name: str) -> dict[str, Any]:
    """Our interface in prevResult; {} if the runtime sent none or it is not a result."""
    entries = (conf.prev_result or {}).get("interfaces")
    for entry in entries if isinstance(entries, list) else []:
        if not isinstance(entry, dict) or not isinstance(entry.get("mac", ""), str):
            continue
        if entry.get("name") == name and entry.get("sandbox"):  # without one it is an interface of the host
            return entry
    return {}


def _addresses(pod: Netlink, record: Record, conf: NetConf, link: Link) -> list[str]:
    """Those of ADD, but for what a chained plugin took out of prevResult."""
    promised = _promised_addresses(conf)
    found = {address.address: address for address in pod.addresses(link.ifindex)}
    wrong = []
    for address in map(_canonical_interface, record.addresses):
        if promised is not None and address not in promised:
            continue
        if address not in found:
            wrong.append(f"address {address} is missing")
        elif found[address].is_dadfailed:
            wrong.append(f"address {address} failed duplicate address detection: a neighbour has it too")
    return wrong


def _promised_addresses(conf: NetConf) -> set[str] | None:
    """None if there is no prevResult."""
    entries = (conf.prev_result or {}).get("ips")
    if not isinstance(entries, list):
        return None
    told = [entry.get("address") for entry in entries if isinstance(entry, dict)]
    return {_canonical_interface(address) for address in told if isinstance(address, str)}


def _routes(pod: Netlink, conf: NetConf) -> list[str]:
    """The routes that prevResult tells; where there is none there is nothing to hold against the pod.

    On any interface: in a chain, other plugins' routes are among them.
    """
    promised = _promised_routes(conf)
    there = pod.routes(table=0) if promised else []
    return [
        f"route {_words(promise)} is missing"
        for promise in promised
        if not any(_keeps(promise, found) for found in there)
    ]


def _promised_routes(conf: NetConf) -> list[dict[str, Any]]:
    entries = (conf.prev_result or {}).get("routes")
    return [
        entry | {"dst": _canonical(entry["dst"]), "gw": _canonical_address(str(entry.get("gw") or ""))}
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, dict) and isinstance(entry.get("dst"), str)
    ]


def _keeps(promise: dict[str, Any], found: KernelRoute) -> bool:
    """Metric, MTU and MSS as far as they are told. A table that is told is the one; what is of the main table may be in
    any: `sbr` moves it to its own, and its result does not tell.
    """
    route = found.route
    if (route.dst, route.gw) != (promise["dst"], promise["gw"]):
        return False
    if any(promise.get(key) and promise[key] != getattr(route, key) for key in ("priority", "mtu", "advmss")):
        return False
    return promise.get("table") in {None, 0, RT_TABLE_MAIN, found.table}


def _words(promise: dict[str, Any]) -> str:
    words = [f"{key} {promise[key]}" for key in ("priority", "table", "mtu", "advmss") if promise.get(key)]
    return " ".join([promise["dst"], *(["via " + promise["gw"]] if promise["gw"] else []), *words])


def _canonical_interface(address: str) -> str:
    """As the kernel tells it: a foreign IPAM may write an IPv6 address in a longer form."""
    try:
        prefix, value = parse_interface(address)
    except ValueError:
        return address
    return f"{render_address(prefix.version, value)}/{prefix.length}"


def _canonical(dst: str) -> str:
    """The kernel masks host bits, or the plugin that added it did."""
    try:
        return str(parse_interface(dst)[0])
    except ValueError:
        return dst


def _canonical_address(address: str) -> str:
    try:
        return render_address(*parse_address(address))
    except ValueError:
        return address


def _admin(host: Host, record: Record, conf: NetConf) -> list[str]:
    """The VF as the PF sees it: what was asked, and for the rest the baseline it was left at."""
    lost = host.lost_vf(record)
    if lost:
        return [f"VF {record.vf} has vanished (numvfs changed, or the PF's driver was unbound): {lost}"]
    if not record.pf:
        return []  # it is not visible (vf/lone.py)
    pf = host.sysfs.pf_by_pci(record.pf)
    pf_link = host.netlink.link_by_index(pf.ifindex) if pf is not None and pf.ifindex else None
    if pf_link is None:
        return [f"PF {record.pf} is gone from the host"]
    wrong = [] if pf_link.is_up else [f"PF {pf_link.ifname} is down"]
    if record.baseline is None or record.baseline.vlan is None:
        return wrong
    try:
        now = host.netlink.vf_state(pf_link.ifindex, record.vf_index)
    except KernelRefused as refused:
        return [*wrong, f"VF {record.vf}: {refused}"]
    wrong += [
        f"PF {pf_link.ifname} vf {record.vf_index}: {text}"
        for text in knobs.differences(now, record.expected())
    ]
    if record.settings.mac and now.mac not in {record.settings.mac, _promised_mac(record, conf)}:
        wrong.append(
            f"PF {pf_link.ifname} vf {record.vf_index}: admin MAC {now.mac}, not {record.settings.mac}"
        )
    return wrong
