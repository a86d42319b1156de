"""What happens to VFs and PFs between ADD and DEL, on the fakes; tests/lab/test_accidents.py has the same on a card.

A VF that was destroyed and created anew (numvfs to 0 and back) is another VF at the same address.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.world import World

OTHERS = "/run/netns/pod2"
FULL: dict[str, Any] = {"mac": "02:00:00:00:aa:01", "vlan": 100, "trust": "on", "mtu": 1400}


def recreate_vfs(world: World, count: int = 7) -> None:
    (pf,) = world.kernel.pfs
    world.kernel.change_numvfs(pf, 0)
    world.kernel.change_numvfs(pf, count)


def full(world: World) -> dict[str, Any]:
    return world.conf(ipam=world.ipam(), **FULL)


def test_a_late_delete_leaves_the_new_vf_alone(world: World) -> None:
    files = world.files()
    assert world.call("ADD", full(world)).code == 0
    recreate_vfs(world)
    kernel = world.kernel.snapshot()

    deleted = world.call("DEL", full(world))

    assert (deleted.code, world.kernel.snapshot(), world.files()) == (0, kernel, files)


def test_its_claim_is_reclaimed_by_the_next_add(world: World) -> None:
    world.kernel.add_pod(OTHERS)
    recreate_vfs(world, 1)
    assert world.call("ADD", full(world)).code == 0
    recreate_vfs(world, 1)

    added = world.call("ADD", full(world), "c2", OTHERS)

    assert added.code == 0, added.text
    assert "a new one has its address" in world.log_file.read_text()
    late = world.call("DEL", full(world), "c1")
    assert (late.code, world.call("CHECK", full(world), "c2", OTHERS).code) == (0, 0)


def test_the_same_attachment_can_be_added_again(world: World) -> None:
    assert world.call("ADD", full(world)).code == 0
    assert world.call("ADD", full(world)).code == 106
    recreate_vfs(world)

    assert world.call("ADD", full(world)).code == 0
    assert world.call("CHECK", full(world)).code == 0


def test_a_renamed_pf_is_found_by_its_altname(world: World) -> None:
    """udev leaves the predictable name as an altname."""
    netlink = world.kernel.netlink
    pf = netlink.ifindex("enp1s0f0")
    world.kernel.rename(world.kernel.host, pf, "wan0")
    assert world.call("ADD", full(world)).code == 101
    netlink.add_altname(pf, "enp1s0f0")

    assert world.call("ADD", full(world)).code == 0
    assert world.call("CHECK", full(world)).code == 0


LONG = "enp1s0f0" + "x" * 119  # ALTIFNAMSIZ - 1 bytes


@pytest.mark.parametrize("name", ["uplink", "pci:0000:01:00.0", LONG, "ä" * 63])
@pytest.mark.parametrize("key", ["master", "pf"])
def test_a_pf_is_found_by_any_altname(world: World, name: str, key: str) -> None:
    netlink = world.kernel.netlink
    netlink.add_altname(netlink.ifindex("enp1s0f0"), name)
    conf = world.conf(
        **({"master": name} if key == "master" else {"master": None, "pf": {"names": ["no", name]}})
    )

    assert world.call("ADD", conf).code == 0
    assert world.call("STATUS", conf | {"cniVersion": "1.1.0"}).code == 0


@pytest.mark.parametrize("key", ["master", "pf"])
def test_an_altname_of_what_is_no_pf_is_refused(world: World, key: str) -> None:
    netlink = world.kernel.netlink
    netlink.add_altname(netlink.ifindex("enp1s0f0v0"), LONG)
    conf = world.conf(**({"master": LONG} if key == "master" else {"master": None, "pf": {"names": [LONG]}}))

    assert world.call("ADD", conf).code == (101 if key == "master" else 7)


def test_the_altname_of_a_bond_tells_its_ports(world: World) -> None:
    bond = world.kernel.add_link(world.kernel.host, "bond0", "bond")
    bond.altnames.append(LONG)
    slaves = world.kernel.root / "sys/class/net/bond0/bonding"
    slaves.mkdir()
    (slaves / "slaves").write_text("enp1s0f0\n")

    refused = world.call("ADD", world.conf(master=LONG))

    assert (refused.code, "enp1s0f0" in refused.text) == (7, True), refused.text


def test_a_long_altname_that_the_host_has_too_hinders_no_delete(world: World) -> None:
    """The pod gave it; the move home would be EEXIST."""
    before = world.settled()
    netlink = world.kernel.netlink
    assert world.call("ADD", full(world)).code == 0
    netlink.add_altname(netlink.ifindex("enp1s0f0"), LONG)
    world.pod_link().altnames.append(LONG)

    assert world.call("DEL", full(world)).code == 0

    netlink.del_altname(netlink.ifindex("enp1s0f0"), LONG)
    assert world.settled() == before


def test_the_mac_of_the_pf_itself_is_taken(world: World) -> None:
    (pf,) = world.kernel.pfs

    refused = world.call("ADD", full(world) | {"mac": pf.link.mac})

    assert (refused.code, "enp1s0f0 itself has it" in refused.text) == (103, True), refused.text


def test_a_vf_given_back_twice_is_not_deaf(world: World) -> None:
    """A DEL that could not drop its Record is tried again: the PF must still know the VF's own address then."""
    before = world.kernel.snapshot()
    assert world.call("ADD", full(world)).code == 0
    record = (world.state_dir / "c1@net1").read_text()
    assert world.call("DEL", full(world)).code == 0
    given_back = world.kernel.pfs[0].vfs[0].state.mac
    (world.state_dir / "c1@net1").write_text(record)

    assert world.call("DEL", full(world)).code == 0

    assert world.kernel.pfs[0].vfs[0].state.mac == given_back == before["host"]["links"][1]["mac"]


def test_a_record_that_does_not_know_counts_for_whatever_is_at_the_address(world: World) -> None:
    """As an earlier version wrote it."""
    before = world.snapshot()
    conf = world.conf(vlan=100, trust="on")
    assert world.call("ADD", conf).code == 0
    for path in (world.state_dir / "c1@net1", *(world.run_dir / "claims").iterdir()):
        record = json.loads(path.read_text())
        assert record.pop("vf_inode") > 0
        path.write_text(json.dumps(record))

    assert world.call("CHECK", conf).code == 0
    assert (world.call("DEL", conf).code, world.snapshot()) == (0, before)
