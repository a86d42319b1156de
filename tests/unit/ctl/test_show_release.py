"""What stands on the screen before and after a release; what of it is done: test_release.py."""

from __future__ import annotations

import io

import pytest

from cni_sriov.ctl import show_release
from cni_sriov.ctl.release import Plan
from cni_sriov.ctl.verdict import Verdict
from cni_sriov.words.domain import Attachment
from cni_sriov.words.record import Record

WHO = Attachment("3f7a12ab9c0d" + "5e" * 26, "eth0")


def plan(inside: tuple[str, ...] = (), kept_by: tuple[str, ...] = (), unseen: bool = False) -> Plan:
    record = Record(WHO, "fast", "0000:01:00.0", "0000:01:10.0", 0, "/run/netns/x", [4, 7], "boot")
    return Plan(WHO, record, [], "enp1s0f0 vf 0", list(inside), list(kept_by), unseen)


def shown(found: Plan) -> list[str]:
    out = io.StringIO()
    show_release.plan(out, found)
    return out.getvalue().splitlines()


def test_what_is_held_stands_first() -> None:
    assert shown(plan())[:2] == ["3f7a12ab9c0d/eth0 of network fast", "  holds enp1s0f0 vf 0"]


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (plan(("sleep (pid 12)", "sh (pid 13)")), "in its network namespace /run/netns/x: sleep (pid 12), sh (pid 13)"),
        (plan(kept_by=("/run/netns/x",)), "no process is in its network namespace /run/netns/x, which the mount /run/netns/x keeps"),
        (plan(unseen=True), "who is in its network namespace /run/netns/x cannot be seen from here"),
        (plan(), "no process is in its network namespace /run/netns/x"),
    ],
)  # fmt: skip
def test_who_lives_in_there(found: Plan, line: str) -> None:
    assert shown(found)[2:] == [f"  {line}"]


def test_a_process_may_call_itself_anything() -> None:
    assert "\x1b" not in "".join(shown(plan(("\x1b[2J (pid 9)",))))


@pytest.mark.parametrize("dry_run", [True, False])
def test_what_was_done_and_what_not(dry_run: bool) -> None:
    def told(*taken: bool) -> list[str]:
        out = io.StringIO()
        items = [Verdict("vf", "enp1s0f0 vf 0", str(WHO), one, "the PF is away") for one in taken]
        show_release.outcome(out, plan(kept_by=("/run/netns/x",)), items, dry_run)
        return out.getvalue().splitlines()

    if dry_run:
        assert told(True) == ["nothing was changed; --yes gives it back"]
        return
    assert told(True) == ["given back", "/run/netns/x stays mounted: umount it when nobody needs it"]
    assert told(True, False) == ["not given back: enp1s0f0 vf 0: the PF is away"]
