"""NetworkManager's and systemd-networkd's own files of VFs: texts as they write them."""

from __future__ import annotations

import pytest

from cni_sriov.ctl.doctor import managers
from cni_sriov.decide.facts_runtime import Managed
from cni_sriov.kernel.files import Files
from cni_sriov.words.failures import Failures
from tests.unit.ctl.doctor.tree import Tree
from tests.unit.ctl.tool import attach, host
from tests.world import World

# NetworkManager 1.42, Debian 12
MANAGED = """[device]
managed=true
connection-uuid=64b3b8a0-6d4d-3a62-a8a4-6ca8a2ff3d0f
nm-owned=false
route-metric-default-aspired=100
route-metric-default-effective=100
"""
# systemd 252, Debian 12
CONFIGURED = """# This is private data. Do not parse.
ADMIN_STATE=configured
OPER_STATE=routable
CARRIER_STATE=carrier
ADDRESS_STATE=routable
IPV4_ADDRESS_STATE=routable
IPV6_ADDRESS_STATE=degraded
ONLINE_STATE=online
REQUIRED_FOR_ONLINE=yes
NETWORK_FILE=/etc/systemd/network/10-dhcp.network
NETWORK_FILE_DROPINS=""
"""
UNMANAGED = "# This is private data. Do not parse.\nADMIN_STATE=unmanaged\nOPER_STATE=off\n"


@pytest.fixture
def node(world: World) -> Tree:
    return Tree(world.root)


def look(world: World) -> list[Managed]:
    failures = Failures()
    found = managers.look(host(world), Files(str(world.root)), failures)
    assert failures.told == []
    return found


def index_of(world: World, name: str) -> int:
    (found,) = [index for index, link in world.kernel.host.links.items() if link.name == name]
    return found


def test_a_vf_that_networkmanager_manages(world: World, node: Tree) -> None:
    path = f"/run/NetworkManager/devices/{index_of(world, 'enp1s0f0v0')}"
    node.write(path, MANAGED)
    node.write(f"/run/NetworkManager/devices/{index_of(world, 'enp1s0f0')}", MANAGED)

    (found,) = look(world)

    assert (found.netdev, found.by, found.driver) == ("enp1s0f0v0", "NetworkManager", "igbvf")
    assert (found.told.source, found.told.said) == (path, "managed=true")


@pytest.mark.parametrize(
    "text",
    [
        "[device]\nmanaged=false\n",
        "[device]\nperm-hw-addr-fake=02:00:00:00:00:01\n",
        "[other]\nmanaged=true\n",
        "",
        "\0",
    ],
)
def test_one_that_it_leaves_alone(world: World, node: Tree, text: str) -> None:
    node.write(f"/run/NetworkManager/devices/{index_of(world, 'enp1s0f0v0')}", text)

    assert look(world) == []


def test_a_vf_that_networkd_configures(world: World, node: Tree) -> None:
    path = f"/run/systemd/netif/links/{index_of(world, 'enp1s0f0v1')}"
    node.write(path, CONFIGURED)

    (found,) = look(world)

    assert (found.netdev, found.by) == ("enp1s0f0v1", "systemd-networkd")
    assert found.network_file == "/etc/systemd/network/10-dhcp.network"
    assert found.told.said == "ADMIN_STATE=configured NETWORK_FILE=/etc/systemd/network/10-dhcp.network"


@pytest.mark.parametrize(
    "text",
    [
        UNMANAGED,
        UNMANAGED + "NETWORK_FILE=/etc/systemd/network/05-cni-sriov-vf.network\n",  # Unmanaged=yes
        "ADMIN_STATE=initialized\n",
        "ADMIN_STATE=configured\n",
    ],
)
def test_one_that_it_does_not(world: World, node: Tree, text: str) -> None:
    node.write(f"/run/systemd/netif/links/{index_of(world, 'enp1s0f0v1')}", text)

    assert look(world) == []


def test_a_vf_in_a_pod_is_nobodys_here(world: World, node: Tree) -> None:
    index = index_of(world, "enp1s0f0v0")
    attach(world)
    node.write(f"/run/NetworkManager/devices/{index}", MANAGED)

    assert look(world) == []
