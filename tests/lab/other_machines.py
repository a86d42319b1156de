"""`sriovctl doctor` on machines that the lab has no saved one of: each boots for itself. `make lab-host`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import bundle

from . import machine
from .ready import Lab
from .test_doctor_card import DEVICES, doctor, evidence
from .vm import Vm

pytestmark = [pytest.mark.lab, pytest.mark.bundle]

# two devices behind a PCI bridge: no ACS there, so one group
BEHIND_A_BRIDGE = [
    *("-device", "pcie-pci-bridge,id=old"),
    *("-device", "e1000,bus=old,addr=1,romfile=", "-device", "e1000,bus=old,addr=2,romfile="),
]


def test_devices_behind_a_pci_bridge_share_a_group_and_have_no_sriov(
    saved_lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = machine.argv
    monkeypatch.setattr(machine, "argv", lambda *given: [*real(*given), *BEHIND_A_BRIDGE])
    with Vm(saved_lab.image, saved_lab.accelerator, bundle.directory()) as vm:
        vm.boot()
        addresses = vm.run(f"grep -l 0x100e {DEVICES}/*/device").stdout.split()
        two = [Path(path).parent.name for path in addresses]
        group = vm.run(f"basename $(readlink {DEVICES}/{two[0]}/iommu_group)").stdout.strip()
        members = vm.run(f"ls /sys/kernel/iommu_groups/{group}/devices").stdout.split()
        status, found = doctor(vm, two[1])

    shared = found["iommu-group-shared"]
    assert (len(two), set(two) <= set(members)) == (2, True)
    assert (shared["subject"], shared["severity"]) == (f"IOMMU group {group}", "note")
    assert [one["said"].split()[0] for one in shared["evidence"]] == two
    trouble = found["no-sriov-capability"]
    assert (status, trouble["severity"]) == (1, "error")
    assert evidence(trouble)[f"{DEVICES}/{two[1]}/sriov_totalvfs"] == "not there"
