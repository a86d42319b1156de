"""A node of rules whose card is VPP's, and a stand-in for that VPP on a socket of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from tests.world import Reply, World

from .rules import Node
from .server import StandIn
from .taps import FakeTaps

if TYPE_CHECKING:
    from pathlib import Path

TAP = "tap0"


class VppWorld(World):
    """`with VppWorld(root) as world:` VPP runs. What it changes is an effect like the kernel's, with a number."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.kernel.add_pod("/run/netns/pod1")
        self.node = Node(FakeTaps(self.kernel), self.kernel.effect)
        self.server = StandIn(self.node, root / "api.sock")

    def __enter__(self) -> Self:
        self.server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop()

    def conf(self, **keys: Any) -> dict[str, Any]:
        return super().conf(**({"master": None, "vpp": self.host(), "ipam": self.ipam()} | keys))

    def host(self, **keys: Any) -> dict[str, Any]:
        return {"mode": "host", "socket": str(self.server.path)} | keys

    def add(self, container: str = "c1", netns: str = "/run/netns/pod1", **keys: Any) -> Reply:
        if netns not in self.kernel.pods:
            self.kernel.add_pod(netns)
        reply = self.call("ADD", self.conf(**keys), container, netns)
        assert reply.code == 0, reply.text
        return reply

    def snapshot(self) -> dict[str, Any]:
        return super().snapshot() | {"vpp": self.node.snapshot()}
