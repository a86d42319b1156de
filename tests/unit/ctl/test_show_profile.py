"""Where the time went, as a table that a person and awk can read."""

from __future__ import annotations

import io

import pytest

from cni_sriov.ctl import profile, show_profile, split
from tests.unit.ctl.told import MS, SAID
from tests.unit.ctl.tool import Screen as Terminal

CALL = split.split(SAID, 1000 * MS, 1040 * MS)
OUTCOME = profile.Profile("net", "/sriov", {"ADD": [CALL], "DEL": [CALL]})


def test_the_table_has_a_row_for_each_part_and_numbers_where_awk_finds_them() -> None:
    out = io.StringIO()

    show_profile.table(out, "net.conf", OUTCOME)

    lines = out.getvalue().splitlines()
    assert lines[0].strip() == "net.conf, network net: one run"
    assert [line.split()[:5] for line in lines[2:9]] == [
        ["start-up", "14.0", "35", "14.0", "35"],
        ["decide", "6.0", "15", "6.0", "15"],
        ["wait", "0.0", "0", "0.0", "0"],
        ["kernel", "20.0", "50", "20.0", "50"],
        ["IPAM", "0.0", "0", "0.0", "0"],
        ["exit", "0.0", "0", "0.0", "0"],
        ["whole", "40.0", "100", "40.0", "100"],
    ]
    assert lines[9].strip() == "ADD holds locks, ms: node 2.00"
    assert [line.count("  ") for line in lines[1:9]] == [4] * 8


def test_a_wide_terminal_has_a_bar_where_each_part_lies_in_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    shown = {}
    for width in ("87", "88"):
        monkeypatch.setenv("COLUMNS", width)
        out = Terminal()
        show_profile.table(out, "net.conf", OUTCOME)
        shown[width] = out.getvalue().splitlines()[2:9]

    assert "█" not in "".join(shown["87"])
    blocks = ["█" * 7, "█" * 3, "", "█" * 10, "", "", ""]
    assert [line.split("█")[0].count("█") or "█" * (line.count("█") // 2) for line in shown["88"]] == blocks
    assert max(map(len, shown["88"])) <= 88
