"""Which of the paths to a netns are processes, and which one is shown."""

from __future__ import annotations

import pytest

from cni_sriov.ctl.doctor import away
from cni_sriov.decide.facts_state import Away
from cni_sriov.kernel.files import Files
from cni_sriov.words.failures import Failures
from tests.unit.ctl.tool import host
from tests.unit.one_port import link_of
from tests.world import FakeHost, World

VF = "0000:01:10.0"


def test_nothing_is_entered_where_nothing_is_lost(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def look(_: FakeHost) -> dict[int, list[str]]:
        raise AssertionError("it looked")

    monkeypatch.setattr(FakeHost, "live_netns", look)

    away.find(host(world), Files(str(world.root)), [], Failures())


def test_one_that_ended_meanwhile_is_passed_over(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process too: it has no name any more. Under 0 are pids, not paths."""
    kernel = world.kernel
    pod = kernel.add_pod("/run/netns/other")
    (index,) = [index for index, one in kernel.host.links.items() if one is link_of(world)]
    kernel.move(kernel.host, index, pod, "eth5")

    found = {1: ["/run/netns/ended"], 0: ["/run/netns/other"], 2: ["/proc/9/ns/net", "/run/netns/other"]}
    monkeypatch.setattr(FakeHost, "live_netns", lambda _: found)
    lost, failures = [Away(VF, "enp1s0f0 vf 0")], Failures()
    away.find(host(world), Files(str(world.root)), lost, failures)

    assert (lost[0].path, lost[0].netdev, lost[0].inside) == ("/run/netns/other", "eth5", ["? (pid 9)"])
    assert failures.told == []
