"""What nodes tell each other."""

from __future__ import annotations

from cni_sriov.words.cluster import NodeRecord


def test_records_share_no_fill() -> None:
    one, other = (NodeRecord("0" * 32, "n1", "", "", 1, 1, "a") for _ in range(2))
    one.fill["10.10.0.0/16"] = [1, 0, 16]

    assert other.fill == {}
