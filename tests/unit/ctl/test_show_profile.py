"""Where the time went, as a table that a person and awk can read."""

from __future__ import annotations

import io

from cni_sriov.ctl import profile, show_profile, split
from tests.unit.ctl.told import MS, SAID


def test_the_table_has_a_row_for_each_part_and_numbers_where_awk_finds_them() -> None:
    call = split.split(SAID, 1000 * MS, 1040 * MS)
    out = io.StringIO()

    show_profile.table(out, "net.conf", profile.Profile("net", "/sriov", {"ADD": [call], "DEL": [call]}))

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
    assert "█" in lines[5]
    assert "█" not in lines[4]
