"""`sriovctl pool` and its actions, through the front door."""

from __future__ import annotations

import os
import shlex
import shutil
import threading
import time
from pathlib import Path

import pytest

from cni_sriov.ctl.cluster.engine import Engine
from cni_sriov.ctl.commands import pool
from cni_sriov.state.lock import Lock
from cni_sriov.words.cluster import Holder
from cni_sriov.words.inet import parse_prefix
from cni_sriov.words.log import Log
from tests import remedies
from tests.memoryengine import MemoryEngine
from tests.remedies import follows
from tests.unit.ctl.cluster.rack import POOL, Rack, RackNode, rack
from tests.unit.ctl.pooled import Clusters, ctl, run

__all__ = ["rack"]  # a fixture
SMALL = "10.10.0.0/18"  # four blocks of /20
WHICH = ("--subnet", POOL, "--block-length", "20", "--prefix-length", "24")


def refill(node: RackNode, *more: str, subnet: str = POOL) -> list[str]:
    which = ["--subnet", subnet, "--block-length", "20", "--prefix-length", "24"]
    done = ctl(node, "pool", "refill", "rack", *which, *more, "--json")
    assert done.status == 0, done.out
    claimed: list[str] = done.document["claimed"]
    return claimed


def seconds_left(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Of each engine that is opened from now on."""
    left = list[float]()
    by_hand = Clusters.open

    def opened(self: Clusters, name: str, deadline: float) -> Engine:
        left.append(deadline - time.monotonic())
        return by_hand(self, name, deadline)

    monkeypatch.setattr(Clusters, "open", opened)
    return left


def test_who_looks_waits_five_seconds_for_the_engine_and_who_acts_longer(
    rack: Rack, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, left = rack.node("a1"), seconds_left(monkeypatch)
    for argv in (["pool"], ["pool", "--deadline", "9"], ["pool", "release"]):
        assert ctl(a, *argv).status == 0

    assert [round(seconds) for seconds in left] == [5, 9, 30]


# refill ---------------------------------------------------------------------------------------------------------------


def test_the_plugins_command_line_claims_a_block_and_says_which(rack: Rack) -> None:
    a = rack.node("a1")
    (block,) = refill(a, "--more-than", "0", "--deadline", "5")
    assert a.blocks == [block]
    assert refill(a, "--more-than", "0") == []
    assert refill(a, "--block", block) == []
    assert ctl(a, "pool", "refill", "rack").out == "cluster rack: nothing had to be claimed\n"
    rack.audit()


def test_what_fails_is_one_json_document_and_kept_for_the_next_add(rack: Rack) -> None:
    a = rack.node("a1")
    a.engine.fail("node")
    done = ctl(a, "pool", "refill", "rack", "--json")
    assert (done.status, done.document["error"]["code"]) == (1, 11)
    failure = a.files.failure()
    assert failure is not None
    assert failure.msg == done.document["error"]["msg"]
    refill(a)
    assert a.files.failure() is None


@pytest.mark.parametrize(
    "argv",
    [
        ("refill",),
        ("refill", "a", "b"),
        ("refill", "../../etc"),
        ("refill", ""),
        ("refill", "rack", "--block", "10.10.0.0/20"),
        ("refill", "rack", "--more-than", "1"),
        ("refill", "rack", "--subnet", POOL),
        ("refill", "rack", "--subnet", POOL, "--block-length", "20"),
        ("refill", "rack", "--subnet", POOL, "--block-length", "15", "--prefix-length", "24"),
        ("refill", "rack", "--subnet", POOL, "--block-length", "25", "--prefix-length", "24"),
        ("refill", "rack", "--subnet", POOL, "--block-length", "33", "--prefix-length", "33"),
        ("refill", "rack", "--subnet", "10.10.0.1/16", "--block-length", "20", "--prefix-length", "24"),
        ("refill", "rack", "--subnet", "x", "--block-length", "20", "--prefix-length", "24"),
        ("refill", "rack", "--subnet", POOL, "--block-length", "2O", "--prefix-length", "24"),
        ("refill", "rack", "--deadline", "-1"),
        ("refill", "rack", "--log-level", "loud"),
        ("drain",),
        ("drain", "a", "b"),
        ("drain", "a1", "--dry-run"),
        ("refill", "rack", "--dry-run"),
        ("release", "--yes"),
        ("forget", "a1", "--undo"),
        ("--dry-run",),
        ("forget",),
        ("forget", "a1", "--cluster", "a/b"),
        ("burn",),
        ("release", "10.10.0.0"),
        ("refill", "rack", "--exclude", "10.10.0.0/20"),
        ("refill", "rack", *WHICH, "--exclude", "10.10.0.0/21"),
        ("undefine",),
        ("undefine", POOL, "10.20.0.0/16"),
        ("undefine", "10.10.0.1/16"),
        ("undefine", "rack"),
    ],
)
def test_what_is_no_command_line_of_ours_touches_nothing(rack: Rack, argv: tuple[str, ...]) -> None:
    a = rack.node("a1")
    done = ctl(a, "pool", *argv)
    assert done.status == 2, done.err
    assert rack.cluster.calls.total() == 0
    assert not (a.root / "clusters").exists()


@pytest.mark.parametrize("block", ["10.10.0.0/21", "10.11.0.0/20"])
def test_a_block_that_is_none_of_the_pool(rack: Rack, block: str) -> None:
    which = ("--subnet", POOL, "--block-length", "20", "--prefix-length", "24", "--block", block)
    assert ctl(rack.node("a1"), "pool", "refill", "rack", *which).status == 2


def test_a_block_of_another_node_is_104(rack: Rack) -> None:
    a, b = rack.node("a1"), rack.node("b1")
    (block,) = refill(a)
    which = ("--subnet", POOL, "--block-length", "20", "--prefix-length", "24", "--block", block)
    error = ctl(b, "pool", "refill", "rack", *which, "--json").document["error"]
    assert error["code"] == 104
    assert "node a1 has it" in error["msg"]


def test_one_refill_at_a_time_waits_for_its_deadline(rack: Rack) -> None:
    a = rack.node("a1")
    a.contact()
    with a.files.lock("ADD"):
        done = ctl(a, "pool", "refill", "rack", "--deadline", "0", "--json")
    assert (done.status, done.document["error"]["code"]) == (1, 11)
    assert a.files.failure() is None, "who has it tells what comes of it"


def test_two_at_once_get_a_block_each_or_see_that_one_is_enough(rack: Rack) -> None:
    a = rack.node("a1")
    a.contact()
    lock = a.files.lock("ADD")
    lock.acquire()
    fd = os.dup(lock.fd)
    got: list[list[str]] = []

    def release() -> None:
        os.close(fd)
        lock.release()

    waiting = threading.Timer(0.2, release)
    waiting.start()
    got.append(refill(a, "--more-than", "0"))
    waiting.join()
    got.append(refill(a, "--more-than", "0"))
    assert [len(one) for one in got] == [1, 0]


def handed_over(node: RackNode) -> int:
    """As an ADD does: taken without waiting, and left to the child."""
    lock = node.files.lock("ADD")
    assert lock.try_acquire()
    fd = os.dup(lock.fd)
    lock.release()
    return fd


def test_a_lock_that_is_handed_over_is_held_until_the_end(rack: Rack) -> None:
    a = rack.node("a1")
    a.contact()
    fd = handed_over(a)
    assert not a.files.lock("another").try_acquire()
    assert len(refill(a, "--lock-fd", str(fd))) == 1
    assert a.files.lock("another").try_acquire()


def test_a_descriptor_that_is_no_lock_of_ours_is_refused(rack: Rack, tmp_path: Path) -> None:
    a = rack.node("a1")
    fd = os.open(tmp_path / "other", os.O_CREAT | os.O_RDWR)
    for number in (fd, 999):
        done = ctl(a, "pool", "refill", "rack", "--lock-fd", str(number))
        assert done.status == 1, done.err
    assert rack.cluster.calls.total() == 0


def test_the_first_contact_of_a_boot_waits_a_moment_alone_and_without_the_lock(
    rack: Rack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where all nodes boot at once. An ADD that needs a block meanwhile has the lock, and is the first contact."""
    a = rack.node("a1")
    refill(a)
    a.reboot()
    slept = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        with a.files.lock("another"):
            pass
        done = ctl(a, "pool", "refill", "rack", "--lock-fd", str(handed_over(a)))
        assert "nothing had" in done.out, "another one waits"

    monkeypatch.setattr(time, "sleep", sleep)
    assert ctl(a, "pool", "refill", "rack", "--lock-fd", str(handed_over(a))).status == 0
    assert a.files.was_contacted()
    (seconds,) = slept
    assert 0 <= seconds <= pool.JITTER_S


def test_whoever_runs_low_does_not_wait(rack: Rack, monkeypatch: pytest.MonkeyPatch) -> None:
    a = rack.node("a1")
    (block,) = refill(a)
    a.lease(block)
    a.reboot()
    a.lease(block, "again")
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("it waited"))
    done = ctl(a, "pool", "refill", "rack", "--lock-fd", str(handed_over(a)), "--json")
    assert len(done.document["claimed"]) == 1


def test_what_happened_is_told(rack: Rack) -> None:
    a = rack.node("a1")
    (block,) = refill(a)
    a.lease(block.replace("/20", "/24"))
    rack.cluster.holders[parse_prefix(block)] = Holder("9" * 32, "z1", "", 7)
    done = ctl(a, "pool", "refill", "rack")
    assert f"block {block} was ours, and node z1 has it" in done.out
    shown = ctl(a, "pool").out
    assert "lost: z1 has it" in shown


def lines(file: Path) -> list[dict[str, str]]:
    """As a shell splits them."""
    each = [dict(word.split("=", 1) for word in shlex.split(line)) for line in file.read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "time"} for line in each]


def test_a_log_has_what_was_claimed_and_what_was_lost(rack: Rack, tmp_path: Path) -> None:
    a, file = rack.node("a1"), tmp_path / "log"
    (block,) = refill(a, "--log-file", str(file))
    assert lines(file) == [
        {"level": "info", "verb": "refill", "msg": "blocks claimed", "cluster": "rack", "blocks": block}
    ]
    assert file.stat().st_mode & 0o777 == 0o600

    file.unlink()
    rack.cluster.holders[parse_prefix(block)] = Holder("9" * 32, "z1", "", 7)
    done = ctl(a, "pool", "refill", "rack", "--log-file", str(file))

    (told,) = lines(file)
    assert (done.status, told["level"], told["cluster"]) == (0, "error", "rack")
    assert told["msg"].startswith(f"block {block} was ours, and node z1 has it")


@pytest.mark.parametrize(("level", "count"), [("info", 1), ("error", 1), ("none", 0)])
def test_a_log_has_why_nothing_was_claimed(rack: Rack, tmp_path: Path, level: str, count: int) -> None:
    a, file = rack.node("a1"), tmp_path / "log"
    a.engine.fail("node")

    done = ctl(a, "pool", "refill", "rack", "--log-file", str(file), "--log-level", level)

    assert (done.status, a.files.failure() is None) == (1, False)
    assert (
        lines(file)
        == [
            {
                "level": "error",
                "verb": "refill",
                "msg": "failed",
                "cluster": "rack",
                "code": "11",
                "reason": "ask the memory of cluster rack: no endpoint answered",
                "details": "memory: as the test says",
            }
        ][:count]
    )


def test_who_types_it_is_told_once(rack: Rack, capfd: pytest.CaptureFixture[str]) -> None:
    a = rack.node("a1")
    host = a.host
    host.log = Log("error")  # as sriovctl has it
    a.engine.fail("node")

    done = run(["pool", "refill", "rack"], lambda _: host, Clusters("a1", rack=a.engine), a.root, a.data_dir)

    assert (done.status, done.err.count("no endpoint answered"), capfd.readouterr().err) == (1, 1, "")


# release, drain, forget -----------------------------------------------------------------------------------------------


@follows("ctl/show_pool", "stays: subnets in it are leased")
def test_empty_blocks_are_given_back_and_full_ones_are_not(rack: Rack) -> None:
    a = rack.node("a1")
    (full,), (empty,) = refill(a), refill(a)
    container = a.lease(full.replace("/20", "/24"))
    assert ctl(a, "pool", "release", "--dry-run").out.count("\n") == 2
    assert len(a.blocks) == 2
    told = ctl(a, "pool", "release")
    assert f"{empty} given back" in told.out
    assert a.blocks == [full]
    (look,) = remedies.followed(told.out)
    assert container in ctl(a, *look).out
    assert ctl(a, "pool", "release", full).status == 1
    a.drop(container)
    assert ctl(a, "pool", "release", full, "--json").document["released"] == [full]
    assert ctl(a, "pool", "release").out == "this node has no block\n"
    rack.audit()


@pytest.mark.parametrize("name", ["a1", "b1"])
def test_a_copy_of_a_node_does_not_give_back_the_originals_blocks(rack: Rack, name: str) -> None:
    """They are empty on it, and its own by its files."""
    a = rack.node("a1")
    (block,) = refill(a)
    a.lease(block.replace("/20", "/24"))
    copy = RackNode(rack.root / "copy", rack.cluster, name, a.machine)
    shutil.copytree(a.root / "clusters", copy.root / "clusters")
    a.contact()

    for which in ([], [block]):
        told = ctl(copy, "pool", "release", *which)
        assert (told.status, "is node a1 there" in told.err) == (1, True), told.out + told.err
    assert rack.held(a) == [block]
    assert copy.blocks == [block]


@follows("ctl/commands/pool", "`sriovctl pool` has all")
@follows("ctl/cluster/others", "`sriovctl pool` has all")
def test_whom_nobody_knows(rack: Rack) -> None:
    a = rack.node("a1")
    a.contact()
    for argv in (("release", "10.10.0.0/20"), ("drain", "b1")):
        told = ctl(a, "pool", *argv)
        assert told.status == 1
        for words in remedies.followed(told.err):
            assert ctl(a, *words).status == 0


@follows("ctl/show_pool", "at once by")
def test_a_drained_node_is_told_what_to_do_there(rack: Rack) -> None:
    a, b = rack.node("a1"), rack.node("b1")
    refill(a)
    told = ctl(b, "pool", "drain", "a1")
    assert ctl(b, "pool", "drain", "a1", "--json").document["draining"] is True
    (words,) = remedies.followed(told.out)
    assert ctl(a, *words).status == 0
    assert a.blocks == []
    assert "draining" in ctl(b, "pool").out


@follows("ctl/cluster/claim", "--undo")
def test_a_drained_node_claims_again_when_that_is_undone(rack: Rack) -> None:
    a = rack.node("a1")
    a.contact()
    ctl(a, "pool", "drain", "a1")
    which = ("--subnet", POOL, "--block-length", "20", "--prefix-length", "24")
    told = ctl(a, "pool", "refill", "rack", *which)
    assert told.status == 1
    (words,) = remedies.followed(told.err)
    assert ctl(a, *words).status == 0
    assert len(refill(a)) == 1


@follows("decide/blocks", "`sriovctl pool` has all")
def test_a_pool_that_is_used_up_has_a_way_out(rack: Rack) -> None:
    a, b = rack.node("a1"), rack.node("b1")
    for _ in range(4):
        refill(a, subnet=SMALL)
    which = ("--subnet", SMALL, "--block-length", "20", "--prefix-length", "24")
    told = ctl(b, "pool", "refill", "rack", *which)
    assert (told.status, "node a1 has 4" in told.err) == (1, True)
    look, drain = remedies.followed(told.err)
    assert ctl(b, *look).status == 0
    assert ctl(b, *[word.replace("NODE", "a1") for word in drain]).status == 0
    a.contact()
    assert len(refill(b, subnet=SMALL)) == 1


@follows("ctl/cluster/claim", "give it back")
def test_a_block_that_another_has_is_given_back_there(rack: Rack) -> None:
    a, b = rack.node("a1"), rack.node("b1")
    (block,) = refill(a)
    which = ("--subnet", POOL, "--block-length", "20", "--prefix-length", "24", "--block", block)
    (words,) = remedies.followed(ctl(b, "pool", "refill", "rack", *which).err)
    assert ctl(a, *words).status == 0
    assert ctl(b, "pool", "refill", "rack", *which).status == 0
    assert b.blocks == [block]


def test_a_node_that_is_no_more_is_forgotten_when_its_name_is_typed(rack: Rack) -> None:
    a, b = rack.node("a1"), rack.node("b1")
    (block,) = refill(a)
    for typed in ("", "y\n", "yes\n", "b1\n"):
        told = ctl(b, "pool", "forget", "a1", typed=typed)
        assert (told.status, len(rack.held(a))) == (1, 1)
        assert "nothing was changed" in told.out
    assert block in ctl(b, "pool", "forget", "a1", "--dry-run").out
    told = ctl(b, "pool", "forget", "a1", typed="a1\n")
    assert (told.status, rack.held(a)) == (0, [])
    assert f"node a1 is forgotten, and free: {block}" in told.out


@follows("ctl/commands/pool", "only looks")
def test_a_script_that_forgets_says_so(rack: Rack) -> None:
    a, b = rack.node("a1"), rack.node("b1")
    refill(a)
    act, look = remedies.followed(ctl(b, "pool", "forget", "a1").err)
    assert (ctl(b, *look).status, len(rack.held(a))) == (0, 1)
    assert (ctl(b, *act).status, rack.held(a)) == (0, [])


def test_whom_the_cluster_knows_as_dead_nobody_asks_for(rack: Rack) -> None:
    a, b = rack.node("a1"), rack.node("b1")
    refill(a)
    rack.cluster.dead[a.fingerprint] = True
    rack.cluster.records[a.fingerprint][0].uid = "5d3a9d1c-01"
    told = ctl(b, "pool", "forget", "a1")
    assert told.status == 0
    assert "its Node is gone, or is another by its UID than the 5d3a9d1c-01 that it said" in told.out
    assert rack.held(a) == []


@follows("ctl/cluster/others", "--force if that Node")
def test_whose_node_is_there_is_drained_or_forced(rack: Rack) -> None:
    a, b = rack.node("a1"), rack.node("b1")
    refill(a)
    rack.cluster.dead[a.fingerprint] = False
    told = ctl(b, "pool", "forget", "a1", "--yes")
    assert told.status == 1
    (words,) = remedies.followed(told.err)
    assert ctl(b, *words).status == 0
    assert ctl(b, "pool", "forget", "a1", "--yes", "--force").status == 0
    assert rack.held(a) == []


@follows("ctl/cluster/others", "gives back its empty blocks")
def test_one_gives_back_rather_than_forgets_oneself(rack: Rack) -> None:
    a = rack.node("a1")
    refill(a)
    (words,) = remedies.followed(ctl(a, "pool", "forget", "a1", "--yes").err)
    assert ctl(a, *words).status == 0
    assert a.blocks == []


# pools ----------------------------------------------------------------------------------------------------------------


@follows("decide/blocks", "if that one is wrong")
@follows("ctl/cluster/undefining", "must end first")
def test_a_pool_that_the_first_node_had_by_mistake_is_undefined(rack: Rack) -> None:
    a, b = rack.node("a1"), rack.node("b1")
    (block,) = refill(a, subnet="10.0.0.0/8")
    container = a.lease(block.replace("/20", "/24"))
    refused = ctl(b, "pool", "refill", "rack", *WHICH)
    assert refused.status == 1
    (undefine,) = remedies.followed(refused.err)

    told = ctl(b, *undefine)
    assert (told.status, "blocks of it are claimed: node a1 has 1" in told.err) == (1, True), told.err
    release, forget = remedies.followed(told.err)
    a.drop(container)
    assert ctl(a, *release).status == 0
    refill(a, subnet="10.0.0.0/8")
    assert ctl(b, *["a1" if word == "NODE" else word for word in forget], "--yes").status == 0

    was = {"cluster": "rack", "subnet": "10.0.0.0/8", "blockLength": 20, "node": "a1"}
    asked = ctl(b, *undefine, "--dry-run", "--json").document
    assert {name: asked[name] for name in was} == was
    assert (asked["dryRun"], len(rack.cluster.pools)) == (True, 1)
    assert "would be undefined" in ctl(b, *undefine, "--dry-run").out
    assert "by node a1, is undefined" in ctl(b, *undefine).out
    assert rack.cluster.pools == []
    assert ctl(b, *undefine).status == 1
    assert len(refill(b)) == 1


@follows("decide/blocks", "if that one is wrong")
def test_a_block_length_that_the_first_node_had_by_mistake_is_undefined(rack: Rack) -> None:
    a, b = rack.node("a1"), rack.node("b1")
    a.refill(POOL, length=22)
    a.release()
    refused = ctl(b, "pool", "refill", "rack", *WHICH)
    assert refused.status == 1
    (undefine,) = remedies.followed(refused.err)
    assert ctl(b, *undefine, "--json").document["blockLength"] == 22
    assert len(refill(b)) == 1


# who is stopped, and what helps -----------------------------------------------------------------------------------------


def rm(told: str, node: RackNode) -> None:
    """The `rm -r` that stands in it, of what is that node's."""
    path = Path(told.partition("`rm -r ")[2].partition("`")[0])
    assert path == node.root / "clusters/rack"
    shutil.rmtree(path)


@follows("ctl/cluster/contact", "sriovctl leases", "sriovctl pool forget --cluster")
@follows("ctl/cluster/others", "end what has them")
def test_a_node_without_its_token_begins_anew(rack: Rack) -> None:
    a = rack.node("a1")
    (block,) = refill(a)
    container = a.lease(block.replace("/20", "/24"))
    (a.root / "clusters/rack/token").unlink()
    told = ctl(a, "pool", "refill", "rack")
    assert told.status == 1
    look, forget = remedies.followed(told.err)
    assert container in ctl(a, *look).out
    rm(told.err, a)
    early = ctl(a, *forget, "--yes")
    assert (early.status, block in early.err) == (1, True), "something has a subnet of it"
    for words in remedies.followed(early.err):
        assert container in ctl(a, *words).out
    a.drop(container)
    assert ctl(a, *forget, "--yes").status == 0
    assert rack.cluster.holders == {}
    assert len(refill(a)) == 1
    rack.audit()


def test_a_copy_is_told_which_directory_goes(rack: Rack) -> None:
    a = rack.node("a1")
    refill(a)
    copy = RackNode(rack.root / "copy", rack.cluster, "b1")
    shutil.copytree(a.root / "clusters", copy.root / "clusters")
    told = ctl(copy, "pool", "refill", "rack")
    assert told.status == 1
    rm(told.err, copy)
    assert len(refill(copy)) == 1
    ctl(a, "pool", "refill", "rack")
    rack.nodes["copy"] = copy
    rack.audit()


# look -----------------------------------------------------------------------------------------------------------------


def test_the_table_has_pools_nodes_and_this_nodes_blocks(rack: Rack) -> None:
    a, b = rack.node("a1"), rack.node("b1")
    (block,) = refill(a)
    refill(b)
    a.lease(block.replace("/20", "/24"))
    ctl(a, "pool", "refill", "rack")
    lines = ctl(a, "pool").out.splitlines()
    assert lines[0] == "cluster rack, here node a1"
    assert "10.10.0.0/16  /20  2  16" in lines
    row = next(line for line in lines if line.startswith("a1  ")).split("  ")
    assert row[:5] == ["a1", a.fingerprint[:12], "1", "1", "16"]
    assert row[-1] == "here"
    assert f"{block}  10.10.0.0/16  1  ours" in lines
    assert any(line.startswith("oldest contact: ") for line in lines)
    told = ctl(a, "pool", "--json").document["clusters"][0]
    assert (told["pools"][0]["taken"], [node["node"] for node in told["nodes"]]) == (2, ["a1", "b1"])


def test_an_engine_that_is_away_hides_nothing_of_this_node(rack: Rack) -> None:
    a = rack.node("a1")
    (block,) = refill(a)
    a.engine.fail("definitions", 2)
    told = ctl(a, "pool")
    assert told.status == 1
    assert "no endpoint answered" in told.out
    assert f"{block}  10.10.0.0/16  0  ours" in told.out
    document = ctl(a, "pool", "--json").document["clusters"][0]
    assert (document["error"]["code"], document["pools"], len(document["blocks"])) == (11, [], 1)


def test_a_look_makes_nothing(rack: Rack) -> None:
    a = rack.node("a1")
    assert ctl(a, "pool").out == "cluster rack, here node a1\nthis node has no block of it\n"
    assert not (a.root / "clusters").exists()
    assert rack.cluster.records == {}


def test_without_a_cluster(rack: Rack) -> None:
    a = rack.node("a1")
    none = Clusters("a1")
    told = run(["pool"], lambda _: a.host, none, a.root, a.data_dir)
    assert (told.status, "is in no cluster" in told.out) == (0, True)
    told = run(["pool", "release"], lambda _: a.host, none, a.root, a.data_dir)
    assert (told.status, "is in no cluster" in told.err) == (1, True)


def test_of_several_one_is_named(rack: Rack) -> None:
    a = rack.node("a1")
    several = Clusters("a1", rack=a.engine, hall=MemoryEngine())
    told = run(["pool", "release"], lambda _: a.host, several, a.root, a.data_dir)
    assert (told.status, "--cluster hall or rack" in told.err) == (2, True)
    assert (
        run(["pool", "release", "--cluster", "hall"], lambda _: a.host, several, a.root, a.data_dir).status
        == 0
    )
    told = run(["pool"], lambda _: a.host, several, a.root, a.data_dir)
    assert told.out.count("cluster ") == 2


def test_a_cluster_that_is_not_configured_any_more_shows_what_is_left(rack: Rack) -> None:
    a = rack.node("a1")
    (block,) = refill(a)
    told = run(["pool"], lambda _: a.host, Clusters("a1"), a.root, a.data_dir)
    assert told.status == 1
    assert "clusters/rack.json: No such file" in told.out
    assert block in told.out


def test_on_a_terminal_of_any_width(rack: Rack, monkeypatch: pytest.MonkeyPatch) -> None:
    a = rack.node("a1")
    refill(a)
    for columns in ("20", "40", "200"):
        monkeypatch.setenv("COLUMNS", columns)
        shown = ctl(a, "pool", screen=True).out
        assert "10.10.0.0/16" in shown


def test_who_is_not_root_is_told_how(rack: Rack) -> None:
    assert ctl(rack.node("a1"), "pool", euid=1000).status == 77


def test_the_lock_is_the_clusters(rack: Rack) -> None:
    a = rack.node("a1")
    refill(a)
    assert isinstance(a.files.lock("test"), Lock)
    assert (a.root / "run/clusters/rack/lock").exists()


def test_the_plugins_end_counts_however_late_the_process_came(
    rack: Rack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left is the engine's but for a moment to tell what it said."""
    a, left = rack.node("a1"), seconds_left(monkeypatch)
    refill(a, "--deadline", "5", "--until", f"{time.monotonic() + 3:.3f}")

    assert 1.5 < left[0] <= 2.6


def test_who_waits_for_anothers_refill_is_told_before_the_plugins_end(rack: Rack) -> None:
    a, began = rack.node("a1"), time.monotonic()
    a.contact()
    which = ("--subnet", POOL, "--block-length", "20", "--prefix-length", "24")
    with a.files.lock("ADD"):
        done = ctl(
            a, "pool", "refill", "rack", *which, "--deadline", "5", "--until", f"{began + 1:.3f}", "--json"
        )
    assert time.monotonic() - began < 1
    assert done.document["error"]["code"] == 11


def test_an_end_that_is_no_moment_is_refused(rack: Rack) -> None:
    for text in ("-1", "1e9", "x", "1.2.3", "nan", ""):
        assert ctl(rack.node("a1"), "pool", "refill", "rack", "--until", text).status == 2, text
