"""`make install`: relative symlinks swapped by rename, a foreign plugin kept and put back, nothing else touched."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.state import write

ROOT = Path(__file__).parents[2]
OUT = ROOT / "build" / "out"
CONF = sorted(str(path.relative_to(ROOT / "conf")) for path in (ROOT / "conf").rglob("*") if path.is_file())
UNITS = ["sriov-host.service", "sriov-numvfs@.service"]
PARTS = (
    "conf",
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


def shared() -> list[str]:
    """Below PREFIX: what `make build` made for it, conf/ as samples, and the units where systemd looks."""
    made = [str(path.relative_to(OUT)) for path in (OUT / "share").rglob("*") if path.is_file()]
    samples = [f"share/doc/cni-sriov/examples/{name}" for name in CONF if not name.startswith("systemd/")]
    return sorted([*made, *samples, *(f"lib/systemd/system/{name}" for name in UNITS)])


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
        told = subprocess.run([bin_dir / name, "--help"], env={}, capture_output=True, text=True)
        assert (told.returncode, told.stderr) == (0, "")
        assert f": {name} is a CNI plugin that gives " in told.stdout.splitlines()[0]
    ctl = tmp_path / "usr/local/sbin/sriovctl"
    assert not os.readlink(ctl).startswith("/")
    assert ctl.resolve() == (bin_dir / "sriov").resolve().with_name("sriovctl")


def info(plugin: Path) -> str:
    return subprocess.run([plugin, "info"], env={}, check=True, capture_output=True, text=True).stdout


def test_variables_may_stand_behind_the_verb_as_make_has_them(tmp_path: Path) -> None:
    """So docs/install.md has it for the tarball; a word that is none of them is not passed over."""
    script = ROOT / "build/install"
    subprocess.run(
        [script, "install", f"DESTDIR={tmp_path}", "CNIBINDIR=/usr/lib/cni"], check=True, capture_output=True
    )

    assert (tmp_path / "usr/lib/cni/sriov").is_symlink()
    assert not (tmp_path / "opt").exists()
    for word in ("CNIBIN=/usr/lib/cni", "CNIBINDIR", "FORCE"):
        done = subprocess.run(
            [script, "uninstall", f"DESTDIR={tmp_path}", word], capture_output=True, text=True
        )
        assert (done.returncode, done.stdout, "usage: " in done.stderr) == (2, "", True)
    subprocess.run([script, "uninstall", f"DESTDIR={tmp_path}", "FORCE=1"], check=True, capture_output=True)
    assert tree(tmp_path) == []


def test_a_build_elsewhere_is_installed_from_there(tmp_path: Path) -> None:
    """`make install OUT=build/out`: from where it is called."""
    script = tmp_path / "checkout/build/install"
    script.parent.mkdir(parents=True)
    shutil.copy(ROOT / "build/install", script)
    env = os.environ | {"DESTDIR": str(tmp_path / "dest"), "OUT": "build/out"}

    subprocess.run([script, "install"], cwd=ROOT, env=env, check=True, capture_output=True)

    assert '"supportedVersions"' in version(tmp_path / "dest/opt/cni/bin/sriov")
    del env["OUT"]
    done = subprocess.run([script, "install"], cwd=ROOT, env=env, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (
        1,
        f"  not done   there is no build in {script.parent}: make build\n",
    )


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

    run("uninstall", tmp_path, CNIBINDIR="/opt/cni/bin")

    assert (tmp_path / "usr/local/sbin/sriovctl").exists()
    assert set(shared()) <= set(tree(tmp_path / "usr/local"))
    assert plugin.resolve() == (tmp_path / "usr/lib/cni/sriov").resolve()
    run("uninstall", tmp_path, CNIBINDIR="/usr/lib/cni")
    assert tree(tmp_path) == []


def test_manual_and_completions_are_below_the_prefix_and_go_again(tmp_path: Path) -> None:
    """By what was installed: uninstall is called without the prefix."""
    (tmp_path / "opt/share/man/man8").mkdir(parents=True)
    (tmp_path / "opt/share/man/man8/other.8").write_text("not ours")

    run("install", tmp_path, PREFIX="/opt")
    run("install", tmp_path, PREFIX="/opt")

    there = tmp_path / "opt"
    others = [name for name in tree(there) if not name.startswith(("cni/", "sbin/"))]
    assert others == sorted([*shared(), "share/man/man8/other.8"])
    assert {name for name in shared() if (there / name).stat().st_mode & 0o777 != 0o644} == {
        "share/doc/cni-sriov/examples/podman/create-networks"
    }
    shown = subprocess.run(
        ["man", "-M", there / "share/man", "-P", "cat", "8", "sriovctl"], capture_output=True, text=True
    )
    assert "sriovctl vfs" in " ".join(shown.stdout.split()), shown.stderr
    assert (tmp_path / "opt/sbin/sriovctl").exists()
    run("uninstall", tmp_path, PREFIX="/opt")
    assert tree(tmp_path) == ["opt/share/man/man8/other.8"]


def test_another_prefix_takes_the_files_along(tmp_path: Path) -> None:
    run("install", tmp_path)
    run("install", tmp_path, PREFIX="/usr")

    assert [name for name in tree(tmp_path / "usr/local") if not name.startswith("lib/netavark/")] == []
    assert set(shared()) | {"sbin/sriovctl"} <= set(tree(tmp_path / "usr"))
    unit = (tmp_path / "usr/lib/systemd/system/sriov-host.service").read_text()
    assert "ExecStart=/usr/sbin/sriovctl apply" in unit
    run("uninstall", tmp_path)
    assert tree(tmp_path) == []


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
    told = run("uninstall", tmp_path).splitlines()
    assert f"  restored   {bin_dir}/sriov, which was {bin_dir}/sriov.orig since install" in told
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


# what it says, and when it does nothing ------------------------------------------------------------------------------


def test_one_line_tells_the_version_that_sriovctl_tells(tmp_path: Path) -> None:
    """With the commit, as git has it."""
    told = run("install", tmp_path).splitlines()
    ctl = tmp_path / "usr/local/sbin/sriovctl"
    said = subprocess.run([ctl, "--version"], capture_output=True, text=True, check=True).stdout.split(
        None, 1
    )[1]
    log = ["git", "log", "-1", "--format=%h", "--abbrev=12"]
    head = subprocess.run(log, cwd=ROOT, capture_output=True, text=True).stdout.strip() or "unknown"

    assert f"(commit {head}" in said, "old bundle: run `make build`"
    assert len(told) == 1
    assert told[0].startswith(f"  installed  cni-sriov {said.strip()}: {tmp_path}/opt/cni/bin/sriov, ")

    gone = run("uninstall", tmp_path).splitlines()

    assert len(gone) == 1
    assert gone[0].startswith(f"  removed    cni-sriov {said.strip()}: {tmp_path}/opt/cni/bin/sriov, ")
    assert f", {ctl}, " in gone[0]
    assert run("uninstall", tmp_path) == (
        "  nothing    of cni-sriov is installed in /opt/cni/bin, /usr/lib/cni or /usr/libexec/cni\n"
    )


def test_uninstall_finds_it_wherever_it_is(tmp_path: Path) -> None:
    """Where runtimes look, and by sriovctl's link a directory of the operator's own."""
    for directory in ("/opt/cni/bin", "/usr/lib/cni", "/srv/plugins"):
        run("install", tmp_path, CNIBINDIR=directory)

    told = run("uninstall", tmp_path)

    assert [line.split()[0] for line in told.splitlines()] == ["removed"] * 3
    assert tree(tmp_path) == []


def test_it_tells_only_what_it_did(tmp_path: Path) -> None:
    """Another one's plugin of our name is there by now, and sriovctl is gone."""
    run("install", tmp_path)
    bin_dir = tmp_path / "opt/cni/bin"
    for name in ("opt/cni/bin/sriov", "usr/local/sbin/sriovctl"):
        (tmp_path / name).unlink()
    (bin_dir / "sriov").write_text("the Go one")

    told = run("uninstall", tmp_path)

    assert (f"{bin_dir}/host-subnet" in told, f"{bin_dir}/sriov," in told, "sriovctl" in told) == (
        True,
        False,
        False,
    )
    assert tree(tmp_path) == ["opt/cni/bin/sriov"]


def test_enabled_units_are_disabled_with_it(tmp_path: Path) -> None:
    run("install", tmp_path)
    wants = tmp_path / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True)
    units = "/usr/local/lib/systemd/system"
    (wants / "sriov-host.service").symlink_to(f"{units}/sriov-host.service")
    (wants / "sriov-numvfs@enp1s0f0.service").symlink_to(f"{units}/sriov-numvfs@.service")
    (wants / "other.service").symlink_to("/usr/lib/systemd/system/other.service")
    run("install", tmp_path)
    assert len(list(wants.iterdir())) == 3

    told = run("uninstall", tmp_path)

    assert [path.name for path in wants.iterdir()] == ["other.service"]
    assert ["disabled", "sriov-host.service"] in [line.split() for line in told.splitlines()]


@pytest.mark.root
def test_where_nothing_may_be_written_it_says_so_and_begins_nothing(tmp_path: Path) -> None:
    only_read = f"mount --bind {tmp_path} {tmp_path} && mount -o remount,bind,ro {tmp_path}"
    script = f"{only_read} && exec {ROOT}/build/install install"
    env = os.environ | {"DESTDIR": str(tmp_path)}

    done = subprocess.run(["unshare", "--mount", "sh", "-c", script], env=env, capture_output=True, text=True)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"  not done   {tmp_path} cannot be written by uid 0: ")
    assert tree(tmp_path) == []


# containers that need it ---------------------------------------------------------------------------------------------

BOOT = "11111111-2222-3333-4444-555555555555"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the plugin writes: c1, c2 with a VF and a lease, c3 with a VF."""
    out = tmp_path_factory.mktemp("written")
    write.main(out)
    return out


def used(dest: Path, written: Path, boot: str, *, without: str) -> None:
    """A node with that, of that boot; the stateDir is one that a configuration named."""
    for name, target in (
        ("run", "run/cni-sriov"),
        ("data", "var/lib/cni/host-subnet"),
        ("state", "srv/state"),
    ):
        if name not in without.split():
            shutil.copytree(written / name, dest / target)
    (dest / "run/cni-sriov/dirs").mkdir(parents=True, exist_ok=True)
    (dest / "run/cni-sriov/dirs/%2Fsrv%2Fstate").symlink_to("/srv/state")
    for path in sorted(dest.rglob("*"), reverse=True):
        if path.is_file() and not path.is_symlink():
            path.write_text(path.read_text().replace(BOOT, boot))
        elif path.name == BOOT:
            path.rename(path.with_name(boot))


def here() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def refused(dest: Path) -> str:
    """What it says; nothing is removed."""
    before = tree(dest)
    env = os.environ | {"DESTDIR": str(dest)}
    done = subprocess.run([ROOT / "build/install", "uninstall"], env=env, capture_output=True, text=True)
    assert (done.returncode, done.stdout, tree(dest)) == (1, "", before)
    return done.stderr


@pytest.mark.parametrize(
    ("without", "told"),
    [
        ("data state", ["c1/net1: VF 0000:01:10.0", "c2/net1: VF 0000:01:10.2", "c3/net1: VF 0000:01:10.4"]),
        ("run data", ["c1/net1: Record {}/srv/state/c1@net1", "c3/net1: Record {}/srv/state/c3@net1"]),
        ("run state", ["c1/net1: lease {}/var/lib/cni/host-subnet/default/", "c2/net1: lease {}/"]),
    ],
)
def test_uninstall_refuses_while_a_container_needs_it(
    tmp_path: Path, written: Path, without: str, told: list[str]
) -> None:
    used(tmp_path, written, here(), without=without)
    run("install", tmp_path)

    said = refused(tmp_path)

    assert [line for line in told if line.format(tmp_path) not in said] == []
    assert "FORCE=1" in said
    run("uninstall", tmp_path, FORCE="1")
    assert not (tmp_path / "opt/cni/bin/sriov").is_symlink()
    assert [name for name in tree(tmp_path) if name.startswith(("run/", "srv/", "var/"))] != []


def test_what_another_boot_left_and_what_cannot_be_read(tmp_path: Path, written: Path) -> None:
    """A Record of a boot before holds nothing; of one that is damaged nobody knows."""
    used(tmp_path, written, BOOT, without="run")
    run("install", tmp_path)
    (tmp_path / "srv/state/c3@net1").write_text("")

    said = refused(tmp_path)

    assert ("c3/net1: Record" in said, "c1/net1" in said, "c2/net1" in said) == (True, False, False)
    (tmp_path / "srv/state/c3@net1").unlink()
    assert f"  kept       {tmp_path}/var/lib/cni/host-subnet" in run("uninstall", tmp_path).splitlines()
