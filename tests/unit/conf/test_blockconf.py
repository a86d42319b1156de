"""The key `blocks` of a pool; which ones are good, conf_table.py has."""

from __future__ import annotations

from typing import Any

import pytest

from cni_sriov.conf import hostsubnet
from cni_sriov.conf.keycase import Folded
from cni_sriov.conf.pools import Blocks
from cni_sriov.words.errors import BadConfig
from tests.unit.conf.ipam_conf import POOL6, parse, with_pool

RACK = {"cluster": "rack", "length": 20}


def test_a_pool_is_shared_or_not() -> None:
    shared, alone = parse({"pools": [*with_pool(blocks=RACK)["pools"], POOL6]}).pools

    assert (shared.blocks, shared.bounds) == (Blocks("rack", 20), None)
    assert alone.blocks is None


def test_the_keys_case_and_null_are_as_everywhere() -> None:
    pool = {
        "subnet": "10.10.0.0/16",
        "PrefixLength": 24,
        "Blocks": {"CLUSTER": "rack", "Length": 20, "later": None},
    }
    folded = Folded({"pools": [pool]}, hostsubnet.IPAM).conf

    assert parse(folded).pools[0].blocks == Blocks("rack", 20)


@pytest.mark.parametrize(
    ("blocks", "told"),
    [
        ("rack", r'ipam\.pools\[0\]\.blocks "rack": must be an object'),
        ({"length": 20}, r"ipam\.pools\[0\]\.blocks\.cluster: is needed \(the name of a file in /etc/cni-sriov/clusters\)"),
        ({"cluster": "rack"}, r"ipam\.pools\[0\]\.blocks\.length: is needed"),
        ({"cluster": "../x", "length": 20}, r'ipam\.pools\[0\]\.blocks\.cluster "\.\./x": must be 1-64 of'),
        ({"cluster": "rack", "length": "20"}, r'blocks\.length "20": must be an integer'),
        ({"cluster": "rack", "length": 15}, r"blocks\.length 15: must be 16-24, from the pool's own to prefixLength"),
        ({"cluster": "rack", "length": 25}, r"blocks\.length 25: must be 16-24"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(blocks: Any, told: str) -> None:
    with pytest.raises(BadConfig, match=told):
        parse(with_pool(blocks=blocks))


def test_a_block_lies_in_the_longest_of_several_prefixes() -> None:
    with pytest.raises(BadConfig, match=r"must be 18-24"):
        parse(with_pool(subnet=["10.10.0.0/16", "10.12.64.0/18"], blocks={"cluster": "rack", "length": 17}))
