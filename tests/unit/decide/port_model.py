"""A port as a model for decide/provision.py: facts out of it, steps carried out on it, by rules that are not the planner's."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

from cni_sriov.conf.hostfile import PfEntry, VfRange
from cni_sriov.conf.netconf import PfSelector
from cni_sriov.decide.oracle import Capacity, Limit
from cni_sriov.decide.planner import Plan
from cni_sriov.decide.wanted import Defaults, PfFacts, Step, VfFacts
from cni_sriov.words.domain import PF, Link
from cni_sriov.words.errors import CniError, PfUnusable

ANY = PfSelector(["enp1s0f0"], None, None, None, None, None)
KERNEL = "igbvf"


def entry(where: str = "pfs[0]", **keys: object) -> PfEntry:
    made = PfEntry(where, ANY, vfs=[])
    for key, value in keys.items():
        setattr(made, key, value)
    return made


@dataclass
class ModelVf:
    """`golden` None: no container has had it. `use`: who has it."""

    driver: str = KERNEL
    trust: bool = False
    spoofchk: bool = True
    mtu: int = 1500
    golden: Defaults | None = None
    use: str = ""

    @property
    def has_netdev(self) -> bool:
        return self.driver == KERNEL

    def now(self) -> Defaults:
        told: Defaults = {"trust": self.trust, "spoofchk": self.spoofchk}
        return told | ({"mtu": self.mtu} if self.has_netdev else {})


@dataclass
class Port:
    """`fresh`: what a VF is that its driver has just made."""

    totalvfs: int = 7
    room: int = 7
    mtu: int = 1500
    up: bool = True
    has_iommu: bool = True
    fresh: ModelVf = field(default_factory=ModelVf)
    vfs: list[ModelVf] = field(default_factory=list)
    name: str = "enp1s0f0"

    def facts(self) -> PfFacts:
        pf = PF("0000:01:00.0", self.name, 5, "igb", len(self.vfs), self.totalvfs, 0x8086, 0x10C9)
        link = Link(5, self.name, flags=int(self.up), mtu=self.mtu, min_mtu=68, max_mtu=9216)
        limits = [Limit(self.room, f"bus 02 is out of reach: {self.room} VFs at most", "bus", "another slot")]
        found = PfFacts(pf, link, Capacity(min(self.room, self.totalvfs), limits))
        words = ("auto", "vfio-pci", "uio_pci_generic", "igb_uio")
        found.fresh = {word: self.driver_plan(ModelVf(""), word) for word in words}
        found.vfs = [self._vf_facts(index, vf) for index, vf in enumerate(self.vfs)]
        return found

    def _vf_facts(self, index: int, vf: ModelVf) -> VfFacts:
        return VfFacts(index, f"0000:01:10.{index}", vf.driver, vf.now(), copy.copy(vf.golden), vf.use)

    def facts_for(self, wanted: PfEntry) -> PfFacts:
        found = self.facts()
        for fact, vf in zip(found.vfs, self.vfs, strict=True):
            one = wanted.of(fact.index)
            if one is not None and one.driver:
                fact.driver_plan = self.driver_plan(vf, one.driver)
        return found

    def driver_of(self, wanted: str) -> str:
        if wanted == "auto":
            return "vfio-pci" if self.has_iommu else ""
        return KERNEL if wanted == "kernel" else wanted

    def driver_plan(self, vf: ModelVf, wanted: str) -> Plan | CniError:
        driver = self.driver_of(wanted)
        return Plan(driver, driver != vf.driver) if driver else PfUnusable("no IOMMU", "switch it on")

    # -- the acts -----------------------------------------------------------------------------------------------------

    def act(self, step: Step) -> None:
        match step.kind:
            case "mtu":
                assert not any(vf.use for vf in self.vfs), "a port is not reset under a container"
                self.mtu = step.value
            case "up":
                self.up = True
            case "numvfs":
                assert not any(vf.use for vf in self.vfs), "a VF was taken from a container"
                assert step.value <= self.room, "the kernel would say ENOMEM"
                self.vfs = [copy.copy(self.fresh) for _ in range(step.value)]
            case "driver":
                for index in step.vfs:
                    self._bind(self.vfs[index], self.driver_of(step.driver))
            case "defaults":
                for index in step.vfs:
                    self._set(self.vfs[index], step.defaults)

    def _bind(self, vf: ModelVf, driver: str) -> None:
        assert not vf.use, "a VF was taken from a container"
        assert driver
        if driver != vf.driver:
            vf.driver, vf.mtu = driver, self.fresh.mtu  # the netdev is a new one

    def _set(self, vf: ModelVf, wanted: Defaults) -> None:
        assert not vf.use, "somebody's VF was changed"
        for name, value in wanted.items():
            if name != "mtu" or vf.has_netdev:
                setattr(vf, name, value)
        vf.golden = (vf.golden or vf.now()) | wanted

    # -- what is wanted ------------------------------------------------------------------------------------------------

    def wrong(self, wanted: PfEntry, before: Port) -> list[str]:
        """What is not as the file says, a line each; a VF in use must be what it was."""
        lines = []
        count = len(before.vfs)
        if wanted.numvfs == "max":
            count = max(count, min(self.room, self.totalvfs))
        elif wanted.numvfs is not None:
            count = wanted.numvfs
        if len(self.vfs) != count:
            lines.append(f"{len(self.vfs)} VFs, not {count}")
        if wanted.mtu not in {None, self.mtu} or (wanted.up and not self.up):
            lines.append(f"mtu {self.mtu}, up {self.up}")
        for index, vf in enumerate(self.vfs):
            one = wanted.of(index)
            if vf.use:
                lines += [] if vf == before.vfs[index] else [f"vf {index} is {vf.use}'s, and changed"]
            elif one is not None:
                lines += [f"vf {index}: {words}" for words in _wrong(vf, one, self)]
        return lines


def _wrong(vf: ModelVf, one: VfRange, port: Port) -> list[str]:
    lines = [] if not one.driver or port.driver_of(one.driver) == vf.driver else [f"driver {vf.driver}"]
    for name in ("trust", "spoofchk", "mtu"):
        value = getattr(one, name)
        if value is None or (name == "mtu" and not vf.has_netdev):
            continue
        if getattr(vf, name) != value:
            lines.append(f"{name} {getattr(vf, name)}")
        if vf.golden is not None and vf.golden.get(name, value) != value:
            lines.append(f"after a DEL {name} {vf.golden[name]}")
    return lines
