"""What can be seen of a scope's leases without the lock: as the index says, and nothing is changed by looking."""

from __future__ import annotations

from pathlib import Path

import pytest

from cni_sriov.leases.index import build
from cni_sriov.leases.snapshot import Snapshot
from cni_sriov.words.inet import parse_prefix
from tests.unit.leases.kept import BOOT, a_node

POOL = parse_prefix("10.10.0.0/16")


def seen(root: Path, content: bytes | None) -> tuple[bool, int | None]:
    node = a_node(root)
    path = Path(node.index_path("default", 4))
    if content is not None:
        path.write_bytes(content)
    before = sorted((file, file.lstat().st_mtime_ns) for file in root.rglob("*"))
    with Snapshot(node, "default") as view:
        found = view.conflict(POOL), view.first_free(POOL, 24, POOL.value)
    assert sorted((file, file.lstat().st_mtime_ns) for file in root.rglob("*")) == before
    return found


def test_it_is_as_the_index_says(tmp_path: Path) -> None:
    leased = build(4, [parse_prefix("10.10.0.0/24"), parse_prefix("10.10.2.0/24")])

    assert seen(tmp_path, leased.to_bytes(BOOT)) == (True, parse_prefix("10.10.1.0/24").value)


@pytest.mark.parametrize("content", [None, b"", b"x" * 5000, build(4, [POOL]).to_bytes("another boot")])
def test_without_an_index_all_counts_as_free(tmp_path: Path, content: bytes | None) -> None:
    assert seen(tmp_path, content) == (False, POOL.value)
