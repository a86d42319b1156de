"""What this node's files say of its clusters. Each case has its nearest one without trouble."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cni_sriov.decide import doctor
from cni_sriov.decide import rules_cluster as rules
from cni_sriov.decide.facts import Facts
from cni_sriov.decide.facts_cluster import Cluster, FileFault, LostBlock, Refused
from tests.unit.decide.patient import healthy, ill, one, said

HERE, FILE = "/var/lib/cni-sriov/clusters/rack", "/etc/cni-sriov/clusters/rack.json"
NETWORK = "/etc/cni/net.d/10-fast.conflist"
FAILURE = "/run/cni-sriov/clusters/rack/failure"
AWAY = Refused(FAILURE, "ask etcd of cluster rack: no endpoint answered", "https://a:2379: timed out", 130.0)
WELL = Cluster("rack", HERE, FILE, [NETWORK], blocks=1, contact=60.0, leased=2, newest=50.0)
HOUR = 3600.0


def with_one(**parts: object) -> Facts:
    facts = healthy()
    facts.clusters = [replace(WELL, **parts)]  # type: ignore[arg-type]
    return facts


def told(facts: Facts) -> list[tuple[str, str]]:
    return [(found.rule, found.severity) for found in doctor.diagnose(facts, rules.RULES)]


def test_a_cluster_in_use_that_was_asked_a_minute_ago_is_no_trouble() -> None:
    assert told(with_one()) == []


def test_a_node_in_no_cluster_has_no_trouble_with_it() -> None:
    assert told(healthy()) == []


# (a) ------------------------------------------------------------------------------------------------------------------


def test_a_lost_block_is_told_with_its_holder_and_with_all_that_runs_in_it() -> None:
    users = ["a/eth0 (10.10.8.0/24)", "b/eth0 (10.10.9.0/24)"]
    lost = LostBlock("10.10.8.0/22", f"{HERE}/lost/10.10.8.0_22", "r1n2", users)

    trouble = one(rules.block_lost, with_one(lost=[lost]))

    assert (trouble.severity, trouble.subject) == ("error", "10.10.8.0/22")
    assert "node r1n2's by the engine's word" in trouble.why
    assert "a/eth0 (10.10.8.0/24), b/eth0 (10.10.9.0/24) still have subnets in it" in trouble.why
    assert trouble.remedy.splitlines()[-1] == "sriovctl pool refill rack"
    assert "end these containers" in trouble.remedy
    assert said(trouble)[lost.file] == "held by node r1n2"


def test_a_lost_block_with_nothing_in_it_is_worth_knowing() -> None:
    trouble = one(rules.block_lost, with_one(lost=[LostBlock("10.10.8.0/22", f"{HERE}/lost/x", "")]))

    assert (trouble.severity, "another node's" in trouble.why) == ("note", True)
    assert "end these containers" not in trouble.remedy


def test_of_many_in_it_five_are_named() -> None:
    users = [f"c{n}/eth0 (10.10.8.{n}/32)" for n in range(1, 8)]

    trouble = one(rules.block_lost, with_one(lost=[LostBlock("10.10.8.0/22", "/lost", "r1n2", users)]))

    assert "c5/eth0 (10.10.8.5/32) and 2 more still have" in trouble.why
    assert "c6/" not in trouble.why


# (b) ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "severity", "since"),
    [
        ({"contact": HOUR - 1}, "", ""),
        ({"contact": HOUR, "newest": 2 * HOUR}, "note", "1 hour ago"),
        ({"contact": 50 * HOUR, "newest": 50 * HOUR}, "note", "2 days ago"),
        ({"contact": 3 * HOUR, "newest": 2 * HOUR}, "warning", "3 hours ago"),
        ({"contact": 3 * HOUR, "newest": 2 * HOUR + 1}, "note", "3 hours ago"),
        ({"contact": 3 * HOUR, "newest": 121.0}, "warning", "3 hours ago"),
        ({"contact": 3 * HOUR, "newest": 119.0}, "note", "3 hours ago"),  # what it started has its turn now
        ({"contact": 3 * HOUR, "newest": 3 * HOUR, "refused": AWAY}, "warning", "3 hours ago"),
        ({"contact": None}, "warning", "never"),
        ({"contact": None, "leased": 0, "newest": None}, "", ""),
        ({"contact": 50 * HOUR, "leased": 0, "newest": None}, "", ""),
    ],
)
def test_an_engine_that_nobody_asked_for_an_hour(parts: dict[str, object], severity: str, since: str) -> None:
    found = ill(rules.engine_not_asked, with_one(**parts))

    assert [trouble.severity for trouble in found] == ([severity] if severity else [])
    for trouble in found:
        assert f"was last asked {since}, and 2 subnets of its blocks are in use here" in trouble.why
        assert trouble.remedy.splitlines()[-1] == "sriovctl pool refill rack"


def test_an_engine_that_was_asked_in_vain_is_told_once_with_what_it_said() -> None:
    facts = with_one(contact=3 * HOUR, refused=AWAY)

    trouble = one(rules.engine_not_asked, facts)

    assert told(facts) == [("engine-not-asked", "warning")]
    assert f"the last refill failed 2 minutes ago: {AWAY.msg}" in trouble.why
    assert trouble.remedy == f"# {AWAY.details}\nsriovctl pool refill rack"
    assert said(trouble)[FAILURE] == AWAY.msg


# (c), (f) -------------------------------------------------------------------------------------------------------------


def test_a_refill_that_failed_while_there_is_room_is_a_warning() -> None:
    trouble = one(rules.refill_failed, with_one(refused=AWAY))

    assert (trouble.severity, trouble.subject) == ("warning", HERE)
    assert trouble.why == f"no block of cluster rack was claimed 2 minutes ago: {AWAY.msg}"
    assert trouble.remedy == f"# {AWAY.details}\nsriovctl pool refill rack"


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"low": ["10.10.0.0/16"]}, "less than a quarter of a block is left of 10.10.0.0/16"),
        ({"blocks": 0, "leased": 0}, "no block of cluster rack"),
    ],
)
def test_a_refill_that_failed_where_hardly_a_subnet_is_left_is_an_error(
    parts: dict[str, object], words: str
) -> None:
    trouble = one(rules.refill_failed, with_one(refused=AWAY, **parts))

    assert (trouble.severity, words in trouble.why) == ("error", True)


def test_a_node_that_is_low_and_was_refused_nothing_is_no_trouble() -> None:
    """The refill is on its way."""
    assert told(with_one(low=["10.10.0.0/16"])) == []


# (d) ------------------------------------------------------------------------------------------------------------------

OPEN = FileFault(f"read {FILE}: its mode is 0644, and others must not read it", f"chmod 600 {FILE}")
UNKNOWN = FileFault(f"{FILE}: perfix: unknown key")


def test_a_file_that_is_open_to_others_has_its_command() -> None:
    facts = with_one(faults=[OPEN], refused=AWAY, contact=3 * HOUR)

    trouble = one(rules.cluster_file_broken, facts)

    assert told(facts) == [("cluster-file-broken", "error")]
    assert (trouble.subject, trouble.remedy) == (FILE, f"chmod 600 {FILE}")
    assert f"cluster rack cannot be asked, and {NETWORK} uses it: {OPEN.why}" == trouble.why


def test_a_file_that_says_what_is_not_known_is_for_hands() -> None:
    trouble = one(rules.cluster_file_broken, with_one(faults=[UNKNOWN, UNKNOWN], networks=[]))

    assert trouble.severity == "warning"
    assert trouble.why.endswith(f"and this node has blocks of it: {UNKNOWN.why} (and 1 more)")
    assert trouble.remedy.splitlines()[0] == f"sriovctl validate {FILE} || true"


def test_a_file_that_nobody_needs_is_no_trouble() -> None:
    assert told(with_one(faults=[UNKNOWN], networks=[], blocks=0, leased=0)) == []


# (e) ------------------------------------------------------------------------------------------------------------------


def test_blocks_of_another_machine_are_told_with_both_ways_out() -> None:
    trouble = one(rules.cluster_copied, with_one(is_copied=True, refused=AWAY))

    assert (trouble.severity, trouble.subject) == ("error", HERE)
    assert f"`rm -r {HERE}`" in trouble.remedy
    assert "put its /etc/machine-id back" in trouble.remedy
    assert all(line.startswith("# ") for line in trouble.remedy.splitlines())


def test_what_the_engine_stopped_is_told_with_its_word_and_once() -> None:
    stopped = Refused(
        FAILURE,
        "contact cluster rack: another machine has spoken to it",
        "if this is a copy: x\nif not: y",
        9,
    )
    facts = with_one(is_stopped=True, refused=stopped, contact=3 * HOUR)

    trouble = one(rules.cluster_copied, facts)

    assert told(facts) == [("cluster-copied", "error")]
    assert stopped.msg in trouble.why
    assert trouble.remedy == "# if this is a copy: x\n# if not: y"


def test_after_a_boot_nothing_is_left_of_its_word_and_the_next_one_says_it() -> None:
    trouble = one(rules.cluster_copied, with_one(is_stopped=True))

    assert trouble.remedy == "# `sriovctl pool refill rack` says what to do"


def test_a_name_that_a_shell_would_take_apart_is_quoted() -> None:
    facts = with_one(refused=AWAY, name="a b")

    assert one(rules.refill_failed, facts).remedy.endswith("sriovctl pool refill 'a b'")
