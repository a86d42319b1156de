"""What /etc/cni-sriov/host.json comes to on this node, for the doctor's rules: the word of apply's dry run."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Refused:
    """`pf` "" = the file as a whole, or an entry that matches no PF. `details`: what helps, in words."""

    pf: str
    why: str
    details: str


@dataclass(slots=True)
class HostPlan:
    """`path` "" = there is no such file. `broken`: it cannot be read, or is no such file by its form. `pending`: PF and what
    apply would do to it.
    """

    path: str = ""
    broken: Refused | None = None
    refused: list[Refused] = field(default_factory=list)
    pending: list[tuple[str, list[str]]] = field(default_factory=list)
