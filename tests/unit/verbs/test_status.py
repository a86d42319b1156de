"""STATUS: whether an ADD could be served now, without a lock and without a change."""

from __future__ import annotations

import time
from typing import Any

import pytest

from cni_sriov.state.lock import Lock
from tests.unit import dpdk
from tests.unit.verbs.calls import NEW, attach
from tests.world import World


@pytest.mark.parametrize("verb", ["GC", "STATUS"])
def test_gc_and_status_exist_since_1_1_0(world: World, verb: str) -> None:
    assert world.call(verb, world.conf(), "", "", "").code == 1


def status(world: World, **conf: Any) -> Any:
    return world.call("STATUS", world.conf(**(NEW | {"ipam": world.ipam()} | conf)), "", "", "")


def test_status_of_a_node_that_can_serve_is_silent_and_changes_nothing(world: World) -> None:
    before, run = world.snapshot(), world.run_dir.exists()
    reply = status(world)
    assert (reply.exit_code, reply.document) == (0, {})
    assert (world.snapshot(), world.run_dir.exists()) == (before, run)


def test_status_waits_for_no_lock(world: World) -> None:
    """An ADD may hold the node's for as long as its card takes; a runtime asks every few seconds."""
    attach(world, "c1")
    paths = [world.run_dir / "claims.lock", world.run_dir / "locks/c1@net1", world.run_dir / "subnets/lock"]
    locks = [Lock(str(path), "ADD") for path in paths]
    for lock in locks:
        lock.acquire(0)
    began = time.monotonic()

    codes = [status(world, statusOnFull=word).code for word in ("ok", "error")]

    assert (codes, time.monotonic() - began < 5) == ([0, 0], True)
    for lock in locks:
        lock.release()


def test_status_without_a_device_judges_the_rest(world: World) -> None:
    """Under Multus the device plugin names the VF at ADD only."""
    assert status(world, master=None).code == 0


def test_status_of_a_missing_pf_is_50_and_51_with_attachments(world: World) -> None:
    assert status(world, master="gone0").code == 50
    attach(world, "c1")
    assert status(world, master="gone0").code == 51
    assert status(world).code == 0


def test_status_of_a_pf_without_vfs_names_the_remedy(world: World) -> None:
    world.kernel.add_pf("enp2s0f0", "0000:02:00.0")
    reply = status(world, master="enp2s0f0")
    assert (reply.code, "sriovctl vfs enp2s0f0" in reply.text) == (50, True)


def test_status_of_a_pf_that_is_down(world: World) -> None:
    netlink = world.kernel.netlink
    attach(world, "c1")
    netlink.set_down(netlink.ifindex("enp1s0f0"))
    assert status(world).code == 51
    assert status(world, pfUp=False).code == 51
    assert world.call("DEL", world.conf(), "c1").code == 0
    netlink.set_down(netlink.ifindex("enp1s0f0"))
    assert status(world).code == 0, "ADD brings it up"
    assert status(world, pfUp=False).code == 50


def test_exhaustion_is_an_error_only_if_the_conf_says_so(world: World) -> None:
    attach(world, *(f"c{n}" for n in range(7)))
    assert status(world).code == 0
    full = status(world, statusOnFull="error")
    assert (full.code, "no free VF" in full.text) == (50, True)


def test_addresses_are_asked_for_only_where_a_full_node_is_an_error(world: World) -> None:
    """Before Linux 6.9 that question waits for RTNL, so for every move on the node; a runtime asks STATUS all the time."""
    asked = []
    world.kernel.before("addresses", lambda *_: asked.append("addresses"), always=True)

    assert (status(world).code, asked) == (0, [])
    assert (status(world, statusOnFull="error").code, asked) == (0, ["addresses"])


def test_an_exhausted_pool_too(world: World) -> None:
    tiny = world.ipam(pools=[{"subnet": "10.10.0.0/24", "prefixLength": 24}])
    world.kernel.add_pod("/run/netns/c1")
    assert status(world, ipam=tiny, statusOnFull="error").code == 0
    assert world.call("ADD", world.conf(ipam=tiny), "c1", "/run/netns/c1").code == 0
    full = status(world, ipam=tiny, statusOnFull="error")
    assert (full.code, "no free subnet" in full.text) == (50, True)
    assert status(world, ipam=tiny).code == 0


def test_status_of_a_driver_for_user_space_that_can_be_had(world: World) -> None:
    dpdk.furnish(world)

    assert status(world, driver="vfio-pci").code == 0
    assert status(world, driver="auto").code == 0


@pytest.mark.parametrize("full", ["ok", "error"])
def test_status_without_an_iommu_has_the_planners_sentence(world: World, full: str) -> None:
    """No waiting makes one: it is an error whatever `statusOnFull` says."""
    world.kernel.tree.add_driver("vfio-pci")

    reply = status(world, driver="auto", statusOnFull=full)

    assert (reply.code, "it is in no IOMMU group, and vfio-pci wants one" in reply.text) == (50, True)
    assert "intel_iommu=on" in reply.text


def test_status_of_vfs_that_are_all_open_is_that_of_a_full_node(world: World) -> None:
    dpdk.furnish(world)
    for number, vf in enumerate(world.kernel.pfs[0].vfs):
        dpdk.ahead(world, vf)
        dpdk.hold(world, vf.pci_address, pid=70 + number)

    assert status(world, driver="vfio-pci").code == 0
    reply = status(world, driver="vfio-pci", statusOnFull="error")
    assert (reply.code, "it is open in dpdk-testpmd (pid 70)" in reply.text) == (50, True)


def test_status_with_attachments_that_a_program_has_is_51(world: World) -> None:
    dpdk.furnish(world)
    attach(world, "c1", driver="vfio-pci")

    assert status(world, driver="vfio-pci", master="gone0").code == 51
