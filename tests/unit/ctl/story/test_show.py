"""The timeline as a person sees it: in order, in a terminal's width, with nothing in it that a terminal obeys."""

from __future__ import annotations

import re

from tests.unit.ctl.story.test_teller import LOG, add
from tests.unit.ctl.tool import sriovctl
from tests.world import World


def test_a_row_for_each_step(world: World) -> None:
    add(world, vlan=100)

    lines = sriovctl(world, "explain", "c1", "--log", LOG).out.splitlines()

    assert lines[0] == "c1/net1: on VF 0000:01:10.0 (enp1s0f0 vf 0)"
    assert lines[1].split() == ["time", "(UTC)", "step", "what", "result"]
    cells = [re.split(r" {2,}", line.strip()) for line in lines[2:]]
    steps = [row[1] for row in cells if len(row) > 1]
    assert steps[:3] == ["asked", "claimed", "found"]
    assert (cells[0][2], steps[-1]) == ("pod default/web (UID 8a1f)", "now")
    assert all(re.fullmatch(r"-|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row[0]) for row in cells if len(row) > 1)


def test_in_a_terminal_it_fits_and_nothing_is_lost(world: World) -> None:
    add(world, container="f" * 64)

    shown = sriovctl(world, "explain", "ffff", "--log", LOG, screen=True).out

    lines = re.sub(r"\033\[[0-9;]*m", "", shown).splitlines()
    assert max(map(len, lines)) <= 80
    assert "f" * 64 in re.sub(r"\s", "", "".join(lines))


def test_a_hostile_log_shows_no_control_characters(world: World) -> None:
    add(world)
    with world.log_file.open("a") as log:
        log.write(
            'time=2026-11-26T01:02:03Z level=error containerID=c1 ifname=net1 msg="\\x1b[2J" a="\\n\\u202e" b\x1b=c\n'
            'time=2026-11-26T01:02:03Z level=error containerID=c1 ifname=net1 msg="\x1b[31mred" a=\x07\n'
            'time=2026-11-26T01:02:03Z level=error containerID=c1 ifname=net1 msg=good a="\\x9b"\n'
        )

    out = sriovctl(world, "explain", "c1", "--log", LOG).out

    assert all(line.isprintable() for line in out.splitlines())
    assert r"\x1b[31mred" in out
    assert r"a \x9b" in out
    assert r"[2J" not in out.replace(r"\x1b[2J", "")


def test_a_finished_one_says_so(world: World) -> None:
    add(world)
    world.call("DEL", world.conf(ipam=world.ipam()))

    lines = sriovctl(world, "explain", "c1", "--log", LOG).out.splitlines()

    assert lines[0] == "c1/net1: finished; it was on VF 0000:01:10.0 (enp1s0f0 vf 0)"


def test_of_very_many_the_last_are_shown(world: World) -> None:
    add(world)
    with world.log_file.open("a") as log:
        for n in range(1000):
            log.write(f"time=2099-01-01T00:00:00Z level=info containerID=c1 ifname=net1 msg=x n={n}\n")

    out = sriovctl(world, "explain", "c1", "--log", LOG).out

    assert "n 999" in out
    assert "n 500" not in out
    assert re.search(r"^\d+ earlier ones are left out; --json has them$", out, re.MULTILINE)
