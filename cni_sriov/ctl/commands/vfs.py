"""`sriovctl vfs`: how many VFs each PF has, who has those of one, and how many it shall have."""

from __future__ import annotations

import argparse

from ...conf.hostfile import Count
from ...words.jsontext import words
from ..arguments import Command, Usage
from ..tool import FAILED, OK, Tool, write_json


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "pf",
        metavar="PF",
        nargs="?",
        default="",
        help="name or PCI address, like enp1s0f0 or 0000:01:00.0; without it, all PFs are listed",
    )
    verb.add_argument(
        "count",
        metavar="N|max",
        nargs="?",
        type=vf_count,
        help="how many VFs it shall have: 0 removes them, max gives as many as there is room for; without it, its VFs are"
        " listed",
    )
    verb.add_argument("--dry-run", action="store_true", help="only say what would be done, or refused")
    verb.add_argument(
        "--persist",
        action="store_true",
        help="at each boot, too: by an entry of /etc/cni-sriov/host.json, and the unit sriov-host.service, which is"
        " written if there is none, and enabled",
    )


_NOTHING = {"changed": False, "missing": [], "notes": [], "dryRun": False, "plan": [], "boot": None}


def vf_count(text: str) -> Count:
    if text == "max":
        return "max"
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        raise argparse.ArgumentTypeError(f"{words(text)} is no number of VFs, and not max")
    return int(text)


def run(options: argparse.Namespace, tool: Tool) -> int:
    if options.count is None:
        return _look(options, tool)
    from .. import boot, vfs

    change = boot.run if options.persist else vfs.run
    host = tool.make_host(options.state_dir)
    outcome = change(host, tool.files, options.pf, options.count, is_dry=options.dry_run)
    if options.json:
        write_json(tool, outcome.to_json())
    else:
        from .. import show_vfs

        show_vfs.provision(tool.out, outcome)
    return FAILED if outcome.missing else OK


def _look(options: argparse.Namespace, tool: Tool) -> int:
    from .. import node, slot, vfs

    if options.dry_run or options.persist:
        raise Usage(
            "--dry-run and --persist go with a number of VFs",
            "usage: sriovctl vfs [PF [N|max [--dry-run] [--persist]]]",
        )
    host = tool.make_host(options.state_dir)
    wanted = vfs.find_pf(host, options.pf).pci_address if options.pf else ""
    as_root = options.as_root
    rows = [
        row
        for row in node.look(host, not as_root)
        if row.pf.pci_address and wanted in {"", row.pf.pci_address}
    ]
    for row in rows:
        row.offer = slot.offer(tool.files, row.pf)
    notes = [f"who has which VF: only root sees that: {as_root}"] if as_root else []
    if options.json:
        write_json(tool, _NOTHING | {"pfs": [row.to_json() for row in rows], "notes": notes})
        return OK
    from .. import show_vfs

    if wanted:
        show_vfs.port(tool.out, rows[0], notes)
    else:
        show_vfs.ports(tool.out, rows, notes)
    return OK


COMMAND = Command(
    "vfs",
    "how many VFs each PF has, or shall have, and who has them",
    arguments,
    run,
    needs_root=True,
    looks=lambda options: options.count is None,
)
