"""sriovctl's command line: what each verb takes. argparse lives here and only here."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from .. import __version__
from ..conf.netconf import STATE_DIR
from ..words.errors import CniError
from ..words.jsontext import words

HOST_LOCAL = "/var/lib/cni/networks"
_FORMATTER = argparse.RawDescriptionHelpFormatter
_EPILOG = """exit status: 0 ok, 1 failed or findings, 2 usage, 77 not root

  sriovctl vfs enp1s0f0 7              seven VFs on that port
  sriovctl status                      who has which VF, VLAN and subnet
  sriovctl validate 10-sriov.conflist  is it right, and if not, what is wrong
"""


class Usage(CniError):
    """Arguments that are none of ours: what the caller gave, before anything was looked at."""

    code = 4


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Usage(message, self.format_usage().strip())


def parser(verbs: Iterable[tuple[str, str, Callable[..., int], bool]]) -> argparse.ArgumentParser:
    """Of each verb its name, what it is for, the function, and whether it needs root. Usage if it cannot be parsed."""
    about = "Virtual functions and subnets of this node: create, look, clean up."
    made = _Parser(prog="sriovctl", description=about, epilog=_EPILOG, formatter_class=_FORMATTER)
    made.add_argument("--version", action="version", version=f"sriovctl {__version__}")
    common = _Parser(add_help=False)
    for target in (made, common):  # before the verb or behind it
        _add_common(target, is_first=target is made)
    below = made.add_subparsers(dest="verb", metavar="VERB", required=True)
    for name, about, run, needs_root in verbs:
        verb = below.add_parser(name, help=about, description=about, parents=[common])
        verb.set_defaults(run=run, needs_root=needs_root)
        if name in _ARGUMENTS:
            _ARGUMENTS[name](verb)
    return made


def _add_common(target: _Parser, is_first: bool) -> None:
    directory: Any = STATE_DIR if is_first else argparse.SUPPRESS
    in_words = "a stateDir to look at besides those in use (default %(default)s)"
    target.add_argument(
        "--state-dir", metavar="DIR", default=directory, help=in_words if is_first else argparse.SUPPRESS
    )
    target.add_argument(
        "--json",
        action="store_true",
        default=False if is_first else argparse.SUPPRESS,
        help="one JSON document on standard output" if is_first else argparse.SUPPRESS,
    )


def _vfs(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("pf", metavar="PF", help="name or PCI address, like enp1s0f0 or 0000:01:00.0")
    verb.add_argument("count", metavar="N", type=_count, help="how many VFs it shall have; 0 removes them")


def _baseline(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "where", metavar="PF|VF", nargs="?", default="", help="one PF, or a VF by its PCI address"
    )
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
        help="a .conf, .conflist, NetworkAttachmentDefinition (YAML or JSON) or a template of one, or a directory of"
        " them; - is standard input",
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


_ARGUMENTS: dict[str, Callable[[argparse.ArgumentParser], None]] = {
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
