"""What a container chose as a name, on a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cni_sriov.words.domain import Attachment
from cni_sriov.words.shown import moment, one_line, short_id, short_name


@pytest.mark.parametrize("text", ["\x1b[2J", "a\nb", "\r", "\x9b31m", "\u202e", "\x00", "\x07", "\udcff"])
def test_nothing_visible_moves_a_cursor(text: str) -> None:
    assert one_line(text).isprintable()


@given(st.text())
def test_nothing_of_any_text_does(text: str) -> None:
    assert one_line(text).isprintable()


def test_what_can_be_read_stays() -> None:
    assert one_line("vf 3 (0000:01:10.6): Grün") == "vf 3 (0000:01:10.6): Grün"


def test_ids_of_containers_are_short_and_names_are_whole() -> None:
    assert short_id("ab" * 32) == "abababababab"
    assert short_id("cnitool-77383ca0a0715733ca6f") == "cnitool-77383ca0a0715733ca6f"
    assert short_name(Attachment("ab" * 32, "eth0")) == "abababababab/eth0"


def test_a_moment_is_told_as_the_log_has_it() -> None:
    assert moment(1_764_148_353) == "2025-11-26T09:12:33Z"
    assert moment(253_402_300_799) == "9999-12-31T23:59:59Z"


@pytest.mark.parametrize("seconds", [0, -1, 253_402_300_800, 10**30])
def test_what_is_no_time_is_not_told_as_one(seconds: int) -> None:
    assert moment(seconds) == ""
