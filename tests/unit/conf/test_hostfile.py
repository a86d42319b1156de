"""The host's file: what each key comes to, what is refused and with which words. The table of good and bad ones is judged
by parser and schema in tests/unit/ctl/test_hostjson.py.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cni_sriov.conf import hostfile
from cni_sriov.conf.netconf import PfSelector
from cni_sriov.words.errors import BadConfig
from tests.unit.conf.conf_table import Json
from tests.unit.conf.host_table import host, one, vfs

CONF = Path(__file__).parents[3] / "conf"


def test_the_least_is_a_selector_and_brings_the_pf_up() -> None:
    (entry,) = hostfile.parse({"pfs": [{"pf": {"names": ["a"]}}]}).pfs

    assert entry.selector == PfSelector(["a"], None, None, None, None, None)
    assert (entry.where, entry.optional, entry.numvfs, entry.mtu, entry.up, entry.vfs) == (
        *("pfs[0]", False, None, None, True, []),
    )


def test_all_that_can_be_said() -> None:
    selector = {"pciAddresses": ["01:00.0"], "vendors": ["0x8086"], "devices": ["10C9"], "drivers": ["igb"]}
    asked = {"range": "0-3,6", "trust": "on", "spoofchk": "off", "mtu": 9000, "driver": "auto"}
    document = host(pf=selector, optional=True, numvfs="max", mtu=9000, up=False, vfs=[asked])

    (entry,) = hostfile.parse(document).pfs

    assert entry.selector == PfSelector(None, ["0000:01:00.0"], [0x8086], [0x10C9], ["igb"], None)
    assert (entry.optional, entry.numvfs, entry.mtu, entry.up) == (True, "max", 9000, False)
    assert entry.vfs == [hostfile.VfRange([(0, 3), (6, 6)], True, False, 9000, "auto")]


def test_a_vf_is_in_at_most_one_range() -> None:
    (entry,) = hostfile.parse(vfs({"range": "0-1,5"}, {"range": "3"})).pfs
    assert entry.vfs is not None

    assert [entry.of(index) for index in range(7)] == [
        *(entry.vfs[0], entry.vfs[0], None, entry.vfs[1], None, entry.vfs[0], None),
    ]


@pytest.mark.parametrize(("document", "words"), [
    ({}, 'has no "pfs"'),
    ({"pfs": [], "pf": 1}, 'read "pf": unknown key (known are $schema, pfs)'),
    ({"pfs": [{"pf": {"names": ["a"]}}, {"numvfs": 1}]}, 'read pfs[1]: has no "pf"'),
    (host(numvfs=-1), 'read pfs[0].numvfs -1: must be an integer in 0-65535 or "max"'),
    (host(turst="on"), 'read pfs[0]."turst": unknown key'),
    (host(pf={}), "read pfs[0].pf: selects no PF"),
    (host(pf={"vendors": ["x"]}), 'read pfs[0].pf.vendors ["x"]: must be a hexadecimal PCI ID'),
    (one(trust=True), 'read pfs[0].vfs[0].trust true: must be "on" or "off"'),
    (vfs({"range": "0"}, {"trust": "on"}), 'read pfs[0].vfs[1]: has no "range"'),
    (vfs({"range": "0-7"}), 'read pfs[0].vfs[0].range "0-7": VF 7 is beyond numvfs 7'),
    (vfs({"range": "0-3"}, {"range": "6"}, {"range": "2"}), "VF 2 is twice in the ranges of vfs[0] and vfs[2]"),
    (vfs({"range": "0-3,3"}), "VF 3 is twice in the ranges of vfs[0]"),
    (one(mtu=9000, driver="igb_uio"), "read pfs[0].vfs[0].mtu: a VF on igb_uio has no network interface"),
])  # fmt: skip
def test_what_is_wrong_is_named(document: Json, words: str) -> None:
    with pytest.raises(BadConfig) as refused:
        hostfile.parse(document)

    assert words in str(refused.value)


@pytest.mark.parametrize(("document", "expected"), [
    ({"pfs": []}, True),
    ({"pfs": 7}, True),
    ({"type": "sriov", "pf": {}}, False),
    ({"plugins": [], "pfs": []}, False),
    ({"kind": "List", "pfs": []}, False),
    ({}, False),
])  # fmt: skip
def test_a_host_file_is_told_by_its_keys(document: Json, expected: bool) -> None:
    assert hostfile.is_one(document) is expected


def test_the_sample_is_one() -> None:
    assert len(hostfile.parse(json.loads((CONF / "host.json").read_text())).pfs) == 2
