"""What every verb has at hand, and how each of them answers."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

from ..conf.hostsubnet import DATA_DIR
from ..kernel.files import Files
from ..leases.transaction import Judge
from ..vf.host import Host
from . import gate

if TYPE_CHECKING:
    from ..decide.facts_cluster import FileFault
    from .cluster.member import Clusters
    from .verdict import Verdict

OK, FAILED, USAGE, NOT_ROOT, STOPPED, UNREAD = 0, gate.FAILED, 2, 77, gate.STOPPED, gate.UNREAD
STATUSES = {
    OK: "done, or all is well",
    FAILED: "it failed, or there are findings",
    USAGE: "the arguments are none of ours",
    NOT_ROOT: "it needs root",
    STOPPED: "stopped by the keyboard",
    UNREAD: "nobody reads any more what it writes",
}
JSON_VERSION = 1  # keys are only ever added


@dataclass(slots=True)
class Tool:
    """One call's surroundings; tests hand in their own. `is_dead` None = judged by this machine's netns. `bundle`: our own
    plugin on that node, "" = the one beside us. `stdin` None: nobody can be asked.
    `program`: what was called. `clusters` None = those of /etc/cni-sriov/clusters. `judge_cluster`: what is wrong with the file
    of one, by its path; None = as it is there.
    """

    out: TextIO
    err: TextIO
    euid: int
    make_host: Callable[[str], Host]
    data_dir: str = DATA_DIR
    is_dead: Judge | None = None
    files: Files = field(default_factory=Files)
    bundle: str = ""
    stdin: TextIO | None = None
    program: tuple[str, ...] = ("sriovctl",)
    clusters: Clusters | None = None
    judge_cluster: Callable[[str], list[FileFault]] | None = None


def write_json(tool: Tool, document: dict[str, Any]) -> None:
    tool.out.write(json.dumps({"version": JSON_VERSION} | document, indent=2) + "\n")


def write_line(tool: Tool, document: dict[str, Any]) -> None:
    """Of several documents: one in each line, there as soon as it is written."""
    tool.out.write(json.dumps({"version": JSON_VERSION} | document, separators=(",", ":")) + "\n")
    tool.out.flush()


def tell_verdicts(options: argparse.Namespace, tool: Tool, items: list[Verdict]) -> int:
    if options.json:
        write_json(tool, {"dryRun": options.dry_run, "items": [item.to_json() for item in items]})
    else:
        from . import show

        show.gc(tool.out, items, options.dry_run)
    is_all_read = all(item.taken for item in items if item.kind == "file")
    return OK if is_all_read else FAILED
