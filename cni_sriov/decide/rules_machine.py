"""The doctor's rules about the machine below the cards."""

from __future__ import annotations

from collections.abc import Iterator

from .facts import Facts, Rule
from .trouble import Evidence, Trouble


def unseen(facts: Facts) -> Iterator[Trouble]:
    """Something could not be looked at, so that troubles there are not found.

    warning: run it as root, on the host
    """
    lines = list(facts.unseen)
    if not facts.is_root:
        lines.append("only root sees whose processes have devices open, and the whole PCI config space")
    if lines:
        yield Trouble(
            "unseen",
            "warning",
            "",
            "not all of the node could be looked at: what is wrong there is not told",
            "# as root, on the host, not in a container:\nsriovctl doctor",
            [Evidence("look", line) for line in lines],
        )


RULES: tuple[Rule, ...] = (unseen,)
