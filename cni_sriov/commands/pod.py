"""The pod's side of an attachment: sysctls, addresses, UP, routes, announcement. The netdev is there already."""

from __future__ import annotations

import errno
import time

from ..errors import CniError, KernelRefused
from ..netns import inside
from ..rtnl import IFA_F_OPTIMISTIC

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..domain import IpamResult, Link, Record, Route
    from ..host import Host
    from ..netconf import NetConf
    from ..netlink import Netlink
    from ..netns import Netns


def configure(
    host: Host, netns: Netns, pod: Netlink, record: Record, conf: NetConf, leases: IpamResult | None
) -> Link:
    """Sysctls, addresses, UP, routes, in this order; the answer is the link as it is then."""
    ifname = record.attachment.ifname
    ifindex = pod.ifindex(ifname)
    with_v6 = leases is not None and any(":" in lease.address for lease in leases.leases)
    _set_sysctls(host, netns, ifname, with_v6, conf.accept_ra)
    try:
        for lease in leases.leases if leases else []:
            _add_address(pod, ifindex, lease.address)
        pod.set_up(ifindex)
        for route in leases.routes if leases else []:
            _add_route(pod, ifindex, route)
    except KernelRefused as refused:
        raise CniError(f"configure {ifname} in {record.netns}: {refused}", code=5) from refused
    link = pod.link_by_index(ifindex)
    if link is None:
        raise CniError(f"configure {ifname} in {record.netns}: it vanished", code=5)
    return link


def _set_sysctls(host: Host, netns: Netns, ifname: str, with_v6: bool, accept_ra: bool) -> None:
    """Before UP: announce by the kernel itself, and no address but ours. None of them fails an ADD: a host without
    IPv6 has no such files, and an IPv6 lease then fails by its address, with the kernel's word.
    """
    wanted = [(("ipv4", ifname, "arp_notify"), "1")]
    if with_v6:
        wanted.append((("ipv6", ifname, "disable_ipv6"), "0"))
        wanted += [(("ipv6", ifname, key), "0") for key in ("accept_ra", "autoconf") if not accept_ra]
    wanted += [(("ipv6", ifname, key), "1") for key in ("ndisc_notify", "optimistic_dad", "use_optimistic")]
    for (family, name, key), value in wanted:
        try:
            netns.set_sysctls([(("net", family, "conf", name, key), value)])
        except KernelRefused as refused:
            if key == "disable_ipv6":
                raise CniError(
                    f"enable IPv6 on {ifname}: {refused}", "is IPv6 off on this host?", code=5
                ) from refused
            host.log.debug("sysctl not set", key=key, reason=refused)


def _add_address(pod: Netlink, ifindex: int, address: str) -> None:
    """IPv6 as optimistic, usable while DAD runs: a tentative one is refused as the source of a route (EINVAL)."""
    if ":" in address:
        try:
            pod.add_address(ifindex, address, IFA_F_OPTIMISTIC)
            return
        except KernelRefused as refused:
            if (
                refused.errno != errno.EINVAL
            ):  # the sysctl could not be set, or the kernel has no optimistic DAD
                raise
    pod.add_address(ifindex, address)


def _add_route(pod: Netlink, ifindex: int, route: Route) -> None:
    """A second interface with a route to the same place gets a higher metric instead of an error."""
    for priority in (route.priority, 1024 + ifindex):
        route.priority = priority
        try:
            pod.add_route(ifindex, route)
            return
        except KernelRefused as refused:
            if refused.errno != errno.EEXIST:
                raise
    raise CniError(
        f"add route {route.dst}: the pod has one already, also with metric {1024 + ifindex}", code=5
    )


def announce(
    host: Host, netns: Netns, pod: Netlink, link: Link, leases: IpamResult | None, wait_ms: int
) -> None:
    """Best effort: neighbours learn the new MAC. The kernel did it at UP (arp_notify); with `announceWait` we wait
    for carrier and do it by packet as well. An IPv6 address in DAD is left out: a card that loops multicasts back
    to their sender (QEMU's igb does) would make our own advertisement the proof of a duplicate. Never fails an ADD.
    """
    if not wait_ms or leases is None:
        return
    from .. import announce as packets  # AF_PACKET costs a grace period: only when asked for

    deadline = time.monotonic() + wait_ms / 1000
    try:
        while not _has_carrier(pod, link) and time.monotonic() < deadline:
            time.sleep(0.005)
        settled = [a.address for a in pod.addresses(link.ifindex) if a.is_global and not a.is_tentative]
        ours = [lease.address for lease in leases.leases if lease.address in settled]
        with inside(netns):
            packets.send(link.ifindex, link.mac, [address.partition("/")[0] for address in ours])
    except (OSError, KernelRefused, CniError) as error:
        host.log.warning("announcement failed", ifname=link.ifname, reason=error)


def _has_carrier(pod: Netlink, link: Link) -> bool:
    now = pod.link_by_index(link.ifindex)
    return now is not None and now.carrier
