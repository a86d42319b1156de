"""A node without host.json."""

from __future__ import annotations

from cni_sriov.decide.facts_hostfile import HostPlan


def test_no_file_wants_nothing() -> None:
    assert (HostPlan().path, HostPlan().broken, HostPlan().refused, HostPlan().pending) == ("", None, [], [])
