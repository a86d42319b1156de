"""Whatever names a number of VFs or a command for them, in the state that it is for: typed as it stands, it is taken."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable

import pytest

from tests.unit.ctl.ports import below_bridge, numvfs
from tests.unit.ctl.tool import sriovctl
from tests.world import World

LAST_OF_FIVE = 246  # VF offset: with stride 2 the sixth VF has routing ID 0x200, on bus 02


def without_driver(world: World) -> None:
    assert sriovctl(world, "unbind", "0000:01:00.0", "--force").status == 0


def on(driver: str) -> Callable[[World], None]:
    """As who gave the PF to DPDK would have done it."""

    def bind(world: World) -> None:
        world.kernel.tree.add_iommu()
        world.kernel.tree.add_driver(driver)
        assert sriovctl(world, "bind", "0000:01:00.0", driver, "--force").status == 0

    return bind


def with_room_for_five(world: World) -> None:
    below_bridge(world, world.kernel.pfs[0], LAST_OF_FIVE, 1)


def with_room_for_none(world: World) -> None:
    below_bridge(world, world.kernel.pfs[0], 384, 1)


def as_it_is(_: World) -> None:
    pass


STATES = [
    pytest.param(as_it_is, 7, id="the driver allows 7"),
    pytest.param(with_room_for_five, 5, id="the slot has room for 5"),
    pytest.param(on("vfio-pci"), 7, id="vfio-pci"),
    pytest.param(on("uio_pci_generic"), 7, id="uio"),
    pytest.param(without_driver, 7, id="no driver"),
]


def commands(text: str, about: str = "") -> list[list[str]]:
    """What a line about that PF tells to type."""
    lines = "\n".join(line for line in text.splitlines() if about in line)
    found = re.findall(r"sriovctl (?:vfs|bind|oracle) [^`;\n]+", lines)
    return [shlex.split(line)[1:] for line in found]


@pytest.mark.parametrize(("make", "count"), STATES)
@pytest.mark.parametrize("look", [("status",), ("vfs",), ("vfs", "0000:01:00.0")], ids=" ".join)
def test_what_a_look_advises_leads_to_vfs_when_followed_literally(
    empty: World, make: Callable[[World], None], count: int, look: tuple[str, ...]
) -> None:
    make(empty)
    about = "" if len(look) == 2 else "0000:01:00.0" if look == ("status",) else "has no VFs"
    typed = []
    for _ in range(3):
        if numvfs(empty)[0]:
            break
        first, *_ = commands(sriovctl(empty, *look).out, about)
        typed.append(first)
        run = sriovctl(empty, *first)
        assert run.status == 0, (first, run.err)

    assert numvfs(empty) == [count, 0]
    assert typed[-1][0] == "vfs"
    assert len(typed) == (1 if make in {as_it_is, with_room_for_five} else 2)


@pytest.mark.parametrize("look", ["status", "vfs"])
def test_a_slot_without_room_is_no_place_for_a_number(empty: World, look: str) -> None:
    with_room_for_none(empty)

    said = next(line for line in sriovctl(empty, look).out.splitlines() if "ends at bus 01" in line)

    assert "sriovctl vfs" not in said
    assert "the VFs need bus 02" in said
    assert sriovctl(empty, *commands(said)[0]).status == 1  # the oracle says the rest
    assert sriovctl(empty, "vfs", "enp1s0f0", "max").status == 1


@pytest.mark.parametrize(("make", "count"), STATES[:2])
def test_what_an_add_without_vfs_says_is_taken_by_vfs(
    empty: World, make: Callable[[World], None], count: int
) -> None:
    make(empty)

    empty.kernel.add_pod("/run/netns/pod1")
    reply = empty.call("ADD", empty.conf())
    first, other = commands(reply.document["details"])

    assert (reply.code, first, other) == (101, ["vfs", "enp1s0f0", "7"], ["vfs", "enp1s0f0", "max"])
    assert sriovctl(empty, *first).status == (0 if count == 7 else 1)
    assert (sriovctl(empty, *other).status, numvfs(empty)) == (0, [count, 0])


@pytest.mark.parametrize("make", [on("vfio-pci"), without_driver], ids=["vfio-pci", "no driver"])
def test_an_add_on_a_pf_without_its_driver_says_how_it_gets_that(
    empty: World, make: Callable[[World], None]
) -> None:
    make(empty)
    empty.kernel.add_pod("/run/netns/pod1")
    conf = empty.conf(master=None, pf={"pciAddresses": ["0000:01:00.0"]})

    reply = empty.call("ADD", conf)
    (command,) = commands(reply.document["details"])

    assert (reply.code, command) == (101, ["bind", "0000:01:00.0", "kernel"])
    assert sriovctl(empty, *command).status == 0
    assert "`sriovctl vfs enp1s0f0 7`" in empty.call("ADD", conf).document["details"]


def test_a_vf_that_is_not_there_is_said_with_what_makes_or_lists_them(empty: World) -> None:
    none = sriovctl(empty, "bind", "enp1s0f0:3", "vfio-pci")
    assert sriovctl(empty, *commands(none.err)[0]).status == 0
    beyond = sriovctl(empty, "bind", "enp1s0f0:7", "vfio-pci")

    assert commands(none.err) == [["vfs", "enp1s0f0", "7"]]
    assert "`sriovctl vfs enp1s0f0` lists them" in beyond.err


def test_who_would_bind_a_pf_is_told_how_its_vfs_are_bound(empty: World) -> None:
    empty.kernel.tree.add_iommu()
    empty.kernel.tree.add_driver("vfio-pci")

    make, bind = commands(sriovctl(empty, "bind", "enp1s0f0", "vfio-pci").err)

    assert [sriovctl(empty, *command).status for command in (make, bind)] == [0, 0]
    assert empty.kernel.pfs[0].vfs[0].driver == "vfio-pci"
    assert commands(sriovctl(empty, "bind", "enp1s0f0", "vfio-pci").err) == [bind]


@pytest.mark.parametrize(("make", "count"), STATES[:2])
def test_the_doctors_remedy_is_taken(empty: World, make: Callable[[World], None], count: int) -> None:
    make(empty)

    found = sriovctl(empty, "doctor", "--json").document["findings"]
    remedies = [one["remedy"] for one in found if one["rule"] == "no-vfs" and one["subject"] == "enp1s0f0"]

    assert remedies == [f"sriovctl vfs enp1s0f0 {count}"]
    assert sriovctl(empty, *shlex.split(remedies[0])[1:]).status == 0
