"""Text stays in its room, whatever it says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cni_sriov.ctl.status import drawing

# advance widths of DejaVu Sans in 1/2048 em, by its hmtx table: the widest of the fonts that the style names
DEJAVU = {
    "a": 1255, "b": 1300, "c": 1126, "e": 1260, "f": 721, "i": 569, "l": 569, "m": 1995, "n": 1298, "o": 1253,
    "r": 842, "s": 1067, "t": 803, "v": 1212, "w": 1675, "x": 1212, "y": 1212, "z": 1075, "0": 1303, "9": 1303,
    "A": 1401, "B": 1405, "D": 1577, "M": 1767, "N": 1532, "O": 1612, "Q": 1612, "V": 1401, "W": 2025, "F": 1178,
    "L": 1141, "-": 739, ".": 651, "/": 690, ":": 690, " ": 651, "@": 2048, "%": 1946, "_": 1024,
}  # fmt: skip


@pytest.mark.parametrize("character", DEJAVU)
def test_a_width_is_never_too_small(character: str) -> None:
    assert drawing.width_of(character, 2048) >= DEJAVU[character]


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=80), st.integers(20, 400))
def test_what_is_fitted_fits(text: str, room: int) -> None:
    shown = drawing.fitted(text, 13, room)

    assert drawing.width_of(shown, 13) <= room
    assert shown == text or (shown.endswith("\N{HORIZONTAL ELLIPSIS}") and text.startswith(shown[:-1]))


def test_what_fits_is_whole() -> None:
    assert drawing.fitted("enp1s0f0", 13, 100) == "enp1s0f0"


@given(st.text(alphabet="ab cd", max_size=60), st.integers(40, 200), st.integers(1, 3))
def test_what_is_folded_fits(text: str, room: int, lines: int) -> None:
    found = drawing.folded(text, 13, room, lines)

    assert len(found) <= lines
    assert all(drawing.width_of(line, 13) <= room for line in found)


def test_a_folded_text_that_has_room_is_whole() -> None:
    assert drawing.folded("one two three", 10, 65, 2) == ["one two", "three"]
