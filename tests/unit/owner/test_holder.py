"""What an ADD is told that finds all taken: by whom, for which pod, since when, and what to do. Faults of `--ip` are told apart."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Any

from cni_sriov.owner import holder
from tests.unit.ctl import tool
from tests.world import Reply, World

ID = "3f7a12ab9c0d" + "5e" * 26
POD_ARGS = "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0"
SINCE = r"since (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)"
RELEASE = "`sriovctl release CONTAINER/IFNAME`"


def add(world: World, who: str, args: str = "", **keys: Any) -> Reply:
    world.kernel.add_pod(f"/run/netns/{who[:12]}")
    return world.call("ADD", world.conf(**keys), who, f"/run/netns/{who[:12]}", "eth0", args=args)


def taken(world: World, count: int = 6) -> None:
    """By one pod, and by containers of which no pod is known."""
    assert add(world, ID, POD_ARGS, ipam=world.ipam()).code == 0
    for number in range(count):
        assert add(world, f"c{number}").code == 0


def test_no_free_vf_says_whose_each_is_and_since_when(world: World) -> None:
    before = int(time.time())
    taken(world)

    reply = add(world, "c9")

    assert (reply.code, reply.document["msg"]) == (11, "choose a VF: no free VF")
    told = reply.document["details"].split(": enp1s0f0 vf 0 ")[1].split("; ")
    assert len(told) == 7
    found = re.fullmatch(
        rf"\(0000:01:10\.0\): claimed by 3f7a12ab9c0d/eth0 of network fast \(pod shop/web-0\), {SINCE}",
        told[0],
    )
    assert found, told[0]
    since = datetime.strptime(found[1], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
    assert before <= since <= time.time()
    for number, line in enumerate(told[1:]):
        assert re.search(rf"vf {number + 1} \(.*\): claimed by c{number}/eth0 of network fast, {SINCE}", line)


def test_the_name_in_what_to_do_is_one_word_to_a_shell(world: World) -> None:
    """A pod's annotation may call its interface so, and root copies the line."""
    world.kernel.add_pod("/run/netns/c1")
    conf = world.conf(ipam=world.ipam())
    assert world.call("ADD", conf, "c1", "/run/netns/c1", ";id", args="IP=10.10.4.2").code == 0

    told = add(world, "c2", "IP=10.10.4.2", ipam=world.ipam()).document["details"]

    assert "`sriovctl release 'c1/;id'`" in told


def test_what_to_do_stands_before_the_list(world: World) -> None:
    """A kubelet's event ends after 1024 characters."""
    taken(world)

    remedy, _, _ = add(world, "c9").document["details"].partition("enp1s0f0 vf 0")

    assert RELEASE in remedy
    assert "`sriovctl gc`" in remedy
    assert "sriovctl vfs" not in remedy, "the card has no more"
    assert len(remedy) < 400


def test_where_the_card_could_have_more_vfs_that_is_told(tmp_path: Any) -> None:
    world = World(tmp_path)
    world.kernel.add_pf(numvfs=1, totalvfs=7)
    assert add(world, "c1").code == 0

    assert "`sriovctl vfs enp1s0f0 max`" in add(world, "c9").document["details"]


def test_of_a_card_with_hundreds_of_vfs_the_answer_is_as_short(tmp_path: Any) -> None:
    world = World(tmp_path)
    world.kernel.add_pf(numvfs=200, totalvfs=256)
    world.kernel.add_pod("/run/netns/pod1")
    for number in range(200):
        reply = world.call("ADD", world.conf(), f"{number:064x}", ifname=f"net{number}", args=POD_ARGS)
        assert reply.code == 0, reply.text

    text = add(world, "c9").document["details"]

    assert text.count("claimed by ") == 8
    assert text.endswith("; and 192 more (192 claimed): `sriovctl status` has all")
    assert len(text) < 1500


def test_a_vf_that_a_del_gave_up_is_told_as_deleted(world: World) -> None:
    taken(world, 0)
    (record,) = tool.host(world).ledger.claims()
    record.status = "released"

    assert holder.of(record).endswith("Z (deleted, but its VF is not back yet)")


# --ip ----------------------------------------------------------------------------------------------------------------


def test_an_address_outside_of_every_pool_and_one_that_is_taken_are_two_sentences(world: World) -> None:
    taken(world, 0)

    outside = add(world, "c1", "IP=10.20.0.5", ipam=world.ipam())
    his = add(world, "c2", "IP=10.10.0.2", ipam=world.ipam())

    assert (outside.code, outside.text) == (
        7, 'CNI_ARGS IP "10.20.0.5": is outside every pool | the pools are 10.10.0.0/16'
    )  # fmt: skip
    assert his.code == 104
    assert re.fullmatch(
        r'CNI_ARGS IP "10\.10\.0\.2": 10\.10\.0\.0/24 is taken by 3f7a12ab9c0d/eth0 of network fast'
        rf" \(pod shop/web-0\), {SINCE}",
        his.document["msg"],
    ), his.text
    assert RELEASE.replace("CONTAINER/IFNAME", "3f7a12ab9c0d/eth0") in his.document["details"]


def test_under_another_main_plugin_the_holder_is_told_without_a_vf(world: World) -> None:
    def bridge(who: str) -> Reply:
        world.kernel.add_pod(f"/run/netns/{who}")
        conf = {"cniVersion": "1.0.0", "name": "br", "type": "bridge", "ipam": world.ipam()}
        return world.call("ADD", conf, who, f"/run/netns/{who}", args="IP=10.10.4.2", door="host-subnet")

    assert bridge("b1").code == 0

    assert re.search(rf"10\.10\.4\.0/24 is taken by b1/net1 of network br, {SINCE}", bridge("b2").text)
