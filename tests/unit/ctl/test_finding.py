"""What `sriovctl validate` has to say: one finding, for a person's eyes and as JSON."""

from __future__ import annotations

import dataclasses

from cni_sriov.ctl import finding


def test_a_finding_is_told_whole() -> None:
    one = finding.Finding("error", "plugins[0].vlan", "5000", "must be 0-4094", "fast", "x.conf", 3, 7)

    assert one.to_json() == dataclasses.asdict(one)


def test_a_finding_of_a_whole_file_has_no_line() -> None:
    told = finding.error("", "", "no such file").to_json()

    assert (told["line"], told["column"]) == (None, None)


def test_only_an_error_quotes_the_value() -> None:
    told = [finding.error("a", "5", "r"), finding.warning("a", "r"), finding.note("a", "r")]

    assert [(one.severity, one.path, one.value, one.rule, one.document) for one in told] == [
        ("error", "a", "5", "r", ""),
        ("warning", "a", "", "r", ""),
        ("note", "a", "", "r", ""),
    ]
