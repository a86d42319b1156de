"""Whether the huge pages that are asked for are near a VF, and what is said where they are not."""

from __future__ import annotations

import pytest

from cni_sriov.decide import hugepages
from cni_sriov.words.errors import CniError
from cni_sriov.words.hugepages import HugePages

MIB2, GIB = 2048, 1048576


def of(node: int, total: int, free: int, size: int = MIB2, promised: int = 0) -> HugePages:
    where = f"/node{node}/hugepages-{size}kB" if node >= 0 else f"/mm/hugepages-{size}kB"
    return HugePages(node, size, total, free, where, promised)


def refused(asked: dict[int, int], *places: list[HugePages]) -> CniError:
    found = hugepages.refusal(asked, list(places))
    assert found is not None
    return found


TWO = [of(0, 8, 3), of(1, 512, 512)]
ALL = [of(-1, 520, 515)]


def test_those_of_the_devices_node_count() -> None:
    assert hugepages.near(1, TWO, ALL) == [of(1, 512, 512)]


@pytest.mark.parametrize("node", [-1, 2], ids=["not known", "without memory"])
def test_where_there_is_no_near_all_are(node: int) -> None:
    assert hugepages.near(node, TWO, ALL) == ALL


def test_a_kernel_without_nodes_has_those_of_the_machine() -> None:
    assert hugepages.near(0, ALL, ALL) == ALL


@pytest.mark.parametrize(("promised", "left"), [(0, 3), (511, 3), (512, 3), (513, 2), (515, 0), (600, 0)])
def test_those_promised_to_others_may_be_any_nodes(promised: int, left: int) -> None:
    (found,) = hugepages.near(0, TWO, [of(-1, 520, 515, promised=promised)])

    assert found.to_be_had == left


@pytest.mark.parametrize("count", [1, 512])
def test_as_many_as_are_free_are_enough(count: int) -> None:
    assert hugepages.refusal({MIB2: count}, [[of(1, 512, 512)]]) is None


def test_one_place_of_two_is_enough() -> None:
    assert hugepages.refusal({MIB2: 512}, [[of(0, 8, 3)], [of(1, 512, 512)]]) is None


def test_both_sizes_must_be_at_one_place() -> None:
    error = refused({MIB2: 4, GIB: 1}, [of(0, 8, 8), of(0, 1, 0, GIB)], [of(1, 8, 0), of(1, 1, 1, GIB)])

    assert str(error) == (
        "find huge pages: 4 of 2 MiB and 1 of 1 GiB are asked, and NUMA node 0 has 0 of 1 of 1 GiB free;"
        " NUMA node 1 has 0 of 8 of 2 MiB free"
        " (end what uses them, or make more: echo 2 > /node0/hugepages-1048576kB/nr_hugepages)"
    )
    assert error.code == 11


def test_waiting_helps_where_others_have_them() -> None:
    error = refused({MIB2: 3}, [of(0, 8, 3, promised=1)])

    assert (error.code, error.msg) == (
        11,
        "find huge pages: 3 of 2 MiB are asked, and NUMA node 0 has 3 of 8 of 2 MiB free, of which 1 are promised to others",
    )
    assert error.details.endswith("echo 9 > /node0/hugepages-2048kB/nr_hugepages")


@pytest.mark.parametrize(("total", "code"), [(0, 7), (511, 7), (512, 11)])
def test_waiting_does_not_make_more(total: int, code: int) -> None:
    error = refused({MIB2: 512}, [of(-1, total, 0)])

    assert (error.code, f"the machine has 0 of {total} of 2 MiB free" in error.msg) == (code, True)
    assert error.details.endswith(f"echo {total + 512} > /mm/hugepages-2048kB/nr_hugepages")


def test_of_two_places_where_one_may_serve_later_waiting_helps() -> None:
    assert refused({MIB2: 9}, [of(0, 8, 3)], [of(1, 9, 0)]).code == 11


def test_a_size_that_the_kernel_does_not_have() -> None:
    error = refused({MIB2: 1, 16 * GIB: 1}, [of(0, 8, 3), of(0, 0, 0, GIB)])

    assert (error.code, error.details) == (7, "ask for sizes that there are: 2 MiB, 1 GiB")
    assert error.msg.endswith(", and this kernel has no pages of 16 GiB")


def test_a_kernel_without_huge_pages() -> None:
    assert refused({MIB2: 1}, []).details == "ask for sizes that there are: none"
