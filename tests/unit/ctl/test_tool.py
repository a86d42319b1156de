"""How each verb answers: the envelope of a document, and what makes gc's exit status."""

from __future__ import annotations

import argparse
import io
import json

import pytest

from cni_sriov.ctl.tool import FAILED, OK, Tool, tell_verdicts, write_json
from cni_sriov.ctl.verdict import Verdict


def tool() -> Tool:
    def no_host(_: str) -> None:
        raise AssertionError("nothing is looked at")

    return Tool(io.StringIO(), io.StringIO(), 0, no_host)  # type: ignore[arg-type]


def test_a_document_has_a_version() -> None:
    surroundings = tool()
    write_json(surroundings, {"pfs": []})

    assert json.loads(surroundings.out.getvalue()) == {"version": 1, "pfs": []}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("kind", "taken", "status"), [("file", False, FAILED), ("file", True, OK), ("vf", False, OK)]
)
def test_a_file_that_cannot_be_read_is_a_finding(kind: str, taken: bool, status: int) -> None:
    options = argparse.Namespace(json=True, dry_run=False)
    assert tell_verdicts(options, tool(), [Verdict(kind, "x", "", taken, "why")]) == status
