"""A row for each lease, columns that fit, advice that can be followed."""

from __future__ import annotations

import re

import pytest

from tests import podman
from tests.unit.ctl.tool import sriovctl
from tests.world import World


def plain(text: str) -> list[str]:
    return re.sub(r"\033\[[0-9;]*m", "", text).splitlines()


def test_each_lease_is_a_row_with_all_its_cells(furnished: World) -> None:
    lines = [line.split("  ") for line in sriovctl(furnished, "status").out.splitlines()]

    mac = furnished.pod_link("/run/netns/web").mac
    assert lines[1] == ["enp1s0f0", "0", "igbvf", mac, "100", "web/net1", "10.20.0.0/24"]
    assert lines[2] == ["enp1s0f0", "0", "igbvf", mac, "100", "web/net1", "fd00:20::/64"]
    assert {len(line) for line in lines[:-2]} == {7}


def test_wide_has_every_column_and_the_devices(furnished: World) -> None:
    furnished.pod_link("/run/netns/web").counted = (1, 2, 1234567, 89)
    lines = sriovctl(furnished, "status", "-o", "wide").out.splitlines()

    cells = dict(zip(lines[0].split("  "), lines[1].split("  "), strict=True))
    assert cells == {
        "PF": "enp1s0f0", "VF": "0", "PCI address": "0000:01:10.0", "driver": "igbvf", "netdev": "net1",
        "MAC": furnished.pod_link("/run/netns/web").mac, "VLAN": "100", "link": "up", "MTU": "1500", "spoofchk": "on",
        "trust": "off", "rate": "-", "IOMMU": "16", "NUMA": "0", "rx": "1234567", "tx": "89", "container": "web/net1",
        "network": "front", "subnet": "10.20.0.0/24", "address": "10.20.0.2",
    }  # fmt: skip
    assert "Network devices using kernel driver" in lines
    assert sriovctl(furnished, "status", "--wide").out == sriovctl(furnished, "status", "-o", "wide").out
    assert any(line.endswith("IOMMU group 15; NUMA node 0; rx 0 tx 0") for line in lines)


def test_a_terminal_reads_amounts_in_short(furnished: World, monkeypatch: pytest.MonkeyPatch) -> None:
    furnished.pod_link("/run/netns/web").counted = (1, 2, 1234567, 89)
    monkeypatch.setenv("COLUMNS", "250")

    lines = plain(sriovctl(furnished, "status", "-o", "wide", screen=True).out)

    assert lines[1].split()[13:17] == ["0", "1.2M", "89", "web/net1"]


@pytest.mark.parametrize("width", [40, 60, 80, 200])
@pytest.mark.parametrize("how", [(), ("-o", "wide"), ("--devices",)])
def test_it_fits(furnished: World, monkeypatch: pytest.MonkeyPatch, width: int, how: tuple[str, ...]) -> None:
    monkeypatch.setenv("COLUMNS", str(width))

    lines = plain(sriovctl(furnished, "status", *how, screen=True).out)

    assert max(map(len, lines)) <= width
    assert [line for line in lines if line != line.rstrip()] == []
    shown = "\n".join(lines)
    for text in ("10.20.0.0/24", "fd00:20::/64", "enp1s0f1v3", "no driver") if "--devices" not in how else ():
        assert text in shown


@pytest.mark.parametrize("driver", ["vfio-pci", ""])
def test_no_vfs_are_advised_where_none_can_be_made(empty: World, driver: str) -> None:
    empty.kernel.tree.write_device("0000:01:00.0", driver, {})

    last = sriovctl(empty, "status").out.splitlines()[-2]

    assert "sriovctl vfs" not in last
    assert last.endswith(": sriovctl bind 0000:01:00.0 kernel")


def test_no_carrier_is_told(world: World) -> None:
    world.kernel.pfs[0].link.carrier = False

    assert "enp1s0f0 (0000:01:00.0, igb): up without carrier, 7 of 7 VFs" in sriovctl(world, "status").out


def test_who_has_it_is_called_as_the_runtime_calls_it(world: World) -> None:
    """The name of podman's container; the ID is what other verbs take."""
    network = podman.create(world)
    assert podman.call(world, "setup", podman.exec_call(network, "web")).exit_code == 0

    shown = sriovctl(world, "status")
    told = sriovctl(world, "status", "--json").document["pfs"][0]["vfs"][0]["owner"]

    assert f"{podman.container_id('web')[:12]}/eth0 (web)" in shown.out
    assert (told["pod"], told["containerID"]) == ("web", podman.container_id("web"))
