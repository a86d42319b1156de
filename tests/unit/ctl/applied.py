"""`apply` on a fake node, with drivers by three rules: vfio-pci for auto where there is an IOMMU, igbvf for kernel."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cni_sriov.conf import hostfile
from cni_sriov.ctl import apply
from cni_sriov.ctl.apply import Applied
from cni_sriov.ctl.apply_look import Site
from cni_sriov.decide.planner import Plan
from cni_sriov.decide.wanted import Step
from cni_sriov.words.domain import PF
from cni_sriov.words.errors import CniError, PfUnusable
from tests.fakes import FakeVf
from tests.fakes.effects import apply as effect
from tests.unit.ctl.tool import files, host
from tests.world import World

PORT: dict[str, Any] = {"names": ["enp1s0f0"]}
OTHER: dict[str, Any] = {"names": ["enp1s0f1"]}


@dataclass
class FakeDrivers:
    world: World
    has_iommu: bool = True

    def look(self, address: str, wanted: str) -> Plan:
        driver = self._driver(wanted)
        return Plan(driver, self._vf(address).driver != driver)

    def fresh(self, pf: PF, wanted: str) -> Plan:
        return Plan(self._driver(wanted), True)

    def bind(self, address: str, wanted: str) -> None:
        kernel, driver = self.world.kernel, self._driver(wanted)
        effect(kernel, f"bind {address} to {driver}", lambda: kernel.set_driver(self._vf(address), driver))

    def _driver(self, wanted: str) -> str:
        if wanted == "auto" and not self.has_iommu:
            raise PfUnusable("choose a driver: there is no IOMMU", "switch it on")
        return {"auto": "vfio-pci", "kernel": "igbvf"}.get(wanted, wanted)

    def _vf(self, address: str) -> FakeVf:
        return next(vf for pf in self.world.kernel.pfs for vf in pf.vfs if vf.pci_address == address)


@dataclass
class Heard:
    """What the reporter is told, a line each."""

    lines: list[str] = field(default_factory=list)

    def waits(self, missing: list[str], wait_s: float) -> None:
        self.lines += missing

    def begin(self, step: Step) -> None:
        self.lines.append(step.say)

    def tick(self) -> None:
        self.lines.append(".")

    def end(self, error: CniError | None) -> None:
        self.lines.append(f"failed: {error.msg}" if error else "done")


def site(world: World, has_iommu: bool = True) -> Site:
    return Site(host(world), files(world), FakeDrivers(world, has_iommu))


def document(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"pfs": list(entries)}


def run(
    world: World,
    *entries: dict[str, Any],
    dry_run: bool = False,
    heard: Heard | None = None,
    wait_s: float = 0,
    has_iommu: bool = True,
) -> Applied:
    """With these entries of a file."""
    file = hostfile.parse(document(*entries))
    return apply.run(site(world, has_iommu), file, "host.json", dry_run, heard or Heard(), wait_s)


def said(applied: Applied, number: int = 0) -> list[str]:
    return [step.say for step in applied.pfs[number].done]


def states(world: World, number: int = 0) -> list[tuple[str, bool | None, bool | None]]:
    """(driver, trust, spoofchk) of each VF of a port, from the kernel."""
    return [(vf.driver, vf.state.trust, vf.state.spoofchk) for vf in world.kernel.pfs[number].vfs]
