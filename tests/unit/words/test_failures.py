"""One attachment's trouble stays its own: a loop over many goes on past any error of one, a bug of ours too, and says which."""

from __future__ import annotations

from typing import Any

import pytest

from cni_sriov.words.errors import BadConfig, KernelRefused
from cni_sriov.words.failures import Failures
from tests.unit.ctl.tool import sriovctl
from tests.world import Reply, World

TWO = {"master": None, "pf": {"names": ["enp1s0f0"], "vfs": "0-1"}}
BAD_VF, GOOD_VF = "0000:01:10.0", "0000:01:10.2"


def attach(world: World, who: str) -> Reply:
    path = f"/run/netns/{who}"
    world.kernel.add_pod(path)
    return world.call("ADD", world.conf(**TWO, ipam=world.ipam()), who, path)


@pytest.fixture
def dead(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """c1 and c2 died; whoever judges c1's VF runs into a bug."""
    for who in ("c1", "c2"):
        assert attach(world, who).code == 0
        world.kernel.kill_netns(f"/run/netns/{who}")
    inode = type(world.kernel.sysfs).inode

    def broken(sysfs: Any, pci_address: str) -> int:
        if pci_address == BAD_VF:
            raise ModuleNotFoundError("No module named 'collections.abc'")
        return inode(sysfs, pci_address)

    monkeypatch.setattr(type(world.kernel.sysfs), "inode", broken)
    return world


def claimed(world: World) -> set[str]:
    return {path.name.partition("+")[2] for path in (world.run_dir / "claims").iterdir()}


@pytest.mark.parametrize("without_list", [True, False])
def test_gc_frees_the_others_and_names_the_one(dead: World, without_list: bool) -> None:
    keep: dict[str, Any] = {} if without_list else {"cni.dev/valid-attachments": []}
    reply = dead.call("GC", dead.conf(**TWO, cniVersion="1.1.0", ipam=dead.ipam()) | keep, "", "", "")

    assert reply.code == 11
    assert "1 attachment(s) failed" in reply.text
    assert "c1/net1: bug in cni-sriov at " in reply.text
    assert claimed(dead) == {BAD_VF}


def test_another_add_gets_the_vf_that_can_be_taken_back(dead: World) -> None:
    assert attach(dead, "c3").code == 0

    assert claimed(dead) == {BAD_VF, GOOD_VF}
    (told,) = [line for line in dead.log_file.read_text().splitlines() if "reclaim failed" in line]
    assert "attachment=c1/net1" in told
    assert "bug in cni-sriov at " in told


def test_sriovctl_gc_frees_the_others_and_tells_of_the_one(dead: World) -> None:
    items = {
        item["owner"]: item
        for item in sriovctl(dead, "gc", "--json").document["items"]
        if item["kind"] == "vf"
    }

    assert items["c2/net1"]["taken"]
    assert not items["c1/net1"]["taken"]
    assert "bug in cni-sriov at " in items["c1/net1"]["reason"]
    assert claimed(dead) == {BAD_VF}


def test_all_that_failed_is_told_with_whose_it_was() -> None:
    logged: list[tuple[str, dict[str, object]]] = []
    failures = Failures(lambda event, **fields: logged.append((event, fields)), "stays")

    for who, error in (
        ("a", BadConfig("no", "do")),
        ("b", None),
        ("c", OSError(5, "I/O", "/x")),
        ("d", KernelRefused("set", 1)),
        ("e", MemoryError()),
        ("f", ImportError("libffi: cannot map it")),
    ):
        with failures.of(vf=who):
            if error is not None:
                raise error

    assert failures.told == [
        "a: no (do)",
        "c: use /x: I/O",
        "d: set: Operation not permitted",
        "e: use memory: there is none (is there an RLIMIT_AS, or a limit of the cgroup?)",
        "f: load a part of cni-sriov: libffi: cannot map it (is there memory for it, and is it installed?)",
    ]
    assert [(event, fields["vf"]) for event, fields in logged] == [
        ("stays", "a"),
        ("stays", "c"),
        ("stays", "d"),
        ("stays", "e"),
        ("stays", "f"),
    ]


@pytest.mark.parametrize("stop", [SystemExit, KeyboardInterrupt])
def test_a_stop_signal_ends_the_loop(stop: type[BaseException]) -> None:
    with pytest.raises(stop), Failures().of():
        raise stop
