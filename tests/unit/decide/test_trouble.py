"""A finding as JSON: a contract with who parses it."""

from __future__ import annotations

from cni_sriov.decide.trouble import Evidence, Trouble


def test_as_json() -> None:
    trouble = Trouble("pf-down", "warning", "enp1s0f0", "why", "do", [Evidence("/sys/x", "down")])

    assert trouble.to_json() == {
        "rule": "pf-down",
        "severity": "warning",
        "subject": "enp1s0f0",
        "why": "why",
        "remedy": "do",
        "evidence": [{"source": "/sys/x", "said": "down"}],
    }
