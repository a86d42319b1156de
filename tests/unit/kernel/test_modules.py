"""Modules of a kernel from the files that depmod writes; lines as Debian's 6.12.95 has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cni_sriov.kernel import modules
from cni_sriov.kernel.files import Files
from cni_sriov.words.device import Device
from cni_sriov.words.errors import PfUnusable

VF = Device("0000:01:10.0", vendor=0x8086, modalias="pci:v00008086d000010CAsv00001AF4sd00001100bc02sc00i00")
DEP = """kernel/drivers/vfio/pci/vfio-pci.ko: kernel/drivers/vfio/pci/vfio-pci-core.ko
kernel/drivers/net/ethernet/intel/igbvf/igbvf.ko.xz:
kernel/drivers/net/ethernet/mellanox/mlx5/core/mlx5_core.ko.zst: kernel/net/core/devlink.ko.zst
"""
ALIAS = """# Aliases extracted from modules themselves.
alias pci:v00008086d000010CAsv*sd*bc*sc*i* igbvf
alias pci:v00008086d00001520sv*sd*bc*sc*i* igbvf
alias vfio_pci:v*d*sv*sd*bc*sc*i* vfio_pci
alias pci:v*d*sv*sd*bc0Csc03i30* xhci_pci
alias fs-ext4 ext4
"""


@pytest.fixture
def files(tmp_path: Path) -> Files:
    kernel = tmp_path / "lib/modules/6.12.9"
    kernel.mkdir(parents=True)
    (tmp_path / "proc/sys/kernel").mkdir(parents=True)
    (tmp_path / "proc/sys/kernel/osrelease").write_text("6.12.9\n")
    (kernel / "modules.dep").write_text(DEP)
    (kernel / "modules.alias").write_text(ALIAS)
    (kernel / "modules.builtin").write_text("kernel/drivers/net/virtio_net.ko\n")
    builtin = "virtio_pci.license=GPL\0virtio_pci.alias=pci:v00001AF4d*sv*sd*bc*sc*i*\0"
    (kernel / "modules.builtin.modinfo").write_text(builtin)
    (tmp_path / "sys/bus/pci/drivers/igb").mkdir(parents=True)
    return Files(str(tmp_path))


@pytest.mark.parametrize(("driver", "state"), [
    ("igb", "loaded"), ("vfio-pci", "loadable"), ("vfio_pci", "loadable"), ("igbvf", "loadable"), ("mlx5_core", "loadable"),
    ("virtio_net", "loadable"), ("igb_uio", "missing"), ("vfio", "missing"),
])  # fmt: skip
def test_state(files: Files, driver: str, state: str) -> None:
    assert modules.state(files, driver) == state


def test_who_knows_a_device(files: Files) -> None:
    usb = Device("0000:00:14.0", vendor=0x8086, modalias="pci:v00008086d0000A36Dsv0sd0bc0Csc03i30")
    disk = Device(
        "0000:00:04.0", vendor=0x1AF4, modalias="pci:v00001AF4d00001001sv00001AF4sd00000002bc01sc00i00"
    )

    assert modules.knowing(files, VF) == ["igbvf"]
    assert modules.knowing(files, usb) == ["xhci_pci"]
    assert modules.knowing(files, disk) == ["virtio_pci"]
    assert modules.knowing(files, Device("0000:01:00.0")) == []


def test_a_loaded_module_says_what_its_driver_is_called(files: Files) -> None:
    (Path(files.root) / "sys/module/xhci_pci/drivers/pci:xhci_hcd").mkdir(parents=True)
    usb = Device("0000:00:14.0", vendor=0x8086, modalias="pci:v00008086d0000A36Dsv0sd0bc0Csc03i30")

    assert modules.knowing(files, usb) == ["xhci_hcd"]


def test_a_kernel_without_modules(tmp_path: Path) -> None:
    files = Files(str(tmp_path))

    assert (modules.state(files, "vfio-pci"), modules.knowing(files, VF)) == ("missing", [])


def modprobe(files: Files, text: str) -> Path:
    script = Path(files.root) / "usr/sbin/modprobe"
    script.parent.mkdir(parents=True)
    script.write_text(f"#!/bin/sh\n{text}\n")
    script.chmod(0o755)
    return script


def test_load(files: Files, capfd: pytest.CaptureFixture[str]) -> None:
    modprobe(files, f'echo "$@" > {files.root}/asked; mkdir {files.root}/sys/bus/pci/drivers/vfio-pci')

    modules.load(files, "vfio-pci")

    assert (Path(files.root) / "asked").read_text() == "-- vfio-pci\n"
    assert modules.state(files, "vfio-pci") == "loaded"


@pytest.mark.parametrize("text", ["exit 1", "exit 0"])
def test_what_modprobe_does_not_do_is_an_error(files: Files, text: str) -> None:
    modprobe(files, text)

    with pytest.raises(PfUnusable, match="load module vfio-pci: modprobe ended with") as failed:
        modules.load(files, "vfio-pci")
    assert "blacklist" in failed.value.details


def test_without_modprobe(files: Files) -> None:
    with pytest.raises(PfUnusable, match="there is no modprobe"):
        modules.load(files, "vfio-pci")


def test_depmods_lists_are_read_once_for_many_drivers(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    real = Files.text

    def text(self: Files, path: str) -> str | None:
        read.append(path.rpartition("/")[2])
        return real(self, path)

    monkeypatch.setattr(Files, "text", text)

    told = modules.states(files, ("igb", "vfio-pci", "igbvf", "igb_uio"))

    assert told == {"igb": "loaded", "vfio-pci": "loadable", "igbvf": "loadable", "igb_uio": "missing"}
    assert read.count("modules.dep") == 1
