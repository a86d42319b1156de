"""A file that others read: whole or not at all, and readable."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path

import pytest

from cni_sriov.ctl import publish
from cni_sriov.words.errors import InputOutput


def test_it_is_replaced_and_may_be_read_by_all(tmp_path: Path) -> None:
    path = tmp_path / "metrics.prom"
    path.write_text("old")
    before = os.umask(0o077)
    try:
        with path.open() as reader:
            publish.write(io.StringIO(), str(path), "new\n")
            told = reader.read()
    finally:
        os.umask(before)

    assert (path.read_text(), told) == ("new\n", "old")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert list(tmp_path.iterdir()) == [path]


def test_a_dash_is_standard_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    out = io.StringIO()

    publish.write(out, "-", "text")

    assert (out.getvalue(), list(tmp_path.iterdir())) == ("text", [])


@pytest.mark.parametrize("where", ["nowhere/x", "is-a-directory"])
def test_what_cannot_be_written_is_a_sentence_and_leaves_nothing(tmp_path: Path, where: str) -> None:
    (tmp_path / "is-a-directory/full").mkdir(parents=True)

    with pytest.raises(InputOutput, match=f"write .*{where}: ") as raised:
        publish.write(io.StringIO(), str(tmp_path / where), "text")

    assert "writable" in raised.value.details
    assert [path.name for path in tmp_path.iterdir()] == ["is-a-directory"]
