"""All that the doctor's rules judge by, as it was found. Each part has a room of its own (facts_*.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from .facts_card import Card
from .facts_cluster import Cluster
from .facts_hostfile import HostPlan
from .facts_machine import Machine
from .facts_runtime import Runtimes
from .facts_state import State
from .trouble import Trouble


@dataclass(slots=True)
class Facts:
    """`wanted`: the address of the card that was asked for, which is then the only one; "" = all of the node.

    `unseen`: what could not be looked at, and why, a sentence each. `has_all_cards` False: a card, or a part of one, is among
    that. `is_root` False: much of it is hidden.
    """

    machine: Machine = field(default_factory=Machine)
    cards: list[Card] = field(default_factory=list)
    state: State = field(default_factory=State)
    runtimes: Runtimes = field(default_factory=Runtimes)
    provision: HostPlan = field(default_factory=HostPlan)
    clusters: list[Cluster] = field(default_factory=list)
    wanted: str = ""
    unseen: list[str] = field(default_factory=list)
    has_all_cards: bool = True
    is_root: bool = True

    @property
    def wants_userspace(self) -> bool:
        """Whether anything here is, or is meant to be, in the hands of DPDK, VPP or a virtual machine."""
        vfs = (vf for card in self.cards for vf in card.vfs)
        return any(card.is_userspace or card.is_meant for card in self.cards) or any(
            vf.is_userspace or vf.is_meant for vf in vfs
        )


# Its name is the rule's with - for _. The first line of its docstring says when there is trouble; the last one, after
# an empty one, which severities it has and in short what helps: `error, warning: ip link set PF up`. docs/doctor.md
# and `sriovctl doctor --list` come from it.
Rule = Callable[[Facts], Iterator[Trouble]]
