"""`sriovctl gc` and the plugin where not all of the node is seen: living pods keep what they have."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import bundle, checker
from tests.integration.rig import Rig, call, conf, vf_pci

pytestmark = [pytest.mark.root, pytest.mark.bundle]

POD, NEXT = "/run/netns/pod", "/run/netns/next"
FULL = conf(cniVersion="1.1.0", deviceID=vf_pci(0))
NO_PIDS = ("unshare", "--pid", "--fork", "--mount-proc")
OLD_PROC = ("unshare", "--pid", "--fork")
NO_SYS = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /sys; exec "$@"', "-")
OWN_MOUNTS = ("unshare", "--mount")
BLIND = {"own pid namespace": NO_PIDS, "own pid namespace, old /proc": OLD_PROC, "tmpfs on /sys": NO_SYS}


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A pod of sriov's, and one that has but a lease, both alive."""
    with Rig(vfs=2) as rig:
        for name in ("pod", "next", "bridged"):
            rig.add_pod(name)
        status, answer = rig.answer(call("ADD", "one", POD, FULL))
        assert status == 0, answer
        (tmp_path / "host-subnet").symlink_to(bundle.sriov())
        door = (str(tmp_path / "host-subnet"),)
        bridge = {"cniVersion": "1.0.0", "name": "br", "type": "bridge", "ipam": FULL["ipam"]}
        status, answer = rig.answer(call("ADD", "lease", "/run/netns/bridged", bridge, door, "eth0"))
        assert status == 0, answer
        yield rig


def gc(rig: Rig, *before: str) -> subprocess.CompletedProcess[str]:
    argv = [*before, str(bundle.directory() / "cni-sriov/sriovctl"), "gc"]
    return rig.inside(subprocess.run, argv, capture_output=True, text=True)


def look(rig: Rig) -> Any:
    facts = rig.inside(checker.look, [POD, NEXT])
    return {name: file["text"] for name, file in facts["files"].items() if "lock" not in name}


@pytest.mark.parametrize("before", BLIND.values(), ids=BLIND)
def test_sriovctl_gc_refuses_with_a_sentence(rig: Rig, before: tuple[str, ...]) -> None:
    there = look(rig)

    done = gc(rig, *before)

    assert (done.returncode, look(rig)) == (1, there), done
    assert "take back what is dead: " in done.stderr


@pytest.mark.parametrize("before", [(), OWN_MOUNTS], ids=["host", "own mount namespace"])
def test_who_sees_all_takes_the_dead_and_leaves_the_living(rig: Rig, before: tuple[str, ...]) -> None:
    there = look(rig)
    assert gc(rig, *before).returncode == 0
    assert look(rig) == there

    rig.del_pod("bridged")
    done = gc(rig, *before)

    assert done.returncode == 0, done
    assert [name for name in look(rig) if "lease@eth0" in name] == []
    assert [name for name in look(rig) if "one@net1" in name] != []


@pytest.mark.parametrize("before", BLIND.values(), ids=BLIND)
def test_another_add_takes_no_living_ones_vf_and_says_why(rig: Rig, before: tuple[str, ...]) -> None:
    there = look(rig)
    add = call("ADD", "two", NEXT, FULL)

    status, answer = rig.answer(add._replace(argv=(*before, *add.argv)))

    assert (status, look(rig)) == (1, there), answer
    if before is not NO_SYS:  # there is no PF to be seen there
        assert "was not taken back, since" in json.dumps(answer)


@pytest.mark.parametrize("before", [NO_SYS], ids=["tmpfs on /sys"])
def test_a_del_that_does_not_see_its_vf_forgets_nothing(rig: Rig, before: tuple[str, ...]) -> None:
    delete = call("DEL", "one", "", FULL)

    status, answer = rig.answer(delete._replace(argv=(*before, *delete.argv)))

    assert (status, answer["code"]) == (1, 5), answer
    assert [name for name in look(rig) if "/claims/" in name] != []
    assert rig.answer(delete) == (0, None)


@pytest.mark.parametrize("before", [OWN_MOUNTS, NO_PIDS], ids=["own mounts", "own pids"])
def test_an_attachment_of_its_own_needs_no_more_than_it_is_told(rig: Rig, before: tuple[str, ...]) -> None:
    free = FULL | {"deviceID": vf_pci(1)}
    for verb in ("ADD", "CHECK", "DEL"):
        one = call(verb, "two", NEXT, free)
        status, answer = rig.answer(one._replace(argv=(*before, *one.argv)))
        assert status == 0, answer
