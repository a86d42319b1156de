"""`sriovctl pool` on fake nodes of one cluster, whose engine is in memory."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from cni_sriov.ctl.cluster.engine import Engine
from cni_sriov.ctl.main import main
from cni_sriov.ctl.tool import Tool
from cni_sriov.vf.host import Host
from cni_sriov.words.errors import InputOutput
from tests.memoryengine import Cluster, MemoryEngine
from tests.unit.ctl.cluster.rack import Rack, RackNode
from tests.unit.ctl.tool import Run, Screen, Typed, answered
from tests.unit.ctl.tool import files as files_of
from tests.unit.ctl.tool import host as host_of
from tests.world import World


class Clusters:
    """What a node's /etc/cni-sriov/clusters is to it."""

    def __init__(self, node: str, **engines: MemoryEngine) -> None:
        self.called = node
        self.engines = engines
        self.opened = 0

    def names(self) -> list[str]:
        return sorted(self.engines)

    def node(self, name: str) -> str:
        if name not in self.engines:
            raise InputOutput(f"read /etc/cni-sriov/clusters/{name}.json: No such file or directory")
        return self.called

    def open(self, name: str, deadline: float) -> Engine:
        self.node(name)
        self.opened += 1
        return self.engines[name]


def ctl(node: RackNode, *argv: str, typed: str | None = None, screen: bool = False, euid: int = 0) -> Run:
    """On a node of a Rack, which has no card."""
    (node.root / "etc").mkdir(parents=True, exist_ok=True)
    (node.root / "etc/machine-id").write_text(f"{node.machine_id}\n")
    return run(
        argv,
        lambda _: node.host,
        Clusters(node.name, rack=node.engine),
        node.root,
        node.data_dir,
        typed,
        screen,
        euid,
    )


def on_world(world: World, cluster: Cluster, *argv: str, typed: str | None = None) -> Run:
    """On a node that has a card, containers and leases."""

    def make(named: str) -> Host:
        host = host_of(world, named)
        host.ledger.cluster_dir = str(world.root / "clusters")
        return host

    clusters = Clusters("a1", rack=MemoryEngine(cluster))
    files_of(world)
    return run(argv, make, clusters, world.root, str(world.root / "data"), typed)


def run(
    argv: Sequence[str],
    make_host: object,
    clusters: Clusters,
    root: Path,
    data_dir: str,
    typed: str | None = None,
    screen: bool = False,
    euid: int = 0,
) -> Run:
    from cni_sriov.kernel.files import Files

    out, err = Screen() if screen else io.StringIO(), io.StringIO()
    tool = Tool(
        out,
        err,
        euid,
        make_host,  # type: ignore[arg-type]
        data_dir,
        files=Files(str(root)),
        stdin=None if typed is None else Typed(typed),
        clusters=clusters,
    )
    return answered(argv, main(argv, tool), out, err)


__all__ = ["Clusters", "Rack", "ctl", "on_world", "run"]
