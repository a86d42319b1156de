"""What an ADD without room asks for, and how often; through the door ipam/test_shared.py has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cni_sriov.conf.pools import Blocks, Pool
from cni_sriov.ipam import own
from cni_sriov.owner.moreblocks import WayToBlocks
from cni_sriov.words.domain import Attachment
from cni_sriov.words.errors import CniError, OutsideBlocks, PoolExhausted
from cni_sriov.words.inet import parse_prefix
from tests.unit.conf.ipam_conf import parse
from tests.unit.ctl import tool
from tests.unit.rack import AWAY, Rack
from tests.world import World

FULL = PoolExhausted("lease a /24 of 10.10.0.0/16: no free subnet", "", 0)


@pytest.fixture
def rack(tmp_path: Path) -> Rack:
    return Rack(World(tmp_path))


def way(rack: Rack, *pools: Pool) -> WayToBlocks:
    conf = parse()
    conf.pools = list(pools)
    return WayToBlocks(
        tool.host(rack.world), own.Asked(conf, Attachment("c1", "net1"), "fast", "", [], 0, [])
    )


def a_pool(subnet: str = "10.10.0.0/16", shared: bool = True) -> Pool:
    pool = Pool([parse_prefix(subnet)], 24, blocks=Blocks("rack", 20) if shared else None)
    pool.bounds = [] if shared else None
    return pool


def test_of_a_pool_that_is_not_shared_there_is_no_more(rack: Rack) -> None:
    assert not way(rack, a_pool(shared=False)).more(FULL)
    assert rack.calls == []


def test_a_claim_that_failed_frees_what_waits_and_is_then_the_error(rack: Rack) -> None:
    rack.error = AWAY
    ours = way(rack, a_pool())

    assert ours.more(FULL)
    assert ours.asked.given_up == ours.asked.conf.pools
    with pytest.raises(CniError) as caught:
        ours.more(FULL)
    assert caught.value.msg == AWAY["msg"]
    assert len(rack.calls) == 1


def test_of_two_pools_each_has_its_own_failure(rack: Rack) -> None:
    ours = way(rack, a_pool(), a_pool("10.20.0.0/16"))
    rack.error = AWAY
    assert ours.more(FULL)
    rack.error = None

    assert ours.more(PoolExhausted("x", "", 1))
    assert rack.blocks == ["10.20.240.0/20"]


def test_one_add_claims_no_more_than_eight(rack: Rack) -> None:
    ours = way(rack, a_pool())
    for _ in range(9):
        ours.asked.conf.pools[0].bounds = list(rack.there.names())
        assert ours.more(FULL)

    assert len(rack.blocks) == 8
    with pytest.raises(PoolExhausted):
        ours.more(FULL)


def test_a_block_that_was_asked_for_is_tried_once(rack: Rack) -> None:
    ours = way(rack, a_pool())
    outside = OutsideBlocks("IP 10.10.32.7: x", "", "10.10.32.0/20", 0)

    assert ours.of_block(outside)
    assert not ours.of_block(outside)
    assert rack.blocks == ["10.10.32.0/20"]
