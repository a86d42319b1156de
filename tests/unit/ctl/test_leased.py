"""The leases of every data directory in use."""

from __future__ import annotations

from tests.unit import dpdk
from tests.unit.ctl.tool import attach, sriovctl
from tests.world import World


def test_leases_of_all_data_directories(world: World) -> None:
    attach(world)
    world.kernel.add_pod("/run/netns/pod2")
    other = world.ipam(
        dataDir=str(world.root / "data2"), scope="b", pools=[{"subnet": "fd00::/48", "prefixLength": 64}]
    )
    assert (
        world.call("ADD", world.conf(ipam=other, name="six"), container="c2", netns="/run/netns/pod2").code
        == 0
    )

    run = sriovctl(world, "leases", "--json")

    leases = run.document["leases"]
    assert [lease.pop("since")[-1] for lease in leases] == ["Z", "Z"]  # test_owned.py
    assert leases == [
        {
            "scope": "b", "subnet": "fd00::/64", "address": "fd00::2/64", "gateway": "fd00::1", "network": "six",
            "containerID": "c2", "ifname": "net1", "sticky": "", "dataDir": str(world.root / "data2"),
            "pool": "fd00::/48", "netns": "/run/netns/pod2", "pod": "",
        },
        {
            "scope": "default", "subnet": "10.10.0.0/24", "address": "10.10.0.2/24", "gateway": "10.10.0.1",
            "network": "fast", "containerID": "c1", "ifname": "net1", "sticky": "", "dataDir": str(world.data_dir),
            "pool": "10.10.0.0/16", "netns": "/run/netns/pod1", "pod": "",
        },
    ]  # fmt: skip
    table = sriovctl(world, "leases").out.splitlines()
    assert table[0].split() == ["subnet", "address", "gateway", "network", "container", "scope"]
    assert table[1].split() == ["fd00::/64", "fd00::2", "fd00::1", "six", "c2/net1", "b"]


def test_those_of_a_program_in_user_space_are_leases_like_others(world: World) -> None:
    dpdk.furnish(world)
    attach(world, driver="vfio-pci")

    (lease,) = sriovctl(world, "leases", "--json").document["leases"]

    assert (lease["subnet"], lease["containerID"]) == ("10.10.0.0/24", "c1")
