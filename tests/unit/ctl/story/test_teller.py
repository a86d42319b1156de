"""sriovctl explain on a fake node: what ADD and DEL left behind, told again."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests import podman
from tests.pages import table_rows
from tests.unit import dpdk
from tests.unit.ctl import taps
from tests.unit.ctl.doctor.tree import Tree
from tests.unit.ctl.recording import taken
from tests.unit.ctl.tool import sriovctl
from tests.world import World

ARGS = "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web;K8S_POD_UID=8a1f"
LOG = "/log"  # World.log_file, as sriovctl's root shows it


def add(world: World, container: str = "c1", args: str = ARGS, **keys: Any) -> None:
    reply = world.call("ADD", world.conf(ipam=world.ipam(), **keys), container, args=args)
    assert reply.code == 0, reply.text


def told(world: World, target: str, *options: str) -> dict[str, Any]:
    run = sriovctl(world, "--json", "explain", target, *options)
    assert run.status == 0, run.out
    return run.document


def steps(story: dict[str, Any]) -> list[tuple[str, str]]:
    return [(event["step"], event["what"]) for event in story["events"]]


@pytest.mark.parametrize(
    "target", ["c1", "c1/net1", "default/web", "web", "0000:01:10.0", "enp1s0f0:0", "enp1s0f0v0"]
)
def test_an_attachment_by_each_of_its_names(world: World, target: str) -> None:
    add(world, vlan=100)

    (story,) = told(world, target, "--log", LOG)["stories"]

    assert (story["containerID"], story["ifname"], story["network"]) == ("c1", "net1", "fast")
    assert (story["vf"], story["place"]) == ("0000:01:10.0", "enp1s0f0 vf 0")
    assert story["pod"] == {"namespace": "default", "name": "web", "uid": "8a1f"}
    assert story["reason"] == "the first free one of enp1s0f0"
    assert {("set", "vlan 100"), ("leased", "10.10.0.0/24"), ("ADD", "attached"), ("now", "attached")} <= {
        *steps(story)
    }


def test_the_document_is_the_pages(world: World) -> None:
    cells = [row[0] for row in table_rows("docs/explain.md")]
    page = {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}
    add(world)

    document = told(world, "c1", "--log", LOG)

    (story,) = document["stories"]
    assert {f"stories[].{key}[]" if key == "events" else f"stories[].{key}" for key in story} <= page
    assert {f"{key}[]" for key in document if key != "version"} <= page
    assert {frozenset(event) for event in story["events"]} == {
        frozenset({"time", "step", "what", "result", "isBad"})
    }


def test_why_that_vf(world: World) -> None:
    world.kernel.add_pf("enp1s0f1", "0000:01:00.1", numvfs=2)
    world.kernel.add_pod("/run/netns/pod2")
    world.kernel.add_pod("/run/netns/pod3")
    add(world, master=None, deviceID="0000:01:10.4")
    mac = next(link.mac for link in world.kernel.host.links.values() if link.name == "enp1s0f0v3")
    conf = world.conf(ipam=world.ipam(), mac=mac)
    assert world.call("ADD", conf, "c2", "/run/netns/pod2").code == 0
    conf = world.conf(ipam=world.ipam(), master=None, pf={"drivers": ["igb"]})
    assert world.call("ADD", conf, "c3", "/run/netns/pod3").code == 0

    why = {target: told(world, target)["stories"][0]["reason"] for target in ("c1", "c2", "c3")}

    assert why == {
        "c1": "asked for by its address",
        "c2": "the one that has the MAC asked for",
        "c3": "the first free one of enp1s0f1; claims before: enp1s0f0 2, enp1s0f1 0",
    }


def test_a_finished_one_is_told_from_the_log_alone(world: World) -> None:
    add(world, vlan=100)
    assert world.call("DEL", world.conf(ipam=world.ipam())).code == 0
    assert world.files() == []

    for target in ("c1", "default/web", "0000:01:10.0"):
        (story,) = told(world, target, "--log", LOG)["stories"]
        found = {what: event["result"] for event in story["events"] if (what := event["what"])}
        assert {"attached", "detached"} <= found.keys()
        assert "set vlan 100" in found["attached"]
        assert "the first free one of enp1s0f0" in found["attached"]
        assert story["vf"] == "0000:01:10.0"


def test_what_the_driver_refused_is_told(world: World) -> None:
    """igb has no link_state: the ADD fails as 100, and nothing but the log knows of it."""
    reply = world.call("ADD", world.conf(link_state="enable"))
    assert reply.code == 100

    (story,) = told(world, "c1", "--log", LOG)["stories"]

    failed = next(event for event in story["events"] if event["what"] == "failed")
    assert failed["isBad"]
    assert "code 100" in failed["result"]
    assert reply.document["msg"] in failed["result"]
    assert "undone" in [event["what"] for event in story["events"]]


def test_a_reclaim_by_another_ones_add_is_in_both_stories(world: World) -> None:
    world.kernel.add_pod("/run/netns/pod2")
    add(world, pf={"names": ["enp1s0f0"], "vfs": "0"}, master=None)
    world.kernel.kill_netns("/run/netns/pod1")
    conf = world.conf(ipam=world.ipam(), master=None, pf={"names": ["enp1s0f0"], "vfs": "0"})
    assert world.call("ADD", conf, "c2", "/run/netns/pod2").code == 0

    for target in ("c1", "c2"):
        (story,) = told(world, target, "--log", LOG)["stories"]
        assert "reclaimed" in [event["what"] for event in story["events"]], target


def test_a_log_is_found_by_the_configurations_of_the_runtimes(world: World) -> None:
    add(world)
    assert world.call("DEL", world.conf(ipam=world.ipam())).code == 0
    conf = {"name": "n", "plugins": [{"type": "sriov", "logFile": LOG}]}
    directory = world.root / "etc/cni/net.d"
    directory.mkdir(parents=True)
    (directory / "10.conflist").write_text(json.dumps(conf))

    document = told(world, "c1")

    assert document["logs"] == [LOG]
    assert "attached" in [event["what"] for event in document["stories"][0]["events"]]


def test_without_a_log_it_says_what_would_be_there_and_how(world: World) -> None:
    add(world, logFile=None)

    document = told(world, "c1")

    assert document["logs"] == []
    assert [note for note in document["notes"] if '"logFile": "/var/log/cni-sriov.log"' in note]


def test_a_log_that_is_gone_is_named(world: World) -> None:
    add(world)

    document = told(world, "c1", "--log", "/nowhere.log")

    assert "/nowhere.log is not there" in document["notes"]
    assert f"{world.log_file} is not there" in document["notes"], "which ADD used, by the Record"


@pytest.mark.parametrize("target", ["", "..", "nobody", "c1/net9", "default/nobody", "0000:01:1f.7"])
def test_nobody_is_called_so(world: World, target: str) -> None:
    add(world)

    run = sriovctl(world, "explain", target, "--log", LOG)

    assert (run.status, run.out) == (1, "")
    assert f"explain {target}: no container, pod or VF is called so" in run.err


def test_a_file_is_the_former_meaning_and_is_told(world: World, tmp_path: Path) -> None:
    conf = tmp_path / "x.conf"
    conf.write_text('{"type": "bridge"}')

    run = sriovctl(world, "explain", str(conf), "--runs", "1")

    assert run.status == 1
    assert f"this is `sriovctl profile {conf}` now; it takes a VF for a moment" in run.err
    assert "it has no plugin of type sriov" in run.err


@pytest.mark.parametrize("target", ["c2", "0000:01:10.0", "enp1s0f0:1"])
def test_a_recording_tells_the_same_story(world: World, tmp_path: Path, target: str) -> None:
    taken.node(world)
    file = taken.written(taken.recorded(world), tmp_path / "node.json.gz")

    live = taken.live(world, "--json", "explain", target).document
    again = taken.replayed(file, "--json", "explain", target).document

    assert again == live
    assert {"claimed", "now"} <= {event["step"] for event in again["stories"][0]["events"]}
    assert f"{world.log_file} is not there" in live["notes"]


def test_on_a_recording_nothing_is_profiled(world: World, tmp_path: Path) -> None:
    taken.node(world)
    file = taken.written(taken.recorded(world), tmp_path / "node.json.gz")

    run = taken.replayed(file, "explain", str(tmp_path / "x.conf"))

    assert run.status == 1
    assert "it needs a node" in run.err


def test_what_was_done_for_a_program_in_user_space(world: World) -> None:
    dpdk.furnish(world)
    tree = Tree(world.kernel.root)
    tree.device("0000:85:01.0", "vfio-pci", "90", device="0x4941", class_="0x0b4000")
    add(world, driver="vfio-pci", vlan=100, crypto="auto")

    (story,) = told(world, "c1", "--log", LOG)["stories"]

    rows = {(event["step"], event["what"]): event["result"] for event in story["events"]}
    assert rows["claimed", "VF 0000:01:10.0 (enp1s0f0 vf 0)"] == "the first free one of enp1s0f0"
    assert rows["driver", "vfio-pci"] == "was igbvf"
    assert rows["crypto", "0000:85:01.0"] == "a QAT VF, until DEL"
    assert rows["set", "vlan 100"] == "was 0"
    assert rows["leased", "10.10.0.0/24"]
    assert rows["now", "attached"] == ""
    assert ("wrote", str(world.cdi_dir / "cni-sriov.dev-vf_0000:01:10.0.json")) in rows


def test_one_that_was_bound_ahead_stays_there_and_without_an_accelerator_it_is_software(world: World) -> None:
    dpdk.furnish(world)
    dpdk.ahead(world, world.kernel.pfs[0].vfs[0])
    add(world, driver="vfio-pci", crypto="auto")

    (story,) = told(world, "c1", "--log", LOG)["stories"]

    rows = {(event["step"], event["what"]): event["result"] for event in story["events"]}
    assert rows["driver", "vfio-pci"] == "it was on that before, and stays there"
    assert rows["crypto", "software"] == "no QAT VF was free"
    assert rows["found", "vlan 0, spoofchk on, trust off"] == "what DEL puts back"


def test_a_tap_of_the_hosts_vpp_has_no_vf(world: World) -> None:
    taps.attach(world)

    (story,) = told(world, "c1/net1")["stories"]

    assert (story["vf"], story["place"]) == ("", f"a tap of VPP at {taps.SOCKET}")
    assert steps(story)[1:] == [
        ("claimed", f"a tap of VPP at {taps.SOCKET}"),
        ("tap", "tag cni-sriov/c1"),
        ("now", "attached"),
    ]
    assert sriovctl(world, "explain", "c1/net1").out.startswith(
        f"c1/net1: on a tap of VPP at {taps.SOCKET}\n"
    )


def test_podmans_container_is_asked_for_by_its_name(world: World) -> None:
    """podman 5 has no CNI_ARGS; its container's name counts as one of a pod."""
    network = podman.create(world)
    assert podman.call(world, "setup", podman.exec_call(network, "web")).exit_code == 0

    run = sriovctl(world, "explain", "web")

    assert run.status == 0, run.err
    assert "pod web" in run.out
