"""The textfile, as Prometheus' own parser reads it."""

from __future__ import annotations

import ipaddress
import re
import stat
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cni_sriov.ctl.status import metrics
from cni_sriov.words.lease import Lease
from tests.unit.ctl.tool import sriovctl
from tests.world import World

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def parsed(text: str) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(found: Samples, name: str, **labels: str) -> float:
    (only,) = [number for (n, given), number in found.items() if n == name and labels.items() <= set(given)]
    return only


def test_all_that_a_node_has(furnished: World) -> None:
    furnished.pod_link("/run/netns/web").counted = (11, 12, 13, 1 << 40)
    furnished.kernel.pfs[1].link.is_up = False

    found = parsed(sriovctl(furnished, "metrics").out)

    states = {
        state: value(found, "cni_sriov_pf_vfs", pf="enp1s0f1", state=state)
        for state in ("free", "attached", "busy")
    }
    assert states == {"free": 3, "attached": 2, "busy": 2}
    assert value(found, "cni_sriov_pf_vfs_limit", pci="0000:01:00.0") == 7
    assert (
        value(found, "cni_sriov_pf_up", pf="enp1s0f0")
        == value(found, "cni_sriov_pf_carrier", pf="enp1s0f0")
        == 1
    )
    assert (
        value(found, "cni_sriov_pf_up", pf="enp1s0f1")
        == value(found, "cni_sriov_pf_carrier", pf="enp1s0f1")
        == 0
    )
    owner = {"pf": "enp1s0f0", "vf": "0", "container": "web", "ifname": "net1", "network": "front"}
    assert value(found, "cni_sriov_vf_receive_packets_total", **owner) == 11
    assert value(found, "cni_sriov_vf_transmit_packets_total", **owner) == 12
    assert value(found, "cni_sriov_vf_receive_bytes_total", **owner) == 13
    assert value(found, "cni_sriov_vf_transmit_bytes_total", **owner) == 1 << 40
    counted = [labels for name, labels in found if name == "cni_sriov_vf_receive_bytes_total"]
    assert len(counted) == 14 - 2  # one with vfio-pci, one without driver: nobody counts them
    assert value(found, "cni_sriov_leases", pool="10.20.0.0/16") == 5
    assert value(found, "cni_sriov_pool_used_ratio", pool="10.20.0.0/16") == pytest.approx(5 / 256)
    assert value(found, "cni_sriov_leases", pool="fd00:20::/48") == 1
    assert value(found, "cni_sriov_unreadable_files") == value(found, "cni_sriov_unseen") == 0


def test_each_has_help_a_type_and_a_good_name(furnished: World) -> None:
    """By https://prometheus.io/docs/practices/naming/: a prefix, base units, _total for what only grows."""
    families = list(text_string_to_metric_families(sriovctl(furnished, "metrics").out))

    assert len({family.name for family in families}) == len(families) >= 14
    for family in families:
        assert family.documentation.endswith(".")
        assert re.fullmatch(r"cni_sriov_[a-z_]+[a-z]", family.name)
        assert (family.type == "counter") == all(s.name.endswith("_total") for s in family.samples)
        assert family.type in {"gauge", "counter"}


def test_a_node_without_anything(world: World) -> None:
    world.kernel.add_pf("enp2s0", "0000:02:00.0", up=False)

    found = parsed(sriovctl(world, "metrics").out)

    assert value(found, "cni_sriov_pf_vfs", pf="enp2s0", state="free") == 0
    assert not [name for name, _ in found if "pool" in name]


def test_files_that_cannot_be_read_are_counted(furnished: World) -> None:
    record = next((furnished.data_dir / "default").rglob("10.20.0.0_24*"), None)
    claim = next((furnished.run_dir / "claims").iterdir())
    claim.write_text("{")

    found = parsed(sriovctl(furnished, "metrics").out)

    assert record is not None
    assert value(found, "cni_sriov_unreadable_files") == 1


@pytest.mark.parametrize(
    ("pool", "subnets"),
    [
        ("10.0.0.0/8", ["10.0.0.0/24"]),
        ("10.0.0.0/24", ["10.0.0.0/25", "10.0.0.128/25"]),
        ("fd00::/32", ["fd00::/64"]),
    ],
)
def test_the_share_of_a_pool_is_its_addresses(pool: str, subnets: list[str]) -> None:
    leases = [Lease("default", subnet, "", "", pool) for subnet in subnets]

    (found,) = metrics.pools(leases)

    whole = ipaddress.ip_network(pool).num_addresses
    assert found.share == pytest.approx(sum(ipaddress.ip_network(s).num_addresses for s in subnets) / whole)
    assert (found.scope, found.subnet, found.leases) == ("default", pool, len(subnets))


def test_labels_are_escaped(furnished: World) -> None:
    ids = furnished.root / "usr/share/misc/pci.ids"
    ids.write_text('8086  Odd "Corp\\oration\n\t10c9  82576\n')

    found = parsed(sriovctl(furnished, "metrics").out)

    assert value(found, "cni_sriov_pf_info", pf="enp1s0f0", model='Odd "Corp\\oration 82576') == 1


def test_a_file_for_node_exporter(furnished: World, tmp_path: Path) -> None:
    path = tmp_path / "cni_sriov.prom"

    run = sriovctl(furnished, "metrics", str(path))

    assert (run.status, run.out) == (0, "")
    assert parsed(path.read_text()) == parsed(sriovctl(furnished, "metrics").out)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_json_is_the_status(world: World) -> None:
    run = sriovctl(world, "metrics", "--json")

    assert (run.status, run.document["error"]["details"]) == (
        2,
        "`sriovctl status --json` has the same numbers",
    )
