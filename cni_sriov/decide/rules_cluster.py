"""The doctor's rules about pools that nodes share. They judge by this node's files alone: whether the engine answers now,
`sriovctl pool` asks.
"""

from __future__ import annotations

from collections.abc import Iterator

from .facts import Facts, Rule
from .facts_cluster import Cluster, Refused
from .trouble import Evidence, Severity, Trouble, by_hand, quoted

_MOST = 5  # attachments that are named
_START_S = 120  # in which a refill that an ADD has started waits its turn, and asks
_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"))


def block_lost(facts: Facts) -> Iterator[Trouble]:
    """A block of a shared pool is another node's by the engine's word: what this node has in it may be there twice.

    error, note: end the containers in it, and start them anew
    """
    for cluster in facts.clusters:
        for lost in cluster.lost:
            holder = f"node {lost.holder}" if lost.holder else "another node"
            why = f"block {lost.block} of cluster {cluster.name} is {holder}'s by the engine's word, and nothing is cut from it"
            if lost.users:
                why += f"; {_first(lost.users)} still {'have' if lost.users[1:] else 'has'} subnets in it, which may be there twice"
            end = [
                "# end these containers on one of the two nodes, and start them anew: they get other subnets"
            ]
            lines = [
                *(end if lost.users else []),
                "# then, or at its next contact, the block is no more here:",
            ]
            remedy = "\n".join([*lines, _refill(cluster)])
            severity: Severity = "error" if lost.users else "note"
            evidence = [Evidence(lost.file, f"held by {holder}")]
            evidence += [Evidence("sriovctl leases", user) for user in lost.users[:_MOST]]
            yield Trouble("block-lost", severity, lost.block, why, remedy, evidence)


def _first(users: list[str]) -> str:
    more = f" and {len(users) - _MOST} more" if users[_MOST:] else ""
    return ", ".join(users[:_MOST]) + more


def _refill(cluster: Cluster) -> str:
    return f"sriovctl pool refill {quoted(cluster.name)}"


def cluster_file_broken(facts: Facts) -> Iterator[Trouble]:
    """The file of a cluster is missing, is open to others than root, or says what is not known: no block can be claimed.

    error, warning: `chmod 600`, or `sriovctl validate FILE`
    """
    for cluster in facts.clusters:
        if cluster.faults and (cluster.networks or cluster.blocks):
            whose = f"{cluster.networks[0]} uses it" if cluster.networks else "this node has blocks of it"
            first, more = cluster.faults[0], len(cluster.faults) - 1
            why = f"cluster {cluster.name} cannot be asked, and {whose}: {first.why}"
            why += f" (and {more} more)" if more else ""
            file = quoted(cluster.file)
            again = f"sriovctl validate {file} || true\n# correct what it says; conf/etcd and conf/kubernetes have samples"
            severity: Severity = "error" if cluster.networks else "warning"
            evidence = [Evidence(cluster.file, fault.why) for fault in cluster.faults[:3]]
            remedy = first.command or again
            yield Trouble("cluster-file-broken", severity, cluster.file, why, remedy, evidence)


def cluster_copied(facts: Facts) -> Iterator[Trouble]:
    """Blocks of a cluster are, or may be, those of another machine, from which this one was copied: nothing is cut from them.

    error: what the sentence says: `rm -r` of what the copy brought, or the machine's own /etc/machine-id
    """
    for cluster in facts.clusters:
        if not (cluster.is_copied or cluster.is_stopped):
            continue
        if cluster.is_copied:
            why = f"the blocks in {cluster.path} are those of another machine, and nothing is cut from them here"
            told = [
                f"if this machine was copied: `rm -r {cluster.path}` before it has containers, and it is a node of its own",
                "if it is the same machine: put its /etc/machine-id back",
            ]
            evidence = [Evidence(f"{cluster.path}/machine", "another /etc/machine-id than this machine's")]
        else:
            said = cluster.refused
            why = f"this may be a copy of another machine of cluster {cluster.name}, and nothing is cut from its blocks"
            why += f": {said.msg}" if said else ""
            told = said.details.splitlines() if said else [f"`{_refill(cluster)}` says what to do"]
            evidence = [Evidence(f"{cluster.path}/stopped", "the engine's last word"), *_said(said)]
        remedy = "\n".join(map(by_hand, told))
        yield Trouble("cluster-copied", "error", cluster.path, why, remedy, evidence)


def engine_not_asked(facts: Facts) -> Iterator[Trouble]:
    """The engine of a cluster was not spoken to for an hour, while subnets of its blocks are in use.

    warning, note: `sriovctl pool refill CLUSTER`; a note where no ADD came in that time, which would have it asked
    """
    for cluster in facts.clusters:
        if not _is_overdue(cluster) or _has_its_own(cluster):
            continue
        since = "never" if cluster.contact is None else f"{_ago(cluster.contact)} ago"
        subnets = f"{cluster.leased} subnet{'s' if cluster.leased > 1 else ''}"
        why = f"the engine of cluster {cluster.name} was last asked {since}, and {subnets} of its blocks are in use here"
        why += _because(cluster.refused)
        severity: Severity = "warning" if cluster.refused or _was_due(cluster) else "note"
        told = "no such file" if cluster.contact is None else f"written {since}"
        evidence = [Evidence(f"{cluster.path}/contact", told), *_said(cluster.refused)]
        yield Trouble("engine-not-asked", severity, cluster.path, why, _ask(cluster), evidence)


def _is_overdue(cluster: Cluster) -> bool:
    return bool(cluster.leased) and (cluster.contact is None or cluster.contact >= cluster.every)


def _was_due(cluster: Cluster) -> bool:
    """An ADD came so long after the last contact, and what it started has had its time: who is idle asks nobody."""
    if cluster.contact is None:
        return True
    return cluster.newest is not None and _START_S < cluster.newest <= cluster.contact - cluster.every


def _has_its_own(cluster: Cluster) -> bool:
    """What keeps it from asking is a trouble of its own."""
    return cluster.is_copied or cluster.is_stopped or bool(cluster.faults)


def refill_failed(facts: Facts) -> Iterator[Trouble]:
    """The last refill of a cluster failed: its engine was away or refused, or the pool has no free block.

    error, warning: what the sentence says, then `sriovctl pool refill CLUSTER`; error if this node has hardly a subnet left
    """
    for cluster in facts.clusters:
        if cluster.refused is None or _is_overdue(cluster) or _has_its_own(cluster):
            continue
        low = (
            f", and less than a quarter of a block is left of {', '.join(cluster.low)}" if cluster.low else ""
        )
        why = f"no block of cluster {cluster.name} was claimed {_ago(cluster.refused.ago)} ago{low}: {cluster.refused.msg}"
        severity: Severity = "error" if cluster.low or not cluster.blocks else "warning"
        evidence = _said(cluster.refused)
        yield Trouble("refill-failed", severity, cluster.path, why, _ask(cluster), evidence)


def _because(refused: Refused | None) -> str:
    return f"; the last refill failed {_ago(refused.ago)} ago: {refused.msg}" if refused else ""


def _said(refused: Refused | None) -> list[Evidence]:
    return [Evidence(refused.file, refused.msg)] if refused else []


def _ask(cluster: Cluster) -> str:
    """Its word is the refill's, since a rule asks nobody."""
    told = cluster.refused.details.splitlines() if cluster.refused else []
    return "\n".join([*map(by_hand, told), _refill(cluster)])


def _ago(seconds: float) -> str:
    """In the largest unit of which there is one."""
    for unit, name in _UNITS:
        if seconds >= unit:
            number = int(seconds // unit)
            return f"{number} {name}{'s' if number > 1 else ''}"
    return "less than a minute"


RULES: tuple[Rule, ...] = (block_lost, cluster_copied, cluster_file_broken, refill_failed, engine_not_asked)
