"""What keeps an attachment's netns: a mount alone is told by status and gc, with what to do; nothing is told that cannot be seen."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cni_sriov.ctl import keepers
from cni_sriov.kernel.files import Files
from cni_sriov.words.domain import Attachment
from cni_sriov.words.record import Record
from tests.unit.ctl.tool import attach, host, sriovctl
from tests.world import FakeHost, World

POD = "/run/netns/pod1"
SENTENCE = (
    "no process is in its network namespace, which the mount /run/netns/pod1 keeps;"
    " if that container is gone: sriovctl release c1/net1"
)


def abandon(world: World) -> Record:
    """podman was killed during ADD, and `rm -f` made no call: the netns stays mounted, with nobody in it."""
    attach(world)
    world.kernel.pods[POD].is_abandoned = True
    (record,) = host(world).ledger.claims()
    return record


@pytest.mark.parametrize("ifname", [";id", "$(id)", "`id`'\"", "net1"])
def test_a_name_that_a_pod_chose_is_one_word_to_a_shell(ifname: str) -> None:
    """Multus passes on what a pod's annotation calls its interface, and root copies the line."""
    told = keepers.sentence(Attachment("c1", ifname), ["/run/netns/x"])

    command = told.rpartition("is gone: ")[2]
    assert shlex.split(command) == ["sriovctl", "release", f"c1/{ifname}"]
    said = subprocess.run(
        ["sh", "-c", f'sriovctl() {{ echo "$2"; }}; {command}'], capture_output=True, text=True
    )
    assert (said.stdout, said.stderr) == (f"c1/{ifname}\n", "")


def test_processes_are_told_from_mounts() -> None:
    paths = ["/proc/12/ns/net", "/proc/13/root/run/netns/x", "/run/netns/x", "/proc/14/ns/net/x"]

    assert keepers.processes(paths) == ["12"]


@pytest.mark.parametrize(
    ("paths", "kept_by"),
    [
        (["/run/netns/x", "/run/netns/x"], ["/run/netns/x"]),  # as `ip netns` mounts it
        (["/run/netns/x", "/proc/7/root/run/netns/x"], ["/run/netns/x"]),
        (["/proc/7/root/run/a", "/proc/8/root/run/b"], ["/proc/7/root/run/a"]),
        (["/run/netns/x", "/proc/7/ns/net"], []),
        ([], []),
    ],
)
def test_mounts_count_only_where_nobody_is_inside(world: World, paths: list[str], kept_by: list[str]) -> None:
    record = abandon(world)
    inode = record.netns_identity[-1]

    assert keepers.mounts(record, {inode: paths}) == kept_by
    assert keepers.mounts(record, {inode: paths, 0: ["9"]}) == [], "9 may be in there"


def test_of_many_processes_the_first_are_named(world: World, tmp_path: Path) -> None:
    record = abandon(world)
    (tmp_path / "proc/3").mkdir(parents=True)
    (tmp_path / "proc/3/comm").write_text("sleep\n")
    live = {record.netns_identity[-1]: [f"/proc/{pid}/ns/net" for pid in range(3, 15)]}

    found = keepers.inside(Files(str(tmp_path)), record, live)

    assert (found[0], found[1], found[-1], len(found)) == ("sleep (pid 3)", "? (pid 4)", "4 more", 9)


def test_status_tells_it_by_path_with_what_to_do(world: World) -> None:
    abandon(world)

    text, document = sriovctl(world, "status").out, sriovctl(world, "status", "--json").document

    assert f"c1/net1: {SENTENCE}\n" in text
    assert document["pfs"][0]["vfs"][0]["keptBy"] == [POD]
    assert [vf["keptBy"] for vf in document["pfs"][0]["vfs"][1:]] == [[]] * 6


def test_gc_leaves_it_and_tells_the_same(world: World) -> None:
    abandon(world)

    (vf, _) = sriovctl(world, "gc", "--json").document["items"]

    assert (vf["owner"], vf["taken"], vf["reason"]) == ("c1/net1", False, SENTENCE)
    assert sriovctl(world, "gc").out.splitlines() == [
        "nothing taken back",
        "2 left",
        f"  enp1s0f0 vf 0 of c1/net1: {SENTENCE}",
        "  10.10.0.0/24 of c1/net1: its attachment has it still",
    ]
    assert len(host(world).ledger.claims()) == 1


@pytest.mark.parametrize("blind", ["a process", "a pid namespace", "hidden processes"])
def test_nothing_is_said_of_a_netns_with_a_process_or_that_cannot_be_looked_into(
    world: World, monkeypatch: pytest.MonkeyPatch, blind: str
) -> None:
    abandon(world)
    if blind == "a process":
        world.kernel.pods[POD].is_abandoned = False
    elif blind == "a pid namespace":
        world.kernel.blind_spot = "this process is in a pid namespace of its own"
    else:
        real = FakeHost.live_netns
        monkeypatch.setattr(FakeHost, "live_netns", lambda self: real(self) | {0: ["12"]})

    status = sriovctl(world, "status")

    assert (status.status, "no process" in status.out) == (0, False)
    if blind != "a pid namespace":  # there gc refuses
        assert "no process" not in sriovctl(world, "gc", "--dry-run").out


def test_a_look_that_fails_hides_nothing_else(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    abandon(world)

    def fails(_: Any) -> dict[int, list[str]]:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(FakeHost, "live_netns", fails)
    document = sriovctl(world, "status", "--json").document

    assert document["pfs"][0]["vfs"][0]["state"] == "attached"
    assert ["Too many open files" in sentence for sentence in document["unseen"]] == [True]
