"""What is asked for by name, and held: by the dead (it is taken), by one who is giving it back (waited for), by the living
(left alone, and named).
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

from cni_sriov.owner import reclaim
from cni_sriov.state import lock as locks
from cni_sriov.state.ledger import Ledger
from cni_sriov.words.domain import Attachment
from cni_sriov.words.log import Log
from tests.drop_in import SriovCni, known
from tests.unit.one_port import MINE, OTHERS, a_world
from tests.world import Reply, World

if TYPE_CHECKING:
    from collections.abc import Callable

MAC, VF0, VF1 = "02:00:00:00:aa:01", "0000:01:10.0", "0000:01:10.2"
POD_ARGS = "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0"
STICKY: dict[str, Any] = {"sticky": True}


def pod(world: World, name: str) -> str:
    path = f"/run/netns/{name}"
    world.kernel.add_pod(path)
    return path


def add(world: World, who: str, args: str = "", **keys: Any) -> Reply:
    path = f"/run/netns/{who}"
    if path not in world.kernel.pods:
        pod(world, who)
    return world.call("ADD", world.conf(**keys), who, path, args=args)


def bridge(world: World, verb: str, name: str, args: str = "", **ipam: Any) -> Reply:
    """host-subnet under another main plugin."""
    path = f"/run/netns/{name}"
    if verb == "ADD" and path not in world.kernel.pods:
        pod(world, name)
    conf = {"cniVersion": "1.0.0", "name": "br", "type": "bridge", "ipam": world.ipam(**ipam)}
    return world.call(verb, conf, name, path, args=args, door="host-subnet")


def die(world: World, name: str) -> None:
    world.kernel.kill_netns(f"/run/netns/{name}")


def claims(world: World) -> list[str]:
    return sorted(path.name.split("+")[1] for path in (world.run_dir / "claims").iterdir())


def reclaimed(world: World, who: str) -> list[str]:
    return [line for line in world.log_file.read_text().splitlines() if "reclaimed" in line and who in line]


def subnet(reply: Reply) -> str:
    assert reply.code == 0, reply.text
    return str(reply.document["ips"][0]["address"])


# by the dead ---------------------------------------------------------------------------------------------------------


def test_a_dead_ones_mac_is_had_and_only_that_one_is_taken_back(world: World) -> None:
    for name in ("c1", "c2"):
        assert add(world, name, **({"mac": MAC} if name == "c1" else {})).code == 0
        die(world, name)

    reply = add(world, "c3", mac=MAC)

    assert reply.code == 0, reply.text
    assert reply.document["interfaces"][0]["mac"] == MAC
    assert (claims(world), reclaimed(world, "c2")) == ([VF0, VF1], []), "c2's was in nobody's way"


def test_a_vf_that_was_named_is_taken_back_alone(world: World) -> None:
    for name, vf in (("c1", VF0), ("c2", VF1)):
        assert add(world, name, deviceID=vf).code == 0
        die(world, name)

    assert add(world, "c3", deviceID=VF0).code == 0

    assert (claims(world), reclaimed(world, "c2")) == ([VF0, VF1], [])


def test_a_dead_ones_address_is_had_through_both_doors(world: World) -> None:
    first = subnet(add(world, "c1", ipam=world.ipam()))
    assert first == "10.10.0.2/24"
    die(world, "c1")
    assert subnet(add(world, "c2", "IP=10.10.0.2", ipam=world.ipam())) == first
    die(world, "c2")

    assert subnet(bridge(world, "ADD", "b1", "IP=10.10.0.2")) == first

    die(world, "b1")
    assert subnet(bridge(world, "ADD", "b2", "IP=10.10.0.2")) == first
    die(world, "b2")
    assert subnet(add(world, "c3", "IP=10.10.0.2", ipam=world.ipam())) == first


def test_the_mac_and_the_address_of_one_dead_container_are_had(world: World) -> None:
    asked: dict[str, Any] = {"mac": MAC, "ipam": world.ipam(), "runtimeConfig": {"ips": ["10.10.7.5"]}}
    for name in ("c1", "c2"):
        assert add(world, name, **(asked if name == "c1" else {})).code == 0
        die(world, name)

    assert subnet(add(world, "c3", **asked)) == "10.10.7.5/24"
    assert reclaimed(world, "c2") == []


def test_a_subnet_over_several_dead_ones_is_had(world: World) -> None:
    """Two pools of one range: /26 for some, /24 for others."""
    small = [{"subnet": "10.10.0.0/16", "prefixLength": 26}]
    for name in ("c1", "b1"):
        reply = (
            add(world, name, ipam=world.ipam(pools=small))
            if name == "c1"
            else bridge(world, "ADD", name, pools=small)
        )
        assert reply.code == 0, reply.text
        die(world, name)

    assert subnet(add(world, "c2", "IP=10.10.0.2", ipam=world.ipam())) == "10.10.0.2/24"


@pytest.mark.parametrize("door", ["sriov", "bridge"])
@pytest.mark.parametrize("before", ["sriov", "bridge"])
def test_a_pods_sticky_lease_comes_back_from_its_dead_container(world: World, before: str, door: str) -> None:
    def attach(how: str, name: str) -> str:
        if how == "bridge":
            return subnet(bridge(world, "ADD", name, POD_ARGS, **STICKY))
        return subnet(add(world, name, POD_ARGS, name="br", ipam=world.ipam(**STICKY)))

    first = attach(before, "c1")
    die(world, "c1")

    assert attach(door, "c2") == first


def test_a_full_pool_under_another_plugin_gets_a_dead_vfs_lease(world: World) -> None:
    one = [{"subnet": "10.10.0.0/24", "prefixLength": 24}]
    assert add(world, "c1", ipam=world.ipam(pools=one)).code == 0
    die(world, "c1")

    assert subnet(bridge(world, "ADD", "b1", pools=one)) == "10.10.0.2/24"
    assert claims(world) == []


def test_the_mac_and_the_vf_of_what_sriov_cni_left(world: World) -> None:
    known(world)
    old = SriovCni(world)
    old.add(mac=MAC, trust="on")
    die(world, "pod1")

    reply = add(world, "c2", deviceID=VF1, mac=MAC)

    assert reply.code == 0, reply.text
    assert old.files() == []


def test_what_waited_for_its_pf_gives_its_mac_back(world: World) -> None:
    """`released`: the PF was in another netns when its DEL came."""
    world.kernel.pfs[0].link.carrier = False
    assert add(world, "c1", mac=MAC).code == 0
    vf = world.kernel.pfs[0].vfs[0]
    record = next(world.state_dir.glob("c1@*"))
    record.write_text(record.read_text().replace('"status": "done"', '"status": "released"'))
    die(world, "c1")
    assert vf.state.mac == MAC

    assert add(world, "c2", deviceID=VF1, mac=MAC).code == 0


def test_a_free_vf_that_has_the_mac_is_the_one_to_take(world: World) -> None:
    """Else an address that the operator gave to a VF could never be asked for."""
    vf = world.kernel.pfs[0].vfs[3]
    vf.state.mac, vf.admin_mac = MAC, True

    reply = add(world, "c1", mac=MAC)

    assert reply.code == 0, reply.text
    assert claims(world) == [vf.pci_address]


def test_a_mac_of_a_vf_that_may_not_be_taken_is_refused_with_the_remedy(world: World) -> None:
    vf = world.kernel.pfs[0].vfs[3]
    vf.state.mac, vf.admin_mac = MAC, True
    before = world.snapshot()

    reply = add(world, "c1", mac=MAC, deviceID=VF0)

    assert reply.code == 103
    assert f"nobody has claimed that VF: ask for it (deviceID {vf.pci_address})" in reply.text
    del world.kernel.pods["/run/netns/c1"]
    assert world.snapshot() == before


# by the living -------------------------------------------------------------------------------------------------------


def test_a_living_one_keeps_all_and_is_named(world: World) -> None:
    assert add(world, "c1", mac=MAC, deviceID=VF0, ipam=world.ipam()).code == 0
    before = world.kernel.snapshot(), world.files()
    who = "c1/net1 of network fast"

    pod(world, "c2")
    replies = {
        103: add(world, "c2", mac=MAC, deviceID=VF1),
        11: add(world, "c2", deviceID=VF0),
        104: add(world, "c2", "IP=10.10.0.2", ipam=world.ipam()),
    }

    for code, reply in replies.items():
        assert (reply.code, who in reply.text, "sriovctl gc" in reply.text) == (code, True, True), reply.text
    del world.kernel.pods["/run/netns/c2"]
    assert (world.kernel.snapshot(), world.files()) == before


def test_no_free_vf_names_every_holder_and_reads_them_after_the_lock(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(7):
        assert add(world, f"c{number}").code == 0
    held: list[str] = []
    reads: list[str] = []
    lock, claim_of = Ledger.node_lock, Ledger.claim_of

    class Watched(locks.Lock):
        def __enter__(self) -> Self:
            held.append("x")
            return super().__enter__()

        def __exit__(self, *rest: object) -> None:
            held.clear()
            super().__exit__(*rest)

    def node_lock(ledger: Ledger, verb: str) -> locks.Lock:
        found = lock(ledger, verb)
        return Watched(found.path, found.verb)

    def read(ledger: Ledger, pf: str, vf: str) -> Any:
        reads.extend(held)
        return claim_of(ledger, pf, vf)

    monkeypatch.setattr(Ledger, "node_lock", node_lock)
    monkeypatch.setattr(Ledger, "claim_of", read)

    reply = add(world, "c9")

    assert (reply.code, reads) == (11, [])
    assert [f"claimed by c{n}/net1 of network fast" in reply.text for n in range(7)] == [True] * 7


def test_a_lease_that_is_kept_for_another_pod_stays_and_is_named(world: World) -> None:
    first = subnet(bridge(world, "ADD", "b1", POD_ARGS, **STICKY))
    assert bridge(world, "DEL", "b1").code == 0

    reply = bridge(world, "ADD", "b2", "IP=10.10.0.2")

    assert (reply.code, "kept for br/shop/web-0/net1 (sticky)" in reply.text) == (104, True), reply.text
    assert subnet(bridge(world, "ADD", "b3", POD_ARGS, **STICKY)) == first


def test_a_living_holder_of_the_sticky_lease_keeps_it(world: World) -> None:
    first = subnet(add(world, "c1", POD_ARGS, ipam=world.ipam(**STICKY)))
    assert subnet(add(world, "c2", POD_ARGS, ipam=world.ipam(**STICKY))) != first
    assert world.call("CHECK", world.conf(ipam=world.ipam(**STICKY)), "c1", "/run/netns/c1").code == 0


def test_of_two_in_the_way_a_living_one_is_enough(world: World) -> None:
    small = [{"subnet": "10.10.0.0/16", "prefixLength": 26}]
    assert bridge(world, "ADD", "b1", pools=small).code == 0
    assert bridge(world, "ADD", "b2", pools=small).code == 0
    die(world, "b1")

    reply = bridge(world, "ADD", "b3", "IP=10.10.0.2")

    assert (reply.code, "10.10.0.64/26 is taken by b2/net1 of network br" in reply.text) == (104, True), (
        reply.text
    )


# by one who is giving it back ----------------------------------------------------------------------------------------


@pytest.fixture
def slow(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """A call for `who` holds its lock; when somebody begins to wait for it, it goes on and gives all back."""
    wait = locks._flock_until  # noqa: SLF001 # where waiting begins

    def start(who: str, verb: str = "DEL", **conf: Any) -> list[str]:
        ledger = Ledger(str(world.state_dir), Log("error", ""), str(world.run_dir), world.boot_id)
        ledger.open_run_dir()
        lock = ledger.attachment_lock(Attachment(who, "net1"), verb)
        lock.acquire(0)
        waited: list[str] = []

        def go_on(fd: int, deadline_s: float) -> None:
            monkeypatch.setattr(locks, "_flock_until", wait)
            waited.append(f"{deadline_s:.0f}")
            lock.release()
            door = "sriov" if conf["type"] == "sriov" else "host-subnet"
            assert world.call("DEL", conf, who, "", door=door).code == 0
            wait(fd, deadline_s)

        monkeypatch.setattr(locks, "_flock_until", go_on)
        return waited

    return start


@pytest.mark.parametrize("verb", ["DEL", "GC", "reclaim", "sriovctl gc"])
def test_an_add_of_the_same_device_waits_for_its_slow_del(
    world: World, slow: Callable[..., list[str]], verb: str
) -> None:
    assert add(world, "c1", deviceID=VF0).code == 0
    waited = slow("c1", verb, **world.conf())

    reply = add(world, "c2", deviceID=VF0)

    assert (reply.code, waited) == (0, ["30"]), reply.text
    assert [path.name for path in (world.run_dir / "locks").iterdir()] == ["c2@net1"]


@pytest.mark.parametrize("verb", ["ADD", "CHECK"])
def test_an_add_does_not_wait_for_other_verbs(
    world: World, slow: Callable[..., list[str]], verb: str
) -> None:
    assert add(world, "c1", deviceID=VF0).code == 0
    waited = slow("c1", verb, **world.conf())

    assert (add(world, "c2", deviceID=VF0).code, waited) == (11, [])


def test_a_device_that_sriov_cni_attached_is_waited_for_too(
    world: World, slow: Callable[..., list[str]]
) -> None:
    known(world)
    old = SriovCni(world)
    conf = old.add()
    waited = slow("c1", **conf)

    reply = add(world, "c2", deviceID=VF0)

    assert (reply.code, waited) == (0, ["30"]), reply.text


def test_any_vf_is_not_waited_for(world: World, slow: Callable[..., list[str]]) -> None:
    for number in range(7):
        assert add(world, f"c{number}").code == 0
    waited = slow("c0", **world.conf())

    assert (add(world, "c9").code, waited) == (11, [])


def test_a_mac_is_waited_for(world: World, slow: Callable[..., list[str]]) -> None:
    assert add(world, "c1", mac=MAC).code == 0
    waited = slow("c1", **world.conf())

    reply = add(world, "c2", mac=MAC)

    assert (reply.code, waited) == (0, ["30"]), reply.text


@pytest.mark.parametrize("args", ["IP=10.10.0.2", POD_ARGS])
def test_an_address_is_waited_for_by_its_number_or_its_pods_name(
    world: World, slow: Callable[..., list[str]], args: str
) -> None:
    conf = world.conf(ipam=world.ipam(**STICKY)) if args == POD_ARGS else world.conf(ipam=world.ipam())
    pod(world, "c1")
    first = subnet(world.call("ADD", conf, "c1", "/run/netns/c1", args=POD_ARGS))
    waited = slow("c1", **conf)
    pod(world, "c2")

    reply = world.call("ADD", conf, "c2", "/run/netns/c2", args=args)

    assert (reply.code, waited) == (0, ["30"]), reply.text
    assert subnet(reply) == first


def test_an_address_under_another_plugin_is_waited_for(world: World, slow: Callable[..., list[str]]) -> None:
    first = subnet(bridge(world, "ADD", "b1"))
    waited = slow("b1", cniVersion="1.0.0", name="br", type="bridge", ipam=world.ipam())

    reply = bridge(world, "ADD", "b2", "IP=10.10.0.2")

    assert (reply.code, waited) == (0, ["30"]), reply.text
    assert subnet(reply) == first


def test_a_del_that_takes_too_long_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def in_vain(*_: object) -> None:
        raise TimeoutError

    assert add(world, "c1", deviceID=VF0).code == 0
    ledger = Ledger(str(world.state_dir), Log("error", ""), str(world.run_dir), world.boot_id)
    with ledger.attachment_lock(Attachment("c1", "net1"), "DEL"):
        monkeypatch.setattr(locks, "_flock_until", in_vain)

        reply = add(world, "c2", deviceID=VF0)

    assert (reply.code, "(DEL)" in reply.text, "c1@net1" in reply.text) == (11, True, True), reply.text


@pytest.mark.parametrize("del_runs", [True, False])
def test_a_vf_that_has_just_come_home_is_waited_for_until_udev_is_through(
    world: World, slow: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch, del_runs: bool
) -> None:
    looks: list[int] = []

    def soon(_: object, ifindex: int) -> bool:
        looks.append(ifindex)
        return len(looks) > 3

    assert add(world, "c1", deviceID=VF0).code == 0
    if del_runs:
        slow("c1", **world.conf())
    else:
        assert world.call("DEL", world.conf(), "c1", "/run/netns/c1").code == 0
    monkeypatch.setattr(type(world.kernel.sysfs), "udev_named", soon)

    assert add(world, "c2", deviceID=VF0).code == 0
    assert len(looks) == 4


def test_a_vf_that_udev_never_names_is_waited_for_two_seconds(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(type(world.kernel.sysfs), "udev_named", lambda *_: False)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", sleep)

    reply = add(world, "c1", deviceID=VF0)

    assert (reply.code, "is not named by udev yet" in reply.text, round(now[0])) == (11, True, 102)


def test_a_holder_whose_delete_ended_between_the_look_and_the_lock_is_not_in_the_way(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf = world.conf(master=None, deviceID=VF0)
    assert add(world, "c1", master=None, deviceID=VF0).code == 0
    look = reclaim.of_vf

    def late(*args: Any) -> bool:
        monkeypatch.setattr(reclaim, "take_back", quick)
        return look(*args)

    take_back = reclaim.take_back

    def quick(*args: Any) -> bool:
        monkeypatch.setattr(reclaim, "take_back", take_back)
        assert world.call("DEL", conf, "c1", "/run/netns/c1").code == 0
        return take_back(*args)

    monkeypatch.setattr(reclaim, "of_vf", late)

    added = add(world, "c2", master=None, deviceID=VF0)

    assert added.code == 0, added.text


def test_a_name_that_is_free_by_reclaim_can_be_attached_again(tmp_path: Path) -> None:
    """podman and cnitool reuse container names; their stale Record must not say "attached already" for ever."""
    world = a_world(tmp_path, vfs=1)
    assert world.call("ADD", world.conf()).code == 0
    world.kernel.kill_netns(MINE)
    world.kernel.add_pod(MINE)
    theirs = world.conf(name="other", stateDir=str(world.root / "state2"))
    assert world.call("ADD", theirs, "c2", OTHERS).code == 0

    reply = world.call("ADD", world.conf())

    assert reply.code == 11, reply.text  # no free VF, which is the truth
