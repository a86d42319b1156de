"""A node made of rules (tests/fakes) with the real ledger, store and parser on a temporary directory.

In through the front door (`call`), out by looking at the world (`snapshot`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cni_sriov.conf.netconf import STATE_DIR, NetConf
from cni_sriov.doors import cni
from cni_sriov.kernel.files import Files
from cni_sriov.kernel.netlink import Netlink
from cni_sriov.kernel.netns import OWN, Netns
from cni_sriov.kernel.nodes import Nodes
from cni_sriov.state.ledger import Ledger
from cni_sriov.vf.host import Host
from cni_sriov.words.domain import Request
from cni_sriov.words.log import Log
from tests.fakes import FakeKernel, FakeLink

BOOT_ID = "11111111-2222-3333-4444-555555555555"


PluginRunner = Callable[[str, dict[str, str], str], tuple[int, str]]
ToolRunner = Callable[[list[str], int], tuple[int, str]]


def _no_plugin(executable: str, env: dict[str, str], stdin: str) -> tuple[int, str]:
    raise AssertionError(f"{executable} must not be called: {env} {stdin}")


def _no_tool(arguments: list[str], fd: int) -> tuple[int, str]:
    raise AssertionError(f"sriovctl must not be called: {arguments} {fd}")


class FakeHost(Host):
    """Host with the fake kernel's faces; everything else is the product's."""

    __slots__ = ("kernel", "plugins", "tool")

    def __init__(
        self,
        kernel: FakeKernel,
        ledger: Ledger,
        log: Log,
        allow_own_netns: bool,
        plugins: PluginRunner = _no_plugin,
        request: Request | None = None,
    ) -> None:
        super().__init__(ledger, log, kernel.sysfs, allow_own_netns, request)
        self.cdi_dir = str(Path(ledger.run_dir).with_name("cdi"))
        self.cluster_conf_dir = str(Path(ledger.run_dir).with_name("cluster-conf"))
        self.kernel = kernel
        self.plugins = plugins
        self.tool: ToolRunner = _no_tool

    def run_plugin(self, executable: str, env: dict[str, str], stdin: str) -> tuple[int, str]:
        return self.plugins(executable, env, stdin)

    def run_sriovctl(self, arguments: list[str], deadline_s: float) -> tuple[int, str]:
        return self.tool(arguments, -1)

    def start_sriovctl(self, arguments: list[str], fd: int) -> None:
        self.tool(arguments, fd)

    @property
    def netlink(self) -> Netlink:
        return self.kernel.netlink

    @property
    def files(self) -> Files:
        return Files(str(self.kernel.root))

    @property
    def nodes(self) -> Nodes:
        return self.kernel.nodes

    @property
    def own_netns(self) -> Netns:
        return self.kernel.open_netns(OWN)

    def open_path(self, path: str) -> Netns:
        return self.kernel.open_netns(path)

    def netlink_in(self, netns: Netns) -> Netlink:
        return self.kernel.pod_netlink(netns)

    def live_netns(self) -> dict[int, list[str]]:
        """A process is in each pod, unless its container is gone and the mount was left."""
        return {
            pod.identity[1]: [path, *([] if pod.is_abandoned else [f"/proc/{pod.pid}/ns/net"])]
            for path, pod in self.kernel.pods.items()
        }

    def blind_spot(self) -> str:
        return self.kernel.blind_spot

    def visit(self, netns: Netns) -> tuple[Netlink, str]:
        return self.kernel.pod_netlink(netns), netns.proc_net("dev_mcast")


class Reply:
    """One call's answer: exit code and the one document on stdout ({} if there was none)."""

    def __init__(self, exit_code: int, stdout: str) -> None:
        self.exit_code = exit_code
        self.document: dict[str, Any] = json.loads(stdout) if stdout else {}

    @property
    def code(self) -> int:
        """The CNI error code, 0 for success."""
        return int(self.document.get("code", 0)) if self.exit_code else 0

    @property
    def text(self) -> str:
        return f"{self.document.get('msg', '')} | {self.document.get('details', '')}"


class _Log(Log):
    """Its file is closed with it: the plugin's process ends with the call, and this one makes ten thousands."""

    __slots__ = ()

    def __del__(self) -> None:
        if self.is_kept:
            os.close(self.fd)


class World:
    """Two PFs of an igb card with VFs, udev running, and pods on demand."""

    def __init__(self, root: Path, boot_id: str = BOOT_ID, udev: bool = False) -> None:
        self.root = root
        self.kernel = FakeKernel(root / "kernel", udev=udev)
        self.run_dir = root / "run"
        self.state_dir = root / "state"
        self.data_dir = root / "data"
        self.devinfo_dir = root / "devinfo"
        self.cdi_dir = root / "cdi"
        self.vpp_dir = root / "vpp-of"
        self.boot_id = boot_id
        self.log_file = root / "log"
        self.plugins: PluginRunner = _no_plugin
        self.tool: ToolRunner = _no_tool  # a descriptor: it is started and not waited for, and has that lock
        self.cluster_dir = root / "clusters"
        self.cluster_conf_dir = root / "cluster-conf"
        self.cni_path = "/opt/cni/bin"
        self.kernel.durable += [self.run_dir, self.state_dir, self.data_dir, self.devinfo_dir, self.cdi_dir]
        self.kernel.durable += [self.vpp_dir, self.cluster_dir]

    def conf(self, **keys: Any) -> dict[str, Any]:
        """A good configuration of the first PF, with `keys` over it; None leaves a key out."""
        conf: dict[str, Any] = {
            "cniVersion": "1.0.0",
            "name": "fast",
            "type": "sriov",
            "master": "enp1s0f0",
            "stateDir": str(self.state_dir),
            "deviceInfoDirs": [str(self.devinfo_dir)],
            "logFile": str(self.log_file),
            "logLevel": "debug",
            "verifyTimeout": 50,
        }
        return {key: value for key, value in (conf | keys).items() if value is not None}

    def ipam(self, **keys: Any) -> dict[str, Any]:
        pools = [{"subnet": "10.10.0.0/16", "prefixLength": 24}]
        return {"type": "host-subnet", "dataDir": str(self.data_dir), "pools": pools} | keys

    def vpp_conf(self, **keys: Any) -> dict[str, Any]:
        """That of the container, with a tap."""
        return {"directory": f"{self.vpp_dir}/{{containerID}}", "tap": {}} | keys

    def call(
        self,
        verb: str,
        conf: dict[str, Any] | str,
        container: str = "c1",
        netns: str = "/run/netns/pod1",
        ifname: str = "net1",
        args: str = "",
        door: str = "sriov",
    ) -> Reply:
        env = {
            "CNI_COMMAND": verb,
            "CNI_CONTAINERID": container,
            "CNI_IFNAME": ifname,
            "CNI_PATH": self.cni_path,
        }
        env |= {"CNI_NETNS": netns, "CNI_ARGS": args}
        out: dict[int, str] = {1: "", 2: ""}

        def write(fd: int, text: str) -> None:
            out[fd] += text

        stdin = conf if isinstance(conf, str) else json.dumps(conf)
        exit_code = cni.main(env, lambda: stdin, write, self._host, door)
        return Reply(exit_code, out[1])

    def _host(self, request: Request, conf: NetConf, allow_own_netns: bool) -> Host:
        who = request.attachment
        context = {"verb": request.verb, "containerID": who.container_id, "ifname": who.ifname}
        log = _Log(conf.log_level, conf.log_file, context)
        # another main plugin's conf names none, and the default is this machine's
        state_dir = str(self.state_dir) if conf.state_dir == STATE_DIR else conf.state_dir
        ledger = Ledger(state_dir, log, str(self.run_dir), self.boot_id)
        ledger.cluster_dir = str(self.cluster_dir)
        ledger.machine_id = str(self.root / "machine-id")
        host = FakeHost(self.kernel, ledger, log, allow_own_netns, self.plugins, request)
        host.tool = self.tool
        return host

    def pod_link(self, pod: str = "/run/netns/pod1") -> FakeLink:
        """The interface net1 of a pod that has one."""
        found = self.kernel.pods[pod].find("net1")
        assert found is not None
        return found[1]

    def snapshot(self) -> dict[str, Any]:
        """The kernel, and every state file but hints and node-wide locks: what an attachment must leave as it was."""
        return {"kernel": self.kernel.snapshot(), "files": self.files()}

    def settled(self) -> dict[str, Any]:
        """The same without what a PF shows as the MAC of a VF that set its own again (kernels.md 6.3)."""
        found = self.snapshot()
        for vf in found["kernel"]["vfs"].values():
            vf["mac"] = vf["mac"] if vf["admin_mac"] else ""
        return found

    def files(self) -> list[str]:
        found = []
        state = (
            *(self.run_dir / part for part in ("locks", "claims", "names")),
            self.state_dir,
            self.data_dir,
        )
        for directory in (*state, self.devinfo_dir, self.cdi_dir, self.vpp_dir):
            found += [
                str(p.relative_to(self.root)) for p in directory.rglob("*") if p.is_file() or p.is_symlink()
            ]
        return sorted(found)
