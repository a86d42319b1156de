"""What is not in the pod as ADD promised it: the interface, its addresses and routes, and what is stacked on it.

Tolerant of later chained plugins: what they added is not ours to judge, only what is missing or changed.
"""

from __future__ import annotations

from typing import Any

from ..conf.netconf import NetConf
from ..decide import knobs
from ..kernel.netlink import Netlink
from ..kernel.netns import Netns
from ..kernel.replies import KernelRoute
from ..kernel.rtnl import RT_TABLE_MAIN
from ..words.domain import Link
from ..words.inet import parse_address, parse_interface, render_address
from ..words.record import Record, VfSettings
from . import golden, stacked
from .host import Host


def differences(host: Host, record: Record, conf: NetConf, netns: Netns, pod: Netlink) -> list[str]:
    link = pod.link(record.attachment.ifname)
    if link is None:
        return [f"interface {record.attachment.ifname} is missing"]
    wrong = promised(record, conf, pod, link) + _traits(host, record, pod, link)
    return wrong + _stacked(host, netns, pod, link)


def promised(record: Record, conf: NetConf, pod: Netlink, link: Link) -> list[str]:
    """Of the interface itself, its addresses and routes."""
    return _link(record, link, conf) + _addresses(pod, record, conf, link) + _routes(pod, conf)


def _link(record: Record, link: Link, conf: NetConf) -> list[str]:
    name = record.attachment.ifname
    wrong = []
    if link.parent_dev not in {record.vf, record.parent_dev}:
        wrong.append(f"interface {name} is not {record.device} but {link.parent_dev or 'virtual'}")
    if not link.is_up:
        wrong.append(f"interface {name} is down")
    # a chained `tuning` may set another MTU, and results do not tell it: only one that was asked of us can be held
    asked = record.settings
    promised = VfSettings(
        promised_mac(record, conf) or None,
        mtu=asked.mtu,
        txqueuelen=asked.txqueuelen,
        promisc=asked.promisc,
        allmulti=asked.allmulti,
    )
    return wrong + [
        f"{key} of {name} is {'off' if wanted else 'on'}"
        if isinstance(wanted, bool)
        else f"{_TOLD.get(key, key)} of {name} is {now}, not {wanted}"
        for key, now, wanted in knobs.own_differences(link, promised)
    ]


_TOLD = {"mac": "MAC", "mtu": "MTU"}


def _traits(host: Host, record: Record, pod: Netlink, link: Link) -> list[str]:
    """What a plugin of a chain may set (`tuning`: MAC, MTU, txqueuelen, promisc, allmulti) is not among them."""
    first = golden.known(host, record.vf)
    if first is None:
        return []
    return [f"{link.ifname} has {told}" for told in first.told(pod.traits(link, first.traits))]


def _stacked(host: Host, netns: Netns, pod: Netlink, link: Link) -> list[str]:
    """A container may make a VLAN on its interface; what is in another netns it will leave behind."""
    multicast = netns.proc_net("dev_mcast")
    if not stacked.is_shared(multicast, link, []):
        return []
    links = pod.links()
    for upper in stacked.uppers(links, link):
        host.log.routine("stacked on the VF", ifname=link.ifname, link=upper.ifname, kind=upper.kind)
    if not stacked.has_strangers(netns, multicast, link, stacked.telling(links, link)):
        return []
    return [f"something in another network namespace is stacked on {link.ifname}"]


def promised_mac(record: Record, conf: NetConf) -> str:
    """prevResult's, since a chained plugin may have changed it, else the one that was asked; "" = none to hold."""
    told = _promised_interface(conf, record.attachment.ifname).get("mac")
    return str(told or record.settings.mac or "").lower()


def _promised_interface(conf: NetConf, name: str) -> dict[str, Any]:
    """Our interface in prevResult; {} if the runtime sent none or it is not a result."""
    for entry in _told(conf, "interfaces") or []:
        # without a sandbox it is an interface of the host
        if entry.get("name") == name and entry.get("sandbox") and isinstance(entry.get("mac", ""), str):
            return entry
    return {}


def _told(conf: NetConf, key: str) -> list[dict[str, Any]] | None:
    """The entries of a list in prevResult; None where there is no such list."""
    entries = (conf.prev_result or {}).get(key)
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else None


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
    told = _told(conf, "ips")
    if told is None:
        return None
    addresses = (entry.get("address") for entry in told)
    return {_canonical_interface(address) for address in addresses if isinstance(address, str)}


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
    return [
        entry | {"dst": _canonical(entry["dst"]), "gw": _canonical_address(str(entry.get("gw") or ""))}
        for entry in _told(conf, "routes") or []
        if isinstance(entry.get("dst"), str)
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
