"""`make install`: relative symlinks swapped by rename, a foreign plugin kept and put back, nothing else touched."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUNDLE = ROOT / "build" / "out" / "cni-sriov"

SHARED = [
    "bash-completion/completions/sriovctl",
    "fish/vendor_completions.d/sriovctl.fish",
    "man/man5/cni-sriov.conf.5",
    "man/man8/host-subnet.8",
    "man/man8/sriov.8",
    "man/man8/sriovctl.8",
    "zsh/site-functions/_sriovctl",
]
PARTS = (
    "build/install",
    "build/out/cni-sriov",
    "build/out/share",
    "build/out/glibc",
    "build/out/snapshot.told",
)

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


def info(plugin: Path) -> str:
    return subprocess.run([plugin, "info"], env={}, check=True, capture_output=True, text=True).stdout


def test_podman_5_finds_the_same_file_where_it_looks(tmp_path: Path) -> None:
    """containers.conf(5), netavark_plugin_dirs, names /usr/local/lib/netavark among four."""
    run("install", tmp_path)

    plugin = tmp_path / "usr/local/lib/netavark/sriov"

    assert not os.readlink(plugin).startswith("/")
    assert plugin.resolve() == (tmp_path / "opt/cni/bin/sriov").resolve()
    assert '"api_version"' in info(plugin)
    run("uninstall", tmp_path)
    assert not plugin.parent.exists()


def test_podmans_link_moves_with_its_directory_and_goes_from_where_it_is(tmp_path: Path) -> None:
    """Uninstall is called without NETAVARKDIR; a plugin of somebody else there stays, one of our name comes back."""
    there = tmp_path / "usr/lib/netavark"
    there.mkdir(parents=True)
    (there / "sriov").write_text("another one")
    (there / "other").write_text("not ours")
    run("install", tmp_path)

    run("install", tmp_path, NETAVARKDIR="/usr/lib/netavark")
    run("install", tmp_path, NETAVARKDIR="/usr/lib/netavark")

    assert '"api_version"' in info(there / "sriov")
    assert not (tmp_path / "usr/local/lib/netavark").exists()
    run("uninstall", tmp_path)
    assert tree(tmp_path) == ["usr/lib/netavark/other", "usr/lib/netavark/sriov"]
    assert (there / "sriov").read_text() == "another one"


def test_of_two_installs_the_last_one_is_podmans(tmp_path: Path) -> None:
    """As README has it: one for containerd, one for Debian's podman 4. Neither takes the other's for a foreign plugin."""
    plugin = tmp_path / "usr/local/lib/netavark/sriov"
    run("install", tmp_path)
    run("install", tmp_path, CNIBINDIR="/usr/lib/cni")

    run("uninstall", tmp_path)

    assert plugin.resolve() == (tmp_path / "usr/lib/cni/sriov").resolve()
    run("uninstall", tmp_path, CNIBINDIR="/usr/lib/cni")
    assert tree(tmp_path) == []


def test_manual_and_completions_are_below_the_prefix_and_go_again(tmp_path: Path) -> None:
    """By what was installed: uninstall is called without the prefix."""
    (tmp_path / "opt/share/man/man8").mkdir(parents=True)
    (tmp_path / "opt/share/man/man8/other.8").write_text("not ours")

    run("install", tmp_path, PREFIX="/opt")
    run("install", tmp_path, PREFIX="/opt")

    there = tmp_path / "opt/share"
    assert tree(there) == sorted([*SHARED, "man/man8/other.8"])
    assert {oct((there / name).stat().st_mode & 0o777) for name in SHARED} == {"0o644"}
    shown = subprocess.run(
        ["man", "-M", there / "man", "-P", "cat", "8", "sriovctl"], capture_output=True, text=True
    )
    assert "Create the VFs of a PF" in shown.stdout, shown.stderr
    assert (tmp_path / "opt/sbin/sriovctl").exists()
    run("uninstall", tmp_path, PREFIX="/opt")
    assert tree(tmp_path) == ["opt/share/man/man8/other.8"]


def test_another_prefix_takes_the_files_along(tmp_path: Path) -> None:
    run("install", tmp_path)
    run("install", tmp_path, PREFIX="/usr")

    assert not [name for name in tree(tmp_path) if name.startswith("usr/local/share")]
    assert tree(tmp_path / "usr/share") == SHARED
    run("uninstall", tmp_path, PREFIX="/usr", SBINDIR="/usr/local/sbin")
    assert not [name for name in tree(tmp_path) if "share/" in name]


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
    parts = [name for name in PARTS if (ROOT / name).exists()]
    subprocess.run(["cp", "-a", "--parents", *parts, copy], cwd=ROOT, check=True)
    seen = []
    for n in range(3):
        (copy / "build/out/cni-sriov/version").write_text(str(n))
        env = os.environ | {"DESTDIR": str(tmp_path / "dest")}
        subprocess.run([copy / "build/install", "install"], env=env, check=True, capture_output=True)
        seen.append(os.readlink(home / "current"))
        assert '"cniVersion"' in version(tmp_path / "dest/opt/cni/bin/sriov")
    assert sorted(path.name for path in home.glob("*/") if not path.is_symlink()) == sorted(seen[1:])
    assert os.readlink(home / "previous") == seen[1]


# from a directory to one file, and back ------------------------------------------------------------------------------


def a_directory_bundle(checkout: Path, sriov: str) -> None:
    """What `make build` made before there was a snapshot, and makes with SNAPSHOT=no: `sriov` reads its directory."""
    bundle = checkout / "build/out/cni-sriov"
    (bundle / "lib").mkdir(parents=True)
    (bundle / "lib/code").write_text("code")
    for name, text in (("sriov", sriov), ("sriovctl", "#!/bin/sh\n")):
        (bundle / name).write_text(text)
        (bundle / name).chmod(0o755)
    (checkout / "build/out/glibc").write_text("2.17")
    subprocess.run(["cp", "-a", ROOT / "build/install", checkout / "build"], check=True)


WAITS = """#!/bin/sh
here=$(dirname "$(realpath "$0")")
read -r line
cat "$here/lib/code"
"""


def test_a_directory_becomes_one_file_under_a_running_call_and_is_there_again(tmp_path: Path) -> None:
    """The call that has begun finds its directory; a new one gets the file; installing the old one goes all the way back."""
    dest, old = tmp_path / "dest", tmp_path / "old"
    a_directory_bundle(old, WAITS)
    env = os.environ | {"DESTDIR": str(dest)}
    subprocess.run([old / "build/install", "install"], env=env, check=True, capture_output=True)
    bin_dir = dest / "opt/cni/bin"
    before = tree(dest)
    running = subprocess.Popen([bin_dir / "sriov"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    run("install", dest)

    assert running.communicate(b"\n")[0] == b"code"
    assert '"supportedVersions"' in version(bin_dir / "sriov")
    assert (bin_dir / ".cni-sriov/previous/lib/code").read_text() == "code"
    assert [path.name for path in bin_dir.iterdir() if path.name.endswith(".orig")] == []

    subprocess.run([old / "build/install", "install"], env=env, check=True, capture_output=True)

    assert subprocess.run([bin_dir / "sriov"], input=b"\n", capture_output=True).stdout == b"code"
    assert set(before) <= set(tree(dest))
    run("uninstall", dest)
    assert tree(dest) == []


def test_a_copy_that_is_not_what_was_built_is_not_installed(tmp_path: Path) -> None:
    """A disk that is full, or lies: `cp` here leaves something out."""
    tools, checkout = tmp_path / "tools", tmp_path / "checkout"
    tools.mkdir()
    a_directory_bundle(checkout, WAITS)
    (tools / "cp").write_text('#!/bin/sh\n/bin/cp "$@" && : >"$3/sriov"\n')
    (tools / "cp").chmod(0o755)
    env = os.environ | {"DESTDIR": str(tmp_path / "dest"), "PATH": f"{tools}:{os.environ['PATH']}"}

    done = subprocess.run([checkout / "build/install", "install"], env=env, capture_output=True, text=True)

    assert done.returncode != 0
    assert "sriov differ" in done.stdout
    assert not (tmp_path / "dest/opt/cni/bin/sriov").exists()
