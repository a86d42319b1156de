"""gc tells the truth about what stays: who is in there, whose it is, all that goes with a VF; the dry run says what the real one
does; and status, which only looks, changes no byte.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit import dpdk
from tests.unit.ctl.test_gc import attach, name_process, told
from tests.unit.ctl.tool import files, sriovctl
from tests.unit.vf.test_homename import NAME, VF, take_name
from tests.world import World

POD_ARGS = "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0"
LAST = {"master": None, "deviceID": "0000:01:11.4"}  # the states begin with the first VF
STICKY = {"pools": [{"subnet": "10.10.0.0/16", "prefixLength": 24}], "sticky": True}


def dead(world: World) -> None:
    attach(world, "dead")
    world.kernel.kill_netns("/run/netns/dead")


def kept_for_its_pod(world: World) -> None:
    world.kernel.add_pod("/run/netns/c1")
    conf = world.conf(ipam=world.ipam(**STICKY))
    reply = world.call("ADD", conf, "c1", "/run/netns/c1", args=POD_ARGS)
    assert reply.code == 0, reply.text
    world.kernel.kill_netns("/run/netns/c1")


def pf_elsewhere(world: World) -> None:
    attach(world, "gone")
    kernel, pf = world.kernel, world.kernel.pfs[0].link
    kernel.move(kernel.host, kernel.netlink.ifindex(pf.name), kernel.add_pod("/run/netns/pf"), pf.name)
    kernel.kill_netns("/run/netns/gone")


def pf_elsewhere_and_deleted(world: World) -> None:
    pf_elsewhere(world)
    assert world.call("DEL", world.conf(), "gone", netns="").code == 0


def held_open(world: World) -> None:
    attach(world, "user", driver="vfio-pci")
    dpdk.hold(world)
    world.kernel.kill_netns("/run/netns/user")
    assert world.call("DEL", world.conf(driver="vfio-pci"), "user", netns="").code == 0


def without_a_vf(world: World) -> None:
    attach(world, "foreign")
    for name in ("claims", "../state"):
        for path in (world.run_dir / name).iterdir():
            path.unlink()
    world.kernel.kill_netns("/run/netns/foreign")


def odd_name(world: World, free: bool = True) -> None:
    world.kernel.add_pod("/run/netns/pod2")
    conf = world.conf(master=None, deviceID=VF)
    assert world.call("ADD", conf).code == 0
    thief = take_name(world)
    assert world.call("DEL", conf).code == 0
    if free:
        world.kernel.destroy(thief)


def odd_name_that_is_taken(world: World) -> None:
    odd_name(world, free=False)


def odd_name_of_a_dead_ones_vf(world: World) -> None:
    odd_name(world)
    conf = world.conf(master=None, deviceID=VF)
    assert world.call("ADD", conf, "c2", "/run/netns/pod2").code == 0
    world.kernel.kill_netns("/run/netns/pod2")


def earlier_boot(world: World) -> None:
    dead(world)
    world.boot_id = "99999999-2222-3333-4444-555555555555"


def nothing(world: World) -> None:
    pass


STATES: list[Callable[[World], None]] = [
    *(nothing, dead, kept_for_its_pod, pf_elsewhere, pf_elsewhere_and_deleted, held_open, without_a_vf),
    *(odd_name, odd_name_that_is_taken, odd_name_of_a_dead_ones_vf, earlier_boot),
]
in_each_state = pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)


@pytest.fixture
def node(world: World) -> World:
    return dpdk.furnish(world)


@in_each_state
def test_the_dry_run_says_what_the_real_one_does(node: World, state: Callable[[World], None]) -> None:
    attach(node, "alive", **LAST)
    state(node)

    dry = sriovctl(node, "gc", "--dry-run", "--json").document["items"]
    real = sriovctl(node, "gc", "--json").document["items"]

    assert dry == real
    assert len(real) >= 2, "the living one's are told too"


@in_each_state
def test_what_is_told_is_what_is_there_afterwards(node: World, state: Callable[[World], None]) -> None:
    """By the leases and Records that are left, as `leases` and `status` have them."""
    attach(node, "alive", **LAST)
    state(node)

    run = sriovctl(node, "gc", "--json")
    left = [item for item in run.document["items"] if not item["taken"]]
    leases = sriovctl(node, "leases", "--json").document["leases"]
    owned = [
        vf for pf in sriovctl(node, "status", "--json").document["pfs"] for vf in pf["vfs"] if vf["owner"]
    ]

    assert sorted(item["what"] for item in left if item["kind"] == "lease") == sorted(
        lease["subnet"] for lease in leases
    )
    assert len([item for item in left if item["kind"] == "vf"]) == len(owned)


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_the_numbers_are_those_of_the_lines(world: World, dry: tuple[str, ...]) -> None:
    attach(world, "alive")
    for name in ("d1", "d2"):
        attach(world, name)
        world.kernel.kill_netns(f"/run/netns/{name}")

    lines = sriovctl(world, "gc", *dry).out.splitlines()

    heads = [(n, line) for n, line in enumerate(lines) if not line.startswith("  ")]
    assert [line.split()[0] for _, line in heads] == ["4", "2"]
    assert heads[1][0] - heads[0][0] - 1 == 4
    assert len(lines) - heads[1][0] - 1 == 2


def test_a_pod_is_one_that_was_called_so_and_who_is_in_there_is_named(world: World) -> None:
    attach(world, "ctr")
    world.kernel.add_pod("/run/netns/web")
    reply = world.call("ADD", world.conf(), "web", "/run/netns/web", args=POD_ARGS)
    assert reply.code == 0, reply.text
    who = {name: name_process(world, f"/run/netns/{name}", name) for name in ("ctr", "web")}

    reasons = {owner: reason for kind, owner, _, reason in told(world) if kind == "vf"}

    assert reasons == {
        "ctr/net1": f"its container is alive: {who['ctr']} in its network namespace",
        "web/net1": f"its pod shop/web-0 is alive: {who['web']} in its network namespace",
    }


def bytes_of(root: Path) -> dict[str, tuple[int, bytes]]:
    """Every file of the node, with when it was changed."""
    found = {}
    for path in sorted(root.rglob("*")):
        is_file = path.is_file() and not path.is_symlink()
        found[str(path)] = (path.lstat().st_mtime_ns, path.read_bytes() if is_file else b"")
    return found


LOOKS = [
    ("status",),
    ("status", "-o", "wide"),
    ("leases",),
    ("gc", "--dry-run"),
    ("explain", VF),
    ("doctor",),
]


@in_each_state
def test_a_look_changes_no_byte(node: World, state: Callable[[World], None]) -> None:
    """Nor a name: that of the VF which waits for its own is free, and gc's to give."""
    attach(node, "alive", **LAST)
    state(node)
    files(node)  # makes the test's own link to /sys
    kernel, before, effects = node.kernel.snapshot(), bytes_of(node.root), list(node.kernel.effects)

    for argv in LOOKS:
        sriovctl(node, *argv)

    assert node.kernel.effects == effects
    assert node.kernel.snapshot() == kernel
    assert bytes_of(node.root) == before


def test_a_name_that_is_given_back_is_told(world: World) -> None:
    odd_name(world)

    run = sriovctl(world, "gc")

    assert run.out == f"1 taken back\n  {NAME} of VF {VF}: it is free again\n"


def test_a_vf_that_stays_without_its_container_says_why_in_status_too(world: World) -> None:
    pf_elsewhere_and_deleted(world)

    row: Any = next(
        vf for pf in sriovctl(world, "status", "--json").document["pfs"] for vf in pf["vfs"] if vf["owner"]
    )

    assert (row["state"], row["reason"]) == (
        "released",
        "released, not restored yet: PF 0000:01:00.0 is in another netns",
    )
