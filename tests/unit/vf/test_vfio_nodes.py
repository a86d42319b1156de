"""What a program in user space opens: whose node it is while ADD's promise holds, and what tells runtimes of it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.cdi import check
from tests.fakes import Crash
from tests.unit import one_port
from tests.unit.ctl.tool import sriovctl
from tests.unit.dpdk import VF, ahead, driver, furnish, hold
from tests.unit.dpdk import conf as dpdk
from tests.unit.one_port import MINE, OTHERS, vf_of
from tests.world import World

OWNER = (1000, 36)


@pytest.fixture
def card(tmp_path: Path) -> World:
    return furnish(one_port.a_world(tmp_path))


def conf(card: World, **keys: Any) -> dict[str, Any]:
    return dpdk(card, vfioOwner="1000:36", **keys)


def group(card: World) -> str:
    return f"/dev/vfio/{(card.kernel.tree.device(VF) / 'iommu_group').readlink().name}"


def spec(card: World) -> dict[str, Any] | None:
    path = card.cdi_dir / f"cni-sriov.dev-vf_{VF}.json"
    if not path.exists():
        return None
    document: dict[str, Any] = json.loads(path.read_text())
    check(document)
    return document


@pytest.mark.parametrize("wanted", ["vfio-pci", "uio_pci_generic", "auto"])
def test_the_node_is_the_programs_and_goes_with_its_driver(card: World, wanted: str) -> None:
    before = card.snapshot()
    asked = conf(card, driver=wanted)

    assert card.call("ADD", asked).code == 0

    node = "/dev/uio0" if wanted.startswith("uio") else group(card)
    assert card.kernel.nodes.owner(node) == OWNER
    assert card.kernel.nodes.owner("/dev/vfio/vfio") == (0, 0), "everybody's, by its mode"
    assert card.call("CHECK", asked).code == 0
    assert card.call("DEL", asked).code == 0
    assert card.snapshot() == before


@pytest.mark.parametrize("theirs", [(0, 0), (0, 107)])
def test_a_node_that_stays_gets_its_owner_back(card: World, theirs: tuple[int, int]) -> None:
    ahead(card, vf_of(card))
    assert card.kernel.nodes.owner(group(card)) == (0, 0)
    card.kernel.nodes.owners[group(card)] = theirs

    assert card.call("ADD", conf(card)).code == 0
    assert card.kernel.nodes.owner(group(card)) == OWNER
    assert card.call("DEL", conf(card)).code == 0

    assert card.kernel.nodes.owner(group(card)) == theirs


def test_without_vfio_owner_nobodys_node_is_touched(card: World) -> None:
    assert card.call("ADD", dpdk(card)).code == 0

    assert card.kernel.nodes.owner(group(card)) == (0, 0)
    assert not [effect for effect in card.kernel.effects if effect.startswith("give")]


def test_check_tells_a_node_that_is_anothers_by_now(card: World) -> None:
    assert card.call("ADD", conf(card)).code == 0
    card.kernel.nodes.owners[group(card)] = (0, 0)

    checked = card.call("CHECK", conf(card))

    assert (checked.code, f"{group(card)} is 0:0's, not 1000:36's" in checked.text) == (107, True)


@pytest.mark.parametrize("text", ["{}", None])
def test_check_tells_a_specification_that_is_not_there_any_more(card: World, text: str | None) -> None:
    """Which container it is of, nobody need know; that it leads nowhere, the operator."""
    before = card.snapshot()
    assert card.call("ADD", conf(card)).code == 0
    (path,) = card.cdi_dir.iterdir()
    path.unlink()
    if text is not None:
        path.write_text(text)

    checked = card.call("CHECK", conf(card))

    assert (checked.code, f"{path} is not there" in checked.text) == (107, True), checked.text
    assert card.call("DEL", conf(card)).code == 0
    assert card.snapshot() == before


def test_while_a_process_has_it_open_the_node_is_its_own(card: World) -> None:
    """DEL is success and waits for it; nobody is told of the VF any more."""
    before = card.snapshot()
    assert card.call("ADD", conf(card)).code == 0
    descriptor = hold(card)

    assert card.call("DEL", conf(card)).code == 0
    assert (driver(card), card.kernel.nodes.owner(group(card)), spec(card)) == ("vfio-pci", OWNER, None)
    descriptor.unlink()
    assert card.call("DEL", conf(card)).code == 0

    assert card.snapshot() == before


def test_a_cdi_device_from_add_to_del(card: World) -> None:
    assert card.call("ADD", conf(card)).code == 0

    document = spec(card)
    assert document is not None
    (device,) = document["devices"]
    assert (document["kind"], device["name"]) == ("cni-sriov.dev/vf", VF)
    assert [node["path"] for node in device["containerEdits"]["deviceNodes"]] == [
        "/dev/vfio/vfio",
        group(card),
    ]
    assert card.call("DEL", conf(card)).code == 0
    assert spec(card) is None


def test_that_of_the_operators_bind_stays(card: World) -> None:
    """podman was told of it before ADD was called, and will be for the next container."""
    assert sriovctl(card, "bind", VF, "vfio-pci").status == 0
    before = spec(card)

    assert [card.call(verb, conf(card)).code for verb in ("ADD", "DEL")] == [0, 0]

    assert (spec(card), before is None) == (before, False)
    assert sriovctl(card, "restore", VF).status == 0
    assert spec(card) is None


def test_a_netdevs_attachment_has_none(card: World) -> None:
    assert card.call("ADD", card.conf()).code == 0
    assert not card.cdi_dir.exists()


def test_where_none_can_be_written_add_fails_and_undoes_all(card: World) -> None:
    card.cdi_dir.mkdir()
    card.cdi_dir.chmod(0o777)
    before = card.snapshot()

    added = card.call("ADD", conf(card))

    assert (added.code, "others may write" in added.text) == (5, True), added.text
    assert card.snapshot() == before


def test_of_a_killed_add_nothing_stays(card: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed with the file half written; whoever needs the VF takes all of it back."""
    before = card.snapshot()

    rename = os.rename

    def killed(source: str, target: str) -> None:
        if target.startswith(str(card.cdi_dir)):
            raise Crash
        rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", killed)
        patch.setattr("cni_sriov.verbs.add._undo", lambda *_: None)
        with pytest.raises(Crash):
            card.call("ADD", conf(card))
    assert len(list(card.cdi_dir.iterdir())) == 1

    assert card.call("DEL", conf(card)).code == 0
    assert card.snapshot() == before


def test_the_device_info_file_says_which_one_it_is(card: World) -> None:
    """NPWG device-info 1.1.0, section 5.2: of a VF on vfio-pci what of any other PCI device."""
    path = card.devinfo_dir / "cni/fast-c1_net1"
    asked = conf(card, runtimeConfig={"CNIDeviceInfoFile": str(path)})

    assert card.call("ADD", asked).code == 0

    told = {"pci-address": VF, "pf-pci-address": "0000:01:00.0"}
    assert json.loads(path.read_text()) == {"type": "pci", "version": "1.1.0", "pci": told}
    assert card.call("CHECK", asked).code == 0
    path.rename(path.with_name("elsewhere"))
    checked = card.call("CHECK", asked)
    assert (checked.code, str(path) in checked.text) == (107, True)
    path.with_name("elsewhere").rename(path)
    assert card.call("DEL", asked).code == 0
    assert not path.exists()


def test_what_reclaim_takes_back_is_roots_again(card: World) -> None:
    ahead(card, vf_of(card))
    assert card.call("ADD", conf(card)).code == 0
    card.kernel.kill_netns(MINE)
    if OTHERS not in card.kernel.pods:
        card.kernel.add_pod(OTHERS)

    assert card.call("ADD", dpdk(card), "c2", OTHERS).code == 0

    assert card.kernel.nodes.owner(group(card)) == (0, 0)
