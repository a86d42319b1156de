"""The image for a DaemonSet: an OCI layout by the specification, and what it does to a node's directory, from an empty root.

In a container of containerd it is run by tests/lab/packages_image.py.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import select
import shutil
import signal
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import bundle, dist
from tests.integration.test_install import tree, version
from tests.pages import ROOT

pytestmark = [pytest.mark.bundle, pytest.mark.root]
Json = dict[str, Any]
BIN = "host/opt/cni/bin"
TYPE = "application/vnd.oci.image."


@pytest.fixture(scope="module")
def layout() -> dict[str, bytes]:
    """Name -> content of each file of the archive."""
    with tarfile.open(dist.artifact(".oci.tar")) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive if member.isfile()}  # type: ignore[union-attr]


def blob(layout: dict[str, bytes], descriptor: Json) -> bytes:
    """As the descriptor has it: name, size and sum."""
    algorithm, _, digest = descriptor["digest"].partition(":")
    content = layout[f"blobs/{algorithm}/{digest}"]
    assert (algorithm, hashlib.sha256(content).hexdigest(), len(content)) == (
        "sha256",
        digest,
        descriptor["size"],
    )
    return content


def manifest(layout: dict[str, bytes]) -> tuple[Json, Json, Json]:
    """Its descriptor in the index, the manifest, and the configuration."""
    (descriptor,) = json.loads(layout["index.json"])["manifests"]
    document = json.loads(blob(layout, descriptor))
    return descriptor, document, json.loads(blob(layout, document["config"]))


@pytest.fixture(scope="module")
def layer(layout: dict[str, bytes]) -> bytes:
    """The one layer, unpacked by gzip."""
    (descriptor,) = manifest(layout)[1]["layers"]
    return gzip.decompress(blob(layout, descriptor))


def test_the_layout_is_the_specifications(layout: dict[str, bytes], layer: bytes) -> None:
    descriptor, document, config = manifest(layout)

    assert json.loads(layout["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    assert [json.loads(layout["index.json"])[key] for key in ("schemaVersion", "mediaType")] == [
        2,
        f"{TYPE}index.v1+json",
    ]
    assert (document["schemaVersion"], document["mediaType"], descriptor["mediaType"]) == (
        2,
        f"{TYPE}manifest.v1+json",
        f"{TYPE}manifest.v1+json",
    )
    assert document["config"]["mediaType"] == f"{TYPE}config.v1+json"
    assert [part["mediaType"] for part in document["layers"]] == [f"{TYPE}layer.v1.tar+gzip"]
    assert config["rootfs"] == {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]}
    assert (config["os"], config["architecture"]) == ("linux", "amd64")
    named = {*descriptor["annotations"].values()}
    assert named == {f"localhost/cni-sriov:{dist.VERSION}"}
    assert len([name for name in layout if name.startswith("blobs/")]) == 3, "no blob that nothing names"


def test_its_date_and_labels_are_the_commits(layout: dict[str, bytes], layer: bytes) -> None:
    log = ["git", "log", "-1", "--date=format-local:%Y-%m-%dT%H:%M:%SZ", "--format=%cd %ct %H"]
    done = subprocess.run(
        log, cwd=ROOT, env=os.environ | {"TZ": "UTC"}, check=True, capture_output=True, text=True
    )
    date, epoch, commit = done.stdout.split()
    config = manifest(layout)[2]

    assert config["created"] == date
    assert config["config"]["Labels"]["org.opencontainers.image.revision"] == commit
    with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
        members = archive.getmembers()
    assert {member.mtime for member in members} == {int(epoch)}
    assert {(member.uid, member.gid) for member in members} == {(0, 0)}
    assert not [member.name for member in members if member.mode & 0o022 and not member.issym()]


# what it does --------------------------------------------------------------------------------------------------------


class Pod:
    """The image in an empty root, on a node that is a directory in it."""

    def __init__(self, root: Path, layer: bytes, command: list[str]) -> None:
        self.root, self._command = root, command
        root.mkdir()
        subprocess.run(["tar", "-x", "-C", root], input=layer, check=True)
        (root / BIN).mkdir(parents=True)
        self.bin = root / BIN
        self._running: list[subprocess.Popen[str]] = []

    def start(self, verb: str = "", prefix: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        """As the image says, or with another verb."""
        words = [self._command[0], verb or self._command[1], *self._command[2:]]
        argv = [*prefix, "chroot", str(self.root), *words]
        running = subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={"PATH": os.environ["PATH"]}
        )
        self._running.append(running)
        return running

    def run(self, verb: str = "") -> str:
        """Until it has nothing to do but to wait; then it is asked to end."""
        running = self.start(verb)
        assert running.stdout is not None
        first = running.stdout.readline()
        while not re.match("installed|removed", first.splitlines()[-1] if first else "installed"):
            first += running.stdout.readline()
        assert running.poll() is None, running.communicate()
        running.send_signal(signal.SIGTERM)
        out, err = running.communicate(timeout=30)
        assert (running.returncode, err) == (0, ""), first
        return first + out

    def end(self) -> None:
        for running in self._running:
            running.kill()
            running.communicate()

    def another_version(self) -> str:
        """The same image with one byte changed in the bundle; its version before."""
        (version,) = (self.root / "cni-sriov").iterdir()
        with (version / "sriovctl").open("ab") as end:
            end.write(b"x")
        version.rename(version.with_name(hashlib.sha256(version.name.encode()).hexdigest()[:12]))
        return version.name


@pytest.fixture
def pod(layout: dict[str, bytes], layer: bytes, tmp_path: Path) -> Iterator[Pod]:
    config = manifest(layout)[2]["config"]
    pod = Pod(tmp_path / "root", layer, config["Entrypoint"] + config["Cmd"])
    yield pod
    pod.end()


def test_it_holds_static_files_and_no_shell(pod: Pod) -> None:
    assert {path.name for path in pod.root.iterdir()} == {"installer", "cni-sriov", "licenses", "host"}
    (home,) = (pod.root / "cni-sriov").iterdir()
    for program in (pod.root / "installer", home / "sriov"):
        headers = subprocess.run(
            ["readelf", "-lW", program], capture_output=True, text=True, check=True
        ).stdout
        assert "INTERP" not in headers
        assert "LOAD" in headers


def test_it_leaves_what_make_install_leaves_and_waits(pod: Pod, tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"], "DESTDIR": str(tmp_path / "dest")}
    subprocess.run([ROOT / "build/install", "install"], env=env, check=True, capture_output=True)
    theirs = tmp_path / "dest/opt/cni/bin"

    said = pod.run()

    beside = {
        ".cni-sriov/share",
        ".cni-sriov/netavark",
    }  # of the man page and of podman 5, which is no node's
    assert set(tree(pod.bin)) == set(tree(theirs)) - beside
    assert len(tree(pod.bin)) > 60
    for name in ("sriov", "host-subnet", ".cni-sriov/current"):
        assert os.readlink(pod.bin / name) == os.readlink(theirs / name)
    assert os.readlink(theirs / ".cni-sriov/current") in said
    assert f"cni-sriov {(theirs / '.cni-sriov/current/lib/version').read_text().strip()}: " in said
    assert '"supportedVersions"' in version(pod.bin / "sriov")
    assert (
        subprocess.run([pod.bin / ".cni-sriov/current/sriovctl", "--version"], capture_output=True).returncode
        == 0
    )
    modes = {path.stat().st_mode & 0o7777 for path in pod.bin.rglob("*") if not path.is_symlink()}
    assert modes == {0o755, 0o644}
    assert pod.run() == said, "again, and nothing changes"


def test_the_previous_version_is_kept_until_the_next(pod: Pod) -> None:
    versions = []
    for _ in range(3):
        pod.run()
        versions.append(pod.another_version())

    home = pod.bin / ".cni-sriov"
    assert (os.readlink(home / "current"), os.readlink(home / "previous")) == (versions[2], versions[1])
    assert {path.name for path in home.iterdir() if not path.is_symlink()} == {*versions[1:]}
    assert (home / "previous/sriovctl").stat().st_size + 1 == (home / "current/sriovctl").stat().st_size


def test_a_foreign_sriov_is_saved_and_remove_brings_it_back(pod: Pod) -> None:
    (pod.bin / "sriov").write_text("the Go one")
    (pod.bin / "bridge").write_text("not ours")

    said = pod.run() + pod.run()

    assert said.count("saved /host/opt/cni/bin/sriov.orig (it was not ours)") == 1
    assert (pod.bin / "sriov.orig").read_text() == "the Go one"
    assert '"supportedVersions"' in version(pod.bin / "sriov")
    pod.run("remove")
    assert tree(pod.bin) == ["bridge", "sriov"]
    assert (pod.bin / "sriov").read_text() == "the Go one"
    pod.run("remove")
    assert tree(pod.bin) == ["bridge", "sriov"], "and no more than ours"


def test_a_version_that_is_a_fifo_holds_nobody_up(pod: Pod) -> None:
    pod.run()
    note = pod.bin / ".cni-sriov/current/lib/version"
    note.unlink()
    os.mkfifo(note)

    assert pod.run("remove").startswith("removed cni-sriov ")


def test_a_call_that_runs_meanwhile_gets_a_whole_plugin(pod: Pod) -> None:
    """The name is there at each moment, and is the old file or the new one."""
    pod.run()
    seen: set[str] = set()
    for _ in range(2):
        pod.another_version()
        running = pod.start()
        assert running.stdout is not None
        while not select.select([running.stdout], [], [], 0)[0]:
            seen.add(version(pod.bin / "sriov"))
        running.terminate()
        running.communicate(timeout=30)

    assert len(seen) == 1
    assert '"supportedVersions"' in seen.pop()


def test_one_that_dies_half_way_is_made_good_by_the_next(pod: Pod) -> None:
    """A version is there whole or not at all: its directory gets its name when all is in it."""
    running = pod.start()
    fresh = pod.bin / ".cni-sriov" / ".new"
    deadline = time.monotonic() + 30
    while not fresh.exists() and running.poll() is None and time.monotonic() < deadline:
        pass
    running.kill()
    running.communicate()
    half = fresh.exists()
    (fresh / "left").mkdir(parents=True, exist_ok=True)

    pod.run()

    (home,) = (pod.root / "cni-sriov").iterdir()
    assert half, "it was killed too late"
    assert tree(pod.bin / ".cni-sriov" / home.name) == tree(home)
    assert not fresh.exists()


FULL = """
mount -t tmpfs -o size=60m small "$1" && cp -a "$2/." "$1" && head -c 20m /dev/zero > "$1/full"
shift 2; "$@"; status=$?
cp -a "$BIN/." "$AFTER"; exit $status
"""


def test_a_disk_that_is_full_leaves_the_old_version(pod: Pod, tmp_path: Path) -> None:
    pod.run()
    before, kept, after = tree(pod.bin), tmp_path / "kept", tmp_path / "after"
    shutil.copytree(pod.bin, kept, symlinks=True)
    after.mkdir()
    pod.another_version()
    script = FULL.replace("$BIN", str(pod.bin)).replace("$AFTER", str(after))

    running = pod.start(prefix=("unshare", "--mount", "sh", "-c", script, "sh", str(pod.bin), str(kept)))
    out, err = running.communicate(timeout=60)

    assert (running.returncode, out) == (1, "")
    assert re.fullmatch(
        r"installer: (write|copy) \S+ \(/host/opt/cni/bin\): No space left on device\n", err
    ), err
    assert [name for name in tree(after) if "/.new" not in name and name != "full"] == before
    assert '"supportedVersions"' in version(after / "sriov")


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["install", "/nowhere"], 1, "installer: open the node's directory of CNI plugins, which is to be mounted here (/nowhere): No such file or directory"),
        (["install"], 2, "usage: installer install|remove DIRECTORY"),
        (["update", "/host/opt/cni/bin"], 2, "usage: installer install|remove DIRECTORY"),
    ],
)  # fmt: skip
def test_what_it_cannot_do_it_says_and_ends(pod: Pod, words: list[str], status: int, said: str) -> None:
    done = subprocess.run(
        ["chroot", pod.root, "/installer", *words], capture_output=True, text=True, timeout=30
    )

    assert (done.returncode, done.stdout, done.stderr.strip()) == (status, "", said)
    assert tree(pod.bin) == []


def test_a_link_in_the_place_of_our_directory_is_not_followed(pod: Pod) -> None:
    (pod.root / "elsewhere").mkdir()
    (pod.bin / ".cni-sriov").symlink_to("/elsewhere")

    out, err = pod.start().communicate(timeout=30)

    assert "installer: open .cni-sriov" in err
    assert (out, list((pod.root / "elsewhere").iterdir())) == ("", [])


def test_as_the_first_process_of_its_namespace_it_ends_by_sigterm(pod: Pod) -> None:
    """The kernel keeps signals away from such a process unless it waits for them."""
    running = pod.start(prefix=("unshare", "--pid", "--fork", "--kill-child"))
    assert running.stdout is not None
    assert "installed" in running.stdout.readline()
    (child,) = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
    assert os.readlink(f"/proc/{child}/ns/pid") != os.readlink("/proc/self/ns/pid")

    os.kill(int(child), signal.SIGTERM)

    assert running.wait(timeout=30) == 0


def test_the_bundle_in_it_is_the_one_that_was_built(pod: Pod) -> None:
    (home,) = (pod.root / "cni-sriov").iterdir()
    assert (home / "sriov").read_bytes() == bundle.sriov().read_bytes()
