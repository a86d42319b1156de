"""An ADD of a shared pool: what it cuts from, when it has more claimed, and what it says where there is no more."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from cni_sriov.words.errors import TryAgain
from tests.unit.rack import AWAY, ME, NAME, OTHER, Rack, options
from tests.world import Reply, World

POOL = {
    "subnet": "10.10.0.0/16",
    "prefixLength": 24,
    "blocks": {"cluster": NAME, "length": 22},
}  # four leases in each


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def rack(world: World) -> Rack:
    return Rack(world)


def add(world: World, n: int, args: str = "", **pool: Any) -> Reply:
    pod = f"/run/netns/pod{n}"
    if pod not in world.kernel.pods:
        world.kernel.add_pod(pod)
    return world.call("ADD", conf(world, **pool), f"c{n}", pod, args=args, door="host-subnet")


def conf(
    world: World, *more: dict[str, Any], sticky: bool = False, status: str = "ok", **pool: Any
) -> dict[str, Any]:
    """Another main plugin's: host-subnet's own door, which needs no card."""
    ipam = world.ipam(pools=[POOL | pool, *more], sticky=sticky)
    return {"cniVersion": "1.1.0", "name": "fast", "type": "bridge", "ipam": ipam, "statusOnFull": status}


def remove(world: World, n: int) -> None:
    assert world.call("DEL", conf(world), f"c{n}", f"/run/netns/pod{n}", door="host-subnet").code == 0


def subnet(reply: Reply) -> str:
    assert reply.code == 0, reply.text
    return str(ip_network(reply.document["ips"][0]["address"], strict=False))


def subnets(world: World, numbers: Iterable[int], **pool: Any) -> list[str]:
    return [subnet(add(world, n, **pool)) for n in numbers]


# what is cut ---------------------------------------------------------------------------------------------------------


def test_leases_are_cut_from_this_nodes_blocks_alone(world: World, rack: Rack) -> None:
    rack.give("10.10.8.0/22", "10.10.64.0/22")

    found = subnets(world, range(1, 6))

    assert found == ["10.10.8.0/24", "10.10.9.0/24", "10.10.10.0/24", "10.10.11.0/24", "10.10.64.0/24"]
    assert rack.calls == []


def test_the_lease_says_the_whole_pool(world: World, rack: Rack) -> None:
    """The on-link route is to all nodes' interfaces."""
    rack.give("10.10.8.0/22")
    subnets(world, [1])

    (owner,) = world.data_dir.glob("default/*/owners/*")
    assert json.loads(owner.read_text())["leases"][0]["pool"] == "10.10.0.0/16"


def test_the_search_goes_round_the_blocks(world: World, rack: Rack) -> None:
    rack.give("10.10.8.0/22", "10.10.64.0/22")
    subnets(world, range(1, 7))
    for n in range(1, 7):
        remove(world, n)

    assert subnets(world, range(11, 15)) == ["10.10.66.0/24", "10.10.67.0/24", "10.10.8.0/24", "10.10.9.0/24"]


def test_prefixes_are_tried_in_their_order(world: World, rack: Rack) -> None:
    rack.give("10.10.8.0/22", "10.9.0.0/22")

    found = subnets(world, range(1, 6), subnet=["10.10.0.0/16", "10.9.0.0/16"])

    assert (found[0], found[4]) == ("10.10.8.0/24", "10.9.0.0/24")


def test_a_block_of_another_pool_is_none_of_this(world: World, rack: Rack) -> None:
    rack.give("10.77.0.0/22")

    assert subnet(add(world, 1)) == "10.10.252.0/24"
    assert rack.engine["10.10.252.0/22"] == ME


def test_networks_share_the_blocks(world: World, rack: Rack) -> None:
    rack.give("10.10.8.0/22")
    other = conf(world) | {"name": "slow"}
    world.kernel.add_pod("/run/netns/pod9")

    assert subnet(add(world, 1)) == "10.10.8.0/24"
    assert subnet(world.call("ADD", other, "c9", "/run/netns/pod9", door="host-subnet")) == "10.10.9.0/24"


# in line -------------------------------------------------------------------------------------------------------------


def test_the_first_add_claims_a_block_and_waits_for_it(world: World, rack: Rack) -> None:
    assert subnet(add(world, 1)) == "10.10.252.0/24"

    told = options(rack.calls[0])
    (until,) = told.pop("--until")
    assert 0 < float(until) - time.monotonic() <= 5
    assert rack.calls[0][:3] == ["pool", "refill", "rack"]
    assert told == {
        "--subnet": ["10.10.0.0/16"], "--block-length": ["22"], "--prefix-length": ["24"], "--more-than": ["0"],
        "--deadline": ["5"], "--json": [],
    }  # fmt: skip


def test_a_full_block_is_followed_by_another_and_the_pool_is_filled_to_the_last_subnet(
    world: World, rack: Rack
) -> None:
    """Nothing is started beside: what is claimed is claimed in line."""
    small: Any = {"subnet": "10.10.0.0/20"}
    found = []
    for n in range(1, 17):
        found.append(subnet(add(world, n, **small)))
        rack.waiting.clear()

    assert sorted(found) == sorted(map(str, ip_network("10.10.0.0/20").subnets(new_prefix=24)))
    assert len(rack.blocks) == 4
    last = add(world, 17, **small)
    assert (last.code, last.document["msg"]) == (11, "claim a block of 10.10.0.0/16: none is free")
    assert "no free subnet in this node's 4 blocks of cluster rack" in last.document["details"]


V6: dict[str, Any] = {"subnet": "fd00:10::/48", "prefixLength": 64, "blocks": {"cluster": NAME, "length": 62}}


def test_the_claims_of_one_add_share_its_five_seconds(world: World, rack: Rack) -> None:
    world.kernel.add_pod("/run/netns/pod1")

    assert world.call("ADD", conf(world, V6), "c1", "/run/netns/pod1", door="host-subnet").code == 0

    first, second = (float(options(arguments)["--until"][0]) for arguments in rack.calls)
    assert first == second


def test_a_claim_that_does_not_end_in_time_goes_on_beside_the_adds(world: World, rack: Rack) -> None:
    """A machine may take seconds to start it: where each ADD began anew, none would ever have a block."""
    quick = world.tool

    def slow(arguments: list[str], fd: int) -> tuple[int, str]:
        if fd >= 0:
            return quick(arguments, fd)
        raise TryAgain("run sriovctl pool refill rack: no answer within 5.5 s")

    world.tool = slow
    failed = add(world, 1)
    assert (failed.code, failed.document["msg"]) == (
        11,
        "run sriovctl pool refill rack: no answer within 5.5 s",
    )
    (told,) = [options(arguments) for arguments, _ in rack.waiting]
    assert (told["--subnet"], "--until" in told) == (["10.10.0.0/16"], False)

    rack.run_all()
    assert subnet(add(world, 1)) == "10.10.252.0/24"

    rack.there.put_failure(11, "away", "")
    assert add(world, 2, subnet="10.20.0.0/16").code == 11
    assert rack.waiting == [], "one just failed"


def test_what_another_add_claimed_meanwhile_serves_this_one(world: World, rack: Rack) -> None:
    rack.give("10.10.8.0/22")
    subnets(world, range(1, 5))
    rack.meanwhile = lambda: rack.give("10.10.64.0/22")

    assert subnet(add(world, 5)) == "10.10.64.0/24"
    assert rack.blocks == ["10.10.64.0/22", "10.10.8.0/22"]


def test_what_the_dead_hold_goes_before_a_claim(world: World, rack: Rack) -> None:
    rack.give("10.10.8.0/22")
    subnets(world, range(1, 5))
    del world.kernel.pods["/run/netns/pod2"]
    rack.calls.clear()

    assert subnet(add(world, 5)) == "10.10.9.0/24"
    assert [options(call).get("--lock-fd") for call in rack.calls] == [["3"]]  # beside it, none in line


def test_a_claim_goes_before_sticky_leases(world: World, rack: Rack) -> None:
    pods = [f"K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-{n}" for n in range(6)]
    rack.give("10.10.8.0/22")
    for n in range(1, 5):
        reply = world.call(
            "ADD", conf(world, sticky=True), f"c{n}", pod(world, n), args=pods[n], door="host-subnet"
        )
        assert reply.code == 0
        remove(world, n)

    assert subnet(add(world, 5)) == "10.10.252.0/24"


def test_without_a_block_sticky_leases_are_given_up(world: World, rack: Rack) -> None:
    rack.give("10.10.8.0/22")
    for n in range(1, 5):
        args = f"K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-{n}"
        assert (
            world.call(
                "ADD", conf(world, sticky=True), f"c{n}", pod(world, n), args=args, door="host-subnet"
            ).code
            == 0
        )
        remove(world, n)
    rack.error = AWAY

    assert subnet(add(world, 5)) == "10.10.8.0/24"
    assert "no block claimed" not in add(world, 6).text


def pod(world: World, n: int) -> str:
    path = f"/run/netns/pod{n}"
    if path not in world.kernel.pods:
        world.kernel.add_pod(path)
    return path


def test_the_error_says_what_the_engine_said(world: World, rack: Rack) -> None:
    rack.error = AWAY

    reply = add(world, 1)

    assert (reply.code, reply.document["msg"]) == (11, AWAY["msg"])
    lines = reply.document["details"].splitlines()
    assert lines[0] == AWAY["details"]
    assert "no free subnet in this node's 0 blocks of cluster rack" in lines[1]
    assert len(rack.calls) == 1


@pytest.mark.parametrize(
    ("status", "text", "told"),
    [
        (1, "", "sriovctl ended with status 1"),
        (0, "{}", "sriovctl ended with status 0"),
        (-9, '{"claimed": ["10.10.0.0/22"]}', "sriovctl ended with status -9"),
        (127, "sh: not found", 'it answered "sh: not found"'),
        (1, '{"error": {"code": 424242, "msg": "x"}}', "x"),
        (1, '{"error": {"code": true, "msg": "x", "details": null}}', "x"),
    ],
)  # fmt: skip
def test_whatever_the_child_answers_is_one_error(
    world: World, rack: Rack, status: int, text: str, told: str
) -> None:
    world.tool = lambda arguments, fd: (status, text)

    reply = add(world, 1)

    assert reply.code == 11
    assert told in reply.text


def test_a_block_that_is_all_excluded_is_not_claimed_for_ever(world: World, rack: Rack) -> None:
    excluded = ["10.10.128.0/17"]  # the fake claims from the top

    reply = add(world, 1, exclude=excluded)

    assert reply.code == 11
    assert len(rack.blocks) == 8


# beside an ADD -------------------------------------------------------------------------------------------------------


def test_an_add_that_leaves_less_than_a_quarter_starts_a_refill_and_does_not_wait(
    world: World, rack: Rack
) -> None:
    rack.give("10.10.8.0/22")

    subnets(world, range(1, 4))
    assert rack.calls == []  # one of four is left: a quarter
    subnets(world, [4])

    ((arguments, had_the_lock),) = rack.waiting
    told = options(arguments)
    assert (told["--more-than"], told["--lock-fd"], had_the_lock) == (["1"], ["3"], True)
    assert subnet_args(told) == ["10.10.0.0/16"]
    rack.run_all()
    assert subnet(add(world, 5)) == "10.10.252.0/24"


@pytest.mark.parametrize("level", ["info", "debug", "none"])
def test_what_comes_of_it_is_told_where_the_add_tells_its_own(world: World, rack: Rack, level: str) -> None:
    rack.give("10.10.8.0/22")
    Path(rack.there.run_path, "contacted").unlink()
    world.kernel.add_pod("/run/netns/pod1")
    told = conf(world) | {"logFile": str(world.log_file), "logLevel": level}

    assert world.call("ADD", told, "c1", "/run/netns/pod1", door="host-subnet").code == 0

    ((arguments, _),) = rack.waiting
    wanted = {"--log-file": [str(world.log_file)], "--log-level": ["panic" if level == "none" else level]}
    assert options(arguments).items() >= wanted.items()


def test_to_the_descriptors_of_a_runtime_nothing_is_told_later(world: World, rack: Rack) -> None:
    """Nor where the file of the log is none."""
    rack.give("10.10.8.0/22")
    for n, file in enumerate(({}, {"logFile": str(world.root)}), 1):
        Path(rack.there.run_path, "contacted").unlink(missing_ok=True)
        world.kernel.add_pod(f"/run/netns/pod{n}")
        reply = world.call("ADD", conf(world) | file, f"c{n}", f"/run/netns/pod{n}", door="host-subnet")
        assert reply.code == 0, reply.text

    assert [options(call).get("--log-file") for call in rack.calls] == [None, None]


def subnet_args(told: dict[str, list[str]]) -> list[str]:
    return told["--subnet"]


def test_of_a_large_block_it_is_looked_at_now_and_then(world: World, rack: Rack) -> None:
    """64 leases: 4 between two looks, and 16 are a quarter."""
    blocks = {"cluster": NAME, "length": 20}
    rack.give("10.10.16.0/20")

    subnets(world, range(1, 50), prefixLength=26, blocks=blocks)
    assert len(rack.waiting) == 1

    rack.waiting.clear()
    subnets(world, range(50, 53), prefixLength=26, blocks=blocks)
    assert rack.waiting == []
    subnets(world, [53], prefixLength=26, blocks=blocks)
    assert len(rack.waiting) == 1


def test_what_is_never_leased_is_not_left(world: World, rack: Rack) -> None:
    rack.give("10.10.8.0/22")

    subnets(world, [1, 2], exclude=["10.10.10.7-10.10.11.0"])

    assert len(rack.waiting) == 1


def test_one_refill_at_a_time(world: World, rack: Rack) -> None:
    rack.give("10.10.8.0/22")
    with rack.there.lock("a refill"):
        subnets(world, range(1, 5))

    assert rack.waiting == []
    assert rack.calls == []


def test_after_one_that_failed_none_is_started_for_ten_seconds(world: World, rack: Rack) -> None:
    rack.give("10.10.8.0/22")
    rack.there.put_failure(11, "away", "")
    subnets(world, range(1, 5))
    assert rack.waiting == []

    age_failure(rack, 11)
    remove(world, 1)
    subnets(world, [5])
    assert len(rack.waiting) == 1


def test_a_failure_from_the_future_holds_nobody_up(world: World, rack: Rack) -> None:
    rack.give("10.10.8.0/22")
    rack.there.put_failure(11, "away", "")
    age_failure(rack, -3600)

    subnets(world, range(1, 5))

    assert len(rack.waiting) == 1


def age_failure(rack: Rack, seconds: int) -> None:
    path = Path(rack.there.run_path, "failure")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"at": int(time.time()) - seconds}))


def test_the_first_add_of_a_boot_has_the_engine_asked(world: World, rack: Rack) -> None:
    rack.give("10.10.8.0/22")
    Path(rack.there.run_path, "contacted").unlink()

    subnets(world, [1])

    (told,) = [options(arguments) for arguments, _ in rack.waiting]
    assert told.pop("--until")
    assert told == {"--deadline": ["5"], "--json": [], "--lock-fd": ["3"]}


def test_one_that_waits_before_it_asks_is_enough(world: World, rack: Rack) -> None:
    """Each would be a process that starts for nothing."""
    rack.give("10.10.8.0/22")
    Path(rack.there.run_path, "contacted").unlink()

    with rack.there.waiting("a test"):
        subnets(world, [1])
        assert rack.waiting == []
        subnets(world, range(2, 5))
    assert ["--subnet" in arguments for arguments, _ in rack.waiting][:1] == [True], "little is left"


def test_an_hour_later_the_engine_is_asked_again(world: World, rack: Rack) -> None:
    rack.give("10.10.8.0/22")
    at = time.time() - 3601
    os.utime(f"{rack.there.run_path}/contacted", (at, at))

    subnets(world, [1])

    assert len(rack.waiting) == 1


def test_two_pools_that_are_low_are_one_refill(world: World, rack: Rack) -> None:
    rack.give("10.10.8.0/22", "fd00:10::/62")
    for n in range(1, 5):
        assert world.call("ADD", conf(world, V6), f"c{n}", pod(world, n), door="host-subnet").code == 0

    assert ["--subnet" in arguments for arguments, _ in rack.waiting] == [False]


@pytest.mark.parametrize("error", [OSError(2, "No such file or directory"), ValueError("a bug")])
def test_what_cannot_be_started_is_the_logs(world: World, rack: Rack, error: Exception) -> None:
    rack.give("10.10.8.0/22")

    def refuse(arguments: list[str], fd: int) -> tuple[int, str]:
        raise error

    world.tool = refuse
    keys = {"logFile": str(world.log_file), "logLevel": "info"}
    for n in range(1, 5):
        assert world.call("ADD", conf(world) | keys, f"c{n}", pod(world, n), door="host-subnet").code == 0

    assert "refill not started" in world.log_file.read_text()
    lock = rack.there.lock("a test")
    assert lock.try_acquire()
    lock.release()


# requests ------------------------------------------------------------------------------------------------------------


def test_a_request_in_a_block_of_ours_asks_nobody(world: World, rack: Rack) -> None:
    rack.give("10.10.8.0/22")

    assert subnet(add(world, 1, "IP=10.10.10.7")) == "10.10.10.0/24"
    assert rack.calls == []


def test_a_request_outside_them_claims_that_very_block(world: World, rack: Rack) -> None:
    rack.give("10.10.8.0/22")

    assert subnet(add(world, 1, "IP=10.10.33.7")) == "10.10.33.0/24"
    assert options(rack.calls[0])["--block"] == ["10.10.32.0/22"]
    assert rack.blocks == ["10.10.32.0/22", "10.10.8.0/22"]


def test_what_another_node_has_is_104_and_names_it(world: World, rack: Rack) -> None:
    rack.engine["10.10.32.0/22"] = OTHER

    reply = add(world, 1, "IP=10.10.33.7")

    assert (reply.code, reply.document["msg"]) == (104, "claim 10.10.32.0/22: node r1n2 has it")
    assert (rack.blocks, len(rack.calls)) == ([], 1)


def test_a_request_where_the_engine_is_away(world: World, rack: Rack) -> None:
    rack.error = AWAY

    assert add(world, 1, "IP=10.10.33.7").document["msg"] == AWAY["msg"]


def test_a_request_for_what_is_taken_here_asks_nobody(world: World, rack: Rack) -> None:
    rack.give("10.10.8.0/22")
    add(world, 1, "IP=10.10.10.7")

    assert add(world, 2, "IP=10.10.10.9").code == 104
    assert rack.calls == []


def test_a_block_that_is_lost_again_before_it_is_used_is_no_loop(world: World, rack: Rack) -> None:
    world.tool = lambda arguments, fd: (0, json.dumps({"claimed": ["10.10.32.0/22"]}))

    reply = add(world, 1, "IP=10.10.33.7")

    assert reply.code == 104
    assert "10.10.33.0/24 is in 10.10.32.0/22, which is no block of this node" in reply.text


# stickiness, lost blocks, clones ---------------------------------------------------------------------------------------


def test_a_kept_lease_is_given_while_its_block_is_ours(world: World, rack: Rack) -> None:
    args = "K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0"
    rack.give("10.10.8.0/22", "10.10.64.0/22")
    first = subnet(
        world.call("ADD", conf(world, sticky=True), "c1", pod(world, 1), args=args, door="host-subnet")
    )
    remove(world, 1)
    assert (
        subnet(
            world.call("ADD", conf(world, sticky=True), "c2", pod(world, 2), args=args, door="host-subnet")
        )
        == first
    )
    remove(world, 2)
    rack.there.lose(rack.there.names()[-1], {"node": OTHER})

    found = subnet(
        world.call("ADD", conf(world, sticky=True), "c3", pod(world, 3), args=args, door="host-subnet")
    )

    assert (first, found) == ("10.10.8.0/24", "10.10.64.0/24")


@pytest.mark.parametrize("how", ["lose", "begin_release"])
def test_nothing_is_cut_from_a_block_that_is_lost_or_being_released(
    world: World, rack: Rack, how: str
) -> None:
    rack.give("10.10.8.0/22")
    (block,) = rack.there.names()
    if how == "lose":
        rack.there.lose(block, {"node": OTHER})
        rack.engine[str(block)] = OTHER
    else:
        rack.there.begin_release(block)

    assert subnet(add(world, 1)) == "10.10.252.0/24"


def test_the_blocks_of_the_machine_that_this_one_was_copied_from_are_not_cut(
    world: World, rack: Rack
) -> None:
    machine = world.root / "machine-id"
    machine.write_text("1" * 32 + "\n")
    rack.give("10.10.8.0/22")
    machine.write_text("2" * 32 + "\n")
    assert add(world, 1).code == 0  # in this boot the engine was asked

    Path(rack.there.run_path, "contacted").unlink()
    reply = add(world, 2)
    assert (reply.code, "are those of another machine" in reply.text) == (5, True)

    machine.write_text("1" * 32 + "\n")
    assert add(world, 2).code == 0


def test_who_may_be_a_copy_cuts_nothing_until_the_engine_has_said_otherwise(world: World, rack: Rack) -> None:
    """A copy with the original's machine-id has its blocks, too."""
    rack.give("10.10.8.0/22")
    assert subnet(add(world, 1)) == "10.10.8.0/24"
    rack.there.stop()
    rack.error = {
        "code": 11,
        "msg": "contact cluster rack: this installation is node a1 there",
        "details": "rm",
    }

    for args in ("", "IP=10.10.9.2"):
        reply = add(world, 2, args)
        assert (reply.code, "is node a1 there" in reply.text) == (11, True), reply.text

    rack.error, rack.meanwhile = None, rack.there.note_contacted
    assert subnet(add(world, 2)) == "10.10.9.0/24"
    assert rack.blocks == ["10.10.8.0/22"]


# the key alone ---------------------------------------------------------------------------------------------------------


def test_a_pool_that_is_not_shared_touches_nothing_of_it(world: World) -> None:
    """`tool` refuses to be called."""
    alone = {"cniVersion": "1.0.0", "name": "fast", "type": "bridge", "ipam": world.ipam()}
    world.kernel.add_pod("/run/netns/pod1")

    assert world.call("ADD", alone, door="host-subnet").code == 0
    assert not world.cluster_dir.exists()
    assert not os.path.lexists(world.run_dir / "clusters")
