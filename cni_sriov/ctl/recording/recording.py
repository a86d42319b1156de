"""A recording: what a node looked like to sriovctl, and its file, one JSON document by gzip (docs/recording.md).

Not an archive: there is no path to leave a directory by, no link, no device and no mode to be judged when it is read. It is
capped, parsed, and each field is judged.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import zlib
from dataclasses import dataclass, field
from errno import errorcode
from typing import Any

from ...decide.facts_cluster import FileFault
from ...state.nodeblocks import BASE
from ...words.errors import BadConfig
from ...words.jsontext import words
from ...words.pci import parse_pci_address
from .answers import Answers, is_answer
from .tree import Tree
from .values import decoded, encoded

FORMAT = 1
MOST = 64 << 20  # bytes of the document; that of a node with 256 VFs has 6 MB
MOST_PARTS = 2 << 20  # that of a node with 256 VFs has 30 000; a list takes 20 times the bytes of its text
_MOST_S = 1 << 40  # of a time, in seconds
_MOST_ERRNO = 4095  # MAX_ERRNO, linux/err.h
_GZIP = b"\x1f\x8b"
_NUMBERS = {name: number for number, name in errorcode.items()}


@dataclass(slots=True)
class Netns:
    """What it was when it was opened: st_dev and st_ino, and its cookie (0 = not known). `bad`: why it is none, "" = it is."""

    identity: tuple[int, int] = (0, 0)
    cookie: int = 0
    bad: str = ""


@dataclass(slots=True)
class Node:
    """What else is asked of a node. `made` is when, in seconds; `uptime` what it was then. `live` are its netns by inode,
    `eswitches` what devlink said of a PF by its address, `bundle` where our own plugin was. `cluster_dir`: where blocks of shared
    pools are, `cluster_files`: what is wrong with the file of a cluster by its path; the file itself is not recorded.
    """

    made: int = 0
    uptime: float = 0.0
    boot_id: str = ""
    run_dir: str = ""
    state_dir: str = ""
    data_dir: str = ""
    bundle: str = ""
    sysfs: str = "sysfs"
    blind_spot: str = ""
    inodes: dict[str, int] = field(default_factory=dict)
    live: dict[int, list[str]] = field(default_factory=dict)
    opened: dict[str, Netns] = field(default_factory=dict)
    eswitches: dict[str, str] = field(default_factory=dict)
    cluster_dir: str = BASE
    cluster_files: dict[str, list[FileFault]] = field(default_factory=dict)


@dataclass(slots=True)
class Recording:
    """`by`: the version that made it. `told`: netlink's answers in the host, `pods`: in others, by the netns' inode."""

    by: str = ""
    is_anonymous: bool = False
    node: Node = field(default_factory=Node)
    tree: Tree = field(default_factory=Tree)
    told: Answers = field(default_factory=Answers)
    pods: dict[int, Answers] = field(default_factory=dict)


# to bytes -----------------------------------------------------------------------------------------------------------


def packed(recording: Recording) -> bytes:
    """The same recording gives the same bytes."""
    text = json.dumps(document(recording), indent=1, sort_keys=True)
    out = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=out, mtime=0) as file:
        file.write(text.encode())
    return out.getvalue()


def document(recording: Recording) -> dict[str, Any]:
    tree, node = recording.tree, recording.node
    return {
        "recording": FORMAT,
        "by": recording.by,
        "anonymous": recording.is_anonymous,
        "node": {
            "made": node.made,
            "uptime": round(node.uptime, 2),
            "bootID": node.boot_id,
            "runDir": node.run_dir,
            "stateDir": node.state_dir,
            "dataDir": node.data_dir,
            "bundle": node.bundle,
            "eswitches": node.eswitches,
            "sysfs": node.sysfs,
            "blindSpot": node.blind_spot,
            "clusterDir": node.cluster_dir,
            "clusterFiles": {
                path: [[fault.why, fault.command] for fault in faults]
                for path, faults in node.cluster_files.items()
            },
            "inodes": node.inodes,
            "live": {str(inode): paths for inode, paths in node.live.items()},
            "opened": {
                path: {"identity": list(one.identity), "cookie": one.cookie, "bad": one.bad}
                for path, one in node.opened.items()
            },
        },
        "files": {path: _text(content) for path, content in tree.files.items()},
        "links": tree.links,
        "directories": tree.lists,
        "there": sorted(tree.there),
        "failed": {path: errorcode.get(number, str(number)) for path, number in tree.failed.items()},
        "unread": {path: errorcode.get(number, str(number)) for path, number in tree.unread.items()},
        "same": tree.same,
        "ages": {path: round(age, 2) for path, age in tree.ages.items()},
        "netlink": {
            "host": _answers(recording.told),
            "pods": {str(inode): _answers(told) for inode, told in recording.pods.items()},
        },
    }


def _text(content: bytes) -> Any:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = "\0"
    return text if "\0" not in text else {"base64": base64.b64encode(content).decode()}


def _answers(answers: Answers) -> dict[str, Any]:
    refused = {
        question: {"verb": verb, "errno": errorcode.get(number, str(number)), "said": said}
        for question, (verb, number, said) in answers.refused.items()
    }
    return {"told": {key: encoded(one) for key, one in answers.told.items()}, "refused": refused}


# from bytes ---------------------------------------------------------------------------------------------------------


def unpacked(content: bytes, name: str) -> Recording:
    """`name` is for messages. A plain document is taken too. BadConfig says what is wrong with it."""
    try:
        raw = json.loads(_plain(content))
        return _recording(raw)
    except (ValueError, RecursionError, EOFError, OSError, zlib.error) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise BadConfig(
            f"replay {words(name)}: it is no recording: {reason.partition('; use sys.')[0]}",
            "`sriovctl record node.recording` makes one",
        ) from error


def _plain(content: bytes) -> bytes:
    if content[:2] == _GZIP:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            content = file.read(MOST + 1)
    if len(content) > MOST:
        raise ValueError(f"it has more than {MOST >> 20} MiB")
    if content.count(b",") > MOST_PARTS:
        raise ValueError(f"it has more than {MOST_PARTS} parts")
    return content


def _recording(raw: Any) -> Recording:
    version = _get(raw, "recording", int)
    if version != FORMAT:
        raise ValueError(f"it has format {version}, and this version of sriovctl knows {FORMAT}")
    netlink = _get(raw, "netlink", dict)
    pods = {_number(key): _told(one) for key, one in _get(netlink, "pods", dict).items()}
    return Recording(
        _get(raw, "by", str),
        _get(raw, "anonymous", bool),
        _node(_get(raw, "node", dict)),
        _tree(raw),
        _told(_get(netlink, "host", dict)),
        pods,
    )


def _node(raw: dict[str, Any]) -> Node:
    opened = {}
    for path, one in _get(raw, "opened", dict).items():
        match _get(one, "identity", list):
            case [int(device), int(inode)]:
                opened[path] = Netns((device, inode), _get(one, "cookie", int), _get(one, "bad", str))
            case wrong:
                raise ValueError(f"identity is {words(wrong)}")
    return Node(
        int(_seconds(raw, "made")),
        _seconds(raw, "uptime"),
        _get(raw, "bootID", str),
        _path(_get(raw, "runDir", str)),
        _path(_get(raw, "stateDir", str)),
        _path(_get(raw, "dataDir", str)),
        _get(raw, "bundle", str),
        _get(raw, "sysfs", str),
        _get(raw, "blindSpot", str),
        _map(raw, "inodes", int),
        {_number(inode): _texts(paths) for inode, paths in _get(raw, "live", dict).items()},
        opened,
        _map(raw, "eswitches", str),
        _path(_get({"clusterDir": BASE} | raw, "clusterDir", str)),  # an earlier version knew of none
        {
            path: [*map(_fault, told)]
            for path, told in _map({"clusterFiles": {}} | raw, "clusterFiles", list).items()
        },
    )


def _fault(raw: Any) -> FileFault:
    match _texts(raw):
        case [why, command]:
            return FileFault(why, command)
    raise ValueError(f"{words(raw)} is no fault of a file")


def _tree(raw: dict[str, Any]) -> Tree:
    ages = _get(raw, "ages", dict)
    tree = Tree(
        {path: _content(one) for path, one in _get(raw, "files", dict).items()},
        _map(raw, "links", str),
        {path: _texts(names) for path, names in _get(raw, "directories", dict).items()},
        set(_texts(raw.get("there"))),
        {path: _errno(name) for path, name in _map(raw, "failed", str).items()},
        {path: _errno(name) for path, name in _map(raw, "unread", str).items()},
        _map(raw, "same", str),
        {path: _seconds(ages, path) for path in ages},
    )
    for path in (*tree.paths(), *tree.same.values()):
        _path(path)
    functions = [target for path, target in tree.links.items() if re.search(r"/(virtfn\d+|physfn)$", path)]
    for name in (*tree.lists.get("/sys/bus/pci/devices", []), *functions):
        parse_pci_address(name.rpartition("/")[2])
    return tree


def _told(raw: Any) -> Answers:
    told = {question: decoded(one) for question, one in _get(raw, "told", dict).items()}
    for question, answer in told.items():
        if not is_answer(question, answer):
            raise ValueError(f"{words(question)} is answered by {words(str(answer))}")
    refused = {
        question: (_get(one, "verb", str), _errno(_get(one, "errno", str)), _get(one, "said", str))
        for question, one in _get(raw, "refused", dict).items()
    }
    return Answers(told, refused)


def _content(raw: Any) -> bytes:
    match raw:
        case str(text):
            return text.encode("utf-8", "surrogatepass")
        case {"base64": str(text)}:
            return base64.b64decode(text, validate=True)
    raise ValueError(f"{words(raw)} is no content of a file")


def _get(raw: Any, key: str, kind: Any) -> Any:
    value = raw.get(key) if isinstance(raw, dict) else None
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"its {key} is {words(value)}")
    return value


def _map(raw: dict[str, Any], key: str, kind: Any) -> dict[str, Any]:
    found: dict[str, Any] = _get(raw, key, dict)
    return {name: _get(found, name, kind) for name in found}


def _texts(raw: Any) -> list[str]:
    if not isinstance(raw, list) or not all(isinstance(one, str) for one in raw):
        raise ValueError(f"{words(raw)} is no list of names")
    return raw


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise ValueError(f"{words(text)} is no number")
    return int(text)


def _seconds(raw: Any, key: str) -> float:
    value = _get(raw, key, int | float)
    if not 0 <= value < _MOST_S:  # NaN is not, either
        raise ValueError(f"its {key} is {words(value)}")
    return float(value)


def _errno(text: str) -> int:
    number = _NUMBERS[text] if text in _NUMBERS else _number(text)
    if number > _MOST_ERRNO:
        raise ValueError(f"{words(text)} is no errno")
    return number


def _path(path: str) -> str:
    """Absolute and normal: nothing in it leads up."""
    parts = path.split("/")
    if path != "/" and (parts[0] != "" or not {"", ".", ".."}.isdisjoint(parts[1:]) or "\0" in path):
        raise ValueError(f"{words(path)} is no path of a node")
    return path
