"""A remedy's commands, typed as they stand."""

from __future__ import annotations

from errno import EIO

from cni_sriov.words.errors import KernelRefused
from tests import podman, remedies
from tests.unit.ctl.tool import Run, Typed, sriovctl
from tests.world import World


def follow(world: World, told: str, *ends: int) -> list[Run]:
    """Each command in turn; `ends` are their exit statuses, 0 if none is given. Who is asked says yes."""
    runs = [sriovctl(world, *words, stdin=Typed("y\n")) for words in remedies.followed(told)]
    assert [run.status for run in runs] == list(ends or [0] * len(runs)), [run.err for run in runs]
    return runs


def with_modules(world: World) -> World:
    """The kernel's word on which module knows the first PF's VFs."""
    modules = world.root / "lib/modules/6.12.9"
    modules.mkdir(parents=True)
    (modules / "modules.alias").write_text("alias pci:v00008086d000010CAsv*sd*bc*sc*i* igbvf\n")
    release = world.root / "proc/sys/kernel/osrelease"
    release.parent.mkdir(parents=True)
    release.write_text("6.12.9\n")
    for vf in world.kernel.pfs[0].vfs:
        alias = world.kernel.tree.device(vf.pci_address) / "modalias"
        alias.write_text("pci:v00008086d000010CAsv00001AF4sd00001100bc02sc00i00\n")
    return world


def teardown_that_fails(world: World) -> podman.Told:
    """podman's, which it does not repeat."""

    def refuse(*_: object) -> None:
        raise KernelRefused("set VLAN", EIO, "injected")

    asked = {"pf__vfs": "0", "pf__names": "enp1s0f0", "master": "", "vlan": "100"}
    network = podman.create(world, **asked)
    assert podman.call(world, "setup", podman.exec_call(network)).exit_code == 0
    world.kernel.before("set_vf_vlan", refuse, always=True)
    told = podman.call(world, "teardown", podman.exec_call(network))
    world.kernel.before("set_vf_vlan", lambda *_: None, always=True)
    return told
