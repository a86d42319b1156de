"""A VF whose name in the host was taken when it came home: it gets it back, and the odd one is nobody's baseline."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fakes import FakeLink
from tests.unit.ctl.tool import sriovctl
from tests.unit.one_port import at_home
from tests.world import World

VF, NAME = "0000:01:10.0", "enp1s0f0v0"


@pytest.fixture
def conf(world: World) -> dict[str, Any]:
    world.kernel.add_pod("/run/netns/pod2")
    return world.conf(master=None, deviceID=VF)


def take_name(world: World) -> FakeLink:
    """As a tunnel of the operator may have it, or another VF that came home under its pod's name for it."""
    return world.kernel.add_link(world.kernel.host, NAME)


def with_odd_name(world: World, conf: dict[str, Any]) -> FakeLink:
    assert world.call("ADD", conf).code == 0
    thief = take_name(world)
    assert world.call("DEL", conf).code == 0
    assert at_home(world).name != NAME
    return thief


def give_name_back(world: World, thief: FakeLink) -> None:
    world.kernel.destroy(thief)


def other_del(world: World, conf: dict[str, Any]) -> int:
    other = conf | {"deviceID": "0000:01:10.2"}
    added = world.call("ADD", other, "c2", "/run/netns/pod2").code
    return added or world.call("DEL", other, "c2", "/run/netns/pod2").code


def same_pair(world: World, conf: dict[str, Any]) -> int:
    return world.call("ADD", conf).code or world.call("DEL", conf).code


def gc(world: World, conf: dict[str, Any]) -> int:
    return world.call("GC", conf | {"cniVersion": "1.1.0", "cni.dev/valid-attachments": []}).code


def sriovctl_gc(world: World, _: dict[str, Any]) -> int:
    return sriovctl(world, "gc").status


@pytest.mark.parametrize("up", [False, True], ids=["down", "up"])
@pytest.mark.parametrize("call", [other_del, same_pair, gc, sriovctl_gc])
def test_the_next_call_gives_it_its_name(world: World, conf: dict[str, Any], call: Any, up: bool) -> None:
    at_home(world).is_up = up
    before = world.snapshot()
    give_name_back(world, with_odd_name(world, conf))

    assert call(world, conf) == 0

    call(world, conf)  # what stands for it goes at the latest by then
    assert world.snapshot() == before


def test_while_it_is_taken_the_vf_serves_under_another_name(world: World, conf: dict[str, Any]) -> None:
    before = world.snapshot()
    thief = with_odd_name(world, conf)

    for _ in range(2):
        assert world.call("ADD", conf).code == 0
        assert world.call("CHECK", conf).code == 0
        assert world.call("DEL", conf).code == 0
    assert world.call("ADD", conf).code == 0
    give_name_back(world, thief)
    assert world.call("DEL", conf).code == 0

    assert other_del(world, conf) == 0
    assert world.snapshot() == before


def test_another_vf_at_that_address_is_not_meant(world: World, conf: dict[str, Any]) -> None:
    give_name_back(world, with_odd_name(world, conf))
    pf = world.kernel.pfs[0]
    world.kernel.change_numvfs(pf, 0)
    world.kernel.change_numvfs(pf, 7)
    world.kernel.rename(world.kernel.host, world.kernel.netlink.ifindex(NAME), "ens1v0")

    assert gc(world, conf) == 0

    assert at_home(world).name == "ens1v0"
    assert list((world.run_dir / "names").iterdir()) == []


@pytest.mark.parametrize("text", ["", "{", '{"ifname": 5, "inode": 1}', '{"inode": []}', "\udcff"])
def test_a_damaged_file_hinders_nobody(world: World, conf: dict[str, Any], text: str) -> None:
    (world.run_dir / "names").mkdir(parents=True, mode=0o700)
    world.run_dir.chmod(0o700)
    file = world.run_dir / "names" / VF
    file.write_bytes(text.encode("utf-8", "surrogateescape"))

    assert [world.call(verb, conf).code for verb in ("ADD", "CHECK", "DEL")] == [0, 0, 0]
    assert other_del(world, conf) == 0

    assert file.read_bytes() == text.encode("utf-8", "surrogateescape"), "`sriovctl gc --forget` is for that"


@pytest.mark.parametrize("change", [{"format": 2}, {"inode": "x"}, {"ifname": "../x"}])
def test_what_another_version_remembers_stays(
    world: World, conf: dict[str, Any], change: dict[str, Any]
) -> None:
    """GC settles names; of one that it cannot read it does not say that there is none."""
    (world.run_dir / "names").mkdir(parents=True, mode=0o700)
    world.run_dir.chmod(0o700)
    file = world.run_dir / "names" / VF
    file.write_text(json.dumps({"format": 1, "ifname": "ens1v0", "inode": 1} | change))

    assert gc(world, conf) == 0

    assert file.exists()


@pytest.mark.parametrize("there", ["a file", "a directory of the VF's name", "a symlink"])
def test_where_the_name_cannot_be_kept_the_vf_is_given_back_all_the_same(
    world: World, conf: dict[str, Any], there: str
) -> None:
    assert world.call("ADD", conf).code == 0
    take_name(world)
    names = world.run_dir / "names"
    if there == "a file":
        names.touch()
    else:
        names.mkdir(mode=0o700)
        (names / VF).mkdir() if there.startswith("a dir") else (names / VF).symlink_to("/dev/null")

    assert world.call("DEL", conf).code == 0
    assert same_pair(world, conf) == 0


@pytest.mark.parametrize("name", ["a-name-of-16-byte", "a/b", "a b", "..", "", 5, None])
def test_what_is_no_name_is_not_given(world: World, conf: dict[str, Any], name: Any) -> None:
    world.run_dir.mkdir(mode=0o700)
    names = world.run_dir / "names"
    names.mkdir(mode=0o700)
    (names / VF).write_text(json.dumps({"ifname": name, "inode": world.kernel.sysfs.inode(VF)}))

    assert same_pair(world, conf) == 0

    assert at_home(world).name == NAME
