"""What may never end has its time."""

from __future__ import annotations

import threading
import time

import pytest

from cni_sriov.ctl import waited


def test_what_it_gives_or_raises_is_the_callers() -> None:
    assert waited.within(20, lambda: 7) == 7
    with pytest.raises(ValueError, match="invalid literal"):
        waited.within(20, lambda: int("x"))


def test_what_does_not_end_is_left_alone() -> None:
    go_on, ended = threading.Event(), threading.Event()

    def act() -> None:
        go_on.wait(20)
        ended.set()

    began = time.monotonic()
    with pytest.raises(waited.Late):
        waited.within(0.1, act)
    assert time.monotonic() - began < 5
    go_on.set()
    assert ended.wait(20)
