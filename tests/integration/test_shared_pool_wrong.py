"""What goes wrong with a shared pool, on real machines at a real etcd: the engine away, forgetful or of another mind, and
machines that are cloned, renamed, drained, burnt.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from tests import racks
from tests.etcd import Etcd
from tests.integration.conftest import Rack
from tests.racks import CLUSTER, ETC, RUN, Machine, Shared, until

pytestmark = [pytest.mark.root, pytest.mark.bundle]

SHARED = Shared("10.66.0.0/20", 26, 23)  # eight blocks of eight
DEADLINE, SLACK = 5, 2  # of a claim in line; of a machine that is busy
NO_ROOM, LOST_IN_USE = 50, 51  # STATUS of CNI 1.1.0


def fill(node: Machine, number: int, shared: Shared = SHARED) -> list[Any]:
    """So many attachments more; each must be given a subnet."""
    found = [node.add(f"c{node.number}-{len(node.leases())}", shared) for _ in range(number)]
    assert [it for it in found if isinstance(it, dict)] == []
    return found


def status(node: Machine, **keys: Any) -> Any:
    code, answer = node.answer(node.host_subnet("STATUS", "", SHARED, **keys))
    return answer["code"] if code else 0


def table(node: Machine) -> tuple[str, Any]:
    """`sriovctl pool` for people, and for programs."""
    told = node.pool("--json")
    return node.pool().stdout, json.loads(told.stdout)


# -- the engine is away -----------------------------------------------------------------------------------------------


def dead(node: Machine, etcd: Etcd) -> Callable[[], None]:
    etcd.kill()
    return etcd.start


def cut(node: Machine, etcd: Etcd) -> Callable[[], None]:
    node.cut()
    return node.heal


def no_quorum(node: Machine, etcd: Etcd) -> Callable[[], None]:
    etcd.kill(0, 1)
    return etcd.start


@pytest.mark.parametrize("away", [dead, cut, no_quorum])
def test_everything_goes_on_until_the_blocks_are_full(
    rack: Rack, etcd: Etcd, away: Callable[..., Any]
) -> None:
    (node,) = rack("n1")
    fill(node, 1)
    node.settle()
    room = len(node.blocks()) * SHARED.per_block
    back = away(node, etcd)
    try:
        fill(node, room - 1)
        assert set(node.leases()) == {
            it for block in node.blocks() for it in block.subnets(new_prefix=SHARED.prefix_length)
        }
        before = time.monotonic()
        refused = node.add("late", SHARED)
        took = time.monotonic() - before
        said = (
            json.loads(node.pool("--json").stdout) if away is dead else None
        )  # else it waits for half a minute
    finally:
        back()
    assert refused["code"] == 11, refused
    assert took < DEADLINE + SLACK
    for endpoint in etcd.endpoints:
        address = endpoint.removeprefix("https://")
        assert address in f"{refused}", f"what {address} said is missing: {refused}"
    if said is not None:
        (cluster,) = said["clusters"]
        here = {it["block"] for it in cluster["blocks"]}
        assert here == set(map(str, node.blocks())), "the local part is told all the same"
        assert cluster["error"]["code"] == 11
    node.settle()
    assert node.add("late", SHARED).prefixlen == SHARED.prefix_length
    node.settle()
    assert racks.faults([node], SHARED, node.prefix) == []


def test_what_was_given_out_can_be_given_back_without_it(rack: Rack, etcd: Etcd) -> None:
    (node,) = rack("n1")
    fill(node, 3)
    node.settle()
    name = f"c{node.number}-1"
    etcd.kill()
    try:
        before = time.monotonic()
        node.delete(name, SHARED)
        assert time.monotonic() - before < SLACK
        assert len(node.leases()) == 2
        check = node.answer(node.host_subnet("CHECK", f"c{node.number}-0", SHARED, prevResult={}))
        assert check[1] is None or "etcd" not in f"{check}"
    finally:
        etcd.start()


# -- the engine refuses -----------------------------------------------------------------------------------------------


def wrong_password(node: Machine, etcd: Etcd) -> str:
    node.set_password("of-somebody-else")
    return "password"


def wrong_ca(node: Machine, etcd: Etcd) -> str:
    node.configure(ca=f"{ETC}/pki/other.pem")
    return "certificate"


def no_certificate(node: Machine, etcd: Etcd) -> str:
    node.configure(cert=None, key=None)
    return "certificate"


def foreign_prefix(node: Machine, etcd: Etcd) -> str:
    node.configure(prefix="/of-others")
    return "permission"


def lax_file(node: Machine, etcd: Etcd) -> str:
    node.run("chmod", "644", f"{ETC}/clusters/{CLUSTER}.json")
    return f"{CLUSTER}.json"


def no_file(node: Machine, etcd: Etcd) -> str:
    node.run("rm", f"{ETC}/clusters/{CLUSTER}.json")
    return f"{CLUSTER}.json"


@pytest.mark.parametrize(
    "wrong", [wrong_password, wrong_ca, no_certificate, foreign_prefix, lax_file, no_file]
)
def test_a_claim_that_is_refused_says_why_and_leaves_nothing(
    rack: Rack, etcd: Etcd, wrong: Callable[..., str]
) -> None:
    (node,) = rack("n1")
    word = wrong(node, etcd)
    refused = node.add("one", SHARED)
    assert isinstance(refused, dict), refused
    assert word in f"{refused['msg']} {refused.get('details')}".lower(), refused
    assert (node.leases(), node.blocks(), racks.claimed(etcd, node.prefix)) == ([], set(), {})
    node.configure()
    node.set_password("of-the-nodes")
    assert node.add("one", SHARED).prefixlen == SHARED.prefix_length
    node.settle()
    assert racks.faults([node], SHARED, node.prefix) == []


def test_two_of_another_mind_about_a_pool_are_told_both(rack: Rack, etcd: Etcd) -> None:
    first, second = rack("n1", "n2")
    fill(first, 1)
    for other in (
        Shared("10.66.0.0/20", 26, 24),
        Shared("10.66.8.0/21", 26, 23),
        Shared("10.64.0.0/14", 26, 20),
    ):
        refused = second.add("one", other)
        assert refused["code"] == 7, refused
        text = f"{refused['msg']} {refused.get('details')}"
        assert "n1" in text, refused
        assert "n2" in text, refused
        assert "10.66.0.0/20" in text, refused
        assert other.subnet in text, refused
        assert second.blocks() == set()
    first.settle()
    assert racks.faults([first], SHARED, first.prefix) == []


def test_a_pool_that_the_first_machine_had_by_mistake_is_undefined_by_a_verb(rack: Rack, etcd: Etcd) -> None:
    first, second = rack("n1", "n2")
    wrong = Shared("10.64.0.0/14", 26, 20)
    assert first.add("one", wrong).subnet_of(ip_network(wrong.subnet))
    first.settle()
    refused = second.add("one", SHARED)
    assert (
        refused["code"],
        f"sriovctl pool undefine --cluster {CLUSTER} {wrong.subnet}" in f"{refused}",
    ) == (7, True)

    undefine = ("undefine", wrong.subnet, "--json")
    said = json.loads(second.pool(*undefine).stdout)
    assert said["error"]["code"] == 7
    assert "node n1 has 1" in said["error"]["msg"]
    assert defined(etcd, first.prefix) == [(wrong.subnet, 20)]

    first.delete("one", wrong)
    assert first.pool("release").returncode == 0
    assert json.loads(second.pool(*undefine).stdout)["blockLength"] == 20
    assert defined(etcd, first.prefix) == []
    for node in (first, second):
        fill(node, 1)
        node.settle()
    assert defined(etcd, first.prefix) == [(SHARED.subnet, SHARED.block_length)]
    assert racks.faults([first, second], SHARED, first.prefix) == []


def defined(etcd: Etcd, prefix: str) -> list[tuple[str, int]]:
    """By etcdctl."""
    pools = json.loads(etcd.stored(prefix)[f"{prefix}/pools"])["pools"]
    return [(it["subnet"], it["length"]) for it in pools]


# -- requests ---------------------------------------------------------------------------------------------------------


def asking(block: Any, number: int = 2) -> dict[str, Any]:
    """For the third subnet of that block, or another one."""
    subnet = list(block.subnets(new_prefix=SHARED.prefix_length))[number]
    return {"capabilities": {"ips": True}, "runtimeConfig": {"ips": [f"{subnet[5]}/{SHARED.prefix_length}"]}}


def test_a_request_outside_the_blocks_claims_that_block_or_names_who_has_it(rack: Rack, etcd: Etcd) -> None:
    first, second = rack("n1", "n2")
    fill(first, 1)
    first.settle()
    wanted = max(SHARED.blocks - set(racks.claimed(etcd, first.prefix)))
    given = first.add("asked", SHARED, **asking(wanted))
    assert given == list(wanted.subnets(new_prefix=SHARED.prefix_length))[2]
    assert wanted in first.blocks()

    refused = second.add("asked", SHARED, **asking(wanted))
    assert refused["code"] == 104, refused
    assert "n1" in f"{refused['msg']} {refused.get('details')}", refused
    assert second.leases() == []
    second.settle()
    assert racks.faults([first, second], SHARED, first.prefix) == []


# -- an engine restored from a backup ---------------------------------------------------------------------------------


def test_blocks_that_a_restored_engine_forgot_are_written_again(
    rack: Rack, etcd: Etcd, tmp_path: Path
) -> None:
    first, second = rack("n1", "n2")
    fill(first, 1)
    fill(second, 1)
    for node in (first, second):
        node.settle()
    etcd.save(tmp_path / "backup")
    fill(first, 15)
    first.settle()
    had = first.blocks()
    etcd.restore(tmp_path / "backup")
    assert had - set(racks.claimed(etcd, first.prefix)), "the backup knows all of it"
    assert first.refill(SHARED)["lost"] == []
    assert first.blocks() >= had
    assert racks.faults([first, second], SHARED, first.prefix) == []


def test_a_block_that_a_restored_engine_gave_to_another_is_used_no_more(
    rack: Rack, etcd: Etcd, tmp_path: Path
) -> None:
    first, second = rack("n1", "n2")
    fill(first, 1)
    fill(second, 1)
    for node in (first, second):
        node.settle()
    etcd.save(tmp_path / "backup")
    wanted = max(SHARED.blocks - set(racks.claimed(etcd, first.prefix)))
    mine = first.add("asked", SHARED, **asking(wanted))
    first.settle()
    etcd.restore(tmp_path / "backup")
    assert second.refill(SHARED, "--block", str(wanted))["claimed"] == [str(wanted)]
    assert first.refill(SHARED)["lost"] == [str(wanted)]

    assert first.blocks("lost") == {wanted}
    assert first.leases().count(mine) == 1, "a running interface keeps what it has"
    assert status(first) == LOST_IN_USE
    assert status(second) == 0
    text, said = table(first)
    assert str(wanted) in text
    assert "lost" in text.lower()
    assert str(wanted) in json.dumps(said)
    theirs = set(fill(first, 8))
    assert not any(it.subnet_of(wanted) for it in theirs)
    refused = first.add("again", SHARED, **asking(wanted, 5))
    assert refused["code"] == 104, refused
    assert "n2" in f"{refused['msg']} {refused.get('details')}", refused

    first.delete("asked", SHARED)
    first.settle()
    first.refill(SHARED)
    assert first.blocks("lost") == set(), "nothing of this node is in it any more"
    assert status(first) == 0
    for node in (first, second):
        node.settle()
    assert racks.faults([first, second], SHARED, first.prefix) == []


# -- machines that are not what they were -----------------------------------------------------------------------------


def test_a_clone_stops_at_its_first_contact(rack: Rack, etcd: Etcd) -> None:
    first, clone = rack("n1", "n2")
    fill(first, 2)
    first.settle()
    first.copy_state_to(clone)
    error = clone.refill(SHARED)["error"]
    text = f"{error['msg']} {error['details']}"
    assert "n1" in text, error
    assert f"/var/lib/cni-sriov/clusters/{CLUSTER}" in text, error
    assert clone.failure()["msg"] == error["msg"]
    assert "lost" in first.refill(SHARED), "the elder goes on"

    clone.run("rm", "-r", f"/var/lib/cni-sriov/clusters/{CLUSTER}", RUN)
    fill(clone, 1)
    clone.settle()
    assert racks.faults([first, clone], SHARED, first.prefix) == []


def test_a_clone_gives_out_nothing_that_the_first_one_has(rack: Rack, etcd: Etcd) -> None:
    """By the ADDs before and after its first contact."""
    first, clone = rack("n1", "n2")
    fill(first, 2)
    first.settle()
    first.copy_state_to(clone)
    for number in range(6):
        clone.add(f"c{number}", SHARED)
        time.sleep(0.2)
    clone.settle()
    fill(first, 2)
    assert racks.overlaps([first, clone]) == []


def test_of_perfect_clones_the_one_that_comes_second_stops(rack: Rack, etcd: Etcd) -> None:
    """The same name, the same machine-id, the same files: only what each wrote last tells them apart."""
    first, clone = rack("n1", "n1")
    for node in (first, clone):
        node.set_machine_id("0123456789abcdef0123456789abcdef")
    fill(first, 1)
    first.settle()
    first.copy_state_to(clone)
    assert "lost" in first.refill(SHARED)
    error = clone.refill(SHARED)["error"]
    assert f"/var/lib/cni-sriov/clusters/{CLUSTER}" in f"{error}", error
    assert "lost" in first.refill(SHARED)


def test_a_renamed_machine_is_told_its_two_remedies(rack: Rack, etcd: Etcd) -> None:
    (node,) = rack("old")
    fill(node, 1)
    node.settle()
    node.run("hostname", "new")
    error = node.refill(SHARED)["error"]
    text = f"{error['msg']} {error['details']}"
    for word in ("old", "new", '"node"'):
        assert word in text, error
    node.configure(node="old")
    assert "lost" in node.refill(SHARED)
    assert racks.faults([node], SHARED, node.prefix) == []


def test_a_lost_token_is_told_and_takes_nothing(rack: Rack, etcd: Etcd) -> None:
    (node,) = rack("n1")
    fill(node, 1)
    node.settle()
    was = node.fingerprint()
    had = racks.claimed(etcd, node.prefix)
    node.run("rm", f"/var/lib/cni-sriov/clusters/{CLUSTER}/token")
    error = node.refill(SHARED)["error"]
    assert was in f"{error}" or "token" in f"{error}", error
    assert racks.claimed(etcd, node.prefix) == had
    assert len(node.leases()) == 1


def test_a_reboot_keeps_the_blocks_and_is_a_contact(rack: Rack, etcd: Etcd) -> None:
    (node,) = rack("n1")
    fill(node, 1)
    node.settle()
    had = node.blocks()
    node.reboot()
    assert node.blocks() == had
    fill(node, 1)
    until(node.refills, 5)  # the contact that this ADD started
    assert len(node.refills()) == 1
    before = time.monotonic()
    fill(node, len(had) * SHARED.per_block)  # the last one claims in line
    assert time.monotonic() - before < DEADLINE + SLACK, "it waited for the contact, which waits for its turn"
    assert node.path(f"{RUN}/contacted").exists()
    for pid in node.refills():
        racks.kill(pid)
    assert racks.faults([node], SHARED, node.prefix) == []


# -- giving back ------------------------------------------------------------------------------------------------------


def test_release_gives_back_what_is_empty_and_never_what_is_not(rack: Rack, etcd: Etcd) -> None:
    (node,) = rack("n1")
    fill(node, 10)
    node.settle()
    used = {block for block in node.blocks() if any(it.subnet_of(block) for it in node.leases())}
    assert node.refill(SHARED, "--block", str(max(SHARED.blocks - node.blocks())))["claimed"]
    assert node.pool("release").returncode == 0
    assert node.blocks() == used == set(racks.claimed(etcd, node.prefix))
    assert racks.faults([node], SHARED, node.prefix) == []


def test_a_drained_machine_gives_back_and_claims_none(rack: Rack, etcd: Etcd) -> None:
    first, second = rack("n1", "n2")
    fill(first, 10)
    fill(second, 1)
    for node in (first, second):
        node.settle()
    done = second.pool("drain", "n1")
    assert done.returncode == 0, done
    used = {block for block in first.blocks() if any(it.subnet_of(block) for it in first.leases())}
    first.refill(SHARED)
    assert first.blocks() == used
    room = len(used) * SHARED.per_block - len(first.leases())
    fill(first, room)
    refused = first.add("late", SHARED)
    assert refused["code"] == 11, refused
    assert "drain" in f"{refused['msg']} {refused.get('details')}", refused
    first.settle()
    assert racks.faults([first, second], SHARED, first.prefix) == []
    assert second.pool("drain", "n1", "--undo").returncode == 0
    fill(first, 1)
    first.settle()
    assert racks.faults([first, second], SHARED, first.prefix) == []


def test_a_burnt_machine_is_forgotten_by_its_name_and_not_by_time(rack: Rack, etcd: Etcd) -> None:
    burnt, second = rack("n1", "n2")
    fill(burnt, 20)
    fill(second, 1)
    for node in (burnt, second):
        node.settle()
    had = burnt.blocks()
    for pid in burnt.processes():
        racks.kill(pid)
    burnt.cut()
    asked = second.pool("forget", "n1")
    assert asked.returncode == 2, "nobody was there to be asked"
    assert had <= set(racks.claimed(etcd, second.prefix))
    assert second.pool("forget", "n3", "--yes").returncode == 1
    done = second.pool("forget", "n1", "--yes")
    assert done.returncode == 0, done
    assert not had & set(racks.claimed(etcd, second.prefix))
    text, _ = table(second)
    assert "n1" not in text
    room = len(SHARED.subnets) - len(second.leases())
    fill(second, room)
    second.settle()
    assert set(second.leases()) == SHARED.subnets
    assert racks.faults([second], SHARED, second.prefix) == []


def test_the_table_tells_what_is_there(rack: Rack, etcd: Etcd) -> None:
    first, second = rack("n1", "n2")
    fill(first, 5)
    fill(second, 2)
    for node in (first, second):
        node.settle()
        node.refill(SHARED)
    text, said = table(second)
    for word in ("n1", "n2", CLUSTER, SHARED.subnet):
        assert word in text
    told = json.dumps(said)
    for block in second.blocks():
        assert str(block) in told
        assert str(block) in text
    (cluster,) = said["clusters"]
    counted = {it["node"]: (it["blocks"], it["leased"]) for it in cluster["nodes"]}
    assert counted == {node.name: (len(node.blocks()), len(node.leases())) for node in (first, second)}
    (pool,) = cluster["pools"]
    assert (pool["blocks"], pool["taken"]) == (8, len(racks.claimed(etcd, first.prefix)))
