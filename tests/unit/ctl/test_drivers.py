"""Who uses a device."""

from __future__ import annotations

import pytest

from cni_sriov.ctl import drivers
from cni_sriov.kernel import devices
from cni_sriov.kernel.files import Files
from cni_sriov.kernel.replies import Address
from tests.unit.ctl import tool
from tests.unit.ctl.tool import attach, host
from tests.world import World

VF = "0000:01:10.0"


@pytest.fixture
def files(world: World) -> Files:
    return tool.files(world)


def test_uses(world: World, files: Files) -> None:
    attach(world)
    links = {link.name: link for link in world.kernel.host.links.values()}
    world.kernel.add_upper(links["enp1s0f0v1"], "br0")
    links["enp1s0f0v2"].addresses += [Address("192.0.2.1/24", 0, 0), Address("fe80::1/64", 0, 0, 253)]
    links["enp1s0f0v3"].addresses.append(Address("fe80::2/64", 0, 0, 253))

    def uses(address: str) -> list[str]:
        return drivers.uses(host(world), files, devices.device(files, address))

    assert uses(VF) == ["attached to c1/net1 (/run/netns/pod1)"]
    assert uses("0000:01:10.2") == ["enp1s0f0v1 is a port of br0"]
    assert uses("0000:01:10.4") == ["enp1s0f0v2 has the address 192.0.2.1/24"]
    assert uses("0000:01:10.6") == []
    assert [line.partition(":")[0] for line in uses("0000:01:00.0")] == [
        "vf 0 (0000", "vf 1 (0000", "vf 2 (0000",
    ]  # fmt: skip


def test_a_netdev_in_somebody_elses_pod(world: World, files: Files) -> None:
    pod = world.kernel.pods["/run/netns/pod1"]
    world.kernel.move(world.kernel.host, world.kernel.netlink.ifindex("enp1s0f0v2"), pod, "eth0")

    assert drivers.uses(host(world), files, devices.device(files, "0000:01:10.4")) == [
        "its netdev is in another network namespace"
    ]


def test_a_claim_that_cannot_be_read_is_a_claim(world: World, files: Files) -> None:
    attach(world)
    for directory in (world.run_dir / "claims", world.state_dir):
        for file in directory.iterdir():
            file.write_text("{")

    assert drivers.claim_on(host(world), VF) == "taken, by a claim that cannot be read"


def test_a_virtio_card_has_its_netdev_a_level_below(world: World, files: Files) -> None:
    device = world.kernel.root / "sys/bus/pci/devices/0000:00:03.0"
    (device / "virtio0/net/lo").mkdir(parents=True)
    world.kernel.host.links[1].addresses.append(Address("192.0.2.9/24", 0, 0))

    assert devices.netdevs(files, "0000:00:03.0") == ["lo"]
    assert drivers.uses(host(world), files, devices.device(files, "0000:00:03.0")) == [
        "lo has the address 192.0.2.9/24"
    ]
