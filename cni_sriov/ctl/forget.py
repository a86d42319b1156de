"""`sriovctl forget POD`: what is kept for a pod (sticky), shown, and not kept any longer."""

from __future__ import annotations

from ..ipam import own
from ..vf.host import Host
from ..words.errors import InputOutput
from .verdict import Verdict

WAITS, ATTACHED = "it is free now", "its pod has it; it is free after the DEL"


def run(host: Host, pod: str, dry_run: bool) -> list[Verdict]:
    """`pod`: its name, namespace/name, or the whole key network/namespace/name/interface. InputOutput if there is none."""
    found = []
    for store in own.stores(host):
        held = {name for holding in store.holdings() if holding.attachment for name in holding.names}
        for kept in store.kept():
            key = kept.leases[0].sticky
            if pod in _names(key):
                what = ", ".join(lease.subnet for lease in kept.leases)
                done = dry_run or store.forget_kept(kept)
                why = ATTACHED if held.intersection(kept.names) else WAITS
                found.append(Verdict("lease", what, key, done, why if done else "it changed meanwhile"))
    if not found:
        raise InputOutput(f"forget {pod}: nothing is kept for it", "`sriovctl leases` lists what is")
    return found


def _names(key: str) -> set[str]:
    """network/namespace/name/interface, by ipam/own.Asked.sticky; the namespace may be none."""
    whole = key.partition("/")[2].rpartition("/")[0]
    return {key, whole, whole.rpartition("/")[2]}
