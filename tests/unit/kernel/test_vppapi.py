"""The client of VPP's binary API: what it takes for an answer, and for how long it waits for one."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cni_sriov.kernel import vppapi
from cni_sriov.kernel.vpp import Vpp
from cni_sriov.words.errors import VppAway, VppRefused
from tests.vpp.world import VppWorld

NETNS = "/run/netns/pod1"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[VppWorld]:
    with VppWorld(tmp_path) as world:
        yield world


def connect(world: VppWorld) -> Vpp:
    return Vpp(str(world.server.path))


def test_numbers_are_of_the_running_vpp(world: VppWorld) -> None:
    """And another one after it was started anew."""
    for _ in range(3):
        with connect(world) as vpp:
            assert [found.name for found in vpp.interfaces()] == ["local0", "net1"]
        world.server.stop()
        world.server.start()


def test_a_tap_is_as_it_was_asked(world: VppWorld) -> None:
    with connect(world) as vpp:
        index = vpp.make_tap(NETNS, "net1", "02:00:00:00:aa:01", 1400, "cni-sriov/c1/net1/0")
        vpp.set_mtu(index, 1400)
        vpp.set_up(index)
        vpp.add_address(index, "10.1.0.1/24")
        vpp.add_address(index, "fd00::1/64")
        found = vpp.tagged("cni-sriov/c1/net1/0")
        held = vpp.addresses([index])

    assert [(one.index, one.name, one.is_up, one.mtu) for one in found] == [(index, "tap0", True, 1400)]
    assert held == [(index, "10.1.0.1/24"), (index, "fd00::1/64")]
    link = world.pod_link()
    assert (link.mac, link.mtu, link.kind) == ("02:00:00:00:aa:01", 1400, "tun")


def test_addresses_are_those_of_one_table(world: VppWorld) -> None:
    """The card's IPv4 is in table 7, its IPv6 is not."""
    world.node.tables |= {(7, 4), (7, 6)}
    world.node.set_table(1, 4, 7)
    with connect(world) as vpp:
        for address in ("192.0.2.1/24", "2001:db8::1/64"):
            vpp.add_address(1, address)
        told = [vpp.addresses([0, 1], table) for table in (0, 7, None)]

    v4, v6 = (1, "192.0.2.1/24"), (1, "2001:db8::1/64")
    assert told == [[v6], [v4], [v4, v6]]


def test_what_vpp_refuses_has_its_retval(world: VppWorld) -> None:
    with connect(world) as vpp:
        vpp.add_address(1, "10.1.0.1/24")
        asked: list[tuple[int, Callable[[], object]]] = [
            (-2, lambda: vpp.delete_tap(1)),
            (-2, lambda: vpp.set_up(9)),
            (-3, lambda: vpp.set_table(1, 7)),
            (-12, lambda: vpp.make_tap("/run/netns/nobody", "net1", None, None, "x")),
            (-105, lambda: vpp.add_address(1, "10.1.0.1/16")),
        ]
        for retval, act in asked:
            with pytest.raises(VppRefused) as refused:
                act()
            assert refused.value.retval == retval


def test_its_cli_tells_why(world: VppWorld) -> None:
    with connect(world) as vpp:
        vpp.add_address(1, "10.1.0.1/24")
        index = vpp.make_tap(NETNS, "net1", None, None, "x")
        told = [vpp.say(f"set interface ip address tap0 10.{n}.0.2/24") for n in (1, 2)]
        held = vpp.addresses([index])

    assert told[0] == (
        "set interface ip address: failed to add 10.1.0.2/24 on tap0 which conflicts with 10.1.0.1/24 for interface net1"
    )
    assert (told[1], held) == ("", [(index, "10.2.0.2/24")])


def test_events_that_nobody_asked_for_are_passed_over(world: VppWorld) -> None:
    world.server.events = 3
    with connect(world) as vpp:
        assert len(vpp.interfaces()) == 2


def test_more_interfaces_than_a_batch(world: VppWorld) -> None:
    for n in range(300):
        world.node._add(f"loop{n}", "loopback")  # noqa: SLF001
    with connect(world) as vpp:
        vpp.add_address(301, "10.1.0.1/24")
        found = vpp.interfaces()
        assert (len(found), vpp.addresses([one.index for one in found], 0)) == (302, [(301, "10.1.0.1/24")])


# who is there ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tap_create_v3", "tap_create_v3_reply"])
def test_another_crc_is_told_with_its_version(world: VppWorld, name: str) -> None:
    ours = next(one for one in world.server.names if one.rpartition("_")[0] == name)
    world.server.stop()
    world.server.names[world.server.names.index(ours)] = f"{name}_0badcafe"
    world.server.start()
    with connect(world) as vpp, pytest.raises(VppAway) as error:
        vpp.make_tap(NETNS, "net1", None, None, "x")

    assert (error.value.code, world.node.snapshot()[2:]) == (5, [])
    assert error.value.msg == (
        f"speak with VPP 23.06-release at {world.server.path}: it has {name}_0badcafe, and we know {ours}"
    )


def test_a_plugin_that_is_not_loaded(world: VppWorld) -> None:
    world.server.stop()
    world.server.names.remove("tap_create_v3_3f3fd1df")
    world.server.start()
    with connect(world) as vpp, pytest.raises(VppAway, match=r"it has no tap_create_v3, .*plugin tap"):
        vpp.make_tap(NETNS, "net1", None, None, "x")


def test_nobody_is_there(tmp_path: Path, world: VppWorld) -> None:
    """A socket file that VPP left behind, none, none that is a socket, a path that can be none."""
    world.server.stop()
    (tmp_path / "file").touch()
    for path in (world.server.path, tmp_path / "nothing", tmp_path / "file", f"/{'x' * 200}"):
        with pytest.raises(VppAway) as error:
            Vpp(str(path))
        assert (error.value.code, str(path) in error.value.msg) == (11, True)


@pytest.mark.parametrize("shaken", [False, True])
def test_one_that_hangs_is_not_waited_for_for_ever(
    world: VppWorld, monkeypatch: pytest.MonkeyPatch, shaken: bool
) -> None:
    monkeypatch.setattr(vppapi, "PATIENCE_S", 0.05)
    world.server.is_silent = not shaken

    def talk() -> None:
        with connect(world) as vpp:
            world.server.is_silent = True
            vpp.interfaces()

    with pytest.raises(VppAway, match=r"no answer for 0.05 s \(it may hang") as error:
        talk()
    assert error.value.code == 11


def test_one_that_sends_a_byte_now_and_then_is_not_waited_for_either(
    world: VppWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is always something to read, and the time is over all the same."""
    clock = iter(range(1000))
    with connect(world) as vpp:
        monkeypatch.setattr("time.monotonic", lambda: float(next(clock)))
        world.server.events = 1 << 12
        with pytest.raises(VppAway, match="no answer for 20 s"):
            vpp.interfaces()


def test_it_dies_in_between(world: VppWorld) -> None:
    with connect(world) as vpp:
        world.server.stop()
        with pytest.raises(VppAway):
            vpp.interfaces()


# what is not believed -------------------------------------------------------------------------------------------------


def longer(frame: bytes) -> bytes:
    return struct.pack(">QII", 0, 1 << 30, 0) + frame[16:]


def cut(frame: bytes) -> bytes:
    return struct.pack(">QII", 0, len(frame) - 17, 0) + frame[16:-1]


def empty(_: bytes) -> bytes:
    return struct.pack(">QII", 0, 0, 0)


def of_another(frame: bytes) -> bytes:
    """As if it answered something else."""
    return frame[:16] + b"\0\1" + frame[18:]


@pytest.mark.parametrize("mangle", [longer, cut, empty, of_another])
@pytest.mark.parametrize("shaken", [False, True])
def test_what_does_not_speak_as_vpp_is_not_taken_for_one(
    world: VppWorld, mangle: Callable[[bytes], bytes], shaken: bool
) -> None:
    def talk() -> None:
        with connect(world) as vpp:
            world.server.mangle = mangle
            vpp.interfaces()

    if not shaken:
        world.server.mangle = mangle
    with pytest.raises(VppAway) as error:
        talk()
    assert (error.value.code, "does not speak VPP's API" in error.value.details) == (5, True)


def test_a_flood_ends(world: VppWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vppapi, "_MOST", 1 << 14)
    world.server.events = 1 << 12
    with connect(world) as vpp, pytest.raises(VppAway, match="more than 16384 bytes"):
        vpp.interfaces()


def test_what_vpp_tells_is_fit_for_a_log(world: VppWorld) -> None:
    world.node.ports[1].name = "a\nb\x1b[31m"
    with connect(world) as vpp:
        assert [found.name for found in vpp.interfaces()] == ["local0", "a b [31m"]


def test_a_prefix_that_cannot_be_is_none(world: VppWorld) -> None:
    with connect(world) as vpp:
        vpp.add_address(1, "10.1.0.1/24")
        world.server.mangle = lambda frame: frame[:-1] + b"\x63" if len(frame) == 44 else frame  # /99
        assert vpp.addresses([1]) == []
