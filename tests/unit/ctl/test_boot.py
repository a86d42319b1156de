"""`sriovctl vfs PF N --persist`: the host's file has it, the unit is there and enabled as systemctl says, and `apply`, which
that unit runs, then brings the node there.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cni_sriov.ctl import boot, vfs
from tests.pages import ROOT
from tests.unit.ctl.ports import below_bridge, numvfs
from tests.unit.ctl.tool import attach, sriovctl
from tests.world import World

UNIT = "sriov-host.service"
OWN = "etc/systemd/system"
UNSEEN = boot.UNSEEN
SAMPLE = (ROOT / "conf/systemd" / UNIT).read_text()


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """sriovctl and systemd's own systemctl, which takes another root."""
    tools = tmp_path / "tools"
    tools.mkdir()
    systemctl = shutil.which("systemctl")
    if systemctl is None:
        pytest.skip("systemctl is not there: build/setup brings it")
    (tools / "systemctl").symlink_to(systemctl)
    (tools / "sriovctl").touch(0o755)
    monkeypatch.setenv("PATH", str(tools))
    monkeypatch.setattr("sys.argv", ["pytest"])
    seen = tuple(place for place in UNSEEN if not str(tmp_path).startswith(place))
    monkeypatch.setattr("cni_sriov.ctl.boot.UNSEEN", seen)
    return tools


def persist(world: World, *argv: str) -> Any:
    run = sriovctl(world, "vfs", *argv, "--persist", "--json")
    assert run.status == 0, run.out
    return run.document


def host_file(world: World) -> Any:
    return json.loads((world.root / "etc/cni-sriov/host.json").read_text())


def write(world: World, *entries: dict[str, Any]) -> None:
    path = world.root / "etc/cni-sriov/host.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"pfs": entries}))


def is_enabled(world: World, unit: str = UNIT) -> bool:
    argv = ["systemctl", f"--root={world.root}", "is-enabled", unit]
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip() == "enabled"


def at_boot(world: World) -> list[int]:
    """All VFs are gone; the unit's command brings back what there is then."""
    for pf in world.kernel.pfs:
        world.kernel.change_numvfs(pf, 0)
    assert sriovctl(world, "apply").status == 0
    return numvfs(world)


@pytest.mark.parametrize(("where", "count", "selector", "after"), [
    ("enp1s0f0", "3", {"names": ["enp1s0f0"]}, [3, 0]),
    ("0000:01:00.0", "max", {"pciAddresses": ["0000:01:00.0"]}, [7, 0]),
    ("01:00.0", "0", {"pciAddresses": ["0000:01:00.0"]}, [0, 0]),
])  # fmt: skip
def test_the_next_boot_has_it_too(
    empty: World, installed: Path, where: str, count: str, selector: dict[str, Any], after: list[int]
) -> None:
    told = persist(empty, where, count)

    wanted = count if count == "max" else int(count)
    assert host_file(empty) == {"pfs": [{"pf": selector, "numvfs": wanted}]}
    unit = (empty.root / OWN / UNIT).read_text()
    assert unit == SAMPLE.replace("/usr/local/sbin/sriovctl", str(installed / "sriovctl"))
    assert is_enabled(empty)
    assert told["boot"] == {
        "file": "/etc/cni-sriov/host.json",
        "unit": f"/{OWN}/{UNIT}",
        "written": ["/etc/cni-sriov/host.json", f"/{OWN}/{UNIT}"],
        "disabled": [],
    }
    assert (numvfs(empty), at_boot(empty)) == (after, after)


def test_a_port_that_is_down_is_not_brought_up_by_it(empty: World) -> None:
    persist(empty, "enp1s0f1", "2")

    assert host_file(empty) == {"pfs": [{"pf": {"names": ["enp1s0f1"]}, "numvfs": 2, "up": False}]}
    assert at_boot(empty) == [0, 2]
    assert not empty.kernel.pfs[1].link.is_up


def test_of_an_entry_that_is_there_only_the_number_changes(empty: World) -> None:
    mine = {"pf": {"names": ["enp1s0f0"]}, "numvfs": 7, "mtu": 9000, "vfs": [{"range": "0-1", "trust": "on"}]}
    other = {"pf": {"names": ["enp1s0f1"]}, "numvfs": 1}
    write(empty, other, mine)

    persist(empty, "0000:01:00.0", "4")

    assert host_file(empty) == {"pfs": [other, mine | {"numvfs": 4}]}


def test_the_same_again_writes_nothing(empty: World) -> None:
    persist(empty, "enp1s0f0", "3")
    files = [empty.root / "etc/cni-sriov/host.json", empty.root / OWN / UNIT]
    before = [os.stat(path).st_ino for path in files]

    told = persist(empty, "enp1s0f0", "3")

    assert (told["changed"], told["boot"]["written"]) == (False, [])
    assert [os.stat(path).st_ino for path in files] == before
    assert is_enabled(empty)


def test_a_unit_that_was_installed_is_taken_as_it_is(empty: World) -> None:
    path = empty.root / "usr/local/lib/systemd/system" / UNIT
    path.parent.mkdir(parents=True)
    path.write_text(SAMPLE)

    told = persist(empty, "enp1s0f0", "3")

    assert told["boot"]["unit"] == f"/usr/local/lib/systemd/system/{UNIT}"
    assert not (empty.root / OWN / UNIT).exists()
    assert is_enabled(empty)


def test_the_unit_that_knows_one_port_and_a_number_makes_way(empty: World) -> None:
    (empty.root / OWN).mkdir(parents=True)
    shutil.copy(ROOT / "conf/systemd/sriov-numvfs@.service", empty.root / OWN)
    for port in ("enp1s0f0", "enp1s0f1"):
        argv = ["systemctl", f"--root={empty.root}", "enable", f"sriov-numvfs@{port}.service"]
        subprocess.run(argv, capture_output=True, check=True)

    told = persist(empty, "enp1s0f0", "3")

    assert told["boot"]["disabled"] == ["sriov-numvfs@enp1s0f0.service"]
    enabled = {port: is_enabled(empty, f"sriov-numvfs@{port}.service") for port in ("enp1s0f0", "enp1s0f1")}
    assert enabled == {"enp1s0f0": False, "enp1s0f1": True}


def test_a_dry_run_says_it_and_writes_nothing(empty: World) -> None:
    run = sriovctl(empty, "vfs", "enp1s0f0", "3", "--persist", "--dry-run")

    assert (run.status, run.out.splitlines()) == (
        0,
        [
            "would give enp1s0f0 3 VFs (has none)",
            "would be written: /etc/cni-sriov/host.json",
            f"would be written: /{OWN}/{UNIT}",
            f"would be enabled for each boot: /{OWN}/{UNIT}",
        ],
    )
    assert (numvfs(empty), (empty.root / "etc").exists()) == ([0, 0], False)


def test_the_file_stays_what_it_was(empty: World) -> None:
    """Mode and owner; and where it is a link, into a repository for one, the file that it leads to is written."""
    path, real = empty.root / "etc/cni-sriov/host.json", empty.root / "srv/host.json"
    real.parent.mkdir()
    write(empty, {"pf": {"names": ["enp1s0f0"]}, "numvfs": 1})
    path.rename(real)
    path.symlink_to("../../srv/host.json")
    real.chmod(0o640)
    if os.getuid() == 0:
        os.chown(real, 0, 4)
    before = real.stat()

    persist(empty, "enp1s0f0", "3")

    after = real.stat()
    assert (path.is_symlink(), host_file(empty)["pfs"][0]["numvfs"]) == (True, 3)
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert [one.name for one in real.parent.iterdir()] == ["host.json"]


def test_what_somebody_says_there_meanwhile_stays(empty: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """VFs take their time, up to 30 s."""
    other = {"pf": {"names": ["enp1s0f1"]}, "numvfs": 1}
    make = vfs.run

    def slow(*args: Any, **kwargs: Any) -> vfs.Provision:
        made = make(*args, **kwargs)
        write(empty, other)
        return made

    monkeypatch.setattr("cni_sriov.ctl.vfs.run", slow)

    persist(empty, "enp1s0f0", "3")

    assert host_file(empty) == {"pfs": [other, {"pf": {"names": ["enp1s0f0"]}, "numvfs": 3}]}


def test_systemd_reads_the_tools_name_whatever_it_is(
    empty: World, installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """systemd.service(5), "Command lines", and the specifiers of systemd.unit(5)."""
    monkeypatch.setattr("sys.argv", ["/srv/my %n tools/sriovctl"])

    persist(empty, "enp1s0f0", "3")

    unit = (empty.root / OWN / UNIT).read_text()
    assert 'ExecStart="/srv/my %%n tools/sriovctl" apply --wait 30\n' in unit


# what cannot be kept is not begun -------------------------------------------------------------------------------------


SHARED = {"pf": {"drivers": ["igb"]}, "numvfs": 7}
RANGES = {"pf": {"names": ["enp1s0f0"]}, "numvfs": 7, "vfs": [{"range": "0-6", "trust": "on"}]}


@pytest.mark.parametrize(("entries", "why", "what"), [
    ([SHARED], "pfs[0] of /etc/cni-sriov/host.json is about enp1s0f1, too", '"numvfs": 3'),
    ([RANGES], "VF 6 is beyond numvfs 3", "correct pfs[0] there first"),
    ([{"pf": {}}], "/etc/cni-sriov/host.json: read pfs[0].pf: selects no PF", "sriovctl validate"),
])  # fmt: skip
def test_a_file_that_cannot_say_it_is_left_and_so_are_the_vfs(
    empty: World, entries: list[dict[str, Any]], why: str, what: str
) -> None:
    write(empty, *entries)
    before = (empty.root / "etc/cni-sriov/host.json").read_text()

    for how in ((), ("--dry-run",)):
        run = sriovctl(empty, "vfs", "enp1s0f0", "3", "--persist", *how)
        assert (run.status, why in run.err, what in run.err) == (1, True, True), run.err

    assert ((empty.root / "etc/cni-sriov/host.json").read_text(), numvfs(empty)) == (before, [0, 0])
    assert not (empty.root / OWN).exists()


@pytest.mark.parametrize(("lack", "says"), [("systemctl", "has no systemctl"), ("sriovctl", "make install")])
def test_a_machine_that_cannot_start_it_says_so(empty: World, installed: Path, lack: str, says: str) -> None:
    (installed / lack).unlink()

    run = sriovctl(empty, "vfs", "enp1s0f0", "3", "--persist")

    assert (run.status, numvfs(empty), (empty.root / "etc").exists()) == (1, [0, 0], False)
    assert says in run.err


@pytest.mark.parametrize("count", ["8", "max"])
def test_a_number_that_is_refused_is_not_kept(empty: World, count: str) -> None:
    below_bridge(empty, empty.kernel.pfs[0], 384, 1)

    run = sriovctl(empty, "vfs", "enp1s0f0", count, "--persist")

    assert (run.status, numvfs(empty), (empty.root / "etc").exists()) == (1, [0, 0], False)


def test_a_number_that_is_refused_for_a_container_is_not_kept(world: World) -> None:
    attach(world)

    assert sriovctl(world, "vfs", "enp1s0f0", "3", "--persist").status == 1
    assert not (world.root / "etc/cni-sriov").exists()


def test_what_systemctl_says_is_told_and_that_the_vfs_are_there(empty: World, installed: Path) -> None:
    (installed / "systemctl").unlink()
    (installed / "systemctl").write_text("#!/bin/sh\necho 'Failed: no bus' >&2\nexit 1\n")
    (installed / "systemctl").chmod(0o755)

    run = sriovctl(empty, "vfs", "enp1s0f0", "3", "--persist")

    assert (run.status, numvfs(empty)) == (1, [3, 0])
    assert f'enable {UNIT}: systemctl says "Failed: no bus"' in run.err
    assert run.err.splitlines()[1:] == [
        f"  systemctl enable {UNIT}",
        "  its VFs are there until the next boot",
    ]


@pytest.mark.parametrize("tool", ["/root/cni/sriovctl", "/home/me/sriovctl", '/srv/a"b/sriovctl'])
def test_a_tool_that_the_unit_would_not_see_is_refused(
    empty: World, tool: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sample says ProtectHome and PrivateTmp: systemd.exec(5)."""
    monkeypatch.setattr("sys.argv", [tool])
    monkeypatch.setattr("cni_sriov.ctl.boot.UNSEEN", UNSEEN)

    run = sriovctl(empty, "vfs", "enp1s0f0", "3", "--persist")

    assert (run.status, numvfs(empty), (empty.root / "etc").exists()) == (1, [0, 0], False)
    assert (tool.partition('"')[0] in run.err, "make install" in run.err) == (True, True)


def test_a_unit_that_is_masked_is_not_enabled_and_nothing_is_done(empty: World) -> None:
    (empty.root / OWN).mkdir(parents=True)
    (empty.root / OWN / UNIT).symlink_to("/dev/null")

    run = sriovctl(empty, "vfs", "enp1s0f0", "3", "--persist")

    assert (run.status, numvfs(empty), (empty.root / "etc/cni-sriov").exists()) == (1, [0, 0], False)
    assert f"systemctl unmask {UNIT}" in run.err


def test_a_file_where_a_directory_should_be_is_a_sentence(empty: World) -> None:
    (empty.root / "etc").mkdir()
    (empty.root / "etc/systemd").touch()

    run = sriovctl(empty, "vfs", "enp1s0f0", "3", "--persist")

    assert (run.status, "write /etc/systemd/system/" in run.err, "Traceback" in run.err) == (1, True, False)
