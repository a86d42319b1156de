"""The line that the plugin tells of one call."""

from __future__ import annotations

MS = 1_000_000

SAID = {
    "cniSriovTimes": 1,
    "verb": "ADD",
    "entry": 1014 * MS,
    "end": 1040 * MS,
    "parts": {"decide": 6 * MS, "kernel": 20 * MS},
    "acts": {"rest": 5 * MS, "vf.claim.take": 1 * MS, "vf.netdev.move": 20 * MS},
    "held": {"node": 2 * MS},
}
