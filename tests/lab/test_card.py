"""The facts of tests/contract/card.py and drivers.py, which the fake kernel obeys, on the emulated card: the third of the contract."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.contract import card, drivers

if TYPE_CHECKING:
    from collections.abc import Callable

    from .vm import Vm

pytestmark = [pytest.mark.lab, pytest.mark.timeout(450)]

FACTS = (*card.FACTS, *drivers.FACTS)
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def lab_share(tmp_path_factory: pytest.TempPathFactory) -> Path:
    share = tmp_path_factory.mktemp("share")
    shutil.copytree(
        ROOT / "cni_sriov", share / "cni_sriov", ignore=shutil.ignore_patterns("__pycache__", "ctl")
    )
    (share / "tests/contract").mkdir(parents=True)
    for name in ("card", "drivers"):
        shutil.copy2(ROOT / f"tests/contract/{name}.py", share / "tests/contract")
    shutil.copy2(ROOT / "tests/lab/inside/card_facts.py", share)
    return share


@pytest.fixture(scope="module")
def told(lab_module: Vm) -> dict[str, str]:
    """Of each fact: what is wrong with it. One process tells all, for its start costs as much as a fact."""
    done = lab_module.run(
        ["python3", "-B", "card_facts.py", *(fact.__name__ for fact in FACTS)],
        env={"PYTHONPATH": "/mnt/host", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        cwd="/mnt/host",
        timeout=400,
    )
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("fact", FACTS, ids=[fact.__name__ for fact in FACTS])
def test_the_card_does_as_its_fake(told: dict[str, str], fact: Callable[..., None]) -> None:
    assert told[fact.__name__] == ""
