"""host-subnet under a main plugin that is not ours, with real network namespaces: who died without DEL, and who lives.

The rig's VFs are not needed; what a bridge would do in the pod after its ADD is done here by `ip`.
"""

from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests import bundle, numbers
from tests.integration.rig import Rig, call

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.root, pytest.mark.bundle]

POOLS = [{"subnet": "10.30.0.0/22", "prefixLength": 24}]


class Bridge:
    """A main plugin with host-subnet for its IPAM, as `door` is called by it."""

    def __init__(self, rig: Rig, door: Path) -> None:
        self.rig = rig
        self.door = str(door)

    def ask(self, verb: str, name: str, **keys: Any) -> tuple[int, Any]:
        ipam = {"type": "host-subnet", "pools": POOLS}
        conf = {"cniVersion": "1.0.0", "name": "br", "type": "bridge", "ipam": ipam} | keys
        return self.rig.answer(call(verb, name, f"/run/netns/{name}", conf, (self.door,), "eth0"))

    def attach(self, name: str) -> str:
        """The answer is its address, which is in the pod."""
        self.rig.add_pod(name)
        status, answer = self.ask("ADD", name)
        assert status == 0, answer
        address: str = answer["ips"][0]["address"]
        self.rig.run("ip", "-n", name, "link", "add", "eth0", "type", "veth", "peer", "name", "wire0")
        self.rig.run("ip", "-n", name, "addr", "add", address, "dev", "eth0")
        return address


@pytest.fixture
def bridge(tmp_path: Path) -> Iterator[Bridge]:
    (tmp_path / "host-subnet").symlink_to(bundle.directory() / "cni-sriov" / "sriov")
    with Rig(vfs=1) as rig:
        yield Bridge(rig, tmp_path / "host-subnet")


def inode(rig: Rig, name: str) -> int:
    return rig.inside(os.stat, f"/run/netns/{name}").st_ino


def with_number(rig: Rig, number: int) -> str:
    """A pod."""
    made: list[str] = []

    def make() -> int:
        made.append(f"new{len(made)}")
        rig.add_pod(made[-1])
        return inode(rig, made[-1])

    numbers.take(number, make)
    return made[-1]


# ---------------------------------------------------------------------------------------------------------------------


def test_five_that_died_without_del_do_not_fill_a_pool_of_four(bridge: Bridge) -> None:
    """Each has the number of the one before, or so: the kernel gives the lowest one that is free."""
    bridge.attach("living")
    for n in range(5):
        bridge.attach(f"b{n}")
        bridge.rig.del_pod(f"b{n}")
        time.sleep(0.1)  # the kernel ends a netns in its own time

    bridge.attach("last")

    assert bridge.ask("CHECK", "living")[0] == 0
    assert bridge.ask("CHECK", "last")[0] == 0


def test_a_number_that_came_again_is_no_life(bridge: Bridge) -> None:
    """Three live, and the fourth pod has the number of a dead one: it gets the lease that was held in its name."""
    living = ["living0", "living1", "living2"]
    for name in (*living, "dead"):
        bridge.attach(name)
    number = inode(bridge.rig, "dead")
    bridge.rig.del_pod("dead")
    pod = with_number(bridge.rig, number)

    status, answer = bridge.ask("ADD", pod)

    assert status == 0, answer
    assert [bridge.ask("CHECK", name)[0] for name in (*living, pod)] == [0] * 4


def test_the_address_of_a_dead_one_is_had_by_name_and_a_living_ones_is_not(bridge: Bridge) -> None:
    dead, living = bridge.attach("dead"), bridge.attach("living")
    number = inode(bridge.rig, "dead")
    bridge.rig.del_pod("dead")
    pod = with_number(bridge.rig, number)

    status, refused = bridge.ask("ADD", pod, runtimeConfig={"ips": [living]})
    assert (status, refused["code"], "living/eth0 of network br" in refused["msg"]) == (1, 104, True)

    status, answer = bridge.ask("ADD", pod, runtimeConfig={"ips": [dead]})
    assert (status, answer["ips"][0]["address"]) == (0, dead)


def test_a_process_keeps_its_netns_alive_without_a_path(bridge: Bridge) -> None:
    """`ip netns del` takes the name away; who is in there lives on with its lease, though its path is another's by now."""
    rig = bridge.rig
    sleepers = []
    try:
        for n in range(4):
            bridge.attach(f"b{n}")
            sleeper = rig.inside(subprocess.Popen, ["nsenter", f"--net=/run/netns/b{n}", "sleep", "100"])
            sleepers.append(sleeper)
            while f"[{inode(rig, f'b{n}')}]" not in os.readlink(f"/proc/{sleeper.pid}/ns/net"):
                time.sleep(0.01)
        for n in range(4):
            rig.del_pod(f"b{n}")
            rig.add_pod(f"b{n}")
        rig.add_pod("more")

        status, answer = bridge.ask("ADD", "more")

        assert (status, answer["code"]) == (1, 11), answer
    finally:
        for sleeper in sleepers:
            sleeper.kill()
            sleeper.wait()
