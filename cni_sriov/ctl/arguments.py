"""What each verb of sriovctl takes on its command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from ..words.jsontext import words

HOST_LOCAL = "/var/lib/cni/networks"


def _vfs(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("pf", metavar="PF", help="name or PCI address, like enp1s0f0 or 0000:01:00.0")
    verb.add_argument("count", metavar="N", type=_count, help="how many VFs it shall have; 0 removes them")


def _baseline(verb: argparse.ArgumentParser) -> None:
    where = "one PF, or a VF by its PCI address"
    verb.add_argument("where", metavar="PF|VF", nargs="?", default="", help=where)
    verb.add_argument("--take", metavar="VF", default="", help="what that VF is now is golden from now on")


def _gc(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--dry-run", action="store_true", help="only say what would be taken back")
    verb.add_argument(
        "--forget",
        metavar="FILE",
        default="",
        help="give up this state file, which cannot be read, and what it holds; nothing else is taken back",
    )


def _forget(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("pod", metavar="POD", help="its name, or namespace/name")
    verb.add_argument("--dry-run", action="store_true", help="only show what is kept for it")


def _import(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("source", choices=["host-local"], help="whose leases")
    verb.add_argument("file", metavar="FILE", help="the new .conf or .conflist, with host-subnet")
    verb.add_argument("--network", metavar="NAME", default="", help="its old name (default: as in FILE)")
    verb.add_argument(
        "--store", metavar="DIR", default=HOST_LOCAL, help="host-local's dataDir (default %(default)s)"
    )
    verb.add_argument("--dry-run", action="store_true", help="only say what would be leased")


def _validate(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "file",
        metavar="FILE",
        help="a .conf, .conflist, NetworkAttachmentDefinition (YAML or JSON) or a template of one, or a directory"
        " of them; - is standard input",
    )
    verb.add_argument(
        "--device-id-given",
        action="store_true",
        help="the runtime names the VF (Multus with a device plugin): the configuration needs not",
    )


def _explain(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("file", metavar="FILE", help="a .conf or .conflist; - is standard input")
    verb.add_argument(
        "--runs",
        type=_runs,
        default=5,
        metavar="N",
        help="how often (default %(default)s); shown are medians",
    )
    verb.add_argument(
        "--plugin", metavar="PATH", default="", help="the plugin (default: `sriov` beside sriovctl)"
    )


ARGUMENTS: dict[str, Callable[[argparse.ArgumentParser], None]] = {
    "vfs": _vfs,
    "baseline": _baseline,
    "gc": _gc,
    "forget": _forget,
    "import": _import,
    "validate": _validate,
    "explain": _explain,
}


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        raise argparse.ArgumentTypeError(f"{words(text)} is no number of VFs")
    return int(text)


def _runs(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 10_000):
        raise argparse.ArgumentTypeError(f"{words(text)} is no number of runs")
    return int(text)
