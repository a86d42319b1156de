"""Who would call the plugin on this node, by which configuration, and who else manages VFs, for the doctor's rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from .trouble import Evidence

ProgramKind = Literal["ours", "another's", ""]  # "" = not known
Lack = Literal["pf", "vfs", "full"]  # no such PF, or none that can be used; no VFs; none free


@dataclass(slots=True)
class Program:
    """A plugin's executable, as a runtime finds it."""

    path: str
    kind: ProgramKind = ""


@dataclass(slots=True)
class Unserved:
    """Why an ADD would get no VF now. `command` "" = `why` says all that is known."""

    lack: Lack
    why: str
    command: str = ""


@dataclass(slots=True)
class Network:
    """A file that a runtime loads. `name` of the network, "" = it has none; `types`: the plugins and IPAM plugins that it
    names; `errors`: what is wrong, as "path: rule"; `clusters`: those that its pools are shared in.
    """

    path: str
    name: str = ""
    types: list[str] = field(default_factory=list)
    is_ours: bool = False
    errors: list[str] = field(default_factory=list)
    unserved: Unserved | None = None
    clusters: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Runtime:
    """One that calls CNI plugins. `seen`: why it is here; `told`: what its configuration says of CNI, if anything.

    `networks` are the files of `conf_dir` that it loads, in its order; `takes`: how many of them, 0 = all. `chosen`: the
    network that its configuration names, "" = the first. `stops`: a file that cannot be loaded keeps it from those behind.
    `programs`: of the plugins that are asked for, those that are in `bin_dirs`, by name. `is_seen` False: a look at its
    configuration or at these failed.
    """

    name: str
    seen: str
    conf_dir: str
    bin_dirs: list[str]
    takes: int = 1
    chosen: str = ""
    stops: bool = False
    told: list[Evidence] = field(default_factory=list)
    networks: list[Network] = field(default_factory=list)
    programs: dict[str, Program] = field(default_factory=dict)
    has_dir: dict[str, bool] = field(default_factory=dict)
    is_seen: bool = True

    @property
    def wants_ours(self) -> bool:
        return any(network.is_ours for network in self.networks)

    @property
    def bin_dir(self) -> str:
        """Where a plugin would be put."""
        return next((path for path in self.bin_dirs if self.has_dir.get(path)), self.bin_dirs[0])


@dataclass(slots=True)
class Podman:
    """With netavark, which calls no CNI plugins. `plugin`: that of our name in `plugin_dirs`, "" = it is in none.
    `is_this`: it is the file of this version, as far as can be told. `networks`: its network files that name our driver.
    `version` "" = not known.
    """

    seen: str
    version: str
    told: Evidence
    plugin_dirs: list[str]
    plugin: str = ""
    is_this: bool = True
    networks: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Managed:
    """A VF in the host that somebody else configures: `by` NetworkManager or systemd-networkd, as `told`."""

    netdev: str
    pci: str
    driver: str
    by: str
    told: Evidence
    network_file: str = ""


@dataclass(slots=True)
class Runtimes:
    """All of it. `bundle`: the path of our `sriov` on this node, "" = not known."""

    runtimes: list[Runtime] = field(default_factory=list)
    podman: Podman | None = None
    managed: list[Managed] = field(default_factory=list)
    bundle: str = ""
