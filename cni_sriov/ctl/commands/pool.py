"""`sriovctl pool`: the pools that nodes share, and this node's blocks of them."""

from __future__ import annotations

import argparse
import random
import shlex
import time
from typing import TYPE_CHECKING

from ...conf.cluster import NAME_LIMIT
from ...words.errors import BadConfig
from ...words.failures import as_cni_error
from ...words.inet import BITS, Prefix, parse_prefix
from ...words.jsontext import words
from ...words.log import LEVELS, Log
from ...words.names import is_name
from ..arguments import Command, Usage
from ..tool import FAILED, OK, Tool, write_json

if TYPE_CHECKING:
    from ...state.blocks import ClusterFiles
    from ...vf.host import Host
    from ..cluster.claim import Refilled, Wanted
    from ..cluster.member import Clusters, Member
    from ..cluster.others import Meant

DEADLINE_S, LOOK_S = 30, 5
JITTER_S = 60  # where all nodes boot at once, no engine answers all their first contacts
_USAGES = {
    "refill": "refill CLUSTER [--subnet SUBNET ... --block-length N --prefix-length N]",
    "release": "release [--cluster CLUSTER] [BLOCK ...]",
    "drain": "drain [--cluster CLUSTER] [--undo] NODE",
    "forget": "forget [--cluster CLUSTER] NODE",
    "undefine": "undefine [--cluster CLUSTER] SUBNET",
}
# an option that does not change what is done would not be missed
_ONLY_OF = {
    "dry_run": {"release", "forget", "undefine"},
    "yes": {"forget"},
    "force": {"forget"},
    "undo": {"drain"},
}


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "action",
        nargs="?",
        choices=list(_USAGES),
        help="refill: claim blocks where this node runs low, and settle what a killed process left; release: give back this"
        " node's empty blocks; drain: a node is to give back its empty blocks, and claims no more; forget: a node is no more,"
        " and its blocks are free; undefine: what the cluster has as a pool is wrong, and no node has a block of it: the next"
        " node that uses it says how it is cut; without any, the pools are shown",
    )
    verb.add_argument(
        "names",
        metavar="CLUSTER|BLOCK|NODE|SUBNET",
        nargs="*",
        help="of refill the cluster; of release blocks, by default all that are empty; of drain and forget the node, by its name"
        " or fingerprint; of undefine the pool, by its subnet",
    )
    verb.add_argument(
        "--cluster", metavar="CLUSTER", default="", help="which one, where this node is in several"
    )
    verb.add_argument("--yes", action="store_true", help="forget: do not ask")
    verb.add_argument(
        "--force", action="store_true", help="forget: though the cluster says that the node is there"
    )
    verb.add_argument("--undo", action="store_true", help="drain: it may claim again")
    verb.add_argument(
        "--dry-run", action="store_true", help="release, forget, undefine: only say what would be done"
    )
    _add_refill(verb.add_argument_group("options of refill, which the plugin starts"))


def _add_refill(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--subnet",
        metavar="SUBNET",
        action="append",
        type=_prefix,
        default=[],
        help="of the pool, may be repeated",
    )
    group.add_argument("--block-length", metavar="N", type=_number, help="blocks.length of the pool")
    group.add_argument("--prefix-length", metavar="N", type=_number, help="prefixLength of the pool")
    group.add_argument(
        "--exclude",
        metavar="PREFIX",
        action="append",
        type=_prefix,
        default=[],
        help="claim none of its blocks, as nothing could be cut from them; may be repeated",
    )
    group.add_argument("--block", metavar="BLOCK", type=_prefix, help="claim exactly that one")
    group.add_argument(
        "--more-than",
        metavar="N",
        type=_number,
        default=-1,
        help="claim none if this node has more blocks of the pool by now",
    )
    group.add_argument(
        "--deadline",
        metavar="SECONDS",
        type=_number,
        help=f"in which the engine must answer (default {DEADLINE_S}, and {LOOK_S} to look)",
    )
    group.add_argument(
        "--until",
        metavar="SECONDS",
        type=_moment,
        help="by the clock since boot: all is told by then, in place of --deadline from now on",
    )
    group.add_argument(
        "--lock-fd",
        metavar="FD",
        type=_number,
        default=-1,
        help="the cluster's lock is held by that descriptor",
    )
    group.add_argument("--log-file", metavar="FILE", default="", help="tell there what comes of it")
    group.add_argument("--log-level", choices=list(LEVELS), default="info", help="as logLevel")


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        raise argparse.ArgumentTypeError(f"{words(text)} is no number")
    return int(text)


def _moment(text: str) -> float:
    if not (text.replace(".", "", 1).isdigit() and text.isascii() and len(text) < 20):
        raise argparse.ArgumentTypeError(f"{words(text)} is no moment")
    return float(text)


def _prefix(text: str) -> Prefix:
    try:
        return parse_prefix(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def run(options: argparse.Namespace, tool: Tool) -> int:
    if options.deadline is None:
        options.deadline = DEADLINE_S if options.action else LOOK_S
    act = {"refill": _refill, "release": _release, "drain": _drain, "forget": _forget, "undefine": _undefine}
    for option, actions in _ONLY_OF.items():
        if getattr(options, option) and options.action not in actions:
            raise _usage(options.action, f"takes no --{option.replace('_', '-')}")
    if options.action:
        return act[options.action](options, tool)
    return _show(options, tool)


# which cluster --------------------------------------------------------------------------------------------------------


def _clusters(tool: Tool) -> Clusters:
    if tool.clusters is not None:
        return tool.clusters
    from ..cluster.configured import Configured

    return Configured()


def _named(options: argparse.Namespace, tool: Tool) -> str:
    """The one that is meant: there is but one, or it is named."""
    if options.cluster:
        return _checked(options.cluster)
    names = _clusters(tool).names()
    if not names:
        raise BadConfig(
            f"pool {options.action}: this node is in no cluster",
            "/etc/cni-sriov/clusters has no file; docs/cluster.md says what stands in one",
        )
    if len(names) > 1:
        raise _usage(options.action, f"this node is in several clusters: --cluster {' or '.join(names)}")
    return names[0]


def _checked(name: str) -> str:
    if not is_name(name, NAME_LIMIT):
        raise Usage(
            f"{words(name)} is no name of a cluster", "it is that of a file in /etc/cni-sriov/clusters"
        )
    return name


def _one(options: argparse.Namespace, what: str) -> str:
    if len(options.names) != 1:
        raise _usage(options.action, f"takes one {what}")
    return str(options.names[0])


def _usage(action: str | None, why: str) -> Usage:
    if action is None:
        return Usage(f"pool: {why}", "usage: sriovctl pool [--cluster CLUSTER]")
    return Usage(f"pool {action}: {why}", f"usage: sriovctl pool {_USAGES[action]}")


def _files(host: Host, name: str) -> ClusterFiles:
    from ...state import blocks

    return blocks.of(host.ledger, name)


def _member(tool: Tool, host: Host, name: str, deadline: float) -> Member:
    from ..cluster.member import Member, machine_of

    clusters = _clusters(tool)
    node = clusters.node(name)
    files = _files(host, name)
    engine = clusters.open(name, deadline)
    return Member(name, host, files, engine, node, machine_of(tool.files), tool.data_dir)


# refill ---------------------------------------------------------------------------------------------------------------


def _refill(options: argparse.Namespace, tool: Tool) -> int:
    name = _checked(_one(options, "CLUSTER"))
    wanted = _wanted(options)
    host = tool.make_host(options.state_dir)
    if options.log_file:
        host.log = host.ledger.log = Log(options.log_level, options.log_file, {"verb": "refill"})
    try:
        done, notes = _refilled(options, tool, host, name, wanted)
    except Exception as error:
        if host.log.is_kept:  # else it is told by whoever called us, and only there
            told = as_cni_error(error)
            host.log.error("failed", cluster=name, code=told.code, reason=told.msg, details=told.details)
        raise
    if done.claimed:
        host.log.routine("blocks claimed", cluster=name, blocks=", ".join(map(str, done.claimed)))
    return _told(options, tool, name, done, notes)


def _refilled(
    options: argparse.Namespace, tool: Tool, host: Host, name: str, wanted: Wanted | None
) -> tuple[Refilled, list[str]]:
    from ..cluster import claim, ending

    began = time.monotonic()
    until = began + options.deadline
    patience = options.deadline + claim.GRACE_S  # who has the lock began before
    if options.until is not None:
        until, patience = options.until - claim.TELL_S, options.until - claim.TELL_S / 2 - began
    host.ledger.open_run_dir()
    files = _files(host, name)
    done, notes = claim.Refilled(), list[str]()
    lock = files.lock("sriovctl pool", options.lock_fd)
    try:
        if options.lock_fd < 0:
            since = time.time()
            lock.acquire(round(max(0, patience), 1))
            claim.fail_as_before(files, since, until)
        elif wanted is None and not claim.low(host, files, tool.data_dir):
            lock.release()
            if not claim.wait_a_moment(files, random.uniform(0, JITTER_S)):  # noqa: S311
                return done, notes
            until = time.monotonic() + options.deadline
            lock.acquire(options.deadline)
        with ending.ended(files, options.deadline + ending.LATE_S), claim.noted(files):
            if not claim.is_needless(files, wanted):
                member = _member(tool, host, name, until)
                done, notes = claim.refill(member, wanted), member.notes
    finally:
        lock.release()
    return done, notes


def _wanted(options: argparse.Namespace) -> Wanted | None:
    from ..cluster.claim import Wanted

    if not options.subnet:
        if options.block is not None or options.more_than >= 0 or options.exclude:
            raise _usage("refill", "--block, --more-than and --exclude go with --subnet")
        return None
    length, prefix_length = options.block_length, options.prefix_length
    if length is None or prefix_length is None:
        raise _usage("refill", "--subnet goes with --block-length and --prefix-length")
    for subnet in options.subnet:
        if not subnet.length <= length <= prefix_length <= BITS[subnet.version]:
            raise _usage("refill", f"{subnet} has no blocks of /{length} with subnets of /{prefix_length}")
    block = options.block
    if block is not None and not (
        block.length == length and any(subnet.contains(block) for subnet in options.subnet)
    ):
        raise _usage("refill", f"{block} is no block of /{length} of those subnets")
    if any(part.length > length for part in options.exclude):
        raise _usage("refill", f"--exclude is of whole blocks, /{length} at most")
    return Wanted(options.subnet, length, prefix_length, block, options.more_than, options.exclude)


def _told(options: argparse.Namespace, tool: Tool, name: str, done: Refilled, notes: list[str]) -> int:
    if options.json:
        told = {"cluster": name, "claimed": [*map(str, done.claimed)], "lost": [*map(str, done.lost)]}
        write_json(tool, told | {"notes": notes})
    else:
        from .. import show_pool

        show_pool.refilled(tool.out, name, done, notes)
    return OK


# release --------------------------------------------------------------------------------------------------------------


def _release(options: argparse.Namespace, tool: Tool) -> int:
    from ..cluster import contact, ending, giving

    name = _named(options, tool)
    host = tool.make_host(options.state_dir)
    files = _files(host, name)
    wanted = [_own(text, files.names(), name) for text in options.names] or None
    member = _member(tool, host, name, time.monotonic() + options.deadline)
    if options.dry_run:
        going = [block for block in giving.empty(member) if wanted is None or block in wanted]
    else:
        host.ledger.open_run_dir()
        with files.lock("sriovctl pool"), ending.ended(files, options.deadline + ending.LATE_S):
            met = contact.contact(member)  # on a copy of a machine the original's blocks are empty
            going = [*met.given, *giving.give_back(member, wanted)]
    kept = [block for block in (wanted or files.names()) if block not in going]
    if options.json:
        told = {"released": [*map(str, going)], "kept": [*map(str, kept)], "dryRun": options.dry_run}
        write_json(tool, {"cluster": name} | told)
    else:
        from .. import show_pool

        show_pool.released(tool.out, going, kept, options.dry_run)
    return FAILED if wanted and kept else OK


def _own(text: str, ours: list[Prefix], cluster: str) -> Prefix:
    try:
        block = parse_prefix(text)
    except ValueError as error:
        raise _usage("release", str(error)) from error
    if block not in ours:
        raise BadConfig(
            f"pool release {text}: it is no block of this node in cluster {cluster}",
            "`sriovctl pool` has all",
        )
    return block


# other nodes ----------------------------------------------------------------------------------------------------------


def _drain(options: argparse.Namespace, tool: Tool) -> int:
    from ..cluster import others

    word, name = _one(options, "NODE"), _named(options, tool)
    engine = _clusters(tool).open(name, time.monotonic() + options.deadline)
    record = others.drain(engine, name, word, not options.undo)
    if options.json:
        told = {"cluster": name, "node": record.node, "fingerprint": record.fingerprint}
        write_json(tool, told | {"draining": record.draining})
    else:
        from .. import show_pool

        show_pool.drained(tool.out, name, record)
    return OK


def _forget(options: argparse.Namespace, tool: Tool) -> int:
    from ..cluster import others

    word, name = _one(options, "NODE"), _named(options, tool)
    host = tool.make_host(options.state_dir)
    member = _member(tool, host, name, time.monotonic() + options.deadline)
    meant = others.look(member.engine, name, word)
    others.refuse_living(member, meant, options.force)
    if options.dry_run:
        return _tell_forgotten(options, tool, name, meant, meant.blocks)
    if not (options.yes or meant.is_dead):
        _refuse_unasked(options, tool, name)
        if not _agrees(tool, meant):
            return FAILED
        # who was asked may have taken his time
        member = _member(tool, host, name, time.monotonic() + options.deadline)
    return _tell_forgotten(options, tool, name, meant, others.forget(member.engine, meant))


def _refuse_unasked(options: argparse.Namespace, tool: Tool, name: str) -> None:
    if options.json or tool.stdin is None or not tool.stdin.isatty():
        word = shlex.quote(options.names[0])
        raise Usage(
            f"pool forget {options.names[0]}: nobody is here to be asked",
            f"`sriovctl pool forget --cluster {name} --yes {word}` does it,"
            f" `sriovctl pool forget --cluster {name} --dry-run {word}` only looks",
        )


def _agrees(tool: Tool, meant: Meant) -> bool:
    """By its name: what is typed by habit is no proof of death."""
    from .. import show_pool

    assert tool.stdin is not None
    show_pool.question(tool.out, meant)
    agrees = tool.stdin.readline().strip() == meant.record.node
    if not agrees:
        show_pool.declined(tool.out)
    return agrees


def _tell_forgotten(
    options: argparse.Namespace, tool: Tool, name: str, meant: Meant, gone: list[Prefix]
) -> int:
    if options.json:
        told = {"cluster": name, "node": meant.record.node, "fingerprint": meant.record.fingerprint}
        write_json(tool, told | {"released": [*map(str, gone)], "dryRun": options.dry_run})
    else:
        from .. import show_pool

        show_pool.forgotten(tool.out, meant, gone, options.dry_run)
    return OK


# pools ----------------------------------------------------------------------------------------------------------------


def _undefine(options: argparse.Namespace, tool: Tool) -> int:
    from ..cluster import undefining

    try:
        subnet = parse_prefix(_one(options, "SUBNET"))
    except ValueError as error:
        raise _usage("undefine", str(error)) from error
    name = _named(options, tool)
    engine = _clusters(tool).open(name, time.monotonic() + options.deadline)
    was = undefining.undefine(engine, name, subnet, is_only_asked=options.dry_run)
    if options.json:
        told = {"cluster": name, "subnet": str(was.subnet), "blockLength": was.length, "node": was.node}
        write_json(tool, told | {"dryRun": options.dry_run})
    else:
        from .. import show_pool

        show_pool.undefined(tool.out, name, was, options.dry_run)
    return OK


# look -----------------------------------------------------------------------------------------------------------------


def _show(options: argparse.Namespace, tool: Tool) -> int:
    from ..cluster import look

    if options.names:
        raise Usage("pool: takes no more without an action", f"one of {', '.join(_USAGES)}")
    host = tool.make_host(options.state_dir)
    clusters = _clusters(tool)
    names = (
        [_checked(options.cluster)]
        if options.cluster
        else sorted({*clusters.names(), *host.ledger.clusters()})
    )
    found = []
    for name in names:
        one = look.local(host, name, tool.data_dir)
        look.of_engine(one, clusters, time.monotonic() + options.deadline)
        found.append(one)
    if options.json:
        write_json(tool, {"clusters": [one.to_json() for one in found]})
    else:
        from .. import show_pool

        show_pool.clusters(tool.out, found)
    return FAILED if any(one.error for one in found) else OK


COMMAND = Command(
    "pool",
    "pools that nodes share: who has which blocks, claim and give back",
    arguments,
    run,
    needs_root=True,
)
