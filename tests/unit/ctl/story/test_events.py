"""Record and lines to a timeline: what comes when, and what is said of what was set."""

from __future__ import annotations

from cni_sriov.ctl.story.events import Event, timeline
from cni_sriov.words.domain import Attachment
from cni_sriov.words.lease import Lease
from cni_sriov.words.origin import packed
from cni_sriov.words.record import Record, VfSettings, VfState
from tests.unit.ctl.story.test_subjects import line

NOON = 1795694400  # date -u -d 2026-11-26T12:00:00Z +%s
POD = {"K8S_POD_NAMESPACE": "default", "K8S_POD_NAME": "web", "K8S_POD_UID": "8a1f"}


def record() -> Record:
    return Record(
        Attachment("c1", "net1"), "fast", "0000:01:00.0", "0000:01:10.0", 0, "/n", [], "b",
        status="done",
        baseline=VfState(mac="", own_mac="02:00:00:00:00:01", ifname="eth0", mtu=1500, vlan=0, trust=False),
        settings=VfSettings(mac="02:00:00:00:00:02", vlan=100, vlan_qos=3, trust=True),
        leases=[Lease("default", "10.10.1.0/24", "10.10.1.2/24", "10.10.1.1", "10.10.0.0/16")],
        addresses=["10.10.1.2/24"],
        origin=packed(NOON, "the first free one of enp1s0f0", POD, ""),
    )  # fmt: skip


def rows(events: list[Event]) -> list[tuple[str, str, str, str]]:
    return [(event.time, event.step, event.what, event.result) for event in events]


def test_the_whole_of_a_record() -> None:
    assert rows(timeline(record(), [], "enp1s0f0 vf 0", "attached")) == [
        ("2026-11-26T12:00:00Z", "asked", "pod default/web (UID 8a1f)", "net1 on network fast"),
        (
            "2026-11-26T12:00:00Z",
            "claimed",
            "VF 0000:01:10.0 (enp1s0f0 vf 0)",
            "the first free one of enp1s0f0",
        ),
        ("", "found", "eth0, MAC 02:00:00:00:00:01, MTU 1500, vlan 0, trust off", "what DEL puts back"),
        ("", "set", "mac 02:00:00:00:00:02", "was 02:00:00:00:00:01"),
        ("", "set", "vlan 100", "was 0"),
        ("", "set", "vlanQoS 3", "was 0"),
        ("", "set", "trust on", "was off"),
        ("", "leased", "10.10.1.0/24", "address 10.10.1.2/24, gateway 10.10.1.1"),
        ("", "now", "attached", ""),
    ]


def test_a_record_of_an_earlier_version_says_what_it_knows() -> None:
    old = record()
    old.origin, old.leases = "", []

    told = timeline(old, [], "enp1s0f0 vf 0", "attached")

    assert [event.time for event in told] == [""] * len(told)
    assert (told[0].what, told[1].result) == (
        "container c1",
        "why is not recorded: an earlier version attached it, or sriov-cni",
    )
    assert ("address", "10.10.1.2/24") in [(event.step, event.what) for event in told]


def test_an_add_that_died_early_has_found_nothing() -> None:
    died = record()
    died.baseline = None

    assert [event.step for event in timeline(died, [], "x", "ADD in progress")] == [
        "asked",
        "claimed",
        "found",
        "now",
    ]


def test_lines_stand_before_and_behind_the_claim_by_their_time() -> None:
    early = line("verb=ADD msg=failed code=11")
    late = line('verb=ADD msg=refused vf=0000:01:10.0 reason="not supported" attachment=c1/net1')
    late.time = late.time.replace(hour=13)
    late.level = "warning"

    told = timeline(record(), [early, late], "x", "")

    assert rows(told)[0] == ("2026-11-26T01:02:03Z", "ADD", "failed", "code 11")
    assert rows(told)[-1] == ("2026-11-26T13:02:03Z", "ADD", "refused", "reason not supported")
    assert [event.is_bad for event in told[-1:]] == [True]


def test_of_a_finished_one_the_log_is_all_there_is() -> None:
    told = timeline(
        None, [line("verb=ADD msg=attached vf=0000:01:10.0 pod=web"), line("msg=detached")], "x", ""
    )

    assert [(event.step, event.what, event.result) for event in told] == [
        ("ADD", "attached", "vf 0000:01:10.0; pod web"),
        ("log", "detached", ""),
    ]
