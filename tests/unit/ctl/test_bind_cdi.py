"""Each VF that `sriovctl` binds to a driver for user space is a CDI device for as long as it is on that."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cdi import check
from tests.unit.ctl.tool import sriovctl
from tests.world import World

VF, SECOND, PF = "0000:01:10.0", "0000:01:10.2", "0000:01:00.0"


@pytest.fixture
def card(world: World) -> World:
    world.kernel.tree.add_iommu()
    for driver in ("vfio-pci", "uio_pci_generic"):
        world.kernel.tree.add_driver(driver)
    return world


def shown(card: World) -> dict[str, list[str]]:
    """By CDI name, what a container gets."""
    found = {}
    for path in sorted(card.cdi_dir.glob("*")):
        document = json.loads(path.read_text())
        check(document)
        for device in document["devices"]:
            nodes = device["containerEdits"]["deviceNodes"]
            found[f"{document['kind']}={device['name']}"] = [node["path"] for node in nodes]
    return found


def group(card: World, vf: str = VF) -> str:
    return f"/dev/vfio/{(card.kernel.tree.device(vf) / 'iommu_group').readlink().name}"


def test_there_with_its_group_and_gone_with_its_driver(card: World) -> None:
    for vf in (VF, SECOND):
        assert sriovctl(card, "bind", vf, "auto").status == 0
    second = {f"cni-sriov.dev/vf={SECOND}": ["/dev/vfio/vfio", group(card, SECOND)]}
    assert shown(card) == {f"cni-sriov.dev/vf={VF}": ["/dev/vfio/vfio", group(card)], **second}

    assert sriovctl(card, "restore", VF).status == 0
    assert shown(card) == second
    assert sriovctl(card, "unbind", SECOND).status == 0
    assert shown(card) == {}


def test_from_one_driver_to_another_it_is_that_ones(card: World) -> None:
    for driver, nodes in (("vfio-pci", ["/dev/vfio/vfio", group(card)]), ("uio_pci_generic", ["/dev/uio0"])):
        assert sriovctl(card, "bind", VF, driver).status == 0
        assert shown(card) == {f"cni-sriov.dev/vf={VF}": nodes}


def test_of_a_vf_that_another_tool_bound_too(card: World) -> None:
    card.kernel.set_driver(card.kernel.pfs[0].vfs[0], "vfio-pci")

    run = sriovctl(card, "bind", VF, "vfio-pci", "--json")

    assert (run.status, run.document["device"]["changed"]) == (0, False)
    assert list(shown(card)) == [f"cni-sriov.dev/vf={VF}"]


def test_a_dry_run_writes_none(card: World) -> None:
    assert sriovctl(card, "bind", VF, "vfio-pci", "--dry-run").status == 0
    assert not card.cdi_dir.exists()


def test_a_pf_is_none(card: World) -> None:
    assert sriovctl(card, "bind", VF, "vfio-pci").status == 0

    assert sriovctl(card, "bind", PF, "vfio-pci", "--force").status == 0

    assert shown(card) == {}, "nor are its VFs, which went"


def test_vfs_that_are_made_anew_are_others(card: World) -> None:
    assert sriovctl(card, "bind", VF, "vfio-pci").status == 0

    assert sriovctl(card, "vfs", "enp1s0f0", "3").status == 0

    assert shown(card) == {}


def test_where_it_cannot_be_written_the_vf_is_bound_and_it_is_said(card: World) -> None:
    card.cdi_dir.mkdir(mode=0o777)
    card.cdi_dir.chmod(0o777)

    run = sriovctl(card, "bind", VF, "vfio-pci", "--json")

    assert (run.status, run.document["device"]["driver"], shown(card)) == (0, "vfio-pci", {})
    (note,) = run.document["device"]["notes"]
    assert ("CDI" in note, "others may write" in note) == (True, True)


def test_refused_before_it_lets_go_it_is_as_it_was(card: World) -> None:
    """A process has it open."""
    assert sriovctl(card, "bind", VF, "vfio-pci").status == 0
    before = shown(card)
    process = Path(card.root) / "proc/4711"
    (process / "fd").mkdir(parents=True)
    (process / "fd/5").symlink_to(group(card))

    assert sriovctl(card, "restore", VF).status == 1

    assert shown(card) == before


@pytest.mark.parametrize("argv", [("restore", VF), ("unbind", VF), ("bind", VF, "uio_pci_generic")])
def test_it_is_gone_before_the_driver_lets_go(card: World, argv: tuple[str, ...]) -> None:
    """No container may be given a group that is another VF's when it starts."""
    assert sriovctl(card, "bind", VF, "vfio-pci").status == 0
    seen = []
    card.kernel.before("unbind", lambda *_: seen.append(shown(card)))

    assert sriovctl(card, *argv).status == 0

    assert seen == [{}]
