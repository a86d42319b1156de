"""The lease store when its process is killed, races, or the disk is full: files, owners and index agree afterwards.

A forked child runs the verb with the `os` functions it changes files by replaced by ones that SIGKILL the process in
front of the k-th call, or half-way through it where it writes. The points are counted by a run that is not killed.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import random
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from cni_sriov.conf import hostsubnet
from cni_sriov.ipam import own
from cni_sriov.leases.node import Node
from cni_sriov.leases.store import Store
from cni_sriov.words import jsontext
from cni_sriov.words.domain import Attachment
from cni_sriov.words.errors import BadJson, CniError, InputOutput, PoolExhausted
from cni_sriov.words.inet import parse_prefix
from cni_sriov.words.lease import LeaseDir
from cni_sriov.words.log import Log
from tests.checker import merged

BOOT = "aaaaaaaa-0000-0000-0000-000000000001"
DUAL = [{"subnet": "10.10.0.0/22", "prefixLength": 24}, {"subnet": "fd00::/61", "prefixLength": 64}]
ONE = [{"subnet": "10.10.0.0/22", "prefixLength": 24}]
KEY = "net/ns/web/eth0"
CHANGES = (
    "open",
    "write",
    "pwrite",
    "ftruncate",
    "link",
    "unlink",
    "rename",
    "symlink",
    "mkdir",
    "rmdir",
    "utime",
)


class World:
    """Directories to play in, and the verbs of the store in short."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run_dir = f"{path}/run"
        os.makedirs(self.run_dir, 0o700, exist_ok=True)
        self.log = Log("debug", f"{path}/log")
        self.boot = BOOT

    def store(self, data: str = "data") -> Store:
        return Store(Node(self.run_dir, self.boot), LeaseDir(f"{self.path}/{data}", "default"), self.log)

    def reserve(
        self, cid: str, pools: list[dict[str, Any]] | None = None, sticky: str = "", data: str = "data"
    ) -> list[str]:
        """`sticky` is network/namespace/pod/ifname."""
        network, _, rest = sticky.partition("/")
        pod, _, ifname = rest.rpartition("/")
        conf = hostsubnet.parse({"pools": pools or DUAL})
        conf.sticky = pod
        asked = own.Asked(conf, Attachment(cid, ifname or "eth0"), network or "net", "", [], 0, [])
        return [lease.subnet for lease in own.lease(self.store(data), asked)]

    def release(self, cid: str, data: str = "data") -> list[str]:
        return [lease.subnet for lease in self.store(data).release(Attachment(cid, "eth0"))]

    def find(self, cid: str) -> list[str]:
        found = self.store().find(Attachment(cid, "eth0"))
        return [lease.subnet for lease in found.leases] if found else []


# the independent checker: reads files only --------------------------------------------------------


def index_ranges(path: Path) -> list[tuple[int, int]]:
    """The leased ranges in an index file, decoded and judged here anew."""
    raw = path.read_bytes()
    version = 6 if b" v6" in raw[:24] else 4
    bits = 32 if version == 4 else 128
    found: list[tuple[int, int]] = []

    def free_blocks(leased: list[tuple[int, int]], first: int, size: int) -> int:
        """The length of the largest aligned free block, 255 if none."""
        if not any(low < first + size and first < high for low, high in leased):
            return bits - size.bit_length() + 1
        if size == 1 or any(low <= first and first + size <= high for low, high in leased):
            return 255
        return min(free_blocks(leased, first, size // 2), free_blocks(leased, first + size // 2, size // 2))

    def walk(number: int, depth: int, base: int) -> None:
        node = raw[1024 * number : 1024 * (number + 1)]
        size = 1 << (bits - 8 * (depth + 1))
        for slot in range(256):
            child = int.from_bytes(node[256 + 3 * slot : 259 + 3 * slot], "little")
            before, first = len(found), base + slot * size
            if child:
                walk(child, depth + 1, first)
                assert node[slot] == free_blocks(found[before:], first, size), "a summary lies"
            elif node[slot] == 255:
                found.append((first, first + size))
            else:
                assert node[slot] == 8 * (depth + 1)

    walk(1, 0, 0)
    return merged(found)


def is_pending(world: World) -> bool:
    lock = Path(f"{world.run_dir}/subnets/lock")
    return lock.exists() and any(lock.read_bytes()[512:516])


def check_consistent(world: World) -> dict[str, list[str]]:
    """Owners, leases and index say the same, no two leases overlap, nothing is pending. {owner: subnets}"""
    held: dict[str, list[str]] = {}
    claimed: set[tuple[str, str]] = set()
    for shelf in world.path.glob("data*/default/*"):
        said: set[str] = set()
        if shelf.name not in {BOOT, "sticky"} or not (shelf / "leases").is_dir():
            continue
        for owner in (shelf / "owners").iterdir():
            if owner.name.startswith("."):
                continue
            names = names_in(owner)
            for name in names:
                lease = shelf / "leases" / name.replace("/", "_")
                assert lease.stat().st_ino == owner.stat().st_ino, f"{lease} is not {owner}'s"
            said |= set(names)
            if shelf.name != "sticky":
                held[owner.name] = names
        there = {path.name.replace("_", "/") for path in (shelf / "leases").iterdir()}
        assert there == said, f"leases without owner in {shelf}: {there - said}"
        claimed |= {(str(shelf.parent), name) for name in there}
    check_disjoint([name for _, name in claimed])
    check_disjoint([name for names in held.values() for name in names])
    for version in (4, 6):
        prefixes = [parse_prefix(name) for _, name in claimed if (":" in name) == (version == 6)]
        path = Path(f"{world.run_dir}/subnets/default@v{version}")
        if path.exists() and BOOT.encode() not in path.read_bytes()[:1024]:
            continue
        expected = merged([(prefix.value, prefix.last + 1) for prefix in prefixes])
        assert (index_ranges(path) if path.exists() else expected) == expected
    assert not is_pending(world)
    return held


def names_in(owner: Path) -> list[str]:
    """What the owner says it has; where the test damaged its file, what is its own by inode."""
    try:
        return [lease["subnet"] for lease in jsontext.parse(owner.read_text())["leases"]]
    except BadJson:
        leases = (owner.parent.parent / "leases").iterdir()
        return [lease.name.replace("_", "/") for lease in leases if lease.samefile(owner)]


def check_disjoint(names: list[str]) -> None:
    prefixes = sorted(
        (parse_prefix(name) for name in names), key=lambda prefix: (prefix.version, prefix.value)
    )
    for one, other in pairwise(prefixes):
        assert not one.overlaps(other), f"{one} and {other} are leased both"


# killing -----------------------------------------------------------------------------------------


class Killer:
    """Counts the calls that change files; kills the process in front of number `at`, or in the middle of it."""

    def __init__(self, at: int = -1, torn: bool = False) -> None:
        self.at = at
        self.torn = torn
        self.count = 0

    def install(self) -> None:
        for name in CHANGES:
            setattr(os, name, self.wrapped(name, getattr(os, name)))

    def wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if name == "open" and not args[1] & os.O_CREAT:
                return real(*args, **kwargs)
            if self.count == self.at:
                if self.torn and name in {"write", "pwrite"}:
                    real(args[0], bytes(args[1])[: len(args[1]) // 2], *args[2:])
                os.kill(os.getpid(), signal.SIGKILL)
            self.count += 1
            return real(*args, **kwargs)

        return call


def in_child(work: Callable[[], Any], killer: Killer | None = None) -> int | None:
    """Run in a fork. The number of changing calls, or None if it was killed; fails on any other end."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            killer = killer or Killer()
            say = os.write
            killer.install()
            work()
            say(writer, str(killer.count).encode())
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writer)
    answer = os.read(reader, 100)
    os.close(reader)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return None
    assert os.WEXITSTATUS(status) == 0, "the child failed, see its traceback"
    return int(answer)


def nothing(world: World) -> None:
    """The first use of all."""


def some(world: World) -> None:
    world.reserve("other")
    world.reserve("away", data="data2", pools=ONE)


def held(world: World) -> None:
    some(world)
    world.reserve("victim")


def held_sticky(world: World) -> None:
    some(world)
    world.reserve("victim", sticky=KEY)


def waiting(world: World) -> None:
    held_sticky(world)
    world.release("victim")


def crowded(world: World) -> None:
    """Full of sticky leases that wait."""
    world.reserve("away", data="data2", pools=ONE)
    world.release("away", data="data2")
    world.reserve("other")
    for cid in "abc":
        world.reserve(cid, ONE, f"net/ns/{cid}/eth0")
        world.release(cid)


def without_index(world: World) -> None:
    held(world)
    os.unlink(f"{world.run_dir}/subnets/default@v4")


def damaged(world: World) -> None:
    held(world)
    Path(f"{world.path}/data/default/{BOOT}/owners/victim@eth0").write_text("{")


def give_up(world: World) -> None:
    with world.store().transaction("sriovctl gc") as transaction:
        names = transaction.boot.names_of_damaged("victim@eth0")
        transaction.give_up(transaction.boot, "victim@eth0", names)


def another_boot(world: World) -> None:
    """And /run is no tmpfs: all that the boot left behind is still there."""
    world.boot = "bbbbbbbb-0000-0000-0000-000000000000"
    waiting(world)
    world.boot = BOOT


def killed_before(world: World) -> None:
    """A reserve was killed with one of two leases made: what is killed now is the finishing of it."""
    some(world)
    copy = world_copy(world, "count")
    points = in_child(lambda: copy.reserve("dead"))
    assert points is not None
    in_child(lambda: world.reserve("dead"), Killer(points - 6))
    assert is_pending(world)


def world_copy(world: World, name: str) -> World:
    """Hard links and all."""
    copy = World(world.path.parent / name)
    subprocess.run(["cp", "-a", f"{world.path}/.", str(copy.path)], check=True)
    for link in Path(f"{copy.run_dir}/subnets/dirs").glob("*"):  # they name the directory by its path
        data = os.path.basename(os.readlink(link))
        link.unlink()
        path = f"{copy.path}/{data}"
        os.symlink(path, f"{copy.run_dir}/subnets/dirs/default@{path.replace('/', '%2F')}")
    copy.store().node.ensure()
    with copy.store().node.journal("copy") as journal:
        change = journal.pending
        if change:
            data_dir = change.where.data_dir.replace(str(world.path), str(copy.path))
            change.where = LeaseDir(data_dir, change.where.scope)
            journal.begin(change)
    return copy


GIVING_UP = "giving up what cannot be read"
SCENARIOS: dict[str, tuple[Callable[[World], None], Callable[[World], Any], int]] = {
    "first reserve": (nothing, lambda world: world.reserve("victim"), 30),
    "reserve": (some, lambda world: world.reserve("victim"), 15),
    "release": (held, lambda world: world.release("victim"), 9),
    "sticky reserve": (some, lambda world: world.reserve("victim", sticky=KEY), 22),
    "sticky release": (held_sticky, lambda world: world.release("victim"), 8),
    "sticky return": (waiting, lambda world: world.reserve("victim", sticky=KEY), 10),
    "sticky change": (waiting, lambda world: world.reserve("victim", [DUAL[1]], KEY), 15),
    "sticky reclaim": (crowded, lambda world: world.reserve("victim", ONE), 18),
    "rebuild": (without_index, lambda world: world.release("victim"), 11),
    GIVING_UP: (damaged, give_up, 7),
    "another boot": (another_boot, lambda world: world.reserve("victim", sticky=KEY), 25),
    "finishing": (killed_before, lambda world: world.reserve("victim"), 20),
}


@pytest.mark.parametrize("torn", [False, True], ids=["whole", "torn"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_killed_at_every_call_then_the_next_one_finds_nothing_amiss(
    tmp_path: Path, name: str, torn: bool
) -> None:
    prepare, verb, fewest = SCENARIOS[name]
    template = World(tmp_path / "template")
    prepare(template)
    whole = world_copy(template, "whole")
    points = in_child(lambda: verb(whole))
    check_consistent(whole)
    assert points is not None
    assert points >= fewest, f"only {points} points found: has the shim lost sight of the store's calls?"

    for point in range(points):
        world = world_copy(template, f"at{point}")
        assert in_child(lambda world=world: verb(world), Killer(point, torn)) is None  # type: ignore[misc]

        # finds it from another directory, known before: no index is built anew
        world.reserve("next", ONE, data="data2")

        assert "dead@eth0" not in check_consistent(world), f"point {point}"
        if name == GIVING_UP:  # a DEL would refuse what is not given up yet
            verb(world)
        world.release("victim")
        assert "victim@eth0" not in check_consistent(world), f"point {point}"
        world.reserve("victim")
        assert "victim@eth0" in check_consistent(world), f"point {point}"
    print(f"{name}: {points} points", file=sys.stderr)


def test_a_killed_reserve_leaves_no_lease_and_a_killed_release_none_either(tmp_path: Path) -> None:
    """The pool has room for four: after any number of kills it still has."""
    world = World(tmp_path)
    for point in range(100):
        killed = in_child(lambda: world.reserve("victim", ONE), Killer(point % 33)) is None
        if not killed:
            in_child(lambda: world.release("victim"), Killer(point % 7))
        world.release("victim")

    assert sorted(world.reserve(cid, ONE)[0] for cid in "abcd") == [f"10.10.{n}.0/24" for n in range(4)]
    check_consistent(world)


# races -------------------------------------------------------------------------------------------


def contend(world: World, number: int, until: float) -> None:
    """Reserve and release at random; what is held is marked in a directory where a second holder would be seen."""
    dice, mine = random.Random(number), dict[str, list[str]]()
    while time.monotonic() < until:
        cid = f"p{number}n{dice.randrange(6)}"
        data = f"data{number % 3}"
        if cid in mine:
            for subnet in mine.pop(cid):
                os.unlink(f"{world.path}/held/{subnet.replace('/', '_')}")
            assert world.release(cid, data)
            continue
        lengths = dice.choice([[24], [26], [24, 28], [30]])
        pools = [{"subnet": "10.0.0.0/18", "prefixLength": length} for length in lengths]
        sticky = f"net/ns/{cid}/eth0" if dice.random() < 0.2 else ""
        try:
            mine[cid] = world.reserve(cid, pools + DUAL[1:] * dice.randrange(2), sticky, data)
        except PoolExhausted:
            continue
        for subnet in mine[cid]:
            os.close(os.open(f"{world.path}/held/{subnet.replace('/', '_')}", os.O_CREAT | os.O_EXCL))


def start(work: Callable[[], None]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def test_thirty_two_processes_never_share_a_subnet(tmp_path: Path) -> None:
    world = World(tmp_path)
    os.mkdir(f"{tmp_path}/held")
    until = time.monotonic() + 4

    pids = [start(lambda number=number: contend(world, number, until)) for number in range(32)]  # type: ignore[misc]

    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * 32
    held = check_consistent(world)
    marked = sorted(name.replace("_", "/") for name in os.listdir(f"{tmp_path}/held"))
    assert sorted(subnet for names in held.values() for subnet in names) == marked
    assert len(marked) > 32


def test_random_kills_among_thirty_two_processes_cost_nothing(tmp_path: Path) -> None:
    world = World(tmp_path)
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    dice = random.Random(seed)

    def endless(number: int) -> None:
        while True:
            cid = f"p{number}"
            try:
                world.reserve(cid, [{"subnet": "10.0.0.0/24", "prefixLength": 30}], data=f"data{number % 3}")
            except PoolExhausted:
                continue
            world.release(cid, f"data{number % 3}")

    for _ in range(4):
        pids = [start(lambda number=number: endless(number)) for number in range(32)]  # type: ignore[misc]
        for pid in dice.sample(pids, len(pids)):
            time.sleep(dice.random() / 50)
            os.kill(pid, signal.SIGKILL)
            assert os.WIFSIGNALED(os.waitpid(pid, 0)[1]), "a process ended by itself"
        for number in range(32):
            world.release(f"p{number}", f"data{number % 3}")

    world.reserve("last", [{"subnet": "10.0.0.0/24", "prefixLength": 30}], data="data0")
    assert list(check_consistent(world)) == ["last@eth0"]


def test_the_lock_of_a_killed_holder_is_free(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.reserve("a")
    ready, told = os.pipe()

    def hold() -> None:
        lock = world.store().node.journal("hang")
        lock.acquire()
        os.write(told, b"x")
        time.sleep(60)

    pid = start(hold)
    os.read(ready, 1)
    with pytest.raises(BlockingIOError), open(f"{world.run_dir}/subnets/lock", "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)

    assert world.reserve("b")


def test_a_lock_that_was_removed_while_we_waited_is_not_believed(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.reserve("a")
    path = f"{world.run_dir}/subnets/lock"
    ready, told = os.pipe()

    def wait() -> None:
        os.read(ready, 1)
        lock = world.store().node.journal("wait")
        lock.acquire()
        assert os.fstat(lock.fd).st_ino == os.stat(path).st_ino

    pid = start(wait)  # before the lock is taken: a fork would hold it too
    with world.store().node.journal("hold"):
        os.write(told, b"x")
        time.sleep(0.2)  # until it waits; too short a sleep only makes the test easier to pass
        os.unlink(path)
        os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))

    assert os.waitpid(pid, 0)[1] == 0


# full and read-only disks ------------------------------------------------------------------------


def with_tmpfs(path: str, options: str, work: Callable[[], None]) -> None:
    """Run `work` in a fork with a mount namespace of its own that has a tmpfs at `path`."""

    def inside() -> None:
        assert ctypes.CDLL(None, use_errno=True).unshare(0x00020000) == 0  # CLONE_NEWNS, linux/sched.h
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        os.makedirs(path, 0o700, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"mode=0700,{options}", "tmpfs", path], check=True)
        work()

    assert os.waitpid(start(inside), 0)[1] == 0


@pytest.mark.root
@pytest.mark.parametrize("where", ["data", "run"])
@pytest.mark.parametrize(
    "options", ["size=28k", "size=48k", *(f"nr_inodes={count}" for count in range(4, 26))]
)
def test_a_full_disk_is_code_5_named_and_leaks_nothing(tmp_path: Path, where: str, options: str) -> None:
    world = World(tmp_path)
    pools = [{"subnet": "10.0.0.0/16", "prefixLength": 30}, {"subnet": "10.7.0.0/16", "prefixLength": 22}]

    def reserve(cid: str) -> CniError | None:
        try:
            world.reserve(cid, pools, sticky="net/ns/web/eth0" if cid == "c3" else "")
        except CniError as error:
            return error
        return None

    def fill() -> None:
        done: list[str] = []
        while len(done) < 64 and not (error := reserve(f"c{len(done)}")):
            done.append(f"c{len(done)}")
        assert error is not None or where == "run"
        assert error is None or (error.code, str(tmp_path) in str(error), "No space left" in str(error)) == (
            5,
            True,
            True,
        )
        if not done:
            return
        assert sorted(check_consistent(world)) == sorted(f"{cid}@eth0" for cid in done)
        assert [len(world.release(cid)) for cid in done] == [2] * len(done)
        world.reserve("again", pools)
        assert list(check_consistent(world)) == ["again@eth0"]

    with_tmpfs(f"{tmp_path}/{where}", options, fill)


@pytest.mark.root
def test_a_read_only_disk_is_code_5_and_does_not_stop_others(tmp_path: Path) -> None:
    world = World(tmp_path)

    def try_it() -> None:
        world.reserve("a")
        subprocess.run(["mount", "-o", "remount,ro", f"{tmp_path}/data"], check=True)
        for verb in (world.release, world.reserve):
            with pytest.raises(InputOutput, match="Read-only"):
                verb("a" if verb == world.release else "b")
        assert world.find("a") == ["10.10.0.0/24", "fd00::/64"]
        assert world.reserve("c", data="data2")[0] == "10.10.1.0/24"
        subprocess.run(["mount", "-o", "remount,rw", f"{tmp_path}/data"], check=True)
        assert world.release("a") == ["10.10.0.0/24", "fd00::/64"]
        assert list(check_consistent(world)) == ["c@eth0"]

    with_tmpfs(f"{tmp_path}/data", "size=1m", try_it)


@pytest.mark.root
def test_a_directory_made_unsafe_after_a_kill_does_not_stop_others(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.reserve("a", ONE)
    in_child(lambda: world.reserve("b", ONE), Killer(5))
    assert is_pending(world)
    os.chmod(f"{tmp_path}/data", 0o777)

    assert world.reserve("c", ONE, data="data2")[0] != "10.10.0.0/24"
    with pytest.raises(InputOutput, match="others can write"):
        world.reserve("d", ONE)
    os.chmod(f"{tmp_path}/data", 0o700)
    world.release("b")
    assert sorted(check_consistent(world)) == ["a@eth0", "c@eth0"]


def lease_ranges(world: World) -> list[tuple[int, int]]:
    """What the names of the IPv4 lease files say, also of those that no owner has yet or any more."""
    found = [world.path.glob(f"data*/default/{shelf}/leases/*.*_*") for shelf in (BOOT, "sticky")]
    held, kept = ({str(path).replace("/sticky/", f"/{BOOT}/") for path in paths} for paths in found)
    names = [path.rpartition("/")[2].replace("_", "/") for path in held | kept]
    check_disjoint(names)
    prefixes = [parse_prefix(name) for name in names]
    return merged([(prefix.value, prefix.last + 1) for prefix in prefixes])


@pytest.mark.parametrize(("verb", "sticky"), [("reserve", ""), ("release", ""), ("reserve", KEY)])
def test_a_change_that_cannot_be_finished_leaves_no_index_that_lies(
    tmp_path: Path, verb: str, sticky: str
) -> None:
    """Killed anywhere, then its directory is unsafe: the next one can neither finish nor undo the change, and may not
    believe an index that is ahead of the files or behind them.
    """

    def act(world: World) -> None:
        world.reserve("victim", sticky=sticky) if verb == "reserve" else world.release("victim")

    template = World(tmp_path / "template")
    (some if verb == "reserve" else held)(template)
    count = world_copy(template, "count")
    points, pending = in_child(lambda: act(count)), 0
    for point in range(points or 0):
        world = world_copy(template, f"at{point}")
        in_child(lambda world=world: act(world), Killer(point))  # type: ignore[misc]
        if not is_pending(world):
            continue
        pending += 1
        os.chmod(f"{world.path}/data", 0o777)

        world.reserve("next", ONE, data="data2")

        assert not is_pending(world)
        said = index_ranges(Path(f"{world.run_dir}/subnets/default@v4"))
        assert said == lease_ranges(world), f"{verb} killed at {point}"
        os.chmod(f"{world.path}/data", 0o700)
        world.release("victim")
        if sticky:
            world.reserve("victim", sticky=sticky)
            world.release("victim")
        assert sorted(check_consistent(world)) == ["away@eth0", "next@eth0", "other@eth0"], point
    assert pending >= 5


def test_a_lease_file_that_somebody_removed_is_free_after_its_release(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.reserve("a", ONE)
    os.unlink(f"{tmp_path}/data/default/{BOOT}/leases/10.10.0.0_24")

    world.release("a")

    assert check_consistent(world) == {}
    assert {world.reserve(cid, ONE)[0] for cid in "bcde"} >= {"10.10.0.0/24"}


def test_an_error_in_the_middle_of_a_reserve_leaves_no_trace(tmp_path: Path) -> None:
    """Every changing call fails once with an error instead of a kill."""
    template = World(tmp_path / "template")
    some(template)
    copy = world_copy(template, "count")
    points = in_child(lambda: copy.reserve("victim", sticky=KEY))
    assert points is not None

    def failing(world: World, point: int) -> None:
        class Failer(Killer):
            def wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
                def call(*args: Any, **kwargs: Any) -> Any:
                    if name == "open" and not args[1] & os.O_CREAT:
                        return real(*args, **kwargs)
                    self.count += 1
                    if self.count - 1 == self.at:
                        raise OSError(5, "Input/output error", str(args[0]))
                    return real(*args, **kwargs)

                return call

        Failer(point).install()
        try:
            world.reserve("victim", sticky=KEY)
        except CniError:
            return
        world.release("victim")  # what could not be removed was not there
        Path(f"{world.path}/went-well").touch()

    for point in range(points):
        world = world_copy(template, f"at{point}")
        in_child(lambda world=world, point=point: failing(world, point))  # type: ignore[misc]
        kept = list(world.path.glob("data/default/sticky/leases/*"))
        assert not kept or (world.path / "went-well").exists(), f"point {point}"
        world.reserve("next", ONE, data="data3")
        assert "victim@eth0" not in check_consistent(world), f"point {point}"
