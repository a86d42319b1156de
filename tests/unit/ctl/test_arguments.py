"""What a verb takes: refused with a sentence before anything is looked at."""

from __future__ import annotations

import argparse

import pytest

from cni_sriov.ctl.arguments import ARGUMENTS


def parser(verb: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(exit_on_error=False)
    ARGUMENTS[verb](made)
    return made


@pytest.mark.parametrize(("verb", "given", "told"), [
    ("vfs", ["pf0", "7"], {"pf": "pf0", "count": 7}),
    ("gc", [], {"dry_run": False, "forget": ""}),
    ("gc", ["--forget", "/x", "--dry-run"], {"dry_run": True, "forget": "/x"}),
    ("forget", ["web"], {"pod": "web", "dry_run": False}),
    ("baseline", [], {"where": "", "take": ""}),
    ("explain", ["f"], {"file": "f", "runs": 5, "plugin": ""}),
])  # fmt: skip
def test_what_is_given_is_told(verb: str, given: list[str], told: dict[str, object]) -> None:
    assert vars(parser(verb).parse_args(given)) == told


@pytest.mark.parametrize(
    ("verb", "given"), [("vfs", ["pf0", "-1"]), ("vfs", ["pf0", "100000"]), ("vfs", ["pf0", "x"]), ("explain", ["f", "--runs", "0"])]
)  # fmt: skip
def test_a_wrong_number_is_refused(verb: str, given: list[str]) -> None:
    with pytest.raises((argparse.ArgumentError, SystemExit)):
        parser(verb).parse_args(given)
