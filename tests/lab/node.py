"""The guest as a container host: VFs, network namespaces, and CNI calls through the binary as built.

What it tells of the card comes from `ip -j -d` and sysfs in the guest, never from the code under test.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from tests import checker

from .guest import Done, Running
from .vm import PORTS, Vm

PLUGIN_DIR = "/mnt/host/cni-sriov"
PLUGIN = f"{PLUGIN_DIR}/sriov"
CNI_PATH = "/opt/cni/bin:/usr/lib/cni"
LAY_OUT = """
set -e
cd /mnt/host/installed
for home in $(find . -type d -name .cni-sriov); do mkdir -p /$home; mount --bind $home /$home; done
tar -c --exclude=.cni-sriov . | tar -x --no-overwrite-dir -C /
"""
STATE_DIRS = "/run/cni-sriov/claims /var/lib/cni/sriov /var/lib/cni/host-subnet"
MOVING = checker.MOVING - {"inet6_addr_gen_mode"}  # which a VF gets back
ZERO_MAC = "00:00:00:00:00:00"
CONF: dict[str, Any] = {"cniVersion": "1.0.0", "name": "fast", "type": "sriov", "master": PORTS[0]}
IPAM: dict[str, Any] = {"type": "host-subnet", "pools": [{"subnet": "10.10.0.0/16", "prefixLength": 24}]}
FULL: dict[str, Any] = CONF | {
    "vlan": 100,
    "mac": "02:00:00:00:aa:01",
    "spoofchk": "off",
    "trust": "on",
    "max_tx_rate": 100,
    "mtu": 1400,
    "ipam": IPAM,
}


def changes(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]) -> list[str]:
    """What differs between two looks at the card, a line each."""
    return [
        f"{pci} {key}: {before.get(pci, {}).get(key)} -> {after.get(pci, {}).get(key)}"
        for pci in sorted(before.keys() | after.keys())
        for key in sorted(before.get(pci, {}).keys() | after.get(pci, {}).keys())
        if before.get(pci, {}).get(key) != after.get(pci, {}).get(key)
    ]


def _by_device(entries: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {entry.get("parentdev", entry["ifname"]): entry for entry in entries}


def _card(links: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    found = {}
    for pci, entry in _by_device(links).items():
        if pci.startswith("0000:"):
            found[pci] = {key: value for key, value in entry.items() if key not in MOVING}
            found[pci] |= {f"vf {vf['vf']}": vf for vf in found[pci].pop("vfinfo_list", [])}
            found[pci]["flags"] = sorted(set(entry["flags"]) - {"LOWER_UP", "NO-CARRIER"})
    return found


class Reply:
    """The answer to one CNI call."""

    def __init__(self, done: Done) -> None:
        self.exit_code = done.returncode
        self.log = done.stderr
        self.document: dict[str, Any] = json.loads(done.stdout) if done.stdout.strip() else {}

    @property
    def code(self) -> int:
        """The CNI error code; 0 = success, -1 = it failed and said nothing."""
        return int(self.document.get("code", -1)) if self.exit_code else 0

    @property
    def text(self) -> str:
        return f"{self.document.get('msg', '')} | {self.document.get('details', '')} | {self.log}"

    @property
    def addresses(self) -> list[str]:
        return [ip["address"] for ip in self.document["ips"]]


class Call:
    """A CNI call under way."""

    def __init__(self, running: Running) -> None:
        self._running = running

    def wait(self) -> Reply:
        return Reply(self._running.wait())


class Node:
    def __init__(self, vm: Vm) -> None:
        self.vm = vm

    def install(self) -> None:
        """As `make install` lays it out: both names, by symlink, in /opt/cni/bin."""
        links = "".join(f"ln -sfn {PLUGIN} /opt/cni/bin/{name};" for name in ("sriov", "host-subnet"))
        self.vm.run(f"mkdir -p /opt/cni/bin; {links}")

    def lay_out(self) -> None:
        """The tree of tests/bundle.py's `installed` over the root: each version's directory by a mount, the rest copied."""
        self.vm.run(LAY_OUT)

    def clear(self) -> None:
        """End every netns that a test made: VFs still in there come home."""
        self.vm.run("for n in $(ip netns list | cut -d' ' -f1); do ip netns del $n; done; udevadm settle")

    def end(self) -> tuple[dict[str, dict[str, Any]], list[str]]:
        """`clear`, `card` and `state_files` in one."""
        links, files = self.vm.clear(STATE_DIRS.split())
        return _card(links), files

    def create_vfs(self, count: int = 7, ports: tuple[str, ...] = PORTS) -> None:
        """By sysfs alone, then wait until udev has named them and the PF has heard from each.

        igb may see a VF's reset after its first word, and shows zeros for it from then on: such VFs are made anew.
        """
        wanted = {f"{port}v{index}" for port in ports for index in range(count)}
        up = "".join(f"ip link set {port} up;" for port in ports)
        fresh = "".join(
            f"cd /sys/class/net/{port}/device; echo 0 > sriov_numvfs; echo {count} > sriov_numvfs;"
            for port in ports
        )
        self.vm.run(f"set -e; {up}")
        for _ in range(5):
            # its events are there when numvfs is written; who asks for the names meanwhile takes udev's processor
            self.vm.run(f"set -e; {fresh} udevadm settle")
            self.wait_for(lambda: wanted <= self._named(), 30)
            if all(vf["address"] != ZERO_MAC for port in ports for vf in self.vfs(port)):
                return
        raise AssertionError("the PFs never heard from all of their VFs")

    def changed(self, before: dict[str, dict[str, Any]]) -> list[str]:
        """What differs now from an earlier look at the card, a line each."""
        return self.differences(before, self.card())

    def differences(self, before: dict[str, dict[str, Any]], card: dict[str, dict[str, Any]]) -> list[str]:
        """As `changes`; where igb forgot a VF's own MAC, it hears it again before that counts: it may forget twice."""
        for _ in range(5):
            if not changes(before, card) or not any(
                entry["address"] == ZERO_MAC
                for device in card.values()
                for key, entry in device.items()
                if key.startswith("vf ")
            ):
                break
            self.hear_from_all()
            card = self.card()
        return changes(before, card)

    def hear_from_all(self) -> None:
        """VFs that come home, or get a new driver, may be zeros to igb as well (`create_vfs`). Opened once more, each tells
        its own MAC; an admin MAC that is missing stays missing.
        """
        flags = {link["ifname"]: link["flags"] for link in self.links().values()}
        for port in PORTS:
            for index, vf in enumerate(self.vfs(port)):
                name = f"{port}v{index}"
                if vf["address"] == ZERO_MAC and name in flags:
                    first, then = ("down", "up") if "UP" in flags[name] else ("up", "down")
                    self.vm.run(f"ip link set {name} {first}; ip link set {name} {then}")

    def _named(self) -> set[str]:
        return set(self.vm.run("ls /sys/class/net").stdout.split())

    def wait_for(self, what: Callable[[], bool], seconds: float = 15) -> None:
        """Until the guest is so far; the kernel ends a netns in its own time."""
        deadline = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < deadline, "it did not come to that"

    def add_netns(self, *names: str) -> None:
        self.vm.run("".join(f"ip netns add {name} && ip -n {name} link set lo up;" for name in names))

    def start(
        self,
        verb: str,
        conf: dict[str, Any],
        container: str = "c1",
        netns: str | None = None,
        ifname: str = "net1",
        args: str = "",
        plugin: str = PLUGIN,
        env: dict[str, str] | None = None,
    ) -> Call:
        env = (env or {}) | {"CNI_COMMAND": verb, "CNI_CONTAINERID": container, "CNI_IFNAME": ifname}
        env |= {"CNI_ARGS": args}
        env |= {"CNI_NETNS": f"/run/netns/{container}" if netns is None else netns, "CNI_PATH": CNI_PATH}
        given = {key: value for key, value in conf.items() if value is not None}
        return Call(self.vm.spawn([plugin], check=False, input=json.dumps(given), env=env))

    def cni(self, verb: str, conf: dict[str, Any], container: str = "c1", **rest: Any) -> Reply:
        return self.start(verb, conf, container, **rest).wait()

    def links(self, netns: str = "") -> dict[str, dict[str, Any]]:
        """`ip -j -d link` of a netns, by the PCI address of the device (by name where there is none)."""
        return _by_device(self.vm.json(f"ip {'-n ' + netns if netns else ''} -j -d link show"))

    def card(self) -> dict[str, dict[str, Any]]:
        """All that `ip -j -d link` tells of PFs and VFs in the host, but for counters and what moves by itself."""
        return _card(self.vm.json("ip -j -d link show"))

    def vfs(self, port: str) -> list[dict[str, Any]]:
        """The PF's view of its VFs."""
        (entry,) = self.vm.json(f"ip -j -d link show {port}")
        return list(entry["vfinfo_list"])

    def vf(self, port: str, index: int) -> dict[str, Any]:
        """The PF's view of one VF."""
        return self.vfs(port)[index]

    def addresses(self, netns: str, ifname: str = "net1") -> list[str]:
        (entry,) = self.vm.json(f"ip -n {netns} -j addr show {ifname}")
        return [f"{a['local']}/{a['prefixlen']}" for a in entry["addr_info"] if a["scope"] == "global"]

    def state_files(self) -> list[str]:
        """Claims, Records and leases: what must not outlive an attachment."""
        listed = self.vm.run(f"find {STATE_DIRS} '(' -type f -o -type l ')' 2>/dev/null; true").stdout
        return sorted(listed.split())

    def pings(self, netns: str, address: str) -> bool:
        done = self.vm.run(
            f"ip netns exec {netns} ping -c 1 -W 2 -n {address.partition('/')[0]}", check=False
        )
        return done.returncode == 0

    def pings_soon(self, netns: str, address: str) -> bool:
        """Within a few seconds: a fresh link needs its carrier."""
        return any(self.pings(netns, address) for _ in range(5))
