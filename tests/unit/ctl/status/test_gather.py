"""What is looked at, and that one VF's trouble hides no other."""

from __future__ import annotations

import pytest

from cni_sriov.ctl.node import VfRow
from cni_sriov.ctl.status import gather
from cni_sriov.kernel.counters import Counters
from cni_sriov.kernel.files import Files
from cni_sriov.words.errors import KernelRefused
from tests import fakes
from tests.fakes import FakeLink
from tests.unit.ctl.tool import attach, host, sriovctl
from tests.world import World


def of_vf(world: World, index: int) -> VfRow:
    (pf,) = gather.look(host(world), Files(str(world.root))).pfs
    return pf.vfs[index]


def netdev(world: World, name: str) -> FakeLink:
    return next(link for link in world.kernel.host.links.values() if link.name == name)


def test_counters_in_the_host_in_a_pod_and_by_the_pf(world: World) -> None:
    attach(world)
    world.pod_link().counted = (1, 2, 3, 4)
    netdev(world, "enp1s0f0v1").counted = (5, 6, 7, 8)
    first = world.kernel.pfs[0]
    world.kernel.set_driver(first.vfs[2], "vfio-pci")
    world.kernel.set_driver(first.vfs[3], "vfio-pci")
    first.vfs[2].counted = (9, 10, 11, 12)
    first.vfs[0].counted = (99, 99, 99, 99)
    first.link.counted = (13, 14, 15, 16)

    (pf,) = gather.look(host(world), Files(str(world.root))).pfs

    found = [vf.more.counters if vf.more else None for vf in pf.vfs]
    assert found[:4] == [Counters(1, 2, 3, 4), Counters(5, 6, 7, 8), Counters(9, 10, 11, 12), None]
    assert pf.more is not None
    assert pf.more.counters == Counters(13, 14, 15, 16)


def test_a_vf_in_a_pod_shows_its_link_there(world: World) -> None:
    attach(world, mtu=1400)

    more = of_vf(world, 0).more

    assert more is not None
    assert more.link is not None
    assert (more.link.ifname, more.link.mtu, more.link.is_up) == ("net1", 1400, True)


def test_another_netns_at_that_path_is_not_the_pods(world: World) -> None:
    """The PF's word alone stays."""
    attach(world)
    pod = world.kernel.pods["/run/netns/pod1"]
    world.kernel.pods["/run/netns/moved"] = world.kernel.pods.pop("/run/netns/pod1")
    world.kernel.add_pod("/run/netns/pod1")
    world.kernel.pods["/run/netns/pod1"].links = dict(pod.links)

    more = of_vf(world, 0).more

    assert more is not None
    assert (more.link, more.counters) == (None, None)


def test_one_that_cannot_be_looked_at_is_told_and_the_rest_is_there(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    attach(world)
    real, refused = fakes.FakeNetlink.whole_link, netdev(world, "enp1s0f0v1")

    def whole_link(self: fakes.FakeNetlink, ifindex: int) -> bytes:
        if self.namespace.links.get(ifindex) is refused:
            raise KernelRefused(f"look up all of link {ifindex}", 105)
        return real(self, ifindex)

    monkeypatch.setattr(fakes.FakeNetlink, "whole_link", whole_link)

    run = sriovctl(world, "status", "--json")

    (sentence,) = run.document["unseen"]
    assert sentence.startswith("0000:01:10.2: look up all of link")
    vfs = run.document["pfs"][0]["vfs"]
    assert [vf["counters"] is None for vf in vfs] == [index == 1 for index in range(7)]
    assert run.status == 0
    assert "could not be looked at: 0000:01:10.2" in sriovctl(world, "status").out


def test_it_only_looks(furnished: World) -> None:
    before = furnished.snapshot()

    for argv in (("status",), ("status", "-o", "wide"), ("status", "--json"), ("metrics",)):
        assert sriovctl(furnished, *argv).status == 0

    assert furnished.snapshot() == before


def test_the_devices_facts_are_sysfs(furnished: World) -> None:
    document = sriovctl(furnished, "status", "--json").document

    first = document["pfs"][0]
    assert (first["vendor"], first["device"], first["iommuGroup"], first["numaNode"]) == (
        "8086",
        "10c9",
        15,
        0,
    )
    assert first["model"] == "Intel Corporation 82576 Gigabit Network Connection"
    assert [vf["iommuGroup"] for vf in first["vfs"]] == [16, 17, 18, 19, 20, 21, 22]


def test_counters_that_say_nothing_hide_nothing_else(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's message was cut off: no bug of ours."""
    monkeypatch.setattr(fakes.FakeNetlink, "whole_link", lambda *_: b"")

    found = gather.look(host(world), Files(str(world.root)))

    assert len(found.unseen) == 8
    assert all("read counters: Bad message" in told for told in found.unseen)
