"""Which driver: the notes' section 2 as a table, and every refusal with what to do.

Expected are the rules of DPDK's guide (linux_drivers.rst), of vfio.rst ("group viability") and of issue 11.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cni_sriov.decide.planner import Facts, plan
from cni_sriov.words.device import Device
from cni_sriov.words.errors import BadConfig, CniError, PfUnusable

VF = Device("0000:01:10.0", 0x0200, 0x8086, 0x10CA, "igbvf", pf="0000:01:00.0", group="9")
PF = Device("0000:01:00.0", 0x0200, 0x8086, 0x10C9, "igb", totalvfs=7, numvfs=7, group="8")
ALL = {
    "vfio-pci": "loaded",
    "uio_pci_generic": "loaded",
    "igb_uio": "loaded",
    "igbvf": "loaded",
    "igb": "loaded",
}


def facts(device: Device = VF, **keys: Any) -> Facts:
    kernels = ["igb" if device is PF else "igbvf"]
    known: dict[str, Any] = {"has_iommu": True, "modules": dict(ALL), "kernels": kernels, "release": "6.12.9"}
    return Facts(device, **(known | keys))


def on(driver: str, device: Device = VF, **keys: Any) -> Device:
    return replace(device, driver=driver, **keys)


@pytest.mark.parametrize(("device", "wanted", "driver", "is_change"), [
    (VF, "auto", "vfio-pci", True),
    (VF, "vfio-pci", "vfio-pci", True),
    (VF, "kernel", "igbvf", False),
    (VF, "igbvf", "igbvf", False),
    (VF, "uio_pci_generic", "uio_pci_generic", True),
    (VF, "igb_uio", "igb_uio", True),
    (VF, "", "", True),
    (on("vfio-pci"), "auto", "vfio-pci", False),
    (on("mlx5_vfio_pci"), "auto", "mlx5_vfio_pci", False),
    (on("uio_pci_generic"), "auto", "vfio-pci", True),
    (on("vfio-pci"), "kernel", "igbvf", True),
    (on(""), "", "", False),
    (on(""), "kernel", "igbvf", True),
    (on("igbvf", override="vfio-pci"), "kernel", "igbvf", True),  # somebody's bind was cut off
    (on("igbvf", override="igbvf"), "kernel", "igbvf", False),
    (on("vfio-pci", override=""), "vfio-pci", "vfio-pci", False),
])  # fmt: skip
def test_the_driver(device: Device, wanted: str, driver: str, is_change: bool) -> None:
    found = plan(facts(device), wanted)

    assert (found.driver, found.is_change) == (driver, is_change)


@pytest.mark.parametrize("driver", ["mlx4_core", "mlx5_core", "mana"])
@pytest.mark.parametrize("bound", [True, False])
def test_a_bifurcated_driver_keeps_its_device_whatever_the_iommu(driver: str, bound: bool) -> None:
    device = on(driver if bound else "")
    found = plan(facts(device, kernels=[driver], has_iommu=False, modules={driver: "loaded"}), "auto")

    assert (found.driver, found.is_change) == (driver, not bound)
    assert f"{driver} keeps the device" in found.notes[0]


@pytest.mark.parametrize("noiommu", [True, False])
def test_without_an_iommu_auto_chooses_nothing_unsafe(noiommu: bool) -> None:
    with pytest.raises(PfUnusable, match="in no IOMMU group") as refused:
        plan(facts(replace(VF, group=""), has_iommu=False, noiommu=noiommu), "auto")

    assert "sriovctl bind 0000:01:10.0 uio_pci_generic" in refused.value.details


def test_no_iommu_mode_serves_only_who_names_vfio() -> None:
    without = replace(VF, group="")
    with pytest.raises(PfUnusable, match="no-IOMMU mode is off") as refused:
        plan(facts(without, has_iommu=False), "vfio-pci")
    assert "modprobe vfio enable_unsafe_noiommu_mode=1" in refused.value.details

    found = plan(facts(without, has_iommu=False, noiommu=True), "vfio-pci")

    assert (found.driver, found.is_change) == ("vfio-pci", True)
    assert "as unsafe as UIO" in found.notes[0]


@pytest.mark.parametrize("driver", ["uio_pci_generic", "igb_uio"])
@pytest.mark.parametrize(
    ("lockdown", "secure_boot", "says"),
    [
        ("integrity", None, "locked down (integrity)"),
        ("confidentiality", False, "locked down (confidentiality)"),
        ("none", True, "secure boot"),
        ("", True, "secure boot"),
    ],
)
def test_secure_boot_or_lockdown_forbids_uio_forced_or_not(
    driver: str, lockdown: str, secure_boot: bool | None, says: str
) -> None:
    for force in (False, True):
        with pytest.raises(PfUnusable) as refused:
            plan(facts(lockdown=lockdown, secure_boot=secure_boot), driver, force)
        assert says in refused.value.msg
        assert "sriovctl bind 0000:01:10.0 vfio-pci" in refused.value.details

    assert plan(facts(lockdown=lockdown, secure_boot=secure_boot), "vfio-pci").is_change
    assert plan(facts(lockdown="none", secure_boot=False), driver).is_change


def test_an_iommu_group_is_viable_when_no_kernel_driver_has_another_of_it() -> None:
    others = [
        Device("0000:00:1c.0", 0x0604, driver="pcieport", group="9"),
        Device("0000:01:10.2", 0x0200, driver="igbvf", group="9"),
        Device("0000:01:10.4", 0x0200, driver="vfio-pci", group="9"),
        Device("0000:01:10.6", 0x0200, driver="", group="9"),
        Device("0000:00:00.0", 0x0600, driver="agpgart-intel", group="9"),
    ]
    with pytest.raises(PfUnusable) as refused:
        plan(facts(members=others), "auto")
    assert "shared with 0000:01:10.2 (igbvf), 0000:00:00.0 (agpgart-intel)" in refused.value.msg
    assert refused.value.details.splitlines()[1:] == [
        "sriovctl bind 0000:01:10.0 vfio-pci --force",
        "sriovctl bind 0000:01:10.2 vfio-pci --force",
        "sriovctl bind 0000:00:00.0 vfio-pci --force",
    ]

    forced = plan(facts(members=others), "auto", force=True)
    alone = plan(facts(members=others[:1] + others[2:4]), "auto")

    assert (forced.driver, len(forced.notes)) == ("vfio-pci", 2)
    assert "0000:01:10.2 (igbvf)" in forced.notes[1]
    assert alone.notes == ["bridge 0000:00:1c.0 is in IOMMU group 9, too, and may stay"]
    assert plan(facts(members=others), "uio_pci_generic").is_change  # groups are vfio's


@pytest.mark.parametrize("wanted", ["vfio-pci", "uio_pci_generic", ""])
def test_a_pf_goes_from_its_driver_by_force_alone(wanted: str) -> None:
    with pytest.raises(PfUnusable, match="it is a PF, and without igb its 7 VFs go") as refused:
        plan(facts(PF), wanted)
    assert f"like `sriovctl bind 0000:01:00.0:0 {wanted or 'vfio-pci'}`" in refused.value.details

    forced = plan(facts(PF), wanted, force=True)

    assert (forced.driver, forced.is_change) == (wanted, True)
    assert "0000:01:00.0 is a PF: without igb its 7 VFs go" in forced.notes


def test_a_pf_comes_back_without_force() -> None:
    found = plan(facts(replace(PF, driver="vfio-pci", numvfs=0), kernels=["igb"]), "kernel")

    assert (found.driver, found.is_change, found.notes) == ("igb", True, [])


@pytest.mark.parametrize("wanted", ["auto", "kernel", "uio_pci_generic", ""])
def test_a_process_that_holds_it_is_named_forced_or_not(wanted: str) -> None:
    held = facts(on("vfio-pci"), holders=["dpdk-testpmd (pid 71)"])
    if wanted == "auto":
        assert not plan(held, wanted).is_change
        return
    for force in (False, True):
        with pytest.raises(PfUnusable, match=r"open in dpdk-testpmd \(pid 71\)"):
            plan(held, wanted, force)


@pytest.mark.parametrize("device", [VF, PF])
def test_what_is_in_use_is_never_taken(device: Device) -> None:
    used = facts(device, uses=["attached to c1/net1 (/run/netns/c1)"])

    for force in (False, True):
        with pytest.raises(PfUnusable, match="it is in use") as refused:
            plan(used, "vfio-pci", force)
        assert refused.value.details.splitlines()[0] == "attached to c1/net1 (/run/netns/c1)"
    assert not plan(used, "kernel").is_change


@pytest.mark.parametrize(
    ("kind", "says"), [(0x0108, "disk controller"), (0x0300, "display"), (0x0C03, "USB")]
)
def test_what_the_machine_lives_on_goes_by_force_alone(kind: int, says: str) -> None:
    disk = facts(on("nvme", kind=kind, pf=""), kernels=["nvme"])

    with pytest.raises(PfUnusable, match=says):
        plan(disk, "vfio-pci")
    assert plan(disk, "vfio-pci", force=True).is_change


def test_a_bridge_is_never_bound() -> None:
    bridge = Device("0000:00:1c.0", 0x0604, driver="pcieport", group="9")

    with pytest.raises(BadConfig, match="it is a bridge"):
        plan(facts(bridge), "vfio-pci", force=True)


@pytest.mark.parametrize("wanted", ["e1000e", "nosuch", "../x", "igb"])
def test_a_driver_that_does_not_know_the_device_is_refused(wanted: str) -> None:
    """driver_override has its probe called all the same, with tables that say nothing of the device."""
    with pytest.raises(BadConfig, match="no driver of that device") as refused:
        plan(facts(), wanted)
    assert "igbvf" in refused.value.details
    assert "vfio-pci" in refused.value.details


def test_the_kernel_driver_of_what_nobody_knows() -> None:
    with pytest.raises(PfUnusable, match=r"no module of kernel 6\.12\.9 knows it"):
        plan(facts(on("vfio-pci"), kernels=[]), "kernel")


def test_modules_are_loaded_and_a_missing_one_names_its_package() -> None:
    assert plan(facts(modules=ALL | {"vfio-pci": "loadable"}), "auto").loads == ["vfio-pci"]
    assert plan(facts(modules=ALL), "auto").loads == []
    for driver, package in {
        "vfio-pci": "linux-modules-extra-6.12.9",
        "uio_pci_generic": "kernel-modules-extra-6.12.9",
        "igb_uio": "dpdk-kmods-dkms",
        "mlx5_vfio_pci": "linux-modules-extra-6.12.9",
    }.items():
        with pytest.raises(CniError, match="has no module for it") as missing:
            plan(facts(modules={}), driver)
        assert (missing.value.code, package in missing.value.details) == (101, True), driver


def test_json() -> None:
    assert plan(facts(), "auto").to_json() == {
        "driver": "vfio-pci", "change": True, "loads": [], "notes": [],
    }  # fmt: skip
