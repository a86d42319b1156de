"""Whether new VFs can be used, and what else is said of their PF."""

from __future__ import annotations

from cni_sriov.ctl import vfs
from tests.unit.ctl.ports import device
from tests.unit.ctl.tool import files, host, sriovctl
from tests.world import World


def test_waits_for_udev_and_says_what_it_did_not_name(empty: World) -> None:
    run_dir = empty.root / "kernel/run/udev"
    (run_dir / "data").mkdir(parents=True)
    (run_dir / "control").touch()

    outcome = vfs.run(host(empty), files(empty), "enp1s0f0", 2, timeout_s=0.1)

    assert outcome.missing == [
        "vf 0 (0000:01:10.0): enp1s0f0v0 is not named by udev yet",
        "vf 1 (0000:01:10.2): enp1s0f0v1 is not named by udev yet",
    ]


def test_a_vf_without_driver_is_missing_unless_nobody_is_to_bind_one(world: World) -> None:
    world.kernel.set_driver(world.kernel.pfs[0].vfs[3], "")

    expected = vfs.run(host(world), files(world), "enp1s0f0", 7, timeout_s=0)
    (device(world, "0000:01:00.0") / "sriov_drivers_autoprobe").write_text("0\n")
    wanted = vfs.run(host(world), files(world), "enp1s0f0", 7, timeout_s=0)

    assert expected.missing == [
        "vf 3 (0000:01:10.6): no driver is bound; is its module there, or blacklisted?"
    ]
    assert (wanted.missing, len(wanted.notes)) == ([], 1)


def test_says_that_the_pf_is_down_and_leaves_it(empty: World) -> None:
    run = sriovctl(empty, "vfs", "enp1s0f1", "2")

    assert run.status == 0
    assert "note: enp1s0f1 is down: its VFs carry nothing until it is up" in run.out
    assert not empty.kernel.pfs[1].link.is_up
