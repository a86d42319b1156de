"""What host.json comes to. Each case has its nearest one without trouble."""

from __future__ import annotations

import pytest

from cni_sriov.decide import rules_hostfile as rules
from cni_sriov.decide.facts import Rule
from cni_sriov.decide.facts_hostfile import HostPlan, Refused
from tests.unit.decide.patient import healthy, ill, one, said

PATH = "/etc/cni-sriov/host.json"


@pytest.mark.parametrize("rule", rules.RULES)
@pytest.mark.parametrize("path", ["", PATH])
def test_no_file_and_one_that_is_carried_out_are_no_trouble(rule: Rule, path: str) -> None:
    facts = healthy()
    facts.provision = HostPlan(path)

    assert ill(rule, facts) == []


def test_a_file_that_cannot_be_parsed() -> None:
    facts = healthy()
    facts.provision = HostPlan(PATH, Refused("", f'{PATH}: unknown key "turst"', "did you mean trust?"))

    trouble = one(rules.host_file_broken, facts)

    assert (trouble.severity, trouble.subject) == ("error", PATH)
    assert 'unknown key "turst"' in said(trouble)[PATH]


def test_what_apply_refuses_is_told_with_its_remedy_as_words() -> None:
    facts = healthy()
    why, details = (
        "give enp1s0f0 9 VFs: it can have at most 7",
        "sriovctl vfs enp1s0f0 7; or\nits firmware settings",
    )
    facts.provision = HostPlan(PATH, refused=[Refused("enp1s0f0", why, details)])

    trouble = one(rules.host_file_refused, facts)

    assert (trouble.severity, trouble.subject, why in trouble.why) == ("warning", "enp1s0f0", True)
    commands = [line for line in trouble.remedy.splitlines() if not line.startswith("#")]
    assert commands == ["sriovctl apply"]


def test_what_is_still_to_do_is_a_note() -> None:
    facts = healthy()
    facts.provision = HostPlan(PATH, pending=[("enp1s0f0", ["7 VFs", "mtu 9000"])])

    trouble = one(rules.host_file_pending, facts)

    assert (trouble.severity, trouble.remedy) == ("note", "sriovctl apply")
    assert trouble.why == f"enp1s0f0 is not yet what {PATH} says: 7 VFs; mtu 9000"
