"""IOMMU, locks, modules. Each case has its nearest one without trouble."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cni_sriov.decide import rules_machine as rules
from cni_sriov.decide.facts import Facts, Rule
from cni_sriov.decide.facts_machine import Group
from cni_sriov.words.modules import ModuleOption
from tests.unit.decide.patient import PF0, healthy, ill, one, said, vf_device


def with_vfio(facts: Facts) -> Facts:
    """One VF is on vfio-pci."""
    vf = facts.cards[0].vfs[0]
    vf.device.driver, vf.is_userspace = "vfio-pci", True
    return facts


def without_iommu(vendor: str, tables: list[str], cmdline: str = "quiet", guest: bool = False) -> Facts:
    facts = healthy()
    facts.machine.iommus, facts.machine.groups, facts.machine.iommu_tables = [], 0, tables
    facts.machine.vendor, facts.machine.cmdline, facts.machine.is_guest = vendor, cmdline, guest
    return facts


@pytest.mark.parametrize("rule", rules.RULES)
def test_a_healthy_machine_has_no_trouble(rule: Rule) -> None:
    assert ill(rule, with_vfio(healthy())) == []


def test_what_was_not_seen_is_told_as_is_who_may_not_see() -> None:
    facts = healthy()
    facts.unseen = ["huge pages: look at /sys/x: Input/output error"]
    assert said(one(rules.unseen, facts)) == {"not seen": facts.unseen[0]}
    facts.unseen, facts.is_root = [], False
    assert "only root sees" in one(rules.unseen, facts).evidence[0].said


@pytest.mark.parametrize(
    ("vendor", "tables", "cmdline", "guest", "words", "not_words"),
    [
        ("GenuineIntel", ["DMAR"], "quiet", False, ["intel_iommu=on iommu=pt"], ["BIOS", "take "]),
        ("GenuineIntel", [], "quiet", False, ["VT-d in the BIOS", "intel_iommu=on"], ["virtual machine"]),
        ("AuthenticAMD", ["IVRS"], "amd_iommu=off", False, ["take amd_iommu=off off", "AMD needs no option"], ["intel_", "BIOS"]),
        ("AuthenticAMD", [], "quiet", False, ["AMD-Vi (IOMMU) in the BIOS"], ["intel_iommu"]),
        ("AuthenticAMD", ["DMAR"], "quiet", True, ["intel_iommu=on iommu=pt"], ["AMD"]),
        ("", [], "quiet", False, ["(SMMU) in the BIOS", "no option"], ["intel_iommu"]),
        ("GenuineIntel", [], "quiet", True, ["its hypervisor must give it"], ["BIOS"]),
    ],
)  # fmt: skip
def test_the_option_is_the_one_that_this_cpu_wants(
    vendor: str, tables: list[str], cmdline: str, guest: bool, words: list[str], not_words: list[str]
) -> None:
    """amd_iommu has no `on`, and is on by default: Documentation/admin-guide/kernel-parameters.txt."""
    trouble = one(rules.iommu_off, without_iommu(vendor, tables, cmdline, guest))

    assert [word for word in words if word not in trouble.remedy] == []
    assert [word for word in not_words if word in trouble.remedy] == []
    assert (said(trouble)["/sys/kernel/iommu_groups"], said(trouble)["/proc/cpuinfo"]) == (
        "no group",
        vendor or "no vendor_id",
    )


def test_no_iommu_bites_only_who_wants_user_space() -> None:
    facts = without_iommu("GenuineIntel", ["DMAR"])

    assert one(rules.iommu_off, facts).severity == "note"
    assert one(rules.iommu_off, with_vfio(facts)).severity == "warning"


def test_no_iommu_mode_is_a_danger_of_its_own() -> None:
    facts = without_iommu("GenuineIntel", ["DMAR"])
    facts.machine.noiommu = True
    line = "options vfio enable_unsafe_noiommu_mode=1"
    facts.machine.options = [
        ModuleOption("/etc/modprobe.d/v.conf", line, "vfio", "enable_unsafe_noiommu_mode", "1")
    ]

    assert len(ill(rules.iommu_off, facts)) == 1
    trouble = one(rules.no_iommu_mode, facts)
    assert (trouble.severity, said(trouble)["/etc/modprobe.d/v.conf"]) == ("warning", line)
    assert trouble.remedy.splitlines()[0] == "echo N > /sys/module/vfio/parameters/enable_unsafe_noiommu_mode"


@pytest.mark.parametrize(
    ("driver", "severity"), [("igbvf", "note"), ("vfio-pci", "warning"), ("uio_pci_generic", "warning")]
)
def test_a_shared_group_names_its_members(driver: str, severity: str) -> None:
    facts = healthy()
    facts.machine.shared = [Group("12", [vf_device(PF0), vf_device("0000:01:10.0")])]
    facts.machine.shared[0].members[1].driver = driver

    trouble = one(rules.iommu_group_shared, facts)

    assert (trouble.severity, trouble.subject) == (severity, "IOMMU group 12")
    assert f"0000:01:10.0 ({driver})" in trouble.why
    assert [one.said for one in trouble.evidence] == [f"{PF0} on igbvf", f"0000:01:10.0 on {driver}"]


@pytest.mark.parametrize("state", ["loaded", "loadable", "missing"])
def test_vfio_is_missing_where_it_cannot_even_be_loaded(state: str) -> None:
    facts = healthy()
    facts.machine.modules["vfio-pci"] = state

    found = ill(rules.vfio_missing, facts)

    assert [(one.severity, "linux-modules-extra-6.12.0" in one.remedy) for one in found] == [
        ("note", True)
    ] * (state == "missing")
    if found:
        assert one(rules.vfio_missing, with_vfio(facts)).severity == "warning"


@pytest.mark.parametrize(
    ("lockdown", "secure_boot", "forbidden"),
    [
        ("none", False, False),
        ("", None, False),
        ("integrity", False, True),
        ("confidentiality", None, True),
        ("none", True, True),
    ],
)
def test_secure_boot_and_lockdown_forbid_uio(
    lockdown: str, secure_boot: bool | None, forbidden: bool
) -> None:
    facts = healthy()
    facts.machine.lockdown, facts.machine.secure_boot = lockdown, secure_boot

    assert [one.severity for one in ill(rules.uio_forbidden, facts)] == ["note"] * forbidden
    facts.cards[0].vfs[2].device.override = "igb_uio"
    found = ill(rules.uio_forbidden, facts)
    assert [one.severity for one in found] == ["warning"] * forbidden
    assert all("sriovctl bind 0000:01:10.4 vfio-pci" in one.remedy for one in found)


def test_max_vfs_on_the_command_line() -> None:
    facts = healthy()
    facts.machine.options = [ModuleOption("/proc/cmdline", "igb.max_vfs=7", "igb", "max_vfs", "7")]

    trouble = one(rules.max_vfs, facts)

    assert (trouble.severity, said(trouble)) == ("warning", {"/proc/cmdline": "igb.max_vfs=7"})
    assert "take igb.max_vfs=7 off the kernel's command line" in trouble.remedy
    facts.machine.options[0].name = "debug"
    assert ill(rules.max_vfs, facts) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("options igb max_vfs=7\n", ""),
        ("options igb max_vfs=7,7\nblacklist pcspkr\n", "blacklist pcspkr\n"),
        ("# a word\n  options  igb  debug=2 max_vfs=7\n", "# a word\n  options  igb  debug=2\n"),
        ("options igb max_vfs=7 debug=2\n", "options igb debug=2\n"),
    ],
)
def test_the_remedy_for_max_vfs_takes_it_out_and_leaves_the_rest(
    tmp_path: Path, before: str, after: str
) -> None:
    """Followed literally, by a shell."""
    file = tmp_path / "sriov.conf"
    file.write_text(before)
    facts = healthy()
    facts.machine.options = [ModuleOption(str(file), "options igb max_vfs=7", "igb", "max_vfs", "7")]

    subprocess.run(["sh", "-ec", one(rules.max_vfs, facts).remedy], check=True)

    assert file.read_text() == after
