"""The rules about NetworkManager, systemd-networkd and podman 5."""

from __future__ import annotations

import configparser
import subprocess
from dataclasses import replace
from pathlib import Path

from cni_sriov.decide import doctor, rules_host
from cni_sriov.decide.facts import Facts
from cni_sriov.decide.facts_runtime import Managed, Podman, Runtimes
from cni_sriov.decide.trouble import Evidence, Trouble

ROOT = Path(__file__).parents[3]
NM = Managed("enp1s0f0v0", "0000:01:10.0", "igbvf", "NetworkManager", Evidence("/run/NM/7", "managed=true"))
NETWORKD = replace(NM, by="systemd-networkd", network_file="/etc/systemd/network/10-dhcp.network")
DIRS = ["/usr/local/libexec/netavark", "/usr/lib/netavark"]
PODMAN = Podman("/usr/bin/podman", "5.4.2", Evidence("/usr/lib/podman/netavark", "it is there"), DIRS)


def told(*managed: Managed, podman: Podman | None = None, bundle: str = "") -> list[Trouble]:
    runtimes = Runtimes(managed=[*managed], podman=podman, bundle=bundle)
    return doctor.diagnose(Facts(runtimes=runtimes), rules_host.RULES)


def written(remedy: str, tmp_path: Path, directory: str) -> str:
    """What the first command writes."""
    command = next(line for line in remedy.splitlines() if line.startswith("printf"))
    subprocess.run(["sh", "-c", command.replace(directory, str(tmp_path))], check=True)
    (path,) = tmp_path.iterdir()
    return path.read_text()


def test_nobody_manages_them() -> None:
    assert told() == []


def test_networkmanager_does(tmp_path: Path) -> None:
    mlx = replace(NM, netdev="enp65s0f0v1", driver="mlx5_core")

    (found,) = told(NM, replace(NM, netdev="enp1s0f0v1"), mlx)

    assert (found.rule, found.severity, found.subject) == ("vf-managed", "warning", "NetworkManager")
    assert "configures 3 VFs (enp1s0f0v0, enp1s0f0v1, enp65s0f0v1)" in found.why
    text = written(found.remedy, tmp_path, "/etc/NetworkManager/conf.d")
    sample = (ROOT / "conf/NetworkManager/90-cni-sriov.conf").read_text()
    (line,) = [line for line in text.splitlines() if line.startswith("unmanaged-devices+=")]
    assert line == "unmanaged-devices+=driver:igbvf;interface-name:enp65s0f0v1"
    assert ("[keyfile]" in text, "unmanaged-devices+=driver:igbvf;" in sample) == (True, True)
    assert "nmcli general reload" in found.remedy


def test_networkd_does(tmp_path: Path) -> None:
    (found,) = told(NETWORKD)

    assert (found.subject, "by /etc/systemd/network/10-dhcp.network" in found.why) == (
        "systemd-networkd",
        True,
    )
    made, sample = configparser.ConfigParser(), configparser.ConfigParser()
    made.read_string(written(found.remedy, tmp_path, "/etc/systemd/network"))
    sample.read_string((ROOT / "conf/systemd-networkd/05-cni-sriov-vf.network").read_text())
    assert made["Match"]["Driver"] in sample["Match"]["Driver"].split()
    assert made["Link"]["Unmanaged"] == sample["Link"]["Unmanaged"] == "yes"


def test_a_driver_that_pf_and_vf_share_is_never_named(tmp_path: Path) -> None:
    (found,) = told(replace(NETWORKD, driver="mlx5_core", netdev="enp65s0f0v1"))

    text = written(found.remedy, tmp_path, "/etc/systemd/network")
    assert ("Name=enp65s0f0v1" in text, "Driver" in text) == (True, False)


def test_both_do() -> None:
    assert [one.subject for one in told(NETWORKD, NM)] == ["NetworkManager", "systemd-networkd"]


def test_podman_5_without_our_plugin() -> None:
    (found,) = told(podman=PODMAN)
    (asked,) = told(podman=replace(PODMAN, networks=["/etc/containers/networks/fast.json"]))
    (four,) = told(podman=replace(PODMAN, version="4.3.1"))

    assert (found.rule, found.severity, asked.severity) == ("podman-without-plugin", "note", "error")
    assert "podman 5.4.2 has its networks from netavark" in found.why
    assert ("network_backend" in found.remedy, "network_backend" in four.remedy) == (False, True)
    assert "make install NETAVARKDIR=/usr/local/libexec/netavark" in found.remedy


def test_our_plugin_is_linked_to_where_podman_looks() -> None:
    ours = replace(PODMAN, plugin_dirs=["/usr/local/libexec/netavark", "/usr/local/lib/netavark"])

    (found,) = told(podman=ours, bundle="/opt/cni/bin/.cni-sriov/current/sriov")

    assert found.remedy.splitlines() == [
        "mkdir -p /usr/local/lib/netavark",
        "ln -s /opt/cni/bin/.cni-sriov/current/sriov /usr/local/lib/netavark/sriov",
    ]


def test_podman_5_with_our_plugin() -> None:
    assert told(podman=replace(PODMAN, plugin="/usr/lib/netavark/sriov")) == []


def test_podman_5_with_an_older_plugin() -> None:
    older = replace(PODMAN, plugin="/usr/lib/netavark/sriov", is_this=False)

    (found,) = told(podman=older, bundle="/opt/cni/bin/.cni-sriov/current/sriov")

    assert (found.rule, found.severity) == ("podman-plugin-differs", "warning")
    assert found.remedy == "ln -sfn /opt/cni/bin/.cni-sriov/current/sriov /usr/lib/netavark/sriov"
