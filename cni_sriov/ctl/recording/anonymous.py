"""`record --anonymous`: who runs on the node is hidden, what the node is stays. The same name is the same word in every path,
file and answer, so that rules judge the recording as they judge the node.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

from ...decide.facts_cluster import FileFault
from ...kernel.attributes import attr, attrs_of
from ...kernel.replies import Address
from ...kernel.rtnl import IFINFO
from ...wire.sriovcni import attachments
from ...words.domain import Link
from ...words.origin import Origin
from ...words.record import VfState
from .answers import Answers, Refusal
from .hiding import Hiding
from .recording import Node, Recording
from .state import directories_in
from .tree import Tree

_KEPT = {"", "default", "kube-system", "none", "host"}  # names of nobody
_OF_PATHS = {
    "proc",
    "run",
    "var",
    "netns",
    "docker",
    "ns",
    "net",
    "user",
    "self",
    "thread-self",
    "root",
    "mnt",
    "lib",
    "cni",
}
# of a Record's or a sriov-cni's file, and of CNI_ARGS: "podName": whatever
_NAMES = {
    "container_id", "containerID", "ContainerID", "sandbox", "pod", "podName", "namespace", "hostname", "nodeName",
    "node", "fingerprint", "machine",  # of who shares a pool (state/blocks.py)
    "K8S_POD_NAME", "K8S_POD_NAMESPACE", "K8S_POD_INFRA_CONTAINER_ID", "K8S_POD_UID",
}  # fmt: skip
_NETNS = {"netns", "Sandbox"}
_ENDPOINT = re.compile(r"https?://([A-Za-z0-9.-]*[A-Za-z][A-Za-z0-9.-]*)")  # an address is hidden as all are
_ARGS = re.compile(r"([A-Za-z0-9_]+)=([^;\s]+)")
# of a Link: alias, phys_port_id, phys_switch_id, phys_port_name, names
_HIDDEN_ATTRS = {20, 31, 36, 38, 52, 53}
_IDS = re.compile(r"/(phys_switch_id|phys_port_id|node_guid|sys_image_guid)$")  # made of a MAC
_COUNTED = (21, 22, 23)  # of a whole link, what counters are read from: NUM_VF, VFINFO_LIST, STATS64
_SERIAL = 0x0003  # extended capability, PCI Express 7.9.3


def of(recording: Recording, salt: bytes, names: Iterable[str] = ()) -> Recording:
    """`names`: more that must not be told, like the machine's own."""
    hiding = Hiding(salt)
    hiding.hide({name for name in (*names, *_names(recording)) if _is_name(name)} - _words_of(recording))
    for text in _texts(recording):
        hiding.learn_lengths(text)
    for mac in _macs(recording):
        hiding.learn_mac(mac)
    return Recording(
        recording.by,
        True,
        _node(recording.node, hiding),
        _tree(recording.tree, hiding, directories_in(recording.tree, recording.node)),
        _answers(recording.told, hiding),
        {inode: _answers(told, hiding) for inode, told in recording.pods.items()},
    )


def _is_name(name: str) -> bool:
    return name not in _KEPT and not name.isdigit() and len(name) > 1


# whose names there are ------------------------------------------------------------------------------------------------


def _words_of(recording: Recording) -> set[str]:
    """What a name may be, too, and must stay: the keys and words of our own files, what sysfs calls things."""
    tree = recording.tree
    found = {
        *_OF_PATHS,
        "done",
        "in-progress",
        "released",
        "auto",
        "enable",
        "disable",
        "sticky",
        "owners",
        "leases",
        "claims",
    }
    for path, listed in tree.lists.items():
        if path.startswith(("/sys/", "/proc", "/etc/", "/opt/", "/usr/")):
            found.update(listed)
    for top in directories_in(tree, recording.node):
        found.update(part for part in top.split("/"))
        for path in tree.below(top):
            found.update(re.findall(r'"(\w+)":', tree.files.get(path, b"").decode("utf-8", "replace")))
    return found


def _names(recording: Recording) -> Iterator[str]:
    tree, node = recording.tree, recording.node
    for path in (*node.opened, *(path for paths in node.live.values() for path in paths)):
        yield from _in_path(path)
    for top in directories_in(tree, node):
        for path in tree.below(top):
            yield from _in_name(path, path.rpartition("/")[0] == top)
            if path in tree.files:
                yield from _in_content(tree.files[path])


def _in_path(path: str) -> Iterator[str]:
    """Of a netns: what it is called is the pod's, the engine's or the user's word."""
    return (part for part in path.split("/") if part not in _OF_PATHS and not part.isdigit())


def _in_name(path: str, may_be_theirs: bool) -> Iterator[str]:
    """<container>@<ifname>; network@namespace@pod@ifname of what is kept for a pod; <container>-<ifname> of sriov-cni."""
    parts = path.rpartition("/")[2].split("@")
    if "/sticky/owners/" in path and len(parts) > 3:
        yield from parts[1:-1]
    elif len(parts) == 2 and ("/owners/" in path or "%2F" not in path):
        yield parts[0].removeprefix(".tmp-")
    elif may_be_theirs:
        yield from (one.container_id for one in attachments(parts[0]))


def _in_content(content: bytes) -> Iterator[str]:
    text = content.decode("utf-8", "replace")
    if text.startswith("/"):  # sriov-cni's mark of a VF: a path
        yield from _in_path(text.strip())
        return
    try:
        yield from _in_json(json.loads(text))
    except (ValueError, RecursionError):
        for key in _NAMES:  # half of a file
            yield from re.findall(rf'"{key}"\s*:\s*"([^"\\]+)"', text)


def _in_json(raw: Any, key: str = "") -> Iterator[str]:
    if isinstance(raw, dict):
        for name, value in raw.items():
            yield from _in_json(value, name)
    elif isinstance(raw, list):
        for value in raw:
            yield from _in_json(value, key)
    elif isinstance(raw, str):
        yield from _in_value(raw, key)


def _in_value(text: str, key: str) -> Iterator[str]:
    if key in _NAMES:
        yield text
    elif key in _NETNS:
        yield from _in_path(text)
    elif key == "sticky":
        yield from text.split("/")[1:-1]
    elif key == "origin":
        origin = Origin.of(text)
        yield from (origin.namespace, origin.name, origin.uid)
    yield from (value for name, value in _ARGS.findall(text) if name in _NAMES)
    yield from _ENDPOINT.findall(text)


def _texts(recording: Recording) -> Iterator[str]:
    """All that may have a prefix in it."""
    tree = recording.tree
    ours = [path for top in directories_in(tree, recording.node) for path in tree.below(top)]
    for path in (*ours, *(path for path in tree.files if path.startswith("/etc/"))):
        yield path.rpartition("/")[2]
        yield tree.files.get(path, b"").decode("utf-8", "replace")
    for answers in (recording.told, *recording.pods.values()):
        for asked, answer in answers.told.items():
            if asked.startswith(("addresses ", "routes ")):
                yield from (one.address if isinstance(one, Address) else one.route.dst for one in answer)


def _macs(recording: Recording) -> Iterator[str]:
    """That stand in an answer in the kernel's own form, too."""
    for answers in (recording.told, *recording.pods.values()):
        for answer in answers.told.values():
            for one in answer if isinstance(answer, list) else [answer]:
                if isinstance(one, Link):
                    yield one.mac
            if isinstance(answer, dict):
                yield from (one.mac for one in answer.values() if isinstance(one, VfState) and one.mac)


# hidden ---------------------------------------------------------------------------------------------------------------


def _node(node: Node, hiding: Hiding) -> Node:
    return replace(
        node,
        live={inode: [hiding.text(path) for path in paths] for inode, paths in node.live.items()},
        opened={
            hiding.text(path): replace(one, bad=hiding.text(one.bad)) for path, one in node.opened.items()
        },
        cluster_files={
            hiding.text(path): [FileFault(hiding.text(one.why), hiding.text(one.command)) for one in faults]
            for path, faults in node.cluster_files.items()
        },
    )


def _tree(tree: Tree, hiding: Hiding, ours: list[str]) -> Tree:
    def path(text: str) -> str:
        return hiding.text(text, any(text == top or text.startswith(f"{top}/") for top in ours))

    return Tree(
        {path(name): _content(name, content, hiding) for name, content in tree.files.items()},
        {path(name): hiding.text(target) for name, target in tree.links.items()},
        {
            path(name): [path(f"{name}/{one}")[len(path(name)) + 1 :] for one in names]
            for name, names in tree.lists.items()
        },
        {path(name) for name in tree.there},
        {path(name): number for name, number in tree.failed.items()},
        {path(name): number for name, number in tree.unread.items()},
        {path(name): path(first) for name, first in tree.same.items()},
        {path(name): age for name, age in tree.ages.items()},
    )


def _content(path: str, content: bytes, hiding: Hiding) -> bytes:
    if path.endswith("/ifalias"):
        return b"\n"
    if path.endswith("/config") and path.startswith("/sys/"):
        return _without_serial(content)
    if _IDS.search(path):
        return hiding.digits(content)
    text = content.decode("utf-8", "surrogateescape")
    has_addresses = not path.startswith(("/sys/", "/proc/", "/usr/", "/lib/")) or path == "/proc/cmdline"
    return hiding.text(text, has_addresses).encode("utf-8", "surrogateescape")


def _without_serial(space: bytes) -> bytes:
    """A card's serial number is its MAC (PCI Express 7.9.3)."""
    found, at, steps = bytearray(space), 0x100, 0
    while 0x100 <= at <= len(space) - 12 and steps < 64:
        head = int.from_bytes(space[at : at + 4], "little")
        if head & 0xFFFF == _SERIAL:
            found[at + 4 : at + 12] = bytes(8)
        at, steps = head >> 20, steps + 1
    return bytes(found)


def _answers(answers: Answers, hiding: Hiding) -> Answers:
    told = {
        hiding.text(question): _answer(question, answer, hiding) for question, answer in answers.told.items()
    }
    refused: dict[str, Refusal] = {
        hiding.text(question): (hiding.text(verb), number, hiding.text(said))
        for question, (verb, number, said) in answers.refused.items()
    }
    return Answers(told, refused)


def _answer(question: str, answer: Any, hiding: Hiding) -> Any:
    if question.startswith("whole_link ") and isinstance(answer, bytes):
        told = attrs_of(answer, IFINFO.size)
        kept = b"".join(attr(kind, told[kind]) for kind in _COUNTED if kind in told)
        return hiding.packed(answer[: IFINFO.size] + kept)
    return _value(answer, hiding)


def _value(value: Any, hiding: Hiding) -> Any:
    if isinstance(value, str):
        return hiding.text(value)
    if isinstance(value, list):
        return [_value(one, hiding) for one in value]
    if isinstance(value, dict):
        return {
            _value(key, hiding): "" if key == "ifalias" else _value(one, hiding) for key, one in value.items()
        }
    if isinstance(value, Link):
        attrs = {kind: one for kind, one in value.attrs.items() if kind not in _HIDDEN_ATTRS}
        value = replace(value, attrs={kind: hiding.packed(one) for kind, one in attrs.items()})
    if is_dataclass(value) and not isinstance(value, type):
        changed = {
            part.name: _value(getattr(value, part.name), hiding)
            for part in fields(value)
            if part.name != "attrs"
        }
        return replace(value, **changed)
    return hiding.packed(value) if isinstance(value, bytes) else value
