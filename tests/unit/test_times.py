"""The plugin's own timestamps: what is watched exists, nothing is counted twice, and the line is told only if asked."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from cni_sriov.doors import times
from tests.pages import ROOT


@pytest.mark.parametrize("name", times.ACTS)
def test_every_act_that_is_watched_exists(name: str) -> None:
    module, _, act = name.rpartition(".")

    assert callable(getattr(importlib.import_module(f"cni_sriov.{module}"), act))


@pytest.mark.parametrize("name", times.LOCKS)
def test_every_lock_that_is_watched_exists(name: str) -> None:
    module, _, lock = name.rpartition(".")
    lock_class = getattr(importlib.import_module(f"cni_sriov.{module}"), lock)

    assert callable(lock_class.acquire)
    assert callable(lock_class.release)


def clock(*stamps: int) -> Iterator[int]:
    return iter(stamps)


def test_the_outer_act_stands_still_while_the_inner_one_runs() -> None:
    stamps = clock(100, 110, 130, 160, 200, 300)
    sheet = times.Sheet(lambda: next(stamps))

    sheet.enter("vf.netdev.move")  # at 110
    sheet.enter("import")  # at 130
    sheet.leave()  # at 160
    sheet.leave()  # at 200
    told = sheet.close("ADD")  # at 300

    assert told["acts"] == {"rest": 110, "vf.netdev.move": 60, "import": 30}
    assert told["parts"] == {"decide": 110, "kernel": 60, "start-up": 30}
    assert (told["verb"], told["entry"], told["end"]) == ("ADD", 100, 300)


def test_an_act_that_runs_twice_is_added_up() -> None:
    stamps = clock(0, 1, 3, 10, 14, 14)
    sheet = times.Sheet(lambda: next(stamps))

    for _ in range(2):
        sheet.enter("vf.claim.take")
        sheet.leave()

    assert sheet.close("ADD")["acts"] == {"rest": 8, "vf.claim.take": 6}


def test_a_lock_is_held_from_take_to_drop_and_one_that_never_was_is_not() -> None:
    stamps = clock(0, 10, 15, 20, 27, 40, 41)
    sheet = times.Sheet(lambda: next(stamps))

    sheet.drop("/run/cni-sriov/claims.lock")  # a vain try
    sheet.take("/run/cni-sriov/locks/web@net1")  # at 10
    sheet.take("/run/cni-sriov/subnets/lock")  # at 15
    sheet.drop("/run/cni-sriov/subnets/lock")  # at 20
    sheet.drop("/run/cni-sriov/subnets/lock")
    told = sheet.close("DEL")  # books at 27; the attachment's lock is held to the end, 40

    assert told["held"] == {"ipam": 5, "attachment": 30}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/run/cni-sriov/claims.lock", "node"),
        ("/run/cni-sriov/locks/subnets@lock", "attachment"),
        ("/run/cni-sriov/subnets/lock", "ipam"),
    ],
)
def test_a_lock_is_known_by_its_path(path: str, name: str) -> None:
    assert times.lock_name(path) == name


def stderr_of_version(**env: str) -> bytes:
    argv = [sys.executable, "-m", "cni_sriov"]
    given = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "CNI_COMMAND": "VERSION"} | env
    done = subprocess.run(argv, env=given, input=b'{"cniVersion": "1.0.0"}', capture_output=True, check=True)
    assert b"supportedVersions" in done.stdout
    return done.stderr


def test_the_line_is_told_when_it_is_asked_for() -> None:
    told = json.loads(stderr_of_version(CNI_SRIOV_TIMES="1"))

    assert (told["cniSriovTimes"], told["verb"]) == (1, "VERSION")
    assert sum(told["parts"].values()) == told["end"] - told["entry"]


@pytest.mark.parametrize("env", [{}, {"CNI_SRIOV_TIMES": ""}, {"CNI_SRIOV_TIMES": "0"}])
def test_nothing_is_told_when_it_is_not_asked_for(env: dict[str, str]) -> None:
    assert stderr_of_version(**env) == b""
