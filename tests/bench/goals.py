"""What the project wants to reach, beside what this run found. Pure."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any, NamedTuple

from tests.bench.measure import ratios

MET, NOT_MET, NOT_MEASURED = "met", "not met", "not measured"


class Goal(NamedTuple):
    """`found` looks into the bench's document; KeyError where that part was not measured."""

    what: str
    limit: float
    unit: str
    found: Callable[[dict[str, Any]], float]


def _alone(mine: str, theirs: str, field: str = "wall") -> Callable[[dict[str, Any]], float]:
    return lambda found: median(ratios(found["alone"][mine], found["alone"][theirs], field))


def _beside_peer(verb: str, field: str = "wall") -> Callable[[dict[str, Any]], float]:
    """On this machine if it ran here, else on the lab's card, where a PF tells of its VFs."""

    def found_in(found: dict[str, Any]) -> float:
        samples = found["alone"] if f"peer/{verb}" in found["alone"] else found["card"]["samples"]
        return median(ratios(samples[f"ours/{verb}"], samples[f"peer/{verb}"], field))

    return found_in


def _burst(key: str, theirs: str, verb: str = "ADD") -> Callable[[dict[str, Any]], float]:
    return lambda found: median(
        ratios(found[key][f"ours/{verb}"], found[key][f"{theirs}/{verb}"], "makespan")
    )


def _shared_ratio(field: str) -> Callable[[dict[str, Any]], float]:
    return lambda found: median(
        ratios(found["shared"]["shared pool/ADD"], found["shared"]["own pool/ADD"], field)
    )


def _lease_ratio(found: dict[str, Any]) -> float:
    counts = sorted(found["leases"]["store"], key=int)
    few, many = (found["leases"]["samples"][f"ours {count}/ADD"] for count in counts)
    return median(ratios(many, few, "wall"))


def _store_ms(found: dict[str, Any]) -> float:
    store = found["leases"]["store"]
    return float(median(store[max(store, key=int)]))


GOALS = (
    Goal("ADD / host-device", 0.95, "x", _alone("ours/ADD", "go/ADD")),
    Goal("DEL / host-device", 1.0, "x", _alone("ours/DEL", "go/DEL")),
    Goal("CPU of an ADD / host-device", 0.65, "x", _alone("ours/ADD", "go/ADD", "cpu")),
    Goal("CPU of a DEL / host-device", 0.7, "x", _alone("ours/DEL", "go/DEL", "cpu")),
    Goal("32 ADDs at once / host-device", 0.95, "x", _burst("bursts", "go")),
    Goal("32 DELs at once / host-device", 0.95, "x", _burst("bursts", "go", "DEL")),
    Goal("VERSION / host-device", 0.75, "x", _alone("ours version/VERSION", "go version/VERSION")),
    Goal("STATUS / our VERSION", 1.5, "x", _alone("ours status/STATUS", "ours version/VERSION")),
    Goal("ADD with very many leases / with few", 1.3, "x", _lease_ratio),
    Goal("the store alone, very many leases", 0.2, " ms", _store_ms),
    Goal("ADD of a shared pool / of its own", 1.02, "x", _shared_ratio("wall")),
    Goal("CPU of it / of its own", 1.02, "x", _shared_ratio("cpu")),
    Goal("peak RSS of an ADD", 10.0, " MB", lambda found: float(found["sizes"]["ours ADD"])),
    Goal("on disk, for `sriov`", 12.0, " MB", lambda found: float(found["sizes"]["plugin"])),
    Goal("ADD / PEER_SRIOV", 0.4, "x", _beside_peer("ADD")),
    Goal("DEL / PEER_SRIOV", 0.98, "x", _beside_peer("DEL")),
    Goal("CPU of an ADD / PEER_SRIOV", 0.45, "x", _beside_peer("ADD", "cpu")),
    Goal("CPU of a DEL / PEER_SRIOV", 0.6, "x", _beside_peer("DEL", "cpu")),
    Goal("64 ADDs at once / PEER_SRIOV", 0.5, "x", _burst("peer bursts", "peer")),
)


def judge(goal: Goal, found: dict[str, Any]) -> tuple[str, str]:
    """What was found, and the verdict; a value at the limit meets it, as it is printed."""
    try:
        value = round(goal.found(found), 2)
    except KeyError:
        return "-", NOT_MEASURED
    return f"{value:.2f}{goal.unit}", MET if value <= goal.limit else NOT_MET
