"""A pipe gets what is told, whole; a terminal, what fits."""

from __future__ import annotations

import io

from cni_sriov.ctl.screen import console_of
from tests.unit.ctl.tool import Screen


def test_a_pipe_wraps_nothing_and_has_no_colours() -> None:
    out = io.StringIO()

    console_of(out).print("word " * 100, style="red")

    assert out.getvalue().rstrip() == ("word " * 100).rstrip()


def test_words_in_brackets_are_words() -> None:
    out = Screen()

    console_of(out).print("[bold]a[/bold] :smile:")

    assert out.getvalue() == "[bold]a[/bold] :smile:\n"
