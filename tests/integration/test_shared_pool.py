"""Eight machines and one pool: attached until it is exhausted, while members die, links are cut and processes are killed.

Whether two leases overlap, and whether a block is lost, is seen in all machines' files and in etcd (tests/racks.py), and not
asked of the product. `RACK_SEED` replays the choices, though not the kernel's timing.
"""

from __future__ import annotations

import functools
import os
import random
import threading
import time
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from tests import racks
from tests.etcd import MEMBERS, Etcd
from tests.integration import rig
from tests.integration.conftest import Rack
from tests.integration.rig import answer_of
from tests.racks import Machine, Shared, until
from tests.relay import Relay

pytestmark = [pytest.mark.root, pytest.mark.bundle]

SEED = int(os.environ.get("RACK_SEED") or random.randrange(10**6))
SHARED = Shared()  # 32 blocks of 32 subnets
BLOWS = 12
KILLED = -9


class Runtime:
    """Attaches on one machine, again and again; a few of its calls are killed, a few containers go."""

    def __init__(self, node: Machine, over: threading.Event) -> None:
        self.node, self.over = node, over
        self.told: dict[str, Any] = {}
        self.errors: list[Any] = []
        self._random = random.Random(f"{SEED} {node.name}")
        self._numbers = iter(range(10**6))

    def run(self) -> None:
        """Until the blows are over, and then until nothing is left twice in a row."""
        refused = 0
        while refused < 2:
            refused = 0 if self._one() else refused + 1
            if not self.over.is_set() and refused:
                refused = 0
                time.sleep(0.2)

    def _one(self) -> bool:
        name = f"c{next(self._numbers)}"
        process = self.node.start(self.node.host_subnet("ADD", name, SHARED))
        if not self.over.is_set() and self._random.random() < 0.1:
            time.sleep(self._random.random() * 0.03)
            process.kill()
        status, answer = answer_of(process)
        if status == 0 and answer is not None:
            self.told[name] = ip_network(answer["ips"][0]["address"], strict=False)
            if self._random.random() < 0.1:
                self.node.delete(name, SHARED)
                del self.told[name]
            return True
        if status == KILLED:
            self.node.delete(name, SHARED)
            return True
        self.errors.append(answer)
        return False


class Blows:
    """What befalls the cluster meanwhile, one at a time, each mended before the next."""

    def __init__(self, etcd: Etcd, nodes: list[Machine]) -> None:
        self.etcd, self.nodes = etcd, nodes
        self.forgotten: set[Any] = set()
        self._random = random.Random(SEED)

    def fall(self, times: int) -> None:
        blows = [
            *(self.answers_are_lost, self.member_dies, self.member_is_cut),
            *(self.node_is_cut, self.quorum_dies, self.refills_die),
        ]
        for number in range(times):
            blows[number % len(blows)]()

    def member_dies(self) -> None:
        self._while(self.etcd.kill, lambda _: self.etcd.start())

    def member_is_cut(self) -> None:
        self._while(self.etcd.cut, self.etcd.heal)

    def node_is_cut(self) -> None:
        node = self._random.choice(self.nodes)
        node.cut()
        time.sleep(1)
        node.heal()

    def quorum_dies(self) -> None:
        self.etcd.kill(*self._random.sample(range(MEMBERS), 2))
        time.sleep(1)
        self.etcd.start()

    def refills_die(self) -> None:
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            for node in self.nodes:
                for pid in node.refills():
                    racks.kill(pid)
            time.sleep(self._random.random() * 0.1)

    def answers_are_lost(self) -> None:
        """Two machines' claims are done, and neither hears it: one is cut off by then, and one dies."""
        for node, dies in zip(self._random.sample(self.nodes, 2), (False, True), strict=True):
            with Relay(node, self.etcd.members[0]) as relay:
                relay.lose_answer = lambda change: change.kind == "requestPut" and "/blocks/" in change.key
                relay.then = functools.partial(_kill_refills, node) if dies else relay.silence
                node.configure(endpoints=[relay.endpoint])
                node.pool(*node.refill_words(SHARED, "--deadline", "2"))
                node.configure()
            self.forgotten |= racks.forgotten(node)  # later it may draw that block again by chance

    def _while(self, begin: Callable[[int], None], end: Callable[[int], None]) -> None:
        number = self._random.randrange(MEMBERS)
        begin(number)
        time.sleep(1)
        end(number)


def _kill_refills(node: Machine) -> None:
    for pid in node.refills():
        racks.kill(pid)


def attach_until_full(runtimes: list[Runtime]) -> None:
    threads = [threading.Thread(target=it.run) for it in runtimes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_eight_machines_use_a_pool_to_its_last_subnet(rack: Rack, etcd: Etcd) -> None:
    print(f"RACK_SEED={SEED}")
    nodes = rack(*(f"n{number}" for number in range(8)))
    over = threading.Event()
    runtimes = [Runtime(node, over) for node in nodes]
    attaching = threading.Thread(target=attach_until_full, args=(runtimes,))
    attaching.start()
    blows = Blows(etcd, nodes)
    try:
        blows.fall(BLOWS)
    finally:
        over.set()
        attaching.join()
    for node in nodes:  # what died last left blocks that nobody has used
        node.settle()
        assert "lost" in node.refill(SHARED) or node.failure()
    attach_until_full(runtimes)
    for node in nodes:
        node.settle()

    assert blows.forgotten == set()
    assert racks.faults(nodes, SHARED, nodes[0].prefix) == []
    leases = [lease for node in nodes for lease in node.leases()]
    assert len(leases) == len(SHARED.subnets) == 1024
    assert set(leases) == SHARED.subnets
    assert set(racks.claimed(etcd, nodes[0].prefix)) == SHARED.blocks
    for runtime in runtimes:
        assert set(runtime.told.values()) == set(runtime.node.leases())
        assert {error["code"] for error in runtime.errors} == {11}


def test_who_has_most_is_told_and_what_he_gives_back_is_anothers(rack: Rack) -> None:
    shared = Shared("10.65.0.0/22", 26, 24)  # four blocks of four
    first, second = rack("n1", "n2")
    had = {name: first.add(name, shared) for name in (f"c{number}" for number in range(16))}
    assert set(had.values()) == shared.subnets
    first.settle()
    refused = second.add("c0", shared)
    assert refused["code"] == 11, refused
    assert "n1" in f"{refused}", "who has most of it is not told"

    block = next(iter(shared.blocks))
    for name, subnet in had.items():
        if subnet.subnet_of(block):
            first.delete(name, shared)
    done = first.pool("release")
    assert done.returncode == 0, done
    assert first.blocks() == shared.blocks - {block}
    assert second.add("c0", shared).subnet_of(block)
    assert second.blocks() == {block}
    assert racks.faults([first, second], shared, first.prefix) == []


def test_a_vf_gets_a_subnet_of_the_block(rack: Rack) -> None:
    """The other door: `sriov` itself, with a VF."""
    (node,) = rack("n1")
    conf = rig.conf(ipam=SHARED.section, cniVersion="1.1.0")
    status, answer = node.answer(rig.call("ADD", "one", node.pod, conf))
    assert status == 0, answer
    (lease,) = node.leases()
    assert ip_network(answer["ips"][0]["address"], strict=False) == lease
    assert racks.faults([node], SHARED, node.prefix) == []
    assert node.answer(rig.call("DEL", "one", node.pod, conf)) == (0, None)
    assert node.leases() == []
    until(lambda: not node.refills())


def test_what_a_refill_beside_an_add_came_to_is_in_its_log_and_nowhere_else(rack: Rack) -> None:
    (node,) = rack("n1")
    shared, log = Shared(prefix_length=24, block_length=22), "/run/cni.log"  # four subnets of a block
    for number in range(4):
        call = node.host_subnet("ADD", f"c{number}", shared, logFile=log)
        status, answer, said = node.heard(call)
        assert (status, said) == (0, ""), answer
    node.settle()

    told = [line for line in node.inside(Path(log).read_text).splitlines() if " verb=refill " in line]

    first = {ip_network(answer["ips"][0]["address"], strict=False).supernet(new_prefix=22)}
    (second,) = node.blocks() - first
    assert [line.partition(" msg=")[2] for line in told] == [f'"blocks claimed" cluster=rack blocks={second}']
