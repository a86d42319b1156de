"""Attachments to the host's VPP, which have no VF and no row."""

from __future__ import annotations

import pytest

from cni_sriov.words.record import Status
from tests.unit.ctl import taps
from tests.unit.ctl.tool import sriovctl
from tests.world import World


def test_each_is_told_and_hides_no_vf_and_no_other(world: World) -> None:
    for container in ("c2", "c1"):
        taps.attach(world, container)

    document = sriovctl(world, "status", "--json").document

    assert [tap["owner"]["containerID"] for tap in document["taps"]] == ["c1", "c2"]
    assert document["taps"][0] == {
        "owner": {
            "containerID": "c1",
            "ifname": "net1",
            "network": "fast",
            "netns": "/run/netns/c1",
            "pod": "",
            "podNamespace": "",
            "podName": "",
            "podUID": "",
            "since": "",
        },
        "socket": taps.SOCKET,
        "leases": [],
        "state": "attached",
        "reason": "",
        "keptBy": [],
        "inside": ["? (pid 12)"],
    }
    assert [vf["state"] for vf in document["pfs"][0]["vfs"]] == ["free"] * 7
    assert len(document["pfs"]) == len(world.kernel.pfs)
    assert f"c1/net1: a tap of VPP at {taps.SOCKET}, without a subnet" in sriovctl(world, "status").out


@pytest.mark.parametrize(
    ("status", "state", "reason"),
    [("in-progress", "claimed", "ADD in progress"), ("released", "released", "released, not restored yet")],
)
def test_one_that_is_not_attached_says_so(world: World, status: Status, state: str, reason: str) -> None:
    taps.attach(world, "c1", status)

    (tap,) = sriovctl(world, "status", "--json").document["taps"]

    assert (tap["state"], tap["reason"]) == (state, reason)
    assert reason in sriovctl(world, "status").out


def test_one_whose_netns_is_dead(world: World) -> None:
    taps.attach(world)
    world.kernel.pods.pop("/run/netns/c1")

    (tap,) = sriovctl(world, "status", "--json").document["taps"]

    assert tap["state"] == "dead"
