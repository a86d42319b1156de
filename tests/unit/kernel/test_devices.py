"""PCI devices from a tree like sysfs; a part that is missing is not known."""

from __future__ import annotations

from pathlib import Path

import pytest

from cni_sriov.kernel import devices
from cni_sriov.kernel.files import Files
from cni_sriov.words.device import Device

VF = "0000:01:10.0"


@pytest.fixture
def files(tmp_path: Path) -> Files:
    device = tmp_path / "sys/bus/pci/devices" / VF
    device.mkdir(parents=True)
    return Files(str(tmp_path))


def test_all_that_is_told(files: Files) -> None:
    device = Path(files.root) / "sys/bus/pci/devices" / VF
    told = {"class": "0x020000", "vendor": "0x8086", "device": "0x10ca", "numa_node": "-1"}
    told |= {
        "driver_override": "(null)",
        "modalias": "pci:v00008086",
        "sriov_totalvfs": "7",
        "sriov_numvfs": "0",
    }
    for name, text in told.items():
        (device / name).write_text(f"{text}\n")
    group = Path(files.root) / "sys/kernel/iommu_groups/9/devices"
    group.mkdir(parents=True)
    (group / VF).touch()
    (group / "0000:00:1c.0").touch()
    (device / "iommu_group").symlink_to("../../../kernel/iommu_groups/9")
    (device / "driver").symlink_to("../../../bus/pci/drivers/igbvf")
    (device / "physfn").symlink_to("../0000:01:00.0")
    (device / "net/enp1s0f0v0").mkdir(parents=True)

    assert devices.devices(files) == [
        Device(
            VF, 0x0200, 0x8086, 0x10CA, "igbvf", "", ["enp1s0f0v0"], "0000:01:00.0", 7, 0, "9",
            ["0000:00:1c.0", VF], -1, "pci:v00008086",
        )
    ]  # fmt: skip


def test_what_is_missing_is_not_known(files: Files) -> None:
    assert devices.device(files, VF) == Device(VF)
    assert devices.device(files, "0000:99:00.0").kind == 0
    with pytest.raises(ValueError, match="PCI"):
        devices.device(files, "../../etc")


def test_a_virtio_cards_netdev_is_one_device_further_down(files: Files) -> None:
    device = Path(files.root) / "sys/bus/pci/devices" / VF
    (device / "virtio0/net/eth0").mkdir(parents=True)
    (device / "virtio0/driver").symlink_to("../../../../bus/virtio/drivers/virtio_net")

    assert devices.device(files, VF).netdevs == ["eth0"]
