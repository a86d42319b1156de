"""The machine itself as a card: a private netns as "host", veth ends as PF and VFs, a private /sys, /run, /var/lib.

The bundle runs in it as it is installed, with real netns, netlink and files; the product has no hook for this. One
thread of this process lives in the namespaces, and what it starts does too; they end with it, so nothing of the
machine changes and no traffic leaves. Used by tests/integration and tests/bench.

Where it differs from a real card, all of it known to the tests that use it:
- the PF tells nothing of its VFs, so only confs without admin settings (VLAN, MAC, rates, ...) are accepted;
- `net/` below a VF keeps showing the VF's host name while it is in a pod (class/net is real); the product asks
  netlink for the link of that name wherever it matters;
- a veth end dies with its pod's netns, where a real VF comes home; and it names no parent device.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, Self

from tests import bundle, checker
from tests.inside import NEWNET, NEWNS, Inside

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]
BUNDLE = ROOT / "build" / "out" / "cni-sriov" / "sriov"
PF, PF_PCI = "pf0", "0000:01:00.0"
PCI_DEVICES = "/run/rig/pci"
STATE = "/var/lib/cni"
HELD = ("/run/cni-sriov/claims", "/run/cni-sriov/locks", f"{STATE}/sriov", f"{STATE}/host-subnet")


class RigError(Exception):
    """The rig could not be made, or a tool in it failed."""


class Call(NamedTuple):
    """One CNI call: what is executed, with which environment and standard input."""

    argv: tuple[str, ...]
    env: dict[str, str]
    stdin: bytes


class Link(NamedTuple):
    """What a VF must be again after DEL."""

    name: str
    mac: str
    mtu: int
    up: bool


class Rig(Inside):
    """`with Rig(vfs=32) as rig:` the namespaces, up to the end of the block. `on_disk`: the plugins' state, not in RAM."""

    def __init__(self, vfs: int = 4, *, on_disk: bool = False) -> None:
        super().__init__("rig")
        self.vfs = vfs
        self._on_disk = on_disk
        self._disk = ""

    def __enter__(self) -> Self:
        try:
            self.unshare(NEWNS | NEWNET)
            self._mount()
            self._make_links()
            self._make_pci_tree()
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        """The namespaces end with the thread, and all that is in them with the namespaces."""
        super().close()
        if self._disk:
            shutil.rmtree(self._disk)

    # -- doing things in it -------------------------------------------------------------------------------------------

    def run(self, *argv: str, stdin: str = "") -> str:
        """A tool that has to succeed; what it prints."""
        done = self.inside(subprocess.run, argv, input=stdin, capture_output=True, text=True)
        if done.returncode:
            raise RigError(f"{' '.join(argv)}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def ip(self, *args: str) -> Any:
        """`ip -j ...`, parsed."""
        return json.loads(self.run("ip", "-j", *args) or "[]")

    def start(self, call: Call) -> subprocess.Popen[bytes]:
        """Start it; its standard input waits there already."""
        return self.inside(_start, call)

    def answer(self, call: Call) -> tuple[int, Any]:
        """Exit status and the parsed document of standard output, None if it is empty."""
        return answer_of(self.start(call))

    def heard(self, call: Call) -> tuple[int, Any, str]:
        """As `answer`, and what it logged."""
        with tempfile.TemporaryFile("w+") as log:
            status, answer = answer_of(self.inside(_start, call, log))
            log.seek(0)
            return status, answer, log.read()

    # -- what is in it ------------------------------------------------------------------------------------------------

    def add_pod(self, name: str) -> str:
        """A netns; the answer is its path."""
        self.run("ip", "netns", "add", name)
        self.run("ip", "-n", name, "link", "set", "lo", "up")
        return f"/run/netns/{name}"

    def del_pod(self, name: str) -> None:
        self.run("ip", "netns", "del", name)

    def links(self) -> list[Link]:
        """The host's, in order of their names."""
        found = self.ip("link", "show")
        return sorted(Link(i["ifname"], i["address"], i["mtu"], "UP" in i["flags"]) for i in found)

    def leftovers(self) -> list[str]:
        """Files that stand for a claim, a record, a lock, an owner or a lease; not what a killed call may leave to the next
        one, whoever's that is.
        """
        return [path for path in self.inside(_files, HELD) if not checker.is_bounded(path)]

    def storage(self) -> str:
        """The file system that the plugins' state is on."""
        return self.run("findmnt", "-n", "-o", "FSTYPE", "-T", STATE).strip()

    # -- making it ----------------------------------------------------------------------------------------------------

    def _mount(self) -> None:
        self.run("mount", "--make-rprivate", "/")
        self.run("mount", "-t", "sysfs", "sysfs", "/sys")  # shows the netdevs of this netns
        for path in ("/run", "/var/lib"):
            self.run("mount", "-t", "tmpfs", "-o", "mode=755", "rig", path)
        self.inside(os.mkdir, STATE)
        if self._on_disk:
            self._disk = tempfile.mkdtemp(prefix="cni-sriov-rig-", dir="/var/tmp")
            self.run("mount", "--bind", self._disk, STATE)

    def _make_links(self) -> None:
        """The other ends are UP in a netns of their own, so the host shows PF and VFs, and VFs get a carrier."""
        self.run("ip", "netns", "add", "wire")
        names = [PF, *(f"vf{index}" for index in range(self.vfs))]
        lines = [f"link add {name} type veth peer name w{name} netns wire" for name in names]
        self.run("ip", "-batch", "-", stdin="\n".join([*lines, f"link set {PF} up", "link set lo up"]))
        self.run("ip", "-n", "wire", "-batch", "-", stdin="\n".join(f"link set w{name} up" for name in names))

    def _make_pci_tree(self) -> None:
        self.inside(_write_tree, PF_PCI, _pf_files(self.vfs))
        for index in range(self.vfs):
            self.inside(_write_tree, vf_pci(index), _vf_files(index))
        self.run("mount", "--bind", PCI_DEVICES, "/sys/bus/pci/devices")
        # class/net/pf0 is a symlink to this directory; the bind mount gives the PF its `device`
        self.inside(_write_pf_netdev, "/run/rig/pf", f"/sys/devices/virtual/net/{PF}")
        self.run("mount", "--bind", "/run/rig/pf", f"/sys/devices/virtual/net/{PF}")


# -- confs and calls --------------------------------------------------------------------------------------------------


def vf_pci(index: int) -> str:
    """Routing IDs 0x180 and on, as with an offset of 0x80 and a stride of 1: from the 129th on they are on bus 02."""
    routing_id = 0x180 + index
    return f"0000:{routing_id >> 8:02x}:{routing_id >> 3 & 0x1F:02x}.{routing_id & 7}"


def conf(**keys: Any) -> dict[str, Any]:
    """A conf of ours: one /29 of a pool for each attachment."""
    ipam = {"type": "host-subnet", "pools": [{"subnet": "10.20.0.0/16", "prefixLength": 29}]}
    return {"cniVersion": "1.0.0", "name": "rig", "type": "sriov", "master": PF, "ipam": ipam} | keys


def call(
    verb: str,
    container: str,
    netns: str,
    conf: Mapping[str, Any],
    argv: tuple[str, ...] = (),
    ifname: str = "net1",
) -> Call:
    """Of the bundle, unless `argv` says what."""
    env = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "CNI_COMMAND": verb,
        "CNI_CONTAINERID": container,
        "CNI_NETNS": netns,
        "CNI_IFNAME": ifname,
        "CNI_PATH": "/usr/lib/cni",
    }
    return Call(argv or (str(bundle.sriov()),), env, json.dumps(conf).encode())


def plugin_call(verb: str, document: Any, netns: str = "") -> Call:
    """As podman or its netavark calls a plugin: the verb is an argument, and nothing of CNI is in the environment."""
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    return Call((str(bundle.sriov()), verb, *filter(None, [netns])), env, json.dumps(document).encode())


def answer_of(process: subprocess.Popen[bytes]) -> tuple[int, Any]:
    out = process.communicate()[0]
    return process.returncode, json.loads(out) if out else None


# -- run in the rig's thread ------------------------------------------------------------------------------------------


def _start(call: Call, log: IO[str] | None = None) -> subprocess.Popen[bytes]:
    with tempfile.TemporaryFile() as stdin:
        stdin.write(call.stdin)
        stdin.seek(0)
        return subprocess.Popen(call.argv, env=call.env, stdin=stdin, stdout=subprocess.PIPE, stderr=log)


def _files(directories: tuple[str, ...]) -> list[str]:
    found = [Path(top, name) for path in directories for top, _, names in os.walk(path) for name in names]
    return sorted(map(str, found))


def _pf_files(vfs: int) -> dict[str, str]:
    links = {f"virtfn{index}": f"-> ../{vf_pci(index)}" for index in range(vfs)}
    rest = {
        "sriov_totalvfs": f"{vfs}\n",
        "sriov_numvfs": f"{vfs}\n",
        "vendor": "0x8086\n",
        "device": "0x10c9\n",
    }
    return {"driver": "-> ../../drivers/igb", f"net/{PF}": "", **rest, **links}


def _vf_files(index: int) -> dict[str, str]:
    return {"driver": "-> ../../drivers/igbvf", "physfn": f"-> ../{PF_PCI}", f"net/vf{index}": ""}


def _write_tree(device: str, files: Mapping[str, str]) -> None:
    """Names and contents below one PCI device; "-> target" is a symlink."""
    for name, content in files.items():
        path = Path(PCI_DEVICES, device, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if content.startswith("-> "):
            path.symlink_to(content.removeprefix("-> "))
        else:
            path.write_text(content)


def _write_pf_netdev(path: str, original: str) -> None:
    Path(path).mkdir()
    Path(path, "ifindex").write_text(Path(original, "ifindex").read_text())
    Path(path, "device").symlink_to(f"../../../../bus/pci/devices/{PF_PCI}")
