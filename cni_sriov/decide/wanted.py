"""What `sriovctl apply` goes from and to: facts of a PF and its VFs, steps, a plan. Nouns and their words; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ..conf.hostfile import PfEntry
from ..words.domain import PF, Link
from ..words.errors import CniError
from .oracle import Capacity
from .planner import Plan

Kind = Literal["mtu", "up", "numvfs", "driver", "defaults"]
Defaults = dict[str, bool | int]  # trust, spoofchk, mtu: what is wanted, or what is known of them
DEFAULTS = ("trust", "spoofchk", "mtu")


@dataclass(slots=True)
class VfFacts:
    """`now` and `first` (its golden baseline, None = none yet) have what is told alone. `use` "" = nobody has it; `unclear`:
    why its golden baseline cannot be read. `driver_plan`: what its range's driver comes to here, or why not.
    """

    index: int
    pci: str
    driver: str = ""
    now: Defaults = field(default_factory=dict)
    first: Defaults | None = None
    use: str = ""
    unclear: str = ""
    driver_plan: Plan | CniError | None = None


@dataclass(slots=True)
class PfFacts:
    """`link` None: it has no netdev in the host netns. `fresh`: as VfFacts.driver_plan, by the file's word, for VFs that are
    not made yet. `probes`: the kernel binds drivers to new VFs.
    """

    pf: PF
    link: Link | None
    capacity: Capacity
    vfs: list[VfFacts] = field(default_factory=list)
    fresh: Mapping[str, Plan | CniError] = field(default_factory=dict)
    probes: bool = True

    @property
    def name(self) -> str:
        return self.pf.ifname or self.pf.pci_address


@dataclass(slots=True, frozen=True)
class Step:
    """`say` is what is done, in words. `value`: the MTU, or how many VFs; `driver` is the file's word; `vfs` are indices."""

    kind: Kind
    say: str
    value: int = 0
    vfs: tuple[int, ...] = ()
    driver: str = ""
    defaults: Defaults = field(default_factory=dict)


@dataclass(slots=True)
class PfPlan:
    """Of one PF. `refused`: why nothing is done to it. `left`: whose default is not set, and who has it. `notes`: what the
    operator should know.
    """

    entry: PfEntry
    pf: PF
    steps: list[Step] = field(default_factory=list)
    refused: list[CniError] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.pf.ifname or self.pf.pci_address


# words ---------------------------------------------------------------------------------------------------------------


def told(defaults: Mapping[str, Any]) -> str:
    """Like "trust on, mtu 9000"."""
    words = {True: "on", False: "off"}
    return ", ".join(
        f"{name} {words[value] if isinstance(value, bool) else value}" for name, value in defaults.items()
    )


def spelled(indices: Iterable[int]) -> str:
    """Like "vf 0-3,6"."""
    runs: list[list[int]] = []
    for index in sorted(indices):
        if runs and index == runs[-1][1] + 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    return "vf " + ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
