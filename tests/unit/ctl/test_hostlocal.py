"""host-local's store, read under its own lock: what is an address, and whose."""

from __future__ import annotations

import fcntl

import pytest

from cni_sriov.ctl import hostlocal
from tests.unit.ctl.import_node import Node


def test_another_spelling_of_an_address_is_no_second_one(node: Node) -> None:
    node.set({"subnet": "fd00:1::/64", "prefixLength": 128})
    node.hold("FD00:1::2", "c1")
    node.hold("fd00:1::2", "c2", last=None)
    node.hold("fd00_1__3", "c3", last=None)  # GetEscapedPath on Windows

    run = node.run("--json")

    (skipped,) = run.document["skipped"]
    assert (skipped["file"], skipped["reason"]) == (
        f"{node.network}/FD00:1::2",
        "is another file for fd00:1::2",
    )
    assert node.leases() == {"fd00:1::2/128": "c2/net1", "fd00:1::3/128": "c3/net1"}


def test_what_host_local_did_not_make_is_passed_over(node: Node) -> None:
    node.hold("10.1.0.2", "c2")
    (node.network / "notes.txt").write_text("x")
    (node.network / "10.1.0.300").write_text("x")
    assert node.run().status == 0


def test_host_locals_lock_is_waited_for(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    node.hold("10.1.0.2", "c2")
    monkeypatch.setattr(hostlocal, "_LOCK_WAIT_S", 0.05)
    with (node.network / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run = node.run()
    assert "held for more than" in run.err
    assert node.run().status == 0


def test_no_such_network_names_those_that_are(node: Node) -> None:
    run = node.run("--network", "slow")
    assert (run.status, "networks in" in run.err, "fast" in run.err) == (1, True, True)
