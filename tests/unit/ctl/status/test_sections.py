"""Who is in which section, and which device carries the machine's traffic."""

from __future__ import annotations

from pathlib import Path

import pytest

from cni_sriov.ctl.status import sections
from cni_sriov.ctl.status.naming import Naming
from cni_sriov.kernel.files import Files
from cni_sriov.kernel.replies import KernelRoute
from cni_sriov.words.device import Device
from cni_sriov.words.domain import Route


@pytest.fixture
def naming(tmp_path: Path) -> Naming:
    return Naming(Files(str(tmp_path)))


def test_titles_and_order_are_devbinds(naming: Naming) -> None:
    devices = [
        Device("0000:03:00.0", 0x0B40, 0x8086, 0x37C8, "c6xx"),
        Device("0000:01:10.2", 0x0200, 0x8086, 0x10CA, ""),
        Device("0000:01:00.0", 0x0200, 0x8086, 0x10C9, "igb", netdevs=["enp1s0f0"]),
        Device("0000:01:10.0", 0x0200, 0x8086, 0x10CA, "vfio-pci"),
        Device("0000:02:00.0", 0x0200, 0x15B3, 0x1019, "mlx5_core", netdevs=["eth0", "eth1"]),
        Device("0000:00:1f.0", 0x0601, 0x8086, 0x2918, "lpc_ich"),
    ]

    found = list(sections.sections(sections.bound(devices, naming, {"eth1"})))

    assert [(section.title, [row.device.address for row in section.rows]) for section in found] == [
        ("Network devices using DPDK-compatible driver", ["0000:01:10.0"]),
        ("Network devices using kernel driver", ["0000:01:00.0", "0000:02:00.0"]),
        ("Other Network devices", ["0000:01:10.2"]),
        ("Crypto devices using kernel driver", ["0000:03:00.0"]),
    ]
    assert [row.device.address for section in found for row in section.rows if row.is_active] == [
        "0000:02:00.0"
    ]


@pytest.mark.parametrize(
    ("driver", "bound_to"),
    [
        ("igb_uio", "dpdk"),
        ("uio_pci_generic", "dpdk"),
        ("vfio-pci", "dpdk"),
        ("igbvf", "kernel"),
        ("", "none"),
    ],
)
def test_who_has_it(naming: Naming, driver: str, bound_to: str) -> None:
    (row,) = sections.bound([Device("0000:01:00.0", 0x0200, 1, 2, driver)], naming, set())

    assert row.to_json()["boundTo"] == bound_to


def test_active_is_a_route_that_not_every_link_has() -> None:
    routes = [
        KernelRoute(Route("0.0.0.0/0", gw="192.0.2.1"), 2),
        KernelRoute(Route("192.0.2.0/24"), 2),
        KernelRoute(Route("169.254.0.0/16"), 3),
        KernelRoute(Route("fe80::/64"), 4),
        KernelRoute(Route("ff00::/8"), 4),
        KernelRoute(Route("2001:db8::/64"), 5),
        KernelRoute(Route("0.0.0.0/0"), 0),  # multipath
    ]

    assert sections.active_indices(routes) == {2, 5}
