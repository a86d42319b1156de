"""The fake's Netns: sysctls that exist as long as their link does, and what /proc/net tells of multicasts."""

from __future__ import annotations

import os
from errno import ENOENT
from typing import TYPE_CHECKING

from cni_sriov.kernel.netns import OWN, Netns
from cni_sriov.words.errors import BadNetns, KernelRefused

from .effects import hooked

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .kernel import FakeKernel

OWN_PATHS = {OWN, "/proc/self/ns/net", f"/proc/{os.getpid()}/ns/net"}


@hooked
class FakeNetns(Netns):
    __slots__ = ("namespace", "world")

    def __init__(self, world: FakeKernel, path: str) -> None:
        namespace = world.host if path in OWN_PATHS else world.pods.get(path)
        if namespace is None:
            raise BadNetns(f"open netns {path}: No such file or directory")
        self.world = world
        self.namespace = namespace
        self.path = path
        self.fd = world.new_fd(namespace)
        self.identity = namespace.identity
        self._cookie = namespace.cookie

    def is_own(self) -> bool:
        return self.namespace is self.world.host

    def set_sysctls(self, settings: Iterable[tuple[tuple[str, ...], str]]) -> list[KernelRefused]:
        refused = []
        for parts, value in settings:
            try:
                self._set(parts, value)
            except KernelRefused as error:
                refused.append(error)
        return refused

    def proc_net(self, name: str) -> str:
        lines = []
        for ifindex, link in self.namespace.links.items():
            bond = link.master is not None and link.master.kind == "bond" and link.master.is_up
            has = link.is_up + link.groups + len(link.wanting) + bond
            if name == "dev_mcast" and has:
                lines.append(f"{ifindex:<4d} {link.name:<15s} {has:<5d} 0     01005e000001")
            if name == "igmp" and link.is_up:
                lines.append(f"{ifindex}\t{link.name:<10s}:     1      V3")
                lines += ["\t\t\t\t010000E0     1 0:00000000\t\t0"]
                lines += ["\t\t\t\t010000EF     1 0:00000000\t\t0"] * link.groups
        return "".join(line + "\n" for line in lines)

    def close(self) -> None:
        self.fd = -1

    def _set(self, parts: tuple[str, ...], value: str) -> None:
        what = f"write {value!r} to /proc/sys/{'/'.join(parts)}"
        self._check(what, parts)
        if parts[-1] == "disable_ipv6" and self.namespace.sysctls.get(parts, "0") == value:
            return

        def act() -> None:
            self.namespace.sysctls[parts] = value
            if parts[1] == "ipv6" and parts[-1] == "disable_ipv6" and value == "1":
                found = self.namespace.find(parts[3])
                if found:
                    found[1].addresses = [a for a in found[1].addresses if ":" not in a.address]

        self.world.effect(what, act)

    def _check(self, what: str, parts: tuple[str, ...]) -> None:
        device = parts[3] if parts[2:3] == ("conf",) else "all"
        known = [link.name for link in self.namespace.links.values()]
        if device not in {"all", "default", *known}:
            raise KernelRefused(what, ENOENT)
