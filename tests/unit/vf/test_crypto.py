"""A VF of a QAT accelerator beside a VF for user space: each has one owner, by the claims; through the door."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.unit.ctl.doctor.tree import Tree
from tests.unit.verbs.calls import NEW
from tests.world import World

QAT, FAR, OTHER = "0000:85:01.0", "0000:05:01.0", "0000:06:00.0"


@pytest.fixture
def node(world: World) -> World:
    """VFs on vfio-pci's module, a QAT VF on the VF's NUMA node and one on another, and a card that is none of QAT's."""
    world.kernel.tree.add_iommu()
    world.kernel.tree.add_driver("vfio-pci")
    tree = Tree(world.kernel.root)
    tree.device(QAT, "vfio-pci", "90", device="0x4941", class_="0x0b4000", numa_node="0")
    tree.device(FAR, "vfio-pci", "91", device="0x37c9", class_="0x0b4000", numa_node="1")
    tree.device(OTHER, "vfio-pci", "92", device="0x4940", class_="0x0b4000", numa_node="0")
    for device in (world.kernel.root / "sys/bus/pci/devices").glob("0000:01:*"):
        (device / "numa_node").write_text("0\n")
    return world


def add(node: World, container: str, **keys: Any) -> str:
    """What the Record says of it."""
    path = f"/run/netns/{container}"
    if path not in node.kernel.pods:
        node.kernel.add_pod(path)
    reply = node.call("ADD", node.conf(**({"crypto": "auto", "driver": "vfio-pci"} | keys)), container, path)
    assert reply.code == 0, reply.text
    return str(crypto_of(node, container))


def crypto_of(node: World, container: str) -> object:
    plane = json.loads((node.state_dir / f"{container}@net1").read_text()).get("plane")
    return plane and plane["crypto"]


def test_each_container_has_its_own_and_the_last_one_software(node: World) -> None:
    assert [add(node, f"c{n}") for n in range(3)] == [QAT, FAR, "software"]

    log = node.log_file.read_text()
    assert f"{FAR}: c1/net1 has it; {QAT}: c0/net1 has it" in log
    assert "--vdev crypto_openssl" in log
    assert f'"crypto": "{QAT}"' in log or f"crypto={QAT}" in log


def test_del_makes_it_free_again(node: World) -> None:
    before = node.settled()
    add(node, "c1")
    node.kernel.pods.pop("/run/netns/c1")

    assert node.call("DEL", node.conf(), "c1", "").code == 0
    assert node.settled() == before
    assert add(node, "c2") == QAT


def test_one_that_a_process_has_open_is_not_free(node: World) -> None:
    process = node.kernel.root / "proc/77"
    (process / "fd").mkdir(parents=True)
    (process / "fd/9").symlink_to("/dev/vfio/90")

    assert add(node, "c1") == FAR


def test_without_an_accelerator_it_is_software(node: World) -> None:
    for address in (QAT, FAR):
        shutil.rmtree(node.kernel.root / "sys/bus/pci/devices" / address)

    assert add(node, "c1") == "software"
    assert "there is no VF of a QAT accelerator" in node.log_file.read_text()


def test_while_a_claim_cannot_be_read_none_is_taken(node: World) -> None:
    add(node, "c1")
    (claim,) = (node.run_dir / "claims").iterdir()
    claim.write_text("{")

    assert add(node, "c2") == "software"
    assert "which cannot be read, may have it" in node.log_file.read_text()


def test_who_does_not_ask_or_gets_a_netdev_has_none(node: World) -> None:
    assert add(node, "c1", crypto=None) == ""
    vf = node.kernel.pfs[0].vfs[1].pci_address
    assert add(node, "c2", driver=None, master=None, deviceID=vf) == "None"


def test_check_sees_that_it_went(node: World) -> None:
    add(node, "c1")
    conf = node.conf(
        crypto="auto", driver="vfio-pci", prevResult={"cniVersion": "1.1.0", "interfaces": []}, **NEW
    )
    link = Path(node.kernel.root / "sys/bus/pci/devices" / QAT / "driver")
    link.unlink()

    reply = node.call("CHECK", conf, "c1", "/run/netns/c1")

    assert (reply.code, f"crypto accelerator {QAT} is on no driver" in reply.text) == (107, True)


def test_its_device_node_is_the_programs_too_and_goes_back(node: World) -> None:
    before = node.settled()
    add(node, "c1", vfioOwner="1000:36")
    group = (node.kernel.tree.device("0000:01:10.0") / "iommu_group").readlink().name

    owners = node.kernel.nodes.snapshot()
    assert {path for path, owner in owners.items() if owner == (1000, 36)} == {
        "/dev/vfio/90",
        f"/dev/vfio/{group}",
    }
    node.kernel.pods.pop("/run/netns/c1")
    assert node.call("DEL", node.conf(), "c1", "").code == 0
    assert node.settled() == before
