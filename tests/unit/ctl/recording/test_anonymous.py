"""Whatever is planted on a node, an anonymous recording of it has nothing of it, in whatever form; and says the same otherwise."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from cni_sriov.ctl.recording import anonymous
from cni_sriov.ctl.recording.anonymous import of
from cni_sriov.ctl.recording.answers import Answers
from cni_sriov.ctl.recording.recording import Node, Recording, packed
from cni_sriov.ctl.recording.tree import Tree
from cni_sriov.words.domain import Link
from tests.fakes import FakeLink
from tests.unit.ctl.recording import taken
from tests.world import World

ID = "5f0e6a1c" * 8
NETNS = "/run/netns/cni-0b7c2f3e-tenant"
PLANTED = {
    ID, ID[:12], "cni-0b7c2f3e-tenant", "frontend-7d9f", "web-shop", "0d5c-uid-9a", "rack17-host", "203.0.113", "a1:b2:c3",
}  # fmt: skip


@pytest.fixture
def planted(world: World) -> World:
    taken.node(world)
    world.kernel.add_pod(NETNS)
    args = "K8S_POD_NAMESPACE=web-shop;K8S_POD_NAME=frontend-7d9f;K8S_POD_UID=0d5c-uid-9a"
    pools = [{"subnet": "203.0.113.0/24", "prefixLength": 28}]
    conf = world.conf(ipam=world.ipam(pools=pools, sticky=True, scope="x"), mac="02:00:00:a1:b2:c3")
    added = world.call("ADD", conf, ID, NETNS, args=args)
    assert added.code == 0, added.text
    root = world.kernel.root
    (root / "proc/sys/kernel").mkdir(parents=True)
    (root / "proc/sys/kernel/hostname").write_text("rack17-host\n")
    (root / "etc/cni/net.d").mkdir(parents=True)
    (root / "etc/cni/net.d/10-x.conflist").write_text(
        json.dumps({"name": "x", "node": "rack17-host", "gw": "203.0.113.1"})
    )
    world.kernel.host.add(FakeLink("eth9", "02:00:00:a1:b2:c4"))
    return world


def hidden(world: World) -> Recording:
    return of(taken.recorded(world), b"salt", ["rack17-host"])


def everything(recording: Recording) -> str:
    """What a reader of the file can see: the document, and what is in it by base64 and in hex."""
    text = gzip.decompress(packed(recording)).decode()
    raw = json.loads(text)
    inside = [base64.b64decode(one["base64"]) for one in raw["files"].values() if isinstance(one, dict)]
    return text + "".join(one.decode("latin-1") for one in inside)


def test_nothing_that_was_planted_is_in_it(planted: World) -> None:
    plain, told = everything(taken.recorded(planted)), everything(hidden(planted))

    assert {secret for secret in PLANTED if secret not in plain} == set(), "else it proves nothing"
    assert {secret for secret in PLANTED if secret in told} == set()


def test_it_says_the_same_otherwise(planted: World, tmp_path: Path) -> None:
    plain = taken.written(taken.recorded(planted), tmp_path / "plain")
    other = taken.written(hidden(planted), tmp_path / "other")

    for verb in ("status", "leases", "oracle"):
        one, two = (taken.replayed(file, verb, "--json") for file in (plain, other))
        assert (one.status, shape(one.document)) == (two.status, shape(two.document)), verb
    one, two = (taken.replayed(file, "doctor", "--json") for file in (plain, other))
    assert [(f["rule"], f["severity"]) for f in one.document["findings"]] == [
        (f["rule"], f["severity"]) for f in two.document["findings"]
    ]


def shape(raw: Any) -> Any:
    """Without the words: the sentences have names in them."""
    if isinstance(raw, dict):
        return {key: shape(value) for key, value in raw.items()}
    if isinstance(raw, list):
        return [shape(one) for one in raw]
    return type(raw) if isinstance(raw, str) else raw


def test_each_call_has_its_own_words(planted: World) -> None:
    recording = taken.recorded(planted)
    one, two = (of(recording, salt).tree.files for salt in (b"1", b"2"))
    assert {path for path in one if "@net1" in path}.isdisjoint(path for path in two if "@net1" in path)


def test_a_cards_serial_number_is_its_mac() -> None:
    """PCI Express 7.9.3: the capability behind the first one, at 0x140."""
    space = bytearray(0x200)
    space[0x100:0x104] = (0x0001 | 1 << 16 | 0x140 << 20).to_bytes(4, "little")
    space[0x140:0x144] = (0x0003 | 1 << 16).to_bytes(4, "little")
    space[0x144:0x14C] = bytes.fromhex("efcdabffff005452")
    tree = Tree(files={"/sys/devices/x/config": bytes(space), "/sys/class/net/x/ifalias": b"alice\n"})

    told = of(Recording(node=Node(), tree=tree), b"salt").tree.files

    assert told["/sys/devices/x/config"][0x144:0x14C] == bytes(8)
    assert told["/sys/devices/x/config"][:0x144] == bytes(space[:0x144])
    assert told["/sys/class/net/x/ifalias"] == b"\n"


def test_of_a_link_only_what_counts_is_left() -> None:
    """whole_link is the kernel's own message: header, address, alias, counters."""
    mac = bytes.fromhex("0200a1b2c3d4")
    body = bytes(16)
    for kind, payload in ((1, mac), (20, b"alice\0"), (23, b"\7" * 192), (21, b"\1\0\0\0")):
        body += (4 + len(payload)).to_bytes(2, "little") + kind.to_bytes(2, "little") + payload
        body += bytes(-len(payload) % 4)
    link = Link(3, "x", mac="02:00:a1:b2:c3:d4", attrs={1: mac, 20: b"alice\0"})
    recording = Recording(told=Answers({"whole_link [3]": body, "links []": [link]}))

    told = of(recording, b"salt").told.told

    (hidden_link,) = told["links []"]
    assert (hidden_link.mac[:8], hidden_link.mac != link.mac) == ("02:00:a1", True)
    assert hidden_link.attrs == {1: bytes.fromhex(hidden_link.mac.replace(":", ""))}
    assert (b"alice" in told["whole_link [3]"], mac in told["whole_link [3]"]) == (False, False)
    assert b"\7" * 192 in told["whole_link [3]"]


def test_half_of_a_file_has_names_too() -> None:
    text = b'{"attachment": {"container_id": "tenant-x9", "ifn'
    tree = Tree(files={"/var/s/a@b": text}, lists={"/var/s": ["a@b"]})
    recording = Recording(node=Node(state_dir="/var/s"), tree=tree)
    assert b"tenant-x9" not in b"".join(anonymous.of(recording, b"s").tree.files.values())


def test_a_name_that_only_a_files_name_has() -> None:
    """A lock's file is empty, sticky owners are damaged, and sriov-cni's say no container's ID."""
    names = ["tenant-x9@net1", "blue-c0de-net1"]
    sticky = "/var/d/default/sticky/owners"
    tree = Tree(
        files={f"/var/s/{name}": b"{}" for name in names} | {f"{sticky}/fast@shopns@podname-1@net1": b"{"},
        lists={"/var/s": names, sticky: ["fast@shopns@podname-1@net1"], "/var/d": []},
    )
    recording = Recording(node=Node(state_dir="/var/s", data_dir="/var/d"), tree=tree)

    told = anonymous.of(recording, b"s").tree

    paths = " ".join([*told.files, *(name for listed in told.lists.values() for name in listed)])
    assert [secret for secret in ("tenant-x9", "blue-c0de", "shopns", "podname-1") if secret in paths] == []
    assert {path.rpartition("/")[2] for path in told.files if path.startswith("/var/s/")} == {
        *told.lists["/var/s"]
    }
    assert paths.count("@net1") == 4


@pytest.mark.parametrize("name", ["network", "igb", "settings", "done", "sriov_numvfs"])
def test_a_name_that_is_a_word_of_the_format_breaks_nothing(world: World, tmp_path: Path, name: str) -> None:
    taken.node(world)
    world.kernel.add_pod("/run/netns/x")
    args = f"K8S_POD_NAMESPACE=ns;K8S_POD_NAME={name}"
    assert world.call("ADD", world.conf(ipam=world.ipam()), name, "/run/netns/x", args=args).code == 0
    plain = taken.recorded(world)

    for verb in ("status", "leases"):
        one = taken.replayed(taken.written(plain, tmp_path / "plain"), verb, "--json")
        two = taken.replayed(taken.written(of(plain, b"salt"), tmp_path / "other"), verb, "--json")
        assert shape(two.document) == shape(one.document), verb
