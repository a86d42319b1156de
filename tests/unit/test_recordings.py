"""The recordings that ship: each replayed by the verbs that look, with the sentences that an operator of that node needs. Numbers
come from the notes, the specification (PCIe SR-IOV 2.1.2: routing ID = PF + offset + stride * n) and the drivers' own words.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cni_sriov.ctl.recording.recording import document, packed, unpacked
from tests.recordings import build
from tests.recordings.nodes import NODES
from tests.unit.ctl.recording.taken import replayed

ALL = build.names()
LOOKS = (
    ("status",),
    ("status", "--devices"),
    ("status", "--svg", "-"),
    ("leases",),
    ("oracle",),
    ("doctor",),
    ("metrics",),
    ("vfs",),
)


def said(name: str, *argv: str) -> str:
    run = replayed(build.path_of(name), *argv)
    assert run.err == "", run.err
    return run.out


def told(name: str, *argv: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(said(name, *argv, "--json"))
    return found


def pf_of(name: str, ifname: str, verb: str = "status") -> dict[str, Any]:
    return next(pf for pf in told(name, verb)["pfs"] if pf["name"] == ifname)


def rules(name: str) -> set[tuple[str, str]]:
    return {(found["rule"], found["severity"]) for found in told(name, "doctor")["findings"]}


def test_the_lab_and_four_nodes_that_nobody_has() -> None:
    assert {*ALL} == {*NODES, "lab-two-ports"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each node as it is described, recorded now."""
    found = {}
    for name, make in NODES.items():
        found[name] = tmp_path_factory.mktemp("made") / f"{name}.json.gz"
        found[name].write_bytes(packed(make(tmp_path_factory.mktemp(name))))
    return found


@pytest.mark.parametrize("name", sorted(NODES))
def test_is_what_its_description_says(name: str, made: dict[str, Path]) -> None:
    """`python -m tests.recordings.build` writes it anew. A verb may ask more by now than when it was written."""
    kept, now = (document(unpacked(file.read_bytes(), name)) for file in (build.path_of(name), made[name]))

    for part in ("files", "links", "directories"):
        assert {path: now[part].get(path) for path in kept[part]} == kept[part], part
    told = now["netlink"]["host"]["told"]
    assert kept["netlink"]["host"]["told"].items() <= told.items()
    assert kept["node"] == now["node"]


@pytest.mark.parametrize("name", sorted(NODES))
def test_nothing_that_a_verb_asks_is_missing(name: str, made: dict[str, Path]) -> None:
    for argv in LOOKS:
        assert "not in the recording" not in replayed(made[name], *argv).out, argv


@pytest.mark.parametrize("argv", LOOKS, ids=" ".join)
@pytest.mark.parametrize("name", ALL)
def test_every_verb_has_an_answer(name: str, argv: tuple[str, ...]) -> None:
    run = replayed(build.path_of(name), *argv)

    assert (run.status in {0, 1}, run.err) == (True, "")
    assert run.out
    assert "bug in cni-sriov" not in run.out


def test_the_notes_card_carries_none_and_why() -> None:
    """7 VFs at 01:00.0 + 0x180 + 2n: the first is 02:10.0, and the port ends at bus 01 (the notes' dmesg: "bus 02 out of range
    of [bus 01]").
    """
    name = "i350-without-ari"
    pf = pf_of(name, "enp1s0f0", "oracle")
    words = said(name, "oracle", "enp1s0f0")

    assert (pf["count"], pf["totalvfs"], pf["offset"], pf["stride"], pf["lastBus"]) == (0, 7, 384, 2, 1)
    assert "the VFs need bus 02 (02:10.0), but the port above (0000:00:01.0) ends at bus 01" in words
    assert "ARI" in words
    assert "pci=assign-busses" in words
    assert replayed(build.path_of(name), "oracle").status == 1
    assert "0 of 7 VFs" in said(name, "oracle", "enp1s0f1")
    for verb in ("status", "vfs"):
        assert "ends at bus 01 (VF offset 384, stride 2)" in said(name, verb)
        assert "sriovctl vfs" not in said(name, verb), "which would be refused"
        assert [pf["offer"]["command"] for pf in told(name, verb)["pfs"]] == [
            f"sriovctl oracle enp1s0f{port}" for port in (0, 1)
        ]
    errors = [found for found in told(name, "doctor")["findings"] if found["severity"] == "error"]
    assert {found["subject"] for found in errors} == {"enp1s0f0", "enp1s0f1"}
    assert all("bus 02" in found["why"] for found in errors)


def test_a_bifurcated_driver_keeps_its_device() -> None:
    name = "mlx5-bifurcated"
    pf = pf_of(name, "enp65s0f0np0")

    assert (pf["numvfs"], [vf["driver"] for vf in pf["vfs"]]) == (4, ["mlx5_core"] * 4)
    for device in ("enp65s0f0np0:2", "0000:41:00.2", "0000:41:00.0"):
        with_auto = replayed(
            build.path_of(name), "bind", device if device[0] == "0" else "0000:41:00.2", "auto", "--dry-run"
        )
        assert (with_auto.status, with_auto.err) == (0, "")
        assert "mlx5_core keeps the device: DPDK drives it beside that driver" in with_auto.out
    assert not {rule for rule, severity in rules(name) if severity == "error"}


def test_256_vfs_over_the_end_of_a_bus() -> None:
    """3b:00.0 + 2 + n: n = 253 is 3b:1f.7, the last of its bus, n = 254 is 3c:00.0, and the last one 3c:00.1."""
    pf, foretold = pf_of("pf-of-256", "ens1"), pf_of("pf-of-256", "ens1", "oracle")

    assert [vf["index"] for vf in pf["vfs"]] == [*range(256)]
    assert [pf["vfs"][n]["pci"] for n in (0, 253, 254, 255)] == [
        "0000:3b:00.2", "0000:3b:1f.7", "0000:3c:00.0", "0000:3c:00.1",
    ]  # fmt: skip
    assert {vf["driver"] for vf in pf["vfs"]} == {"iavf"}
    assert len({vf["mac"] for vf in pf["vfs"]}) == 256
    assert (foretold["count"], foretold["totalvfs"], foretold["lastBus"]) == (256, 256, 0x3C)


def test_a_name_that_begins_as_another_is_another() -> None:
    """By the addresses: bus 01 has two VFs, bus 02 three."""
    name = "one-name-in-another"
    one, other = pf_of(name, "enp1s0"), pf_of(name, "enp1s0f1")

    assert [vf["pci"] for vf in one["vfs"]] == ["0000:01:10.0", "0000:01:10.2"]
    assert [vf["pci"] for vf in other["vfs"]] == ["0000:02:10.0", "0000:02:10.2", "0000:02:10.4"]
    assert [pf["pci"] for pf in told(name, "oracle", "enp1s0")["pfs"]] == ["0000:01:00.0"]
    assert {row["pci"][5:7] for row in told(name, "baseline", "enp1s0")["vfs"]} == {"01"}


def test_the_labs_card() -> None:
    """Two ports of seven; three VFs in containers when it was taken."""
    name = "lab-two-ports"
    pfs = told(name, "status")["pfs"]
    owners = [vf["owner"]["containerID"] for pf in pfs for vf in pf["vfs"] if vf["owner"]]

    assert [(pf["name"], pf["pci"], pf["totalvfs"]) for pf in pfs] == [
        ("enp1s0f0", "0000:01:00.0", 7), ("enp1s0f1", "0000:01:00.1", 7),
    ]  # fmt: skip
    assert len(owners) == 3
    assert len(told(name, "leases")["leases"]) == 3
    assert [pf["count"] for pf in told(name, "oracle")["pfs"]] == [7, 7]
