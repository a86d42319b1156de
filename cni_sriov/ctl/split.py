"""Where a call's time went: the plugin's own line (doors/times.py) between the stamps of the one who started and reaped it.

Pure. For `sriovctl profile` and `make bench`. Milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..words import jsontext
from ..words.errors import BadJson

Parts = dict[str, float]

# In the order in which they are shown; what a call has not is 0.
PARTS = {
    "start-up": "from its start to its first own line",
    "decide": "reads, chooses, claims, records, answers",
    "wait": "waits for another call's lock",
    "kernel": "changes the VF, moves it, sets the pod's side up",
    "IPAM": "leases and what they need to know of the host, or another IPAM plugin",
    "exit": "from its last line to its end",
}
_LINE = "cniSriovTimes"


@dataclass(slots=True)
class Call:
    """One call in milliseconds. `parts` has every key of PARTS and adds up to `whole`; `held` is by lock."""

    whole: float
    parts: Parts
    acts: Parts
    held: Parts

    def to_json(self) -> dict[str, Any]:
        return {
            "wholeMs": _round(self.whole),
            "partsMs": {key: _round(value) for key, value in self.parts.items()},
            "actsMs": {key: _round(value) for key, value in self.acts.items()},
            "heldMs": {key: _round(value) for key, value in self.held.items()},
        }


def told(stderr: str) -> dict[str, Any] | None:
    """The last line that is the plugin's; None if it told none: another plugin, or an older one."""
    for line in reversed(stderr.splitlines()):
        if _LINE in line:
            try:
                found = jsontext.parse_object(line)
            except BadJson:
                continue
            if found.get(_LINE) == 1:
                return found
    return None


def split(said: dict[str, Any], spawned: int, reaped: int) -> Call:
    """`spawned` and `reaped` are CLOCK_MONOTONIC in ns, as `said`'s own stamps are."""
    parts = dict.fromkeys(PARTS, 0.0)
    parts["start-up"] = (said["entry"] - spawned) / 1e6
    parts["exit"] = (reaped - said["end"]) / 1e6
    for part, spent in said["parts"].items():
        parts[part] += spent / 1e6
    return Call((reaped - spawned) / 1e6, parts, _ms(said["acts"]), _ms(said["held"]))


def middle(calls: Sequence[Call]) -> Call:
    """Median of each number by itself, so the parts add up to the whole only nearly. What a call lacks is 0."""
    from statistics import median

    def each(dicts: list[Parts]) -> Parts:
        names = dict.fromkeys(name for found in dicts for name in found)
        return {name: median(found.get(name, 0.0) for found in dicts) for name in names}

    return Call(
        median(call.whole for call in calls),
        each([call.parts for call in calls]),
        each([call.acts for call in calls]),
        each([call.held for call in calls]),
    )


def _ms(spent: dict[str, int]) -> Parts:
    return {name: value / 1e6 for name, value in spent.items()}


def _round(value: float) -> float:
    return round(value, 3)
