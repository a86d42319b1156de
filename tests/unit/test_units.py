"""conf/systemd: units that systemd takes, in the right order, with the rights they need and no more."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from cni_sriov.conf import hostfile
from cni_sriov.ctl import arguments
from cni_sriov.ctl.main import COMMANDS
from cni_sriov.state.ledger import RUN_DIR

UNITS = Path(__file__).parents[2] / "conf/systemd"
HOST = UNITS / "sriov-host.service"


def settings(path: Path = HOST) -> dict[str, list[str]]:
    """section.key -> its words, in order."""
    found: dict[str, list[str]] = {}
    section = ""
    for line in path.read_text().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(f"{section}.{key}", []).extend(value.split())
    return found


def test_what_it_runs_is_a_command_line_of_ours() -> None:
    program, *argv = settings()["Service.ExecStart"]

    options = arguments.parser(COMMANDS).parse_args(argv)

    assert program == "/usr/local/sbin/sriovctl"
    assert (options.verb, options.file, options.wait, options.dry_run) == ("apply", hostfile.PATH, 30, False)
    assert settings()["Unit.ConditionPathExists"] == [options.file]


def test_it_comes_after_udev_and_before_every_runtime() -> None:
    unit = settings()

    assert {"containerd", "crio", "kubelet", "podman", "podman-restart", "docker", "k3s"} <= {
        name.removesuffix(".service") for name in unit["Unit.Before"]
    }
    assert "systemd-udev-trigger.service" in unit["Unit.After"]
    assert not [word for words in unit.values() for word in words if "settle" in word]
    assert (unit["Service.Type"], unit["Service.RemainAfterExit"]) == (["oneshot"], ["yes"])
    assert unit["Install.WantedBy"] == ["multi-user.target"]


def test_what_it_writes_is_not_closed_to_it_and_outlives_it() -> None:
    unit = settings()

    assert "Service.ProtectKernelTunables" not in unit  # /sys, where numvfs is
    assert "Service.ProtectKernelModules" not in unit  # vfio-pci
    assert unit["Service.ProtectSystem"] == ["strict"]
    assert any(RUN_DIR.startswith(f"{path}/") for path in unit["Service.ReadWritePaths"])
    assert (
        "Service.RuntimeDirectory" not in unit
    )  # systemd removes that when the service stops, claims and all
    assert "Service.PrivateNetwork" not in unit
    assert "AF_NETLINK" in unit["Service.RestrictAddressFamilies"]


@pytest.mark.parametrize("unit", sorted(UNITS.iterdir()), ids=lambda path: path.name)
def test_systemd_takes_it_without_a_word(unit: Path, tmp_path: Path) -> None:
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("systemd-analyze is not there: build/setup brings it")
    name = unit.name.replace("@.", "@enp1s0f0.")
    (tmp_path / name).write_text(unit.read_text().replace("/usr/local/sbin/sriovctl", "/bin/true"))

    done = subprocess.run([verify, "--man=no", "verify", tmp_path / name], capture_output=True, text=True)

    told = [line for line in done.stderr.splitlines() if name in line]
    assert (done.returncode, told) == (0, [])
