"""VPP's command line as far as its documents and what a real one (23.06) did tell: what it answers to the lines of a file that
it executes. Nothing here is made of what the product writes.

Strict: what is not known to be accepted is refused. `Vpp.execute` ends at the first line that fails, as VPP does, and says
which one that was.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.vpp.grammar import Refused, Startup

Address = ipaddress.IPv4Interface | ipaddress.IPv6Interface


@dataclass
class TapSide:
    """What a tap has in the container."""

    ifname: str
    addresses: list[Address]
    default: list[str]
    mtu: int
    asks: bool = True  # whether it has its address of IPv6 to itself: 1 s of delay, 1 s of waiting


@dataclass
class InVpp:
    is_up: bool = False
    mtu: int = 9000
    addresses: list[Address] = field(default_factory=list)
    uses: str = ""
    answers: bool = False  # proxy-arp
    has_ip6: bool = False  # what has no address of its own of IPv6 drops it until it is told


class Vpp:
    """One that has just been started by that file: it has the devices that are named there and nothing else.

    `has_vhost`: whether its container has /dev/net/tun and /dev/vhost-net.
    """

    def __init__(self, startup: Startup, has_vhost: bool = True) -> None:
        self.interfaces = {device["name"]: InVpp() for device in startup.devices.values() if "name" in device}
        self.interfaces["local0"] = InVpp()
        self.routes: dict[str, set[str]] = {}
        self.taps: dict[str, TapSide] = {}
        self.proxied: set[str] = set()
        self.nd_proxied: set[tuple[str, str]] = set()
        self.has_vhost = has_vhost

    def execute(self, text: str) -> None:
        """`exec FILE`: Refused is where the file ended, with the line and what VPP says of it."""
        if not text:
            raise Refused("empty file")
        for number, line in enumerate(text.splitlines(), 1):
            command = re.sub(r"(^|\s)#.*", "", line).strip()
            if not command:
                continue
            try:
                self.command(command)
            except Refused as refused:
                raise Refused(f"line {number}: {command}: {refused}") from refused

    def command(self, command: str) -> None:
        if re.search(r"[$\\{}\"']", command):
            raise Refused("macro, brace or quote")
        for pattern, act in _COMMANDS.items():
            found = re.fullmatch(pattern, command)
            if found:
                act(self, **found.groupdict())
                return
        raise Refused(f"unknown input `{command}'")

    def state(self) -> dict[str, object]:
        """All that counts, for comparing."""
        told = {name: repr(interface) for name, interface in self.interfaces.items()}
        return {**told, "routes": self.routes, "taps": self.taps, "arp": self.proxied, "nd": self.nd_proxied}

    def _of(self, name: str) -> InVpp:
        if name not in self.interfaces:
            raise Refused(f"unknown interface `{name}'")
        return self.interfaces[name]

    def up(self, name: str) -> None:
        self._of(name).is_up = True

    def set_mtu(self, name: str, mtu: str) -> None:
        self._of(name).mtu = int(mtu)

    def add_address(self, name: str, address: str) -> None:
        interface, new = self._of(name), _interface(address)
        for other_name, other in self.interfaces.items():
            # an unnumbered interface is walked with the addresses of the one that it uses
            shared = self.interfaces[other.uses].addresses if other.uses else other.addresses
            for old in shared:
                if old.version != new.version or not old.network.overlaps(new.network):
                    continue
                is_same = other is interface and old.network.prefixlen == new.network.prefixlen
                if not (is_same and old.ip != new.ip):
                    raise Refused(
                        f"failed to add {new} on {name} which conflicts with {old} for interface {other_name}"
                    )
        interface.addresses.append(new)

    def del_address(self, name: str, address: str) -> None:
        interface, old = self._of(name), _interface(address)
        if old not in interface.addresses:
            raise Refused(f"{old} not found for interface {name}")
        interface.addresses.remove(old)

    def del_all(self, name: str) -> None:
        users = [user for user, other in self.interfaces.items() if other.uses == name]
        if users:
            raise Refused(
                f"{users} would keep what is freed"
            )  # in VPP: not refused, and an index that leads nowhere
        self._of(name).addresses.clear()

    def add_route(self, dst: str, name: str, gateway: str = "") -> None:
        self._of(name)
        network = ipaddress.ip_network(dst)
        if gateway and ipaddress.ip_address(gateway).version != network.version:
            raise Refused(f"via {gateway}")
        self.routes.setdefault(dst, set()).add(f"{gateway} {name}".strip())

    def del_route(self, dst: str) -> None:
        self.routes.pop(str(ipaddress.ip_network(dst)), None)

    def unnumbered(self, name: str, of: str) -> None:
        self._of(of)
        interface = self._of(name)
        if interface.addresses:
            raise Refused(f"{name} has addresses of its own")
        interface.uses = of

    def numbered(self, name: str) -> None:
        self._of(name).uses = ""

    def proxy(self, first: str, last: str) -> None:
        low, high = ipaddress.IPv4Address(first), ipaddress.IPv4Address(last)
        if low > high:
            raise Refused(f"{first} to {last}")
        self.proxied.add(f"{low}-{high}")

    def answer(self, name: str) -> None:
        self._of(name).answers = True

    def enable_ip6(self, name: str) -> None:
        if self._of(name).has_ip6:
            raise Refused("enable ip6 interface: Failed")
        self._of(name).has_ip6 = True

    def nd_proxy(self, name: str, address: str) -> None:
        if not self._of(name).has_ip6:
            raise Refused("IP6 disabled: it would answer, and take nothing from there")
        if self.taps[name].asks:
            raise Refused("its answer on the tap makes the kernel's address a duplicate")
        self.nd_proxied.add((name, str(ipaddress.IPv6Address(address))))

    def wait(self, seconds: str) -> None:
        for tap in self.taps.values():
            tap.asks = tap.asks and int(seconds) <= 2

    def create_tap(self, number: str, rest: str) -> None:
        if f"tap{number}" in self.interfaces:
            raise Refused("interface already exists")
        if not self.has_vhost:
            raise Refused("open '/dev/vhost-net': No such file or directory")
        words = rest.split()
        if len(words) % 2 or len(set(words[::2])) != len(words[::2]):
            raise Refused(f"unknown input `{rest}'")
        given = dict(zip(words[::2], words[1::2], strict=True))
        known = {
            "host-if-name",
            "host-mtu-size",
            "host-ip4-addr",
            "host-ip4-gw",
            "host-ip6-addr",
            "host-ip6-gw",
        }
        if given.keys() - known:
            raise Refused(f"unknown input `{given.keys() - known}'")
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,15}", given["host-if-name"]):
            raise Refused("a name that is cut in silence")
        if given["host-if-name"] in {tap.ifname for tap in self.taps.values()}:
            raise Refused("becomes the second queue of one device")
        self.taps[f"tap{number}"] = _tap_side(given)
        self.interfaces[f"tap{number}"] = InVpp()


def _tap_side(given: dict[str, str]) -> TapSide:
    """The kernel's rules for it: a gateway is on link, and neither the first nor the last address of a larger subnet."""
    addresses, default = [], []
    for family in ("ip4", "ip6"):
        if f"host-{family}-addr" in given:
            addresses.append(_interface(given[f"host-{family}-addr"]))
        gateway = given.get(f"host-{family}-gw")
        if gateway is None:
            continue
        network = addresses[-1].network if addresses else ipaddress.ip_network("255.255.255.255/32")
        ends = {network[0], network[-1]} if network.num_addresses > 2 else set()
        if ipaddress.ip_address(gateway) not in network or ipaddress.ip_address(gateway) in ends:
            raise Refused("netlink error -101")
        default.append(gateway)
    return TapSide(given["host-if-name"], addresses, default, int(given["host-mtu-size"]))


def _interface(address: str) -> Address:
    if "/" not in address:
        raise Refused(f"expected IP4/IP6 address/length `{address}'")
    return ipaddress.ip_interface(address)


_NAME, _ADDRESS, _PREFIX = r"(?P<name>[A-Za-z][A-Za-z0-9_-]*)", r"(?P<address>[0-9a-f.:]+/[0-9]+)", r"(?P<dst>[0-9a-f.:]+/[0-9]+)"  # fmt: skip
_COMMANDS: dict[str, Callable[..., None]] = {
    rf"set interface state {_NAME} up": Vpp.up,
    rf"set interface mtu packet (?P<mtu>[0-9]+) {_NAME}": Vpp.set_mtu,
    rf"set interface ip address {_NAME} {_ADDRESS}": Vpp.add_address,
    rf"set interface ip address del {_NAME} all": Vpp.del_all,
    rf"set interface ip address del {_NAME} {_ADDRESS}": Vpp.del_address,
    rf"ip route add {_PREFIX} via (?P<gateway>[0-9a-f.:]+) {_NAME}": Vpp.add_route,
    rf"ip route add {_PREFIX} via {_NAME}": Vpp.add_route,
    rf"ip route del {_PREFIX}": Vpp.del_route,
    rf"set interface unnumbered {_NAME} use (?P<of>[A-Za-z][A-Za-z0-9_-]*)": Vpp.unnumbered,
    rf"set interface unnumbered del {_NAME}": Vpp.numbered,
    rf"enable ip6 interface {_NAME}": Vpp.enable_ip6,
    r"set arp proxy start (?P<first>[0-9.]+) end (?P<last>[0-9.]+)": Vpp.proxy,
    rf"set interface proxy-arp {_NAME} enable": Vpp.answer,
    rf"set ip6 nd proxy {_NAME} (?P<address>[0-9a-f:]+)": Vpp.nd_proxy,
    r"wait (?P<seconds>[0-9]+)": Vpp.wait,
    r"create tap id (?P<number>[0-9]+) (?P<rest>.+)": Vpp.create_tap,
}
