"""The whole doctor on a node where looks fail, and on a large one: it never breaks, changes nothing, takes no failed look
for absence, and says what it could not see. `ERRNO=all` tries every call; `ERRNO_SEED` replays a sample.
"""

from __future__ import annotations

import errno
import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

from tests.unit.ctl.doctor.tree import Tree
from tests.unit.ctl.tool import Run, sriovctl
from tests.unit.test_errno import Failing
from tests.world import World

ERRNOS = (errno.EIO, errno.EACCES, errno.ELOOP, errno.EMFILE, errno.ENOMEM)
NET_D = "/etc/cni/net.d"
SAMPLE = 40
Found = set[tuple[str, str]]


def a_node(root: Path, vfs: int = 4) -> World:
    """A pod, one that died, a VF that somebody changed, a runtime with three networks, and managers of links."""
    world = World(root)
    world.kernel.add_pf(numvfs=vfs, totalvfs=256)
    for number in range(vfs - 2):
        path = f"/run/netns/p{number}"
        world.kernel.add_pod(path)
        added = world.call("ADD", world.conf(ipam=world.ipam()), f"c{number}", path)
        assert added.code == 0, added.text
    world.kernel.kill_netns("/run/netns/p0")
    tree = Tree(root)
    tree.write("/etc/containerd/config.toml", 'imports = ["/etc/containerd/d/*.toml"]\n')
    tree.write("/etc/containerd/d/1.toml", '[plugins.cri.cni]\nbin_dir = "/usr/lib/cni"\n')
    tree.write("/etc/crio/crio.conf", '[crio.network]\nplugin_dirs = ["/opt/cni/bin", "/usr/lib/cni"]\n')
    tree.write("/usr/bin/podman")
    for name in ("sriov", "host-subnet", "bridge"):
        tree.write(f"/usr/lib/cni/{name}", "#!/bin/sh\n")
    for number, kind in enumerate(("sriov", "bridge")):
        conf = {"cniVersion": "1.0.0", "name": kind, "plugins": [{"type": kind, "master": "enp1s0f0"}]}
        tree.write(f"{NET_D}/{number}.conflist", json.dumps(conf))
    tree.write("/run/NetworkManager/devices/1", "[device]\nmanaged=true\n")
    tree.mkdir("/run/systemd/netif/links")
    return world


def told(run: Run) -> Found:
    assert run.status in {0, 1}, run.err
    return {(one["rule"], one["subject"]) for one in run.document["findings"]}


def faults_of(
    world: World, before: Found, state: dict[str, Any], nth: int, number: int
) -> tuple[int, str, list[str]]:
    """(how many calls there were, what failed, what is wrong then)."""
    with pytest.MonkeyPatch.context() as patch:
        failing = Failing(patch, nth, number)
        run = sriovctl(world, "doctor", "--json")
    wrong = []
    if run.status not in {0, 1} or "findings" not in run.document:
        return failing.count, failing.at, [run.out + run.err]
    new = {rule for rule, _ in told(run) - before}
    wrong += [f"it finds {rule}" for rule in new - {"unseen", "unreadable-state"}]
    if failing.at and before - told(run) and "unseen" not in new:
        wrong.append(f"it does not find, and does not say why: {before - told(run)}")
    if world.snapshot() != state:
        wrong.append("something was changed")
    return failing.count, failing.at, wrong


def test_a_look_that_fails_is_told_and_finds_nothing_that_is_not_there(tmp_path: Path) -> None:
    world = a_node(tmp_path)
    before, state = told(sriovctl(world, "doctor", "--json")), world.snapshot()
    total = faults_of(world, before, state, 0, 0)[0]
    seed = int(os.environ.get("ERRNO_SEED", random.randrange(1 << 32)))
    print(f"ERRNO_SEED={seed} of {total} calls")
    chosen = random.Random(seed)
    everything = [(nth, chosen.choice(ERRNOS)) for nth in range(1, total + 1)]
    tried = everything if os.environ.get("ERRNO") == "all" else chosen.sample(everything, SAMPLE)

    wrong = []
    for nth, number in tried:
        _, at, found = faults_of(world, before, state, nth, number)
        wrong += [f"call {nth}, {at}: {one}" for one in found]

    assert total > 300
    assert wrong == [], "\n".join(wrong)


def test_what_it_asks_grows_with_the_number_of_vfs_and_no_faster(tmp_path: Path) -> None:
    """256 VFs are a card of today."""

    def calls(vfs: int) -> int:
        with pytest.MonkeyPatch.context() as patch:
            world = a_node(tmp_path / str(vfs), vfs)
            failing = Failing(patch, 0, 0)
            assert "findings" in sriovctl(world, "doctor", "--json").document
        return failing.count

    few, more, many = calls(8), calls(16), calls(32)

    assert many - more <= 2.2 * (more - few)


@pytest.mark.parametrize("raw", [b"\xff\xfe", b"a\nb", b"\x1b[31m", b"$(x);'\"", "\u2028".encode()])
def test_names_that_are_no_text(tmp_path: Path, raw: bytes) -> None:
    world = a_node(tmp_path)
    name = os.fsdecode(raw)
    for path in (
        f"{NET_D}/{name}.conflist",
        f"/etc/crio/crio.conf.d/{name}.conf",
        f"/etc/containerd/d/{name}.toml",
    ):
        Tree(tmp_path).write(path, "{")
    (world.run_dir / "claims" / f"{name}+{name}").write_text("{")

    run, text = sriovctl(world, "doctor", "--json"), sriovctl(world, "doctor")

    assert {"unseen", "conflist-broken", "unreadable-state"} <= {rule for rule, _ in told(run)}
    text.out.encode("utf-8")
    assert "\x1b" not in text.out
    assert not [line for line in text.out.splitlines() if line == "b"]


def test_loops_fifos_and_what_never_ends(tmp_path: Path) -> None:
    world, tree = a_node(tmp_path), Tree(tmp_path)
    for path in (
        "/etc/containers/containers.conf",
        "/usr/lib/podman",
        f"{NET_D}/2.conflist",
        "/run/NetworkManager/devices/2",
    ):
        tree.link(path, path.rpartition("/")[2])
    for path in (
        "/etc/containers/containers.conf.d/1.conf",
        f"{NET_D}/3.conflist",
        "/etc/crio/crio.conf.d/1.conf",
    ):
        tree.write(path)
        (tmp_path / path[1:]).unlink()
        os.mkfifo(tmp_path / path[1:])
    tree.link(f"{NET_D}/4.conflist", "/dev/zero")

    found: list[dict[str, Any]] = sriovctl(world, "doctor", "--json").document["findings"]

    (unseen,) = [one for one in found if one["rule"] == "unseen"]
    said = " ".join(one["said"] for one in unseen["evidence"])
    for words in (
        "containers.conf: Too many levels",
        "2.conflist: Too many levels",
        "1.conf: it is no regular file",
    ):
        assert words in said
    assert not [one for one in found if one["rule"] == "rule-failed"]
