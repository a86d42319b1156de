"""Leases of an attachment, and where they are kept: as the rooms of leases/ are given them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from ipaddress import ip_network
from pathlib import Path

from cni_sriov.leases import transaction
from cni_sriov.leases.holding import Holding
from cni_sriov.leases.node import Node
from cni_sriov.leases.transaction import Transaction
from cni_sriov.words.domain import Attachment
from cni_sriov.words.lease import Choice, Lease, LeaseDir
from cni_sriov.words.log import Log

BOOT = "11111111-2222-3333-4444-555555555555"


def a_node(root: Path) -> Node:
    node = Node(str(root / "run"), BOOT)
    node.ensure()
    return node


def a_dir(root: Path) -> LeaseDir:
    return LeaseDir(str(root / "data"), "default")


def a_lease(subnet: str, sticky: str = "") -> Lease:
    net = ip_network(subnet)
    return Lease("default", subnet, f"{net[2]}/{net.prefixlen}", str(net[1]), "10.10.0.0/16", sticky)


def a_holding(container: str, *subnets: str) -> Holding:
    leases = [a_lease(subnet) for subnet in subnets]
    return Holding(Attachment(container, "net1"), leases, "fast", "/run/netns/pod1", [4, 5], BOOT, 6, 7)


def begin(root: Path, node: Node) -> AbstractContextManager[Transaction]:
    return transaction.begin(node, a_dir(root), Log("info", str(root / "log")), "ADD")


def take(there: Transaction, container: str, subnet: str, key: str = "") -> Holding:
    holding = a_holding(container)
    assert there.take(holding, Choice([a_lease(subnet)], {}), key)
    return holding
