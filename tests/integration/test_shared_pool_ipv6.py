"""Pools of IPv6, and of both families in one configuration: the bundle, a real etcd, and both in one cluster."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from tests import racks
from tests.etcd import Etcd
from tests.integration import rig
from tests.integration.conftest import Rack
from tests.racks import Machine, Shared, until

pytestmark = [pytest.mark.root, pytest.mark.bundle]

FOUR = Shared("10.70.0.0/22", 26, 24)  # four blocks of four
SIX = Shared("fd00:70::/60", 64, 62)  # four blocks of four
ONE_BLOCK = Shared("fd00:71::/63", 64, 63)  # of two


def both(verb: str, node: Machine, container: str, six: Shared) -> Any:
    """The subnets of both families, or the error's document."""
    ipam = racks.section(FOUR, six)
    status, answer = node.answer(node.host_subnet(verb, container, FOUR, ipam=ipam))
    return answer if status else subnets_of(answer)


def subnets_of(answer: Any) -> list[Any]:
    return [ip_network(ip["address"], strict=False) for ip in (answer or {}).get("ips", [])]


def faults(nodes: list[Machine], *pools: Shared) -> list[str]:
    for node in nodes:
        node.settle()
    return [fault for pool in pools for fault in racks.faults(nodes, pool, nodes[0].prefix)]


def test_a_pool_is_used_up_and_what_is_given_back_is_anothers(rack: Rack, etcd: Etcd) -> None:
    first, second = rack("n1", "n2")
    had = {name: first.add(name, SIX) for name in (f"c{number}" for number in range(16))}
    assert set(had.values()) == SIX.subnets
    first.settle()
    assert set(racks.claimed(etcd, first.prefix)) == SIX.blocks
    refused = second.add("c0", SIX)
    assert refused["code"] == 11, refused
    assert "node n1 has 4" in f"{refused}", "who has most of it is not told"

    block = max(SIX.blocks)
    for name in (name for name, subnet in had.items() if subnet.subnet_of(block)):
        first.delete(name, SIX)
    done = first.pool("release")
    assert (done.returncode, done.stdout.split()[0]) == (0, f"{block}"), done
    assert first.blocks() == SIX.blocks - {block} == set(racks.claimed(etcd, first.prefix))
    assert second.add("c0", SIX).subnet_of(block)
    assert second.blocks() == {block}
    assert faults([first, second], SIX) == []


def test_a_vf_gets_a_subnet_of_each_family(rack: Rack, etcd: Etcd) -> None:
    (node,) = rack("n1")
    conf = rig.conf(ipam=racks.section(FOUR, SIX), cniVersion="1.1.0")
    status, answer = node.answer(rig.call("ADD", "one", node.pod, conf))
    assert status == 0, answer
    four, six = subnets_of(answer)
    assert (four in FOUR.subnets, six in SIX.subnets) == (True, True)
    assert set(node.leases()) == {four, six}
    assert {block.version for block in racks.claimed(etcd, node.prefix)} == {4, 6}
    shown = node.run("ip", "netns", "exec", "pod", "ip", "-br", "address", "show", "net1")
    assert all(ip["address"] in shown for ip in answer["ips"]), shown
    assert faults([node], FOUR, SIX) == []
    assert node.answer(rig.call("DEL", "one", node.pod, conf)) == (0, None)
    assert node.leases() == []
    until(lambda: not node.refills())


def test_who_gets_one_family_and_not_the_other_has_neither(rack: Rack, etcd: Etcd) -> None:
    first, second = rack("n1", "n2")
    held = [both("ADD", first, f"c{number}", ONE_BLOCK) for number in range(2)]
    assert {six for _, six in held} == ONE_BLOCK.subnets
    four = second.add("before", FOUR)

    refused = both("ADD", second, "one", ONE_BLOCK)
    assert refused["code"] == 11, refused
    assert ONE_BLOCK.subnet in refused["msg"], refused
    assert "n1" in f"{refused}", "who has it is not told"
    assert second.leases() == [four], "what it got of the other pool is still its own"
    assert second.leases_by_owner() == ["before"]
    room = FOUR.per_block * len(second.blocks()) - 1
    assert len({second.add(f"c{number}", FOUR) for number in range(room)}) == room
    assert faults([first, second], FOUR, ONE_BLOCK) == []

    for number in range(2):
        assert both("DEL", first, f"c{number}", ONE_BLOCK) == []
    assert first.pool("release").returncode == 0
    given = both("ADD", second, "one", ONE_BLOCK)
    assert given[1] in ONE_BLOCK.subnets, given
    assert faults([first, second], FOUR, ONE_BLOCK) == []
