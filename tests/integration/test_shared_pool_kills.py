"""SIGKILL at every call by which a claim and a refill change something, and what a refill owes to whom started it.

The points are found by strace (tests/killing.py). After each kill no block may be lost: whatever the engine says is this
machine's, its files know of. The next contact then makes files and engine equal. `KILL_SEED` replays the sample, `KILL_ALL`
takes every point.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_network
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests import bundle, racks
from tests.etcd import Etcd
from tests.integration.conftest import Rack
from tests.integration.rig import Call, answer_of
from tests.killing import Point, points, watch
from tests.racks import CLUSTER, Machine, Shared, until

pytestmark = [pytest.mark.root, pytest.mark.bundle, pytest.mark.stress]

SEED = int(os.environ.get("KILL_SEED") or random.randrange(10**6))
ALL = bool(os.environ.get("KILL_ALL"))
SAMPLE = 4
SHARED = Shared("10.67.0.0/16", 26, 23)  # 128 blocks of eight: two draws seldom meet
KILLED = -9


# -- killed at every call ---------------------------------------------------------------------------------------------


def traced(node: Machine, act: Callable[[tuple[str, ...]], Any], home: Path) -> list[Point]:
    """The points of the process that `act` starts behind these words, and not of its children, whose time is short."""
    log = home / "watched"
    act(tuple(word for word in watch(str(log)) if word not in {"-f", "--seccomp-bpf"}))
    return points("\n".join(f"1 {line}" for line in log.read_text().splitlines()))


def chosen(found: list[Point]) -> list[Point]:
    change = [it for it in found if it.changes and it.call != "ioctl" and "= -1 " not in it.line]
    if ALL:
        return change
    durable = [it for it in change if re.search(r"/var/lib/cni-sriov|/leases/", it.line)]
    picked = random.Random(SEED).sample(change, min(SAMPLE, len(change)))
    picked += random.Random(SEED).sample(durable, min(SAMPLE, len(durable)))
    return sorted(set(picked), key=found.index)


def forget_all(node: Machine) -> None:
    """As a machine at a cluster that both have never seen any."""
    node.settle()
    for name in list(node.leases_by_owner()):
        node.delete(name, SHARED)
    node.run("rm", "-rf", "/var/lib/cni-sriov", f"/run/cni-sriov/clusters/{CLUSTER}")
    node.etcd.delete_below(node.prefix)


def unknown(node: Machine) -> list[str]:
    """Blocks that the engine says are this machine's and its files do not, or the other way round: true at any moment."""
    told = {block for block, whose in racks.claimed(node.etcd, node.prefix).items()}
    known = node.blocks() | node.blocks("claiming") | node.blocks("releasing")
    return [f"{it} is lost" for it in told - known] + [f"{it} is not ours" for it in node.blocks() - told]


class Story(NamedTuple):
    """`before` in peace, `killed` at each point; `killed` takes the words to put before the command."""

    name: str
    before: Callable[[Machine], object]
    killed: Callable[[Machine, tuple[str, ...]], object]
    sees: tuple[str, ...]


def adds(node: Machine, words: tuple[str, ...]) -> object:
    call = node.host_subnet("ADD", "one", SHARED)
    return node.answer(call._replace(argv=(*words, *call.argv)))


def refills(node: Machine, words: tuple[str, ...]) -> object:
    return node.pool(*node.refill_words(SHARED), before=words)


def claims_one(node: Machine, words: tuple[str, ...]) -> object:
    return node.pool(*node.refill_words(SHARED, "--block", "10.67.2.0/23"), before=words)


def releases(node: Machine, words: tuple[str, ...]) -> object:
    return node.pool("release", before=words)


def has_one(node: Machine) -> None:
    assert node.refill(SHARED)["claimed"]


KEPT_FILE = r'^rename\(.*"/var/lib/cni-sriov/clusters/rack/'
STORIES = [
    Story(
        "first refill",
        lambda node: None,
        refills,
        (KEPT_FILE, r"^fsync\(", r"/token", r"/claiming/", r"/blocks/"),
    ),
    Story(
        "claim of a block by name", has_one, claims_one, (KEPT_FILE, r"^fsync\(", r"/claiming/", r"/blocks/")
    ),
    Story("release", has_one, releases, (KEPT_FILE, r"/releasing/")),
    Story("ADD that claims in line", lambda node: None, adds, (r"^link\(.*/leases/10\.", r"fork|clone")),
]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_killed_at_every_call_loses_no_block(rack: Rack, etcd: Etcd, story: Story, tmp_path: Path) -> None:
    print(f"KILL_SEED={SEED}")
    (node,) = rack("n1")
    story.killed(node, ())  # what only the first of a boot does is not among the points
    forget_all(node)
    story.before(node)
    found = traced(node, lambda words: story.killed(node, words), tmp_path)
    for pattern in story.sees:
        assert any(re.search(pattern, point.line) for point in found), f"the trace is blind: no {pattern}"
    astray, wrong, tried = 0, [], chosen(found)
    for point in tried:
        forget_all(node)
        story.before(node)
        log = tmp_path / "killed"
        log.unlink(missing_ok=True)
        story.killed(node, point.kill(str(log)))
        astray += "killed by SIGKILL" not in log.read_text()
        node.settle()
        wrong += [f"{point}: {it}" for it in unknown(node) + racks.overlaps([node])]
        again = node.refill(SHARED)
        wrong += [f"{point}: then {again}"] if "error" in again else []
        wrong += [f"{point}: then {it}" for it in racks.faults([node], SHARED, node.prefix)]
        wrong += [f"{point}: then {it}" for it in after_add(node)]
    assert wrong == []
    assert astray <= len(tried) // 4, (
        f"{astray} of {len(tried)} did not die: a run makes other calls than the one before"
    )


def after_add(node: Machine) -> list[str]:
    """The same attachment again, as a runtime makes it: DEL, then ADD."""
    node.delete("one", SHARED)
    given = node.add("one", SHARED)
    node.settle()
    if isinstance(given, dict):
        return [f"ADD: {given}"]
    return [] if node.leases() == [given] else [f"ADD: {given}, and the files have {node.leases()}"]


# -- what a refill owes ------------------------------------------------------------------------------------------------


@pytest.fixture
def low(rack: Rack) -> Iterator[Machine]:
    """A machine with one block of eight, whose next ADD but one falls below a quarter."""
    (node,) = rack("n1")
    for number in range(6):
        assert not isinstance(node.add(f"c{number}", SHARED), dict)
    node.settle()
    assert len(node.blocks()) == 1
    yield node
    node.heal()


def start(node: Machine, container: str, shell: str = "", **keys: Any) -> subprocess.Popen[bytes]:
    """An ADD as a runtime that leads a process group starts it, with a pipe of the runtime's own left open."""
    call = node.host_subnet("ADD", container, SHARED)
    argv = ("/bin/sh", "-c", f"{shell}\nexec {call.argv[0]}")
    return node.inside(_start, argv, call, **keys)


def _start(argv: tuple[str, ...], call: Call, **keys: Any) -> subprocess.Popen[bytes]:
    with tempfile.TemporaryFile() as stdin:
        stdin.write(call.stdin)
        stdin.seek(0)
        env = call.env | {"SECRET": "of the runtime"}
        return subprocess.Popen(argv, env=env, stdin=stdin, stdout=subprocess.PIPE, **keys)


def waiting_refill(node: Machine) -> int:
    """The one that the ADD before has started, while etcd cannot be reached."""
    until(node.refills, 5)
    (pid,) = node.refills()
    return pid


def test_a_refill_has_nothing_of_the_runtimes_and_outlives_its_process_group(low: Machine) -> None:
    low.cut()
    reads, writes = os.pipe()
    process = start(low, "seven", start_new_session=True, pass_fds=(writes,))
    os.close(writes)
    before = time.monotonic()
    assert answer_of(process)[0] == 0
    assert time.monotonic() - before < 2, "the ADD waited for the refill"
    pid = waiting_refill(low)
    opened = [os.readlink(it) for it in Path(f"/proc/{pid}/fd").iterdir()]
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    assert not [it for it in opened if it == os.readlink(f"/proc/self/fd/{reads}")]
    assert [os.readlink(f"/proc/{pid}/fd/{number}") for number in range(3)] == ["/dev/null"] * 3
    assert b"SECRET" not in Path(f"/proc/{pid}/environ").read_bytes()
    assert os.read(reads, 1) == b"", "it kept the runtime's pipe open"
    os.close(reads)
    assert os.getsid(pid) == pid != process.pid
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # nobody is left in that group
    low.heal()
    until(lambda: len(low.blocks()) == 2, 15)
    low.settle()
    assert racks.faults([low], SHARED, low.prefix) == []


def test_a_refill_that_dies_with_the_runtimes_cgroup_is_started_by_the_next_add(low: Machine) -> None:
    low.run("mkdir", "/run/cgroup")
    low.run("mount", "-t", "cgroup2", "cgroup2", "/run/cgroup")
    group = f"/run/cgroup/cni-sriov-{os.getpid()}-{low.number}"
    low.run("mkdir", group)
    try:
        low.cut()
        status, _ = answer_of(start(low, "seven", f"echo $$ > {group}/cgroup.procs"))
        assert status == 0
        pid = waiting_refill(low)
        low.run("sh", "-c", f"echo 1 > {group}/cgroup.kill")
        until(lambda: not racks.is_running(pid) or not racks.is_in(pid, group), 5)
        low.heal()
        assert not isinstance(low.add("eight", SHARED), dict)
        until(lambda: len(low.blocks()) == 2, 15)
    finally:
        low.settle()
        low.run("rmdir", group)
    assert racks.faults([low], SHARED, low.prefix) == []


LOGGED = """#!/bin/sh
case "$*" in *--lock-fd*) kind=detached ;; *) kind=inline ;; esac
echo "$kind begins $$" >> {log}
{real} "$@"
code=$?
echo "$kind ends $$" >> {log}
exit $code
"""


def logging_bundle(log: str) -> Path:
    """The bundle, whose `sriovctl` also says when it begins and ends."""
    real = bundle.directory() / "cni-sriov"
    home = Path(tempfile.mkdtemp(prefix="logged-", dir=bundle.directory()))
    os.link(real / "sriov", home / "sriov")
    (home / "host-subnet").symlink_to("sriov")
    (home / "sriovctl").write_text(LOGGED.format(log=log, real=real / "sriovctl"))
    (home / "sriovctl").chmod(0o755)
    return home


def depths(lines: list[str], kind: str) -> list[int]:
    """How many of them run after each line of the log."""
    running, found = 0, [0]
    for line in lines:
        if line.startswith(kind):
            running += 1 if "begins" in line else -1
            found.append(running)
    return found


def test_of_a_burst_of_64_adds_one_refills(rack: Rack) -> None:
    shared = Shared("10.68.0.0/16", 28, 22)  # blocks of 64
    (node,) = rack("n1")
    node.bundle = logging_bundle("/run/refills")
    for number in range(40):
        assert not isinstance(node.add(f"early{number}", shared), dict)
    node.settle()
    assert len(node.blocks()) == 1
    node.path("/run/refills").write_text("")
    with ThreadPoolExecutor(64) as pool:
        given = list(pool.map(lambda number: node.add(f"c{number}", shared), range(64)))
    node.settle()
    assert [it for it in given if isinstance(it, dict)] == []
    assert len({*given}) == 64
    lines = node.path("/run/refills").read_text().splitlines()
    assert max(depths(lines, "detached")) == 1, lines
    assert depths(lines, "detached")[-1] == 0, lines
    assert len(node.blocks()) <= 3, "each that waited claimed a block of its own"
    assert racks.faults([node], shared, node.prefix) == []


def test_a_refill_that_failed_is_not_tried_at_every_add(rack: Rack, etcd: Etcd) -> None:
    shared = Shared("10.69.0.0/16", 28, 22)
    (node,) = rack("n1")
    node.bundle = logging_bundle("/run/refills")
    for number in range(50):
        assert not isinstance(node.add(f"early{number}", shared), dict)
    node.settle()
    node.path("/run/refills").write_text("")
    etcd.kill()
    try:
        before = time.monotonic()
        for number in range(len(node.blocks()) * 64 - 50):
            assert not isinstance(node.add(f"c{number}", shared), dict)
        took = time.monotonic() - before
        until(node.failure, 15)
    finally:
        etcd.start()
    tried = node.path("/run/refills").read_text().count("detached begins")
    assert 1 <= tried <= 1 + took // 10, f"{tried} in {took:.0f} s"
    assert ip_network(node.add("last", shared)).prefixlen == 28
