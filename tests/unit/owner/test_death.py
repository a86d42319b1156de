"""Whose netns a lease or a Record was: the kernel gives an inode number to the next one, a cookie to none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from cni_sriov.ctl import gc
from cni_sriov.kernel.replies import Address
from cni_sriov.words.errors import KernelRefused
from tests import fakes
from tests.unit.ctl.tool import host
from tests.world import FakeHost, World

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fakes import Namespace
    from tests.world import Reply

FOUR = [{"subnet": "10.10.0.0/22", "prefixLength": 24}]


def pod(world: World, name: str) -> Namespace:
    return world.kernel.add_pod(f"/run/netns/{name}")


def bridge(world: World, verb: str, name: str, **keys: Any) -> Reply:
    conf = {"cniVersion": "1.0.0", "name": "br", "type": "bridge", "ipam": world.ipam(pools=FOUR) | keys}
    return world.call(verb, conf, name, f"/run/netns/{name}", door="host-subnet")


def attach(world: World, name: str) -> Reply:
    """As bridge does it: the lease, then the address in the pod."""
    reply = bridge(world, "ADD", name)
    if reply.code == 0:
        link = world.kernel.add_link(world.kernel.pods[f"/run/netns/{name}"], "eth0")
        link.addresses.append(Address(reply.document["ips"][0]["address"], 0, 0x80))
    return reply


def forget_cookies(world: World) -> None:
    """As an earlier version left them."""
    for path in world.data_dir.glob("default/*/owners/*"):
        raw = json.loads(path.read_text())
        raw.pop("netns_cookie", None)
        path.write_text(json.dumps(raw))


def old_kernel(world: World) -> None:
    world.kernel.knows_cookies = False


def nothing(_: World) -> None:
    pass


@pytest.mark.parametrize(
    ("before", "after"),
    [(nothing, nothing), (nothing, forget_cookies), (old_kernel, nothing)],
    ids=["cookies", "leases of an earlier version", "old kernel"],
)
def test_five_that_died_without_del_do_not_fill_a_pool_of_four(
    world: World, before: Callable[[World], None], after: Callable[[World], None]
) -> None:
    before(world)
    living = pod(world, "b0").identity
    assert attach(world, "b0").code == 0
    for number in range(1, 6):
        path = f"/run/netns/b{number}"
        assert pod(world, f"b{number}").identity[1] == living[1] + 1, "the same number again and again"
        reply = attach(world, f"b{number}")
        assert reply.code == 0, reply.text
        after(world)
        world.kernel.kill_netns(path)
    assert bridge(world, "CHECK", "b0").code == 0, "the living one kept its lease"
    holders = {path.name for path in world.data_dir.glob("default/*/owners/*")}
    assert {path.name for path in (world.run_dir / "locks").iterdir()} == holders, (
        "no lock of a dead one stays"
    )


@pytest.mark.parametrize("cookies", [True, False])
@pytest.mark.parametrize("path", ["there", "gone", "of another pod"])
def test_the_living_are_never_dead(
    world: World, monkeypatch: pytest.MonkeyPatch, cookies: bool, path: str
) -> None:
    """Also where the name of its netns is gone, or another's, while its processes live on."""
    world.kernel.knows_cookies = cookies
    names = [f"b{number}" for number in range(4)]
    for name in names:
        pod(world, name)
        assert attach(world, name).code == 0
    live: dict[int, list[str]] = {}
    for number, name in enumerate(names):
        space = world.kernel.pods[f"/run/netns/{name}"]
        live[space.identity[1]] = [f"/proc/{number}/ns/net"]
        if path != "there":
            del world.kernel.pods[f"/run/netns/{name}"]
        world.kernel.pods[f"/proc/{number}/ns/net"] = space
    if path == "of another pod":
        for name in names:
            pod(world, name)
    monkeypatch.setattr(FakeHost, "live_netns", lambda _: live)
    world.kernel.add_pod("/run/netns/b9")

    assert attach(world, "b9").code == 11


def full_of_the_dead(world: World) -> None:
    for number in range(4):
        pod(world, f"b{number}")
        assert attach(world, f"b{number}").code == 0
    for number in range(4):
        world.kernel.kill_netns(f"/run/netns/b{number}")
    for number in range(5, 9):
        pod(world, f"b{number}")


def test_a_cookie_that_cannot_be_read_is_no_proof(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    full_of_the_dead(world)
    monkeypatch.setattr(fakes.FakeNetns, "cookie", property(lambda _: 0))

    def refuse(*_: object) -> None:
        raise KernelRefused("enter netns", 1)

    with monkeypatch.context() as patch:
        patch.setattr(FakeHost, "netlink_in", refuse)
        assert bridge(world, "ADD", "b8").code == 11
    assert bridge(world, "ADD", "b8").code == 0, "no such address is there, and the path is gone"


def test_who_cannot_see_all_processes_takes_absence_for_no_proof(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    full_of_the_dead(world)

    with monkeypatch.context() as patch:
        patch.setattr(FakeHost, "live_netns", lambda _: {0: ["1"]})
        assert bridge(world, "ADD", "b8").code == 11
    assert bridge(world, "ADD", "b8").code == 0


def test_a_netns_that_is_younger_than_the_look_is_alive(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is made, and gets its lease, while another ADD has listed /proc already."""
    for number in range(4):
        pod(world, f"b{number}")
        assert attach(world, f"b{number}").code == 0
    pod(world, "b9")
    monkeypatch.setattr(FakeHost, "live_netns", lambda _: {})

    assert attach(world, "b9").code == 11


def test_a_process_that_ends_under_our_hands_proves_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    full_of_the_dead(world)
    live = {space.identity[1]: ["/proc/77/ns/net"] for space in world.kernel.pods.values()}
    monkeypatch.setattr(FakeHost, "live_netns", lambda _: live)

    assert bridge(world, "ADD", "b8").code == 11


def test_the_same_container_comes_back_with_a_new_netns(world: World) -> None:
    """Not 106: its former netns is gone, though another one has its number."""
    pod(world, "b1")
    assert attach(world, "b1").code == 0
    first = world.kernel.pods["/run/netns/b1"].identity
    world.kernel.kill_netns("/run/netns/b1")
    assert pod(world, "b2").identity == first
    pod(world, "b1")

    assert attach(world, "b1").code == 0
    assert bridge(world, "ADD", "b1").code == 106, "now it lives"


def collected(world: World) -> list[tuple[str, bool, str]]:
    """What `sriovctl gc` did, by its own judge."""
    items = gc.run(host(world), data_dir=str(world.data_dir))
    return [(item.owner, item.taken, item.reason) for item in items if item.kind == "lease"]


def test_gc_sees_through_a_number_that_came_again(world: World) -> None:
    pod(world, "b1")
    assert attach(world, "b1").code == 0
    world.kernel.kill_netns("/run/netns/b1")
    pod(world, "b2")
    assert attach(world, "b2").code == 0

    assert [(owner, taken) for owner, taken, _ in collected(world)] == [("b1/net1", True), ("b2/net1", False)]
    assert [path.name for path in (world.run_dir / "locks").iterdir()] == ["b2@net1"]


def test_gc_says_who_hides_the_proof(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    pod(world, "b1")
    assert attach(world, "b1").code == 0
    world.kernel.kill_netns("/run/netns/b1")
    monkeypatch.setattr(FakeHost, "live_netns", lambda _: {0: ["1", "77"]})

    ((_, taken, reason),) = collected(world)

    assert (taken, "cannot be looked at" in reason and "(pid 1, pid 77)" in reason) == (False, True), reason


# Records -------------------------------------------------------------------------------------------------------------


def record_file(world: World) -> Path:
    return next(world.state_dir.glob("*@net1"))


def test_a_record_knows_the_cookie_and_one_without_is_read(world: World) -> None:
    before = world.snapshot()
    assert world.call("ADD", world.conf()).code == 0
    raw = json.loads(record_file(world).read_text())
    assert raw["netns_cookie"] == world.kernel.pods["/run/netns/pod1"].cookie != 0
    for path in (record_file(world), *(world.run_dir / "claims").iterdir()):
        old = json.loads(path.read_text())
        del old["netns_cookie"]
        path.write_text(json.dumps(old))

    assert world.call("CHECK", world.conf()).code == 0
    assert world.call("DEL", world.conf()).code == 0
    assert world.snapshot() == before


def test_check_and_del_see_through_a_path_and_a_number_that_came_again(world: World) -> None:
    """A second pod at the same path, with the same inode number, and a link of the same name in it."""
    assert world.call("ADD", world.conf()).code == 0
    first = world.kernel.pods["/run/netns/pod1"].identity
    world.kernel.kill_netns("/run/netns/pod1")
    assert world.kernel.add_pod("/run/netns/pod1").identity == first

    assert "is another one than ADD saw" in world.call("CHECK", world.conf()).text


def test_del_enters_no_pod_but_its_own(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert world.call("ADD", world.conf()).code == 0
    space = world.kernel.pods["/run/netns/pod1"]
    world.kernel.kill_netns("/run/netns/pod1", slowly=True)
    other = world.kernel.add_pod("/run/netns/pod1")
    assert other.identity == space.identity
    # a VF of that other pod, by chance under the same name and with the same parent device as an old driver tells it
    stranger = world.kernel.add_link(other, "net1")
    stranger.pci_address, stranger.is_up = "0000:01:10.0", True

    assert world.call("DEL", world.conf(), netns="").code == 0

    assert (stranger.name, stranger.is_up) == ("net1", True)


@pytest.mark.parametrize("bad", ["7", None, [], 1.5])
def test_a_cookie_of_a_wrong_type_is_a_damaged_file(world: World, bad: object) -> None:
    assert world.call("ADD", world.conf(ipam=world.ipam())).code == 0
    raw = json.loads(record_file(world).read_text())
    record_file(world).write_text(json.dumps(raw | {"netns_cookie": bad}))

    assert world.call("DEL", world.conf(ipam=world.ipam())).code == 0
    assert world.files() == []
