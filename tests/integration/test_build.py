"""`make build`: the same sources give the same bytes, and `sriov` stays small."""

from __future__ import annotations

import filecmp
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests import budgets, bundle
from tests.integration.rig import ROOT
from tests.lab.cache import cache_dir

pytestmark = pytest.mark.bundle
# Issue 8 wants 12, and has 11.9; issue 9 allows 14 for ordinary Python. Python 3.13 was 1.3 MB larger.
SRIOV_MB, WHOLE_MB = (12.5, 40) if sys.version_info < (3, 12) else (16, 43)
INPUT = ("cni_sriov", "conf", "build", "docs", "tests")
# A caller's environment that would come through if build/bundle.py let it.
ODD = {
    "PYTHONHASHSEED": "random",
    "SOURCE_DATE_EPOCH": "1000000000",
    "TZ": "Asia/Kathmandu",
    "LC_ALL": "POSIX",
    "MARK": "a-mark-in-the-environment",
}
# he can read this checkout and write into the copy, wherever they are
CAPABLE = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override")
HOST, USER = "another-host-name", 65534
GUEST, CALLED = "PIL", "pillow"  # pygments, which rich requires, imports it where it is installed


def files_in(top: Path) -> set[Path]:
    return {path.relative_to(top) for path in top.rglob("*") if path.is_file() and not path.is_symlink()}


def needed(top: Path) -> set[Path]:
    """What `sriov` may open; PyInstaller's shares its directory with sriovctl."""
    return (
        {top / name for name in files_in(top)} - {top / "sriovctl"}
        if not bundle.is_snapshot()
        else {top / "sriov"}
    )


def megabytes(files: set[Path]) -> float:
    return sum(path.stat().st_size for path in files) / 1e6


def environment_with_a_guest(home: Path) -> Path:
    """The interpreter of a virtual environment that has what this one has, and one package more."""
    venv.create(home)
    packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(home)}))
    (packages / "more.pth").write_text(sysconfig.get_path("purelib"))
    for name, text in {
        f"{GUEST}/__init__.py": "",
        f"{CALLED}-1.0.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {CALLED}\nVersion: 1.0\n",
        f"{CALLED}-1.0.dist-info/RECORD": f"{GUEST}/__init__.py,,\n",
    }.items():
        (packages / name).parent.mkdir(exist_ok=True)
        (packages / name).write_text(text)
    shutil.copy(Path(sys.prefix, "recipe"), home)  # what build/setup writes
    return home / "bin" / "python"


def commit() -> str:
    """Of this checkout, by git itself; nothing where it is none."""
    command = ["git", "log", "-1", "--format=%H %ct"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout


def build(home: Path, python: Path, out: Path) -> None:
    """The same sources, built in another directory by `python`, without a cache, below an odd environment: on a machine
    of another name, by a user who is not root, of files from another year, that can only be read, without git.
    """
    for name in INPUT:
        shutil.copytree(
            ROOT / name, home / name, ignore=shutil.ignore_patterns("out", "vendor", "__pycache__")
        )
    shutil.copy(ROOT / "pyproject.toml", home)
    (home / "build" / "revision").write_text(commit())  # as `git archive` does
    for path in home.rglob("*"):
        os.utime(path, (1e9, 1e9))
    env = {"HOME": str(home), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)} | ODD
    env |= {"CNI_SRIOV_CACHE": str(cache_dir().parent), "OUT": str(out)} | {
        n: os.environ[n] for n in ("SNAPSHOT",) if n in os.environ
    }
    only_read = f"mount --bind {home} {home} && mount -o remount,bind,ro {home} && cd {home}"
    elsewhere = ("unshare", "--uts", "--mount", "sh", "-c", f'hostname {HOST}; {only_read} && exec "$0" "$@"')
    somebody = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", *CAPABLE)
    command = [*elsewhere, *somebody, str(python), str(home / "build" / "bundle.py")]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_same_sources_give_the_same_bytes_elsewhere(tmp_path: Path) -> None:
    first = bundle.directory() / "cni-sriov"

    out = tmp_path / "out"
    build(tmp_path / "another-place", environment_with_a_guest(tmp_path / "venv"), out)
    second = out / "cni-sriov"

    assert (out / "recipe").read_text() == (bundle.OUT / "recipe").read_text(), "old bundle: run `make build`"
    assert files_in(first) == files_in(second)
    modes = {name: (first / name).stat().st_mode for name in files_in(first)}
    assert modes == {name: (second / name).stat().st_mode for name in files_in(second)}
    names = sorted(map(str, files_in(first)))
    different = filecmp.cmpfiles(first, second, names, shallow=False)[1:]
    told = [(top / "lib/version").read_text() for top in (first, second)]
    if ", changed)" in told[0]:  # a checkout knows that its sources are no commit's
        assert (told[0].replace(", changed)", ")"), different) == (told[1], (["lib/version"], []))
    else:
        assert different == ([], [])
    shared = sorted(map(str, files_in(bundle.OUT / "share")))
    assert shared
    assert filecmp.cmpfiles(bundle.OUT / "share", out / "share", shared, shallow=False) == (shared, [], [])
    if bundle.is_snapshot():  # what PyInstaller bundles has paths of the interpreter's
        image = (second / "sriov").read_bytes()
        assert [
            word for word in (*ODD.values(), HOST, str(tmp_path)) if len(word) > 8 and word.encode() in image
        ] == []


def test_the_bundle_is_small() -> None:
    top = bundle.directory() / "cni-sriov"

    sizes = {"sriov": megabytes({top / "sriov"}), "whole": megabytes({top / name for name in files_in(top)})}

    assert sizes["sriov"] <= SRIOV_MB, sizes
    assert sizes["whole"] <= WHOLE_MB, sizes


@pytest.mark.root
def test_a_call_opens_no_file_of_the_bundle_but_its_own(tmp_path: Path) -> None:
    top = bundle.directory() / "cni-sriov"

    traces = budgets.trace(tmp_path).values()

    opened = {path for trace in traces for path in trace.opened if path.is_file() and top in path.parents}
    assert (top / "sriov" in opened) != bundle.is_snapshot()  # PyInstaller's reads itself
    assert opened - needed(top) == set()


@pytest.mark.root
def test_where_it_may_write_nothing_it_asks_for_another_place(tmp_path: Path) -> None:
    only_read = f"mount --bind {tmp_path} {tmp_path} && mount -o remount,bind,ro {tmp_path}"
    script = f"{only_read} && exec {sys.executable} {ROOT}/build/bundle.py"
    env = os.environ | {"OUT": str(tmp_path / "out")}

    done = subprocess.run(["unshare", "--mount", "sh", "-c", script], env=env, capture_output=True, text=True)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"{tmp_path}/out cannot be written (Read-only file system): make build OUT=DIRECTORY\n"
    )


def test_make_build_tells_the_sizes() -> None:
    top = bundle.directory() / "cni-sriov"

    told = subprocess.run(
        [sys.executable, ROOT / "build" / "bundle.py"], capture_output=True, text=True, check=True
    ).stdout

    whole = {top / name for name in files_in(top)}
    assert f"build/out/cni-sriov, {megabytes(whole):.1f} MB, {len(whole)} files" in told
    for name in ("sriov", "sriovctl"):
        assert f"{megabytes({top / name}):6.2f} MB  {name}: " in told
