"""What hostile pods do to the VF that they were given, and what a hostile machine does to a call: for tests/soak.py.

Each mischief is a batch for `ip -n <pod>`, as root in there can do it. After those of `TAKEN_AWAY` nobody finds a veth
end in its pod any more, for it names no parent device: what the product does with a VF that it cannot reach is asked.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from typing import NamedTuple

from tests.integration.rig import Call, Rig

ENV = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
LONG, OTHER_NAME = "x" * 100, "y" * 15
MISCHIEF: dict[str, tuple[str, ...]] = {
    "NOARP": ("link set net1 arp off",),
    "alias": (f"link set net1 alias {LONG}",),
    "group": ("link set net1 group 77",),
    "multicast off": ("link set net1 multicast off",),
    "txqueuelen": ("link set net1 txqueuelen 7",),
    "offload sizes": ("link set net1 gso_max_size 30000 gso_max_segs 7 gro_max_size 30000",),
    "altnames": (f"link property add dev net1 altname {LONG} altname lan0 altname {{another}}",),
    "altname as the host's name": ("link property add dev net1 altname {host}",),
    "alias of odd bytes": ("link set net1 alias \udcff\x1b[31m",),
    "dormant": ("link set net1 mode dormant",),  # IPv6 waits for ever on such a link (netif_oper_up)
    "broadcast address": ("link set net1 broadcast 02:00:00:00:00:01",),
    "promiscuous": ("link set net1 promisc on allmulticast on",),
    "own MAC": ("link set net1 address 02:00:00:00:bb:01",),
    "own MTU": ("link set net1 mtu 1281",),
    "down": ("link set net1 down",),
    "macvlan": ("link add link net1 name up0 type macvlan mode bridge", "link set up0 up"),
    "bridged": ("link add name br0 type bridge", "link set net1 master br0", "link set br0 up"),
    "many addresses": tuple(f"addr add 198.18.0.{n}/32 dev net1" for n in range(1, 65)),
}
# the kernel takes any bytes for an altname, where `ip` is choosy
ODD_ALTNAMES = """
from pyroute2 import IPRoute
with IPRoute() as ip:
    for name in ("a b/../%d", "line\\nbreak", "\\x1b[31mred", "/", "..", "all"):
        ip.link("property_add", index=ip.link_lookup(ifname="net1")[0], altname=name)
"""
PROGRAMS = {"altnames that are no names": ODD_ALTNAMES}
TAKEN_AWAY: dict[str, tuple[str, ...]] = {
    "renamed": ("link set net1 down", f"link set net1 name {OTHER_NAME}"),
    "renamed as another VF": ("link set net1 down", "link set net1 name {another}"),
    "nested": ("link set net1 netns {inner}",),
}
FLAPPING = "addr add 192.0.2.7/32 dev {0}\naddr del 192.0.2.7/32 dev {0}\n"

ERRNOS = ("ENOMEM", "EIO", "EMFILE", "EINTR", "ENOBUFS")
# what a call makes, and how often about
INJECTED = {
    "openat": 40, "open": 40, "newfstatat": 40, "stat": 60, "readlink": 20, "getdents64": 12, "read": 40, "socket": 3, "bind": 3,
    "sendto": 14, "recvfrom": 30, "recvmsg": 30, "setns": 4, "flock": 8, "rename": 6, "link": 4, "unlink": 8, "mkdir": 3, "write": 12,
    "fstat": 20, "poll": 4,
}  # fmt: skip


class Pod(NamedTuple):
    """A pod, the name that its VF has in the host, and that of another VF."""

    name: str
    host: str
    another: str

    @property
    def inner(self) -> str:
        """A netns that only root of the pod knows."""
        return f"in-{self.name}"


def tool(rig: Rig, *argv: str, stdin: str = "") -> tuple[int, str]:
    """Like rig.run, but others go on meanwhile; exit status and standard output."""
    process = rig.start(Call(argv, ENV, stdin.encode("utf-8", "surrogateescape")))
    out = process.communicate()[0].decode()
    return process.returncode, out


def commit(rig: Rig, pod: Pod, what: str) -> bool:
    """Whether all of it was done; what the pod may not do is no mischief."""
    if what in PROGRAMS:
        return tool(rig, "ip", "netns", "exec", pod.name, sys.executable, "-c", PROGRAMS[what])[0] == 0
    lines = (MISCHIEF | TAKEN_AWAY)[what]
    if what == "nested":
        tool(rig, "ip", "netns", "add", pod.inner)
    text = "\n".join(lines).format(host=pod.host, another=pod.another, inner=pod.inner)
    return tool(rig, "ip", "-n", pod.name, "-batch", "-", stdin=text)[0] == 0


def bring_home(rig: Rig, pod: Pod, host_netns: str) -> bool:
    """As default_device_exit_net (net/core/dev.c) does when a netns ends: DOWN, into the host, without the altnames that
    are taken there; all else stays on it. Whether it did; the VF may be the next pod's at once.
    """
    places = [
        (netns, name)
        for netns in (pod.name, pod.inner)
        for name in ("net1", OTHER_NAME, pod.another, pod.host)
    ]
    return any(_moves_home(rig, pod, host_netns, netns, name) for netns, name in places)


def _moves_home(rig: Rig, pod: Pod, host_netns: str, netns: str, name: str) -> bool:
    def batch(*lines: str) -> bool:
        return tool(rig, "ip", "-n", netns, "-force", "-batch", "-", stdin="\n".join(lines))[0] == 0

    def without(*altnames: str) -> list[str]:
        return [f"link property del dev {name} altname {one}" for one in altnames]

    move = f"link set {name} netns {host_netns} name {pod.host}"
    # with the own altname the move stops half-way; with another VF's the other one would get a neutral name, by which
    # nobody finds a veth end
    batch(f"link set {name} nomaster", *without(pod.host, pod.another))
    if not batch(f"link set {name} down"):
        return False
    if batch(move):
        return True
    batch(*without(LONG, "lan0"))
    return batch(move)


def end(rig: Rig, pod: Pod) -> None:
    """The pod's netns and the one inside it go, and a new pod of the name comes."""
    tool(rig, "ip", "netns", "del", pod.inner)
    rig.del_pod(pod.name)
    rig.add_pod(pod.name)


class Flapping:
    """`with Flapping(rig, "pf0"):` an address comes and goes as fast as `ip` can; `pod`: in there, not in the host."""

    def __init__(self, rig: Rig, device: str, pod: str = "") -> None:
        argv = ("ip", *(("-n", pod) if pod else ()), "-force", "-batch", "-")
        self._call = Call(
            ("sh", "-c", 'exec "$@" 2>/dev/null', "sh", *argv), ENV, FLAPPING.format(device).encode() * 5000
        )
        self._rig = rig

    def __enter__(self) -> None:
        self._process = self._rig.start(self._call)

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


def all_kinds() -> list[str]:
    return [*MISCHIEF, *PROGRAMS, *TAKEN_AWAY]


def injection(chance: random.Random) -> tuple[str, ...]:
    """What to put before a command, so that one of its calls fails, or that one and all after it."""
    call = chance.choice(sorted(INJECTED))
    errno, nth = chance.choice(ERRNOS), chance.randint(1, INJECTED[call])
    ever = "+" if errno != "EINTR" and chance.random() < 0.3 else ""  # EINTR for ever is a loop by PEP 475
    rule = f"inject={call}:error={errno}:when={nth}{ever}"
    return ("strace", "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e", rule)


def killed_within(process: subprocess.Popen[bytes], seconds: float | None) -> bytes:
    """SIGKILL after that time, if it is alive then; its standard output."""
    try:
        return process.communicate(timeout=60 if seconds is None else seconds)[0]
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        out = process.communicate()[0]
        if seconds is None:
            raise
        return out
