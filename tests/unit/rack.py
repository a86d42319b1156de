"""A node of a cluster, whose engine is a dict and whose `sriovctl pool refill` is a few lines here: the node's side alone is
the product's.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from cni_sriov.state.blocks import ClusterFiles
from cni_sriov.state.lock import Lock
from cni_sriov.words.errors import InputOutput, KernelRefused
from cni_sriov.words.inet import parse_prefix
from tests.unit.networks import overlaps
from tests.world import World

NAME = "rack"
ME, OTHER = "me", "r1n2"
ETCD = {"engine": "etcd", "endpoints": ["http://127.0.0.1:2379"]}
AWAY: dict[str, Any] = {
    "code": 11,
    "msg": "ask etcd of cluster rack: no endpoint answered",
    "details": "https://a:2379: timed out",
}


class Rack:
    """`engine` has who has each block. `error`: what refill says instead of claiming. `waiting`: those that were started
    beside an ADD and run when the test says so (`run_all`).
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.engine: dict[str, str] = {}
        self.error: dict[str, Any] | None = None
        self.calls: list[list[str]] = []
        self.waiting: list[tuple[list[str], bool]] = []
        self.meanwhile: Callable[[], None] = lambda: None
        world.tool = self._tool
        world.cluster_conf_dir.mkdir(exist_ok=True)
        self.conf_file.write_text(json.dumps(ETCD))
        self.conf_file.chmod(0o600)
        self.there.note_contacted()

    @property
    def there(self) -> ClusterFiles:
        return ClusterFiles(
            NAME, str(self.world.cluster_dir), str(self.world.run_dir), str(self.world.root / "machine-id")
        )

    @property
    def conf_file(self) -> Path:
        return self.world.cluster_conf_dir / f"{NAME}.json"

    @property
    def blocks(self) -> list[str]:
        """By the directory alone."""
        directory = self.world.cluster_dir / NAME / "blocks"
        return (
            sorted(path.name.replace("_", "/") for path in directory.glob("*")) if directory.exists() else []
        )

    def give(self, *blocks: str) -> None:
        for block in blocks:
            self.engine[block] = ME
            self.there.intend(parse_prefix(block), parse_prefix("10.10.0.0/16"))
            self.there.settle(parse_prefix(block), ours=True)

    def run_all(self) -> None:
        waiting, self.waiting = self.waiting, []
        for arguments, _ in waiting:
            self._refill(arguments)

    def _tool(self, arguments: list[str], fd: int) -> tuple[int, str]:
        self.calls.append(arguments)
        if fd >= 0:  # the child holds the lock by the same description, so nobody else gets it now
            another = Lock(f"{self.world.run_dir}/clusters/{NAME}/lock", "a test")
            is_held = not another.try_acquire()
            another.release()
            self.waiting.append((arguments, is_held))
            return 0, ""
        answer: list[tuple[int, str]] = []
        try:
            self.world.kernel.effect("sriovctl pool refill", lambda: answer.append(self._refill(arguments)))
        except KernelRefused as error:
            raise InputOutput(str(error)) from error
        return answer[0]

    def _refill(self, arguments: list[str]) -> tuple[int, str]:
        self.meanwhile()
        told = options(arguments)
        if self.error is not None:
            self.there.put_failure(*(self.error[key] for key in ("code", "msg", "details")))
            return 1, json.dumps({"error": self.error})
        if "--more-than" in told and len(self._mine(told["--subnet"])) > int(told["--more-than"][0]):
            return 0, json.dumps({"version": 1, "cluster": NAME, "claimed": [], "lost": []})
        wanted = told.get("--block") or self._free(told)
        if not wanted:
            self.error = {"code": 11, "msg": "claim a block of 10.10.0.0/16: none is free", "details": ""}
            return self._refill(arguments)
        if self.engine.get(wanted[0], ME) != ME:
            error = {
                "code": 104,
                "msg": f"claim {wanted[0]}: node {self.engine[wanted[0]]} has it",
                "details": "",
            }
            return 1, json.dumps({"error": error})
        self.give(wanted[0])
        self.there.clear_failure()
        return 0, json.dumps({"version": 1, "cluster": NAME, "claimed": wanted[:1], "lost": []})

    def _mine(self, subnets: list[str]) -> list[str]:
        mine = [ip_network(block) for block in self.blocks]
        return [str(block) for block in mine for one in subnets if overlaps(block, ip_network(one))]

    def _free(self, told: dict[str, list[str]]) -> list[str]:
        """The highest first, so that it is not by chance the order of the pool."""
        blocks = [
            str(block)
            for subnet in told["--subnet"]
            for block in ip_network(subnet).subnets(new_prefix=int(told["--block-length"][0]))
        ]
        return [block for block in reversed(blocks) if block not in self.engine]


def options(arguments: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    name = ""
    for word in arguments:
        if word.startswith("--"):
            name = word
            found.setdefault(name, [])
        elif name:
            found[name].append(word)
    return found
