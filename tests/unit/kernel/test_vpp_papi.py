"""A second opinion: VPP's own client in Python, vpp_papi, sends the same bytes, and the stand-in's answers mean the same to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import vpp_papi

from cni_sriov.kernel.vpp import Vpp
from tests.vpp import definitions
from tests.vpp.world import VppWorld

HANDSHAKE = Path(vpp_papi.__file__).with_name("data") / "memclnt.api.json"
NETNS = "/run/netns/pod1"
V4, V6 = bytes([10, 1, 0, 1]) + bytes(12), bytes.fromhex("fd00" + "00" * 13 + "01")
TAP: dict[str, Any] = {
    "id": 0xFFFFFFFF,
    "use_random_mac": True,
    "num_rx_queues": 1,
    "num_tx_queues": 1,
    "tx_ring_sz": 256,
    "rx_ring_sz": 256,
    "host_namespace_set": True,
    "host_namespace": NETNS,
    "host_if_name_set": True,
    "host_if_name": "net1",
    "tag": "cni-sriov/c1/net1/0",
}
FULL = TAP | {
    "host_mtu_set": True,
    "host_mtu_size": 1400,
    "host_mac_addr_set": True,
    "host_mac_addr": bytes.fromhex("02000000aa01"),
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[VppWorld]:
    with VppWorld(tmp_path) as world:
        yield world


@pytest.fixture
def papi(world: VppWorld, tmp_path: Path) -> Iterator[Any]:
    client = vpp_papi.VPPApiClient(
        apifiles=[definitions.write(tmp_path / "vpp.api.json"), str(HANDSHAKE)],
        server_address=str(world.server.path),
        use_socket=True,
    )
    client.connect("second opinion")
    yield client.api
    client.disconnect()


@pytest.fixture
def vpp(world: VppWorld) -> Iterator[Vpp]:
    with Vpp(str(world.server.path)) as vpp:
        yield vpp


SAME: dict[str, tuple[Callable[[Vpp], object], dict[str, Any]]] = {
    "tap_create_v3": (lambda vpp: vpp.make_tap(NETNS, "net1", None, None, TAP["tag"]), TAP),
    "tap_create_v3 with MAC and MTU": (
        lambda vpp: vpp.make_tap(NETNS, "net1", "02:00:00:00:aa:01", 1400, TAP["tag"]),
        FULL,
    ),
    "tap_delete_v2": (lambda vpp: vpp.delete_tap(2), {"sw_if_index": 2}),
    "sw_interface_set_flags": (lambda vpp: vpp.set_up(1), {"sw_if_index": 1, "flags": 1}),
    "sw_interface_set_mtu": (lambda vpp: vpp.set_mtu(1, 1400), {"sw_if_index": 1, "mtu": [1400, 0, 0, 0]}),
    "sw_interface_set_table": (
        lambda vpp: vpp.set_table(1, 0),
        {"sw_if_index": 1, "is_ipv6": True, "vrf_id": 0},
    ),
    "sw_interface_add_del_address": (
        lambda vpp: vpp.add_address(1, "10.1.0.1/24"),
        {"sw_if_index": 1, "is_add": True, "af": 0, "address": V4, "len": 24},
    ),
    "sw_interface_add_del_address of IPv6": (
        lambda vpp: vpp.add_address(1, "fd00::1/64"),
        {"sw_if_index": 1, "is_add": True, "af": 1, "address": V6, "len": 64},
    ),
    "sw_interface_dump": (lambda vpp: vpp.interfaces(), {"sw_if_index": 0xFFFFFFFF}),
    "ip_address_dump": (lambda vpp: vpp.addresses([1]), {"sw_if_index": 1, "is_ipv6": True}),
    "sw_interface_get_table": (lambda vpp: vpp.addresses([1], 0), {"sw_if_index": 1, "is_ipv6": True}),
    "cli_inband": (lambda vpp: vpp.say("show version"), {"cmd": "show version"}),
}


@pytest.mark.parametrize("what", SAME)
def test_both_send_the_same_bytes(world: VppWorld, papi: Any, vpp: Vpp, what: str) -> None:
    ours, theirs = SAME[what]
    name = what.partition(" ")[0]
    for index in (2, 3):  # each deletes its own
        world.node.make_tap(0xFFFFFFFF, NETNS, f"old{index}", bytes(6), 0, "")

    def sent() -> bytes:
        return [body for heard, body in world.server.heard if heard == name][-1]

    ours(vpp)
    first = sent()
    world.server.heard.clear()
    getattr(papi, name)(**theirs)

    assert first == sent()


def test_the_stand_in_says_the_same_to_both(world: VppWorld, papi: Any, vpp: Vpp) -> None:
    made = papi.tap_create_v3(**FULL)
    for af, address, length in ((0, V4, 24), (1, V6, 64)):
        done = papi.sw_interface_add_del_address(
            sw_if_index=made.sw_if_index, is_add=True, af=af, address=address, len=length
        )
        assert done.retval == 0
    theirs = [
        (one.sw_if_index, one.interface_name, one.tag, bool(one.flags & 1), one.mtu[0])
        for one in papi.sw_interface_dump(sw_if_index=0xFFFFFFFF)
    ]
    ours = [(one.index, one.name, one.tag, one.is_up, one.mtu) for one in vpp.interfaces()]

    assert (made.retval, ours) == (0, theirs)
    assert vpp.addresses([made.sw_if_index], 0) == [(2, "10.1.0.1/24"), (2, "fd00::1/64")]
    assert papi.show_version().version == world.node.version
    assert papi.cli_inband(cmd="set interface ip address net1 10.1.0.2/24").reply == vpp.say(
        "set interface ip address net1 10.1.0.2/24"
    )
    assert [papi.tap_delete_v2(sw_if_index=index).retval for index in (2, 2, 1)] == [0, -2, -2]
