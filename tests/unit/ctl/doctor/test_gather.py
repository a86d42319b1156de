"""`sriovctl doctor` on a fake node, through the front door."""

from __future__ import annotations

import shlex

import pytest

from tests.unit.ctl.doctor.tree import Tree
from tests.unit.ctl.ports import device
from tests.unit.ctl.tool import attach, files, sriovctl
from tests.world import World


@pytest.fixture
def sound(world: World) -> World:
    """A node that nothing is wrong with: seven VFs, an IOMMU, huge pages, vfio-pci."""
    files(world)
    tree = Tree(world.root)
    tree.mkdir("/kernel/sys/class/iommu/dmar0")
    tree.mkdir("/kernel/sys/bus/pci/drivers/vfio-pci")
    tree.hugepages(0, 2048, 64, 32)
    tree.write("/proc/mounts", "hugetlbfs /dev/hugepages hugetlbfs rw 0 0\n")
    (device(world, "0000:01:00.0") / "class").write_text("0x020000\n")
    return world


def rules(world: World, *argv: str) -> list[tuple[str, str]]:
    found = sriovctl(world, "doctor", "--json", *argv).document["findings"]
    return [(one["rule"], one["severity"]) for one in found]


def test_a_sound_node_is_sound(sound: World) -> None:
    run = sriovctl(sound, "doctor", "--json")

    assert (run.status, run.document, run.err) == (0, {"version": 1, "findings": []}, "")
    assert sriovctl(sound, "doctor").out == "no errors, no warnings, no notes\n"


def test_a_finding_has_its_evidence_and_its_remedy_and_fails(sound: World) -> None:
    sound.kernel.pfs[0].link.is_up = False

    run = sriovctl(sound, "doctor", "--json")

    assert run.status == 1
    (found,) = run.document["findings"]
    assert (found["rule"], found["severity"], found["subject"]) == ("pf-down", "warning", "enp1s0f0")
    assert found["remedy"].splitlines()[0] == "ip link set enp1s0f0 up"
    assert {"source": "/sys/bus/pci/devices/0000:01:00.0/sriov_numvfs", "said": "7"} in found["evidence"]


def test_notes_do_not_fail(sound: World) -> None:
    Tree(sound.root).hugepages(0, 2048, 0, 0)

    run = sriovctl(sound, "doctor")

    assert run.status == 0
    assert run.out.splitlines()[-1] == "no errors, no warnings, 1 note"
    assert rules(sound) == [("hugepages-none", "note")]


def test_a_pf_of_its_own(sound: World) -> None:
    """The machine's troubles are told with it, those of other cards are not."""
    sound.kernel.add_pf("enp2s0", "0000:02:00.0", numvfs=1, up=False)
    Tree(sound.root).hugepages(0, 2048, 0, 0)

    assert ("pf-down", "warning") in rules(sound)
    assert rules(sound, "enp1s0f0") == [("hugepages-none", "note")]
    assert ("pf-down", "warning") in rules(sound, "0000:02:00.0")


def test_a_card_that_is_not_there_is_one_line_and_a_hint(sound: World) -> None:
    run = sriovctl(sound, "doctor", "enp9s0")

    assert (run.status, run.out) == (1, "")
    assert run.err.startswith(
        "sriovctl: use PF enp9s0: no such interface or PCI device\n  PFs of this node: "
    )


def test_a_number_in_use_by_what_a_dead_container_left_and_its_remedy(world: World) -> None:
    """Followed as it stands there, by sriovctl itself."""
    assert sriovctl(world, "vfs", "enp1s0f0", "3").status == 0
    attach(world)
    world.kernel.kill_netns("/run/netns/pod1")
    findings = sriovctl(world, "doctor", "--json").document["findings"]
    (busy,) = [one for one in findings if one["rule"] == "numvfs-busy"]

    commands = [line for line in busy["remedy"].splitlines() if not line.startswith("#")]
    done = [sriovctl(world, *shlex.split(command)[1:]).status for command in commands]

    assert (commands, done) == (["sriovctl gc", "sriovctl vfs enp1s0f0 7"], [0, 0])
    assert {"source": "in use", "said": "vf 0 (0000:01:10.0): attached to c1/net1 (/run/netns/pod1)"} in busy[
        "evidence"
    ]
    assert "numvfs-busy" not in {rule for rule, _ in rules(world)}


def test_who_is_not_root_hears_what_he_does_not_see(sound: World) -> None:
    run = sriovctl(sound, "doctor", euid=1000)

    assert (run.status, "only root sees" in run.out) == (1, True)


def test_what_cannot_be_read_is_told_and_hides_nothing(sound: World) -> None:
    sound.kernel.pfs[0].link.is_up = False
    Tree(sound.root).mkdir("/proc/cpuinfo")  # EISDIR, or EINVAL

    found = sriovctl(sound, "doctor", "--json").document["findings"]

    assert [one["rule"] for one in found] == ["pf-down", "unseen"]
    assert "look at /proc/cpuinfo" in found[1]["evidence"][0]["said"]


def test_what_the_products_own_loops_would_log_is_not_on_the_screen(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    """A damaged claim is a finding; each room of the doctor meets it."""
    claims = world.run_dir / "claims"
    claims.mkdir(parents=True, exist_ok=True)
    (claims / "0000:01:00.0+0000:01:11.0").write_text("{")

    run = sriovctl(world, "doctor", "--json")

    assert "unreadable-state" in {one["rule"] for one in run.document["findings"]}
    assert (run.err, capfd.readouterr().err) == ("", "")
