"""`make build`: the same sources give the same bytes, and `sriov` stays small."""

from __future__ import annotations

import filecmp
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests import budgets, bundle
from tests.integration.rig import ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.bundle
SRIOV_MB, WHOLE_MB = 10, 40
INPUT = ("cni_sriov", "conf", "build")
# A caller's environment that would come through if build/bundle.py let it.
ODD = {
    "PYTHONHASHSEED": "random",
    "SOURCE_DATE_EPOCH": "1000000000",
    "TZ": "Asia/Kathmandu",
    "LC_ALL": "POSIX",
}


def files_in(top: Path) -> set[Path]:
    return {path.relative_to(top) for path in top.rglob("*") if path.is_file()}


def needed(top: Path) -> set[Path]:
    """What the build says that `sriov` needs."""
    return {top / name for name in (bundle.OUT / "sriov.files").read_text().splitlines()}


def megabytes(files: set[Path]) -> float:
    return sum(path.stat().st_size for path in files) / 1e6


def build(home: Path) -> Path:
    """The same sources, built in another directory, without a cache, below an odd environment."""
    for name in INPUT:
        shutil.copytree(ROOT / name, home / name, ignore=shutil.ignore_patterns("out", "__pycache__"))
    env = {"HOME": str(home), "PATH": os.environ["PATH"], "PYINSTALLER_CONFIG_DIR": str(home / "cache")} | ODD
    done = subprocess.run(
        [sys.executable, home / "build" / "bundle.py"], env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return home / "build" / "out"


def test_the_same_sources_give_the_same_bytes_elsewhere(tmp_path: Path) -> None:
    first = bundle.directory() / "cni-sriov"

    out = build(tmp_path / "another-place")
    second = out / "cni-sriov"

    assert (out / "recipe").read_text() == (bundle.OUT / "recipe").read_text(), "old bundle: run `make build`"
    assert files_in(first) == files_in(second)
    modes = {name: (first / name).stat().st_mode for name in files_in(first)}
    assert modes == {name: (second / name).stat().st_mode for name in files_in(second)}
    names = sorted(map(str, files_in(first)))
    assert filecmp.cmpfiles(first, second, names, shallow=False)[1:] == ([], [])


def test_the_bundle_is_small() -> None:
    top = bundle.directory() / "cni-sriov"

    sizes = {"sriov": megabytes(needed(top)), "whole": megabytes({top / name for name in files_in(top)})}

    assert sizes["sriov"] <= SRIOV_MB, sizes
    assert sizes["whole"] <= WHOLE_MB, sizes


@pytest.mark.root
def test_a_call_opens_no_file_beyond_those_that_sriov_is_said_to_need(tmp_path: Path) -> None:
    top = bundle.directory() / "cni-sriov"

    traces = budgets.trace(tmp_path).values()

    opened = {path for trace in traces for path in trace.opened if path.is_file() and top in path.parents}
    assert top / "sriov" in opened
    assert opened - needed(top) == set()


def test_make_build_tells_both_sizes() -> None:
    top = bundle.directory() / "cni-sriov"

    told = subprocess.run(
        [sys.executable, ROOT / "build" / "bundle.py"], capture_output=True, text=True, check=True
    ).stdout

    whole = {top / name for name in files_in(top)}
    assert f"build/out/cni-sriov, {megabytes(whole):.1f} MB, {len(whole)} files" in told
    assert f"sriov      {megabytes(needed(top)):.1f} MB, {len(needed(top))} files" in told
