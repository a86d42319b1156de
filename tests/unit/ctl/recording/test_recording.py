"""The file: the same bytes for the same node, and a sentence for whatever is none, however it was made."""

from __future__ import annotations

import gzip
import json
from errno import EIO
from typing import Any

import pytest

from cni_sriov.ctl.recording import recording
from cni_sriov.ctl.recording.answers import Answers
from cni_sriov.ctl.recording.recording import Netns, Node, Recording, document, packed, unpacked
from cni_sriov.ctl.recording.tree import Tree
from cni_sriov.decide.facts_cluster import FileFault
from cni_sriov.words.domain import Link
from cni_sriov.words.errors import BadConfig


def a_recording() -> Recording:
    tree = Tree(
        files={"/sys/b": b"\xff\0", "/sys/a": b"text\n"},
        links={"/sys/l": "a"},
        lists={"/sys": ["a", "b", "l"]},
        there={"/dev/x"},
        failed={"/sys/f": EIO},
        unread={"/sys/u": 4095},
        same={"/run/s": "/run/t"},
        ages={"/run/t": 1.5},
    )
    node = Node(1, 2.5, "boot", "/run/cni-sriov", "/var/s", "/var/d", "/opt/sriov")
    node.inodes, node.live, node.opened = (
        {"0000:01:10.0": 7},
        {5: ["/proc/1/ns/net"]},
        {"/n": Netns((4, 5), 6)},
    )
    node.cluster_dir, node.cluster_files = (
        "/var/c",
        {"/etc/r.json": [FileFault("why"), FileFault("w", "chmod")]},
    )
    told = Answers({"links []": [Link(1, "lo")]}, {"addresses [0]": ("list addresses", EIO, "why")})
    return Recording("0.1", True, node, tree, told, {5: Answers({"ifname [1]": "lo"})})


def test_there_and_back() -> None:
    assert unpacked(packed(a_recording()), "x") == a_recording()


def test_one_of_an_earlier_version_has_no_cluster() -> None:
    raw = document(a_recording())
    del raw["node"]["clusterDir"], raw["node"]["clusterFiles"]

    node = unpacked(json.dumps(raw).encode(), "x").node

    assert (node.cluster_dir, node.cluster_files) == ("/var/lib/cni-sriov/clusters", {})


@pytest.mark.parametrize("told", [["why"], [["why"]], [["why", 5]], [["a", "b", "c"]], "why", [None]])
def test_what_is_no_fault_of_a_clusters_file_is_refused(told: Any) -> None:
    raw = document(a_recording())
    raw["node"]["clusterFiles"] = {"/etc/r.json": told}

    with pytest.raises(BadConfig, match="it is no recording"):
        unpacked(json.dumps(raw).encode(), "x")


def test_the_same_node_gives_the_same_bytes() -> None:
    """In whatever order it was looked at."""
    other = a_recording()
    other.tree.files = dict(reversed(other.tree.files.items()))
    assert packed(a_recording()) == packed(other)
    assert packed(a_recording())[4:8] == bytes(4)  # RFC 1952: MTIME


def test_a_plain_document_is_one_too() -> None:
    text = json.dumps(document(a_recording()))
    assert unpacked(text.encode(), "x") == a_recording()


def broken(**parts: Any) -> dict[str, Any]:
    return document(a_recording()) | parts


NODE = document(a_recording())["node"]
HOSTILE: list[Any] = [
    [],
    None,
    {},
    broken(recording=2),
    broken(recording="1"),
    broken(by=None),
    broken(files=[]),
    broken(files={"/a": 7}),
    broken(files={"/a": {"base64": "%"}}),
    broken(files={"../etc/passwd": "x"}),
    broken(files={"/run/../../etc/passwd": "x"}),
    broken(files={"/run//x": "x"}),
    broken(files={"/run/\0": "x"}),
    broken(links={"/a": None}),
    broken(directories={"/a": "bc"}),
    broken(directories={"/a": [7]}),
    broken(directories={"/sys/bus/pci/devices": ["../../etc"]}),
    broken(links={"/sys/x/virtfn0": "../etc"}),
    broken(there="x"),
    broken(failed={"/a": "EVIL"}),
    broken(failed={"/a": 5}),
    broken(same={"/run/a": "/../etc/shadow"}),
    broken(same={"run/a": "/x"}),
    broken(ages={"/a": "old"}),
    broken(node=NODE | {"runDir": "../up"}),
    broken(node=NODE | {"made": True}),
    broken(node=NODE | {"live": {"x": []}}),
    broken(node=NODE | {"opened": {"/n": {"identity": [1], "cookie": 0, "bad": ""}}}),
    broken(node=NODE | {"inodes": {"0000:01:10.0": "7"}}),
    broken(netlink={"host": {"told": {"links []": {"noun": "Link", "of": 7}}, "refused": {}}, "pods": {}}),
    *(
        broken(netlink={"host": {"told": {asked: answer}, "refused": {}}, "pods": {}})
        for asked, answer in (
            ('find_link ["x"]', "x"),
            ("whole_link [2]", True),
            ("vf_states [2, null]", {"map": [[0, "x"]]}),
            ("links []", None),
            ('ifindex ["x"]', True),
            ("delete [2]", None),
        )
    ),
    broken(netlink={"host": {"told": {}, "refused": {"x": {"verb": "v", "errno": "EIO"}}}, "pods": {}}),
    *(broken(ages={"/run/t": age}) for age in (float("nan"), float("inf"), -1, 1e300, 10**400)),
    *(broken(node=NODE | {"uptime": uptime}) for uptime in (float("nan"), float("-inf"), 10**400)),
    broken(node=NODE | {"made": 10**30}),
    *(
        broken(**{part: {"/sys/f": str(number)}})
        for part in ("failed", "unread")
        for number in (4096, 10**18)
    ),
]


@pytest.mark.parametrize("raw", HOSTILE, ids=range(len(HOSTILE)))
def test_what_is_none_is_refused_in_a_sentence(raw: Any) -> None:
    for content in (json.dumps(raw).encode(), gzip.compress(json.dumps(raw).encode())):
        with pytest.raises(BadConfig, match='replay "x": it is no recording') as caught:
            unpacked(content, "x")
        assert len(caught.value.msg) < 500


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x1f\x8b",
        b"\x1f\x8b\x08" + bytes(40),
        gzip.compress(b"{}")[:-3],
        gzip.compress(b"{}")[:-8] + bytes(8),
        b"\xff\xfe",
        b"[" * 100_000,
        gzip.compress(b"[" * 1_000_000),
        b"9" * 5000,
        b'{"recording": 1e999}',
    ],
    ids=range(10),
)
def test_what_is_no_document_is_refused_in_a_sentence(content: bytes) -> None:
    with pytest.raises(BadConfig, match="it is no recording"):
        unpacked(content, "x")


def test_a_bomb_does_not_go_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """1 GiB of zeros is 1 MB by gzip; no more than what is allowed is ever unpacked."""
    monkeypatch.setattr(recording, "MOST", 1 << 16)
    for content in (gzip.compress(bytes(1 << 22)), bytes(1 << 17)):
        with pytest.raises(BadConfig, match="it has more than"):
            unpacked(content, "x")


def test_no_document_makes_a_thousand_times_its_size_of_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    """`[],` is 3 bytes, and a list takes 64."""
    monkeypatch.setattr(recording, "MOST_PARTS", 100)
    for part in ("[]", "{}", '"ab"', "1"):
        content = f"[{','.join([part] * 200)}]".encode()
        with pytest.raises(BadConfig, match="it has more than 100 parts"):
            unpacked(content, "x")
