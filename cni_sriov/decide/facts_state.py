"""What this node has attached and leased, and what speaks against it, for the doctor's rules."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Nic:
    """A PF (`index` -1) or a VF. `mac` is its netdev's, `admin` what the PF tells of the VF. `netdev` "" = it is not in the
    host netns; `owner`: the container that has it, "" = nobody. `upper`: what it is a port of, in the host, as far as it
    matters: of one whose MAC another has too.
    """

    pci: str
    pf: str
    pf_name: str
    index: int
    netdev: str
    mac: str
    owner: str = ""
    admin: str = ""
    upper: str = ""

    def __str__(self) -> str:
        if self.index < 0:
            return self.pf_name or self.pci
        return f"{self.pf_name or self.pf} vf {self.index}"


@dataclass(slots=True)
class Held:
    """An attachment. `vf` "" = it has a tap of VPP's. `open_in`: processes that drive its VF. `file` tells of it. `is_vf_gone`: the VF that it took is no more; `dead`: why nobody can
    own it any more, "" = somebody may. `mounts`: what keeps its netns while no process is in there. `unleased`: subnets
    that it was given and that nobody has reserved for it by now.
    """

    owner: str
    vf: str
    where: str
    netns: str
    status: str
    file: str
    is_vf_gone: bool = False
    dead: str = ""
    mounts: list[str] = field(default_factory=list)
    unleased: list[str] = field(default_factory=list)
    open_in: list[str] = field(default_factory=list)

    @property
    def subject(self) -> str:
        return self.vf or self.owner


@dataclass(slots=True)
class DeadLease:
    """Subnets of an attachment that nobody can own any more, and why."""

    subnets: str
    owner: str
    reason: str


@dataclass(slots=True)
class Away:
    """A VF that nobody recorded, and whose netdev is in another netns. `path` leads there, `netdev` is its name there: ""
    = not found. `inside`: processes in there, as "sleep (pid 12)".
    """

    pci: str
    where: str
    path: str = ""
    netdev: str = ""
    inside: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Unread:
    """A state file that says nothing that we know. `vf`: what it keeps taken, "" = no VF. `remedy` in words; `command`: what
    gives it up, "" = it may be read later.
    """

    file: str
    reason: str
    vf: str
    remedy: str
    command: str = ""


@dataclass(slots=True)
class Drifted:
    """A VF that nobody has, and what of it is not as it was at first."""

    pci: str
    where: str
    differs: list[str]


@dataclass(slots=True)
class GoneDir:
    """A directory that is registered as in use, by the file `registered`, and is not there. `users`: whose state it had."""

    path: str
    registered: str
    kind: str
    users: list[str] = field(default_factory=list)


@dataclass(slots=True)
class State:
    """All of it."""

    nics: list[Nic] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    leases: list[DeadLease] = field(default_factory=list)
    away: list[Away] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    drifted: list[Drifted] = field(default_factory=list)
    gone: list[GoneDir] = field(default_factory=list)
