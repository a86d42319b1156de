"""What the doctor sees of shared pools: files that the product itself wrote, and that it is told the same of a recording."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from cni_sriov.conf import cluster
from cni_sriov.ctl.doctor import clusters
from cni_sriov.decide.facts_cluster import Cluster
from cni_sriov.words.failures import Failures
from cni_sriov.words.inet import parse_prefix
from tests.unit.ctl.doctor.tree import Tree
from tests.unit.ctl.recording import taken
from tests.unit.ctl.tool import host
from tests.unit.ipam.test_shared import POOL, add
from tests.unit.rack import AWAY, ETCD, NAME, OTHER, Rack
from tests.world import World

BLOCK, SECOND = "10.10.8.0/22", "10.10.16.0/22"
LIST = "/etc/cni/net.d/10-fast.conflist"
RULES = {"block-lost", "cluster-copied", "cluster-file-broken", "refill-failed", "engine-not-asked"}


@pytest.fixture
def rack(world: World) -> Rack:
    rack = Rack(world)
    rack.give(BLOCK)
    (world.cluster_dir / NAME / "contact").write_text("{}")
    return rack


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """/etc/cni-sriov/clusters/rack.json of this test."""
    directory = tmp_path / "cluster-files"
    directory.mkdir()
    monkeypatch.setattr(cluster, "DIRECTORY", str(directory))
    path = directory / f"{NAME}.json"
    path.write_text(json.dumps(ETCD))
    path.chmod(0o600)
    return path


def look(world: World) -> Cluster:
    failures = Failures()
    (found,) = clusters.look(host(world), failures, [], str(world.root / "default-data"), lambda _: [])
    assert failures.told == []
    return found


def aged(path: Path, seconds: int) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def network(root: Path, **pool: Any) -> None:
    plugin = {"type": "sriov", "master": "enp1s0f0", "ipam": {"type": "host-subnet", "pools": [POOL | pool]}}
    Tree(root).write("/etc/containerd/config.toml", "version = 2\n")
    Tree(root).write(LIST, json.dumps({"cniVersion": "1.0.0", "name": "fast", "plugins": [plugin]}))


def findings(run: taken.Run) -> list[dict[str, Any]]:
    return [one for one in run.document["findings"] if one["rule"] in RULES]


def rules(world: World) -> list[tuple[str, str]]:
    return [(one["rule"], one["severity"]) for one in findings(taken.live(world, "doctor", "--json"))]


def test_what_is_leased_in_which_block_and_when(world: World, rack: Rack) -> None:
    rack.give(SECOND)
    for n in (1, 2):
        assert add(world, n).code == 0
    for path in world.data_dir.rglob("leases/*"):
        aged(path, 300)

    found = look(world)

    assert (found.blocks, found.leased, found.low, found.lost, found.refused) == (2, 2, [], [], None)
    assert found.newest is not None
    assert 299 < found.newest < 400
    assert found.contact is not None
    assert found.contact < 100


def test_a_lost_block_names_who_runs_in_it(world: World, rack: Rack) -> None:
    rack.give(SECOND)
    assert add(world, 1).code == 0
    rack.there.lose(parse_prefix(BLOCK), {"node": OTHER})
    rack.there.lose(parse_prefix(SECOND), {"node": OTHER})

    second, first = look(world).lost

    assert (first.block, first.holder, first.users) == (BLOCK, OTHER, ["c1/net1 (10.10.8.0/24)"])
    assert (second.block, second.users, Path(second.file).exists()) == (SECOND, [], True)


def test_less_than_a_quarter_of_a_block(world: World, rack: Rack) -> None:
    """Of four subnets one is a quarter."""
    rack.there.put_pool(parse_prefix("10.10.0.0/16"), 22, 24)
    for n in (1, 2, 3):
        assert add(world, n).code == 0
    assert look(world).low == []

    assert add(world, 4).code == 0

    assert look(world).low == ["10.10.0.0/16"]


def test_why_the_last_refill_failed_and_when(world: World, rack: Rack) -> None:
    rack.there.put_failure(AWAY["code"], AWAY["msg"], AWAY["details"])
    aged(world.run_dir / "clusters" / NAME / "failure", 600)

    refused = look(world).refused

    assert refused is not None
    assert (refused.msg, refused.details, 599 < refused.ago < 700) == (AWAY["msg"], AWAY["details"], True)


def test_a_copied_disk_and_one_that_the_engine_stopped(world: World, rack: Rack) -> None:
    contacted = world.run_dir / "clusters" / NAME / "contacted"
    (world.root / "machine-id").write_text("b" * 32 + "\n")
    (world.cluster_dir / NAME / "machine").write_text("a" * 32 + "\n")
    assert (look(world).is_copied, look(world).is_stopped) == (False, False), "the engine knows better"

    contacted.unlink()
    assert (look(world).is_copied, look(world).is_stopped) == (True, False)

    (world.root / "machine-id").write_text("a" * 32 + "\n")
    rack.there.stop()
    assert (look(world).is_copied, look(world).is_stopped) == (False, True)


def test_a_cluster_that_only_a_network_names_is_looked_at(world: World, file: Path) -> None:
    network(world.kernel.root)
    assert rules(world) == []

    file.unlink()

    (found,) = findings(taken.live(world, "doctor", "--json"))
    assert (found["rule"], found["severity"], found["subject"]) == ("cluster-file-broken", "error", str(file))
    assert f"{LIST} uses it: read {file}: No such file or directory" in found["why"]


def test_who_asks_of_one_card_hears_nothing_of_clusters(world: World, rack: Rack, file: Path) -> None:
    file.chmod(0o644)
    assert rules(world) == [("cluster-file-broken", "warning")]

    assert findings(taken.live(world, "doctor", "enp1s0f0", "--json")) == []


def test_nothing_is_changed_and_no_engine_is_opened(world: World, rack: Rack, file: Path) -> None:
    """The tool of a world refuses any child, and its clusters any engine."""
    before = sorted((str(path), path.stat().st_mtime_ns) for path in world.cluster_dir.rglob("*"))
    taken.live(world, "doctor", "--json")
    assert rack.calls == []
    assert sorted((str(path), path.stat().st_mtime_ns) for path in world.cluster_dir.rglob("*")) == before


# recorded -------------------------------------------------------------------------------------------------------------

TOKEN, NONCE = "7c" * 16, "00000000000000019f3a55aa0c1d2e3f"


def away(world: World, rack: Rack) -> None:
    rack.there.put_failure(AWAY["code"], AWAY["msg"], "https://etcd7.hall-of-acme:2379: timed out")
    aged(world.run_dir / "clusters" / NAME / "failure", 600)


def lost(_: World, rack: Rack) -> None:
    rack.there.lose(parse_prefix(BLOCK), {"node": OTHER, "fingerprint": "5a" * 16})


def long_ago(world: World, _: Rack) -> None:
    aged(world.cluster_dir / NAME / "contact", 7200)
    for path in world.data_dir.rglob("leases/*"):
        aged(path, 600)


def copied(world: World, _: Rack) -> None:
    (world.root / "machine-id").write_text("b" * 32 + "\n")
    (world.run_dir / "clusters" / NAME / "contacted").unlink()


def stopped(_: World, rack: Rack) -> None:
    rack.there.stop()


@pytest.mark.parametrize(("make", "rule"), [
    (away, "refill-failed"), (lost, "block-lost"), (long_ago, "engine-not-asked"), (copied, "cluster-copied"),
    (stopped, "cluster-copied"), (lambda world, rack: None, "cluster-file-broken"),
])  # fmt: skip
def test_a_recording_says_the_same_and_has_no_secret(
    world: World, rack: Rack, file: Path, tmp_path: Path, make: Any, rule: str
) -> None:
    (world.root / "machine-id").write_text("a" * 32 + "\n")
    there = world.cluster_dir / NAME
    for name, text in {"machine": "a" * 32 + "\n", "token": TOKEN, ".tmp-token.7": TOKEN}.items():
        (there / name).write_text(text)
    record = {"node": "me-at-acme", "nonce": NONCE}
    (there / "contact").write_text(json.dumps({"nonces": [NONCE], "pending": NONCE, "record": record}))
    taken.node(world)
    network(world.kernel.root)
    assert add(world, 7).code == 0
    assert rules(world) == []
    make(world, rack)
    if rule == "cluster-file-broken":
        file.write_text(json.dumps(ETCD | {"user": "u", "passwordFile": "hunter-2"}))
    live = findings(taken.live(world, "doctor", "--json"))
    assert [one["rule"] for one in live] == [rule]

    recording = taken.recorded(world)
    kept = taken.written(recording, tmp_path / "node")
    again = taken.replayed(kept, "doctor", "--json")

    assert findings(again) == live
    text = json.dumps(taken.document(recording))
    assert [secret for secret in (TOKEN, NONCE, "a" * 32, "b" * 32, "hunter-2") if secret in text] == []


def test_an_anonymous_one_has_no_name_of_a_node_and_no_host_of_the_engine(
    world: World, rack: Rack, file: Path
) -> None:
    taken.node(world)
    away(world, rack)
    rack.there.lose(parse_prefix(BLOCK), {"node": OTHER, "fingerprint": "5a" * 16})
    before = json.dumps(taken.document(taken.recorded(world)))

    text = json.dumps(taken.document(taken.anonymous(world)))

    planted = (OTHER, "5a" * 16, "hall-of-acme")
    assert ([one in before for one in planted], [one in text for one in planted]) == ([True] * 3, [False] * 3)
