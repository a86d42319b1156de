"""VPP is down, hangs, or was started anew; pods that died; what CHECK and STATUS see of an attachment to the host's VPP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cni_sriov.kernel import vppapi
from tests.unit.verbs.calls import NEW
from tests.vpp.world import TAP, VppWorld

POD = "/run/netns/pod1"
NOBODY: dict[str, Any] = {"cni.dev/valid-attachments": []}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[VppWorld]:
    with VppWorld(tmp_path) as world:
        yield world


# VPP is away ----------------------------------------------------------------------------------------------------------


def test_add_without_vpp_changes_nothing(world: VppWorld) -> None:
    world.server.stop()
    before = world.snapshot()
    reply = world.call("ADD", world.conf())
    assert (reply.code, "is it running" in reply.text) == (11, True)
    assert world.snapshot() == before


def test_add_does_not_wait_for_ever(world: VppWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vppapi, "PATIENCE_S", 0.05)
    world.server.is_silent = True
    before = world.snapshot()
    assert world.call("ADD", world.conf()).code == 11
    assert world.snapshot() == before


def test_del_while_vpp_is_down_is_success_and_the_next_one_finishes(world: VppWorld) -> None:
    """It was stopped, not ended: it still has the tap when it listens again."""
    before = world.snapshot()
    world.add()
    world.server.stop()
    world.kernel.kill_netns(POD)

    assert world.call("DEL", world.conf(), netns="").code == 0
    assert [name for name in world.files() if "lease" in name or "owner" in name] == []
    assert "state/c1@net1" in world.files()

    world.server.start()
    assert world.call("DEL", world.conf(), netns="").code == 0
    world.kernel.add_pod(POD)
    assert world.snapshot() == before


@pytest.mark.parametrize("verb", ["GC", "ADD"])
def test_what_waits_for_vpp_is_finished_by_whoever_comes(world: VppWorld, verb: str) -> None:
    world.add("c1")
    world.server.stop()
    world.kernel.kill_netns(POD)
    assert world.call("DEL", world.conf(), "c1", netns="").code == 0
    world.server.start()

    if verb == "ADD":
        world.add("c2", "/run/netns/pod2")
    else:
        assert world.call("GC", world.conf(**NEW, **NOBODY), "", "", "").code == 0

    tags = [port.tag.split("/")[1] for port in world.node.ports.values() if port.tag]
    assert tags == (["c2"] if verb == "ADD" else [])
    assert "state/c1@net1" not in world.files()


def test_vpp_was_started_anew(world: VppWorld) -> None:
    """Its taps went with it; another one has the index now, and stays."""
    before = world.snapshot()
    world.add()
    world.server.die()
    world.server.begin()
    world.kernel.add_pod("/run/netns/other")
    world.node.make_tap(0xFFFFFFFF, "/run/netns/other", "eth0", bytes(6), 0, "somebody's")

    assert world.call("DEL", world.conf(), netns="").code == 0
    assert [port.tag for port in world.node.ports.values()] == ["", "", "somebody's"]
    world.node.delete_tap(2)
    del world.kernel.pods["/run/netns/other"]
    assert world.snapshot() == before


def test_a_pod_that_may_still_use_its_address_keeps_it(
    world: VppWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """VPP hangs, and the tap is in a netns that lives."""
    world.add()
    monkeypatch.setattr(vppapi, "PATIENCE_S", 0.05)
    world.server.is_silent = True

    assert world.call("DEL", world.conf(), netns="").code == 0
    assert any("leases/10.10.0.0_24" in name for name in world.files())
    world.server.is_silent = False
    assert world.call("DEL", world.conf(), netns="").code == 0
    assert not any("leases/" in name for name in world.files())


def test_it_keeps_it_under_another_name_too(world: VppWorld) -> None:
    """The container may rename the tap, and has its address all the same."""
    world.add()
    links = world.kernel.pods[POD].links
    link = world.pod_link()
    link.name = "mine"
    assert [one.name for one in links.values()] == ["lo", "mine"]
    world.server.stop()

    assert world.call("DEL", world.conf(), netns="").code == 0
    assert [name for name in world.files() if "lease" in name or "owner" in name] != []

    world.server.start()
    assert world.call("DEL", world.conf(), netns="").code == 0
    assert [name for name in world.files() if "lease" in name or "owner" in name] == []


def test_many_taps_wait_for_a_silent_vpp_once(world: VppWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(3):
        world.add(f"c{n}", f"/run/netns/p{n}")
    monkeypatch.setattr(vppapi, "PATIENCE_S", 0.05)
    began: list[str] = []
    real = vppapi.Talk.__init__

    def begin(self: vppapi.Talk, path: str) -> None:
        began.append(path)
        real(self, path)

    monkeypatch.setattr(vppapi.Talk, "__init__", begin)
    world.server.is_silent = True

    assert world.call("GC", world.conf(**NEW, **NOBODY), "", "", "").code == 0
    assert len(began) == 1


def test_a_tap_by_another_socket_is_not_touched(world: VppWorld) -> None:
    """DEL goes by the Record: a conf that names another VPP since is not what ADD made it with."""
    world.add()
    conf = world.conf(vpp={"mode": "host", "socket": "/run/vpp/other.sock"})
    assert world.call("DEL", conf, netns="").code == 0
    assert [port.tag for port in world.node.ports.values() if port.tag] == []


# GC, reclaim ----------------------------------------------------------------------------------------------------------


def test_gc_without_a_list_takes_what_is_dead(world: VppWorld) -> None:
    world.add("c1")
    world.add("c2", "/run/netns/pod2")
    world.kernel.kill_netns("/run/netns/pod2")

    assert world.call("GC", world.conf(**NEW), "", "", "").code == 0
    assert [port.tag.split("/")[1] for port in world.node.ports.values() if port.tag] == ["c1"]


def test_an_exhausted_pool_takes_back_dead_pods_with_their_taps(world: VppWorld) -> None:
    """And what VPP had for them is free then: it is asked anew."""
    ipam = world.ipam(pools=[{"subnet": "10.10.0.0/23", "prefixLength": 24}])
    for n in range(2):
        world.add(f"c{n}", f"/run/netns/p{n}", ipam=ipam)
    world.kernel.kill_netns("/run/netns/p0")

    world.add("c2", "/run/netns/p2", ipam=ipam)

    assert [port.tag.split("/")[1] for port in world.node.ports.values() if port.tag] == ["c1", "c2"]


def test_a_request_for_what_a_dead_pod_has(world: VppWorld) -> None:
    world.add("c1")
    world.kernel.kill_netns(POD)
    reply = world.add("c2", "/run/netns/pod2", args={"cni": {"ips": ["10.10.0.9"]}})
    assert reply.document["ips"][0]["address"] == "10.10.0.9/24"


def test_a_living_pod_s_lease_stays(world: VppWorld) -> None:
    ipam = world.ipam(pools=[{"subnet": "10.10.0.0/24", "prefixLength": 24}])
    world.add(ipam=ipam)
    world.kernel.add_pod("/run/netns/p2")
    assert world.call("ADD", world.conf(ipam=ipam), "c2", "/run/netns/p2").code == 11
    assert any("leases/10.10.0.0_24" in name for name in world.files())


def test_another_state_dir_finds_it(world: VppWorld) -> None:
    """The conf was changed since ADD."""
    before = world.snapshot()
    world.add()
    assert world.call("DEL", world.conf(stateDir=str(world.root / "elsewhere")), netns="").code == 0
    assert world.snapshot() == before


# CHECK, STATUS --------------------------------------------------------------------------------------------------------


def checked(world: VppWorld, **keys: Any) -> str:
    reply = world.call("CHECK", world.conf(**keys))
    assert reply.code in {0, 107}, reply.text
    return str(reply.document.get("details", ""))


def test_check_sees_what_is_there(world: VppWorld) -> None:
    prev = world.add().document
    assert checked(world, prevResult=prev) == ""


def test_check_sees_what_differs(world: VppWorld) -> None:
    world.add()
    tap, link = world.node.port(TAP), world.pod_link()
    tap.up, tap.mtu = False, 9000
    tap.addresses.clear()
    link.addresses.clear()
    assert checked(world).split("; ") == [
        "address 10.10.0.2/24 is missing",
        "VPP's tap0 is down",
        "MTU of VPP's tap0 is 9000, not 1500",
        "address 10.10.0.1/24 of VPP's tap0 is missing in table 0",
    ]


def test_check_sees_a_tap_that_went_with_its_vpp(world: VppWorld) -> None:
    world.add()
    world.server.die()
    assert checked(world).split("; ")[0] == "interface net1 is missing"
    assert "is it running" in checked(world)
    world.server.begin()
    assert "was it started anew?" in checked(world)


def test_check_knows_it_by_the_tag(world: VppWorld) -> None:
    """After a rename the old name is unknown."""
    world.add()
    world.node.port(TAP).name = "uplink"
    assert checked(world) == ""
    world.node.port("uplink").tag = ""
    assert "VPP has no interface with the tag" in checked(world)


def test_status_tells_whether_vpp_answers(world: VppWorld) -> None:
    conf = world.conf(**NEW)
    codes = [world.call("STATUS", conf).code]
    world.server.stop()
    codes.append(world.call("STATUS", conf).code)
    world.server.start()
    world.add()
    world.server.stop()
    codes.append(world.call("STATUS", conf).code)
    assert codes == [0, 50, 51]
