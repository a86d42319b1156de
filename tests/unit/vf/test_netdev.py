"""txqueuelen, promisc, allmulti: set on the VF, held by CHECK, and put back whatever the container did."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests import fakes
from tests.world import World

KEYS: list[tuple[str, Any, dict[str, Any]]] = [
    ("txqueuelen", 500, {"txqueuelen": 500}),
    ("txqueuelen", 0, {"txqueuelen": 0}),
    ("promisc", True, {"modes": 0x100}),
    ("allmulti", True, {"modes": 0x200}),
]


@pytest.mark.parametrize(("key", "value", "there"), KEYS)
def test_it_is_set_checked_and_restored(world: World, key: str, value: Any, there: dict[str, Any]) -> None:
    before = world.snapshot()
    conf = world.conf(**{key: value})

    assert world.call("ADD", conf).code == 0

    assert {name: getattr(world.pod_link(), name) for name in there} == there
    assert world.call("CHECK", conf).code == 0
    world.pod_link().txqueuelen, world.pod_link().modes = 77, 0
    drifted = world.call("CHECK", conf)
    assert (drifted.code, key in drifted.text) == (107, True), drifted.text
    assert (world.call("DEL", world.conf()).code, world.snapshot()) == (0, before)


def test_what_is_off_by_the_conf_is_off(world: World) -> None:
    link = world.kernel.pfs[0].vfs[0].link
    assert link is not None
    link.modes = 0x300
    before = world.snapshot()

    assert world.call("ADD", world.conf(promisc=False)).code == 0

    assert world.pod_link().modes == 0x200
    assert (world.call("DEL", world.conf()).code, world.snapshot()) == (0, before)


def test_without_the_key_what_the_container_changes_is_no_drift_and_restored(world: World) -> None:
    before = world.snapshot()
    assert world.call("ADD", world.conf()).code == 0
    world.pod_link().txqueuelen, world.pod_link().modes = 77, 0x300

    assert world.call("CHECK", world.conf()).code == 0
    assert (world.call("DEL", world.conf()).code, world.snapshot()) == (0, before)


@pytest.mark.parametrize(("key", "value", "there"), KEYS)
def test_a_card_that_takes_it_without_effect_is_found_out(
    world: World, monkeypatch: pytest.MonkeyPatch, key: str, value: Any, there: dict[str, Any]
) -> None:
    before = world.snapshot()
    for verb in ("set_modes", "set_txqueuelen"):
        monkeypatch.setattr(fakes.FakeNetlink, verb, lambda *_: None)

    refused = world.call("ADD", world.conf(**{key: value}))

    assert (refused.code, key in refused.text) == (100, True), refused.text
    assert world.snapshot() == before


def test_a_record_of_an_earlier_version_knows_none_of_it(world: World) -> None:
    before = world.snapshot()
    assert world.call("ADD", world.conf()).code == 0
    for path in (world.state_dir / "c1@net1", *(world.run_dir / "claims").iterdir()):
        record = json.loads(path.read_text())
        del record["anew"], record["later"]
        path.write_text(json.dumps(record))

    assert world.call("CHECK", world.conf()).code == 0
    assert (world.call("DEL", world.conf()).code, world.snapshot()) == (0, before)


def test_the_version_before_can_read_what_this_one_keeps(world: World) -> None:
    """It may be put back while pods run. f0b700f, words/domain.py: what is in `baseline` and `settings` beyond this is damage
    to it, and a damaged Record is set aside; beside them it looks at nothing that it does not know.
    """
    assert world.call("ADD", world.conf(txqueuelen=77, promisc=True)).code == 0

    for path in (world.state_dir / "c1@net1", *(world.run_dir / "claims").iterdir()):
        record = json.loads(path.read_text())
        assert set(record["baseline"]) == {*KNOBS, "altnames", "ifname", "modes", "mtu", "own_mac", "up"}
        assert set(record["settings"]) == {*KNOBS, "mtu"}
        record["baseline"]["of_tomorrow"] = record["settings"]["of_tomorrow"] = 1
        path.write_text(json.dumps(record))
    assert world.call("CHECK", world.conf()).code == 0


KNOBS = (
    *("link_state", "mac", "max_tx_rate", "min_tx_rate", "spoofchk", "trust"),
    *("vlan", "vlan_proto", "vlan_qos"),
)
