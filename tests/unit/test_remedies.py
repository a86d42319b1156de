"""Every command that a remedy names can be typed as it stands, and is followed by a test in the state that it is for."""

from __future__ import annotations

import argparse
import ast
import functools
import itertools
import re

import pytest

from cni_sriov.ctl import arguments
from cni_sriov.ctl.main import COMMANDS
from cni_sriov.decide import doctor
from tests import remedies
from tests.remedies import ROOT, Site

# what stands for a part that is filled in, or that only the reader knows
FILLED = ("0000:01:10.0", "7", "vfio-pci")
# for the reader to fill in: there is none, or more than one; each is named beside it
OPEN = {
    "CONTAINER/IFNAME": "c1/net1",
    "FILE": "x.conf",
    "PF": "enp1s0f0",
    "N": "7",
    "VF": "0000:01:10.0",
    "DEVICE": "0000:01:10.0",
    "ERROR": "ENOMEM",
}
_OFFERS = "unit/ctl/test_offers.py::"
# (module, part of its text) -> a test that has no mark, and follows what it finds by itself
ELSEWHERE = {
    ("decide/choose", "create them with"): f"{_OFFERS}test_what_an_add_without_vfs_says_is_taken_by_vfs",
    (
        "decide/choose",
        "give it its network driver",
    ): f"{_OFFERS}test_an_add_on_a_pf_without_its_driver_says_how_it_gets_that",
    (
        "decide/offer",
        "sriovctl bind",
    ): f"{_OFFERS}test_what_a_look_advises_leads_to_vfs_when_followed_literally",
    (
        "decide/offer",
        "sriovctl vfs",
    ): f"{_OFFERS}test_what_a_look_advises_leads_to_vfs_when_followed_literally",
    ("decide/offer", "sriovctl oracle"): f"{_OFFERS}test_a_slot_without_room_is_no_place_for_a_number",
    ("decide/planner", "max`, then"): f"{_OFFERS}test_who_would_bind_a_pf_is_told_how_its_vfs_are_bound",
    (
        "decide/planner",
        "bind its VFs instead",
    ): f"{_OFFERS}test_who_would_bind_a_pf_is_told_how_its_vfs_are_bound",
    (
        "decide/oracle",
        "make the VFs with",
    ): "lab/test_oracle.py::test_enoent_is_the_pf_on_vfio_and_its_remedy_can_be_followed",
}
_CARD, _STATE = "lab/test_doctor_card.py::", "lab/test_doctor_state.py::"
_WHO_ELSE = f"{_CARD}test_who_else_has_a_card_and_its_vfs_and_max_vfs_in_modprobe_d"
_NUMBER = f"{_CARD}test_a_number_that_is_in_use_a_slot_that_is_too_small_a_cable_and_no_huge_pages"
_LOST, _RUNTIMES = (
    f"{_STATE}test_what_is_attached_leased_and_lost",
    f"{_STATE}test_runtimes_their_networks_and_plugins_and_who_manages_vfs",
)
_CLUSTERS = "unit/ctl/test_followed_cluster.py::"
_FOLLOWED = "unit/ctl/test_followed_doctor.py::"
RULES = {
    **dict.fromkeys(
        (
            "pf-held",
            "pf-in-userspace",
            "pf-down",
            "vf-without-driver",
            "driver-not-bound",
            "max-vfs",
            "no-vfs",
        ),
        _WHO_ELSE,
    ),
    **dict.fromkeys(("numvfs-busy", "hugepages-none", "hugetlbfs-missing"), _NUMBER),
    "hugepages-used-up": f"{_CARD}test_huge_pages_that_are_used_up_and_then_nothing_is_wrong",
    **dict.fromkeys(
        (
            *("unreadable-state", "netns-without-process", "vf-of-nobody", "same-mac", "record-without-vf"),
            "lease-without-attachment",
        ),
        _LOST,
    ),
    **dict.fromkeys(
        ("plugin-not-found", "another-sriov", "conflist-shadowed", "network-without-vfs", "conflist-broken"),
        _RUNTIMES,
    ),
    **dict.fromkeys(
        (
            *("dead-attachment", "vf-changed", "directory-gone", "not-restored", "host-file-pending"),
            *("pf-without-driver", "vpp-takes-pf", "no-iommu-mode", "no-free-vf", "same-network-name"),
            *("plugin-missing", "podman-without-plugin", "podman-plugin-differs"),
        ),
        f"{_FOLLOWED}test_a_finding_is_gone_when_its_script_was_run",
    ),
    **dict.fromkeys(
        ("no-carrier", "totalvfs-exceeded", "host-file-refused"),
        f"{_FOLLOWED}test_hands_do_what_is_theirs_and_then_its_script_is_run",
    ),
    **dict.fromkeys(
        ("host-file-broken", "network-without-pf"),
        f"{_FOLLOWED}test_its_script_tells_what_hands_have_to_correct",
    ),
    "uio-forbidden": f"{_FOLLOWED}test_what_is_on_uio_goes_to_vfio_and_the_rest_is_worth_knowing",
    "unseen": f"{_FOLLOWED}test_root_sees_all",
    **dict.fromkeys(
        ("engine-not-asked", "refill-failed"),
        f"{_CLUSTERS}test_an_engine_that_was_not_asked_or_refused_is_asked",
    ),
    "block-lost": f"{_CLUSTERS}test_a_lost_block_goes_when_the_containers_in_it_have_ended",
    "cluster-file-broken": f"{_CLUSTERS}test_a_file_that_is_open_to_others_and_one_that_is_wrong",
    "vf-managed": "unit/ctl/test_followed_managers.py::test_vfs_that_both_of_them_manage",
}
# nothing that a command does ends it, or none of this machine's; each with what does
BY_HAND = {
    "cluster-copied": "whoever knows which of two machines this is",
    "no-network-card": "another machine, or a device that the hypervisor gives",
    "no-sriov-capability": "another card",
    "sriov-off-in-firmware": "the set-up of card and BIOS; mstconfig, which only a Mellanox card answers",
    "slot-too-small": "another slot, the BIOS or the kernel's command line; the lab ends it: " + _NUMBER,
    "lease-lost": "the container anew, which is its runtime's",
    "iommu-off": "the BIOS and the kernel's command line",
    "iommu-group-shared": "another slot, or ACS in the BIOS",
    "vfio-missing": "another kernel, or a package of this one's",
    "memlock-low": "another limit for the container, which is its runtime's",
    "crypto-accelerator": "another card, or DPDK's software",
}


def name_of(site: Site) -> str:
    return f"{site.module}: {site.text[:60]}"


@functools.cache
def parser() -> argparse.ArgumentParser:
    return arguments.parser(COMMANDS)


def parses(words: list[str]) -> bool:
    """With something in each place that is filled in."""
    typed = " ".join(OPEN.get(word, word) for word in words)
    for filling in itertools.product(FILLED, repeat=min(typed.count("{}"), 3)):
        filled = typed
        for part in filling:
            filled = filled.replace("{}", part, 1)
        try:
            parser().parse_args(filled.replace("{}", FILLED[0]).split())
        except arguments.Usage:
            continue
        return True
    return False


@pytest.mark.parametrize("site", remedies.sites(), ids=name_of)
def test_a_command_is_one_that_sriovctl_takes(site: Site) -> None:
    found = remedies.commands(site.text)

    assert found
    assert [words for words in found if not parses(words)] == []


def test_every_command_is_followed_by_a_test_in_the_state_that_it_is_for() -> None:
    marked = {site for site, _ in remedies.marks()}
    listed = [*ELSEWHERE]
    left = {
        site: [one for one in listed if is_of(site, one)] for site in remedies.sites() if site not in marked
    }

    assert [name_of(site) for site, found in left.items() if not found] == []
    used = {one for found in left.values() for one in found}
    assert [one for one in listed if one not in used] == [], "these are gone, or have their mark"


def is_of(site: Site, listed: tuple[str, str]) -> bool:
    return site.module == listed[0] and listed[1] in site.text


@pytest.mark.parametrize("where", sorted({*ELSEWHERE.values(), *RULES.values()}))
def test_who_is_said_to_follow_one_is_there(where: str) -> None:
    path, _, name = where.partition("::")

    assert re.search(rf"^def {name}\(", (ROOT / "tests" / path).read_text(), re.MULTILINE)


@pytest.mark.parametrize(("rule", "where"), sorted(RULES.items()))
def test_who_follows_a_rule_names_it(rule: str, where: str) -> None:
    path, _, name = where.partition("::")
    tree = ast.parse((ROOT / "tests" / path).read_text())
    (test,) = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name]
    texts = {node.value for node in ast.walk(test) if isinstance(node, ast.Constant)}
    calls = {getattr(node.func, "id", "") for node in ast.walk(test) if isinstance(node, ast.Call)}

    assert (rule in texts, "follow" in calls) == (True, True)


def test_each_rule_of_the_doctor_has_its_script_followed_or_is_for_hands() -> None:
    rules = {doctor.describe(rule).name for rule in doctor.RULES}

    assert rules == {*RULES, *BY_HAND}
    assert len(rules) == len(RULES) + len(BY_HAND), "each once"


PAGES = sorted([*(ROOT / "docs").glob("*.md"), ROOT / "README.md"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_in_a_table_or_sentence_of_the_docs_is_one_that_sriovctl_takes(page: object) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)  # type: ignore[attr-defined]
    quoted = re.findall(rf"`(?:sudo )?(sriovctl (?:{remedies.VERBS})\b[^`]*)`", text.replace("\n", " "))

    wrong = [
        line
        for line in quoted
        if " " in line.removeprefix("sriovctl ")
        and not any(map(parses, remedies.commands(f"`{as_typed(line)}`")))
    ]

    assert wrong == []


def as_typed(line: str) -> str:
    """Without the brackets of what may be left out, and with one of those that may stand there."""
    line = re.sub(r"\[([^\]]*)\]", "", line).replace("...", "x")
    return re.sub(r"(\S+)\|\S+", r"\1", line)
