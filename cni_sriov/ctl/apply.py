"""`sriovctl apply`: the node is brought to what its file says (conf/hostfile.py).

Look, plan, act, and again until there is nothing to do: what was done is read back that way, and a call that was killed
is finished by the next. A PF's trouble stays its own: the others go on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from ..conf.hostfile import HostFile, PfEntry
from ..decide import provision
from ..decide.wanted import PfPlan, Step
from ..vf import card
from ..words.domain import PF
from ..words.errors import CniError, TryAgain
from ..words.failures import Failures, as_cni_error
from . import apply_act, apply_look
from .apply_look import Site

# VFs, their drivers, what only a new netdev can have, and nothing more
_ROUNDS = 4
_WAIT_POLL_S = 0.2


class Reporter(Protocol):
    """Told while it happens; show_apply.py."""

    def waits(self, missing: list[str], wait_s: float) -> None:
        """So long at most, for that."""

    def begin(self, step: Step) -> None: ...

    def tick(self) -> None:
        """A VF of that step is done."""

    def end(self, error: CniError | None) -> None: ...


class Silent:
    """Tells nothing on the way: a dry run, and --json, whose reader has the document."""

    def waits(self, missing: list[str], wait_s: float) -> None:
        pass

    def begin(self, step: Step) -> None:
        pass

    def tick(self) -> None:
        pass

    def end(self, error: CniError | None) -> None:
        pass


@dataclass(slots=True)
class PfOutcome:
    """`plan` is the one that was made first, all that a dry run has. `done` may have more than it, of what only new VFs show;
    `undone` is what follows a step that `failed`.
    """

    plan: PfPlan
    done: list[Step] = field(default_factory=list)
    undone: list[Step] = field(default_factory=list)
    failed: CniError | None = None

    @property
    def is_good(self) -> bool:
        return not self.plan.refused and self.failed is None

    def to_json(self) -> dict[str, Any]:
        """A contract with who parses it: keys are only ever added."""
        return {
            "pf": self.plan.name,
            "pci": self.plan.pf.pci_address,
            "entry": self.plan.entry.where,
            "plan": [_step(step) for step in self.plan.steps],
            "done": [_step(step) for step in self.done],
            "undone": [_step(step) for step in self.undone],
            "refused": [_error(error) for error in self.plan.refused],
            "failed": _error(self.failed) if self.failed is not None else None,
            "left": self.plan.left,
            "notes": self.plan.notes,
        }


@dataclass(slots=True)
class Applied:
    """`troubles`: of what has no PF, or none that could be looked at."""

    file: str
    dry_run: bool
    pfs: list[PfOutcome] = field(default_factory=list)
    troubles: list[CniError] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return not self.troubles and all(pf.is_good for pf in self.pfs)

    def to_json(self) -> dict[str, Any]:
        return {
            "file": self.file,
            "dryRun": self.dry_run,
            "changed": any(pf.done for pf in self.pfs),
            "pfs": [pf.to_json() for pf in self.pfs],
            "troubles": [_error(error) for error in self.troubles],
        }


def _step(step: Step) -> dict[str, Any]:
    return {"kind": step.kind, "say": step.say, "vfs": list(step.vfs)}


def _error(error: CniError) -> dict[str, Any]:
    return {"code": error.code, "msg": error.msg, "details": error.details}


def run(site: Site, file: HostFile, path: str, dry_run: bool, reporter: Reporter, wait_s: float) -> Applied:
    """`wait_s`: how long what a boot still brings is waited for."""
    missing_yet = apply_look.not_there_yet(site, file) if wait_s else []
    if missing_yet:
        reporter.waits(missing_yet, wait_s)
        card.poll(lambda: apply_look.not_there_yet(site, file), wait_s, _WAIT_POLL_S)
    applied = Applied(path, dry_run)
    chosen, missing = provision.select(file, apply_look.pfs(site.host), site.host.netlink.ifindex)
    applied.troubles += [provision.nothing_matches(entry) for entry in missing if not entry.optional]
    if not dry_run:
        site.host.ledger.open_run_dir()
    planned = _planned(site, chosen, applied)
    for outcome in planned if not dry_run else []:
        _bring(site, outcome, reporter)
    return applied


def _planned(site: Site, chosen: list[tuple[PfEntry, PF]], applied: Applied) -> list[PfOutcome]:
    """All PFs are judged before one is changed."""
    for entry, pf in chosen:
        failures = Failures()
        with failures.of():
            applied.pfs.append(PfOutcome(provision.plan(entry, apply_look.pf_facts(site, entry, pf))))
        for reason in failures.reasons:
            error = as_cni_error(reason)
            error.msg = f"plan {pf.ifname or pf.pci_address}: {error.msg}"
            applied.troubles.append(error)
    return applied.pfs


def _bring(site: Site, outcome: PfOutcome, reporter: Reporter) -> None:
    failures = Failures()
    with failures.of():
        _rounds(site, outcome, reporter)
    for reason in failures.reasons:
        outcome.failed = as_cni_error(reason)


def _rounds(site: Site, outcome: PfOutcome, reporter: Reporter) -> None:
    """What new VFs are is known when they are there: a plan is carried out as far as that."""
    made = outcome.plan
    for _ in range(_ROUNDS):
        if not made.steps:
            return
        for number, step in enumerate(made.steps):
            outcome.undone = made.steps[number:]
            _act(site, outcome, step, reporter)
            if step.kind == "numvfs":
                break
        outcome.undone = []
        made = _again(site, outcome)
    if made.steps:
        raise TryAgain(
            f"bring {made.name} to {made.entry.where}: after all was done there is still to do: {made.steps[0].say}",
            "somebody else changes it, or its driver takes settings without effect; dmesg may say more",
        )


def _act(site: Site, outcome: PfOutcome, step: Step, reporter: Reporter) -> None:
    reporter.begin(step)
    try:
        apply_act.act(site, outcome.plan.pf.pci_address, step, reporter.tick)
    except Exception as error:
        reporter.end(as_cni_error(error))
        raise
    reporter.end(None)
    outcome.done.append(step)


def _again(site: Site, outcome: PfOutcome) -> PfPlan:
    entry, address = outcome.plan.entry, outcome.plan.pf.pci_address
    pf = next((pf for pf in apply_look.pfs(site.host) if pf.pci_address == address), outcome.plan.pf)
    made = provision.plan(entry, apply_look.pf_facts(site, entry, pf))
    outcome.plan.left, outcome.plan.notes = made.left, list(dict.fromkeys(outcome.plan.notes + made.notes))
    if made.refused:
        raise made.refused[0]
    return made
