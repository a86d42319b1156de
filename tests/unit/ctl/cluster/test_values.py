"""How nouns stand in the engine: as written down here by hand, and nothing else is taken for one."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cni_sriov import __version__
from cni_sriov.ctl.cluster import values
from cni_sriov.ctl.cluster.values import Definition, Holder, NodeRecord
from cni_sriov.words.inet import parse_prefix
from tests.fuzzing import budget

STAMP = {"format": 1, "minor": 2, "by": __version__}
WHO = {"fingerprint": "0123456789abcdef" * 2, "node": "rack1-n07", "machine": "ab" * 32}
SINCE = {"since": "2026-11-26T16:39:58Z"}  # date -u -d 2026-11-26T16:39:58Z +%s
SECONDS = 1795711198
HOLDER = STAMP | WHO | SINCE
POOL = {"subnet": "10.10.0.0/16", "length": 20, "node": "rack1-n07"} | SINCE
UID = "5d3a9d1c-0000-4000-8000-000000000001"
RECORD = (
    STAMP
    | WHO
    | SINCE
    | {
        "uid": UID,
        "contact": "2026-11-26T16:40:00Z",
        "nonce": "00ff",
        "draining": False,
        "fill": {"10.10.0.0/16": [2, 17, 32]},
        "cut": {"10.10.0.0/16": 24},
    }
)

NOUN = Holder(WHO["fingerprint"], "rack1-n07", WHO["machine"], SECONDS)
NODE = NodeRecord(
    *(WHO["fingerprint"], "rack1-n07", WHO["machine"], UID, SECONDS, SECONDS + 2, "00ff", False),
    {"10.10.0.0/16": [2, 17, 32]},
    cut={"10.10.0.0/16": 24},
)
DEFINITION = Definition(parse_prefix("10.10.0.0/16"), 20, "rack1-n07", SECONDS)


def test_a_holder_stands_there_so() -> None:
    assert values.holder_to_json(NOUN) == HOLDER
    assert values.holder_of(HOLDER) == NOUN


def test_pools_stand_there_so() -> None:
    assert values.pools_to_json([DEFINITION]) == STAMP | {"pools": [POOL]}
    assert values.pools_of(STAMP | {"pools": [POOL]}) == [DEFINITION]
    assert values.pools_of({"pools": []}) == []


def test_a_node_stands_there_so() -> None:
    assert values.record_to_json(NODE) == RECORD
    assert values.record_of(RECORD) == NODE


def test_a_record_without_a_cut_is_an_earlier_versions() -> None:
    earlier = {name: value for name, value in RECORD.items() if name != "cut"}
    assert values.record_of(earlier) == replace(NODE, cut={})


def test_what_a_later_version_wrote_beside_it_is_no_fault() -> None:
    later = {"minor": 9, "by": "7.0", "rack": "b12"}

    assert values.holder_of(HOLDER | later) == NOUN
    assert values.record_of(RECORD | later) == NODE
    assert values.pools_of({"pools": [POOL | {"why": "x"}]} | later) == [DEFINITION]


@pytest.mark.parametrize(("changed", "told"), [
    ({"format": 2}, "format 2 is not known"),
    ({"fingerprint": "xyz"}, 'fingerprint is "xyz"'),
    ({"fingerprint": WHO["fingerprint"].upper()}, "fingerprint is"),
    ({"fingerprint": WHO["fingerprint"] + "\n"}, "fingerprint is"),
    ({"fingerprint": None}, "fingerprint is null"),
    ({"node": ""}, 'node is ""'),
    ({"node": "a\x1b[31m"}, "node is"),
    ({"node": "n" * 254}, "node is"),
    ({"node": 7}, "node is 7"),
    ({"machine": "ab"}, 'machine is "ab"'),
    ({"since": SECONDS}, f"since is {SECONDS}"),
    ({"since": "2026-1-6T16:39:58Z"}, "no time like"),
    ({"since": "2026-11-26 16:39:58"}, "no time like"),
    ({"since": "2026-13-26T16:39:58Z"}, "no time like"),
])  # fmt: skip
def test_a_holder_that_is_none_is_named_by_its_field(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        values.holder_of(HOLDER | changed)


@pytest.mark.parametrize(("changed", "told"), [
    ({"draining": "no"}, 'draining is "no"'),
    ({"nonce": ""}, 'nonce is ""'),
    ({"uid": "a b"}, 'uid is "a b"'),
    ({"contact": None}, "contact is null"),
    ({"fill": []}, "fill is []"),
    ({"fill": {"10.10.0.1/16": [1, 2, 3]}}, "host bits"),
    ({"fill": {"10.10.0.0/16": [1, 2]}}, "fill of 10.10.0.0/16 is [1, 2]"),
    ({"fill": {"10.10.0.0/16": [1, 2, -1]}}, "fill of 10.10.0.0/16 is [1, 2, -1]"),
    ({"fill": {"10.10.0.0/16": [1, True, 3]}}, "fill of 10.10.0.0/16 is"),
    ({"cut": [24]}, "cut is [24]"),
    ({"cut": {"10.10.0.1/16": 24}}, "host bits"),
    ({"cut": {"10.10.0.0/16": 33}}, "cut of 10.10.0.0/16 is 33"),
    ({"cut": {"fd00::/48": True}}, "cut of fd00::/48 is true"),
])  # fmt: skip
def test_a_record_that_is_none_is_named_by_its_field(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        values.record_of(RECORD | changed)


@pytest.mark.parametrize(("raw", "told"), [
    ([], "it is []"),
    ({"pools": None}, "pools is null"),
    ({"pools": ["10.10.0.0/16"]}, 'it is "10.10.0.0/16"'),
    ({"pools": [POOL | {"subnet": "10.10.0.1/16"}]}, "host bits"),
    ({"pools": [POOL | {"length": 15}]}, "length is 15, shorter than 10.10.0.0/16"),
    ({"pools": [POOL | {"length": 33}]}, "length is 33"),
    ({"pools": [POOL | {"length": True}]}, "length is true"),
])  # fmt: skip
def test_pools_that_are_none(raw: Any, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        values.pools_of(raw)


def test_a_block_whose_value_cannot_be_read_is_taken_and_its_node_told() -> None:
    found = values.holder_or_fault("blocks/10.10.16.0_20", lambda: HOLDER | {"fingerprint": 7})

    assert (found.fingerprint, found.node) == ("", "rack1-n07")
    assert found.fault == (
        "blocks/10.10.16.0_20, of node rack1-n07, is not as cni-sriov writes it: fingerprint is 7"
    )


def test_what_is_no_json_at_all_is_taken_as_well() -> None:
    def read() -> Any:
        raise ValueError("it is no JSON")

    assert values.holder_or_fault("k", read).fault == "k is not as cni-sriov writes it: it is no JSON"
    assert values.record_or_fault("k", "0" * 32, read) == NodeRecord(
        *("0" * 32, "", "", "", 0, 0, "", False), {}, "k is not as cni-sriov writes it: it is no JSON"
    )


def test_a_record_below_another_ones_key_is_a_fault() -> None:
    found = values.record_or_fault("nodes/ff", "f" * 32, lambda: RECORD)

    assert found.fingerprint == "f" * 32
    assert "of node rack1-n07, is not as" in found.fault
    assert values.record_or_fault("nodes/01", WHO["fingerprint"], lambda: RECORD) == NODE


@pytest.mark.parametrize("node", ["a\nb", "", 7, None])
def test_no_name_of_a_terminals_choosing_is_told(node: Any) -> None:
    assert values.told_node({"node": node}) == ""


@pytest.mark.parametrize(("seconds", "told"), [
    (0, "1970-01-01T00:00:00Z"),
    (-7, "1970-01-01T00:00:00Z"),
    (1 << 62, "9999-12-31T23:59:59Z"),
])  # fmt: skip
def test_a_clock_out_of_all_bounds_has_its_nearest_time(seconds: int, told: str) -> None:
    assert values.shown_time(seconds) == told


def test_a_capacity_that_no_api_can_tell_is_the_most_that_it_can() -> None:
    wide = NodeRecord("0" * 32, "n", "", "", 0, 0, "0", fill={"fd00::/48": [1, 0, 1 << 80]})

    assert values.record_to_json(wide)["fill"] == {"fd00::/48": [1, 0, 9223372036854775807]}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@budget(150)
@given(key=st.sampled_from([*RECORD, *POOL]), value=JSON)
def test_whatever_stands_there_is_a_noun_or_a_fault_and_never_a_bug(key: str, value: Any) -> None:
    changed = {key: value}
    found = values.holder_or_fault("k", lambda: HOLDER | changed)
    assert (found.fingerprint == "") == (found.fault != "")
    for whole in (value, RECORD | changed, RECORD | {"fill": changed}):
        record = values.record_or_fault(
            "k", WHO["fingerprint"], partial(dict, whole) if isinstance(whole, dict) else list
        )
        assert record.fault == "" or record.fault.startswith("k")
    for pools in (value, {"pools": value}, {"pools": [POOL | changed]}):
        try:
            values.pools_of(pools)
        except ValueError:
            pass
