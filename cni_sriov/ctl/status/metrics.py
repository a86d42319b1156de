"""`sriovctl metrics`: what `status` knows as a Prometheus textfile, for node_exporter's textfile collector.

Names and units by https://prometheus.io/docs/practices/naming/. A metric's labels are only ever added.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from ... import __version__
from ...words.inet import parse_prefix
from ...words.lease import Lease
from ..node import STATES, PfRow, VfRow
from .gather import Status


@dataclass(slots=True)
class Pool:
    """A pool that somebody has a lease of: how many, and how many addresses these take of how many."""

    scope: str
    subnet: str
    leases: int
    share: float


class _Families(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def pools(leases: Iterable[Lease]) -> list[Pool]:
    """By scope and subnet."""
    counts: Counter[tuple[str, str]] = Counter()
    shares: dict[tuple[str, str], float] = {}
    for lease in leases:
        key = lease.scope, lease.pool
        counts[key] += 1
        smaller = parse_prefix(lease.subnet).length - parse_prefix(lease.pool).length
        shares[key] = shares.get(key, 0.0) + 2.0**-smaller
    return [Pool(*key, counts[key], shares[key]) for key in sorted(counts)]


def render(found: Status, of_pools: list[Pool]) -> str:
    registry = CollectorRegistry()
    registry.register(_Families([*_node(found), *_pfs(found.pfs), *_vfs(found.pfs), *_pools(of_pools)]))
    return generate_latest(registry).decode()


def _node(found: Status) -> Iterator[Metric]:
    yield InfoMetricFamily("cni_sriov_build", "The cni-sriov that looked.", {"version": __version__})
    about = "State files that cannot be read; what they hold stays taken."
    yield GaugeMetricFamily("cni_sriov_unreadable_files", about, len(found.unreadable))
    about = "What could not be looked at, so that metrics may be missing."
    yield GaugeMetricFamily("cni_sriov_unseen", about, len(found.unseen))


def _pfs(pfs: list[PfRow]) -> Iterator[Metric]:
    labels = ["pf", "pci"]
    info = GaugeMetricFamily("cni_sriov_pf_info", "A physical function.", labels=[*labels, "driver", "model"])
    up = GaugeMetricFamily("cni_sriov_pf_up", "Whether the PF is administratively up.", labels=labels)
    carrier = GaugeMetricFamily("cni_sriov_pf_carrier", "Whether the PF has carrier.", labels=labels)
    limit = GaugeMetricFamily("cni_sriov_pf_vfs_limit", "How many VFs the PF can have.", labels=labels)
    vfs = GaugeMetricFamily("cni_sriov_pf_vfs", "VFs of the PF by state.", labels=[*labels, "state"])
    for row in pfs:
        name = [row.pf.ifname, row.pf.pci_address]
        info.add_metric(_texts([*name, row.pf.driver, row.more.model if row.more else ""]), 1)
        up.add_metric(_texts(name), row.is_up)
        carrier.add_metric(_texts(name), row.link is not None and row.link.carrier)
        limit.add_metric(_texts(name), row.pf.totalvfs)
        states = Counter(vf.state for vf in row.vfs)
        for state in STATES:
            vfs.add_metric(_texts([*name, state]), states[state])
    yield from (info, up, carrier, limit, vfs)


def _vfs(pfs: list[PfRow]) -> Iterator[Metric]:
    """Directions as the VF's user sees them. A VF that nobody counts has none of these."""
    labels = ["pf", "vf", "pci", "container", "ifname", "network"]
    for name, what, key in (
        ("receive_bytes", "Bytes received by the VF.", "rx_bytes"),
        ("transmit_bytes", "Bytes sent by the VF.", "tx_bytes"),
        ("receive_packets", "Packets received by the VF.", "rx_packets"),
        ("transmit_packets", "Packets sent by the VF.", "tx_packets"),
    ):
        family = CounterMetricFamily(f"cni_sriov_vf_{name}", what, labels=labels)
        for pf in pfs:
            for vf in pf.vfs:
                if vf.more is not None and vf.more.counters is not None:
                    family.add_metric(_texts(_labels(pf, vf)), getattr(vf.more.counters, key))
        yield family


def _texts(labels: list[str]) -> list[str]:
    """An interface may be called by any bytes, and the format is UTF-8."""
    return [label.encode("utf-8", "backslashreplace").decode() for label in labels]


def _labels(pf: PfRow, vf: VfRow) -> list[str]:
    who = vf.record.attachment if vf.record is not None else None
    return [
        pf.pf.ifname,
        str(vf.vf.index),
        vf.vf.pci_address,
        who.container_id if who else "",
        who.ifname if who else "",
        vf.record.network if vf.record is not None else "",
    ]


def _pools(of_pools: list[Pool]) -> Iterator[Metric]:
    labels = ["scope", "pool"]
    leases = GaugeMetricFamily("cni_sriov_leases", "Subnets that are leased.", labels=labels)
    fill = GaugeMetricFamily("cni_sriov_pool_used_ratio", "Leased part of the pool, 0 to 1.", labels=labels)
    for pool in of_pools:
        leases.add_metric(_texts([pool.scope, pool.subnet]), pool.leases)
        fill.add_metric(_texts([pool.scope, pool.subnet]), pool.share)
    yield from (leases, fill)
