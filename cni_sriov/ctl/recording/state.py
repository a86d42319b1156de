"""Our own state in a recording: claims, Records, leases, sriov-cni's files. They are read by the same code as on a node, so a
replay puts them into a private directory, as plain files of ours: what they were before, hard links among them, matters.
"""

from __future__ import annotations

import json
import os
import stat
import time
from posixpath import dirname
from typing import Any

from ...ipam import own
from ...state import files
from ...vf.host import Host
from ...words.errors import BadConfig, InputOutput
from ...words.jsontext import words
from .camera import Camera
from .recording import Node
from .tree import Tree

_MOST_FILES = 20_000  # of one directory: a stateDir may be mistyped
_MOST_TOLD = 100_000  # of all, when it is replayed
MACHINE_ID = "/machine-id"  # below the root of a replay
_DEPTH = 5  # dataDir, scope, boot, owners, file


def directories(host: Host, data_dir: str) -> list[str]:
    """All that this node has state in."""
    found = {host.ledger.run_dir, host.ledger.state_dir, data_dir, *host.ledger.directories()}
    found.add(host.ledger.cluster_dir)
    found |= {*host.ledger.cache_dirs, *(there.where.data_dir for there in own.stores(host))}
    inside = {path for path in found for other in found if path != other and path.startswith(f"{other}/")}
    return sorted(found - inside)


def take(camera: Camera, directory: str) -> None:
    """With what one file is another name of, and its age."""
    now, inodes = time.time(), dict[int, str]()
    todo = [(directory, _DEPTH)]
    taken = 0
    while todo:
        path, depth = todo.pop()
        for name in camera.listing(path):
            below = f"{path}/{name}"
            taken += 1
            if taken > _MOST_FILES:
                raise InputOutput(f"record {directory}: it has more than {_MOST_FILES} files")
            if _is_node_wide(directory, below):
                camera.there(below)
                continue
            found = _look(camera, below)
            if found is not None and stat.S_ISDIR(found.st_mode) and depth:
                todo.append((below, depth - 1))
            elif found is not None and found.st_nlink > 1 and found.st_ino in inodes:
                camera.tree.same[below] = inodes[found.st_ino]
            else:
                camera.entry(below)
            if found is not None and stat.S_ISREG(found.st_mode):
                inodes.setdefault(found.st_ino, below)
                camera.tree.ages[below] = max(now - found.st_mtime, 0.0)


def tell_copies(host: Host, tree: Tree) -> None:
    """Of a machine's ID a recording has only whether the blocks of a cluster are of another one."""
    for name in host.ledger.clusters():
        there = host.ledger.cluster(name)
        path = f"{there.path}/machine"
        if path in tree.there:
            tree.there.remove(path)
            tree.files[path] = b"another one\n" if there.is_of_another_machine() else b""


def _is_node_wide(directory: str, path: str) -> bool:
    """The overlap index and the cursors, in RUN_DIR/subnets: who only looks does not read them."""
    return path.startswith(f"{directory}/subnets/") and "/dirs" not in path


def _look(camera: Camera, path: str) -> os.stat_result | None:
    try:
        return os.lstat(camera.root + path)
    except OSError as error:
        camera.tree.failed[path] = error.errno or 0
        return None


# replay -------------------------------------------------------------------------------------------------------------


def unpack(tree: Tree, node: Node, root: str) -> None:
    """Below `root`, which is empty and ours alone. Whatever the recording says, it makes directories, regular files, and in
    place of all else symlinks to nothing, which no reader of state follows.
    """
    wanted = [path for top in directories_in(tree, node) for path in tree.below(top)]
    if len(wanted) + len(tree.same) > _MOST_TOLD:
        raise BadConfig(f"replay a recording: it has more than {_MOST_TOLD} state files")
    files.create(root + MACHINE_ID, b"this one\n")
    for path in wanted:
        try:
            _put(tree, node, root, path)
        except OSError as error:  # a link that is a directory, too; a name that is too long; a full disk
            raise BadConfig(
                f"replay a recording: put {words(path)} below {root}: {error.strerror}"
            ) from error
    for path, first in tree.same.items():
        if os.path.lexists(root + first) and os.path.isdir(os.path.dirname(root + path)):
            os.link(root + first, root + path, follow_symlinks=False)


def directories_in(tree: Tree, node: Node) -> list[str]:
    """Where state is: what the node named, and what is registered there."""
    found = {node.run_dir, node.state_dir, node.data_dir, node.cluster_dir}
    for path in (f"{node.run_dir}/dirs", f"{node.run_dir}/subnets/dirs"):
        for name in tree.lists.get(path, []):
            found.add(files.from_name(name.partition("@")[2] if "subnets" in path else name))
    return sorted(top for top in found if top.startswith("/") and tree.has_seen(top) and top in tree.lists)


def _put(tree: Tree, node: Node, root: str, path: str) -> None:
    place = root + _registered(node, root, path)
    if os.path.lexists(place) or path in tree.failed or path in tree.same:
        return
    os.makedirs(os.path.dirname(place), 0o700, exist_ok=True)
    if path in tree.files:
        files.create(place, _rooted(tree.files[path], root))
        when = time.time() - _age(node, path, tree.ages.get(path, 0.0))
        os.utime(place, (when, when))
    elif path in tree.lists:
        os.mkdir(place, 0o700)
    else:
        os.symlink(".recorded", place)


def _registered(node: Node, root: str, path: str) -> str:
    """The name of a registered directory is its path, and that is below `root` now."""
    where, name = dirname(path), path.rpartition("/")[2]
    if where == f"{node.run_dir}/dirs":
        return f"{where}/{files.as_name(root)}{name}"
    if where == f"{node.run_dir}/subnets/dirs":
        scope, at, rest = name.partition("@")
        return f"{where}/{scope}{at}{files.as_name(root)}{rest}"
    return path


def _age(node: Node, path: str, age: float) -> float:
    """sriov-cni's files count while they are younger than the boot, and this machine's may be younger than the node's was."""
    is_theirs = path.startswith(f"{node.state_dir}/") and "@" not in path
    if not is_theirs or not node.uptime:
        return age
    here = time.clock_gettime(time.CLOCK_BOOTTIME)
    return age * min(1.0, here / node.uptime) if age < node.uptime else age + here


_PATHS = ("dataDir", "adopted")


def _rooted(content: bytes, root: str) -> bytes:
    """A Record names the directories of its leases, and of sriov-cni's files."""
    try:
        raw = json.loads(content)
    except (ValueError, RecursionError):
        return content
    if not isinstance(raw, dict) or not _root_in(raw, root):
        return content
    return json.dumps(raw, separators=(", ", ": ")).encode("utf-8", "surrogatepass")


def _root_in(raw: dict[str, Any], root: str) -> bool:
    changed = False
    ipam = raw.get("ipam")
    for part in (raw, ipam if isinstance(ipam, dict) else {}):
        for key in _PATHS:
            if isinstance(part.get(key), str) and part[key].startswith("/"):
                part[key] = root + part[key]
                changed = True
    return changed
