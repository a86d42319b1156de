"""Whoever lost the Record of an attachment: what its tenant had is nobody else's, for the VF is golden at the next ADD."""

from __future__ import annotations

import shutil
from typing import Any

from tests.unit.one_port import MINE, OTHERS, link_of
from tests.world import World

ASKED: dict[str, Any] = {
    "vlan": 100, "vlanQoS": 3, "mac": "02:00:00:00:aa:01", "spoofchk": "off", "trust": "on", "max_tx_rate": 100,
    "mtu": 1400, "txqueuelen": 500, "promisc": True, "allmulti": True,
}  # fmt: skip


def lose_record(world: World) -> None:
    for directory in (world.state_dir, world.run_dir / "claims"):
        shutil.rmtree(directory)
    world.kernel.kill_netns(MINE)


def told_of_vf(world: World) -> dict[str, Any]:
    told: dict[str, Any] = world.settled()["kernel"]["vfs"]["0000:01:10.0"]
    told |= link_of(world).snapshot() | {"name": "", "routes": []}
    return told


def test_the_next_one_gets_the_vf_as_it_was_before_the_first(one_vf: World) -> None:
    assert [one_vf.call(verb, one_vf.conf()).code for verb in ("ADD",)] == [0]
    clean = told_of_vf(one_vf)
    assert one_vf.call("DEL", one_vf.conf()).code == 0
    assert one_vf.call("ADD", one_vf.conf(**ASKED)).code == 0
    lose_record(one_vf)

    assert one_vf.call("ADD", one_vf.conf(), "c2", OTHERS).code == 0

    assert told_of_vf(one_vf) == clean
    assert "vlan 100" in one_vf.log_file.read_text()  # the log says what differed
