"""`make install` where directories are links, names have blanks and a copy fails half way: uninstall leaves nothing.

With a build of a few small files.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pages import ROOT

SCRIPT = ROOT / "build/install"


@pytest.fixture
def install(tmp_path: Path) -> Path:
    """The script beside a build, and the samples of the units."""
    build = tmp_path / "checkout/build"
    for name in ("sriov", "sriovctl", "lib/version"):
        path = build / "out/cni-sriov" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (build / "out/share/man/man8").mkdir(parents=True)
    (build / "out/share/man/man8/sriovctl.8").write_text("manual")
    (build / "out/glibc").write_text("2.17")
    shutil.copytree(ROOT / "conf/systemd", tmp_path / "checkout/conf/systemd")
    shutil.copy(SCRIPT, build)
    return build / "install"


def run(install: Path, verb: str, dest: Path | str, **variables: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"DESTDIR": str(dest)} | variables
    return subprocess.run(
        [install, verb],
        env=env,
        cwd=install.parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )


def files(dest: Path) -> list[str]:
    return sorted(str(path.relative_to(dest)) for path in dest.rglob("*") if path.is_file())


def gone(install: Path, dest: Path, **variables: str) -> None:
    done = run(install, "uninstall", dest, **variables)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("  removed ") == 1


def test_a_build_empties_no_directory_that_has_other_things_in_it(tmp_path: Path) -> None:
    """OUT=$HOME: what is called old, fresh, work or dist there is not of a build."""
    kept = tmp_path / "old/thesis.tex"
    kept.parent.mkdir()
    kept.write_text("years")
    env = os.environ | {"OUT": str(tmp_path)}

    done = subprocess.run(
        [sys.executable, ROOT / "build/bundle.py"], env=env, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout, kept.read_text()) == (1, "", "years")
    assert done.stderr == f"{tmp_path} has something else in it: make build OUT={tmp_path}/out\n"
    assert os.listdir(tmp_path) == ["old"]


def test_a_directory_with_a_slash_behind_it_is_no_other_one(install: Path, tmp_path: Path) -> None:
    dest = tmp_path / "dest"
    assert run(install, "install", dest, CNIBINDIR="/opt/cni/bin/").returncode == 0

    gone(install, dest, CNIBINDIR="/opt/cni/bin/")

    assert files(dest) == []


def test_a_directory_that_is_a_link_to_another_is_no_other_one(install: Path, tmp_path: Path) -> None:
    dest = tmp_path / "dest"
    (dest / "opt/cni/bin").mkdir(parents=True)
    (dest / "usr/lib").mkdir(parents=True)
    (dest / "usr/lib/cni").symlink_to("../../opt/cni/bin")
    assert run(install, "install", dest).returncode == 0

    gone(install, dest)

    assert files(dest) == []


def test_what_an_installation_with_a_blank_in_its_name_shares_stays(install: Path, tmp_path: Path) -> None:
    dest = tmp_path / "dest"
    for directory in ("/opt/cni/bin", "/opt/my cni"):
        assert run(install, "install", dest, CNIBINDIR=directory).returncode == 0

    gone(install, dest, CNIBINDIR="/opt/cni/bin")

    assert "usr/local/share/man/man8/sriovctl.8" in files(dest)
    gone(install, dest)
    assert files(dest) == []


def test_a_destination_is_from_where_it_is_called(install: Path, tmp_path: Path) -> None:
    """As `make install DESTDIR=stage` has it, not from where the build is."""
    assert run(install, "install", "stage").returncode == 0

    assert (tmp_path / "stage/opt/cni/bin/sriov").exists()
    gone(install, tmp_path / "stage")


def test_a_directory_of_manuals_may_be_a_link(install: Path, tmp_path: Path) -> None:
    """hier(7): /usr/local/share/man and /usr/local/man are one on some systems."""
    dest = tmp_path / "dest"
    (dest / "usr/local/man").mkdir(parents=True)
    (dest / "usr/local/share").mkdir()
    (dest / "usr/local/share/man").symlink_to("../man")
    done = run(install, "install", dest)

    assert (done.returncode, done.stderr) == (0, "")
    assert (dest / "usr/local/man/man8/sriovctl.8").read_text() == "manual"
    gone(install, dest)
    assert (files(dest), (dest / "usr/local/share/man").is_symlink()) == ([], True)


def test_what_a_failure_leaves_half_way_is_found_by_uninstall(install: Path, tmp_path: Path) -> None:
    """A file stands where a directory should be: the units and some of the rest may be there already."""
    dest = tmp_path / "dest"
    (dest / "usr/local/share/man").mkdir(parents=True)
    (dest / "usr/local/share/man/man8").write_text("somebody else's")
    assert run(install, "install", dest).returncode != 0

    gone(install, dest)

    assert files(dest) == ["usr/local/share/man/man8"]
    assert not (dest / "usr/local/lib/systemd/system/sriov-host.service").exists()


def test_units_run_a_tool_with_any_name(install: Path, tmp_path: Path) -> None:
    done = run(install, "install", tmp_path / "dest", SBINDIR="/opt/R&D|x\\1/sbin")

    assert (done.returncode, done.stderr) == (0, "")
    unit = tmp_path / "dest/usr/local/lib/systemd/system/sriov-host.service"
    assert "ExecStart=/opt/R&D|x\\1/sbin/sriovctl apply" in unit.read_text()


def test_who_says_no_to_force_is_not_forced(install: Path, tmp_path: Path) -> None:
    dest = tmp_path / "dest"
    assert run(install, "install", dest).returncode == 0
    claim = dest / "run/cni-sriov/claims/1+0000:01:00.2"
    claim.parent.mkdir(parents=True)
    claim.write_text("{}")

    for word in ("0", "no"):
        done = run(install, "uninstall", dest, FORCE=word)
        assert (done.returncode, (dest / "opt/cni/bin/sriov").exists()) == (1, True)
    gone(install, dest, FORCE="1")


def test_what_is_no_file_counts_and_nothing_that_a_terminal_obeys_is_told(
    install: Path, tmp_path: Path
) -> None:
    """A FIFO hangs whoever opens it."""
    dest = tmp_path / "dest"
    assert run(install, "install", dest).returncode == 0
    claims, records = dest / "run/cni-sriov/claims", dest / "var/lib/cni/sriov"
    for directory, name in ((claims, "1+0000:01:00.2"), (records, "c2@net\x1b[31m1")):
        directory.mkdir(parents=True)
        os.mkfifo(directory / name)

    done = run(install, "uninstall", dest)

    assert done.returncode == 1
    assert "unreadable: VF 0000:01:00.2" in done.stderr
    assert "c2/net?[31m1: Record " in done.stderr
    assert "\x1b" not in done.stderr
