"""What a slot says, gathered from a tree as sysfs has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cni_sriov.ctl import slot as slots
from cni_sriov.decide.oracle import capacity
from cni_sriov.decide.slot import Region
from cni_sriov.kernel.files import Files
from cni_sriov.words.errors import InputOutput
from cni_sriov.words.failures import Failures
from tests.unit import pcibytes
from tests.unit.ctl.cards import ASSIGNED, NONE, OWN, Card, i350

PF = "0000:01:00.0"


def test_the_notes_card(tmp_path: Path) -> None:
    i350(tmp_path)

    slot = slots.look(Files(str(tmp_path)), PF)

    assert (slot.name, slot.driver, slot.hands_over, slot.is_there) == ("enp1s0f0", "igb", False, True)
    assert (slot.numvfs, slot.total, slot.offset, slot.stride) == (0, 7, 384, 2)
    assert slot.space is not None
    assert slot.space.sriov is not None
    assert slot.space.sriov.total_vfs == 8
    assert slot.regions == [
        Region(0, 0xFE800000, 0x20000, True, True), Region(3, 0xFE820000, 0x20000, True, True),
    ]  # fmt: skip
    (port,) = slot.ports
    assert (port.pci, port.subordinate) == ("0000:00:01.0", 1)
    assert port.space is not None
    assert (port.space.can_ari, slot.functions, slot.unseen) == (False, 1, [])
    assert capacity(slot).count == 0


def test_what_sysfs_says_wins_over_the_card(tmp_path: Path) -> None:
    """The kernel reckons with what it read at boot; an old one does not say."""
    card = i350(tmp_path)
    card.write("config", pcibytes.function(offset=0x80, stride=4))
    card.write("config", pcibytes.port(1, 9), "0000:00:01.0")
    seen = slots.look(Files(str(tmp_path)), PF)
    for path in (
        card.pf / "sriov_offset",
        card.pf / "sriov_stride",
        card.devices / "0000:00:01.0/subordinate_bus_number",
    ):
        path.unlink()
    old = slots.look(Files(str(tmp_path)), PF)

    assert (seen.offset, seen.stride, seen.ports[0].subordinate) == (384, 2, 1)
    assert (old.offset, old.stride, old.ports[0].subordinate) == (128, 4, 9)


def test_who_is_not_root_gets_64_bytes(tmp_path: Path) -> None:
    card = i350(tmp_path)
    card.write("config", pcibytes.function()[:64])
    card.write("config", pcibytes.port()[:64], "0000:00:01.0")

    slot = slots.look(Files(str(tmp_path)), PF)

    assert slot.space is not None
    assert (slot.space.is_whole, slot.offset, slot.ports[0].subordinate) == (False, 384, 1)
    assert slot.unseen == [
        "not seen: the configuration space of 0000:01:00.0 beyond 64 bytes, which only root can read",
        "not seen: the configuration space of 0000:00:01.0 beyond 64 bytes, which only root can read",
    ]
    assert capacity(slot).count == 0


@pytest.mark.parametrize("short", [b"", b"\x86\x80"])
def test_a_config_that_is_empty_or_cut_off_is_not_seen(tmp_path: Path, short: bytes) -> None:
    card = i350(tmp_path)
    card.write("config", short)

    slot = slots.look(Files(str(tmp_path)), PF)

    assert (slot.space, slot.offset) == (None, 384)
    assert slot.unseen == ["not seen: the configuration space of 0000:01:00.0"]


def test_a_pulled_card_and_no_card(tmp_path: Path) -> None:
    card = i350(tmp_path)
    card.write("config", pcibytes.GONE)

    pulled = capacity(slots.look(Files(str(tmp_path)), PF))
    absent = slots.look(Files(str(tmp_path)), "0000:09:00.0")

    assert (pulled.count, pulled.limits[0].rule) == (0, "gone")
    assert (absent.is_there, capacity(absent).limits[0].rule) == (False, "gone")


@pytest.mark.parametrize(("lines", "regions"), [
    ([*OWN, *ASSIGNED], [(0, True, 0x20000), (3, True, 0x20000)]),
    ([*OWN, *[NONE] * 6], []),
    ([*OWN, "0x0000000000000000 0x0000000000ffffff 0x000000002014220c", *[NONE] * 5], [(0, False, 1 << 24)]),
    (OWN, None),
    ([], None),
])  # fmt: skip
def test_the_memory_of_the_vfs(
    tmp_path: Path, lines: list[str], regions: list[tuple[int, bool, int]] | None
) -> None:
    """0x20000000 is IORESOURCE_UNSET: a size is known, a place is not. Without PCI_IOV there are no such lines."""
    card = i350(tmp_path)
    card.write("resource", "\n".join(lines) + "\n")

    found = slots.look(Files(str(tmp_path)), PF).regions

    told = None if found is None else [(one.bar, one.is_assigned, one.size) for one in found]
    assert told == regions


@pytest.mark.parametrize(("driver", "enabled", "hands_over"), [
    ("igb", "", False), ("", "", False), ("uio_pci_generic", "Y", True), ("vfio-pci", "", True),
    ("vfio-pci", "N", True), ("vfio-pci", "Y", False),
])  # fmt: skip
def test_whether_the_driver_makes_vfs(tmp_path: Path, driver: str, enabled: str, hands_over: bool) -> None:
    card = i350(tmp_path)
    card.bind(driver)
    if enabled:
        parameters = tmp_path / "sys/module/vfio_pci/parameters"
        parameters.mkdir(parents=True)
        (parameters / "enable_sriov").write_text(f"{enabled}\n")

    assert slots.look(Files(str(tmp_path)), PF).hands_over == hands_over


def test_bridges_above_from_the_next_one_up() -> None:
    real = "/sys/devices/pci10000:80/10000:80:01.0/10000:81:00.0/10000:82:04.0/10000:83:00.0"

    assert slots.above(real) == ["10000:82:04.0", "10000:81:00.0", "10000:80:01.0"]
    assert slots.above("/sys/devices/pci0000:00/0000:00:1f.6") == []


def test_a_card_behind_a_switch_and_its_other_port(tmp_path: Path) -> None:
    ports = ("0000:00:01.0", "0000:01:00.0", "0000:02:04.0")
    first = Card(tmp_path, "0000:03:00.0", ports)
    second = Card(tmp_path, "0000:03:00.1", ports)
    for card in (first, second):
        card.write("sriov_totalvfs", "8\n")

    slot = slots.look(Files(str(tmp_path)), "0000:03:00.1")

    assert ([port.pci for port in slot.ports], slot.functions) == ([*ports[::-1]], 2)


def test_every_pf_of_the_node(tmp_path: Path) -> None:
    """Also one whose capability the kernel refuses; no VF, no card without."""
    i350(tmp_path)
    refused = Card(tmp_path, "0000:02:00.0")
    refused.write("config", pcibytes.function(total=0))
    plain = Card(tmp_path, "0000:03:00.0")
    plain.write("config", pcibytes.function(has_sriov=False))
    vf = Card(tmp_path, "0000:01:10.0")
    vf.write("config", pcibytes.function())
    (vf.pf / "physfn").symlink_to("../0000:01:00.0")

    failures = Failures()

    assert (slots.pfs(Files(str(tmp_path)), failures), failures.told) == (
        ["0000:01:00.0", "0000:02:00.0"],
        [],
    )


def test_a_failed_look_is_told_and_hides_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    i350(tmp_path)
    looked = Files.data

    def data(self: Files, path: str) -> bytes | None:
        if path.endswith("/config"):
            raise InputOutput(f"look at {path}: Input/output error")
        return looked(self, path)

    monkeypatch.setattr(Files, "data", data)

    slot = slots.look(Files(str(tmp_path)), PF)

    assert (slot.space, slot.offset, capacity(slot).count) == (None, 384, 0)
    assert f"not seen: look at /sys/bus/pci/devices/{PF}/config: Input/output error" in slot.unseen


@pytest.mark.parametrize("name", ["sriov_totalvfs", "sriov_numvfs"])
def test_a_failed_look_is_not_absence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Else the oracle would say that the card has no VFs, and `vfs` would refuse for certain."""
    i350(tmp_path)
    looked = Files.text

    def text(self: Files, path: str) -> str | None:
        if path.endswith(name):
            raise InputOutput(f"look at {path}: Input/output error")
        return looked(self, path)

    monkeypatch.setattr(Files, "text", text)

    with pytest.raises(InputOutput, match="Input/output error"):
        slots.look(Files(str(tmp_path)), PF)
