"""What is kept for a pod: seen by its name, and given up by it or after its time."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from tests.unit.ctl.tool import Run, sriovctl
from tests.unit.one_port import MINE, OTHERS, a_world
from tests.world import World


def pod(name: str, namespace: str = "default") -> str:
    return f"K8S_POD_NAMESPACE={namespace};K8S_POD_NAME={name};IgnoreUnknown=1"


@pytest.fixture
def world(tmp_path: Any) -> World:
    """A pod came and went, and its subnet is kept."""
    world = a_world(tmp_path, vfs=2)
    assert call(world, "ADD", "c1", MINE, "web").code == 0
    assert call(world, "DEL", "c1", MINE, "web").code == 0
    return world


def call(world: World, verb: str, container: str, netns: str, name: str, **ipam: Any) -> Any:
    conf = world.conf(ipam=world.ipam(sticky=True, **{"stickyLifetime": "2h"} | ipam))
    return world.call(verb, conf, container, netns, args=pod(name))


def ctl(world: World, *argv: str) -> Run:
    return sriovctl(world, "--state-dir", str(world.state_dir), "--json", *argv)


def kept(world: World) -> list[str]:
    return [path.name for path in world.root.glob("data/default/sticky/leases/*")]


def wait(world: World, hours: int) -> None:
    then = time.time() - 3600 * hours
    for path in world.root.glob("data/default/sticky/owners/*"):
        os.utime(path, (then, then))


@pytest.mark.parametrize("name", ["web", "default/web", "fast/default/web/net1"])
def test_by_any_of_its_names(world: World, name: str) -> None:
    shown = ctl(world, "forget", name, "--dry-run")
    assert (shown.status, kept(world)) == (0, ["10.10.0.0_24"])

    run = ctl(world, "forget", name)

    (item,) = run.document["items"]
    assert (item["what"], item["owner"], item["taken"]) == ("10.10.0.0/24", "fast/default/web/net1", True)
    assert kept(world) == []
    assert sriovctl(world, "forget", name).status == 1, "there is nothing more"
    first = world.call(
        "ADD", world.conf(ipam=world.ipam(pools=[{"subnet": "10.10.0.0/24", "prefixLength": 24}]))
    )
    assert first.code == 0, first.text


@pytest.mark.parametrize("name", ["we", "eb", "default", "net1", "fast", "other/web", ""])
def test_another_name_is_another_pods(world: World, name: str) -> None:
    assert (ctl(world, "forget", name).status, kept(world)) == (1, ["10.10.0.0_24"])


def test_of_a_pod_that_lives_the_lease_stays_until_its_delete(world: World) -> None:
    assert call(world, "ADD", "c2", MINE, "web").code == 0

    run = ctl(world, "forget", "web")

    assert (
        "until" in run.document["items"][0]["reason"] or "after the DEL" in run.document["items"][0]["reason"]
    )
    assert call(world, "CHECK", "c2", MINE, "web").code == 0
    assert call(world, "DEL", "c2", MINE, "web").code == 0
    assert ([*world.root.glob("data/default/*/leases/*")], kept(world)) == ([], [])


@pytest.mark.parametrize(("hours", "taken"), [(1, False), (3, True)])
@pytest.mark.parametrize("by", ["sriovctl gc", "GC"])
def test_gc_forgets_it_after_its_time(world: World, hours: int, taken: bool, by: str) -> None:
    wait(world, hours)
    if by == "GC":
        conf = world.conf(cniVersion="1.1.0", ipam=world.ipam(), **{"cni.dev/valid-attachments": []})
        assert world.call("GC", conf).code == 0
    else:
        dry = ctl(world, "gc", "--dry-run").document["items"]
        assert ([item["taken"] for item in dry], kept(world)) == ([taken], ["10.10.0.0_24"])
        assert [item["taken"] for item in ctl(world, "gc").document["items"]] == [taken]

    assert kept(world) == ([] if taken else ["10.10.0.0_24"])


@pytest.mark.parametrize(("hours", "code"), [(1, 104), (3, 0)])
def test_who_asks_for_it_by_name_gets_it_after_its_time(world: World, hours: int, code: int) -> None:
    wait(world, hours)
    conf = world.conf(ipam=world.ipam(), args={"cni": {"ips": ["10.10.0.9/24"]}}, allowRequests=["ips"])

    assert world.call("ADD", conf, "c3", OTHERS).code == code


def test_without_a_lifetime_it_waits(world: World) -> None:
    assert call(world, "ADD", "c2", MINE, "web", stickyLifetime="1s").code == 0
    conf = world.conf(ipam=world.ipam(sticky=True))
    assert world.call("DEL", conf, "c2", MINE, args=pod("web")).code == 0
    assert world.call("ADD", conf, "c3", MINE, args=pod("web")).code == 0
    assert world.call("DEL", conf, "c3", MINE, args=pod("web")).code == 0
    wait(world, 10_000)

    assert [item["taken"] for item in ctl(world, "gc").document["items"]] == [False]
