"""Whether a card can have VFs, and what keeps it from having them. Each case has its nearest one without trouble."""

from __future__ import annotations

import pytest

from cni_sriov.decide import rules_card as rules
from cni_sriov.decide.facts import Rule
from cni_sriov.decide.facts_card import Card, Holder
from cni_sriov.words.device import Device
from tests.unit.decide.patient import PF0, PF1, healthy, ill, one, port, said, slot

SYSFS = f"/sys/bus/pci/devices/{PF0}"


def plain(driver: str = "e1000e", total: int | None = None, is_whole: bool = True) -> Card:
    """`total` and `is_whole`: of its config space."""
    device = Device("0000:02:00.0", 0x0200, 0x8086, 0x10D3, driver)
    return Card(device, "eno1", slot=slot(device.address, total, is_whole))


def held(card: Card, name: str = "vpp_main", kind: str = "VPP") -> Card:
    card.device.driver, card.is_userspace, card.ifname, card.vfs, card.device.numvfs = (
        "vfio-pci",
        True,
        "",
        [],
        0,
    )
    card.holders = [Holder(412, name, kind, [("/proc/412/fd/9", "/dev/vfio/12")])] if name else []
    return card


@pytest.mark.parametrize("rule", rules.RULES)
def test_a_healthy_card_has_no_trouble(rule: Rule) -> None:
    assert ill(rule, healthy()) == []


def test_a_node_without_network_cards() -> None:
    facts = healthy()
    facts.cards = []

    assert one(rules.no_network_card, facts).severity == "error"
    facts.wanted = PF0  # which is gone meanwhile: that is not the node's trouble
    assert ill(rules.no_network_card, facts) == []


def test_no_capability_is_worth_a_note_beside_a_card_that_has_it() -> None:
    facts = healthy()
    facts.cards.append(plain())

    trouble = one(rules.no_sriov_capability, facts)

    assert (trouble.severity, trouble.subject) == ("note", "eno1")
    assert "eno1 (0000:02:00.0, 8086:10d3, driver e1000e) cannot have VFs" in trouble.why
    assert said(trouble)["/sys/bus/pci/devices/0000:02:00.0/sriov_totalvfs"] == "not there"


def test_no_capability_is_an_error_where_no_card_has_it_or_that_one_is_asked_for() -> None:
    facts = healthy()
    facts.cards = [plain()]
    alone = one(rules.no_sriov_capability, facts)
    facts.cards, facts.wanted = [plain(), port()], "0000:02:00.0"

    assert (alone.severity, one(rules.no_sriov_capability, facts).severity) == ("error", "error")


@pytest.mark.parametrize(
    ("driver", "total", "is_whole", "hidden"),
    [
        ("igb", None, True, True),  # an I350 always has it, unless its EEPROM says no
        ("mlx5_core", None, True, True),
        ("e1000e", None, True, False),
        ("igb", 0, True, True),
        ("anything", 0, True, True),
        ("igb", None, False, False),  # an ordinary user cannot tell
    ],
)
def test_off_in_firmware_is_told_from_a_card_that_cannot(
    driver: str, total: int | None, is_whole: bool, hidden: bool
) -> None:
    facts = healthy()
    facts.cards.append(plain(driver, total, is_whole))

    assert len(ill(rules.sriov_off_in_firmware, facts)) == hidden
    assert len(ill(rules.no_sriov_capability, facts)) == (not hidden)


def test_mellanox_is_switched_on_by_its_own_tool() -> None:
    facts = healthy()
    facts.cards = [plain("mlx5_core")]

    trouble = one(rules.sriov_off_in_firmware, facts)

    assert trouble.severity == "error"
    assert trouble.remedy.splitlines()[0] == "mstconfig -d 0000:02:00.0 set SRIOV_EN=1 NUM_OF_VFS=8"


def test_the_notes_vpp_case_a_pf_in_user_space_makes_no_vfs() -> None:
    facts = healthy()
    held(facts.cards[0], name="")

    trouble = one(rules.pf_in_userspace, facts)

    assert (trouble.severity, said(trouble)) == ("error", {f"{SYSFS}/driver": "vfio-pci"})
    assert "a PF that a user-space driver has cannot make VFs" in trouble.why
    assert trouble.remedy == f"sriovctl bind {PF0} kernel"
    assert ill(rules.pf_held, facts) == []


def test_vfio_that_makes_vfs_itself_is_no_trouble() -> None:
    """vfio-pci with enable_sriov: numvfs is not 0."""
    facts = healthy()
    held(facts.cards[0], name="").device.numvfs = 2

    assert ill(rules.pf_in_userspace, facts) == []


@pytest.mark.parametrize(
    ("name", "kind", "first"),
    [
        ("vpp_main", "VPP", "systemctl stop vpp || kill 412 || true"),
        ("dpdk-testpmd", "DPDK", "kill 412 || true  # dpdk-testpmd"),
        ("qemu-system-x86", "", "kill 412 || true  # qemu-system-x86"),
    ],
)
def test_who_has_the_pf_is_named_and_ended_first(name: str, kind: str, first: str) -> None:
    facts = healthy()
    held(facts.cards[0], name, kind)

    trouble = one(rules.pf_held, facts)

    assert f"{name} (pid 412)" in trouble.why
    assert said(trouble) == {"/proc/412/fd/9": "/dev/vfio/12"}
    assert (trouble.remedy.splitlines()[0], "startup.conf" in trouble.remedy) == (first, kind == "VPP")
    assert one(rules.pf_in_userspace, facts).remedy.splitlines()[0] == first


def test_a_process_may_be_called_like_a_command_and_the_remedy_stays_what_it_was() -> None:
    """prctl(PR_SET_NAME) takes any bytes, and the remedy may be followed literally."""
    facts = healthy()
    held(facts.cards[0], "x\nreboot", "")

    assert one(rules.pf_held, facts).remedy.splitlines() == ["kill 412 || true  # x\\nreboot"]


def test_a_pf_without_driver() -> None:
    facts = healthy()
    facts.cards.append(port(PF1, "", 0))
    facts.cards[1].device.driver, facts.cards[1].device.override = "", "vfio-pci"

    trouble = one(rules.pf_without_driver, facts)

    assert (trouble.subject, trouble.severity) == (PF1, "error")
    assert said(trouble)[f"/sys/bus/pci/devices/{PF1}/driver_override"] == "vfio-pci"
    facts.cards[1].device.totalvfs = 0  # no PF
    assert ill(rules.pf_without_driver, facts) == []
