"""How a call is split up: what the plugin told, between the stamps of who started it."""

from __future__ import annotations

import json

import pytest

from cni_sriov.ctl import split
from tests.unit.ctl.told import MS, SAID


def test_start_up_and_exit_are_what_the_plugin_cannot_see() -> None:
    call = split.split(SAID, 1000 * MS, 1043 * MS)

    assert call.whole == 43
    assert call.parts == {
        "start-up": 14,
        "decide": 6,
        "wait": 0,
        "kernel": 20,
        "IPAM": 0,
        "exit": 3,
    }
    assert (call.acts["vf.netdev.move"], call.held) == (20, {"node": 2})


def test_the_last_line_of_the_plugin_counts() -> None:
    of_a_delegate = SAID | {"verb": "other"}
    stderr = f"a log line\n{json.dumps(of_a_delegate)}\n{json.dumps(SAID)}\nsomething later\n"

    assert split.told(stderr) == SAID


@pytest.mark.parametrize(
    "stderr", ["", "a log line\n", '{"cniSriovTimes": 2}\n', '{"cniSriovTimes": 1,\n', '{"other": 1}\n']
)
def test_no_line_of_the_plugin_is_none(stderr: str) -> None:
    assert split.told(stderr) is None


def made(whole: float, kernel: float, held: dict[str, float]) -> split.Call:
    return split.Call(whole, dict.fromkeys(split.PARTS, 0.0) | {"kernel": kernel}, {}, held)


def test_the_middle_of_calls_is_the_median_of_each_number() -> None:
    calls = [made(10, 5, {"node": 1}), made(30, 1, {}), made(20, 6, {"node": 3, "ipam": 4})]

    found = split.middle(calls)

    assert (found.whole, found.parts["kernel"], found.held) == (20, 5, {"node": 1, "ipam": 0})
