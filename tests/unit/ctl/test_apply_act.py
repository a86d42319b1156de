"""One step, done and read back: what the kernel says, what it took without effect, and what went meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from cni_sriov.ctl import apply_act
from cni_sriov.decide.wanted import Step
from cni_sriov.words.errors import CniError, DriverRefused, PfUnusable
from tests.unit.ctl.applied import site
from tests.world import World

PF = "0000:01:00.0"


def act(world: World, **step: Any) -> int:
    """How many VFs it told of."""
    told: list[int] = []
    where = site(world)
    where.host.ledger.open_run_dir()
    where.named_timeout_s = 0.1
    apply_act.act(where, PF, Step(say="do it", **step), lambda: told.append(1))
    return len(told)


def refused(world: World, **step: Any) -> CniError:
    with pytest.raises(CniError) as caught:
        act(world, **step)
    return caught.value


def test_the_port(empty: World) -> None:
    link = empty.kernel.pfs[0].link
    link.is_up = False

    assert (
        act(empty, kind="mtu", value=9000) == act(empty, kind="up") == act(empty, kind="numvfs", value=3) == 0
    )

    assert (link.mtu, link.is_up, len(empty.kernel.pfs[0].vfs)) == (9000, True, 3)


def test_each_vf_is_told_of(world: World) -> None:
    assert act(world, kind="driver", vfs=(4, 6), driver="vfio-pci") == 2
    assert act(world, kind="defaults", vfs=(0, 1, 4), defaults={"trust": True}) == 3

    found = [(vf.driver, vf.state.trust) for vf in world.kernel.pfs[0].vfs]
    assert found == [
        *(("igbvf", True), ("igbvf", True), ("igbvf", False), ("igbvf", False)),
        *(("vfio-pci", True), ("igbvf", False), ("vfio-pci", False)),
    ]


@pytest.mark.parametrize("step", [{"kind": "mtu", "value": 9000}, {"kind": "up"}])
def test_the_kernels_no_is_the_sentence(empty: World, step: dict[str, Any]) -> None:
    empty.kernel.fail_effect(0, "before")

    error = refused(empty, **step)

    assert isinstance(error, DriverRefused)
    assert error.msg.startswith("do it: set link ")


def test_what_is_taken_without_effect_is_told(empty: World) -> None:
    link = empty.kernel.pfs[0].link

    def set_back(*_: object) -> None:
        link.mtu, link.is_up = 1500, False

    empty.kernel.before("link_by_index", set_back, always=True)

    assert refused(empty, kind="mtu", value=9000).msg == "do it: afterwards it is 1500"
    assert refused(empty, kind="up").msg == "do it: afterwards it is not"


def test_a_vf_that_went_meanwhile(world: World) -> None:
    error = refused(world, kind="driver", vfs=(6, 7), driver="vfio-pci")

    assert isinstance(error, PfUnusable)
    assert error.msg == "do it: vf 7 has just gone"
    assert world.kernel.effects == []


def test_new_vfs_that_nobody_can_use_yet_are_a_failure(empty: World) -> None:
    udev = empty.root / "kernel/run/udev"
    (udev / "data").mkdir(parents=True)
    (udev / "control").touch()

    error = refused(empty, kind="numvfs", value=1)

    assert error.msg == "do it: they cannot be used yet"
    assert "vf 0 (0000:01:10.0): enp1s0f0v0 is not named by udev yet" in error.details


def test_what_another_call_has_done_is_not_done_again(world: World) -> None:
    """Else its VFs would go once more, and who took one since with them."""
    assert act(world, kind="numvfs", value=7) == 0

    assert world.kernel.effects == []


def test_a_pf_that_went_meanwhile(world: World) -> None:
    with pytest.raises(PfUnusable, match="no such interface or PCI device"):
        apply_act.act(site(world), "0000:09:00.0", Step("up", "do it"), lambda: None)
