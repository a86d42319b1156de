"""What `sriovctl apply` would do on this node, and what it would refuse. Looks only: its dry run writes nothing."""

from __future__ import annotations

from ...conf.hostfile import PATH
from ...decide.facts_hostfile import HostPlan, Refused
from ...kernel.files import Files
from ...vf.host import Host
from ...words.errors import CniError
from ...words.failures import Failures
from .. import apply, hostjson
from ..apply_look import NodeDrivers, Site


def look(host: Host, files: Files, failures: Failures, wanted: str = "") -> HostPlan:
    """`wanted`: the address of the one PF to tell of, "" = all."""
    found = HostPlan()
    with failures.of(what=PATH):
        if files.has(PATH):
            found.path = PATH
            _plan(host, files, found, wanted)
    return found


def _plan(host: Host, files: Files, found: HostPlan, wanted: str) -> None:
    try:
        file = hostjson.read(files, PATH)
    except CniError as error:
        found.broken = Refused("", error.msg, error.details)
        return
    site = Site(host, files, NodeDrivers(host, files))
    applied = apply.run(site, file, PATH, True, apply.Silent(), 0)
    if not wanted:
        found.refused = [Refused("", error.msg, error.details) for error in applied.troubles]
    for outcome in applied.pfs:
        if wanted in {"", outcome.plan.pf.pci_address}:
            name = outcome.plan.name
            found.refused += [Refused(name, error.msg, error.details) for error in outcome.plan.refused]
            if outcome.plan.steps:
                found.pending.append((name, [step.say for step in outcome.plan.steps]))
