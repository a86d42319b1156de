"""A rack: nodes with their own files and one engine in memory. And an audit that knows nothing of how they claim."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from ipaddress import ip_network
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from cni_sriov.ctl.cluster import claim, contact, giving
from cni_sriov.ctl.cluster.claim import Refilled, Wanted
from cni_sriov.ctl.cluster.member import Member
from cni_sriov.ipam import own
from cni_sriov.leases.holding import Holding
from cni_sriov.state import blocks
from cni_sriov.state.blocks import ClusterFiles
from cni_sriov.state.ledger import Ledger
from cni_sriov.vf.host import Host
from cni_sriov.words.domain import Attachment
from cni_sriov.words.inet import parse_prefix
from cni_sriov.words.lease import Choice, Lease, LeaseDir
from cni_sriov.words.log import Log
from tests.memoryengine import Cluster, MemoryEngine

POOL = "10.10.0.0/16"
BOOT = "11111111-2222-3333-4444-555555555555"


class Killed(BaseException):
    """By SIGKILL, as far as a test in one process can: nothing that catches errors of ours sees it."""


@dataclass
class RackNode:
    root: Path
    cluster: Cluster
    name: str
    machine: str = ""
    boot: str = BOOT
    seed: int = 0
    engine: MemoryEngine = field(init=False)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        salted = b"cni-sriov cluster\0" + self.machine_id.encode()
        self.machine = self.machine or sha256(salted).hexdigest()
        self.engine = MemoryEngine(self.cluster)

    @property
    def machine_id(self) -> str:
        return f"{sum(self.name.encode()):032x}"

    @property
    def host(self) -> Host:
        ledger = Ledger(str(self.root / "state"), Log("none"), str(self.root / "run"), self.boot)
        ledger.cluster_dir = str(self.root / "clusters")
        ledger.machine_id = str(self.root / "etc/machine-id")
        return Host(ledger, Log("none"))

    @property
    def files(self) -> ClusterFiles:
        return blocks.of(self.host.ledger, "rack")

    @property
    def data_dir(self) -> str:
        return str(self.root / "data")

    def member(self, engine: Any = None) -> Member:
        self.seed += 1
        draw = random.Random(f"{self.name} {self.seed}").randrange
        host = self.host
        files = blocks.of(host.ledger, "rack")
        self.notes = []
        made = Member(
            "rack", host, files, engine or self.engine, self.name, self.machine, self.data_dir, draw
        )
        made.notes = self.notes
        return made

    def refill(
        self, *subnets: str, length: int = 20, prefix_length: int = 24, engine: Any = None, **keys: Any
    ) -> Refilled:
        """As the command does it."""
        wanted = Wanted([*map(parse_prefix, subnets)], length, prefix_length, **keys) if subnets else None
        with self.files.lock("test"), claim.noted(self.files):
            if claim.is_needless(self.files, wanted):
                return Refilled()
            return claim.refill(self.member(engine), wanted)

    def contact(self, engine: Any = None) -> contact.Contacted:
        with self.files.lock("test"):
            return contact.contact(self.member(engine))

    def release(self, engine: Any = None) -> list[str]:
        with self.files.lock("test"):
            return [*map(str, giving.give_back(self.member(engine)))]

    def lease(self, subnet: str, container: str = "", scope: str = "default", data_dir: str = "") -> str:
        net = ip_network(subnet)
        lease = Lease(scope, subnet, f"{net[2]}/{net.prefixlen}", str(net[1]), POOL)
        who = Attachment(container or f"c{net[0]}", "net1")
        holding = Holding(who, [], "fast", "/run/netns/x", [4, 7], self.boot)
        store = own.store(self.host, LeaseDir(data_dir or self.data_dir, scope))
        with store.transaction("test") as transaction:
            assert transaction.take(holding, Choice([lease], {}))
        return who.container_id

    def drop(self, container: str) -> None:
        for store in own.stores(self.host):
            store.release(Attachment(container, "net1"))

    def reboot(self) -> None:
        self.boot = self.boot[:-1] + ("6" if self.boot[-1] == "5" else "5")
        for path in sorted((self.root / "run").rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()

    @property
    def blocks(self) -> list[str]:
        """By the files alone."""
        return self.directory("blocks")

    def directory(self, name: str) -> list[str]:
        path = self.root / "clusters/rack" / name
        names = sorted(os.listdir(path)) if path.is_dir() else []
        return [one.replace("_", "/") for one in names if not one.startswith(".")]

    @property
    def fingerprint(self) -> str:
        return self.files.fingerprint


class Rack:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.cluster = Cluster()
        self.nodes: dict[str, RackNode] = {}

    def node(self, name: str) -> RackNode:
        if name not in self.nodes:
            self.nodes[name] = RackNode(self.root / name, self.cluster, name)
        return self.nodes[name]

    def held(self, node: RackNode) -> list[str]:
        """What the engine has as that node's."""
        mine = node.fingerprint
        return sorted(str(block) for block, one in self.cluster.holders.items() if one.fingerprint == mine)

    def audit(self, is_settled: bool = True) -> None:
        """No block is cut from by two, none is held by nobody who knows of it; `is_settled`: all have had contact since."""
        for one, other in combinations(self.nodes.values(), 2):
            both = [(a, b) for a in one.blocks for b in other.blocks if ip_network(a).overlaps(ip_network(b))]
            assert both == [], f"{one.name} and {other.name} cut from the same"
        for node in self.nodes.values():
            known = {block for name in ("blocks", "claiming", "releasing") for block in node.directory(name)}
            assert set(self.held(node)) <= known, f"{node.name} has blocks that it does not know of"
            if is_settled:
                assert node.blocks == self.held(node), node.name
                assert node.directory("claiming") == node.directory("releasing") == []


@pytest.fixture
def rack(tmp_path: Path) -> Rack:
    return Rack(tmp_path)


# a kill at any effect -------------------------------------------------------------------------------------------------

ON_FILES = ("rename", "unlink", "link", "mkdir", "write", "fsync")
ON_ENGINE = ("claim", "give_back", "define", "put_node", "forget_node")


class Effects:
    """Counts what changes files or engine, and raises `error` before or after the one of that number. Who is killed does
    nothing more.
    """

    def __init__(
        self, number: int = -1, after: bool = False, error: Callable[[], BaseException] = Killed
    ) -> None:
        self.number = number
        self.after = after
        self.error = error
        self.seen: list[str] = []
        self.is_dead = False

    def around(self, name: str, act: Callable[..., Any]) -> Callable[..., Any]:
        def acted(*args: Any, **keys: Any) -> Any:
            if self.is_dead:
                raise Killed
            is_it = len(self.seen) == self.number
            self.seen.append(name)
            if is_it and not self.after:
                self.fail()
            try:
                return act(*args, **keys)
            finally:
                if is_it:
                    self.fail()

        return acted

    def fail(self) -> None:
        self.is_dead = self.error is Killed
        raise self.error()

    def engine(self, engine: MemoryEngine) -> Any:
        return _Watched(engine, self)


class _Watched:
    def __init__(self, engine: MemoryEngine, effects: Effects) -> None:
        self._engine = engine
        self._effects = effects

    def __getattr__(self, name: str) -> Any:
        act = getattr(self._engine, name)
        return self._effects.around(name, act) if name in ON_ENGINE else act


@contextmanager
def watched(effects: Effects) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ON_FILES:
            patch.setattr(os, name, effects.around(name, getattr(os, name)))
        yield
