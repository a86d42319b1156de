"""The pod's side of an attachment: sysctls, addresses, UP, routes, announcement. The netdev is there already."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from ..conf.netconf import NetConf
from ..kernel import announce as packets
from ..kernel.netlink import Netlink
from ..kernel.netns import Netns, inside
from ..kernel.rtnl import IFA_F_OPTIMISTIC
from ..words.domain import IpamResult, Link, Route
from ..words.errors import CniError, KernelRefused
from ..words.inet import Prefix, parse_interface
from .card import poll
from .host import Host

R = TypeVar("R")
T = TypeVar("T")


@dataclass(slots=True)
class InPod:
    """A VF's netdev in the pod: the pod's netns, a Netlink that speaks in there, the link as it was found there."""

    host: Host
    netns: Netns
    netlink: Netlink
    link: Link

    @property
    def where(self) -> str:
        return f"{self.link.ifname} in {self.netns.path}"


def configure(pod: InPod, conf: NetConf, found: IpamResult | None) -> list[Route]:
    """Sysctls, IPv4 addresses, UP, IPv6 addresses, routes, in this order: the kernel announces at UP what it has then.

    IPv6 ones are in DAD by then, and where multicasts come back to their sender (QEMU's igb, a VEPA switch) the
    kernel takes its own advertisement for the proof of a duplicate: so they come after UP. The answer is the routes
    with the metric that each got.
    """
    ips = [ip.address for ip in found.ips] if found is not None else []
    _set_sysctls(pod, ANNOUNCE + _ipv6_sysctls(ips, conf))
    _each(pod, _add_address, [ip for ip in ips if ":" not in ip])
    try:
        pod.netlink.set_up(pod.link.ifindex)
    except KernelRefused as refused:
        raise CniError(f"set {pod.where} up: {refused}", code=5) from refused
    _each(pod, _add_address, [ip for ip in ips if ":" in ip])
    return _each(pod, _add_route, found.routes if found is not None else [])


def add_late(pod: InPod, conf: NetConf, found: IpamResult) -> list[Route]:
    """Addresses and routes of an IPAM that wanted to see the interface UP (dhcp)."""
    ips = [ip.address for ip in found.ips]
    _set_sysctls(pod, _ipv6_sysctls(ips, conf))
    _each(pod, _add_address, ips)
    return _each(pod, _add_route, found.routes)


ANNOUNCE = [
    (("ipv4", "arp_notify"), "1"),
    (("ipv6", "ndisc_notify"), "1"),
    (("ipv6", "optimistic_dad"), "1"),
    (("ipv6", "use_optimistic"), "1"),
]
# keep_addr_on_down: addresses outlive a `link set down` and `up` (ipam.ConfigureIface, containernetworking/plugins 1.7)
IPV6 = [(("ipv6", "disable_ipv6"), "0"), (("ipv6", "keep_addr_on_down"), "1")]
NO_RA = [(("ipv6", "accept_ra"), "0"), (("ipv6", "autoconf"), "0")]


def _ipv6_sysctls(ips: list[str], conf: NetConf) -> list[tuple[tuple[str, str], str]]:
    """With an IPv6 address, first no address but ours: router advertisements only if they are wanted."""
    if not any(":" in ip for ip in ips):
        return []
    return IPV6 if conf.accept_ra else IPV6 + NO_RA


def _set_sysctls(pod: InPod, wanted: list[tuple[tuple[str, str], str]]) -> None:
    """None of them fails an ADD: a host without IPv6 has no such files, and an IPv6 address then fails by itself.

    Local IPv6 addresses are reached by way of `lo`: a runtime that disabled IPv6 did it there too (ConfigureIface). In
    the host it was the operator, and nothing would put that back.
    """
    settings = [(("net", family, "conf", pod.link.ifname, key), value) for (family, key), value in wanted]
    if IPV6[0] in wanted and not pod.netns.is_own():
        settings.insert(0, (("net", "ipv6", "conf", "lo", "disable_ipv6"), "0"))
    for refused in pod.netns.set_sysctls(settings) if settings else []:
        pod.host.log.warning("sysctl not set", reason=refused)


def _each(pod: InPod, add: Callable[[Netlink, int, T], R], items: list[T]) -> list[R]:
    try:
        return [add(pod.netlink, pod.link.ifindex, item) for item in items]
    except KernelRefused as refused:
        raise CniError(f"configure {pod.where}: {refused}", code=5) from refused


def _add_address(netlink: Netlink, ifindex: int, address: str) -> None:
    """IPv6 as optimistic, usable while DAD runs: a tentative one is refused as the source of a route (EINVAL)."""
    if ":" in address:
        try:
            netlink.add_address(ifindex, address, IFA_F_OPTIMISTIC)
            return
        except KernelRefused as refused:
            # EINVAL: the sysctl could not be set, or the kernel has no optimistic DAD
            if refused.errno != errno.EINVAL:
                raise
    netlink.add_address(ifindex, address)


def _add_route(netlink: Netlink, ifindex: int, route: Route) -> Route:
    """A second interface with a route to the same place gets a higher metric instead of an error (and the result tells
    it). The field's plugins put it beside the first, or before it (RouteAddEcmp), which takes the first one's traffic.
    """
    for metric in (route.priority, 1024 + ifindex):
        same = metric == route.priority
        wanted = route if same else replace(route, priority=metric)
        try:
            netlink.add_route(ifindex, wanted)
            return wanted
        except KernelRefused as refused:
            if refused.errno != errno.EEXIST:
                raise
    raise CniError(
        f"add route {route.dst}: the pod has one already, also with metric {1024 + ifindex}", code=5
    )


def announce(pod: InPod, found: IpamResult | None, wait_ms: int) -> None:
    """Best effort, never fails an ADD: neighbours learn who has these addresses now.

    By the kernel: arp_notify announces at UP alone, where addresses of a foreign IPAM are not there yet, and a VF has
    no carrier yet (igbvf: 160 ms later; its announcement never left). An IPv6 address in DAD is left out: a card that
    loops multicasts back to their sender (QEMU's igb does) would make our own advertisement the proof of a duplicate.
    """
    if found is None:
        return
    try:
        if wait_ms:
            poll(lambda: not _has_carrier(pod), wait_ms / 1000, 0.005)
            held = pod.netlink.addresses(pod.link.ifindex)
            settled = [a.address for a in held if a.is_global and not a.is_tentative]
            _send_packets(pod, [ip.address for ip in found.ips if ip.address in settled])
            return
        by_kernel, by_packet = _by_sender([ip.address for ip in found.ips if ":" not in ip.address])
        for address in by_kernel:
            pod.netlink.announce(pod.link.ifindex, address.partition("/")[0])
        _send_packets(pod, by_packet)
    except (OSError, KernelRefused, CniError) as error:
        pod.host.log.warning("announcement failed", ifname=pod.link.ifname, reason=error)


def _by_sender(addresses: list[str]) -> tuple[list[str], list[str]]:
    """Those that the kernel would ask for in their own name, and those that lie in the subnet of an earlier one."""
    own: list[str] = []
    others: list[str] = []
    subnets: list[Prefix] = []
    for address in addresses:
        subnet, value = parse_interface(address)
        (others if any(before.has(4, value) for before in subnets) else own).append(address)
        subnets.append(subnet)
    return own, others


def _send_packets(pod: InPod, addresses: list[str]) -> None:
    if not addresses:
        return
    with inside(pod.netns):
        packets.send(pod.link.ifindex, pod.link.mac, [address.partition("/")[0] for address in addresses])


def _has_carrier(pod: InPod) -> bool:
    now = pod.netlink.link_by_index(pod.link.ifindex)
    return now is not None and now.carrier
