"""The one way to wait for what comes by itself."""

from __future__ import annotations

import time

from cni_sriov.vf.card import poll


def test_it_asks_until_nothing_is_missing() -> None:
    answers = [["a MAC"], ["a MAC"], []]

    assert poll(lambda: answers.pop(0), 5, 0.001) == []
    assert answers == []


def test_what_is_missing_at_the_end_is_told() -> None:
    began = time.monotonic()

    assert poll(lambda: ["a carrier"], 0.05, 0.001) == ["a carrier"]
    assert 0.05 <= time.monotonic() - began < 5


def test_without_time_it_asks_once() -> None:
    asked = []

    assert poll(lambda: asked.append(1) or "more", 0) == "more"  # type: ignore[func-returns-value]
    assert asked == [1]
