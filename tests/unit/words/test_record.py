"""What is stored of a Record and a lease: to the byte, since other versions read it while pods run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cni_sriov import __version__
from cni_sriov.leases.holding import Holding
from cni_sriov.words import jsontext
from cni_sriov.words.domain import Attachment
from cni_sriov.words.lease import Lease
from cni_sriov.words.record import Record, VfSettings, VfState

LEASE = Lease("default", "10.10.1.0/24", "10.10.1.2/24", "10.10.1.1", "10.10.0.0/16")
# As the version before dataclasses wrote it; `later` and the stamp are last and first.
STAMP = f'{{"format": 1, "minor": 2, "by": "{__version__}", '
STORED = (
    STAMP + '"addresses": ["10.10.1.2/24"], "adopted": "", "anew": false,'
    ' "attachment": {"container_id": "c1", "ifname": "net1"},'
    ' "baseline": {"altnames": ["enp1s0f0v0"], "ifname": "eth0", "link_state": null, "mac": "", "max_tx_rate": 0,'
    ' "min_tx_rate": null, "modes": 256, "mtu": 1500, "own_mac": "02:00:00:00:00:01", "spoofchk": true, "trust": false,'
    ' "up": true, "vlan": 0, "vlan_proto": "802.1q", "vlan_qos": 0},'
    ' "boot_id": "b", "device_info": "", "driver": "igbvf", "ipam": {"dataDir": "/d", "scope": "default"},'
    ' "leases": [{"address": "10.10.1.2/24", "gateway": "10.10.1.1", "pool": "10.10.0.0/16", "scope": "default",'
    ' "sticky": "", "subnet": "10.10.1.0/24"}],'
    ' "netns": "/run/netns/p", "netns_cookie": 7, "netns_identity": [4, 5], "network": "fast",'
    ' "origin": "1764120000\\tthe first free one of enp1s0f0", "parent_dev": "0000:01:10.0", "pf": "0000:01:00.0",'
    ' "settings": {"link_state": null, "mac": "02:00:00:00:00:02", "max_tx_rate": null, "min_tx_rate": null,'
    ' "mtu": 1400, "spoofchk": null, "trust": null, "vlan": 100, "vlan_proto": "802.1ad", "vlan_qos": 3},'
    ' "status": "done", "vf": "0000:01:10.0", "vf_index": 0, "vf_inode": 99,'
    ' "later": {"baseline": {"txqueuelen": 1000}, "settings": {"txqueuelen": null, "promisc": true, "allmulti": null}}}'
)


def record() -> Record:
    return Record(
        Attachment("c1", "net1"),
        "fast",
        "0000:01:00.0",
        "0000:01:10.0",
        0,
        "/run/netns/p",
        [4, 5],
        "b",
        status="done",
        vf_inode=99,
        driver="igbvf",
        parent_dev="0000:01:10.0",
        baseline=VfState(
            mac="",
            vlan=0,
            max_tx_rate=0,
            spoofchk=True,
            trust=False,
            ifname="eth0",
            own_mac="02:00:00:00:00:01",
            mtu=1500,
            altnames=["enp1s0f0v0"],
            up=True,
            modes=0x100,
            txqueuelen=1000,
        ),
        settings=VfSettings(
            mac="02:00:00:00:00:02", vlan=100, vlan_qos=3, vlan_proto="802.1ad", mtu=1400, promisc=True
        ),
        ipam={"dataDir": "/d", "scope": "default"},
        leases=[LEASE],
        addresses=["10.10.1.2/24"],
        netns_cookie=7,
        origin="1764120000\tthe first free one of enp1s0f0",
    )


def test_a_record_is_stored_as_ever_and_read_back() -> None:
    assert jsontext.render(record().to_json()) == STORED
    assert Record.from_json(json.loads(STORED)) == record()


def test_a_lease_is_stored_as_ever() -> None:
    text = Holding(Attachment("c1", "net1"), [LEASE], "fast", "/n", [4, 5], "b", 6, 7).render().decode()

    lease = STORED.partition('"leases": [')[2].partition("]")[0]
    attachment = '"attachment": {"container_id": "c1", "ifname": "net1"}'
    assert text.startswith(f'{STAMP}{attachment}, "leases": [{lease}], "network": ')


def stored(**more: Any) -> dict[str, Any]:
    return {key: value for key, value in (json.loads(STORED) | more).items() if value is not ...}


@pytest.mark.parametrize(
    "absent",
    [
        "vf_inode",
        "adopted",
        "device_info",
        "netns_cookie",
        "anew",
        "since",
        "reason",
        "pod",
        "log_file",
        "later",
    ],
)
def test_what_earlier_versions_did_not_write_may_be_absent(absent: str) -> None:
    assert Record.from_json(stored(**{absent: ...})).attachment == Attachment("c1", "net1")


def test_what_a_later_version_writes_is_read_past_and_kept() -> None:
    """A minor step: it is written back where its reader, and the version before, look for it."""
    old = json.loads(STORED)
    later = {
        "baseline": {"txqueuelen": 1000, "group": 7},
        "settings": old["later"]["settings"] | {"colour": 1},
    }
    raw = stored(
        status="asleep",
        colour="red",
        minor=9,
        by="7.0.0",
        later=later,
        leases=[old["leases"][0] | {"tag": 3}],
    )

    found = Record.from_json(raw)

    assert (str(found.status), found.baseline) == ("asleep", record().baseline)
    assert found.to_json() == raw | {"by": __version__}


@pytest.mark.parametrize(("key", "value"), [("format", 2), ("format", 0), ("format", True), ("format", "1.1"), ("minor", "x")])  # fmt: skip
def test_a_file_of_another_major_number_is_not_read(key: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"^{key} "):
        Record.from_json(stored(**{key: value}))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("vf", 1),
        ("vf_index", "0"),
        ("anew", 0),
        ("netns_identity", {}),
        ("leases", {}),
        ("baseline", []),
        ("settings", None),
        ("origin", 1764120000),
        ("attachment", "c1/net1"),
        ("ipam", ["secret"]),
    ],
)
def test_a_wrong_type_is_refused_by_its_name(key: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"^{key} is ") as refused:
        Record.from_json(stored(**{key: value}))
    assert "secret" not in str(refused.value)


def test_what_is_asked_is_what_was_given() -> None:
    assert VfSettings().asked() == {}
    assert VfSettings(vlan=0, spoofchk=False, mtu=1400).asked() == {"vlan": 0, "mtu": 1400, "spoofchk": False}
    assert VfSettings(vlan=5, vlan_qos=3, vlan_proto="802.1ad").asked() == {
        "vlan": 5,
        "vlan_qos": 3,
        "vlan_proto": "802.1ad",
    }
