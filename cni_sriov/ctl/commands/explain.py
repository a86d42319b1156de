"""`sriovctl explain`: one attachment's story, or what a key of a configuration is."""

from __future__ import annotations

import argparse
import shlex

from ...words.errors import BadConfig
from ...words.jsontext import words
from .. import gate
from ..arguments import Command
from ..tool import OK, Tool, write_json
from . import profile

_FILES = (".conf", ".conflist", ".json")


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "target",
        metavar="CONTAINER|VF|KEY",
        help="a container's ID (4 characters of it or more), ID/INTERFACE or its pod NAMESPACE/NAME; or a VF by its PCI"
        " address, PF:INDEX, or the name of its interface in the host; or a configuration's key, like vlan or"
        " ipam.pools.gateway, unless a VF or somebody attached is called so",
    )
    verb.add_argument("--key", action="store_true", help="a key is meant, whoever is called so")
    verb.add_argument(
        "--log",
        metavar="FILE",
        action="append",
        default=[],
        help="a log file to read besides those of the Record and of /etc/cni/net.d; may be repeated",
    )
    profile.options(verb, is_shown=False)


def is_file(target: str) -> bool:
    """What this verb took before: it attaches."""
    return target == "-" or target.endswith(_FILES)


def run(options: argparse.Namespace, tool: Tool) -> int:
    if is_file(options.target):
        gate.say(
            tool.err,
            f"sriovctl: explain {options.target}: this is `sriovctl profile {shlex.quote(options.target)}` now; it takes a VF for a moment",
        )
        options.file = options.target
        return profile.run(options, tool)
    if options.key or _is_key(options, tool):
        return _tell_key(options, tool)
    from ..story import teller

    told = teller.run(tool, tool.make_host(options.state_dir), options.target, options.log)
    told.notes += [_KEY_TOO.format(shlex.quote(options.target))] if _names_key(options.target) else []
    if options.json:
        write_json(tool, told.to_json())
    else:
        from ..story import show

        show.told(tool.out, told)
    return OK


_KEY_TOO = "a key of a configuration is called so, too: sriovctl explain --key {}"
_NOT_ASKED = "whether a VF or somebody attached is called so, too, only root can see"


def _names_key(target: str) -> bool:
    from .. import keyhelp

    return bool(keyhelp.find(target).meanings)


def _is_key(options: argparse.Namespace, tool: Tool) -> bool:
    """A key, and nobody who is there is called so."""
    if not _names_key(options.target):
        return False
    if tool.euid != 0 and options.replay is None:
        return True
    from .. import node
    from ..story import subjects

    host = tool.make_host(options.state_dir)
    return not subjects.has_living(host, node.records(host), options.target)


def _tell_key(options: argparse.Namespace, tool: Tool) -> int:
    from .. import keyhelp

    found = keyhelp.find(options.target)
    if not found.meanings:
        raise BadConfig(
            f"explain {words(options.target)}: no configuration has such a key{keyhelp.near(options.target)}",
            "man cni-sriov.conf has all of them",
        )
    notes = [] if options.key or tool.euid == 0 or options.replay is not None else [_NOT_ASKED]
    if options.json:
        document = {"stories": [], "logs": [], "notes": [*found.notes, *notes]}
        write_json(tool, document | {"keys": [one.to_json() for one in found.meanings]})
    else:
        from .. import show_keys

        show_keys.show(tool.out, found, notes)
    return OK


COMMAND = Command(
    "explain",
    "one attachment's story: who asked, when, which VF and why that one, what was set, what the log says; or what a"
    " configuration's key is",
    arguments,
    run,
    needs_root=True,
    looks=lambda options: options.key or (not is_file(options.target) and _names_key(options.target)),
)
