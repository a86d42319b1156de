"""Each look and each write of a call fails once, as it does on a node that is out of memory, descriptors or disk.

On the fake kernel with the real files, at every call of `os` that the product makes (`ERRNO=all`; else a sample). Nobody
else loses anything, and no DEL says that it is done when it is not. `ERRNO_SEED` replays the choices.
"""

from __future__ import annotations

import errno
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.world import Reply, World

CALLS = (
    *("stat", "lstat", "fstat", "open", "read", "pread", "readlink", "listdir", "scandir"),
    *("rename", "link", "symlink", "unlink", "mkdir", "write", "pwrite", "ftruncate"),
)
ERRNOS = (errno.ENOMEM, errno.EIO, errno.EMFILE, errno.ENOBUFS)
POD, OTHER, THIRD = "/run/netns/pod1", "/run/netns/other", "/run/netns/third"


class Failing:
    """The n-th call of the product to the system fails, 0 = none."""

    def __init__(self, patch: pytest.MonkeyPatch, nth: int, number: int) -> None:
        self.count, self.nth, self.number = 0, nth, number
        self.at = ""
        for name in CALLS:
            patch.setattr(os, name, self._wrap(name, getattr(os, name)))

    def _wrap(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            caller = sys._getframe(1).f_code  # noqa: SLF001 # who calls
            if "/cni_sriov/" in caller.co_filename and not caller.co_filename.endswith("words/log.py"):
                self.count += 1
                if self.count == self.nth:
                    self.at = f"{name}{args[:2]} in {caller.co_name}: {os.strerror(self.number)}"
                    raise OSError(self.number, os.strerror(self.number))
            return real(*args, **kwargs)

        return call


def a_world(root: Path) -> tuple[World, dict[str, Any]]:
    """A pod that lives with the PF's first VF, and one with the second that is to be deleted."""
    world = World(root)
    world.kernel.add_pf(numvfs=3)
    for pod in (POD, OTHER, THIRD):
        world.kernel.add_pod(pod)
    conf = world.conf(vlan=100, trust="on", ipam=world.ipam())
    assert world.call("ADD", conf, container="living", netns=OTHER).code == 0
    return world, conf


def held(world: World, container: str) -> list[str]:
    """The files of an attachment, and where the VF is."""
    files = [name for name in world.files() if container in name]
    files += [str(p) for p in (world.run_dir / "claims").iterdir() if f'"{container}"' in p.read_text()]
    return sorted(files)


def gc_conf(conf: dict[str, Any], *keep: str) -> dict[str, Any]:
    valid = [{"containerID": one, "ifname": "net1"} for one in keep]
    return conf | {"cniVersion": "1.1.0", "cni.dev/valid-attachments": valid}


Verb = Callable[[World, dict[str, Any]], Reply]
VERBS: dict[str, Verb] = {
    "ADD": lambda world, conf: world.call("ADD", conf),
    "ADD that finds none free": lambda world, conf: world.call("ADD", conf, netns=THIRD, container="c4"),
    "DEL": lambda world, conf: world.call("DEL", conf, netns=""),
    "GC": lambda world, conf: world.call("GC", gc_conf(conf, "living")),
    "GC without a list": lambda world, conf: world.call("GC", conf | {"cniVersion": "1.1.0"}),
}


def furnish(world: World, conf: dict[str, Any], verb: str) -> None:
    if verb != "ADD":
        assert world.call("ADD", conf).code == 0
    if "none free" in verb:
        assert world.call("ADD", conf, container="c3", netns=THIRD, ifname="net3").code == 0


def faults_of(root: Path, verb: str, nth: int, number: int) -> tuple[int, str, list[str]]:
    """(how many calls there were, what failed, what is wrong then)."""
    world, conf = a_world(root)
    before = world.settled()
    furnish(world, conf, verb)
    mine, living = held(world, "living"), world.kernel.pods[OTHER].find("net1")
    with pytest.MonkeyPatch.context() as patch:
        failing = Failing(patch, nth, number)
        reply = VERBS[verb](world, conf)
    wrong = []
    if held(world, "living") != mine or world.kernel.pods[OTHER].find("net1") != living:
        wrong.append(f"the living lost: {held(world, 'living')}")
    if reply.code == 999 or (reply.exit_code and not reply.code):
        wrong.append(reply.text)
    if "free VF" in reply.text and verb == "ADD":
        wrong.append(f"there is a free VF: {reply.text}")
    if verb in {"DEL", "GC"} and reply.code == 0 and world.settled() != before:
        wrong.append("success, and something is left")
    for container in ("c1", "c3", "c4"):
        netns, ifname = (
            (POD, "net1") if container == "c1" else (THIRD, "net3" if container == "c3" else "net1")
        )
        again = world.call("DEL", conf, container=container, netns=netns, ifname=ifname)
        wrong += [f"then DEL: {again.text}"] if again.code else []
    if world.settled() != before:
        wrong.append("after the DEL that follows something is left")
    return failing.count, failing.at, wrong


@pytest.mark.parametrize("verb", VERBS)
def test_a_call_that_fails_once_takes_nothing_and_hides_nothing(tmp_path: Path, verb: str) -> None:
    seed = int(os.environ.get("ERRNO_SEED") or random.randrange(1 << 32))
    chance = random.Random(seed)
    count, _, wrong = faults_of(tmp_path / "0", verb, 0, 0)
    assert wrong == []
    assert count > 60
    found = []
    every = os.environ.get("ERRNO") == "all"
    for nth in range(1, count + 1) if every else sorted(chance.sample(range(1, count + 1), 40)):
        for number in ERRNOS if every else (chance.choice(ERRNOS),):
            _, at, wrong = faults_of(tmp_path / f"{nth}-{number}", verb, nth, number)
            found += [f"#{nth} {at}: {one}" for one in wrong]

    assert found == [], f"ERRNO_SEED={seed}"
