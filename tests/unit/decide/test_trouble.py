"""A finding as JSON: a contract with who parses it."""

from __future__ import annotations

import os
import subprocess

import pytest

from cni_sriov.decide.trouble import Evidence, Trouble, quoted


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


@pytest.mark.parametrize(
    "raw", [b"/a b", b"/\xff\xfe$(x)'%d\\", b"/a\nb", b"/\x1b[31m", b"plain", "/\u2028".encode()]
)
def test_a_shell_takes_any_name_for_what_it_is(raw: bytes) -> None:
    line = quoted(os.fsdecode(raw))

    assert (line.isprintable(), line.encode().decode()) == (True, line)
    told = subprocess.run(["sh", "-c", f"printf %s {line}"], capture_output=True, check=True).stdout
    assert told == raw


@pytest.mark.parametrize("raw", [b"/map_1\n", b"/it's\n\n"])
def test_a_line_feed_at_the_end_is_not_lost_or_another_file_is_removed(raw: bytes) -> None:
    """A command substitution drops it (POSIX, XCU 2.6.3)."""
    line = quoted(os.fsdecode(raw))

    assert line.isprintable()
    told = subprocess.run(["bash", "-c", f"printf %s {line}"], capture_output=True, check=True).stdout
    assert told == raw
    told = subprocess.run(["sh", "-c", f"printf %s {line}"], capture_output=True, check=True).stdout
    assert told != raw.rstrip(b"\n")  # a shell that does not know it finds no such file
