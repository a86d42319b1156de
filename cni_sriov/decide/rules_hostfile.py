"""The doctor's rules about what this node is to be, by /etc/cni-sriov/host.json."""

from __future__ import annotations

from collections.abc import Iterator

from .facts import Facts, Rule
from .trouble import Evidence, Trouble, by_hand


def host_file_broken(facts: Facts) -> Iterator[Trouble]:
    """/etc/cni-sriov/host.json cannot be read, or says what is not known: nothing of it is done, at boot neither.

    error: `sriovctl validate`
    """
    plan = facts.provision
    if plan.broken is not None:
        yield Trouble(
            "host-file-broken",
            "error",
            plan.path,
            f"nothing of {plan.path} is done, at boot neither: {plan.broken.why}",
            f"sriovctl validate {plan.path} || true\n# correct what it says",
            [Evidence(plan.path, plan.broken.why)],
        )


def host_file_refused(facts: Facts) -> Iterator[Trouble]:
    """A PF cannot be brought to what host.json says, like more VFs than it can have, or another number while VFs are in use.

    warning: what the sentence says; then `sriovctl apply`
    """
    plan = facts.provision
    for one in plan.refused:
        yield Trouble(
            "host-file-refused",
            "warning",
            one.pf or plan.path,
            f"{one.pf or 'the node'} is not what {plan.path} says, and cannot be brought there: {one.why}",
            "\n".join([*map(by_hand, one.details.splitlines()), "# then\nsriovctl apply"]),
            [Evidence("sriovctl apply --dry-run", one.why)],
        )


def host_file_pending(facts: Facts) -> Iterator[Trouble]:
    """A PF or its VFs are not what host.json says.

    note: `sriovctl apply`
    """
    plan = facts.provision
    for pf, steps in plan.pending:
        yield Trouble(
            "host-file-pending",
            "note",
            pf,
            f"{pf} is not yet what {plan.path} says: {'; '.join(steps)}",
            "sriovctl apply",
            [Evidence("sriovctl apply --dry-run", step) for step in steps],
        )


RULES: tuple[Rule, ...] = (host_file_broken, host_file_refused, host_file_pending)
