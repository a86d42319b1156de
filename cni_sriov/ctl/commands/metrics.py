"""`sriovctl metrics`: the node's VFs, leases and counters as a Prometheus textfile."""

from __future__ import annotations

import argparse

from ..arguments import Command, Usage
from ..tool import OK, Tool


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "file",
        metavar="FILE",
        nargs="?",
        default="-",
        help="where, like /var/lib/prometheus/node-exporter/cni_sriov.prom; replaced as a whole (default: standard output)",
    )


def run(options: argparse.Namespace, tool: Tool) -> int:
    from .. import publish
    from ..status import gather, metrics

    if options.json:
        raise Usage("metrics are text in Prometheus' format", "`sriovctl status --json` has the same numbers")
    host = tool.make_host(options.state_dir)
    found = gather.look(host, tool.files)
    pools = metrics.pools(gather.leases(host, found))
    publish.write(tool.out, options.file, metrics.render(found, pools))
    return OK


COMMAND = Command(
    "metrics", "VFs, leases and counters as a Prometheus textfile", arguments, run, needs_root=True
)
