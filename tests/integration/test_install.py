"""`make install`: relative symlinks swapped by rename, a foreign plugin kept and put back, nothing else touched."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUNDLE = ROOT / "build" / "out" / "cni-sriov"

pytestmark = pytest.mark.bundle


def run(verb: str, dest: Path, **variables: str) -> str:
    env = os.environ | {"DESTDIR": str(dest)} | variables
    return subprocess.run(
        [ROOT / "build" / "install", verb], env=env, check=True, capture_output=True, text=True
    ).stdout


def version(plugin: Path) -> str:
    env = {"CNI_COMMAND": "VERSION"}
    return subprocess.run([plugin], env=env, check=True, capture_output=True, text=True, input="").stdout


def tree(dest: Path) -> list[str]:
    return sorted(
        str(path.relative_to(dest)) for path in dest.rglob("*") if not path.is_dir() or path.is_symlink()
    )


def test_both_names_run_from_where_they_are_installed(tmp_path: Path) -> None:
    run("install", tmp_path, CNIBINDIR="/usr/lib/cni")
    bin_dir = tmp_path / "usr/lib/cni"
    for name in ("sriov", "host-subnet"):
        target = os.readlink(bin_dir / name)
        assert target.startswith(".cni-sriov/")
        assert '"supportedVersions"' in version(bin_dir / name)
    ctl = tmp_path / "usr/local/sbin/sriovctl"
    assert not os.readlink(ctl).startswith("/")
    assert ctl.resolve() == (bin_dir / "sriov").resolve().with_name("sriovctl")


def test_the_tree_can_be_moved_as_a_package_does(tmp_path: Path) -> None:
    run("install", tmp_path / "staging")
    (tmp_path / "staging").rename(tmp_path / "root")
    assert '"cniVersion"' in version(tmp_path / "root/opt/cni/bin/sriov")


def test_a_foreign_sriov_is_saved_and_comes_back(tmp_path: Path) -> None:
    bin_dir = tmp_path / "opt/cni/bin"
    bin_dir.mkdir(parents=True)
    (bin_dir / "sriov").write_text("the Go one")
    (bin_dir / "bridge").write_text("not ours")

    run("install", tmp_path)
    run("install", tmp_path)

    assert (bin_dir / "sriov.orig").read_text() == "the Go one"
    assert '"cniVersion"' in version(bin_dir / "sriov")
    run("uninstall", tmp_path)
    assert tree(tmp_path) == ["opt/cni/bin/bridge", "opt/cni/bin/sriov"]
    assert (bin_dir / "sriov").read_text() == "the Go one"


def test_the_previous_version_is_kept_until_the_next(tmp_path: Path) -> None:
    """A bundle that differs in one file is another version; three installs leave two."""
    home = tmp_path / "dest/opt/cni/bin/.cni-sriov"
    copy = tmp_path / "checkout"
    copy.mkdir()
    parts = ["build/install", "build/out/cni-sriov", "build/out/glibc"]
    subprocess.run(["cp", "-a", "--parents", *parts, copy], cwd=ROOT, check=True)
    seen = []
    for n in range(3):
        (copy / "build/out/cni-sriov/version").write_text(str(n))
        env = os.environ | {"DESTDIR": str(tmp_path / "dest")}
        subprocess.run([copy / "build/install", "install"], env=env, check=True, capture_output=True)
        seen.append(os.readlink(home / "current"))
        assert '"cniVersion"' in version(tmp_path / "dest/opt/cni/bin/sriov")
    assert sorted(path.name for path in home.iterdir() if not path.is_symlink()) == sorted(seen[1:])
    assert os.readlink(home / "previous") == seen[1]
