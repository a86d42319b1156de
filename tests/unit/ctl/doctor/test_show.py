"""Findings as text, and the list of rules."""

from __future__ import annotations

import io

import pytest

from cni_sriov.ctl.doctor import show
from cni_sriov.decide import doctor
from cni_sriov.decide.trouble import Evidence, Trouble
from tests.unit.ctl.tool import Screen, sriovctl
from tests.world import World

DOWN = Trouble(
    "pf-down",
    "error",
    "eth0",
    "eth0 is down",
    "ip link set eth0 up\n# for good: netplan",
    [Evidence("/sys/x", "0")],
)
GROUP = Trouble("shared", "warning", "group 7", "two share one", "# another slot")
LONG = Trouble("long", "note", "", "a " * 100, "echo " + "x" * 200)


def test_severity_subject_sentence_evidence_remedy_and_the_count() -> None:
    out = io.StringIO()

    show.troubles(out, [DOWN, GROUP, GROUP])

    assert out.getvalue().splitlines() == [
        "error eth0 is down [pf-down]",
        "  /sys/x: 0",
        "    ip link set eth0 up",
        "    # for good: netplan",
        "warning group 7: two share one [shared]",
        "    # another slot",
        "warning group 7: two share one [shared]",
        "    # another slot",
        "1 error, 2 warnings, no notes",
    ]


@pytest.mark.parametrize(
    ("found", "colour"),
    [([DOWN], "\033[1;31m"), ([GROUP], "\033[33m"), ([LONG], "\033[36m"), ([], "\033[32m")],
)
def test_a_screen_has_colours(monkeypatch: pytest.MonkeyPatch, found: list[Trouble], colour: str) -> None:
    monkeypatch.setenv("TERM", "xterm")
    out = Screen()

    show.troubles(out, found)

    assert colour in out.getvalue()


def test_a_command_is_never_broken_into_two_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is to be copied."""
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "dumb")
    out = Screen()

    show.troubles(out, [LONG])

    assert f"    {LONG.remedy}" in out.getvalue().splitlines()


def test_every_rule_is_listed_in_a_line(world: World) -> None:
    run, document = (
        sriovctl(world, "doctor", "--list"),
        sriovctl(world, "doctor", "--list", "--json").document,
    )

    known = [doctor.describe(rule) for rule in doctor.RULES]
    assert [line.split()[0] for line in run.out.splitlines()] == ["rule", *(about.name for about in known)]
    assert all(about.when in line for about, line in zip(known, run.out.splitlines()[1:], strict=True))
    assert (run.status, [rule["rule"] for rule in document["rules"]]) == (0, [about.name for about in known])
    assert document["rules"][0].keys() == {"rule", "severities", "when", "remedy"}
