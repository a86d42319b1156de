"""sriov-cni's cache text: whatever is in it, and what a file's name can mean."""

from __future__ import annotations

import json
import random
from typing import Any

from cni_sriov.wire.sriovcni import BadCache, attachments, parse
from tests.drop_in import cache_text, orig_state
from tests.unit.adopted import SETTINGS


def test_a_fuzzed_file_never_breaks_the_parser() -> None:
    """Bytes and values at random; the seed replays it."""
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    conf = {"cniVersion": "0.4.0", "name": "fast", "master": "enp1s0f0", **SETTINGS}
    state = {"ifname": "a", "spoofchk": True, "trust": False, "mac": "", "own_mac": "02:00:00:00:00:01", "vlan": 0, "vlan_qos": 0,
             "vlan_proto": "802.1q", "min_tx_rate": 0, "max_tx_rate": 0, "link_state": "auto", "mtu": 1500}  # fmt: skip
    good = cache_text(conf, "0000:01:10.0", 0, orig_state(state))
    values: list[Any] = [
        None,
        True,
        -1,
        1 << 70,
        1.5,
        "",
        "x",
        "\udcff",
        "\0",
        [],
        {},
        [[]],
        "02:00:00:00:00:01",
    ]
    for _ in range(3000):
        document = json.loads(good)
        target = chance.choice([document, document["OrigVfState"]])
        target[chance.choice(sorted(target))] = chance.choice(values)
        text = json.dumps(document)
        if chance.random() < 0.3:
            at = chance.randrange(len(text))
            text = text[:at] + chance.choice('"{}[]:,0\0\udc80') + text[at + chance.randrange(3) :]
        try:
            parse(text)
        except BadCache:
            pass
        except Exception as error:
            raise AssertionError(f"seed {seed}: {text!r}") from error


def test_all_that_a_name_can_mean() -> None:
    assert [(a.container_id, a.ifname) for a in attachments("a-b-c")] == [("a", "b-c"), ("a-b", "c")]
    assert attachments("pci") == attachments("-net1") == attachments("c1-") == []
    assert [a.ifname for a in attachments("c-x" + "y" * 15)] == []
