"""Huge pages by NUMA node, and crypto. Each case has its nearest one without trouble."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cni_sriov.decide import rules_dpdk as rules
from cni_sriov.decide.facts import Facts, Rule
from cni_sriov.decide.facts_card import Holder
from cni_sriov.decide.facts_machine import HugeFile
from cni_sriov.words.device import Device
from cni_sriov.words.hugepages import HugePages
from tests.unit.decide.patient import NODE0, NODE1, healthy, ill, one, said

BIG = NODE0.replace("2048kB", "1048576kB")


def with_vfio(facts: Facts) -> Facts:
    facts.cards[0].vfs[0].is_meant = True
    return facts


@pytest.mark.parametrize("rule", rules.RULES)
def test_a_healthy_machine_has_no_trouble(rule: Rule) -> None:
    assert ill(rule, healthy()) == []


def test_no_huge_pages_at_all_is_one_finding_for_all_nodes() -> None:
    facts = healthy()
    facts.machine.hugepages = [HugePages(n, 2048, 0, 0, where) for n, where in enumerate((NODE0, NODE1))]

    trouble = one(rules.hugepages_none, facts)

    assert (trouble.severity, trouble.subject) == ("note", "")
    assert trouble.remedy.splitlines()[0] == f"echo 256 > {NODE0}/nr_hugepages"
    assert said(trouble)[f"{NODE0}/nr_hugepages"] == "0"
    assert one(rules.hugepages_none, with_vfio(facts)).severity == "warning"
    facts.machine.hugepages = []  # a kernel without huge pages: nothing to write to
    assert ill(rules.hugepages_none, facts) == []


def test_none_on_the_node_of_the_card_though_the_other_one_has_some() -> None:
    facts = healthy()
    facts.machine.hugepages = [HugePages(0, 2048, 0, 0, NODE0), HugePages(1, 2048, 512, 512, NODE1)]

    trouble = one(rules.hugepages_none, facts)

    assert trouble.subject == "NUMA node 0"
    assert "NUMA node 0, where enp1s0f0 sits, has no huge pages" in trouble.why
    facts.cards[0].device.numa_node = 1
    assert ill(rules.hugepages_none, facts) == []


def test_one_gigabyte_pages_are_huge_pages_too() -> None:
    facts = healthy()
    facts.machine.hugepages = [HugePages(0, 2048, 0, 0, NODE0), HugePages(0, 1 << 20, 2, 1, BIG)]

    assert ill(rules.hugepages_none, facts) == ill(rules.hugepages_used_up, facts) == []
    facts.machine.hugepages[1].free = 0
    trouble = one(rules.hugepages_used_up, facts)
    assert trouble.remedy.splitlines()[0] == f"echo 3 > {BIG}/nr_hugepages"  # the size that there is


@pytest.mark.parametrize("free", [0, 1])
def test_used_up_means_that_not_one_is_free(free: int) -> None:
    facts = healthy()
    facts.machine.hugepages = [HugePages(0, 2048, 64, free, NODE0)]
    facts.machine.hugefiles = [HugeFile("/dev/hugepages/rtemap_0", ["dpdk-testpmd (pid 9)"])]

    found = ill(rules.hugepages_used_up, facts)

    assert len(found) == (free == 0)
    for trouble in found:
        assert said(trouble) == {f"{NODE0}/free_hugepages": "0 of 64"}
        assert trouble.remedy.splitlines()[0] == f"echo 320 > {NODE0}/nr_hugepages"
        assert "# in use: /dev/hugepages/rtemap_0: dpdk-testpmd (pid 9)" in trouble.remedy


def test_files_that_nobody_maps_any_more_are_removed_first() -> None:
    """What a DPDK that was killed leaves."""
    facts = healthy()
    facts.machine.hugepages = [HugePages(-1, 2048, 64, 0, NODE0)]
    facts.machine.hugefiles = [
        HugeFile("/dev/hugepages/rtemap_0"),
        HugeFile("/dev/hugepages/rtemap_1", ["vpp (pid 9)"]),
        HugeFile("/dev/hugepages/rtemap_2"),
    ]

    trouble = one(rules.hugepages_used_up, facts)

    assert trouble.remedy.splitlines()[0] == "rm /dev/hugepages/rtemap_0 /dev/hugepages/rtemap_2"
    assert (trouble.subject, "no process has mapped any more" in trouble.why) == ("", True)


@pytest.mark.parametrize(
    ("is_root", "unseen"), [(False, []), (True, ["9: look at /proc/9/maps: Input/output error"])]
)
def test_a_file_whose_users_could_not_be_seen_is_not_removed(is_root: bool, unseen: list[str]) -> None:
    facts = healthy()
    facts.is_root, facts.unseen = is_root, unseen
    facts.machine.hugepages = [HugePages(-1, 2048, 64, 0, NODE0)]
    facts.machine.hugefiles = [HugeFile("/dev/hugepages/rtemap_0")]

    assert one(rules.hugepages_used_up, facts).remedy.splitlines()[0] == f"echo 320 > {NODE0}/nr_hugepages"


def test_a_file_may_have_any_name(tmp_path: Path) -> None:
    facts = healthy()
    facts.machine.hugepages = [HugePages(-1, 2048, 64, 0, NODE0)]
    file = tmp_path / "a; touch $(echo b) 'c"
    file.touch()
    facts.machine.hugefiles = [HugeFile(str(file))]

    subprocess.run(["sh", "-ec", one(rules.hugepages_used_up, facts).remedy], check=True, cwd=tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_huge_pages_that_are_mounted_nowhere() -> None:
    facts = healthy()
    facts.machine.hugetlbfs = []

    trouble = one(rules.hugetlbfs_missing, facts)

    assert (trouble.severity, "mount -t hugetlbfs hugetlbfs /dev/hugepages" in trouble.remedy) == (
        "note",
        True,
    )
    facts.machine.hugepages[0].total = 0
    assert ill(rules.hugetlbfs_missing, facts) == []


def test_vpp_takes_a_pf_that_is_down() -> None:
    """The notes: it takes every supported interface at start except those whose link is up."""
    facts = healthy()
    facts.machine.vpp_conf = "/etc/vpp/startup.conf"
    assert ill(rules.vpp_takes_pf, facts) == []
    facts.cards[0].is_up = False

    trouble = one(rules.vpp_takes_pf, facts)

    assert (trouble.severity, trouble.remedy.splitlines()[0]) == ("warning", "ip link set enp1s0f0 up")
    facts.machine.vpp_conf = ""
    assert ill(rules.vpp_takes_pf, facts) == []


def test_crypto_has_a_qat_or_software_and_only_who_wants_dpdk_hears_of_the_latter() -> None:
    facts = healthy()
    without = one(rules.crypto_accelerator, with_vfio(healthy()))
    facts.machine.accelerators = [Device("0000:3d:00.0", 0x0B40, 0x8086, 0x37C8, "c6xx")]
    present = one(rules.crypto_accelerator, facts)

    assert (without.severity, "--vdev crypto_openssl" in without.remedy) == ("note", True)
    assert said(present) == {"/sys/bus/pci/devices/0000:3d:00.0/driver": "c6xx"}
    assert "openssl" not in present.remedy


def driven(memlock: int | None, path: str = "/dev/vfio/13") -> Facts:
    facts = healthy()
    holder = Holder(12, "vpp_main", "VPP", [("/proc/12/fd/9", path)], memlock)
    facts.cards[0].vfs[0].holders = facts.cards[0].vfs[1].holders = [holder]
    return facts


def test_too_little_memory_to_lock_is_told_once_for_a_process() -> None:
    """vpp.md of the lab: with 8 MiB the interface appears and carries no traffic."""
    trouble = one(rules.memlock_low, driven(8 << 20))

    assert (trouble.severity, trouble.subject) == ("warning", "vpp_main (pid 12)")
    assert "may lock 8192 KiB of memory" in trouble.why
    assert said(trouble) == {
        "/proc/12/limits": "Max locked memory 8388608",
        "/proc/12/fd/9": "/dev/vfio/13",
    }


@pytest.mark.parametrize("facts", [driven(None), driven(64 << 20), driven(8 << 20, "/dev/uio3")])
def test_enough_of_it_or_a_driver_that_locks_none_is_no_trouble(facts: Facts) -> None:
    assert ill(rules.memlock_low, facts) == []
