"""From nothing to a saved machine: which accelerator works, which snapshot fits, and how to make both.

`find` looks only; `prepare` builds what is missing and tells its stages to whoever shows them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache as once
from functools import partial
from pathlib import Path

from . import cache, host, machine
from .apt import private_apt, this_suite
from .errors import LabError
from .plan import Image, Plan
from .recipes import CARD, Recipe
from .vm import Vm

KVM_TIMEOUT_S = 30
Note = Callable[[str], None]
Stage = Callable[[str], AbstractContextManager[Note]]


@dataclass(frozen=True)
class Lab:
    """A guest saved at the moment it was ready; each restore is a machine of its own."""

    image: Image
    accelerator: str
    snapshot: Path

    def restore(self, share: Path | None = None) -> Vm:
        """A running guest in about a second."""
        vm = Vm(self.image, self.accelerator, share)
        try:
            vm.restore(self.snapshot)
        except BaseException:
            vm.stop()
            raise
        return vm


@contextlib.contextmanager
def silent(_title: str) -> Iterator[Note]:
    """A stage nobody watches."""
    yield lambda _note: None


def find(recipe: Recipe = CARD) -> Lab | None:
    """The lab with that guest, if nothing has to be built."""
    plan = Plan(this_suite(), recipe)
    image = plan.find()
    if image is None or host.missing():
        return None
    accelerator = known_accelerator()
    if accelerator is None:
        return None
    snapshot = cache.cache_dir() / plan.kind("snapshot") / snapshot_key(image, accelerator)
    return Lab(image, accelerator, snapshot / "machine") if snapshot.exists() else None


def prepare(stage: Stage = silent, recipe: Recipe = CARD) -> Lab:
    """The lab with that guest, built as far as it is not in the cache."""
    found = find(recipe)
    if found is not None:
        return found
    plan = Plan(this_suite(), recipe)
    image = _build_image(plan, stage)
    with stage("accelerator") as note:
        accelerator = known_accelerator() or _probe(image, note)
        note({"kvm": "KVM", "tcg": "TCG, software emulation"}[accelerator])
    key = snapshot_key(image, accelerator)
    with stage("boot and save") as note:
        directory = cache.ensure(plan.kind("snapshot"), key, partial(_build_snapshot, image, accelerator))
        note(f"{(directory / 'machine').stat().st_size >> 20} MiB, restored by each test")
    for kind, used in (*plan.keys().items(), (plan.kind("snapshot"), key)):
        cache.forget_old(kind, used)
    return Lab(image, accelerator, directory / "machine")


def _build_image(plan: Plan, stage: Stage) -> Image:
    found = plan.find()
    if found is None and os.geteuid() != 0:
        raise LabError(
            "only root can make the guest's root file system",
            "run `python -m tests.lab prepare` as root with CNI_SRIOV_CACHE naming a cache you can read",
        )
    with stage("host tools") as note:
        apt = once(private_apt)
        note(host.ensure_tools(apt))
    with stage("kernel") as note:
        note((plan.build_kernel(apt) / "release").read_text())
    with stage("cnitool") as note:
        plan.build_cnitool(apt)
        note("by the distribution's Go")
    with stage(f"guest {plan.recipe.name}") as note:
        root = plan.build_root(apt)
        suite = plan.recipe.suite or plan.suite.codename
        note(f"{plan.suite.distribution} {suite}, {(root / 'root.squashfs').stat().st_size >> 20} MiB")
    return plan.build(apt)


def snapshot_key(image: Image, accelerator: str) -> str:
    """Name a snapshot by all that must be the same when it is restored."""
    here = Path("/")
    wiring = machine.Wiring((0, 0, 0), here, here, here)
    command_line = "\0".join(machine.argv("qemu", image, accelerator, wiring))
    cpu = host.cpu_model() if accelerator == "kvm" else machine.TCG_CPU
    return cache.key_of(command_line, host.qemu_build(), image.key, image.release, cpu)


def _build_snapshot(image: Image, accelerator: str, directory: Path) -> None:
    with Vm(image, accelerator) as vm:
        vm.boot(wake=False)
        # udev's last workers end, and the pages they leave would be saved and loaded for nothing
        vm.run("udevadm settle; sync; echo 1 > /proc/sys/vm/compact_memory")
        vm.save(directory / "machine")


def _verdict() -> Path:
    return cache.cache_dir() / "kvm" / cache.key_of(host.fingerprint())


def known_accelerator() -> str | None:
    """What an earlier probe found on this boot of this host; without /dev/kvm there is nothing to probe."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    path = _verdict()
    return path.read_text() if path.exists() else None


def _probe(image: Image, note: Note) -> str:
    """Trust KVM only if this very guest gets to its agent: it may abort, or hang for ever."""
    note(f"trying KVM, {KVM_TIMEOUT_S} s at most")
    path = _verdict()
    with cache.locked(path.parent / ".lock"):
        if path.exists():
            return path.read_text()
        try:
            with Vm(image, "kvm") as vm:
                vm.boot(KVM_TIMEOUT_S, wake=False)
            found = "kvm"
        except LabError:
            found = "tcg"
        partial_path = path.with_suffix(".partial")
        partial_path.write_text(found)
        partial_path.rename(path)
    return found
