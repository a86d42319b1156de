"""The Handover of a tap of the host's VPP (vf/handover.py says what each act is for): the card is VPP's from its start, and
no VF is claimed. The container gets a netdev that VPP makes in its netns, VPP's side the gateway of the lease.

A tap is known by its tag, which the Record has before VPP is asked to make it, and by its sw_if_index: a name may be
another one's by now.
"""

from __future__ import annotations

import os
import time

from ..conf.hostsubnet import IpamConf
from ..conf.netconf import NetConf
from ..kernel.netlink import Netlink
from ..kernel.netns import Netns
from ..kernel.vpp import Vpp
from ..words import origin
from ..words.domain import VF, HostUse, IpamResult, Link, Request, Route
from ..words.errors import BadConfig, BadNetns, CniError, SubnetConflict, VppAway, VppRefused
from ..words.inet import parse_interface
from ..words.plane import VPP_HOST, DataPlane
from ..words.record import Record
from . import drift, netnslife, pod, vpptap
from .card import Card, NotYet
from .host import Host
from .pod import InPod
from .vpptap import told_of

_CONFLICTS = {-105, -127}  # IPv4, IPv6
_NO_TABLE, _NO_INTERFACE = -3, -2
_OURS = ("/proc/self/", "/proc/thread-self/")  # to VPP it would be its own

announce = pod.announce


# choosing -------------------------------------------------------------------------------------------------------------


def take(host: Host, request: Request, conf: NetConf, ipam: IpamConf | None, netns: Netns) -> Record:
    """The Record alone: there is nothing to choose, and nothing that another one could have. VPP must be there by then."""
    _refuse_pools(ipam)
    _refuse_requests(conf)
    who, asked = request.attachment, conf.plane.vpp or {}
    with Vpp(asked["socket"]):
        pass
    told = {
        "socket": asked["socket"],
        "table": asked.get("table", 0),
        "tag": f"cni-sriov/{who.container_id[:24]}/{who.ifname}/{os.urandom(6).hex()}",  # 63 bytes are kept
    }
    record = Record(
        who,
        conf.name,
        "",
        "",
        0,
        request.netns,
        list(netns.identity),
        host.ledger.boot_id,
        settings=conf.settings,
        netns_cookie=netns.cookie,
        origin=origin.packed(int(time.time()), f"VPP at {asked['socket']}", request.args, conf.log_file),
        plane=DataPlane(VPP_HOST, vpp=told),
    )
    host.ledger.claim(record)  # first in /run: what a killed ADD leaves in stateDir is found by it
    return record


def _refuse_pools(ipam: IpamConf | None) -> None:
    for n, pool in enumerate(ipam.pools if ipam is not None else []):
        if pool.gateway in {"none", "address"}:
            raise BadConfig(
                f"read ipam.pools[{n}].gateway: VPP's side of the tap would have no address of the lease",
                'with "vpp" in mode "host" it is "first" or "last"',
            )


def _refuse_requests(conf: NetConf) -> None:
    """What the conf itself says of these was refused when it was read; a caller may ask for them as well."""
    for name in conf.settings.asked():
        if name not in {"mac", "mtu"}:
            raise BadConfig(
                f"set {name} as the caller asks: a tap of VPP's has none",
                "it may ask for a MAC and addresses",
            )


def used(host: Host, record: Record) -> list[HostUse]:
    """Every address that VPP has in the table: it refuses what overlaps one, on whatever interface (retval -105, -127).
    Those of leases that stand are left out: the lease says whose it is, and may be taken back.
    """
    told = told_of(record)
    leased = vpptap.leased(host.ledger.claims())
    with Vpp(told["socket"]) as vpp:
        names = {found.index: found.name for found in vpp.interfaces() if found.tag not in leased}
        held = vpp.addresses(list(names), told["table"])
    return [
        HostUse(parse_interface(address)[0], f"{address} of {names[index]} in VPP", is_firm=True)
        for index, address in held
    ]


def busy(_host: Host, _conf: NetConf, _vf: VF, _addressed: set[int]) -> str:
    return "it is not for VPP's tap"  # no VF is looked at


# there ----------------------------------------------------------------------------------------------------------------


def find(_host: Host, _record: Record) -> Link | None:
    return None


def hand_over(card: Card, netns: Netns, netlink: Netlink, _conf: NetConf) -> InPod:
    """That the name is free was looked at: VPP says yes to one that is taken by a tap of its own."""
    record, ifname = card.record, card.record.attachment.ifname
    told, asked = told_of(record), card.record.settings
    with Vpp(told["socket"]) as vpp:
        told["index"] = vpp.make_tap(_path_for_vpp(netns), ifname, asked.mac, asked.mtu, told["tag"])
        card.host.ledger.put(record)
        if told["table"]:
            _set_table(vpp, told["index"], told["table"])
        vpp.set_mtu(told["index"], asked.mtu or vpptap.MTU)
        vpp.set_up(told["index"])
    link = netlink.link(ifname)
    if link is None:
        raise CniError(
            f"add interface {ifname}: VPP says that it made it, and it is not in {netns.path}",
            "does VPP run in a container, with paths of its own?",
            code=5,
        )
    return InPod(card.host, netns, netlink, link)


def _path_for_vpp(netns: Netns) -> str:
    """As VPP can open it. Where it takes no path of that length, or would find another netns there, by our own descriptor."""
    path = netns.path
    if path.startswith("/") and not path.startswith(_OURS) and len(os.fsencode(path)) < 64:
        return path
    return f"/proc/{os.getpid()}/fd/{netns.fd}"


def _set_table(vpp: Vpp, index: int, table: int) -> None:
    try:
        vpp.set_table(index, table)
    except VppRefused as refused:
        if refused.retval == _NO_TABLE:
            raise BadConfig(
                f"read vpp.table {table}: VPP has no such table",
                f"`ip table add {table}`, and for IPv6 as well",
            ) from refused
        raise


def configure(given: InPod, record: Record, conf: NetConf, found: IpamResult | None) -> list[Route]:
    _give_gateways(given.host, record, found)
    routes = pod.configure(given, conf, found)
    given.link.flags |= 1  # IFF_UP
    return routes


def add_late(given: InPod, record: Record, conf: NetConf, found: IpamResult) -> list[Route]:
    _give_gateways(given.host, record, found)
    return pod.add_late(given, conf, found)


def _give_gateways(host: Host, record: Record, found: IpamResult | None) -> None:
    """VPP's side has the gateway of each lease, with the lease's length."""
    told = told_of(record)
    told["addresses"] = [_gateway(ip.address, ip.gateway) for ip in found.ips] if found is not None else []
    if not told["addresses"]:
        return
    host.ledger.put(record)
    with Vpp(told["socket"]) as vpp:
        for address in told["addresses"]:
            try:
                vpp.add_address(told["index"], address)
            except VppRefused as refused:
                if refused.retval not in _CONFLICTS:
                    raise
                _explain_conflict(vpp, told["index"], address, refused)


def _gateway(address: str, gateway: str) -> str:
    if not gateway:
        raise BadConfig(
            f"use address {address}: the IPAM gave no gateway for it, and that is VPP's side",
            "have it give one, or use host-subnet",
        )
    return f"{gateway}/{address.partition('/')[2]}"


def _explain_conflict(vpp: Vpp, index: int, address: str, refused: VppRefused) -> None:
    """SubnetConflict (104) with VPP's own sentence, which its CLI tells and its API does not. Where the conflict is gone by
    then, the address is given.
    """
    names = [found.name for found in vpp.interfaces() if found.index == index]
    said = str(refused)
    if names and set(names[0]) <= _IN_A_NAME:  # it becomes a part of a command
        said = vpp.say(f"set interface ip address {names[0]} {address}")
    if said:
        raise SubnetConflict(
            f"give VPP's side of the tap {address}: {said}",
            "`vppctl show interface addr` lists all; the next ADD keeps clear of them",
        ) from refused


_IN_A_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789./-_")


# CHECK ----------------------------------------------------------------------------------------------------------------


def differences(_host: Host, record: Record, conf: NetConf, _netns: Netns, pod_netlink: Netlink) -> list[str]:
    """The container's side by the kernel, VPP's by its API."""
    link = pod_netlink.link(record.attachment.ifname)
    missing = [f"interface {record.attachment.ifname} is missing"]
    wrong = missing if link is None else drift.promised(record, conf, pod_netlink, link)
    try:
        return wrong + vpptap.differences(record)
    except (VppAway, VppRefused) as error:
        return [*wrong, str(error)]


# and back -------------------------------------------------------------------------------------------------------------


def take_home(host: Host, record: Record) -> None:
    """The tap is deleted, also where its netns is gone. NotYet while VPP cannot be asked: it may still have it."""
    told = told_of(record)
    try:
        if told["socket"] in host.away:
            raise host.away[told["socket"]]
        with Vpp(told["socket"]) as vpp:
            for found in vpp.tagged(told["tag"]):
                _delete(vpp, found.index, told["tag"])
    except VppAway as away:
        host.away[told["socket"]] = away  # of many taps only the first one waits for it
        raise NotYet(str(away)) from away


def _delete(vpp: Vpp, index: int, tag: str) -> None:
    try:
        vpp.delete_tap(index)
    except VppRefused as refused:
        if refused.retval != _NO_INTERFACE or vpp.tagged(tag):
            raise


def is_home(host: Host, record: Record) -> bool:
    """Its netns is dead (rule 10 of the design)."""
    return not host.blind_spot() and netnslife.is_over(host, record)


def is_in_pod(host: Host, record: Record) -> bool:
    """In the very netns that ADD put it in, which is looked for at its path."""
    try:
        netns = host.open_path(record.netns)
    except BadNetns:
        return False
    with netns:
        if not netns.is_the_one(record.netns_identity, record.netns_cookie):
            return False
        with host.netlink_in(netns) as inside:
            return inside.link(record.attachment.ifname) is not None


def is_out(host: Host, record: Record) -> bool:
    """By the netns, not by the tap's name or place in it, which are the container's to change."""
    return not netnslife.is_over(host, record)
