"""`sriovctl oracle`: how many VFs a PF can have in its slot, and why not more."""

from __future__ import annotations

import argparse
import errno
import os
from functools import partial

from ...words.jsontext import words
from ..arguments import Command, Usage
from ..tool import FAILED, OK, Tool, write_json
from .vfs import vf_count


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "pf", metavar="PF", nargs="?", default="", help="name or PCI address; without it every PF of the node"
    )
    verb.add_argument(
        "--after",
        metavar="ERROR",
        type=_errno,
        help="say what this answer to a write into sriov_numvfs meant: ENOMEM, or 'Cannot allocate memory'",
    )
    verb.add_argument("--count", metavar="N", type=vf_count, help="the number that was written, with --after")


def _errno(text: str) -> int:
    """By its name, or by the words that a shell prints for it."""
    for number, name in errno.errorcode.items():
        if text.strip().lower() in {name.lower(), os.strerror(number).lower()}:
            return number
    raise argparse.ArgumentTypeError(f"{words(text)} is no error of the kernel, like ENOMEM")


def run(options: argparse.Namespace, tool: Tool) -> int:
    from .. import foretell

    make_host = partial(tool.make_host, options.state_dir)
    if options.after:
        if not options.pf:
            raise Usage("--after needs the PF that was written to", "sriovctl oracle PF --after ERROR")
        told = foretell.after(tool.files, make_host, options.pf, options.after, options.count)
        if options.json:
            write_json(tool, {"why": told.msg, "remedy": told.details})
        else:
            from .. import show_oracle

            show_oracle.refusal(tool.out, told)
        return OK
    found, failed = foretell.run(tool.files, make_host, options.pf)
    if options.json:
        write_json(tool, {"pfs": [one.to_json() for one in found], "failed": failed})
    else:
        from .. import show_oracle

        show_oracle.oracle(tool.out, found, failed)
    return OK if not failed and all(one.is_enough for one in found) else FAILED


COMMAND = Command(
    "oracle", "how many VFs a PF can have in its slot, and why not more", arguments, run, needs_root=False
)
