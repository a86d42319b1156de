"""The seam for handing a VF over: a kind is one module, and everybody goes through it."""

from __future__ import annotations

from typing import Any

import pytest

from cni_sriov.conf import netconf
from cni_sriov.vf import admin, handover, netdev, vfio
from cni_sriov.vf.pod import InPod
from cni_sriov.words.domain import Attachment, Link
from cni_sriov.words.errors import TryAgain
from cni_sriov.words.plane import DataPlane
from cni_sriov.words.record import Record
from tests.world import World

VF = "0000:01:10.0"


class Device:
    """A kind whose container gets no netdev. It notes who asked it what."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, Any] = {
            "configure": [],
            "differences": [],
            "is_home": False,
        }

    def __getattr__(self, act: str) -> Any:
        def noted(*args: Any) -> Any:
            self.asked.append(act)
            return self._answer(act, *args)

        return noted

    def _answer(self, act: str, *args: Any) -> Any:
        if act == "busy" and not self.answers.get("busy"):
            args[2].plane = DataPlane("device")  # of a VF that is to be had: what the Record says of it
            return ""
        if act == "hand_over":
            card, netns, netlink, _ = args
            admin.set_knobs(card)
            return InPod(card.host, netns, netlink, Link(0, card.record.attachment.ifname))
        return self.answers.get(act)


@pytest.fixture
def device(world: World, monkeypatch: pytest.MonkeyPatch) -> Device:
    kind = Device()
    vf = world.kernel.pfs[0].vfs[0]
    world.kernel.set_driver(vf, "vfio-pci")
    monkeypatch.setitem(handover._KINDS, "device", kind)  # noqa: SLF001 # on the way back, by the Record
    monkeypatch.setattr(handover, "wanted", lambda *_: kind)
    return kind


def a_record(plane: DataPlane | None) -> Record:
    return Record(Attachment("c1", "net1"), "fast", "0000:01:00.0", VF, 0, "/n", [4, 1], "boot", plane=plane)


def test_the_record_says_which() -> None:
    assert (handover.of(a_record(None)), handover.of(a_record(DataPlane("vfio")))) == (netdev, vfio)


def test_a_later_versions_kind_is_refused_in_words() -> None:
    with pytest.raises(TryAgain, match='attached as "quantum", which this version does not know'):
        handover.of(a_record(DataPlane("quantum")))


NAMED = {"deviceID": VF}


@pytest.mark.parametrize(
    ("keys", "driver", "wanted"),
    [
        ({}, "igbvf", netdev),
        (NAMED, "igbvf", netdev),
        (NAMED, "vfio-pci", vfio),  # as sriov-cni and host-device do
        (NAMED, "uio_pci_generic", vfio),
        (NAMED, "pci-stub", netdev),
        ({}, "vfio-pci", netdev),  # nobody named it
        (NAMED | {"driver": "kernel"}, "vfio-pci", netdev),
        ({"driver": "vfio-pci"}, "igbvf", vfio),
        ({"driver": "auto"}, "igbvf", vfio),
        ({"driver": "auto"}, "mlx5_core", netdev),  # DPDK drives it beside that driver
    ],
)
def test_the_conf_says_which_of_a_vf_before_it_is_claimed(
    keys: dict[str, Any], driver: str, wanted: object
) -> None:
    conf = netconf.parse({"cniVersion": "1.0.0", "name": "n", "type": "sriov", "master": "x"} | keys, {})

    assert handover.wanted(conf, driver) is wanted


def test_a_kind_without_a_netdev_needs_no_line_elsewhere(world: World, device: Device) -> None:
    conf = world.conf(vlan=100, deviceID=VF, master=None, ipam=world.ipam())
    before = world.snapshot()

    added = world.call("ADD", conf)

    assert (added.code, added.document["interfaces"][0]["name"]) == (0, "net1"), added.text
    assert added.document["ips"][0]["address"] == "10.10.0.2/24"
    assert device.asked == ["busy", "find", "hand_over", "configure", "announce"]
    assert world.call("CHECK", conf | {"prevResult": added.document}).code == 0
    device.answers["differences"] = ["its device is another one"]
    drifted = world.call("CHECK", conf | {"prevResult": added.document})
    assert (drifted.code, "its device is another one" in drifted.text) == (107, True)
    assert world.call("DEL", conf).code == 0
    assert device.asked[-1] == "take_home"
    assert world.snapshot() == before


def test_a_kind_says_what_is_busy(world: World, device: Device) -> None:
    conf = world.conf(deviceID=VF, master=None)
    device.answers["busy"] = "somebody has its group open"

    refused = world.call("ADD", conf)

    assert "somebody has its group open" in refused.text


def test_a_kind_proves_that_a_container_is_dead(world: World, device: Device) -> None:
    conf = world.conf(deviceID=VF, master=None)
    assert world.call("ADD", conf).code == 0
    world.kernel.add_pod("/run/netns/pod2")
    assert world.call("ADD", conf, "c2", "/run/netns/pod2").code == 11
    device.answers["is_home"] = True

    assert world.call("ADD", conf, "c2", "/run/netns/pod2").code == 0


def test_what_was_seen_so_and_not_set_is_not_looked_at_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a burst each look-up of a DEL queues for RTNL behind others' moves."""
    netlink: Any = type(world.kernel.netlink)
    looks: list[Any] = []
    look = netlink.vf_states

    def counted(*args: Any) -> Any:
        looks.append(args)
        return look(*args)

    monkeypatch.setattr(netlink, "vf_states", counted)
    own = world.kernel.pfs[0].vfs[0].link
    asked: list[tuple[dict[str, Any], int]] = [({}, 1), ({"vlan": 100}, 2), ({"mac": "02:00:00:00:aa:01"}, 2)]
    asked += [({"mac": own.mac if own else ""}, 2)]  # an admin MAC that cannot be seen, but is set back
    for keys, wanted in asked:
        assert world.call("ADD", world.conf(**keys)).code == 0
        looks.clear()
        assert world.call("DEL", world.conf(**keys)).code == 0
        assert len(looks) == wanted, keys
