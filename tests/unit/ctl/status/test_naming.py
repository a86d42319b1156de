"""Names and modules of a node's own files."""

from __future__ import annotations

from pathlib import Path

import pytest

from cni_sriov.ctl.status.naming import Naming
from cni_sriov.kernel.files import Files
from cni_sriov.words.device import Device
from tests.unit.ctl.status.example import ALIASES, PCI_IDS, RELEASE

VF = Device(
    "0000:01:10.0",
    0x0200,
    0x8086,
    0x10CA,
    "igbvf",
    modalias="pci:v00008086d000010CAsv00008086sd00000000bc02sc00i00",
)


@pytest.fixture
def naming(tmp_path: Path) -> Naming:
    for path, text in {
        "usr/share/misc/pci.ids": PCI_IDS,
        "proc/sys/kernel/osrelease": RELEASE + "\n",
        f"lib/modules/{RELEASE}/modules.alias": ALIASES,
        "sys/module/vfio_pci/version": "",
        "sys/module/uio_pci_generic/version": "",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return Naming(Files(str(tmp_path)))


@pytest.mark.parametrize(
    ("vendor", "device", "name"),
    [
        (0x8086, 0x10C9, "Intel Corporation 82576 Gigabit Network Connection"),
        (0x8086, 0x10CA, "Intel Corporation 82576 Virtual Function"),
        (0x8086, 0xFFFF, "Intel Corporation"),
        (0x103C, 0x31EF, ""),  # a subsystem's, in a line with two tabs
        (0x0002, 0x0000, ""),  # a class
        (0, 0, ""),
    ],
)
def test_models(naming: Naming, vendor: int, device: int, name: str) -> None:
    assert naming.model(Device("0000:01:00.0", vendor=vendor, device=device)) == name


@pytest.mark.parametrize(
    ("driver", "unused"),
    [
        ("igbvf", ["vfio-pci", "uio_pci_generic"]),
        ("vfio-pci", ["igbvf", "uio_pci_generic"]),
        ("", ["igbvf", "vfio-pci", "uio_pci_generic"]),
    ],
)
def test_drivers_that_could_have_it(naming: Naming, driver: str, unused: list[str]) -> None:
    """igb_uio is not loaded."""
    device = Device(VF.address, VF.kind, VF.vendor, VF.device, driver, modalias=VF.modalias)

    assert sorted(naming.unused(device)) == sorted(unused)


def test_a_class_alias_fits_any_vendor(naming: Naming) -> None:
    bridge = Device("0000:00:02.0", modalias="pci:v00001B36d0000000Csv00000000sd00000000bc06sc04i00")

    assert "shpchp" in naming.unused(bridge)
    assert "shpchp" not in naming.unused(VF)


def test_a_driver_that_is_built_in_and_not_bound_could_have_it(naming: Naming) -> None:
    """Linux: Documentation/kbuild/kbuild.rst, modules.builtin.modinfo; its strings end with a NUL."""
    listed = Path(naming.files.root) / f"lib/modules/{RELEASE}/modules.builtin.modinfo"
    listed.write_bytes(
        b"igbvf.license=GPL\0own_igbvf.alias=pci:v00008086d000010CAsv*sd*bc*sc*i*\0own_igbvf.file=own\0"
    )

    assert "own_igbvf" in naming.unused(VF)


def test_a_module_with_an_underscore_is_the_driver_with_a_dash(naming: Naming) -> None:
    device = Device(VF.address, driver="uio-pci-generic", modalias="")

    assert naming.unused(device) == ["vfio-pci"]


def test_a_node_without_these_files_names_nothing(tmp_path: Path) -> None:
    naming = Naming(Files(str(tmp_path)))

    assert (naming.model(VF), naming.unused(VF)) == ("", [])
