"""The plugin's own timestamps: what is watched exists, nothing is counted twice, and the line is told only if asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator

import pytest

from cni_sriov.doors import cni, times
from tests.pages import ROOT


def missing(names: Iterable[str], *attributes: str) -> list[str]:
    """Of acts or locks, those that the door does not bring along, or that lack an attribute."""

    def is_there(name: str) -> bool:
        module, attribute = times.find(name)
        found = getattr(module, attribute)
        return all(callable(getattr(found, wanted)) for wanted in ("__call__", *attributes))

    wrong = []
    for name in names:
        try:
            wrong += [] if is_there(name) else [name]
        except (KeyError, AttributeError):
            wrong.append(name)
    return wrong


def test_every_act_and_lock_that_is_watched_exists() -> None:
    assert cni.__name__ in sys.modules  # nothing else has to import them
    assert missing(times.ACTS) == []
    assert missing(times.LOCKS, "acquire", "release") == []


def test_a_name_that_is_not_there_is_told() -> None:
    there = next(iter(times.ACTS))

    assert missing([there, "vf.gone.take", "vf.claim.gone", "state.files.READ"]) == [
        "vf.gone.take",
        "vf.claim.gone",
        "state.files.READ",
    ]


def clock(*stamps: int) -> Iterator[int]:
    return iter(stamps)


def test_the_outer_act_stands_still_while_the_inner_one_runs() -> None:
    stamps = clock(100, 110, 130, 160, 200, 300)
    sheet = times.Sheet(lambda: next(stamps))

    sheet.enter("vf.netdev.move")  # at 110
    sheet.enter("ipam.delegate.add")  # at 130
    sheet.leave()  # at 160
    sheet.leave()  # at 200
    told = sheet.close("ADD")  # at 300

    assert told["acts"] == {"rest": 110, "vf.netdev.move": 60, "ipam.delegate.add": 30}
    assert told["parts"] == {"decide": 110, "kernel": 60, "IPAM": 30}
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
