"""Layer 2 only: no address, no lease, nothing to check and nothing to give back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.world import World


@pytest.mark.parametrize("ipam", [None, {}])
def test_a_round_without_addresses(world: World, ipam: Any) -> None:
    before = world.snapshot()
    conf = world.conf(ipam=ipam)

    added = world.call("ADD", conf)

    assert (added.code, added.document["ips"], added.document.get("routes", [])) == (0, [], [])
    link = world.kernel.pods["/run/netns/pod1"].find("net1")
    assert link is not None
    assert (link[1].is_up, [a for a in link[1].addresses if a.is_global]) == (True, [])
    (record,) = world.state_dir.iterdir()
    assert json.loads(record.read_text())["ipam"] == {}
    assert [name for name in world.files() if "/leases/" in name or "subnets" in name] == []
    assert world.call("CHECK", conf | {"prevResult": added.document}).code == 0
    assert (world.call("DEL", conf).code, world.snapshot()) == (0, before)
