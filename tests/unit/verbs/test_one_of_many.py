"""One attachment's trouble stays its own (rule 17 of the design): a loop over many survives a bug at one of them, does
the others, and says which it was.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import cni_sriov
from cni_sriov.kernel.sysfs import Sysfs
from cni_sriov.leases.store import Store
from cni_sriov.owner import death, giveback, records
from cni_sriov.vf import cachefiles, card, homename
from cni_sriov.wire import sriovcni
from tests.drop_in import SriovCni
from tests.unit.ctl.tool import sriovctl
from tests.unit.one_port import OTHERS
from tests.unit.verbs.calls import NEW, attach, gc, held
from tests.world import World

VF0, VF1 = "0000:01:10.0", "0000:01:10.2"


def break_for(patch: pytest.MonkeyPatch, where: Any, name: str, is_it: Callable[..., bool]) -> None:
    """A bug that comes up with one of them only."""
    real = getattr(where, name)

    def broken(*args: Any, **keys: Any) -> Any:
        if is_it(*args):
            raise RuntimeError("a bug")
        return real(*args, **keys)

    patch.setattr(where, name, broken)


def is_c1(*args: Any) -> bool:
    """The first argument that tells of an attachment."""
    for arg in args:
        found = getattr(arg, "attachment", arg)
        if hasattr(found, "container_id"):
            return bool(found.container_id == "c1")
    return False


def lease_alone(world: World, container: str) -> None:
    """As under another main plugin: there is no Record."""
    path = f"/run/netns/{container}"
    world.kernel.add_pod(path)
    conf = world.conf(type="bridge", ipam=world.ipam())
    added = world.call("ADD", conf, container, path, door="host-subnet")
    assert added.code == 0, added.text


def dies(world: World, container: str) -> None:
    world.kernel.kill_netns(f"/run/netns/{container}")


@pytest.mark.parametrize(
    "where", [(giveback, "give_back"), (records, "record_of")], ids=["give back", "look"]
)
def test_gc(world: World, monkeypatch: pytest.MonkeyPatch, where: tuple[Any, str]) -> None:
    attach(world, "c1", "c2", "c3")
    break_for(monkeypatch, *where, is_c1)

    failed = gc(world)

    assert (failed.code, "c1/net1" in failed.text, "a bug" in failed.text) == (11, True, True), failed.text
    assert held(world) == {"c1@net1"}


@pytest.mark.parametrize("where", [(Store, "release"), (Store, "release_if")], ids=["listed", "no list"])
def test_gc_of_leases(world: World, monkeypatch: pytest.MonkeyPatch, where: tuple[Any, str]) -> None:
    for container in ("c1", "c2"):
        lease_alone(world, container)
        dies(world, container)
    break_for(monkeypatch, *where, is_c1)
    listed: dict[str, Any] = {"cni.dev/valid-attachments": []} if where[1] == "release" else {}

    failed = world.call("GC", world.conf(**NEW, ipam=world.ipam()) | listed, "", "", "")

    assert (failed.code, "c1/net1" in failed.text) == (11, True), failed.text
    assert held(world) == {"c1@net1"}


def test_gc_of_a_data_directory_that_cannot_be_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    attach(world, "c1")
    world.kernel.add_pod(OTHERS)
    odd = world.conf(ipam=world.ipam(dataDir=str(world.root / "odd"), scope="odd"))
    assert world.call("ADD", odd | {"name": "odd"}, "c2", OTHERS).code == 0
    lease_alone(world, "c3")
    break_for(monkeypatch, Store, "holdings", lambda store: store.where.scope == "odd")

    failed = gc(world)

    assert (failed.code, "odd" in failed.text) == (11, True), failed.text
    assert held(world) == {"c2@net1"}


@pytest.mark.parametrize("where", [(death, "proof"), (giveback, "give_back")])
def test_an_add_that_needs_what_dead_ones_have(
    world: World, monkeypatch: pytest.MonkeyPatch, where: tuple[Any, str]
) -> None:
    vfs = len(world.kernel.pfs[0].vfs)
    attach(world, *(f"c{number}" for number in range(1, vfs + 1)))
    for container in ("c1", "c2"):
        dies(world, container)
    break_for(monkeypatch, *where, is_c1)

    attach(world, "next")

    assert {"next@net1", "c1@net1"} <= held(world)
    assert "c2@net1" not in held(world)
    assert "c1/net1" in world.log_file.read_text()


def test_an_add_that_needs_a_dead_ones_subnet(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    pools = [{"subnet": "10.10.0.0/23", "prefixLength": 24}]
    for container in ("c1", "c2"):
        lease_alone(world, container)
        dies(world, container)
    break_for(monkeypatch, death.DeathProof, "_is_dead", is_c1)
    world.kernel.add_pod("/run/netns/next")

    added = world.call("ADD", world.conf(ipam=world.ipam(pools=pools)), "next", "/run/netns/next")

    assert added.code == 0, added.text
    assert held(world) == {"c1@net1", "next@net1"}
    assert "c1/net1" in world.log_file.read_text()


def test_an_add_and_a_vf_that_cannot_be_looked_at(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.kernel.add_pod(OTHERS)
    break_for(monkeypatch, Sysfs, "vf", lambda _sysfs, _index, vf: vf == VF0)

    added = world.call("ADD", world.conf())
    refused = world.call("ADD", world.conf(master=None, deviceID=VF0), "c2", OTHERS)

    assert added.code == 0, added.text
    assert [path.name.rpartition("+")[2] for path in (world.run_dir / "claims").iterdir()] == [VF1]
    assert (refused.code, "cannot be looked at" in refused.text) == (11, True), refused.text


def test_status_and_a_pf_that_cannot_be_looked_at(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.kernel.add_pf("enp2s0f0", "0000:02:00.0", numvfs=1)
    pfs = {"names": ["enp1s0f0", "enp2s0f0"]}
    break_for(monkeypatch, card, "port_of", lambda _host, pf: pf.ifname == "enp1s0f0")

    assert world.call("STATUS", world.conf(**NEW, master=None, pf=pfs)).code == 0
    alone = world.call("STATUS", world.conf(**NEW))

    assert (alone.code, "a bug" in alone.text) == (50, True), alone.text


def test_sriovctl_status(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    attach(world, "c1", "c2")
    break_for(monkeypatch, death, "proof", is_c1)

    told = sriovctl(world, "status", "--json")

    assert told.status == 0, told.err
    assert "c2" in told.out
    assert "c1" in told.out


def test_a_file_of_sriov_cni(world: World, old: SriovCni, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that our reader has a bug with; the other's container is given back."""
    conf = old.add("c1", vlan=5)
    old.add("c2", OTHERS, index=1, vlan=7)
    break_for(monkeypatch, sriovcni, "parse", lambda text: VF1 in text)

    assert world.call("DEL", conf, "c1").code == 0

    assert "c1-net1" not in old.files()
    assert cachefiles.UNUSABLE in world.log_file.read_text()


def test_vfs_that_wait_for_their_names(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    thieves = []
    for container, vf in (("c1", VF0), ("c2", VF1)):
        path = f"/run/netns/{container}"
        world.kernel.add_pod(path)
        conf = world.conf(master=None, deviceID=vf)
        assert world.call("ADD", conf, container, path).code == 0
        thieves.append(world.kernel.add_link(world.kernel.host, f"enp1s0f0v{int(vf[-1]) // 2}"))
        assert world.call("DEL", conf, container, path).code == 0
    for thief in thieves:
        world.kernel.destroy(thief)
    break_for(monkeypatch, homename, "_settle", lambda _host, vf: vf == VF0)

    assert gc(world).code == 0

    assert (world.kernel.host.has("enp1s0f0v0"), world.kernel.host.has("enp1s0f0v1")) == (False, True)


@pytest.mark.parametrize("where", [(death, "proof"), (giveback, "give_back")])
def test_sriovctl_gc(world: World, monkeypatch: pytest.MonkeyPatch, where: tuple[Any, str]) -> None:
    attach(world, "c1", "c2")
    for container in ("c1", "c2"):
        dies(world, container)
    break_for(monkeypatch, *where, is_c1)

    told = sriovctl(world, "gc")

    assert "a bug" in told.out
    assert held(world) == {"c1@net1"}


# the loops themselves ------------------------------------------------------------------------------------------------

MANY = re.compile(
    r"(claims|records|all_files|unknown|holdings|stores|everywhere|holders_of_kept|leases_of|in_the_way)\("
)
ALONE = {  # why an error of one may end these
    "ctl": "the operator's own tool: an error that it shows is his to see; what acts is `_surviving`",
    "ipam/own.py:all_holdings": "looks only",
    "ipam/own.py:in_the_way": "each directory is on its own, and what it holds is only told",
    "leases/sticky.py": "under the lock of the store: half a decision would be wrong",
    "leases/transaction.py": "under the lock of the store: half a decision would be wrong",
    "leases/snapshot.py": "looks only, and what it cannot see must not seem free",
    "leases/store.py:holdings": "damaged ones are told, and passed over",
    "owner/holder.py:told_of_vfs": "the error that is told; what cannot be read is among it by name",
    "state/claims.py:refuse_unclear": "what cannot be read is what it is about",
    "state/ledger.py:records": "complains of each that cannot be read",
    "verbs/gc.py:_unreadable": "what cannot be read is what it is about",
    "vf/crypto.py:_used": "what cannot be read is what it is about",
    "vf/vppcontainer.py:_refuse_unclear": "what cannot be read is what it is about",
    "vf/cachefiles.py:holder": "who cannot be looked at has it",
}


def loops_without_failures() -> list[str]:
    root = Path(cni_sriov.__file__).parent
    return [
        f"{path.relative_to(root)}:{function.name}"
        for path in sorted(root.rglob("*.py"))
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef) and any(map(is_bare, function.body))
    ]


def is_bare(node: ast.AST) -> bool:
    """Whether there is a loop over many in it whose body, or that itself, is in no `with ....of(...)`."""
    if isinstance(node, ast.With) and ".of(" in ast.unparse(node.items[0]):
        return False
    if isinstance(node, ast.For) and MANY.search(ast.unparse(node.iter)):
        return not any(
            isinstance(inner, ast.With) and ".of(" in ast.unparse(inner) for inner in ast.walk(node)
        )
    return any(map(is_bare, ast.iter_child_nodes(node)))


def test_every_loop_over_many_goes_on_past_one() -> None:
    left = [
        where for where in loops_without_failures() if not any(where.startswith(known) for known in ALONE)
    ]
    assert left == []
    assert len(loops_without_failures()) < 20, "else nothing is guarded"
