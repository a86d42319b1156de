"""How many VFs a PF has, and whether they carry anything. Each case has its nearest one without trouble."""

from __future__ import annotations

import shlex

import pytest

from cni_sriov.decide import rules_dpdk
from cni_sriov.decide import rules_vfs as rules
from cni_sriov.decide.facts import Rule
from cni_sriov.words.modules import ModuleOption
from tests.unit.decide import slots
from tests.unit.decide.patient import PF0, healthy, ill, one, port, said

SYSFS = f"/sys/bus/pci/devices/{PF0}"
USERS = [
    "vf 0 (0000:01:10.0): attached to c1/net1 (/run/netns/c1)",
    "vf 2 (0000:01:10.4): open in qemu (pid 7)",
]


@pytest.mark.parametrize("rule", rules.RULES)
def test_seven_vfs_of_a_pf_that_is_up_are_no_trouble(rule: Rule) -> None:
    facts = healthy()
    facts.cards[0].users = list(USERS)

    assert ill(rule, facts) == []


def test_a_pf_without_vfs_is_worth_a_note() -> None:
    facts = healthy()
    facts.cards = [port(numvfs=0)]

    trouble = one(rules.no_vfs, facts)

    assert (trouble.severity, trouble.remedy) == ("note", "sriovctl vfs enp1s0f0 7")
    assert said(trouble) == {f"{SYSFS}/sriov_numvfs": "0", f"{SYSFS}/sriov_totalvfs": "7"}
    facts.cards[0].is_userspace = True  # that is what keeps it from having them, and another rule's
    assert ill(rules.no_vfs, facts) == []


def test_a_number_that_is_in_use_is_busy_and_says_by_whom() -> None:
    facts = healthy()
    facts.cards = [port(numvfs=3)]
    assert ill(rules.numvfs_busy, facts) == []  # nobody uses one
    facts.cards[0].users = list(USERS)

    facts.cards[0].users.append("vf 2 (0000:01:10.4): open in x\nreboot (pid 7)")

    trouble = one(rules.numvfs_busy, facts)

    assert (trouble.severity, [line for line in USERS if line not in trouble.remedy]) == ("note", [])
    commands = [line for line in trouble.remedy.splitlines() if not line.startswith("#")]
    assert commands == ["sriovctl gc", "sriovctl vfs enp1s0f0 7"]


@pytest.mark.parametrize(
    ("value", "module", "told"), [("8", "igb", 8), ("7", "igb", 0), ("7,63", "igb", 63), ("8", "ixgbe", 0)]
)
def test_more_than_totalvfs_is_told_of_the_card_whose_module_wants_it(
    value: str, module: str, told: int
) -> None:
    facts = healthy()
    line = f"options {module} max_vfs={value}"
    facts.machine.options = [ModuleOption("/etc/modprobe.d/sriov.conf", line, module, "max_vfs", value)]

    found = ill(rules.totalvfs_exceeded, facts)

    assert [trouble.severity for trouble in found] == ["warning"] * bool(told)
    for trouble in found:
        assert f"give enp1s0f0 {told} VFs, and it can have 7 at most" in trouble.why
        assert said(trouble)["/etc/modprobe.d/sriov.conf"] == line


def test_the_notes_slot_carries_none() -> None:
    """An I350 in the x16 slot: `can't enable 7 VFs (bus 02 out of range of [bus 01])`."""
    facts = healthy()
    facts.cards = [port(numvfs=0)]
    facts.cards[0].slot = slots.i350()

    trouble = one(rules.slot_too_small, facts)

    assert (trouble.severity, trouble.subject) == ("error", "enp1s0f0")
    assert "can carry none of its 7 VFs: the VFs need bus 02" in trouble.why
    assert all(line.startswith("# ") for line in trouble.remedy.splitlines())
    facts.cards[0].slot = slots.i350(offset=0x80)  # as behind a port with ARI
    assert ill(rules.slot_too_small, facts) == []


def test_a_slot_that_carries_some_is_a_warning_until_they_are_all_there() -> None:
    facts = healthy()
    facts.cards = [port(numvfs=0)]
    facts.cards[0].device.totalvfs = 256
    facts.cards[0].slot = slots.many(last_bus=0x3B)

    trouble = one(rules.slot_too_small, facts)

    assert (trouble.severity, "can carry 254 of its 256 VFs" in trouble.why) == ("warning", True), trouble.why
    facts.cards[0].device.numvfs = 256
    assert ill(rules.slot_too_small, facts) == []
    facts.cards[0].device.totalvfs, facts.cards[0].device.numvfs = 254, 0
    facts.cards[0].slot = slots.many(total=254, last_bus=0x3B)  # just enough
    assert ill(rules.slot_too_small, facts) == []


@pytest.mark.parametrize(("users", "severity"), [([], "warning"), (USERS, "error")])
def test_a_pf_that_is_down_is_an_error_once_somebody_uses_its_vfs(users: list[str], severity: str) -> None:
    facts = healthy()
    facts.cards[0].is_up, facts.cards[0].has_carrier, facts.cards[0].users = False, False, users

    trouble = one(rules.pf_down, facts)

    assert (trouble.severity, trouble.remedy.splitlines()[0]) == (severity, "ip link set enp1s0f0 up")
    assert ill(rules.no_carrier, facts) == []  # that follows from it
    facts.cards[0].device.numvfs = 0
    assert ill(rules.pf_down, facts) == []


def test_a_pf_without_carrier() -> None:
    facts = healthy()
    facts.cards[0].has_carrier = False

    assert one(rules.no_carrier, facts).severity == "warning"
    facts.cards[0].device.numvfs = 0
    assert ill(rules.no_carrier, facts) == []


def test_vfs_without_driver_name_the_line_that_keeps_it_away() -> None:
    facts = healthy()
    line = "blacklist igbvf"
    facts.machine.options = [
        ModuleOption("/etc/modprobe.d/no.conf", line, "igbvf", "blacklist"),
        ModuleOption("/etc/modprobe.d/no.conf", "blacklist pcspkr", "pcspkr", "blacklist"),
    ]
    facts.cards[0].vfs[1].device.driver = ""

    some = one(rules.vf_without_driver, facts)
    for vf in facts.cards[0].vfs:
        vf.device.driver = ""
    every = one(rules.vf_without_driver, facts)

    assert (some.severity, every.severity) == ("warning", "error")
    assert "1 of the 7 VFs of enp1s0f0 have no driver: 1 (0000:01:10.2)" in some.why
    assert [line for line in some.remedy.splitlines() if not line.startswith("#")] == [
        'modprobe "$(cat /sys/bus/pci/devices/0000:01:10.2/modalias)"',
        "echo 0000:01:10.2 > /sys/bus/pci/drivers_probe",
    ]
    assert (said(some)["/etc/modprobe.d/no.conf"], "pcspkr" in some.remedy) == (line, False)
    facts.cards[0].probes_drivers = False  # nobody is to bind one
    assert ill(rules.vf_without_driver, facts) == []


def test_a_vf_that_was_meant_for_vfio_and_did_not_get_it() -> None:
    facts = healthy()
    vf = facts.cards[0].vfs[3]
    vf.device.driver, vf.device.override, vf.is_meant = "", "vfio-pci", True

    with_iommu = one(rules.driver_not_bound, facts)
    facts.machine.iommus, facts.machine.groups = [], 0
    without = one(rules.driver_not_bound, facts)

    assert ill(rules.vf_without_driver, facts) == []
    assert (with_iommu.subject, "IOMMU" in with_iommu.why, "IOMMU" in without.why) == (
        "enp1s0f0 vf 3",
        False,
        True,
    )
    vf.device.driver = "vfio-pci"
    assert ill(rules.driver_not_bound, facts) == []


EVIL = "$(id>x);'&"  # dev_valid_name (net/core/dev.c) takes all but blanks, "/" and ":"


@pytest.mark.parametrize(
    "rule",
    [
        rules.no_vfs,
        rules.numvfs_busy,
        rules.totalvfs_exceeded,
        rules.pf_down,
        rules.no_carrier,
        rules_dpdk.vpp_takes_pf,
    ],
)
def test_a_shell_takes_a_ports_name_for_a_name(rule: Rule) -> None:
    """What came back from a container's netns has the name that it had there."""
    facts = healthy()
    card = port(ifname=EVIL, numvfs=0 if rule is rules.no_vfs else 3)
    facts.cards, card.users = [card], list(USERS)
    card.is_up, card.has_carrier = rule is rules.no_carrier, False
    facts.machine.options = [ModuleOption("/etc/modprobe.d/igb.conf", "x", "igb", "max_vfs", "9")]
    facts.machine.vpp_conf = "/etc/vpp/startup.conf"

    (trouble,) = rule(facts)

    commands = [shlex.split(line) for line in trouble.remedy.splitlines() if not line.startswith("#")]
    assert EVIL in commands[-1]


def test_a_driver_override_is_a_word_too() -> None:
    facts = healthy()
    vf = facts.cards[0].vfs[0]
    vf.is_meant, vf.device.driver, vf.device.override = True, "", "vfio;id"

    assert one(rules.driver_not_bound, facts).remedy.splitlines()[0] == "modprobe 'vfio;id'"
