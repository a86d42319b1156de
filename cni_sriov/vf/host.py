"""Host: the faces in one bundle, each opened on first use. Real here; tests hand the acts a bundle of fakes."""

from __future__ import annotations

import os
from typing import Any

from ..kernel import living, process
from ..kernel.netlink import Netlink
from ..kernel.netns import OWN, Netns, inside, proc_net
from ..kernel.replies import Address
from ..kernel.sysfs import Sysfs
from ..state.ledger import Ledger
from ..words.domain import Attachment, Link, Record
from ..words.errors import BadNetns
from ..words.log import Log


class Host:
    """What an act may touch: `sysfs`, `netlink` (host netns), `ledger`, `log`, and pods through `open_netns`."""

    __slots__ = (
        "_addresses",
        "_netlink",
        "_own",
        "allow_own_netns",
        "cni_path",
        "conf",
        "environment",
        "ledger",
        "log",
        "raw",
        "sysfs",
    )

    def __init__(
        self, ledger: Ledger, log: Log, sysfs: Sysfs | None = None, allow_own_netns: bool = False
    ) -> None:
        self.ledger = ledger
        self.log = log
        self.sysfs = sysfs or Sysfs()
        self.allow_own_netns = allow_own_netns
        self.cni_path: list[str] = []
        self.environment: dict[str, str] = {}
        self.conf: dict[str, Any] = {}  # of the call, in our spelling
        self.raw: dict[str, Any] = {}  # as it came: what another plugin gets
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

    def record_of(self, attachment: Attachment) -> Record | None:
        """Its Record; where it has none, but sriov-cni left a file for it, one made of that (owner/adopt.py)."""
        record = self.ledger.find(attachment)
        if record is None and self.ledger.has_cache(attachment):
            from ..owner import adopt

            return adopt.find(self, attachment)
        return record

    def find_pod(self, record: Record) -> tuple[Netns, Netlink, str] | None:
        """The pod's netns, with what `visit` tells of it, if its path still leads to the one that ADD saw: another pod may
        have the path by now.
        """
        try:
            netns = self.open_path(record.netns)
        except BadNetns:
            return None
        try:
            if list(netns.identity) == record.netns_identity:
                pod, multicast = self.visit(netns)  # tells the cookie, so that nobody need go in twice
                if netns.is_the_one(record.netns_identity, record.netns_cookie):
                    return netns, pod, multicast
                pod.close()
        except BaseException:
            netns.close()
            raise
        netns.close()
        return None

    def is_in_own_netns(self, record: Record) -> bool:
        """Whether the container is in the host's own netns (CNI_NETNS_OVERRIDE)."""
        return self.own_netns.is_the_one(record.netns_identity, record.netns_cookie)

    def pod(self, netns: Netns) -> Netlink:
        """A Netlink that speaks in the pod, opened inside it; the process itself stays where it is."""
        with inside(netns):
            pod = Netlink()
        netns.met(pod.raw)
        return pod

    def live_netns(self) -> dict[int, list[str]]:
        """Every netns that can be found, by inode, with the paths that lead there (kernel/living.py)."""
        return living.netns()

    def visit(self, netns: Netns) -> tuple[Netlink, str]:
        """`pod`, and who wants multicasts of which link there (vf/stacked.py), in one visit."""
        with inside(netns):
            pod, wanted = Netlink(), proc_net("dev_mcast")
        netns.met(pod.raw)
        return pod, wanted

    def run_plugin(self, executable: str, env: dict[str, str], stdin: str) -> tuple[int, str]:
        """Another plugin, with our environment and `env` over it: (exit status, stdout)."""
        mask = os.umask(0o022)  # ours is 077, and others' files are not state of ours
        try:
            return process.run(executable, process.clean_environment(self.environment) | env, stdin)
        finally:
            os.umask(mask)

    def vf_link(self, vf: str) -> Link | None:
        """The VF's netdev if it is in the host netns now."""
        for name in self.sysfs.netdevs(vf):
            link = self.netlink.link(name)
            if link is not None and link.parent_dev in {vf, ""}:
                return link
        return None

    def lost_vf(self, record: Record) -> str:
        """Why the VF that ADD took is no more, "" if it is there. numvfs to 0 and back makes a new one at its address,
        which is not the attachment's and must not be touched for it (lab.md 6.11).
        """
        inode = self.sysfs.inode(record.vf)
        if not inode:
            return "the VF is gone"
        return "" if record.vf_inode in {0, inode} else "the VF is gone, and a new one has its address"


def link_among(links: list[Link], record: Record) -> Link | None:
    """The VF's netdev of those in the pod: by name if what bears the name is still the VF, else by PCI address.

    A half-failed move leaves the host's name there. Where the driver names no parent device, the name has to do.
    """
    ours = [link for link in links if link.parent_dev == record.parent_dev]
    for name in (record.attachment.ifname, record.baseline.ifname if record.baseline else ""):
        for link in ours:
            if link.ifname == name:
                return link
    return ours[0] if ours and record.parent_dev else None


def link_in_pod(pod: Netlink, record: Record) -> Link | None:
    """The same by name alone, where the list cannot be had."""
    for name in (record.attachment.ifname, record.baseline.ifname if record.baseline else ""):
        link = pod.link(name) if name else None
        if link is not None and link.parent_dev == record.parent_dev:
            return link
    return None
