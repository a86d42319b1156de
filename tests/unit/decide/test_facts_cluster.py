"""A cluster of which nothing is known."""

from __future__ import annotations

from cni_sriov.decide.facts_cluster import Cluster


def test_nobody_speaks_against_a_cluster_of_which_nothing_is_here() -> None:
    found = Cluster("rack", "/state/rack", "/etc/rack.json")

    assert (found.blocks, found.leased, found.contact, found.refused) == (0, 0, None, None)
    assert (found.faults, found.lost, found.low, found.is_copied, found.is_stopped) == (
        [],
        [],
        [],
        False,
        False,
    )
