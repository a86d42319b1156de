"""State files with anything in them: Records, claims, lease files, indexes, cursors, the node's locks with the pending
change, damaged byte by byte, cut, or replaced by what is no file.

One damaged file costs at most its own attachment: every call still ends as the contract says, nobody else's
attachment is lost, and when all are deleted the card is as before.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cni_sriov.words import jsontext
from cni_sriov.words.errors import BadJson
from cni_sriov.words.record import Record
from tests import fuzzing
from tests.fuzzing import Answer, budget, damaged_bytes, mutated
from tests.unit.ctl.tool import sriovctl
from tests.world import World

pytestmark = pytest.mark.slow

PODS = ("c1", "c2", "c3")
KINDS = [
    "bytes",
    "bytes",
    "bytes",
    "json",
    "json",
    "empty",
    "gone",
    "directory",
    "symlink",
    "dangling",
    "fifo",
    "other",
    "swapped",
]
V6 = {"subnet": "fd00:10::/48", "prefixLength": 64}


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="fuzz-"))
    yield directory
    shutil.rmtree(directory)


class Node:
    """c1 and c2 are attached, c3 comes later."""

    def __init__(self, root: Path) -> None:
        self.world = World(Path(tempfile.mkdtemp(dir=root)))
        kernel = self.world.kernel
        kernel.add_pf("enp1s0f0", "0000:01:00.0", numvfs=4)
        for vf in kernel.pfs[0].vfs:  # as after its first `up`: the PF knows the address it has
            vf.state.mac = vf.link.mac if vf.link else ""
        for container in PODS:
            kernel.add_pod(f"/run/netns/{container}")
        self.before = kernel.snapshot()
        for container in PODS[:2]:
            assert self.call("ADD", container).code == 0

    def conf(self, container: str) -> dict[str, Any]:
        pools = [{"subnet": "10.10.0.0/16", "prefixLength": 24}, V6]
        number = PODS.index(container) + 1
        mac = {"mac": f"02:00:00:00:aa:0{number}", "vlan": number, "mtu": 1400, "verifyTimeout": 0}
        mac["runtimeConfig"] = {"CNIDeviceInfoFile": f"{self.world.devinfo_dir}/{container}"}
        return self.world.conf(cniVersion="1.1.0", ipam=self.world.ipam(pools=pools), **mac)

    def call(self, verb: str, container: str, **keys: Any) -> Answer:
        env = {
            "CNI_COMMAND": verb,
            "CNI_CONTAINERID": container,
            "CNI_IFNAME": "net1",
            "CNI_PATH": "/opt/cni/bin",
        }
        env["CNI_NETNS"] = f"/run/netns/{container}"
        conf = self.conf(container or "c1") | keys
        return fuzzing.call(self.world, env, json.dumps(conf).encode())

    def ask(self, verb: str, container: str, path: Path, **keys: Any) -> Answer:
        """A call; where it says of the damaged path that it cannot be used, the operator takes it away first, and what
        cannot be read he gives up by the way that the error names.
        """
        answer = self.call(verb, container, **keys)
        way_out = (
            re.search(r"sriovctl gc --forget ([^`]+)`", answer.stdout) if verb in {"DEL", "GC"} else None
        )
        if answer.code == 11 and way_out is not None:
            run = sriovctl(self.world, "--json", "gc", "--forget", way_out[1])
            assert run.status == 0, run.out
            answer = self.call(verb, container, **keys)
        if answer.code == 5 and str(path) in answer.stdout:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
            answer = self.call(verb, container, **keys)
        return answer

    def files(self) -> list[Path]:
        directories = (self.world.run_dir, self.world.state_dir, self.world.data_dir)
        found = [path for directory in directories for path in directory.rglob("*")]
        return sorted(path for path in found if path.is_symlink() or path.is_file())

    def pod(self, container: str) -> Any:
        return self.world.kernel.pods[f"/run/netns/{container}"].snapshot()


def owner_of(node: Node, path: Path) -> str:
    """The attachment whose file it is; "" for what all share."""
    if path.name in {f"{container}@net1" for container in PODS}:
        return path.name.partition("@")[0]
    if path.parent.name == "claims":
        return json.loads(path.read_text())["attachment"]["container_id"] if path.is_file() else ""
    if path.parent.name == "leases":
        return str(json.loads(path.read_text())["attachment"]["container_id"])
    return ""


def damage(draw: st.DrawFn, node: Node, path: Path) -> bool:
    """False if what stands there now may be believed: it reads as a Record or a lease, with another content."""
    kind = draw(st.sampled_from(KINDS))
    text = b"" if path.is_symlink() else path.read_bytes()
    others = [other for other in node.files() if not other.is_symlink()]
    other = draw(st.sampled_from(others)).read_bytes()
    if kind in {"bytes", "json", "swapped"} and path.is_symlink():
        kind = "gone"
    inode = (
        kind in {"bytes", "json", "empty", "other", "swapped"}
        and draw(st.booleans())
        and not path.is_symlink()
    )
    new = {"bytes": text, "other": other}.get(kind, b"")
    if kind == "bytes":
        new = draw(damaged_bytes(text[:4096] if len(text) > 4096 else text))
    if kind == "swapped":
        new = swapped(text)
    if kind == "json":
        new = as_json(draw, text)
    if not inode:
        path.unlink()
    if kind == "directory":
        path.mkdir()
    elif kind == "symlink":
        path.symlink_to("/etc/passwd")
    elif kind == "dangling":
        path.symlink_to(node.world.root / "nowhere")
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind != "gone":
        path.write_bytes(new)
    if kind == "gone" and path.parent.name == "owners":
        return False  # whose the leases are, only reading them all would tell: they are taken until the boot ends
    return not believable(new) if kind in {"bytes", "json", "other", "swapped"} else True


def swapped(text: bytes) -> bytes:
    """c1's VF, address and name for c2's, and the other way round."""
    for one, two in (
        (b"01:10.0", b"01:10.2"),
        (b'vf_index": 0', b'vf_index": 1'),
        (b"10.10.0.", b"10.10.1."),
    ):
        text = text.replace(one, b"\0").replace(two, one).replace(b"\0", two)
    return text


def as_json(draw: st.DrawFn, text: bytes) -> bytes:
    try:
        document = json.loads(text)
    except ValueError:
        return draw(damaged_bytes(text))
    return json.dumps(mutated(draw, document, 1)).encode("utf-8", "surrogateescape")


def believable(text: bytes) -> bool:
    """No checksum tells a Record with another VLAN from the one we wrote."""
    try:
        raw = jsontext.parse_object(text.decode("utf-8", "surrogateescape"))
        if raw.keys() & {"vf", "pf", "baseline"}:
            Record.from_json(raw)
        return "attachment" in raw
    except (BadJson, ValueError, KeyError, TypeError):
        return False


@budget(110)
@given(data=st.data())
def test_a_damaged_state_file_costs_at_most_its_own_attachment(root: Path, data: st.DataObject) -> None:
    node = Node(root)
    path = data.draw(st.sampled_from(node.files()))
    mine = owner_of(node, path)
    others = [container for container in PODS[:2] if container != mine]
    pods = {container: node.pod(container) for container in others}
    told = data.draw(st.composite(lambda draw: damage(draw, node, path))())
    where = f"{path.relative_to(node.world.root)} of {mine or 'all'}"

    for verb, container in data.draw(
        st.permutations([("CHECK", "c1"), ("CHECK", "c2"), ("STATUS", "c1"), ("ADD", "c3")])
    ):
        answer = node.ask(verb, container, path)
        if verb == "CHECK" and container in others:
            assert answer.code == 0, f"{where}: {answer.stdout}"
    gone = node.ask("GC", "", path, **gc_keeps(*others)) if data.draw(st.booleans()) else None
    for container in others:
        assert node.pod(container) == pods[container], f"{where}: {gone and gone.stdout}"
        if gone is not None:
            assert node.ask("CHECK", container, path).code == 0, where

    if mine:
        node.ask("DEL", mine, path)
        for container in others:
            assert node.pod(container) == pods[container], where
            assert node.ask("CHECK", container, path).code == 0, where
    for container in data.draw(st.permutations(PODS)):
        deleted = [node.ask("DEL", container, path) for _ in range(2)]
        assert not told or deleted[1].code == 0, f"{where}: {deleted[1].stdout}"
    if told:
        assert node.world.kernel.snapshot() == node.before, where
        assert leases(node) == [], where
    shutil.rmtree(node.world.root)


def gc_keeps(*containers: str) -> dict[str, Any]:
    entries = [{"containerID": container, "ifname": "net1"} for container in containers]
    return {"cni.dev/valid-attachments": entries}


def leases(node: Node) -> list[str]:
    return [
        path.name for path in node.files() if path.parent.name == "leases" and not path.name.startswith(".")
    ]


# found, and fixed ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["leases", "state"])
@pytest.mark.parametrize("wrong", [[], {}, None, 7])
def test_a_lease_of_wrong_types_is_damaged_and_no_bug(root: Path, place: str, wrong: Any) -> None:
    """The owner and its leases are one file: both halves are damaged."""
    node = Node(root)
    for path in node.files():
        if path.name == {"leases": "10.10.0.0_24", "state": "c1@net1"}[place] and path.parent.name == place:
            document = json.loads(path.read_text())
            document["leases"][0]["address"] = wrong
            path.write_text(json.dumps(document))
    assert node.call("CHECK", "c1").exit_code == (place == "leases"), "of the Record there is another copy"
    assert node.call("CHECK", "c2").code == 0
    assert node.call("DEL", "c1").code == (11 if place == "leases" else 0)
    assert [node.ask("DEL", container, node.world.root).code for container in ("c1", "c2")] == [0, 0]
    assert (node.world.kernel.snapshot(), leases(node)) == (node.before, [])


@pytest.mark.parametrize("kind", ["directory", "empty", "symlink"])
def test_a_lease_that_is_no_file_any_more_is_free_after_its_delete(root: Path, kind: str) -> None:
    node = Node(root)
    (path,) = (path for path in node.files() if path.name == "10.10.0.0_24")
    path.unlink()
    if kind == "directory":
        path.mkdir()
    elif kind == "symlink":
        path.symlink_to("/etc/passwd")
    else:
        path.write_text("")
    assert node.call("DEL", "c1").code == 0
    assert leases(node) == ["10.10.1.0_24", "fd00:10:0:1::_64"]


def test_an_owners_file_with_anothers_content_costs_its_own_leases_only(root: Path) -> None:
    node = Node(root)
    mine, other = (path for path in node.files() if path.parent.name == "owners")
    mine.unlink()
    mine.write_bytes(other.read_bytes())
    assert node.call("DEL", "c1").code == 11
    assert len(leases(node)) == 4
    assert node.ask("DEL", "c1", mine).code == 0
    assert leases(node) == ["10.10.1.0_24", "fd00:10:0:1::_64"]
    assert node.call("CHECK", "c2").code == 0


@pytest.mark.parametrize("status", ["done", "in-progress"])
def test_a_record_that_names_anothers_vf_does_not_touch_it(root: Path, status: str) -> None:
    node = Node(root)
    record = node.world.state_dir / "c1@net1"
    record.write_bytes(swapped(record.read_bytes()).replace(b'"done"', f'"{status}"'.encode()))
    seen = node.pod("c2"), node.world.kernel.pfs[0].vfs[1].snapshot()

    for _ in range(2):
        assert node.call("DEL", "c1").exit_code in {0, 1}

    assert (node.pod("c2"), node.world.kernel.pfs[0].vfs[1].snapshot()) == seen
    assert [node.call(verb, "c2").code for verb in ("CHECK", "DEL")] == [0, 0]
    assert node.call("DEL", "c1").code == 0
    assert (node.world.kernel.snapshot(), leases(node)) == (node.before, [])


def test_a_node_lock_that_is_a_fifo_is_named(root: Path) -> None:
    node = Node(root)
    path = node.world.run_dir / "subnets/lock"
    path.unlink()
    os.mkfifo(path)
    refused = node.call("DEL", "c1")
    assert (refused.code, str(path) in refused.stdout) == (5, True)
    path.unlink()
    assert [node.call("DEL", container).code for container in ("c1", "c2")] == [0, 0]
    assert (node.world.kernel.snapshot(), leases(node)) == (node.before, [])


@pytest.mark.parametrize("part", range(5))
@pytest.mark.parametrize("wrong", ["\0", "../../../../victim", "\udcff", ""])
def test_a_damaged_pending_change_harms_nobody(root: Path, part: int, wrong: str) -> None:
    """Its fields become parts of paths that are unlinked."""
    node = Node(root)
    victim = node.world.root / "victim"
    victim.write_text("")
    fields = [str(node.world.data_dir), "default", "c9@net1", "", "10.10.7.0_24"]
    fields[part] = wrong
    text = "\n".join(fields).encode("utf-8", "surrogateescape")
    with (node.world.run_dir / "subnets/lock").open("r+b") as page:
        page.seek(512)
        page.write(len(text).to_bytes(4, "little") + text)
    assert node.call("ADD", "c3").code == 0
    assert [node.call("CHECK", container).code for container in PODS] == [0, 0, 0]
    assert [node.call("DEL", container).code for container in PODS] == [0, 0, 0]
    assert (node.world.kernel.snapshot(), leases(node), victim.exists()) == (node.before, [], True)
