"""What becomes of one thing: taken back (or, in a dry run, to be), or left, and why. A noun of gc, release and forget."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(slots=True)
class Verdict:
    """`kind`: "vf", "name" (that a VF gets back), "lease" or "file". `failed`: since a look or an act failed."""

    kind: str
    what: str
    owner: str
    taken: bool
    reason: str
    failed: bool = False

    def to_json(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if name != "failed"}
