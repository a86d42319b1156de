"""Whom the operator means, by whatever he calls it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cni_sriov.ctl.story.lines import Line, parse
from cni_sriov.ctl.story.subjects import of_container, of_vf, vf_of
from cni_sriov.vf.host import Host
from cni_sriov.words.domain import Attachment
from cni_sriov.words.errors import BadConfig
from cni_sriov.words.origin import packed
from cni_sriov.words.record import Record, VfState
from tests.unit.ctl.tool import host as host_of
from tests.world import World

LONG, OTHER = "0123456789abcdef", "0123ffff00000000"


def record(container: str, ifname: str = "net1", vf: str = "0000:01:10.0", pod: str = "") -> Record:
    namespace, _, name = pod.partition("/")
    args = {"K8S_POD_NAMESPACE": namespace, "K8S_POD_NAME": name} if pod else {}
    made = Record(Attachment(container, ifname), "fast", "0000:01:00.0", vf, 0, "/n", [], "b")
    made.origin, made.baseline = packed(7, "why", args, ""), VfState(ifname="ens9v0")
    return made


def line(text: str) -> Line:
    found = parse(f"time=2026-11-26T01:02:03Z level=info {text}")
    assert found is not None
    return found


@pytest.fixture
def host(world: World) -> Host:
    return host_of(world)


def test_a_pod_that_calls_itself_like_another_container_hides_it_not() -> None:
    """A pod's name may be 64 hexadecimal digits, and its maker knows whose he takes."""
    victim, hostile = record(LONG), record(OTHER, pod=f"evil/{LONG}")
    (found,) = of_container(
        [hostile, victim], [line(f'containerID={OTHER} ifname=net1 pod="evil/{LONG}" msg=x')], LONG
    )

    assert found.attachment == victim.attachment
    (found,) = of_container([hostile, victim], [], f"evil/{LONG}")
    assert found.attachment == hostile.attachment


@pytest.mark.parametrize(
    ("target", "vf"),
    [
        ("0000:01:10.2", "0000:01:10.2"),
        ("01:10.2", "0000:01:10.2"),
        ("enp1s0f0:1", "0000:01:10.2"),
        ("0000:01:00.0:1", "0000:01:10.2"),
        ("enp1s0f0v1", "0000:01:10.2"),
        ("ens9v0", "0000:01:10.0"),
        ("enp1s0f0", ""),
        ("nobody:1", ""),
        ("default/web", ""),
        ("../enp1s0f0:0", ""),
        ("", ""),
    ],
)
def test_a_vf_by_each_of_its_names(host: Host, target: str, vf: str) -> None:
    assert vf_of(host, [record("c1")], target) == vf


@pytest.mark.parametrize(
    ("target", "says"), [("enp1s0f0:7", "enp1s0f0 has 7 VFs"), ("0000:01:00.0", "it is a PF")]
)
def test_what_is_no_vf_is_told(host: Host, target: str, says: str) -> None:
    with pytest.raises(BadConfig, match=says):
        vf_of(host, [], target)


def test_a_vf_and_its_owner() -> None:
    owner = record("c1")

    assert of_vf([owner], "0000:01:10.0").record is owner
    assert of_vf([owner], "0000:01:10.2").attachment is None


@pytest.mark.parametrize(
    ("target", "found"),
    [
        (LONG, ["net1", "net2"]),
        (LONG[:5], ["net1", "net2"]),
        (LONG[:12], ["net1", "net2"]),
        (f"{LONG[:5]}/net2", ["net2"]),
        ("012", []),
        ("c1", ["net1"]),
        ("c", []),
        ("default/web", ["net1", "net2"]),
        ("web", ["net1", "net2"]),
        ("default/we", []),
        ("other/web", []),
    ],
)
def test_a_container_by_each_of_its_names(target: str, found: list[str]) -> None:
    records = [
        record(LONG, "net1", pod="default/web"),
        record(LONG, "net2", "0000:01:10.2", pod="default/web"),
        record(OTHER, "net1", "0000:01:10.4", pod="default/web2"),
        record("c1", "net1", "0000:01:10.6"),
    ]

    meant = of_container(records, [], target)

    assert [one.attachment.ifname for one in meant if one.attachment] == found
    assert all(one.record is not None and one.vf for one in meant)


def test_several_containers_are_listed_and_none_is_taken() -> None:
    with pytest.raises(BadConfig, match="2 containers are called so") as refused:
        of_container([record(LONG), record(OTHER)], [], "0123")

    assert LONG in refused.value.details
    assert OTHER in refused.value.details


def test_the_whole_id_is_no_prefix_of_another() -> None:
    meant = of_container([record("abcd"), record("abcdef", vf="0000:01:10.2")], [], "abcd")

    assert [one.attachment for one in meant] == [Attachment("abcd", "net1")]


def test_a_finished_one_is_known_by_the_log() -> None:
    lines = [
        line(f"containerID={LONG} ifname=net1 msg=attached pod=default/web vf=0000:01:10.0"),
        line(f"containerID={OTHER} ifname=net1 msg=attached pod=default/web vf=0000:01:10.2"),
        line(f"containerID=busy ifname=net1 msg=reclaimed attachment={LONG}/net7"),
    ]

    by_id = of_container([], lines, LONG[:6])
    by_pod = of_container([], lines, "default/web")

    assert [one.attachment.ifname for one in by_id if one.attachment] == ["net1", "net7"]
    assert [one.attachment for one in by_pod] == [Attachment(OTHER, "net1")], "the pod's last one"
    assert of_container([], lines, "nobody") == []


def test_a_pod_that_lives_is_meant_and_no_former_container_of_it(tmp_path: Path) -> None:
    lines = [line(f"containerID={OTHER} ifname=net1 msg=attached pod=default/web")]

    (meant,) = of_container([record(LONG, pod="default/web")], lines, "default/web")

    assert meant.attachment == Attachment(LONG, "net1")
