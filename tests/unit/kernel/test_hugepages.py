"""Huge pages as sysfs has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cni_sriov.kernel import hugepages
from tests.unit.ctl.doctor.tree import Tree


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_of_each_node_and_size(tree: Tree) -> None:
    tree.hugepages(10, 2048, 4, 3)
    tree.hugepages(2, 1048576, 1, 0)
    tree.hugepages(2, 2048, 0, 0)
    tree.hugepages(None, 2048, 4, 3)  # the sum, which would count them twice
    tree.mkdir("/sys/devices/system/node/possible")

    found = [(one.node, one.size, one.total, one.free) for one in hugepages.pages(tree.files)]

    assert found == [(2, 2048, 0, 0), (2, 1048576, 1, 0), (10, 2048, 4, 3)]
    assert hugepages.pages(tree.files)[0].where == "/sys/devices/system/node/node2/hugepages/hugepages-2048kB"


def test_of_a_kernel_without_nodes(tree: Tree) -> None:
    tree.hugepages(None, 2048, 4, 3)

    (one,) = hugepages.pages(tree.files)

    assert (one.node, one.where) == (-1, "/sys/kernel/mm/hugepages/hugepages-2048kB")


def test_those_that_are_promised_are_counted_for_the_machine_alone(tree: Tree) -> None:
    tree.hugepages(0, 2048, 4, 3)
    tree.hugepages(None, 2048, 4, 3)
    tree.write("/sys/kernel/mm/hugepages/hugepages-2048kB/resv_hugepages", "2\n")

    (of_node,), (of_machine,) = hugepages.pages(tree.files), hugepages.of_machine(tree.files)

    assert (of_node.promised, of_machine.promised, of_machine.to_be_had) == (0, 2, 1)
