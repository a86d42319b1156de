"""The files for the VPP of a container: its startup configuration, and what it executes. Pure; words are judged before.

VPP ends a file at the first line that fails and says so nowhere: so no line is written that can fail where the VF is there,
and none that is new to VPP stands before those that are not. VPP without a `dev` takes every idle network card there is,
so there is no file without one.

`start.exec` is for VPP's start. `again.exec` is the same for a VPP that has all of it already: addresses are taken away first,
in the form that succeeds also where there are none, and taps stay, since `create tap` cannot be repeated. Without taps the
two are one; with them, a second `start.exec` ends at the address that such a VF has, before anything is changed.
"""

from __future__ import annotations

from typing import Any

from ..words.vpp import Tap, VppPart

STARTUP, START, AGAIN, KERNEL_SIDE = "startup.conf", "start.exec", "again.exec", "tap.ip"
NAMES = (STARTUP, START, AGAIN, KERNEL_SIDE)
RUNTIME_DIR = "/run/vpp"  # where vppctl looks
_SOFTWARE = (
    "# crypto: no QAT VF is free. VPP takes its software engines by itself;",
    "# other DPDK programs have OpenSSL's with --vdev crypto_openssl0",
)


def render(parts: list[VppPart], container: str) -> dict[str, str]:
    """Name and text of each file. Of two routes to one place the first interface has it: VPP would share out the packets."""
    ordered = sorted(parts, key=lambda part: (len(part.name), part.name))
    head = f"# cni-sriov wrote this for container {container}, and writes it anew with each ADD and DEL"
    files = {
        STARTUP: _startup(ordered),
        START: _commands(ordered, is_new=True),
        AGAIN: _commands(ordered, is_new=False),
        KERNEL_SIDE: _kernel_side([part.tap for part in ordered if part.tap is not None]),
    }
    return {name: "\n".join([head, *lines, ""]) for name, lines in files.items() if lines}


# startup.conf -----------------------------------------------------------------------------------------------------------


def _startup(parts: list[VppPart]) -> list[str]:
    options: dict[str, Any] = {}
    for part in parts:
        options |= part.options
    plain = options.get("hugepages") is False
    cpu = {"main-core": options.get("mainCore"), "corelist-workers": options.get("workerCores")}
    buffers = {"page-size": "4K" if plain else None, "buffers-per-numa": options.get("buffers")}
    return [
        *_section("unix", _unix(parts[0].mounted, options.get("runtimeDir", RUNTIME_DIR))),
        *_section("cpu", _given(cpu)),
        *_section("memory", _given({"main-heap-size": options.get("mainHeap")})),
        *_section("buffers", _given(buffers)),
        *_section("dpdk", [*_devices(parts), *(["no-hugetlb"] if plain else [])]),
        *(_SOFTWARE if any(part.crypto == "software" for part in parts) else ()),
    ]


def _unix(mounted: str, runtime_dir: str) -> list[str]:
    return [
        "nodaemon",
        f"runtime-dir {runtime_dir}",
        f"cli-listen {runtime_dir}/cli.sock",
        f"exec {mounted}/{START}",
    ]


def _devices(parts: list[VppPart]) -> list[str]:
    devices = []
    for part in parts:
        told = f"name {part.name}" + (f" num-rx-queues {part.queues}" if part.queues else "")
        devices.append(f"dev {part.vf} {{ {told} }}")
    return devices + [f"dev {qat}" for qat in sorted({part.crypto for part in parts} - {"", "software"})]


def _given(settings: dict[str, Any]) -> list[str]:
    return [f"{key} {value}" for key, value in settings.items() if value is not None]


def _section(name: str, lines: list[str]) -> list[str]:
    """VPP needs the blank before a brace."""
    return [f"{name} {{", *(f"  {line}" for line in lines), "}"] if lines else []


# start.exec and again.exec ------------------------------------------------------------------------------------------------


def _commands(parts: list[VppPart], is_new: bool) -> list[str]:
    """All VFs before the first tap, which a container may lack /dev/net/tun or /dev/vhost-net for."""
    lines: list[str] = []
    reached: dict[str, str] = {}
    for part in parts:
        lines += _interface(part, reached, is_new)
    defaults: dict[bool, str] = {}
    for part in parts:
        if part.tap is not None:
            lines += _create(part.tap, part.mtu, defaults) if is_new else []
            lines += _through(part.tap, part)
    return lines + _for_neighbours_of_v6(parts, is_new)


def _interface(part: VppPart, reached: dict[str, str], is_new: bool) -> list[str]:
    name = part.name
    lines = [
        f"# {name}: VF {part.vf}",
        f"set interface state {name} up",
        f"set interface mtu packet {part.mtu} {name}",
    ]
    if not is_new and part.tap is not None:  # it shares the addresses, and would keep what is taken away
        lines.append(f"set interface unnumbered del tap{part.tap.id}")
    if not is_new or part.tap is None:
        lines.append(f"set interface ip address del {name} all")
    lines += [f"set interface ip address {name} {address}" for address in part.addresses]
    for dst, gateway in part.routes:
        if reached.setdefault(dst, name) == name:
            lines.append(
                f"ip route add {dst} via {gateway} {name}" if gateway else f"ip route add {dst} via {name}"
            )
        else:
            lines.append(f"# {dst} is reached by {reached[dst]}")
    return lines


def _create(tap: Tap, mtu: int, defaults: dict[bool, str]) -> list[str]:
    """`defaults`: which tap has the default route, by family: VPP would take it away from that one. Of IPv6 an interface
    without an address of its own takes nothing until it is told to, which fails the second time.
    """
    words = [f"create tap id {tap.id} host-if-name {tap.ifname}"]
    for address, gateway in zip(tap.addresses, tap.gateways, strict=True):
        is_v6 = ":" in address
        family = "ip6" if is_v6 else "ip4"
        words.append(f"host-{family}-addr {address}")
        if gateway in tap.defaults and defaults.setdefault(is_v6, tap.ifname) == tap.ifname:
            words.append(f"host-{family}-gw {gateway}")
    has_v6 = any(":" in address for address in tap.addresses)
    return [
        " ".join([*words, f"host-mtu-size {mtu}"]),
        *([f"enable ip6 interface tap{tap.id}"] if has_v6 else []),
    ]


def _through(tap: Tap, part: VppPart) -> list[str]:
    """VPP's side has the VF's addresses (unnumbered), sends on to the container's, and answers for these on the wire."""
    vpp = f"tap{tap.id}"
    lines = [
        f"set interface state {vpp} up",
        f"set interface mtu packet {part.mtu} {vpp}",
        f"set interface unnumbered {vpp} use {part.name}",
    ]
    for own in (address.partition("/")[0] for address in tap.addresses if ":" not in address):
        lines.append(f"ip route add {own}/32 via {own} {vpp}")
        lines.append(f"set arp proxy start {own} end {own}")
        lines.append(f"set interface proxy-arp {part.name} enable")
    return lines


def _for_neighbours_of_v6(parts: list[VppPart], is_new: bool) -> list[str]:
    """Last, and not before the kernel has its address: VPP answers on the tap, too, and that answer is the kernel's proof of a
    duplicate. It asks within 1 s and waits for 1 s (RFC 4862 5.4.2).
    """
    taps = [part.tap for part in parts if part.tap is not None]
    lines = [
        f"set ip6 nd proxy tap{tap.id} {address.partition('/')[0]}"
        for tap in taps
        for address in tap.addresses
        if ":" in address
    ]
    return ["wait 3", *lines] if lines and is_new else lines


# the container's side ---------------------------------------------------------------------------------------------------


def _kernel_side(taps: list[Tap]) -> list[str]:
    """For `ip -batch`: VPP can give a tap a default route and no other."""
    reached: set[str] = set()
    lines = []
    for tap in taps:
        for dst, gateway in tap.routes:
            if dst not in reached:
                reached.add(dst)
                lines.append(f"route replace {dst} via {gateway} dev {tap.ifname}")
    return lines
