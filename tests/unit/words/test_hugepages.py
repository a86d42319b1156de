"""Huge pages: their words."""

from __future__ import annotations

import pytest

from cni_sriov.words.hugepages import HugePages, spelled


@pytest.mark.parametrize(
    ("kib", "words"),
    [
        (64, "64 KiB"),
        (2048, "2 MiB"),
        (32768, "32 MiB"),
        (524288, "512 MiB"),
        (1048576, "1 GiB"),
        (16777216, "16 GiB"),
    ],
)
def test_a_size_is_told_in_its_largest_unit(kib: int, words: str) -> None:
    assert spelled(kib) == words


def test_more_may_be_promised_than_are_free() -> None:
    """With surplus pages, which the kernel makes when they are touched."""
    assert HugePages(-1, 2048, 8, 3, "", promised=5).to_be_had == 0
