"""Why the kernel refuses a number of VFs, before it is asked and after: a sentence with this slot's numbers, and a remedy."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from cni_sriov.ctl import refusal, slot
from cni_sriov.decide.slot import Slot
from cni_sriov.kernel.files import Files
from cni_sriov.words.errors import InputOutput, KernelRefused
from tests.unit import pcibytes
from tests.unit.ctl.cards import i350
from tests.unit.ctl.ports import below_bridge, device, numvfs
from tests.unit.ctl.tool import sriovctl
from tests.world import World


def look(root: Path) -> Slot:
    return slot.look(Files(str(root)), "0000:01:00.0")


def told(found: Slot, number: int, count: int = 7) -> tuple[int, str, str]:
    error = refusal.explain(found, count, KernelRefused("set numvfs of 0000:01:00.0", number))
    return error.code, error.msg, error.details


# beforehand ----------------------------------------------------------------------------------------------------------


def test_more_than_totalvfs(empty: World) -> None:
    run = sriovctl(empty, "vfs", "enp1s0f0", "8")

    assert (run.status, numvfs(empty)) == (1, [0, 0])
    assert "give enp1s0f0 8 VFs: it can have at most 7" in run.err
    assert "\n  sriovctl vfs enp1s0f0 7" in run.err


@pytest.mark.parametrize(("driver", "words"), [
    ("vfio-pci", "its driver vfio-pci hands the PF to user space and cannot make VFs"),
    ("uio_pci_generic", "its driver uio_pci_generic hands the PF"),
    ("", "no driver is bound to the PF"),
])  # fmt: skip
def test_a_pf_whose_driver_makes_no_vfs(empty: World, driver: str, words: str) -> None:
    pf = empty.kernel.pfs[0]
    pf.driver = driver
    (device(empty, pf.pci_address) / "driver").unlink()
    if driver:
        (device(empty, pf.pci_address) / "driver").symlink_to(f"../../drivers/{driver}")

    run = sriovctl(empty, "vfs", "0000:01:00.0", "2")

    assert (run.status, empty.kernel.effects) == (1, [])
    assert words in run.err
    assert "sriovctl bind 0000:01:00.0 kernel" in run.err


def test_bus_out_of_range_is_not_tried(world: World) -> None:
    """The VFs that are there stay: nothing is written."""
    below_bridge(world, world.kernel.pfs[0], 384, 1)

    run = sriovctl(world, "vfs", "enp1s0f0", "3")

    assert (run.status, numvfs(world), world.kernel.effects) == (1, [7], [])
    assert (
        "give enp1s0f0 3 VFs: the VFs need bus 02 (02:10.0), but the port above (0000:00:06.0) ends at bus 01"
        " (VF offset 384, stride 2)"
    ) in run.err
    assert all(
        word in run.err for word in ("another slot", "BIOS", "pci=assign-busses", "no sign of success")
    )


def test_what_is_only_likely_is_tried_and_told(world: World) -> None:
    (device(world, "0000:01:00.0") / "resource").write_text("0x0 0x0 0x0\n" * 13)

    run = sriovctl(world, "vfs", "enp1s0f0", "3")

    assert (run.status, numvfs(world)) == (0, [3])
    assert "note: it worked, although this slot seemed too small: the VFs' BARs have no memory" in run.out


@pytest.mark.parametrize("count", [0, 7])
def test_nothing_is_in_the_way_of_what_fits(tmp_path: Path, count: int) -> None:
    i350(tmp_path, offset=0x80, ari=True)

    assert refusal.beforehand(look(tmp_path), count) == (None, "")


# after a failure -----------------------------------------------------------------------------------------------------


def test_enomem_for_want_of_a_bus(tmp_path: Path) -> None:
    i350(tmp_path)

    code, why, remedy = told(look(tmp_path), errno.ENOMEM, 1)

    assert code == 101
    assert why.startswith(
        "give enp1s0f0 1 VF: the VFs need bus 02 (02:10.0), but the port above (0000:00:01.0)"
    )
    assert "ends at bus 01" in why
    assert '"N VFs allocated" before that is no sign of success' in remedy


def test_enomem_for_want_of_memory(tmp_path: Path) -> None:
    card = i350(tmp_path, offset=0x80, ari=True)
    card.write("resource", "0x0 0x0 0x0\n" * 13)

    _, why, remedy = told(look(tmp_path), errno.ENOMEM)

    assert "BAR 0, 3 of the VFs has no memory" in why
    assert "Above 4G Decoding" in remedy


def test_enomem_where_the_numbers_show_room(tmp_path: Path) -> None:
    i350(tmp_path, offset=0x80, ari=True)

    _, why, remedy = told(look(tmp_path), errno.ENOMEM)

    assert "no room for the VFs (ENOMEM), though by this slot's numbers there is" in why
    assert "ends at bus 01, which has room for 64 VFs (VF offset 128, stride 2)" in why
    assert "dmesg | grep 0000:01:00.0" in remedy


def test_eio_is_a_firmware_that_contradicts_itself(tmp_path: Path) -> None:
    card = i350(tmp_path, offset=0x80, ari=True)
    whole = told(look(tmp_path), errno.EIO)
    card.write("config", pcibytes.function(initial=0, offset=0x80))
    broken = told(look(tmp_path), errno.EIO)

    assert "InitialVFs 0, TotalVFs 8" in broken[1]
    assert "InitialVFs 8, TotalVFs 8: these agree" in whole[1]


def test_ebusy_says_how_many_are_there(tmp_path: Path) -> None:
    i350(tmp_path, offset=0x80, ari=True, numvfs=3)

    code, why, _ = told(look(tmp_path), errno.EBUSY)

    assert code == 101
    assert "it has 3 VFs already, and the kernel takes another number only from 0 on" in why


@pytest.mark.parametrize(
    ("number", "code", "why", "remedy"),
    [
        (errno.ENOENT, 101, "driver igb cannot make VFs", "sriovctl bind 0000:01:00.0 kernel"),
        (errno.ERANGE, 7, "at most 7 (driver igb allows no more of the card's 8)", "sriovctl vfs enp1s0f0 7"),
        (errno.EBUSY, 101, "driver igb is busy", "again"),
        (errno.EAGAIN, 101, "driver igb has another operation on its VFs under way (it has 0 now)", "again"),
        (errno.EINVAL, 101, "driver igb refuses that number", "dmesg"),
        (errno.EPERM, 101, "driver igb does not permit it", "dmesg"),
        (errno.ENODEV, 101, "function 0 of the card", "dmesg"),
        (errno.EROFS, 101, "/sys is not writable here", "on the host"),
        (errno.EACCES, 101, "/sys is not writable here", "on the host"),
        (errno.EOPNOTSUPP, 101, "Operation not supported", "dmesg"),
    ],
)
def test_each_number_of_the_kernel_has_its_sentence_and_remedy(
    tmp_path: Path, number: int, code: int, why: str, remedy: str
) -> None:
    i350(tmp_path, offset=0x80, ari=True)

    found = told(look(tmp_path), number, 9)

    assert (found[0], found[1].startswith("give enp1s0f0 9 VFs: ")) == (code, True)
    assert (why in found[1], remedy in found[2]) == (True, True), found


@pytest.mark.parametrize("number", sorted({*errno.errorcode} - {errno.ERANGE}))
def test_every_number_is_told_of_a_card_that_is_gone_too(tmp_path: Path, number: int) -> None:
    code, why, remedy = told(look(tmp_path), number)

    assert (code, bool(why), bool(remedy)) == (101, True, True)


def test_the_refusal_is_told_where_the_slot_cannot_be_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def text(_: Files, path: str) -> str | None:
        raise InputOutput(f"look at {path}: Too many open files")

    i350(tmp_path)
    monkeypatch.setattr(Files, "text", text)
    refused = KernelRefused("set numvfs of 0000:01:00.0 to 7", errno.ENOMEM)

    error = refusal.after(Files(str(tmp_path)), "0000:01:00.0", 7, refused)

    assert (error.code, error.msg) == (101, "set numvfs of 0000:01:00.0 to 7: Cannot allocate memory")
    assert "Too many open files" in error.details
