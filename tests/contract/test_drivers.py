"""Another driver for a device: the fake does as the card of the lab (tests/lab/test_card.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .drivers import FACTS
from .test_vfs import FakeCard

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .card import Card


@pytest.mark.parametrize("fact", FACTS, ids=[fact.__name__ for fact in FACTS])
def test_the_fake_does_as_the_card(tmp_path: Path, fact: Callable[[Card], None]) -> None:
    fact(FakeCard(tmp_path))
