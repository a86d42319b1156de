"""Host: the faces in one bundle, each opened on first use. Real here; tests hand the acts a bundle of fakes."""

from __future__ import annotations

import os

from ..kernel import child, devlink, living, process
from ..kernel.files import Files
from ..kernel.netlink import Netlink
from ..kernel.netns import OWN, Netns, inside, proc_net
from ..kernel.nodes import Nodes
from ..kernel.replies import Address
from ..kernel.sysfs import Sysfs
from ..state import cdi, nodeblocks
from ..state.ledger import Ledger
from ..words.domain import Request
from ..words.errors import BadNetns, VppAway
from ..words.log import Log


class Host:
    """What an act may touch: `sysfs`, `nodes` (in /dev), `netlink` (host netns), `ledger`, `log`, and pods through `open_netns`."""

    __slots__ = (
        "_addresses",
        "_netlink",
        "_own",
        "allow_own_netns",
        "away",
        "cdi_dir",
        "cluster_conf_dir",
        "golden",
        "ledger",
        "log",
        "request",
        "sysfs",
    )

    def __init__(
        self,
        ledger: Ledger,
        log: Log,
        sysfs: Sysfs | None = None,
        allow_own_netns: bool = False,
        request: Request | None = None,
    ) -> None:
        """`request` is the runtime's, whose words another plugin is told; sriovctl has none."""
        self.ledger = ledger
        self.log = log
        self.sysfs = sysfs or Sysfs()
        self.cdi_dir = cdi.DIRECTORY
        self.cluster_conf_dir = nodeblocks.CONF_DIR
        self.allow_own_netns = allow_own_netns
        self.away: dict[str, VppAway] = {}  # by socket: who was asked in vain in this call
        self.request = request or Request()
        # the VF that was judged last, and vf/golden.py's word for it, between its choice and its claim
        self.golden: tuple[str, object] = "", None
        self._addresses: list[Address] | None = None
        self._netlink: Netlink | None = None
        self._own: Netns | None = None

    @property
    def netlink(self) -> Netlink:
        if self._netlink is None:
            self._netlink = Netlink()
        return self._netlink

    @property
    def own_netns(self) -> Netns:
        """The netns the plugin runs in: where VFs come from and go back to."""
        if self._own is None:
            self._own = Netns(OWN)
        return self._own

    @property
    def files(self) -> Files:
        """The node's, for what only drivers for user space need."""
        return Files()

    @property
    def nodes(self) -> Nodes:
        return Nodes(self.files)

    @property
    def addresses(self) -> list[Address]:
        """Of the host netns, asked once in a call: an ADD wants to know which VFs have one, and which prefixes they take."""
        if self._addresses is None:
            self._addresses = self.netlink.addresses()
        return self._addresses

    def forget_addresses(self) -> None:
        self._addresses = None

    def open_path(self, path: str) -> Netns:
        return Netns(path)

    def open_netns(self, path: str) -> Netns:
        """CNI_NETNS, opened and judged: BadNetns (8) if it is none, or our own and nobody said that this is meant."""
        netns = self.open_path(path)
        if netns.is_own() and not self.allow_own_netns:
            netns.close()
            raise BadNetns(
                f"use CNI_NETNS {path}: it is the plugin's own network namespace",
                "set CNI_NETNS_OVERRIDE=1 if that is meant",
            )
        return netns

    def netlink_in(self, netns: Netns) -> Netlink:
        """A Netlink that speaks in the pod, opened inside it; the process itself stays where it is."""
        with inside(netns):
            pod = Netlink()
        netns.met(pod.raw)
        return pod

    def eswitch_mode(self, pci_address: str) -> str:
        """kernel/devlink.py: "legacy", "switchdev", or "" where there is none."""
        return devlink.eswitch_mode(pci_address)

    def live_netns(self) -> dict[int, list[str]]:
        """Every netns that can be found, by inode, with the paths that lead there (kernel/living.py)."""
        return living.netns()

    def blind_spot(self) -> str:
        """Why not all of the node can be seen from here, "" if it can (kernel/living.py)."""
        return living.blind_spot()

    def visit(self, netns: Netns) -> tuple[Netlink, str]:
        """`netlink_in`, and who wants multicasts of which link there (vf/stacked.py), in one visit."""
        with inside(netns):
            pod, wanted = Netlink(), proc_net("dev_mcast")
        netns.met(pod.raw)
        return pod, wanted

    def run_plugin(self, executable: str, env: dict[str, str], stdin: str) -> tuple[int, str]:
        """Another plugin, with our environment and `env` over it: (exit status, stdout)."""
        mask = os.umask(0o022)  # ours is 077, and others' files are not state of ours
        try:
            return process.run(executable, process.clean_environment(self.request.environment) | env, stdin)
        finally:
            os.umask(mask)

    def run_sriovctl(self, arguments: list[str], deadline_s: float) -> tuple[int, str]:
        """kernel/child.py: (exit status, stdout)."""
        return child.run(arguments, deadline_s)

    def start_sriovctl(self, arguments: list[str], fd: int) -> None:
        """The same, not waited for; it has `fd` as descriptor child.GIVEN_FD."""
        child.detach(arguments, fd)
