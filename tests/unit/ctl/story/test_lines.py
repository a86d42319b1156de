"""Lines of a log, which is anybody's to write: what words/log.py writes comes back, what it does not write is none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cni_sriov.ctl.story.lines import parse
from cni_sriov.words.log import Log

HEAD = "time=2026-11-26T01:02:03Z level=info "


def test_what_the_log_writes_is_read_back(tmp_path: Path) -> None:
    hostile = 'a "b" \\x1b \x1b[2J\nmsg=forged time=x \u2028 ü \udcff'
    context = {"verb": "ADD", "containerID": "c1", "ifname": "net1"}
    Log("debug", str(tmp_path / "log"), context).warning("it = is", reason=hostile, none="", n=7)

    line = parse((tmp_path / "log").read_text("utf-8").removesuffix("\n"))

    assert line is not None
    assert (line.level, line.verb, line.container_id, line.ifname) == ("warning", "ADD", "c1", "net1")
    assert (line.message, line.fields) == ("it = is", {"reason": hostile, "none": "", "n": "7"})
    assert abs(line.time - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_line_of_sriov_cni_is_of_the_same_form() -> None:
    line = parse(
        'time="2026-11-26T03:02:03+02:00" level="info" msg="ADD called" cniName="sriov-cni" containerID="c1"'
    )

    assert line is not None
    assert (line.time, line.message, line.container_id) == (
        datetime(2026, 11, 26, 1, 2, 3, tzinfo=UTC),
        "ADD called",
        "c1",
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nothing",
        "level=info msg=x",
        HEAD,
        "time=now level=info msg=x",
        "time=2026-11-26T01:02:03 level=info msg=x",
        "time=9999-12-31T23:59:59-23:59 msg=x",
        HEAD + 'msg="not closed',
        HEAD + "msg=x and words",
        HEAD + 'msg="a""b"',
        "Nov 26 01:02:03 host kernel: x=y",
    ],
)
def test_what_is_none_of_ours_is_none(text: str) -> None:
    assert parse(text) is None


def test_the_first_one_of_a_key_counts() -> None:
    """The call's own come first: what follows is about whatever somebody named."""
    line = parse(HEAD + "containerID=c1 ifname=net1 msg=x containerID=c2")

    assert line is not None
    assert line.container_id == "c1"


@given(st.text())
def test_any_line_is_a_line_or_none(text: str) -> None:
    for line in (text, HEAD + text, f'{HEAD}msg="{text}"'):
        found = parse(line)
        assert found is None or found.time == datetime(2026, 11, 26, 1, 2, 3, tzinfo=UTC)


def test_whose_a_line_is() -> None:
    own = parse(HEAD + "containerID=c1 ifname=net1 msg=x")
    about = parse(HEAD + "verb=GC msg=x attachment=c1/net1")

    assert own is not None
    assert about is not None
    assert [line.is_of("c1", "net1") for line in (own, about)] == [True, True]
    assert [line.is_of("c1", "net2") for line in (own, about)] == [False, False]
