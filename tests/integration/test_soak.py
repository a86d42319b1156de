"""A minute's worth of tests/soak.py in seconds: kills, failing calls and hostile pods, and then nothing is left."""

from __future__ import annotations

import os

import pytest

from tests.soak import plan_of, soak

pytestmark = [pytest.mark.root, pytest.mark.bundle]


def test_churn_with_kills_and_hostile_pods_leaves_nothing() -> None:
    pairs, run = soak(plan_of(dict(os.environ), pairs=60, minutes=2))

    print(run.report(pairs))
    assert not run.scene.found, "\n".join(run.scene.found)
    assert pairs >= 60
    assert run.scene.answers["ADD 0"] >= 30
    assert run.scene.mischief.total() >= 3
