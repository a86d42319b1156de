"""`sriovctl import`: lease by host-subnet what host-local gave out."""

from __future__ import annotations

import argparse

from ..arguments import Command
from ..tool import OK, Tool, write_json

HOST_LOCAL = "/var/lib/cni/networks"


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("source", choices=["host-local"], help="whose leases")
    verb.add_argument("file", metavar="FILE", help="the new .conf or .conflist, with host-subnet")
    verb.add_argument("--network", metavar="NAME", default="", help="its old name (default: as in FILE)")
    verb.add_argument(
        "--store", metavar="DIR", default=HOST_LOCAL, help="host-local's dataDir (default %(default)s)"
    )
    verb.add_argument("--dry-run", action="store_true", help="only say what would be leased")


def run(options: argparse.Namespace, tool: Tool) -> int:
    from .. import importer

    host = tool.make_host(options.state_dir)
    outcome = importer.run(host, options.file, options.network, options.store, options.dry_run)
    if options.json:
        write_json(tool, outcome.to_json())
    else:
        from .. import show

        show.imported(tool.out, outcome)
    return OK


COMMAND = Command("import", "lease by host-subnet what host-local gave out", arguments, run, needs_root=True)
