"""A netdev's files in sysfs, on a tree in a directory."""

from __future__ import annotations

import os
from errno import EIO, ENODEV
from pathlib import Path

import pytest

from cni_sriov.kernel import tunables
from cni_sriov.words.errors import KernelRefused

PCI = "0000:01:10.0"


@pytest.fixture
def netdev(tmp_path: Path) -> Path:
    made = tmp_path / PCI / "net/v0"
    for queue in ("rx-0", "rx-1"):
        (made / "queues" / queue).mkdir(parents=True)
        (made / "queues" / queue / "rps_cpus").write_text("0\n")
    (made / "queues/tx-0/byte_queue_limits").mkdir(parents=True)
    (made / "queues/tx-0/byte_queue_limits/limit_max").write_text("1879048192\n")
    (made / "queues/tx-0/xps_cpus").write_text("1\n")
    (made / "threaded").write_text("0\n")
    (made / "mtu").write_text("1500\n")
    return made


def read(netdev: Path, pci_address: str = PCI, ifname: str = "v0") -> dict[str, str]:
    return tunables.read(pci_address, ifname, str(netdev.parents[2]))


def test_what_is_there_is_told(netdev: Path) -> None:
    assert read(netdev) == {"threaded": "0", "rps_cpus": "0", "limit_max": "1879048192"}


def test_queues_that_differ_are_told_one_by_one(netdev: Path) -> None:
    (netdev / "queues/rx-1/rps_cpus").write_text("3\n")

    assert read(netdev)["rps_cpus"] == "0=0 1=3"


@pytest.mark.parametrize(
    ("pci_address", "ifname"), [(PCI, "v1"), ("virtio1", "v0"), (PCI, "../v0"), ("../x", "v0")]
)
def test_what_is_not_here_has_none(netdev: Path, pci_address: str, ifname: str) -> None:
    assert read(netdev, pci_address, ifname) == {}


def test_a_netdev_without_queues_is_told_all_the_same(netdev: Path) -> None:
    """A kernel without CONFIG_RPS and CONFIG_XPS."""
    import shutil

    shutil.rmtree(netdev / "queues")

    assert read(netdev) == {"threaded": "0"}


@pytest.mark.parametrize("number", [EIO, ENODEV])
def test_a_failed_look_is_not_absence(netdev: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(*_: object) -> bytes:
        raise OSError(number, "no")

    monkeypatch.setattr(os, "read", refuse)

    with pytest.raises(KernelRefused) as refused:
        read(netdev)

    assert refused.value.errno == number
