"""Whom the operator means by a word: attachments by their pod or container."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..words.domain import Attachment
from ..words.errors import BadConfig
from ..words.shown import one_line

_LEAST = 4  # characters of a container's ID
_SHOWN = 10


def is_called(pod: str, target: str) -> bool:
    """`pod` as its runtime calls it, namespace/name; the name alone will do."""
    return bool(pod) and target in {pod, pod.rpartition("/")[2]}


def by_pod(pods: Mapping[Attachment, str], target: str, verb: str) -> list[Attachment]:
    """BadConfig where several are called so."""
    return _of_one([who for who, pod in pods.items() if is_called(pod, target)], target, verb)


def by_id(seen: Iterable[Attachment], target: str, verb: str) -> list[Attachment]:
    """As `meant`, of one container. BadConfig where several are called so."""
    return _of_one(meant(seen, target), target, verb)


def meant(seen: Iterable[Attachment], target: str) -> list[Attachment]:
    """By the container's ID or the beginning of one, and its interface if that is said."""
    seen = list(seen)
    container_id, _, ifname = target.partition("/")
    exact = by_whole_id(seen, target)
    if exact or len(container_id) < _LEAST:
        return exact
    return [who for who in seen if who.container_id.startswith(container_id) and ifname in {"", who.ifname}]


def by_whole_id(seen: Iterable[Attachment], target: str) -> list[Attachment]:
    """Before a pod's name, which may be another container's ID: whoever makes a pod chooses it."""
    container_id, _, ifname = target.partition("/")
    return [who for who in seen if who.container_id == container_id and ifname in {"", who.ifname}]


def listed(names: Sequence[str]) -> str:
    """The first ones of many."""
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")


def _of_one(found: list[Attachment], target: str, verb: str) -> list[Attachment]:
    containers = sorted({who.container_id for who in found})
    if len(containers) > 1:
        shown = listed([*map(one_line, containers)])
        raise BadConfig(
            f"{verb} {target}: {len(containers)} containers are called so", f"say more of one: {shown}"
        )
    return found
