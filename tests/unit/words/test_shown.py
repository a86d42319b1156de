"""What a container chose as a name, on a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cni_sriov.words.shown import one_line


@pytest.mark.parametrize("text", ["\x1b[2J", "a\nb", "\r", "\x9b31m", "\u202e", "\x00", "\x07", "\udcff"])
def test_nothing_visible_moves_a_cursor(text: str) -> None:
    assert one_line(text).isprintable()


@given(st.text())
def test_nothing_of_any_text_does(text: str) -> None:
    assert one_line(text).isprintable()


def test_what_can_be_read_stays() -> None:
    assert one_line("vf 3 (0000:01:10.6): Grün") == "vf 3 (0000:01:10.6): Grün"
