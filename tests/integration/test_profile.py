"""The plugin's timestamps and `sriovctl profile`, by the bundle on the machine's own kernel (rig.py).

What they are held against comes from outside: the test's own clock, a lock that the test holds, an IPAM plugin that
sleeps.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests import bundle, published
from tests.integration.rig import Call, Rig, call, conf

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.root, pytest.mark.bundle]
PARTS = ["start-up", "decide", "wait", "kernel", "IPAM", "exit"]
SLOW_IPAM = """#!/bin/sh
sleep 0.3
[ $CNI_COMMAND = ADD ] && echo '{"cniVersion": "1.0.0", "ips": [{"address": "10.77.0.2/24"}]}'
exit 0
"""


@pytest.fixture(autouse=True)
def _all_is_given_back(rig: Rig) -> Iterator[None]:
    before = rig.links()
    yield
    assert (rig.links(), rig.leftovers()) == (before, [])


# the plugin's line ---------------------------------------------------------------------------------------------------


def asked(verb: str, given: dict[str, Any], cni_path: str = "/usr/lib/cni") -> Call:
    made = call(verb, "timed", "/run/netns/pod", given)
    return made._replace(env=made.env | {"CNI_SRIOV_TIMES": "1", "CNI_PATH": cni_path})


def told(rig: Rig, asked: Call) -> tuple[dict[str, Any], int, int]:
    """The plugin's last line, and when it was started and had ended."""
    before = time.monotonic_ns()
    done = rig.inside(subprocess.run, asked.argv, env=asked.env, input=asked.stdin, capture_output=True)
    after = time.monotonic_ns()
    assert done.returncode == 0, done.stdout
    return json.loads(done.stderr.splitlines()[-1]), before, after


def seconds(said: dict[str, Any], part: str) -> float:
    return float(said["parts"].get(part, 0)) / 1e9


def test_the_parts_of_add_and_del_fill_the_time_between_entry_and_end(rig: Rig) -> None:
    for verb, some in (("ADD", {"vf.netdev.move", "vf.claim.take"}), ("DEL", {"vf.restore.return_vf"})):
        said, before, after = told(rig, asked(verb, conf(mtu=1400)))

        assert said["verb"] == verb
        assert before < said["entry"] < said["end"] < after
        span = said["end"] - said["entry"]
        assert sum(said["parts"].values()) == pytest.approx(span, abs=1_000_000)
        assert sum(said["acts"].values()) == pytest.approx(span, abs=1_000_000)
        assert some <= set(said["acts"])
        assert all(said["parts"][part] > 0 for part in ("decide", "wait", "kernel", "IPAM"))
        assert {"attachment", "ipam"} <= set(said["held"]) <= {"attachment", "node", "ipam"}
        assert 0 < said["held"]["ipam"] < said["held"]["attachment"] < span


def test_a_lock_that_somebody_holds_is_wait_and_nothing_else(rig: Rig) -> None:
    rig.run("mkdir", "-p", "/run/cni-sriov/locks")
    lock = "/run/cni-sriov/locks/timed@net1"
    holder = rig.inside(
        subprocess.Popen, ["flock", lock, "sh", "-c", "echo; sleep 0.5"], stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    holder.stdout.readline()  # it has the lock
    said, _, _ = told(rig, asked("DEL", conf()))
    holder.communicate()

    assert 0.2 < seconds(said, "wait") < 0.6
    assert sum(seconds(said, part) for part in ("decide", "kernel", "IPAM")) < 0.2
    assert said["held"]["attachment"] < 0.2e9


def test_an_ipam_plugin_that_sleeps_is_ipam(rig: Rig, tmp_path: Path) -> None:
    slow = tmp_path / "slow"
    slow.write_text(SLOW_IPAM)
    slow.chmod(0o755)
    mine = conf(ipam={"type": "slow"})

    added, _, _ = told(rig, asked("ADD", mine, str(tmp_path)))
    deleted, _, _ = told(rig, asked("DEL", mine, str(tmp_path)))

    for said in (added, deleted):
        assert 0.3 < seconds(said, "IPAM") < 0.5
        assert sum(seconds(said, part) for part in ("decide", "wait", "kernel")) < 0.25


# sriovctl profile ----------------------------------------------------------------------------------------------------


def profile(rig: Rig, directory: Path, *options: str, **keys: Any) -> subprocess.Popen[str]:
    """Of a conflist, in a session of its own, so that a Ctrl-C can be sent to all of it."""
    mine = conf(**keys)
    chain = {"name": mine.pop("name"), "cniVersion": mine.pop("cniVersion"), "plugins": [mine]}
    file = directory / "net.conflist"
    file.write_text(json.dumps(chain))
    argv = [str(bundle.directory() / "cni-sriov" / "sriovctl"), "profile", str(file), *options]
    return rig.inside(
        subprocess.Popen,
        argv,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def processes_of(directory: Path) -> list[str]:
    """Command lines with that directory in it: sriovctl's, and the child's that keeps the netns."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        found += [line] if str(directory) in line else []
    return found


def until(happens: Any) -> None:
    end = time.monotonic() + 20
    while not happens():
        assert time.monotonic() < end, "it did not happen within 20 s"
        time.sleep(0.002)


def test_profile_says_where_an_add_and_a_del_go(rig: Rig, tmp_path: Path) -> None:
    began = time.monotonic()
    out, err = profile(rig, tmp_path, "--json", "--runs", "3").communicate()
    took_ms = (time.monotonic() - began) * 1000

    document = json.loads(out)
    published.judge("profile", document)
    assert (document["version"], document["network"], err) == (1, "rig", "")
    calls = [run for verb in ("ADD", "DEL") for run in document["verbs"][verb]["runs"]]
    assert len(calls) == 6
    assert [list(found["partsMs"]) for found in calls] == [PARTS] * 6
    for found in calls:
        assert sum(found["partsMs"].values()) == pytest.approx(found["wholeMs"], abs=0.1)
        assert min(found["partsMs"][part] for part in ("start-up", "decide", "kernel", "IPAM")) > 0
    assert sum(found["wholeMs"] for found in calls) < took_ms
    for verb in ("ADD", "DEL"):
        wholes = sorted(found["wholeMs"] for found in document["verbs"][verb]["runs"])
        assert document["verbs"][verb]["wholeMs"] == wholes[1]
    assert processes_of(tmp_path) == []


def test_profile_shows_a_row_for_each_part(rig: Rig, tmp_path: Path) -> None:
    process = profile(rig, tmp_path, "--runs", "1")
    out, _ = process.communicate()

    assert process.returncode == 0
    rows = {line.split()[0]: line.split()[1:5] for line in out.splitlines()[2:9]}
    assert list(rows) == [*PARTS, "whole"]
    for column in (0, 2):
        numbers = [float(row[column]) for row in rows.values()]
        assert sum(numbers[:-1]) == pytest.approx(numbers[-1], abs=0.5)


def test_profile_tells_why_an_add_fails(rig: Rig, tmp_path: Path) -> None:
    process = profile(rig, tmp_path, vlan=5)
    out, err = process.communicate()

    assert (process.returncode, out) == (1, "")
    assert "sriovctl: use PF pf0: it tells nothing of vf 0" in err
    assert processes_of(tmp_path) == []


def test_profile_gives_back_what_it_has_when_it_is_stopped(rig: Rig, tmp_path: Path) -> None:
    process = profile(rig, tmp_path, "--runs", "1000")
    until(lambda: any("sriovctl-profile" in path for path in rig.leftovers()))
    os.killpg(process.pid, signal.SIGINT)
    out, _ = process.communicate()

    assert (process.returncode, out) == (130, "")
    assert processes_of(tmp_path) == []


def test_the_netns_ends_even_where_profile_is_killed(tmp_path: Path) -> None:
    """In a rig of its own: a veth end dies with its netns, where a real VF comes home."""
    with Rig(vfs=1) as rig:
        process = profile(rig, tmp_path, "--runs", "1000")
        until(lambda: any("sriovctl-profile" in path for path in rig.leftovers()))
        during = processes_of(tmp_path)
        process.kill()
        process.communicate()

        assert len(during) == 2  # sriovctl, and the child that keeps the netns
        until(lambda: processes_of(tmp_path) == [])
