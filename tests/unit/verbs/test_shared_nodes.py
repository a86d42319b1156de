"""Nodes that share a pool, in one process: the real ADD, the real `sriovctl pool refill`, and an engine in memory. What no
two of them may have in common is counted by the files of all of them and the stdlib's ipaddress.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Sequence
from ipaddress import ip_network
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from tests.memoryengine import Cluster, MemoryEngine
from tests.unit.ctl import tool as ctl
from tests.unit.ctl.pooled import Clusters, run
from tests.world import Reply, World

POOL = {"subnet": "10.10.0.0/19", "prefixLength": 24, "blocks": {"cluster": "rack", "length": 22}}
CAPACITY = 32


class Node:
    """`away`: its engine does not answer."""

    def __init__(self, root: Path, name: str, cluster: Cluster) -> None:
        self.world = World(root)
        self.name = name
        self.engine = MemoryEngine(cluster)
        self.world.tool = self.sriovctl
        for place in (root / "machine-id", root / "etc/machine-id"):
            place.parent.mkdir(exist_ok=True)
            place.write_text(f"{sum(name.encode()):032x}\n")
        ctl.files(self.world)

    def sriovctl(self, arguments: list[str], fd: int) -> tuple[int, str]:
        """In place of the child: at once, with the descriptor that it would have as its third."""
        if fd >= 0:
            assert arguments[-2:] == ["--lock-fd", "3"]
            arguments = [*arguments[:-1], str(os.dup(fd))]
        done = run(
            arguments,
            lambda named: ctl.host(self.world, named),
            Clusters(self.name, rack=self.engine),
            self.world.root,
            str(self.world.data_dir),
        )
        return done.status, done.out

    def call(self, verb: str, n: int, args: str = "", exclude: Sequence[str] = ()) -> Reply:
        pod = f"/run/netns/pod{n}"
        if pod not in self.world.kernel.pods:
            self.world.kernel.add_pod(pod)
        conf = {
            "cniVersion": "1.0.0",
            "name": "fast",
            "type": "bridge",
            "ipam": self.world.ipam(pools=[POOL | {"exclude": [*exclude]}]),
        }
        return self.world.call(verb, conf, f"c{n}", pod, args=args, door="host-subnet")

    @property
    def leases(self) -> list[str]:
        found = self.world.data_dir.glob("default/*/owners/*")
        return [lease["subnet"] for path in found for lease in json.loads(path.read_text())["leases"]]


def nodes(root: Path, count: int) -> list[Node]:
    cluster = Cluster()
    return [Node(root / f"n{n}", f"n{n}", cluster) for n in range(count)]


def assert_disjoint(all_nodes: list[Node]) -> list[str]:
    found = [subnet for node in all_nodes for subnet in node.leases]
    for one, other in combinations(map(ip_network, found), 2):
        assert not one.overlaps(other), (one, other)
    return found


@pytest.mark.parametrize("seed", range(3))
def test_the_pool_is_filled_to_its_last_subnet_and_no_two_overlap(tmp_path: Path, seed: int) -> None:
    print("seed", seed)
    draw = random.Random(seed)
    all_nodes = nodes(tmp_path, 4)
    attached: list[tuple[Node, int]] = []
    left = [*all_nodes]
    for n in range(400):
        if not left:
            break
        if attached and draw.random() < 0.2:
            node, number = attached.pop(draw.randrange(len(attached)))
            assert node.call("DEL", number).code == 0
            left = [*all_nodes]
            continue
        node = draw.choice(left)
        reply = node.call("ADD", n)
        if reply.code == 0:
            attached.append((node, n))
        else:
            assert (reply.code, "10.10.0.0/19" in reply.text) == (11, True), reply.text
            left.remove(node)
        assert_disjoint(all_nodes)

    assert left == []
    assert len(assert_disjoint(all_nodes)) == CAPACITY


def test_an_engine_that_is_away_stops_nobody_with_room(tmp_path: Path) -> None:
    (node,) = nodes(tmp_path, 1)
    assert node.call("ADD", 1).code == 0
    for call in ("claim", "node", "taken", "definitions", "holders"):
        node.engine.fail(call, times=100)

    codes = [node.call("ADD", n).code for n in range(2, 10)]

    assert codes[:3] == [0, 0, 0]
    assert codes[-1] == 11
    assert len(node.leases) in {4, 8}  # of one block, or of two if the first ADD's refill had got another


ALL_BUT_ONE = ("10.10.0.0/20", "10.10.16.0/24", "10.10.17.9-10.10.19.0", "10.10.24.0/21")  # 10.10.20.0/22


def test_of_a_pool_that_is_excluded_but_for_a_block_that_one_is_claimed(tmp_path: Path) -> None:
    """The range has a part of each of three subnets; nothing can be cut from its block either."""
    (node,) = nodes(tmp_path, 1)
    for n in range(4):
        assert node.call("ADD", n, exclude=ALL_BUT_ONE).code == 0
    assert blocks_of(node) == ["10.10.20.0/22"]
    assert node.sriovctl(["pool", "refill", "rack", "--json"], -1)[0] == 1, (
        "what is excluded is known of the ADDs"
    )

    full = node.call("ADD", 4, exclude=ALL_BUT_ONE)

    assert full.code == 11
    told = "of 8 blocks of /22 7 are excluded or used by this host, and the others are taken"
    assert told in full.text
    assert blocks_of(node) == ["10.10.20.0/22"], "nothing was claimed that is of no use"
    assert node.call("ADD", 5).code == 0, "who has no such exclude gets them"


def blocks_of(node: Node) -> list[str]:
    return sorted(map(str, node.engine.cluster.holders))


def test_a_request_for_another_nodes_block_names_that_node(tmp_path: Path) -> None:
    one, other = nodes(tmp_path, 2)
    assert one.call("ADD", 1, "IP=10.10.4.7").code == 0

    reply = other.call("ADD", 2, "IP=10.10.5.7")

    assert (reply.code, "n0" in reply.text) == (104, True), reply.text
    assert other.leases == []


def test_a_copied_disk_cuts_nothing(tmp_path: Path) -> None:
    one, other = nodes(tmp_path, 2)
    assert one.call("ADD", 1).code == 0
    copied: Any = one.world.cluster_dir
    other.world.cluster_dir.mkdir(parents=True, exist_ok=True)
    for path in copied.rglob("*"):
        target = other.world.cluster_dir / path.relative_to(copied)
        if path.is_dir():
            target.mkdir(mode=0o700, exist_ok=True)
        else:
            target.write_bytes(path.read_bytes())
    other.world.cluster_dir.chmod(0o700)

    reply = other.call("ADD", 2)

    assert (reply.code, "another machine" in reply.text) == (5, True), reply.text
    assert other.leases == []
