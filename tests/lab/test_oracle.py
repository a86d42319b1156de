"""`sriovctl oracle` of the bundle on the emulated card; what is expected comes from lspci, sysfs, dmesg and the kernel's
own answers. The notes' slot is made by a module that changes the VF offset (tests/lab/vfoffset.py).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import bundle
from tests.unit import pcibytes

from . import vfoffset
from .ctl import SRIOVCTL, sriovctl
from .ready import Lab
from .vm import PORTS, Vm

pytestmark = [pytest.mark.lab, pytest.mark.bundle]

PF, SECOND, BRIDGE = "0000:01:00.0", "0000:01:00.1", "0000:00:06.0"
DEVICE = f"/sys/bus/pci/devices/{PF}"


@pytest.fixture(scope="session")
def lab_share() -> Path:
    return bundle.directory()


@pytest.fixture
def guest(lab_module: Vm) -> Iterator[Vm]:
    """Each test finds and leaves both ports without VFs, on igb."""
    yield lab_module
    left = lab_module.run(f"cat {DEVICE}/sriov_numvfs; readlink {DEVICE}/driver {DEVICE[:-1]}1/driver").stdout
    assert [line.rpartition("/")[2] for line in left.split()] == ["0", "igb", "igb"]


@pytest.fixture
def far_vfs(guest: Vm, saved_lab: Lab) -> Iterator[Vm]:
    """The kernel reckons with VF offset 0x180, as for an I350 behind a port without ARI."""
    module = vfoffset.module(saved_lab.image.release).read_bytes()
    guest.run("base64 -d > /tmp/vfoffset.ko", input=base64.b64encode(module).decode())
    guest.run("insmod /tmp/vfoffset.ko")
    yield guest
    guest.run("grep -q ^vfoffset /proc/modules && rmmod vfoffset; true")


def foretold(vm: Vm, where: str, prefix: str = "") -> tuple[int, dict[str, Any]]:
    done = vm.run(f"{prefix} {SRIOVCTL} oracle {where} --json", check=False)
    assert done.stderr == ""
    (pf,) = json.loads(done.stdout)["pfs"]
    return done.returncode, pf


def written(vm: Vm, count: int | str, pf: str = PF) -> str:
    """What the shell says to a write into sriov_numvfs."""
    path = f"/sys/bus/pci/devices/{pf}/sriov_numvfs"
    said = vm.run(["bash", "-c", f"echo {count} > {path}"], check=False).stderr
    return said.strip().rpartition(": ")[2]


def meant(vm: Vm, pf: str, error: str, count: int) -> str:
    done = sriovctl(vm, f"oracle {pf} --after '{error}' --count {count}")
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def lspci(vm: Vm, device: str, file: str = "") -> str:
    return vm.run(f"lspci {'-F ' + file if file else ''} -vvv -s {device.removeprefix('0000:')}").stdout


def found(pattern: str, text: str) -> tuple[str, ...]:
    match = re.search(pattern, text)
    assert match is not None, text
    return match.groups()


def test_the_slot_is_what_lspci_and_sysfs_say(guest: Vm) -> None:
    card, port = lspci(guest, PF), lspci(guest, BRIDGE)
    (last_bus,) = found(r"subordinate=(\w\w)", port)
    total, offset, stride = found(r"Total VFs: (\d+)[^$]*VF offset: (\d+), stride: (\d+)", card)

    status, pf = foretold(guest, PORTS[0])

    told = {key: pf[key] for key in ("pci", "driver", "numvfs", "totalvfs", "count", "port", "notes")}
    assert told == {
        "pci": PF, "driver": "igb", "numvfs": 0, "totalvfs": 7, "count": 7, "port": BRIDGE, "notes": [],
    }  # fmt: skip
    assert (pf["offset"], pf["stride"], pf["lastBus"]) == (int(offset), int(stride), int(last_bus, 16))
    assert (pf["ari"], "DevCtl2" in port, "ARIFwd+" in port.partition("DevCtl2")[2]) == (True, True, True)
    assert f"allows no more of the card's {total}" in pf["limits"][0]["reason"]
    assert status == 0
    written(guest, 7)
    last = guest.run(
        f"readlink {DEVICE}/virtfn6; cat {DEVICE}/sriov_numvfs; echo 0 > {DEVICE}/sriov_numvfs"
    ).stdout
    assert last.split() == ["../0000:01:11.4", "7"]


def test_without_the_right_to_see_it_all_the_oracle_says_so(guest: Vm) -> None:
    """The kernel gives 64 bytes to who lacks CAP_SYS_ADMIN; the bundle's directory here is root's own."""
    bounded = "setpriv --bounding-set=-sys_admin"
    assert guest.run(f"{bounded} cat {DEVICE}/config | wc -c").stdout.strip() == "64"

    status, pf = foretold(guest, PF, bounded)

    assert (status, pf["count"], pf["ari"]) == (0, 7, None)
    assert [note for note in pf["notes"] if f"{PF} beyond 64 bytes, which only root can read" in note]


def test_lspci_reads_the_unit_tests_spaces_as_they_are_meant(guest: Vm) -> None:
    """The second opinion on tests/unit/pcibytes.py."""
    big = (0x4000000000, 0x47FFFFFFFF)
    spaces = {
        "01:00.0": pcibytes.function(numvfs=3, hierarchy=True),
        "00:01.0": pcibytes.port(1, 2, can_ari=True, prefetchable=big),
    }
    dump = ""
    for device, space in spaces.items():
        lines = [f"{at:02x}: {space[at : at + 16].hex(' ')}" for at in range(0, len(space), 16)]
        dump += "\n".join([f"{device} Class 0000: 0000:0000", *lines, "", ""])
    guest.run("cat > /tmp/spaces", input=dump)

    card, port = lspci(guest, "01:00.0", "/tmp/spaces"), lspci(guest, "00:01.0", "/tmp/spaces")

    assert "Alternative Routing-ID Interpretation" in card
    assert "Initial VFs: 8, Total VFs: 8, Number of VFs: 3, Function Dependency Link: 00" in card
    assert "VF offset: 384, stride: 2, Device ID: 1520" in card
    assert found(r"IOVCtl:\s+(Enable.) .*ARIHierarchy(.)", card) == ("Enable+", "+")
    assert "Region 3: Memory at 00000000fe820000 (64-bit, prefetchable)" in card
    assert "secondary=01, subordinate=02" in port
    assert "Memory behind bridge: fe400000-fe5fffff" in port
    assert "Prefetchable memory behind bridge: 0000004000000000-00000047ffffffff" in port
    assert found(r"DevCap2[^$]*?ARIFwd(.)[^$]*DevCtl2[^$]*?ARIFwd(.)", port) == ("+", "-")


def test_the_notes_slot_is_foretold_refused_explained_and_comes_right(far_vfs: Vm) -> None:
    far_vfs.run("dmesg --clear")

    status, pf = foretold(far_vfs, PORTS[0])
    refused = sriovctl(far_vfs, f"vfs {PORTS[0]} 7")
    untouched = far_vfs.run("dmesg").stdout
    answers = {count: written(far_vfs, count) for count in (1, 7)}
    kernel = far_vfs.run("dmesg").stdout

    need = "bus 02 (02:10.0), but the port above (0000:00:06.0) ends at bus 01 (VF offset 384, stride 2)"
    assert (status, pf["count"], pf["offset"]) == (1, 0, 384)
    assert f"the VFs need {need}" in pf["limits"][0]["reason"]
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"give {PORTS[0]} 7 VFs: the VFs need {need}" in refused.stderr
    assert "VFs" not in untouched
    assert answers == dict.fromkeys((1, 7), "Cannot allocate memory")
    assert "can't enable 7 VFs (bus 02 out of range of [bus 01])" in kernel
    assert "can't enable 1 VFs (bus 02 out of range of [bus 01])" in kernel
    assert f"give {PORTS[0]} 7 VFs: the VFs need {need}" in meant(far_vfs, PF, answers[7], 7)
    far_vfs.run("rmmod vfoffset")

    assert written(far_vfs, 7) == ""
    now = far_vfs.run(f"cat {DEVICE}/sriov_numvfs {DEVICE}/sriov_offset; readlink {DEVICE}/virtfn6").stdout
    assert now.split() == ["7", "128", "../0000:01:11.4"]
    written(far_vfs, 0)


def test_erange_and_ebusy_are_explained(guest: Vm) -> None:
    too_many = written(guest, 8)
    range_told = meant(guest, PF, too_many, 8)
    written(guest, 1)
    busy = written(guest, 7)
    busy_told = meant(guest, PF, busy, 7)
    written(guest, 0)

    assert (too_many, busy) == ("Numerical result out of range", "Device or resource busy")
    assert "it can have at most 7 (driver igb allows no more of the card's 8)" in range_told
    assert "it has 1 VF already, and the kernel takes another number only from 0 on" in busy_told


def test_enoent_is_the_pf_on_vfio_and_its_remedy_can_be_followed(guest: Vm) -> None:
    device = f"/sys/bus/pci/devices/{SECOND}"
    guest.run(
        f"modprobe vfio-pci; echo vfio-pci > {device}/driver_override; echo {SECOND} > {device}/driver/unbind;"
        f"echo {SECOND} > /sys/bus/pci/drivers_probe; readlink {device}/driver | grep vfio-pci"
    )
    error = written(guest, 2, SECOND)

    refused = sriovctl(guest, f"vfs {SECOND} 2")
    told = meant(guest, SECOND, error, 2)
    guest.run(
        "\n".join(["PATH=$PATH:/mnt/host/cni-sriov", *told.splitlines()[2:]])
    )  # what is said, what is meant, then the commands
    followed = (
        written(guest, 1, SECOND),
        guest.run(f"cat {device}/sriov_numvfs; echo 0 > {device}/sriov_numvfs").stdout,
    )
    guest.run("udevadm settle")

    why = "its driver vfio-pci hands the PF to user space and cannot make VFs"
    assert (error, followed) == ("No such file or directory", ("", "1\n"))
    assert (refused.returncode, why in refused.stderr, why in told) == (1, True, True)
