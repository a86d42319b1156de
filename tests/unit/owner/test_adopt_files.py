"""sriov-cni's files on a node: damaged and ambiguous ones, GC, orphans, status, and what our own calls pay for them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.drop_in import POD, SriovCni
from tests.unit.adopted import SETTINGS
from tests.unit.ctl.tool import sriovctl
from tests.world import Reply, World

OTHER = "/run/netns/pod2"


def kernel(world: World) -> dict[str, Any]:
    return world.kernel.snapshot()


DAMAGE: dict[str, Any] = {
    "empty": "",
    "cut": '{"OrigVfState":{"HostIFName":"enp1',
    "a list": "[]",
    "no state": {"OrigVfState": None},
    "state is text": {"OrigVfState": "x"},
    "deviceID a path": {"deviceID": "../../../etc"},
    "deviceID none": {"deviceID": None},
    "deviceID of the PF": {"deviceID": "0000:01:00.0"},
    "vlan too high": {"vlan": 99999},
    "vlan a list": {"vlan": [1]},
    "MAC a number": {"MAC": 5},
    "MAC a list": {"MAC": []},
    "link state": {"link_state": "up"},
    "network": {"name": "../x"},
    "ipam": {"ipam": [1]},
    "host name": {"OrigVfState.HostIFName": "a/b"},
    "host name long": {"OrigVfState.HostIFName": "x" * 16},
    "admin MAC": {"OrigVfState.AdminMAC": "zz"},
    "own MAC": {"OrigVfState.EffectiveMAC": "01:00:00:00:00:01"},
    "original vlan": {"OrigVfState.Vlan": -1},
    "original vlan true": {"OrigVfState.Vlan": True},
    "protocol": {"OrigVfState.VlanProto": 1},
    "LinkState": {"OrigVfState.LinkState": 9},
    "SpoofChk": {"OrigVfState.SpoofChk": "on"},
    "another interface": {"ContIFNames": "eth9"},
}  # fmt: skip


def spoil(path: Path, how: Any) -> None:
    if isinstance(how, str):
        path.write_text(how)
        return
    document = json.loads(path.read_text())
    for key, value in how.items():
        outer, _, inner = key.partition(".")
        (document[outer] if inner else document)[inner or outer] = value
    path.write_text(json.dumps(document))


@pytest.mark.parametrize("how", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_moves_nothing(world: World, old: SriovCni, how: Any) -> None:
    conf = old.add(**SETTINGS)
    spoil(world.state_dir / "c1-net1", how)
    there, files = kernel(world), old.files()

    replies = [world.call(verb, conf).code for verb in ("CHECK", "DEL", "DEL")]
    run = sriovctl(world, "--state-dir", str(world.state_dir), "status")
    collected = world.call("GC", world.conf(cniVersion="1.1.0", **{"cni.dev/valid-attachments": []}))

    assert replies == [107, 0, 0]
    assert (run.status, collected.code) == (0, 0), collected.text
    assert (kernel(world), old.files()) == (there, files)
    assert "cannot be used" in world.log_file.read_text()


@pytest.mark.parametrize("kind", ["symlink", "directory", "fifo"])
def test_what_is_no_file_is_left_alone(world: World, old: SriovCni, kind: str) -> None:
    conf = old.add(**SETTINGS)
    path = world.state_dir / "c1-net1"
    path.rename(world.root / "elsewhere")
    if kind == "symlink":
        path.symlink_to(world.root / "elsewhere")
    elif kind == "directory":
        path.mkdir()
    else:
        os.mkfifo(path)
    there = kernel(world)

    assert world.call("DEL", conf).code == 0
    assert kernel(world) == there


def collect(world: World, *keep: tuple[str, str], **keys: Any) -> Reply:
    kept = [{"containerID": container, "ifname": ifname} for container, ifname in keep]
    return world.call(
        "GC",
        world.conf(cniVersion="1.1.0", **{"cni.dev/valid-attachments": kept}, **keys),
        container="",
        netns="",
        ifname="",
    )


def test_gc_takes_its_own_networks_and_keeps_the_valid(world: World, old: SriovCni) -> None:
    before = kernel(world)
    old.add("c1", POD, "net1", 0, vlan=5)
    old.add("c2", OTHER, "net1", 1, vlan=6)
    old.add("c3", OTHER, "net2", 2, vlan=7, name="slow")

    reply = collect(world, ("c1", "net1"))

    assert reply.code == 0, reply.text
    assert [f for f in old.files() if "pci" not in f] == ["c1-net1", "c3-net2"]
    assert kernel(world)["vfs"]["0000:01:10.2"] == before["vfs"]["0000:01:10.2"]
    assert [vf.state.vlan for vf in world.kernel.pfs[0].vfs[:3]] == [5, 0, 7]


def test_gc_tells_names_apart_by_what_the_vf_is_called(world: World, old: SriovCni) -> None:
    before = kernel(world)
    old.add("a-b", POD, "c", 0)
    old.add("x", OTHER, "y-z", 1)

    assert collect(world, ("a", "b-c"), ("x", "y-z")).code == 0
    assert collect(world, ("a-b", "c"), ("x-y", "z")).code == 0
    assert len([f for f in old.files() if "pci" not in f]) == 2, "whoever may be meant is kept"
    assert collect(world).code == 0
    assert (kernel(world), old.files()) == (before, [])


def test_gc_leaves_alone_what_it_cannot_tell_apart(world: World, old: SriovCni) -> None:
    old.add("a-b", POD, "c")
    pod = world.kernel.open_netns(POD)
    inside = world.kernel.pod_netlink(pod)
    inside.set_down(inside.ifindex("c"))
    inside.set_name(inside.ifindex("c"), "renamed")

    assert collect(world).code == 0
    assert "cannot be told apart" in world.log_file.read_text()
    assert old.files() == ["a-b-c", "pci/0000:01:10.0"]


def test_a_file_that_breaks_a_look_hides_no_other(
    world: World, old: SriovCni, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the first, the VF's look-up runs into what nobody thought of."""
    old.add("c1")
    old.add("c2", OTHER, index=1, **(SETTINGS | {"mac": "02:00:00:00:aa:02"}))
    index = type(world.kernel.sysfs).vf_index

    def broken(sysfs: Any, vf: str) -> int | None:
        if vf == "0000:01:10.0":
            raise ModuleNotFoundError("No module named 'collections.abc'")
        return index(sysfs, vf)

    monkeypatch.setattr(type(world.kernel.sysfs), "vf_index", broken)

    shown = sriovctl(world, "--state-dir", str(world.state_dir), "status", "--json").document["pfs"][0]["vfs"]
    assert [vf["owner"]["containerID"] for vf in shown if vf["owner"]] == ["c2"]
    reply = collect(world)
    assert (reply.code, "c1/net1: bug in cni-sriov at " in reply.text) == (11, True)
    assert [file for file in old.files() if "pci" not in file] == ["c1-net1"]


def test_an_orphan_is_given_back_before_it_is_taken(world: World, old: SriovCni) -> None:
    """Else its VLAN would be the next one's baseline."""
    before = kernel(world)
    for index in range(7):
        pod = f"/run/netns/p{index}"
        world.kernel.add_pod(pod)
        old.add(f"p{index}", pod, index=index, **(SETTINGS | {"mac": f"02:00:00:00:bb:0{index}"}))
    assert world.call("ADD", world.conf()).code == 11
    world.kernel.kill_netns("/run/netns/p3")

    added = world.call("ADD", world.conf())

    assert added.code == 0, added.text
    assert "reclaimed" in world.log_file.read_text()
    assert "p3-net1" not in old.files()
    assert world.call("DEL", world.conf()).code == 0
    assert kernel(world)["vfs"]["0000:01:10.6"] == before["vfs"]["0000:01:10.6"]


def test_status_and_gc_of_the_tool_know_its_owner(world: World, old: SriovCni) -> None:
    before = kernel(world)
    old.add("c1", vlan=5)
    argv = ("--state-dir", str(world.state_dir))

    (pf,) = sriovctl(world, *argv, "status", "--json").document["pfs"]
    assert pf["vfs"][0]["owner"] == {
        "containerID": "c1",
        "ifname": "net1",
        "network": "fast",
        "netns": POD,
        **dict.fromkeys(("pod", "podNamespace", "podName", "podUID", "since"), ""),
    }
    assert "1 attached" in sriovctl(world, *argv, "status").out
    assert "nothing taken back" in sriovctl(world, *argv, "gc").out
    world.kernel.kill_netns(POD)
    world.kernel.add_pod(POD)
    assert "1 would be taken back" in sriovctl(world, *argv, "gc", "--dry-run").out
    assert old.files() == ["c1-net1", "pci/0000:01:10.0"]
    assert "1 taken back" in sriovctl(world, *argv, "gc").out
    assert (kernel(world), old.files()) == (before, [])
