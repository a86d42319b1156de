"""`--replay FILE`: a verb on a recording, by anybody, without a look at this machine, and nothing stays."""

from __future__ import annotations

import gzip
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit import dpdk
from tests.unit.ctl import taps
from tests.unit.ctl.recording import taken
from tests.world import World

ROOT = Path(__file__).parents[4]
LOOKS = ("status", "leases", "oracle", "doctor", "baseline", "metrics")


@pytest.fixture
def file(world: World, tmp_path: Path) -> Path:
    taken.node(world)
    return taken.written(taken.recorded(world), tmp_path / "node.json.gz")


@pytest.mark.parametrize("verb", LOOKS)
def test_a_verb_says_what_it_said_on_the_node(world: World, file: Path, verb: str) -> None:
    live, again = taken.live(world, verb), taken.replayed(file, verb)

    assert (again.status, again.out, again.err) == (live.status, live.out, live.err)
    assert live.out


@pytest.mark.parametrize("verb", LOOKS[:-1])
def test_as_json_too(world: World, file: Path, verb: str) -> None:
    live, again = taken.live(world, verb, "--json"), taken.replayed(file, verb, "--json")

    assert (again.status, again.document) == (live.status, live.document)


@pytest.mark.parametrize("argv", [("status", "--devices"), ("status", "-o", "wide"), ("oracle", "enp1s0f0"),
                                  ("doctor", "enp1s0f0"), ("baseline", "0000:01:10.4"), ("status", "--svg", "-")])  # fmt: skip
def test_with_its_options(world: World, file: Path, argv: tuple[str, ...]) -> None:
    live, again = taken.live(world, *argv), taken.replayed(file, *argv)

    assert (again.status, again.out, again.err) == (live.status, live.out, live.err)


@pytest.mark.parametrize("verb", ["status", "leases", "doctor", "metrics", "explain"])
def test_vfs_of_programs_and_taps_too(world: World, tmp_path: Path, verb: str) -> None:
    """Who has a VF open is by the recording's /proc, and not by this machine's."""
    dpdk.furnish(world)
    taken.node(world)
    dpdk.ahead(world, world.kernel.pfs[0].vfs[3])
    dpdk.hold(world, world.kernel.pfs[0].vfs[3].pci_address)
    world.kernel.add_pod("/run/netns/pod3")
    assert world.call("ADD", world.conf(driver="vfio-pci"), "c3", "/run/netns/pod3").code == 0
    dpdk.hold(world, world.kernel.pfs[0].vfs[2].pci_address, pid=78, name="vpp_main")
    process = world.kernel.root / "proc/79"
    (process / "fd").mkdir(parents=True)
    (process / "comm").write_text("closed-group\n")
    (process / "fd/5").symlink_to("anon_inode:[vfio-device]")
    taps.attach(world, "c4")
    file = taken.written(taken.recorded(world), tmp_path / "node.json.gz")
    argv = (verb, "c3") if verb == "explain" else (verb,)

    live, again = taken.live(world, *argv), taken.replayed(file, *argv)

    assert (again.status, again.out, again.err) == (live.status, live.out, live.err)
    assert verb != "status" or "open in dpdk-testpmd (pid 77), closed-group (pid 79)" in again.out


LINE = (
    "time=2026-11-26T01:00:0{}Z level=info verb=ADD containerID={} ifname=net1 msg=attached vf=0000:01:10.0\n"
)


def test_an_attachments_story_and_no_others(world: World, tmp_path: Path) -> None:
    """Its own lines of the logs are taken, those that logrotate packed too; of other containers none."""
    taken.node(world)
    root = world.kernel.root
    (root / "var/log").mkdir(parents=True)
    (root / "var/log/cni-sriov.log").write_text(LINE.format(2, "c1") + LINE.format(3, "another-tenant"))
    old = LINE.format(0, "another-tenant") + LINE.format(1, "c1")
    (root / "var/log/cni-sriov.log.1.gz").write_bytes(gzip.compress(old.encode()))
    conf = {"cniVersion": "1.0.0", "name": "fast", "type": "sriov", "logFile": "/var/log/cni-sriov.log"}
    (root / "etc/cni/net.d").mkdir(parents=True)
    (root / "etc/cni/net.d/10.conf").write_text(json.dumps(conf))
    recording = taken.recorded(world)
    file = taken.written(recording, tmp_path / "node.json.gz")

    for who in ("c1/net1", "c2/net1"):
        live, again = taken.live(world, "explain", who), taken.replayed(file, "explain", who)
        assert (again.status, again.out, again.err) == (live.status, live.out, live.err)
    assert "01:00:01" in taken.replayed(file, "explain", "c1/net1").out
    logs = {path: one for path, one in recording.tree.files.items() if path.startswith("/var/log")}
    assert len(logs) == 2
    assert b"another-tenant" not in b"".join(
        gzip.decompress(one) if p.endswith("gz") else one for p, one in logs.items()
    )


def test_it_is_named_before_the_verb_or_behind_it(file: Path) -> None:
    assert (
        taken.replayed(file, "leases").out
        == taken.replayed(Path("/none"), "leases", "--replay", str(file)).out
    )


@pytest.mark.parametrize("argv", [("vfs", "enp1s0f0", "3"), ("gc",), ("record", "x"), ("baseline", "--take", "0000:01:10.0"),
                                  ("status", "--watch"), ("bind", "0000:01:10.0", "auto"), ("validate", "x")])  # fmt: skip
def test_what_needs_a_node_is_refused(file: Path, argv: tuple[str, ...]) -> None:
    run = taken.replayed(file, *argv)

    assert (run.status, run.out) == (1, "")
    assert run.err.startswith(f"sriovctl: replay {argv[0]}")


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "No such file"), (b"", "it is no recording"), (gzip.compress(b"[]"), "it is no recording")],
)
def test_what_is_no_recording_is_said(tmp_path: Path, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / "x").write_bytes(content)
    run = taken.replayed(tmp_path / "x", "status")

    assert (run.status, run.out, words in run.err) == (1, "", True), run.err
    assert run.err.startswith("sriovctl: replay ")
    assert "sriovctl record node.recording" in run.err.splitlines()[1]


def test_what_it_is_about_is_there_only_meanwhile(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "private").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "private"))
    before = file.read_bytes()

    for verb in LOOKS:
        taken.replayed(file, verb)
    taken.replayed(taken.changed(file, files={"/x": 7}), "status")

    assert list((tmp_path / "private").iterdir()) == []
    assert file.read_bytes() == before


def test_no_path_of_this_machine_is_told(world: World, file: Path) -> None:
    """A claim that cannot be read is told by its path."""
    (world.run_dir / "claims/0000:01:00.0+0000:01:11.4").write_text("{")
    again = taken.written(taken.recorded(world), file)

    run = taken.replayed(again, "status", "--json")

    (unreadable,) = run.document["unreadable"]
    assert unreadable["file"] == f"{world.run_dir}/claims/0000:01:00.0+0000:01:11.4"
    assert "/r." not in run.out


def test_an_older_recording_without_a_part_says_so(file: Path) -> None:
    """As one that a version made which did not look there: an error, and no answer as if nothing were there."""
    raw = json.loads(gzip.decompress(file.read_bytes()))
    told = {
        key: one for key, one in raw["netlink"]["host"]["told"].items() if not key.startswith("addresses")
    }
    netlink = {"host": {"told": told, "refused": {}}, "pods": {}}

    run = taken.replayed(taken.changed(file, netlink=netlink), "status")

    assert (run.status, "it is not in the recording" in run.err) == (1, True)


# whoever looks at this machine ends the process
JAIL = """
import os, sys, builtins, socket, _socket
ALLOWED = tuple(sys.argv[1].split(":"))
def guard(real):
    def look(path=".", *args, **more):
        if isinstance(path, str) and path.startswith(("/sys", "/proc", "/run", "/etc", "/var/lib", "/dev/vfio", "/opt")):
            if not path.startswith(ALLOWED):
                os.write(2, f"LOOKED AT {path}\\n".encode()); os._exit(99)
        return real(path, *args, **more)
    return look
from cni_sriov.ctl import main
from cni_sriov.ctl.commands import *
import rich.console, prometheus_client, cni_sriov.ctl.status.gather, cni_sriov.ctl.doctor.gather, cni_sriov.ctl.recording.replay
for name in ("stat", "lstat", "readlink", "listdir", "scandir", "open", "access"):
    setattr(os, name, guard(getattr(os, name)))
builtins.open = guard(builtins.open)
def no_socket(*_, **__):
    os.write(2, b"OPENED A SOCKET\\n"); os._exit(99)
_socket.socket = socket.socket = no_socket
sys.argv = ["sriovctl", *sys.argv[2:]]
main.entry()
"""


@pytest.mark.parametrize("verb", LOOKS)
def test_this_machine_is_not_looked_at(file: Path, tmp_path: Path, verb: str) -> None:
    env = {"PYTHONPATH": str(ROOT), "PATH": "/nowhere", "TMPDIR": str(tmp_path), "COLUMNS": "200"}
    argv = [sys.executable, "-c", JAIL, "/proc/self/fd:/etc/localtime", "--replay", str(file), verb]
    done = subprocess.run(argv, capture_output=True, text=True, env=env, cwd=tmp_path)

    assert (done.returncode in {0, 1}, done.stderr) == (True, "")
    assert done.stdout == taken.replayed(file, verb).out


def test_the_jail_holds(file: Path, tmp_path: Path) -> None:
    """The test above can fail: `status` without a recording looks at this machine."""
    env = {"PYTHONPATH": str(ROOT), "PATH": "/nowhere"}
    argv = [sys.executable, "-c", JAIL, "/none", "oracle"]
    done = subprocess.run(argv, capture_output=True, text=True, env=env, cwd=tmp_path)
    assert (done.returncode, "LOOKED AT /sys" in done.stderr) == (99, True)


HOSTILE: dict[str, Any] = {
    "a class that is none": {"files": {"/sys/bus/pci/devices/0000:01:00.0/class": "0x"}},
    "a count that is none": {"files": {"/sys/bus/pci/devices/0000:01:00.0/sriov_totalvfs": "1e9"}},
    "very many VFs": {"files": {"/sys/bus/pci/devices/0000:01:00.0/sriov_numvfs": "9" * 4000}},
    "a device that is no address": {"directories": {"/sys/bus/pci/devices": ["../../etc", "0000:01:00.0"]}},
    "a terminal's orders": {"directories": {"/sys/bus/pci/devices/0000:01:00.0/net": ["\x1b[2J"]}},
    "a name that is no text": {"directories": {"/sys/bus/pci/devices/0000:01:00.0/net": ["\udcff"]}},
    "nothing": {"files": {}, "links": {}, "directories": {}, "there": [], "failed": {}, "same": {}},
    "a configuration space of nothing": {"files": {"/sys/bus/pci/devices/0000:01:00.0/config": ""}},
}


@pytest.mark.parametrize("verb", LOOKS)
@pytest.mark.parametrize("case", HOSTILE)
def test_whatever_it_says_the_answer_is_an_answer_or_a_sentence(file: Path, case: str, verb: str) -> None:
    raw = json.loads(gzip.decompress(file.read_bytes()))
    parts = {
        key: raw[key] | more if more and isinstance(more, dict) else more
        for key, more in HOSTILE[case].items()
    }

    run = taken.replayed(taken.changed(file, **parts), verb)

    assert run.status in {0, 1}
    assert run.status == 0 or run.out or run.err.startswith("sriovctl: ")
    assert "Traceback" not in run.err
    assert "\x1b[2J" not in run.out + run.err
    assert "bug in cni-sriov" not in run.out + run.err
    (run.out + run.err).encode()  # a terminal takes it


def test_nothing_is_left_when_a_verb_fails(tmp_path: Path, file: Path) -> None:
    before = {name for name in os.listdir("/tmp") if name.startswith("r.")}
    taken.replayed(file, "oracle", "none")
    assert {name for name in os.listdir("/tmp") if name.startswith("r.")} <= before


VALUES: list[Any] = [
    None,
    True,
    -1,
    0,
    1 << 70,
    "",
    "x" * 300,
    "\x1b[2J",
    "../..",
    "/",
    [],
    {},
    "9" * 30,
    "0xzz",
    1.5,
    "0000:01:00.0",
]


def places(raw: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    pairs = raw.items() if isinstance(raw, dict) else enumerate(raw) if isinstance(raw, list) else ()
    return [at, *(place for key, inner in pairs for place in places(inner, (*at, key)))]


def change(rng: random.Random, raw: Any) -> None:
    """One value, key or entry, wherever it is."""
    *above, key = rng.choice(places(raw)[1:])
    inside = raw
    for step in above:
        inside = inside[step]
    value = json.loads(json.dumps(rng.choice(VALUES)))
    if isinstance(inside, dict) and rng.random() < 0.3:
        inside[str(value)] = inside.pop(key)
    else:
        inside[key] = value


@pytest.mark.slow
def test_random_changes_make_an_answer_or_a_sentence(file: Path) -> None:
    seed = random.randrange(1 << 32)
    rng, good = random.Random(seed), json.loads(gzip.decompress(file.read_bytes()))
    for _ in range(60):
        raw = json.loads(json.dumps(good))
        for _ in range(rng.choice((1, 1, 2, 5))):
            change(rng, raw)
        for verb in LOOKS:
            run = taken.replayed(taken.changed(file, **raw), verb)
            assert run.status in {0, 1}, (seed, verb)
            assert "bug in cni-sriov" not in run.out + run.err, (seed, verb, run.err)
