"""What was meant by a word that is none of ours: what it begins, else the nearest, else nothing."""

from __future__ import annotations

import pytest

from cni_sriov.ctl.meant import meant

KNOWN = ["status", "leases", "spoofchk", "stateDir", "--dry-run", "--device-id-given"]


@pytest.mark.parametrize(
    ("word", "known"),
    [
        ("statsu", "status"),
        ("STATUS", "status"),
        ("spoofCheck", "spoofchk"),
        ("statedir", "stateDir"),
        ("le", "leases"),
        ("--dryrun", "--dry-run"),
        ("--dev", "--device-id-given"),
    ],
)
def test_what_is_near(word: str, known: str) -> None:
    assert meant(word, KNOWN) == f'; did you mean "{known}"?'


@pytest.mark.parametrize("word", ["", "fly", "--", "--d", "xyz"])
def test_what_is_near_nothing_or_begins_several(word: str) -> None:
    assert meant(word, KNOWN) == ""


def test_nothing_is_known() -> None:
    assert meant("status", []) == ""
