"""`--replay FILE`: a verb that looks, on a recording instead of this node, which is neither looked at nor changed."""

from __future__ import annotations

import argparse
import io
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TextIO

from ...decide.facts_cluster import FileFault
from ...state.ledger import Ledger
from ...vf.host import Host
from ...words.errors import BadConfig, InputOutput
from ...words.log import Log
from ..tool import Tool
from . import lookers, state
from .faces import AGAIN, RecordedFiles, RecordedSysfs
from .hosts import RecordedHost
from .recording import MOST, Recording, unpacked


@contextmanager
def surroundings(options: argparse.Namespace, tool: Tool) -> Iterator[Tool]:
    """For that verb, whose exit status counts; its output comes at the end, with the node's own paths in it."""
    lookers.refuse_acts(options)
    recording = unpacked(read(options.replay), options.replay)
    root = tempfile.mkdtemp(prefix="r.")
    out, err = Held(tool.out, root), Held(tool.err, root)
    try:
        state.unpack(recording.tree, recording.node, root)
        yield replayed(replace(tool, out=out, err=err), recording, root)
    finally:
        shutil.rmtree(root, ignore_errors=True)
        err.give()
        out.give()


def replayed(tool: Tool, recording: Recording, root: str) -> Tool:
    """`root`: where its state is."""
    node, tree = recording.node, recording.tree
    files = RecordedFiles(root, tree)

    def make_host(_: str) -> Host:
        log = Log("none")
        ledger = Ledger(root + node.state_dir, log, root + node.run_dir, node.boot_id or "none")
        ledger.cluster_dir, ledger.machine_id = root + node.cluster_dir, root + state.MACHINE_ID
        sysfs = RecordedSysfs(tree=tree, inodes=node.inodes, kind=node.sysfs)
        return RecordedHost(ledger, log, sysfs, recording, files)

    def judge_cluster(path: str) -> list[FileFault]:
        if path not in node.cluster_files:
            raise InputOutput(f"look at {path}: it is not in the recording", AGAIN)
        return node.cluster_files[path]

    return replace(
        tool,
        euid=0,
        make_host=make_host,
        data_dir=root + node.data_dir,
        is_dead=None,
        bundle=node.bundle or "/none",
        files=files,
        judge_cluster=judge_cluster,
    )


def read(file: str) -> bytes:
    """- is standard input."""
    try:
        if file == "-":
            return sys.stdin.buffer.read(MOST + 1)
        with open(file, "rb") as opened:
            content = opened.read(MOST + 1)
    except OSError as error:
        raise InputOutput(
            f"replay {file}: {error.strerror}",
            "`sudo sriovctl record node.recording` on the node makes one, for its owner alone",
        ) from error
    if len(content) > MOST:
        raise BadConfig(f"replay {file}: it has more than {MOST >> 20} MiB")
    return content


# what a terminal would obey, but for line ends, tabs and colours
_ORDERS = re.compile(r"\x1b(?!\[[0-9;]*m)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]")


class Held(io.StringIO):
    """Keeps what is written until `give`, which takes the root of the state out of every path, and what a terminal would obey
    out of all: a recording comes from others.
    """

    def __init__(self, to: TextIO, root: str) -> None:
        super().__init__()
        self._to = to
        self._root = root

    def isatty(self) -> bool:
        return self._to.isatty()

    def fileno(self) -> int:
        return self._to.fileno()

    def give(self) -> None:
        text = self.getvalue().replace(self._root, "").encode("utf-8", "backslashreplace").decode()
        self._to.write(_ORDERS.sub(lambda found: f"\\x{ord(found[0]):02x}", text))

    @property
    def encoding(self) -> str:  # type: ignore[override] # rich asks for it
        return "utf-8"
