"""What a terminal shows that did not ask: nothing of calls that go well, all of what was put right or is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.world import Reply, World

GONE: dict[str, Any] = {"cni.dev/valid-attachments": [], "cni.dev/attachments": []}
KEPT = {"cni.dev/valid-attachments": [{"containerID": "c1", "ifname": "net1"}]}
NULL = {"cni.dev/valid-attachments": None}
NEW = {"cniVersion": "1.1.0"}
POD = "/run/netns/pod1"


def calls(world: World, **keys: Any) -> Iterator[tuple[str, Reply]]:
    """A life, as runtimes make it: GC in all its forms while it lives, three DELs."""
    conf = world.conf(vlan=100, ipam=world.ipam(), **NEW, **keys)
    link = world.kernel.pfs[0].vfs[0].link
    assert link is not None
    link.is_up = True  # as NetworkManager leaves it
    yield "STATUS", world.call("STATUS", conf, "", "", "")
    added = world.call("ADD", conf)
    yield "ADD", added
    yield "CHECK", world.call("CHECK", conf | {"prevResult": added.document})
    for listed in (KEPT, NULL, {}):
        yield "GC", world.call("GC", conf | listed, "", "", "")
    for netns in (POD, "", ""):
        yield "DEL", world.call("DEL", conf | {"prevResult": added.document}, netns=netns)
    yield "GC", world.call("GC", conf | GONE, "", "", "")


@pytest.mark.parametrize("level", [None, "info"])
def test_calls_that_go_well_say_nothing_on_standard_error(
    world: World, capfd: pytest.CaptureFixture[str], level: str | None
) -> None:
    said = []
    for verb, reply in calls(world, logFile=None, logLevel=level):
        assert reply.code == 0, reply.text
        said.append((verb, capfd.readouterr().err))

    assert [line for line in said if line[1]] == []
    assert len(said) == 10


def test_with_debug_and_in_a_file_they_are_told(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    events = ("UP in the host", "attached", "lease released", "detached", "without a list")

    for _, reply in calls(world, logFile=None, logLevel="debug"):
        assert reply.code == 0
    err = capfd.readouterr().err
    for _, reply in calls(world, logLevel="info"):
        assert reply.code == 0

    assert [event in err for event in events] == [True] * len(events)
    kept = world.log_file.read_text()
    assert [event in kept for event in events] == [True] * len(events)
    assert capfd.readouterr().err == ""


def test_the_first_life_on_a_node_says_no_more_than_the_second(world: World) -> None:
    """In a file, too, where what goes well is told: that nobody was here before is no news."""
    told = []
    for _ in range(2):
        for _, reply in calls(world, logLevel="info"):
            assert reply.code == 0, reply.text
        told.append(re.findall(r'level=\w+ .*?msg=("[^"]*"|\S+)', world.log_file.read_text()))
        world.log_file.unlink()

    first, second = told
    assert first == second
    assert "attached" in first


def test_what_was_put_right_is_told(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    conf = world.conf(logFile=None, logLevel=None, **NEW)
    assert world.call("ADD", conf).code == 0
    world.kernel.kill_netns(POD)
    assert capfd.readouterr().err == ""

    assert world.call("GC", conf | NULL, "", "", "").code == 0

    err = capfd.readouterr().err
    assert "level=info" in err
    assert "garbage collected" in err
    assert "attachment=c1/net1" in err
