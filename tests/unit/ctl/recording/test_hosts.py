"""The node's faces, spied on and replayed: pods, namespaces, devlink; nothing changes, nothing unknown is absent."""

from __future__ import annotations

import io
from errno import ENODATA
from pathlib import Path

import pytest

from cni_sriov.ctl.recording import replay
from cni_sriov.ctl.recording.camera import Camera
from cni_sriov.ctl.recording.hosts import RecordedHost, SpyFiles, SpyHost
from cni_sriov.ctl.recording.recording import Node, Recording
from cni_sriov.ctl.tool import Tool
from cni_sriov.kernel.netns import OWN
from cni_sriov.vf.host import Host
from cni_sriov.words.errors import BadNetns, InputOutput, KernelRefused
from tests.unit.ctl.tool import attach, host
from tests.world import World

POD = "/run/netns/pod1"


@pytest.fixture
def kept(world: World) -> Recording:
    attach(world)
    recording = Recording(node=Node(boot_id=world.boot_id, run_dir="/r", state_dir="/s", data_dir="/d"))
    spy = SpyHost(host(world), recording, Camera("", recording.tree))
    with spy.open_path(POD) as netns, spy.netlink_in(netns) as pod:
        assert pod.link("net1") is not None
    with pytest.raises(BadNetns):
        spy.open_path("/run/netns/gone")
    spy.open_path(OWN)
    spy.live_netns()
    return recording


def replayed(recording: Recording, root: Path) -> Host:
    out = io.StringIO()
    tool = Tool(out, out, 1000, lambda _: None)  # type: ignore[arg-type, return-value]
    return replay.replayed(tool, recording, str(root)).make_host("")


def test_a_pod_is_what_it_was(world: World, kept: Recording, tmp_path: Path) -> None:
    live, again = host(world), replayed(kept, tmp_path)
    with live.open_path(POD) as netns, again.open_path(POD) as told:
        assert (told.identity, told.cookie, told.path) == (netns.identity, netns.cookie, POD)
        assert told.is_the_one(list(netns.identity), netns.cookie)
        assert not told.is_own()
        assert again.netlink_in(told).link("net1") == live.netlink_in(netns).link("net1")
    assert again.own_netns.is_own()
    assert again.live_netns() == live.live_netns()


def test_what_was_none_is_none_and_what_was_not_opened_is_not_recorded(
    kept: Recording, tmp_path: Path
) -> None:
    again = replayed(kept, tmp_path)
    with pytest.raises(BadNetns):
        again.open_path("/run/netns/gone")
    with pytest.raises(InputOutput, match="not in the recording"):
        again.open_path("/run/netns/other")
    netns = again.open_path(OWN)
    for ask in (again.netlink_in, again.visit):
        with pytest.raises(KernelRefused) as caught:
            ask(netns)
        assert caught.value.errno == ENODATA


def test_devlinks_word(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    recording = Recording(node=Node(run_dir="/r", state_dir="/s", data_dir="/d"))
    real = host(world)
    monkeypatch.setattr(Host, "eswitch_mode", lambda *_: "switchdev")
    assert SpyHost(real, recording, Camera()).eswitch_mode("0000:01:00.0") == "switchdev"
    monkeypatch.undo()

    again = replayed(recording, tmp_path)
    assert again.eswitch_mode("0000:01:00.0") == "switchdev"
    with pytest.raises(KernelRefused, match="not in the recording"):
        again.eswitch_mode("0000:02:00.0")


def test_no_program_is_run(kept: Recording, tmp_path: Path) -> None:
    again = replayed(kept, tmp_path)
    assert isinstance(again, RecordedHost)
    with pytest.raises(KernelRefused, match="nothing can be changed"):
        again.run_plugin("/opt/cni/bin/host-local", {}, "")


def test_a_blind_node_is_blind_again(world: World, tmp_path: Path) -> None:
    recording = Recording(
        node=Node(run_dir="/r", state_dir="/s", data_dir="/d", blind_spot="it is a container")
    )
    assert replayed(recording, tmp_path).blind_spot() == "it is a container"


def test_files_that_are_asked_for_are_taken(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/a").write_text("x")
    (tmp_path / "etc/l").symlink_to("a")
    camera = Camera(str(tmp_path))
    files = SpyFiles(str(tmp_path), camera)

    assert (files.text("/etc/a"), files.tail("/etc/a", 1), files.names("/etc")) == ("x", b"x", ["a", "l"])
    assert (files.target("/etc/l"), files.real("/etc/l"), files.has("/none")) == ("a", "/etc/a", False)
    assert (camera.tree.files, camera.tree.links) == ({"/etc/a": b"x"}, {"/etc/l": "a"})
    assert camera.tree.lists == {"/etc": ["a", "l"]}
    assert "/none" in camera.tree.failed
