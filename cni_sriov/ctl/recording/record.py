"""`sriovctl record`: the node as sriovctl sees it, into one file."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from ... import __version__
from ...decide.facts_cluster import FileFault
from ...kernel.devices import DEVICES
from ...kernel.living import file_system
from ...kernel.netns import OWN
from ...vf.host import Host
from ...words.errors import InputOutput
from ...words.failures import Failures
from .. import clusterjson, gate, node, profile, publish
from ..tool import Tool
from . import anonymous, lookers, scope, state
from .camera import Camera
from .hosts import SpyFiles, SpyHost
from .recording import Node, Recording, packed

STDOUT = "-"


@dataclass(slots=True)
class Recorded:
    """What was made: `size` in bytes of the file, `paths` that were looked at, and what could not be."""

    file: str
    size: int
    paths: int
    is_anonymous: bool
    failed: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return {
            "file": self.file,
            "bytes": self.size,
            "paths": self.paths,
            "anonymous": self.is_anonymous,
            "failed": self.failed,
        }


def run(tool: Tool, state_dir: str, file: str, is_anonymous: bool, force: bool) -> Recorded:
    if file != STDOUT and not force and os.path.lexists(file):
        raise InputOutput(f"record into {file}: it is there", "give another name, or --force to replace it")
    failures = Failures()
    recording = taken(tool, state_dir, _telling(tool), failures)
    if is_anonymous:
        recording = anonymous.of(recording, os.urandom(32), [os.uname().nodename])
    content = packed(recording)
    if file == STDOUT:
        publish.give(tool.out, content)
    else:
        _write(file, content, force)
    return Recorded(file, len(content), len(recording.tree.paths()), is_anonymous, failures.told)


def tell(tool: Tool, made: Recorded) -> None:
    from ..screen import Screen

    screen = Screen(tool.out)
    size = f"{made.size / 1024:.0f} KiB" if made.size < 1 << 20 else f"{made.size / (1 << 20):.1f} MiB"
    screen.line(f"{made.file}: {made.paths} paths, {size}")
    for one in made.failed:
        screen.line(f"not recorded: {one}")
    if not made.is_anonymous:
        screen.line(
            "it names containers, MACs and addresses of this node; --anonymous hides them (docs/recording.md)"
        )


def taken(tool: Tool, state_dir: str, progress: Callable[[str], None], failures: Failures) -> Recording:
    """All of it. A part that cannot be had is told, and a replay says of it that it is not recorded."""
    real = tool.make_host(state_dir)
    camera = Camera(tool.files.root)
    recording = Recording(__version__, tree=camera.tree, node=_node(real, tool, failures))
    scope.take(camera, progress, failures)
    _take_links(real, SpyHost(real, recording, camera), recording, failures)
    ours = Camera("", camera.tree)  # a Ledger's directories are this machine's, wherever the other files are
    for directory in state.directories(real, tool.data_dir):
        progress(f"state in {directory}")
        with failures.of(directory=directory):
            state.take(ours, directory)
    with failures.of(what="whose blocks of clusters are"):
        state.tell_copies(real, camera.tree)
    spying = replace(
        tool,
        make_host=lambda named: SpyHost(tool.make_host(named), recording, camera),
        files=SpyFiles(tool.files.root, camera),
        judge_cluster=_keeping(tool, recording),
    )
    attachments: list[str] = []
    with failures.of(what="attachments"):
        attachments = sorted(str(record.attachment) for record in node.records(real))
    camera.whose = {attachment.partition("/")[0] for attachment in attachments}
    more = lookers.singles(_planned(real, recording, camera), attachments)
    lookers.ask_all(spying, state_dir, more, progress, failures)
    for answers in (recording.told, *recording.pods.values()):
        answers.without_passwords()
    progress("")
    return recording


def _keeping(tool: Tool, recording: Recording) -> Callable[[str], list[FileFault]]:
    def judge(path: str) -> list[FileFault]:
        found = recording.node.cluster_files[path] = (tool.judge_cluster or clusterjson.faults)(path)
        return found

    return judge


def _node(host: Host, tool: Tool, failures: Failures) -> Node:
    node = Node(int(time.time()), time.clock_gettime(time.CLOCK_BOOTTIME), host.ledger.boot_id)
    node.run_dir, node.state_dir, node.data_dir = host.ledger.run_dir, host.ledger.state_dir, tool.data_dir
    node.cluster_dir, node.bundle = host.ledger.cluster_dir, tool.bundle or profile.beside()
    with failures.of(what="the file system of /sys"):
        node.sysfs = file_system(f"{host.sysfs.root}/bus/pci/devices")
    with failures.of(what="whether all of the node can be seen"):
        node.blind_spot = host.blind_spot()
    return node


def _take_links(real: Host, spy: SpyHost, recording: Recording, failures: Failures) -> None:
    """What is asked of netlink, whoever looks."""
    with failures.of(what="links"):
        spy.netlink.links()
    with failures.of(what="addresses"):
        spy.netlink.addresses()
    with failures.of(what="network namespaces"):
        spy.live_netns()
        spy.open_path(OWN)
    for pf in real.sysfs.pfs():
        if pf.ifindex:
            with failures.of(pf=pf.ifname):
                spy.netlink.vf_states(pf.ifindex)
    for address in _devices(recording):
        with failures.of(device=address):
            recording.node.inodes[address] = real.sysfs.inode(address)


def _planned(real: Host, recording: Recording, camera: Camera) -> list[str]:
    """Of the network devices those that are no VF, and one VF of each: they are alike."""
    vfs = {address for pf in real.sysfs.pfs() for _, address in list(real.sysfs.virtfns(pf.pci_address))[1:]}
    kinds = {
        address: camera.tree.files.get(camera.there(f"{DEVICES}/{address}/class"), b"")
        for address in _devices(recording)
    }
    return [address for address, kind in kinds.items() if kind.startswith(b"0x02") and address not in vfs]


def _devices(recording: Recording) -> list[str]:
    return recording.tree.lists.get(DEVICES, [])


def _telling(tool: Tool) -> Callable[[str], None]:
    tell = gate.progress(tool.err)
    return lambda what: tell(f"recording {what} ..." if what else "")


def _write(file: str, content: bytes, force: bool) -> None:
    """For its owner alone."""
    try:
        publish.put(file, content, 0o600, replaces=force)
    except FileExistsError as error:
        raise InputOutput(
            f"record into {file}: it is there", "give another name, or --force to replace it"
        ) from error
    except OSError as error:
        raise InputOutput(
            f"record into {file}: {error.strerror}", "is its directory there, and writable?"
        ) from error
