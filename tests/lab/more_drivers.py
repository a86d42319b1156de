"""More of test_drivers.py, too long for CI: UIO, kills in between, a PF, a container's VF. `make lab-host`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import bundle

from .ctl import document, sriovctl
from .node import CONF, Node, changes
from .test_drivers import PF, VF, driver, outcome, override
from .vm import PORTS, Vm

pytestmark = [pytest.mark.lab, pytest.mark.bundle]


@pytest.fixture(scope="session")
def lab_share() -> Path:
    return bundle.directory()


def test_uio_comes_when_it_is_asked_for_and_a_missing_module_names_its_package(node: Node) -> None:
    before = node.card()

    uio = outcome(node.vm, f"bind {VF} uio_pci_generic")
    assert (uio["driver"], driver(node.vm)) == ("uio_pci_generic", "uio_pci_generic")
    assert outcome(node.vm, f"unbind {VF}")["driver"] == driver(node.vm) == ""
    assert outcome(node.vm, f"bind {VF} kernel")["driver"] == driver(node.vm) == "igbvf"
    missing = sriovctl(node.vm, f"bind {VF} igb_uio")

    assert (missing.returncode, driver(node.vm)) == (1, "igbvf")
    assert "dpdk-igb-uio-dkms" in missing.stderr
    assert node.changed(before) == []


@pytest.mark.parametrize(("verb", "opened"), [("bind", (3, 5)), ("restore", (5, 6))])
def test_a_kill_in_between_is_made_good(node: Node, verb: str, opened: tuple[int, ...]) -> None:
    """By SIGKILL when that one of these files is opened: the first is the look at driver_override, then it is written, then
    come unbind, driver_override, drivers_probe, driver_override. tests/unit/ctl/test_bind.py does it at each write.
    """
    before, device = node.card(), f"/sys/bus/pci/devices/{VF}"
    files = (f"{device}/driver_override", f"{device}/driver/unbind", "/sys/bus/pci/drivers_probe")
    paths = " ".join(f"-P {path}" for path in files)
    left = []
    for k in opened:
        if verb == "restore":
            outcome(node.vm, f"bind {VF} vfio-pci")
        argv = f"bind {VF} vfio-pci" if verb == "bind" else f"restore {VF}"
        inject = f"-e trace=openat -e inject=openat:signal=KILL:when={k}"
        done = node.vm.run(
            f"strace -f -qq -o /dev/null {paths} {inject} /mnt/host/cni-sriov/sriovctl {argv}", check=False
        )
        assert done.returncode != 0
        left.append((driver(node.vm), override(node.vm)))
        outcome(node.vm, f"restore {VF}")
        assert (driver(node.vm), override(node.vm)) == ("igbvf", "(null)")
        assert node.changed(before) == [], k
    assert left == {
        "bind": [("igbvf", "vfio-pci"), ("", "vfio-pci")],
        "restore": [("", "igbvf"), ("igbvf", "igbvf")],
    }[verb]  # fmt: skip


def test_a_pf_goes_by_force_alone_and_comes_back(lab: Vm) -> None:
    node = Node(lab)
    node.create_vfs(2, PORTS[:1])
    lab.run(f"ip link set {PORTS[0]} mtu 1450")
    before = {PF: node.card()[PF]}

    refused = sriovctl(lab, f"bind {PORTS[0]} vfio-pci")
    assert (refused.returncode, driver(lab, PF)) == (1, "igb")
    assert "it is a PF, and without igb its 2 VFs go" in refused.stderr
    away = outcome(lab, f"bind {PORTS[0]} vfio-pci --force")
    assert (away["driver"], driver(lab, PF), PF in node.card()) == ("vfio-pci", "vfio-pci", False)
    lines = sriovctl(lab, "status").stdout.splitlines()
    assert [line.endswith(f": sriovctl bind {PF} kernel") for line in lines if line.startswith(PF)] == [True]
    home = outcome(lab, f"restore {PF}")

    assert (home["netdev"], driver(lab, PF), override(lab, PF)) == (PORTS[0], "igb", "(null)")
    assert home["notes"] == [f"it had 2 VFs: `sriovctl vfs {PF} 2` makes them anew"]
    after = {PF: node.card()[PF]}
    for index in range(2):  # its VFs are not made anew by the way
        del before[PF][f"vf {index}"]
    assert changes(before, after) == []


def test_never_from_a_container_and_never_to_one(node: Node) -> None:
    """And what it was at first holds through it."""
    node.add_netns("c1", "c2")
    assert (node.cni("ADD", CONF, "c1").code, VF in node.links("c1")) == (0, True)
    assert node.cni("DEL", CONF, "c1").code == 0
    before = node.card()
    outcome(node.vm, f"bind {VF} vfio-pci")

    added = node.cni("ADD", CONF, "c1")
    of_vf = sriovctl(node.vm, f"bind {PORTS[0]}:1 vfio-pci --force")
    of_pf = sriovctl(node.vm, f"bind {PORTS[0]} vfio-pci --force")

    assert added.code == 0, added.text
    assert "0000:01:10.2" in node.links("c1")  # the first VF is no choice
    assert (of_vf.returncode, of_pf.returncode) == (1, 1)
    assert "attached to c1/net1 (/run/netns/c1)" in of_vf.stderr
    assert "vf 1 (0000:01:10.2): attached to c1/net1" in of_pf.stderr
    outcome(node.vm, f"restore {VF}")
    row = document(node.vm, f"baseline {VF}")["vfs"][0]
    assert (row["pci"], row["differs"], row["golden"]["state"]["own_mac"]) == (VF, [], before[VF]["address"])
    assert node.cni("ADD", CONF, "c2").code == 0
    assert VF in node.links("c2")
    assert (node.cni("DEL", CONF, "c1").code, node.cni("DEL", CONF, "c2").code) == (0, 0)
    assert node.changed(before) == []
