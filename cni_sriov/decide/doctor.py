"""The doctor: facts in, troubles out. Pure; what is looked at is ctl/doctor's."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any, get_args

from ..words.failures import Failures
from . import (
    rules_card,
    rules_cluster,
    rules_dpdk,
    rules_host,
    rules_hostfile,
    rules_machine,
    rules_runtime,
    rules_state,
    rules_vfs,
)
from .facts import Facts, Rule
from .trouble import Severity, Trouble

RULES: tuple[Rule, ...] = (
    *(*rules_card.RULES, *rules_vfs.RULES, *rules_hostfile.RULES, *rules_state.RULES),
    *(*rules_cluster.RULES, *rules_runtime.RULES),
    *(*rules_machine.RULES, *rules_dpdk.RULES, *rules_host.RULES),
)
_ORDER = {severity: n for n, severity in enumerate(get_args(Severity))}


def diagnose(facts: Facts, rules: tuple[Rule, ...] = RULES) -> list[Trouble]:
    """The worst first. A rule that fails is a trouble of its own, and keeps no other one from speaking."""
    found: list[Trouble] = []
    for rule in rules:
        failures = Failures()
        with failures.of():
            found.extend(rule(facts))  # what it found before it failed stays
        found += [_failed(rule, reason) for reason in failures.told]
    return sorted(found, key=lambda trouble: _ORDER[trouble.severity])


def _failed(rule: Rule, reason: str) -> Trouble:
    name = describe(rule).name
    why = f"the rule {name} could not judge what was found: {reason}"
    return Trouble("rule-failed", "warning", "", why, "# please report this, with what `--json` says")


@dataclass(slots=True, frozen=True)
class About:
    """A rule in words: `severities` as "error, warning"; `when` and `remedy` in short."""

    name: str
    severities: str
    when: str
    remedy: str

    def to_json(self) -> dict[str, Any]:
        return {"rule": self.name, "severities": self.severities.split(", "), "when": self.when} | {
            "remedy": self.remedy
        }


def describe(rule: Rule) -> About:
    """From its name and docstring (facts.py says how that is written)."""
    lines = (inspect.getdoc(rule) or "").splitlines() or [""]
    severities, _, remedy = lines[-1].partition(": ")
    name = getattr(rule, "__name__", "").replace("_", "-")
    return About(name, severities, lines[0].removesuffix("."), remedy)
