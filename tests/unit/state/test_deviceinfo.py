"""runtimeConfig.CNIDeviceInfoFile: written where there is none, compared where a device plugin wrote it, and taken back.

What the file must say is of the NPWG device-information specification 1.1.0, sections 3 and 5. That nothing of it is
left when a call fails or dies is in verbs/test_star.py and verbs/test_delete.py, whose configurations ask for it.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cni_sriov.state import deviceinfo, files
from cni_sriov.verbs import add
from cni_sriov.words.errors import InputOutput, KernelRefused
from tests import fakes
from tests.fakes import Crash
from tests.world import World

VF, PF = "0000:01:10.0", "0000:01:00.0"
INFO = {"type": "pci", "version": "1.1.0", "pci": {"pci-address": VF, "pf-pci-address": PF}}


def path_of(world: World) -> Path:
    """As Multus names it: directory and file of its own."""
    return world.devinfo_dir / "cni" / "fast-c1_net1"


def asking(world: World, **keys: Any) -> dict[str, Any]:
    return world.conf(runtimeConfig={"CNIDeviceInfoFile": str(path_of(world))}, **keys)


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, mode=0o755)
    path.write_text(text)


def record(world: World) -> dict[str, Any]:
    return dict(json.loads((world.state_dir / "c1@net1").read_text()))


def test_add_writes_which_device_it_is_and_delete_removes_it(world: World) -> None:
    before, mask = world.snapshot(), os.umask(0o077)
    try:
        added = world.call("ADD", asking(world, ipam=world.ipam()))
    finally:
        os.umask(mask)

    assert added.code == 0, added.text
    assert json.loads(path_of(world).read_text()) == INFO
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (path_of(world), path_of(world).parent)]
    assert modes == [0o644, 0o755], "the runtime and its tools read it"
    assert world.call("CHECK", asking(world)).code == 0
    assert world.call("DEL", world.conf(), netns="").code == 0, "a conf without the key"
    assert world.snapshot() == before


@pytest.mark.parametrize("verb", ["GC", "another's ADD", "a second ADD"])
def test_whoever_gives_the_vf_back_removes_it(world: World, verb: str) -> None:
    """GC; an ADD that finds no free VF and reclaims; the same attachment's ADD after its pod came and went."""
    conf = asking(world, cniVersion="1.1.0", master=None, deviceID=VF)
    assert world.call("ADD", conf).code == 0
    world.kernel.kill_netns("/run/netns/pod1")
    world.kernel.add_pod("/run/netns/pod1")
    plain = {key: value for key, value in conf.items() if key != "runtimeConfig"}

    if verb == "GC":
        reply = world.call("GC", plain | {"cni.dev/valid-attachments": []}, "", "", "")
    else:
        reply = world.call("ADD", plain, "c2" if verb == "another's ADD" else "c1")

    assert (reply.code, path_of(world).exists()) == (0, False), reply.text


@pytest.mark.parametrize(
    "told",
    [
        {"type": "pci", "version": "1.0.0", "pci": {"pci-address": VF, "rdma-device": "mlx5_3"}},
        {"type": "vdpa", "version": "1.1.0", "vdpa": {"parent-device": "v", "pci-address": VF}},
    ],
    ids=["pci", "vdpa"],
)
def test_a_file_of_a_device_plugin_is_left_alone(world: World, told: dict[str, Any]) -> None:
    """Multus copies it there before it calls us, and removes it itself."""
    put(path_of(world), json.dumps(told))

    codes = [world.call(verb, asking(world)).code for verb in ("ADD", "DEL")]

    assert codes == [0, 0]
    assert json.loads(path_of(world).read_text()) == told


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(INFO | {"pci": {"pci-address": "0000:01:10.2"}}),
        json.dumps({"type": "memif", "version": "1.1.0", "memif": {"role": "master"}}),
        json.dumps({"type": ["pci"], "pci": {"pci-address": VF}}),
        json.dumps({"type": "pci", "pci": VF}),
        json.dumps({"type": "pci", "pci": {"pci-address": 5}}),
        json.dumps([INFO]),
        "{",
        "",
    ],
    ids=["another", "memif", "type", "no object", "number", "list", "torn", "empty"],
)
def test_a_file_that_says_nothing_of_the_vf_is_code_7_and_stays(world: World, text: str) -> None:
    put(path_of(world), text)
    before = world.snapshot()

    reply = world.call("ADD", asking(world, vlan=100, ipam=world.ipam()))

    assert (reply.code, str(path_of(world)) in reply.text, VF in reply.text) == (7, True, True), reply.text
    assert (world.snapshot(), path_of(world).read_text()) == (before, text)


def symlink(path: Path) -> None:
    put(path.with_name("target"), json.dumps(INFO))
    path.symlink_to(path.with_name("target"))


def dangling(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.symlink_to(path.with_name("target"))


def directory_is_a_symlink(path: Path) -> None:
    path.parent.parent.mkdir()
    path.parent.with_name("target").mkdir()
    path.parent.symlink_to(path.parent.with_name("target"))


def others_may_write(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.parent.chmod(0o777)


def group_may_write(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.parent.chmod(0o775)


def no_directory(path: Path) -> None:
    put(path.parent, "")


def fifo(path: Path) -> None:
    path.parent.mkdir(parents=True)
    os.mkfifo(path)


def root_is_a_symlink(path: Path) -> None:
    top = path.parent.parent
    put(top.with_name("target") / path.parent.name / "x", "")
    top.symlink_to(top.with_name("target"))


def others_may_write_to_root(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.parent.parent.chmod(0o777)


TRAPS = {
    root_is_a_symlink: "symlink is not followed",
    others_may_write_to_root: "others may write",
    symlink: "symlink is not followed",
    dangling: "symlink is not followed",
    directory_is_a_symlink: "symlink is not followed",
    others_may_write: "others may write",
    group_may_write: "others may write",
    no_directory: "not a directory",
    fifo: "no regular file",
}


@pytest.mark.parametrize(("trap", "words"), TRAPS.items())
def test_where_it_cannot_be_written_safely_is_code_5_and_changes_nothing(
    world: World, trap: Callable[[Path], None], words: str
) -> None:
    trap(path_of(world))
    before = sorted(map(str, world.devinfo_dir.rglob("*"))), world.snapshot()

    reply = world.call("ADD", asking(world, vlan=100, ipam=world.ipam()))

    named = str(world.devinfo_dir) in reply.text
    assert (reply.code, named, words in reply.text) == (5, True, True), reply.text
    assert (sorted(map(str, world.devinfo_dir.rglob("*"))), world.snapshot()) == before


@pytest.mark.parametrize("call", ["open", "write", "link", "fchmod"])
def test_a_failing_write_fails_the_add_and_leaves_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    before, real, failed = world.snapshot(), getattr(os, call), []

    def full(*args: Any, **keys: Any) -> Any:
        of_open = call == "open" and str(world.devinfo_dir) in str(args[0]) and args[1] & os.O_CREAT
        if call in {"link", "fchmod"} or of_open or (call == "write" and b'"pci-address"' in args[1]):
            failed.append(args)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(*args, **keys)

    world.devinfo_dir.mkdir()
    monkeypatch.setattr(os, call, full)
    reply = world.call("ADD", asking(world, vlan=100))
    monkeypatch.undo()

    assert (reply.code, "No space left" in reply.text, len(failed)) == (5, True, 1), reply.text
    assert world.snapshot() == before


@pytest.mark.parametrize(("whose", "code"), [(VF, 0), ("0000:01:10.2", 7)])
def test_one_that_comes_up_meanwhile_is_never_replaced(
    world: World, monkeypatch: pytest.MonkeyPatch, whose: str, code: int
) -> None:
    real, theirs = os.link, json.dumps({"type": "pci", "pci": {"pci-address": whose}})

    def after_theirs(source: str, target: str, **keys: Any) -> None:
        Path(target).write_text(theirs)
        real(source, target, **keys)

    monkeypatch.setattr(os, "link", after_theirs)
    reply = world.call("ADD", asking(world))
    monkeypatch.undo()

    assert reply.code == code, reply.text
    if not code:
        assert record(world)["device_info"] == ""
    assert world.call("DEL", world.conf()).code == 0
    assert path_of(world).read_text() == theirs
    assert list(path_of(world).parent.iterdir()) == [path_of(world)]


@pytest.mark.parametrize("text", ['{"type": "pci"}', None], ids=["written anew", "gone"])
def test_what_is_not_ours_any_more_stays(world: World, text: str | None) -> None:
    assert world.call("ADD", asking(world)).code == 0
    path_of(world).unlink()
    if text is not None:
        path_of(world).write_text(text)

    assert world.call("DEL", world.conf()).code == 0

    assert (path_of(world).read_text() if path_of(world).exists() else None) == text


def test_a_symlink_in_its_place_is_not_followed_on_the_way_back(world: World) -> None:
    assert world.call("ADD", asking(world)).code == 0
    target = path_of(world).rename(world.root / "copy")
    path_of(world).symlink_to(target)

    assert world.call("DEL", world.conf()).code == 0

    assert (path_of(world).is_symlink(), json.loads(target.read_text())) == (True, INFO)


def test_a_file_that_cannot_be_removed_does_not_keep_the_vf(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, real = world.snapshot(), files.remove
    assert world.call("ADD", asking(world, vlan=100, ipam=world.ipam())).code == 0

    def refused(path: str) -> None:
        if path == str(path_of(world)):
            raise InputOutput(f"remove {path}: Read-only file system")
        real(path)

    monkeypatch.setattr(files, "remove", refused)
    first = world.call("DEL", world.conf())
    monkeypatch.undo()

    assert (first.code, "Read-only" in first.text) == (5, True), first.text
    assert world.kernel.snapshot() == before["kernel"]
    assert [name for name in world.files() if "/leases/" in name] == []
    assert (world.call("DEL", world.conf()).code, world.snapshot()) == (0, before)


def test_a_released_vf_has_no_file_any_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its driver does not let go of it, so the VF stays away: what told the container of it goes all the same."""
    assert world.call("ADD", asking(world)).code == 0
    kept = world.kernel.pods.pop("/run/netns/pod1")

    def refused(*_: object) -> None:
        raise KernelRefused("unbind", errno.EBUSY)

    monkeypatch.setattr(fakes.FakeSysfs, "unbind", refused)
    assert world.call("DEL", world.conf(), netns="").code == 0

    assert path_of(world).exists() is False
    assert (record(world)["status"], record(world)["device_info"]) == ("released", "")
    assert kept.find("net1") is not None


@pytest.mark.parametrize("value", ["", None])
def test_not_asked(world: World, value: str | None) -> None:
    assert world.call("ADD", world.conf(runtimeConfig={"CNIDeviceInfoFile": value})).code == 0
    assert world.devinfo_dir.exists() is False


@pytest.mark.parametrize("value", ["relative", "/a/../b", 5])
def test_a_bad_path_is_code_7_at_add_and_stops_no_delete(world: World, value: Any) -> None:
    bad = world.conf(cniVersion="1.1.0", runtimeConfig={"CNIDeviceInfoFile": value})
    refused = world.call("ADD", bad)
    assert (refused.code, "runtimeConfig.CNIDeviceInfoFile" in refused.text) == (7, True), refused.text
    assert world.files() == []
    assert world.call("ADD", world.conf()).code == 0
    assert world.call("GC", bad | {"cni.dev/attachments": []}, "", "", "").code == 0
    assert world.call("DEL", bad).code == 0
    assert world.files() == []


@pytest.mark.parametrize("length", [250, 251, 255])
def test_a_long_name_loses_no_vf(world: World, length: int) -> None:
    """The temporary file's name is longer: what cannot be made must not be recorded, it could never be removed."""
    before = world.snapshot()
    path = world.devinfo_dir / ("x" * length)

    added = world.call("ADD", world.conf(runtimeConfig={"CNIDeviceInfoFile": str(path)}))

    assert added.code == (0 if length == 250 else 5), added.text
    assert world.call("DEL", world.conf()).code == 0
    assert world.snapshot() == before


def test_a_file_that_another_add_of_that_path_left_is_not_taken_for_ours(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """c2's ADD writes the same temporary file between c1's writing and linking."""
    link = os.link
    world.kernel.add_pod("/run/netns/pod2")

    def slow_link(*args: Any, **keys: Any) -> None:
        monkeypatch.setattr(os, "link", stop)
        with contextlib.suppress(Crash):
            world.call("ADD", asking(world), "c2", "/run/netns/pod2")
        link(*args, **keys)

    def stop(*_: Any, **__: Any) -> None:
        raise Crash("c2 stands still, with its temporary file there")

    monkeypatch.setattr(os, "link", slow_link)
    monkeypatch.setattr(add, "_undo", lambda *_: None)  # c2 is not dead

    first = world.call("ADD", asking(world))

    assert json.loads(path_of(world).read_text())["pci"]["pci-address"] != VF, "c1's"
    assert (first.code, "says nothing of VF" in first.text) == (7, True), first.text


def test_a_file_of_an_earlier_boot_is_no_hindrance(world: World) -> None:
    assert world.call("ADD", asking(world)).code == 0
    shutil.rmtree(world.run_dir)
    world.boot_id = "99999999-2222-3333-4444-555555555555"
    world.kernel.kill_netns("/run/netns/pod1")
    world.kernel.add_pod("/run/netns/pod1")

    assert world.call("ADD", world.conf(), "other").code == 0

    assert path_of(world).exists() is False


def test_a_file_without_end_is_not_read_whole(world: World) -> None:
    """/proc/kcore is a regular file, too."""
    put(path_of(world), "")
    os.truncate(path_of(world), 1 << 40)

    refused = world.call("ADD", asking(world))

    assert (refused.code, "larger than" in refused.text) == (5, True), refused.text
    assert world.files() == ["devinfo/cni/fast-c1_net1"]


OUTSIDE = [
    "/etc/cron.d/x", "/var/run/k8s.cni.cncf.io/x", "/run/k8s.cni.cncf.io/devinfos/x", "/run/k8s.cni.cncf.io/devinfo",
    "/srv/run/k8s.cni.cncf.io/devinfo/x",
]  # fmt: skip


@pytest.mark.parametrize("path", OUTSIDE)
@pytest.mark.parametrize("roots", [None, [], ["/run/k8s.cni.cncf.io/devinfo"]])
def test_outside_the_operators_directories_it_is_refused_unseen(
    world: World, path: str, roots: list[str] | None
) -> None:
    """None = the default, which is where the NPWG's library puts them (v1.7.7, pkg/utils/cniconfig.go)."""
    before = world.snapshot()

    refused = world.call("ADD", world.conf(deviceInfoDirs=roots, runtimeConfig={"CNIDeviceInfoFile": path}))

    assert (refused.code, path in refused.text, "deviceInfoDirs" in refused.text) == (7, True, True), (
        refused.text
    )
    assert world.snapshot() == before


@pytest.mark.parametrize("top", ["/var/run/k8s.cni.cncf.io/devinfo", "/run/k8s.cni.cncf.io/devinfo"])
def test_where_multus_puts_it_is_the_default(world: World, monkeypatch: pytest.MonkeyPatch, top: str) -> None:
    """GetCNIDeviceInfoPath: below cni/, a "/" in the name made a "-"."""
    asked: list[tuple[str, str]] = []
    monkeypatch.setattr(deviceinfo, "leave", lambda _put, _record, root, path: asked.append((root, path)))

    path = f"{top}/cni/default-fast-c1_net1"
    assert (
        world.call("ADD", world.conf(deviceInfoDirs=None, runtimeConfig={"CNIDeviceInfoFile": path})).code
        == 0
    )

    assert asked == [(top, path)]


def test_a_symlink_anywhere_below_is_not_followed(world: World) -> None:
    """Two directories down; and what it points to is as it was."""
    target = world.root / "target"
    (target / "deep").mkdir(parents=True)
    (world.devinfo_dir / "a").mkdir(parents=True)
    (world.devinfo_dir / "a/b").symlink_to(target)
    path = world.devinfo_dir / "a/b/deep/file"

    refused = world.call("ADD", world.conf(runtimeConfig={"CNIDeviceInfoFile": str(path)}))

    assert (refused.code, f"{world.devinfo_dir}/a/b" in refused.text) == (5, True), refused.text
    assert list((target / "deep").iterdir()) == []


def test_a_directory_swapped_since_is_no_way_to_remove_anothers_file(world: World) -> None:
    """It says something else than we wrote."""
    assert world.call("ADD", asking(world)).code == 0
    there = path_of(world).parent
    there.rename(there.with_name("aside"))
    (world.root / "target").mkdir()
    (world.root / "target" / path_of(world).name).write_text("precious")
    there.symlink_to(world.root / "target")

    assert world.call("DEL", world.conf()).code == 0
    assert (world.root / "target" / path_of(world).name).read_text() == "precious"
