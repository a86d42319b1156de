"""`sriovctl oracle` through the front door, on trees as sysfs has them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cni_sriov.kernel.files import Files
from cni_sriov.words.errors import InputOutput
from tests.pages import table_rows
from tests.unit.ctl.cards import Card, i350
from tests.unit.ctl.tool import sriovctl
from tests.world import World


@pytest.fixture
def bare(tmp_path: Path) -> World:
    """A node whose sysfs a test makes."""
    world = World(tmp_path)
    (tmp_path / "sys").mkdir()
    return world


def test_says_before_any_write_that_the_slot_carries_none(bare: World) -> None:
    i350(bare.root)

    run = sriovctl(bare, "oracle", "--json")

    (pf,) = run.document["pfs"]
    assert run.status == 1
    assert {key: pf[key] for key in ("name", "pci", "driver", "numvfs", "totalvfs", "count")} == {
        "name": "enp1s0f0", "pci": "0000:01:00.0", "driver": "igb", "numvfs": 0, "totalvfs": 7, "count": 0,
    }  # fmt: skip
    assert (pf["offset"], pf["stride"], pf["port"], pf["lastBus"], pf["ari"]) == (
        384,
        2,
        "0000:00:01.0",
        1,
        False,
    )
    assert (pf["limits"][0]["rule"], pf["limits"][0]["certain"]) == ("bus", True)


def test_the_document_is_the_pages(bare: World) -> None:
    i350(bare.root)
    cells = [row[0] for row in table_rows("docs/oracle.md")]
    told = {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}

    document = sriovctl(bare, "oracle", "--json").document
    after = sriovctl(bare, "oracle", "enp1s0f0", "--after", "ENOMEM", "--json").document

    (pf,) = document["pfs"]
    assert {
        f"pfs[].{key}[]" if isinstance(value, list) else f"pfs[].{key}" for key, value in pf.items()
    } <= told
    assert set(document) | set(after) == {"version", "pfs", "failed", "why", "remedy"}
    assert {"pfs[]", "failed[]", "why", "remedy"} <= told
    assert set(pf["limits"][0]) == {"count", "rule", "certain", "reason", "remedy"}


def test_a_good_slot_is_status_0_and_needs_no_root(bare: World) -> None:
    i350(bare.root, offset=0x80, ari=True)

    run = sriovctl(bare, "oracle", "enp1s0f0", euid=1000)

    assert (run.status, run.err) == (0, "")
    assert (
        run.out.splitlines()[0] == "enp1s0f0 (0000:01:00.0, igb): this slot carries 7 of 7 VFs, and has 0 now"
    )


@pytest.mark.parametrize("where", ["enp1s0f0", "0000:01:00.0", "01:00.0"])
def test_by_name_or_address(bare: World, where: str) -> None:
    i350(bare.root)
    other = Card(bare.root, "0000:02:00.0")
    other.write("sriov_totalvfs", "4\n")

    assert [pf["pci"] for pf in sriovctl(bare, "oracle", where, "--json").document["pfs"]] == ["0000:01:00.0"]
    assert len(sriovctl(bare, "oracle", "--json").document["pfs"]) == 2


def test_by_altname(empty: World) -> None:
    name = "enp1s0f0np0-of-a-long-card"
    empty.kernel.pfs[0].link.altnames = [name]

    assert [pf["pci"] for pf in sriovctl(empty, "oracle", name, "--json").document["pfs"]] == ["0000:01:00.0"]


@pytest.mark.parametrize(("where", "words", "remedy"), [
    ("enp9s0", "no such interface on a PCI device", "PFs of this node: 0000:01:00.0"),
    ("../../etc", "no such interface on a PCI device", "PFs of this node"),
    ("0000:09:00.0", "there is no such PCI device", "sriovctl oracle"),
    ("0000:01:10.0", "it is a VF, of 0000:01:00.0", "sriovctl oracle 0000:01:00.0"),
])  # fmt: skip
def test_what_is_no_pf(bare: World, where: str, words: str, remedy: str) -> None:
    i350(bare.root)
    vf = Card(bare.root, "0000:01:10.0")
    (vf.pf / "physfn").symlink_to("../0000:01:00.0")

    run = sriovctl(bare, "oracle", where)

    assert (run.status, run.out) == (1, "")
    assert f"use PF {where}: {words}" in run.err
    assert remedy in run.err


def test_one_that_cannot_be_looked_at_hides_no_other(bare: World, monkeypatch: pytest.MonkeyPatch) -> None:
    i350(bare.root, offset=0x80, ari=True)
    Card(bare.root, "0000:02:00.0").write("sriov_totalvfs", "4\n")
    looked = Files.text

    def text(self: Files, path: str) -> str | None:
        if path.endswith("0000:02:00.0/sriov_numvfs"):
            raise InputOutput(f"look at {path}: Input/output error")
        return looked(self, path)

    monkeypatch.setattr(Files, "text", text)

    run = sriovctl(bare, "oracle", "--json")

    assert (run.status, [pf["pci"] for pf in run.document["pfs"]]) == (1, ["0000:01:00.0"])
    (failed,) = run.document["failed"]
    assert failed.startswith("0000:02:00.0: look at ")


def test_a_card_without_vfs_is_told_why(bare: World) -> None:
    card = i350(bare.root)
    for name in ("totalvfs", "numvfs", "offset", "stride"):
        (card.pf / f"sriov_{name}").unlink()
    card.write("config", bytes(4096))

    run = sriovctl(bare, "oracle", "enp1s0f0")

    assert run.status == 1
    assert "this slot carries 0 VFs" in run.out
    assert "no SR-IOV capability" in run.out


@pytest.mark.parametrize("error", ["ENOMEM", "enomem", "Cannot allocate memory"])
def test_what_a_failed_write_meant(bare: World, error: str) -> None:
    i350(bare.root)

    run = sriovctl(bare, "oracle", "enp1s0f0", "--after", error, "--count", "3", euid=1000)
    document = sriovctl(bare, "oracle", "enp1s0f0", "--after", error, "--json").document

    lines = run.out.splitlines()
    assert (run.status, run.err) == (0, "")
    assert lines[0].startswith("give enp1s0f0 3 VFs: the VFs need bus 02 (02:10.0)")
    assert "another slot" in lines[1]
    assert document["why"].startswith("give enp1s0f0 7 VFs: the VFs need bus 02")
    assert "pci=assign-busses" in document["remedy"]


@pytest.mark.parametrize(("argv", "words"), [
    (("enp1s0f0", "--after", "nonsense"), "\"nonsense\" is no error of the kernel"),
    (("--after", "ENOMEM"), "--after needs the PF"),
    (("enp1s0f0", "--after", "EIO", "--count", "x"), "is no number of VFs"),
])  # fmt: skip
def test_bad_arguments_are_usage(bare: World, argv: tuple[str, ...], words: str) -> None:
    i350(bare.root)

    run = sriovctl(bare, "oracle", *argv)

    assert (run.status, run.out) == (2, "")
    assert words in run.err
