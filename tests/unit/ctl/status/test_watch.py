"""Again and again: documents in a pipe, frames on a terminal, until Ctrl-C."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable

import pytest

from cni_sriov.ctl.status import gather, watch
from cni_sriov.ctl.tool import Tool
from cni_sriov.kernel.files import Files
from cni_sriov.words.errors import KernelRefused
from tests import published
from tests.unit.ctl.tool import Screen as Terminal
from tests.unit.ctl.tool import attach, host, sriovctl
from tests.world import World


def ends_after(frames: int, between: Callable[[], object] = lambda: None) -> Callable[[float], None]:
    """Ctrl-C in the pause after so many."""
    left = iter(range(frames - 1))

    def pause(seconds: float) -> None:
        assert seconds == 7.5
        if next(left, None) is None:
            raise KeyboardInterrupt
        between()

    return pause


def run(
    world: World, out: io.StringIO, pause: Callable[[float], None], as_json: bool = False, fails: bool = False
) -> None:
    looks = iter([True] if fails else [])

    def look() -> gather.Status:
        if next(looks, False):
            raise KernelRefused("list addresses", 105)
        return gather.look(host(world), Files(str(world.root)))

    tool = Tool(out, io.StringIO(), 0, lambda named: host(world, named), files=Files(str(world.root)))
    with pytest.raises(KeyboardInterrupt):
        watch.run(tool, look, 7.5, as_json, watch.View(), pause)


def test_json_is_a_document_a_line(world: World) -> None:
    out = io.StringIO()

    run(world, out, ends_after(2, lambda: attach(world)), as_json=True)

    first, second = map(json.loads, out.getvalue().splitlines())
    published.judge("status", first)
    published.judge("status", second)
    assert [d["pfs"][0]["vfs"][0]["state"] for d in (first, second)] == ["free", "attached"]
    assert first["version"] == 1


def test_a_terminal_is_drawn_anew(world: World) -> None:
    out = Terminal()

    run(world, out, ends_after(2, lambda: attach(world)))

    shown = out.getvalue()
    assert shown.startswith("\033[?1049h")  # the alternate screen, xterm's ctlseqs
    assert shown.endswith("\033[?25h\033[?1049l")  # the cursor and the screen are back
    before, after = shown.index("free"), shown.index("c1/net1")
    assert before < after
    assert "every 7.5 s; Ctrl-C ends it" in shown


def test_what_does_not_fit_is_counted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINES", "6")
    monkeypatch.setenv("COLUMNS", "80")
    out = Terminal()

    run(world, out, ends_after(1))

    shown = re.sub(r"\033\[[?0-9;]*[a-zA-Z]", "", out.getvalue())
    assert "5 more lines do not fit here" in shown  # 1 + 7 rows + 1 for the PF, of which 4 are shown


def test_a_look_that_fails_is_told_and_the_next_one_is_tried(world: World) -> None:
    out = Terminal()

    run(world, out, ends_after(2), fails=True)

    assert "could not be looked at: list addresses" in out.getvalue()
    assert "enp1s0f0" in out.getvalue()


def test_a_pipe_is_refused_with_what_to_do(world: World) -> None:
    refused = sriovctl(world, "status", "--watch")

    assert (refused.status, refused.out) == (2, "")
    assert "standard output is no terminal" in refused.err
    assert "sriovctl status --watch --json" in refused.err


@pytest.mark.parametrize(("name", "value"), [("TERM", "dumb"), ("NO_COLOR", "1")])
def test_a_terminal_that_wants_no_escape_gets_one_look_below_the_other(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    out = Terminal()
    tool = Tool(out, out, 0, lambda named: host(world, named))
    files = Files(str(world.root))

    with pytest.raises(KeyboardInterrupt):
        watch.run(tool, lambda: gather.look(host(world), files), 7.5, False, watch.View(), ends_after(2))

    assert out.getvalue().count("enp1s0f0 (0000:01:00.0, igb)") == 2
    assert out.getvalue().count("every 7.5 s; Ctrl-C ends it") == 2
    assert out.getvalue().replace("\n", "").isprintable()


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "1e9"])
def test_seconds_that_are_none(world: World, seconds: str) -> None:
    refused = sriovctl(world, "status", f"--watch={seconds}")

    assert refused.status == 2
    assert "is no number of seconds" in refused.err


def test_a_word_behind_it_is_what_is_looked_at(world: World) -> None:
    refused = sriovctl(world, "status", "--watch", "enp1s0f9", "--json")

    assert (refused.status, refused.document["error"]["msg"]) == (
        1,
        "status enp1s0f9: no PF, VF, container or pod is called so",
    )
