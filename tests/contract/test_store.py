"""What a lease store promises: the same assertions on a model in memory and on the real file store."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cni_sriov.conf import hostsubnet
from cni_sriov.conf.requests import Requests
from cni_sriov.decide import subnets
from cni_sriov.ipam import own
from cni_sriov.leases.holding import Holding
from cni_sriov.leases.node import Node
from cni_sriov.leases.store import Store
from cni_sriov.state.ledger import Ledger
from cni_sriov.vf.host import Host
from cni_sriov.words.domain import Attachment
from cni_sriov.words.errors import (
    AttachedAlready,
    BadEnvironment,
    Drift,
    InputOutput,
    PoolExhausted,
    SubnetConflict,
    TryAgain,
    Unreadable,
)
from cni_sriov.words.inet import Prefix, parse_prefix
from cni_sriov.words.lease import Choice, Lease, LeaseDir
from cni_sriov.words.log import Log

BOOT = "aaaaaaaa-0000-0000-0000-000000000001"
Judge = Callable[[Holding], bool]


class MemoryStore:
    """The rules without files: a dict of holdings, a list of sticky leases in the order of their last use."""

    def __init__(self) -> None:
        self.held: dict[Attachment, Holding] = {}
        self.sticky: dict[str, list[Lease]] = {}
        self.cursors: dict[str, int] = {}
        self.kept: list[Lease] = []

    def taken(self) -> list[Prefix]:
        leases = [lease for holding in self.held.values() for lease in holding.leases]
        leases += [lease for kept in self.sticky.values() for lease in kept]
        return [parse_prefix(lease.subnet) for lease in leases]

    def conflict(self, prefix: Prefix) -> bool:
        return any(prefix.overlaps(other) for other in self.taken())

    def first_free(self, within: Prefix, length: int, start: int) -> int | None:
        step = 1 << ((32 if within.version == 4 else 128) - length)
        for value in range(within.value, within.last, step):
            if value >= start and not self.conflict(Prefix(within.version, value, length)):
                return value
        return None

    def count_free(self, within: Prefix, length: int, enough: int) -> int:
        step = 1 << ((32 if within.version == 4 else 128) - length)
        values = range(within.value, within.last + 1, step)
        return min(enough, sum(not self.conflict(Prefix(within.version, value, length)) for value in values))

    def cursor(self, key: str) -> int | None:
        return self.cursors.get(key)

    def lease(self, asked: own.Asked, is_dead: Judge | None) -> list[Lease]:
        is_dead = is_dead or (lambda _: False)
        attachment, sticky = asked.attachment, asked.sticky
        if attachment in self.held and not is_dead(self.held[attachment]):
            raise AttachedAlready(str(attachment))
        self.release(attachment)
        self.kept = self.sticky.get(sticky, [])
        if any(lease in holding.leases for lease in self.kept for holding in self.held.values()):
            sticky, self.kept = "", []
        choice = self._choose(asked)
        for lease in choice.leases:
            lease.sticky = sticky
        if sticky:
            self.sticky[sticky] = choice.leases
        self.held[attachment] = Holding(
            attachment, choice.leases, asked.network, asked.netns, asked.netns_identity, BOOT
        )
        self.cursors |= choice.cursors
        return choice.leases

    def _choose(self, asked: own.Asked) -> Choice:
        while True:
            try:
                return subnets.choose(asked.conf, self, [])
            except PoolExhausted:
                held = [lease for holding in self.held.values() for lease in holding.leases]
                waiting = [
                    key for key, leases in self.sticky.items() if not any(lease in held for lease in leases)
                ]
                if not waiting:
                    raise
                del self.sticky[waiting[0]]

    def reclaim(self, is_dead: Judge, _pools: list[Prefix]) -> list[Lease]:
        dead = [attachment for attachment, holding in self.held.items() if is_dead(holding)]
        return [lease for attachment in dead for lease in self.release(attachment)]

    def release(self, attachment: Attachment) -> list[Lease]:
        holding = self.held.pop(attachment, None)
        if holding is None:
            return []
        key = holding.leases[0].sticky
        if key:
            self.sticky[key] = self.sticky.pop(key)
        return holding.leases

    def find(self, attachment: Attachment) -> Holding | None:
        return self.held.get(attachment)

    def holdings(self) -> Iterator[Holding]:
        yield from self.held.values()
        held = [lease for holding in self.held.values() for lease in holding.leases]
        for leases in self.sticky.values():
            if not any(lease in held for lease in leases):
                yield Holding(None, leases, "net", "", [], BOOT)


class World:
    """A file store's directories, and stores in them."""

    def __init__(self, path: Path) -> None:
        self.run_dir = str(path / "run")
        self.data_dir = str(path / "data")
        self.log_path = path / "log"
        self.log = Log("debug", str(self.log_path))
        os.mkdir(self.run_dir, 0o700)

    def store(self, data_dir: str = "", scope: str = "default", boot: str = BOOT) -> Store:
        return Store(Node(self.run_dir, boot), LeaseDir(data_dir or self.data_dir, scope), self.log)

    def host(self) -> Host:
        return Host(Ledger(f"{self.data_dir}/records", self.log, self.run_dir, BOOT), self.log)

    def file(self, kind: str, name: str, boot: str = BOOT) -> Path:
        return Path(self.data_dir) / "default" / boot / kind / name

    def logged(self) -> str:
        return self.log_path.read_text()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, world: World) -> Any:
    return MemoryStore() if request.param == "memory" else world.store()


POOL = {"subnet": "10.10.0.0/22", "prefixLength": 24}  # four subnets


def conf(*pools: dict[str, Any], ip: str = "") -> hostsubnet.IpamConf:
    return hostsubnet.parse({"pools": list(pools) or [POOL]}, Requests(cni_args={"IP": ip} if ip else {}))


def asking(cid: str, asked: hostsubnet.IpamConf, sticky: str = "", ifname: str = "eth0") -> own.Asked:
    asked.sticky = sticky
    return own.Asked(asked, Attachment(cid, ifname), "net", f"/run/netns/{cid}", [4, 4026532000], 0, [])


def reserve(
    store: Any,
    cid: str,
    asked: hostsubnet.IpamConf | None = None,
    sticky: str = "",
    is_dead: Judge | None = None,
    ifname: str = "eth0",
) -> list[str]:
    """`sticky` is namespace/pod."""
    question = asking(cid, asked or conf(), sticky, ifname)
    lease = store.lease if isinstance(store, MemoryStore) else partial(own.lease, store)
    found: list[Lease] = lease(question, is_dead)
    return [lease.subnet for lease in found]


def release(store: Any, cid: str) -> list[str]:
    return [lease.subnet for lease in store.release(Attachment(cid, "eth0"))]


def lease_of(store: Any, cid: str) -> list[str]:
    found = store.find(Attachment(cid, "eth0"))
    return [lease.subnet for lease in found.leases] if found else []


# both --------------------------------------------------------------------------------------------


def test_what_is_reserved_is_there_until_it_is_released(store: Any) -> None:
    assert reserve(store, "a") == ["10.10.0.0/24"]
    assert lease_of(store, "a") == ["10.10.0.0/24"]
    assert release(store, "a") == ["10.10.0.0/24"]
    assert lease_of(store, "a") == []


def test_release_of_nothing_succeeds_again_and_again(store: Any) -> None:
    assert release(store, "a") == []
    reserve(store, "a")
    release(store, "a")
    assert release(store, "a") == []


def test_a_second_reserve_of_one_attachment_is_106_and_changes_nothing(store: Any) -> None:
    reserve(store, "a")

    with pytest.raises(AttachedAlready) as caught:
        reserve(store, "a")
    assert caught.value.code == 106
    assert lease_of(store, "a") == ["10.10.0.0/24"]
    assert reserve(store, "b") == ["10.10.1.0/24"]


def test_two_interfaces_of_one_container_are_two_attachments(store: Any) -> None:
    for ifname in ("eth0", "eth1"):
        reserve(store, "a", ifname=ifname)

    assert release(store, "a") == ["10.10.0.0/24"]
    assert [holding.leases[0].subnet for holding in store.holdings()] == ["10.10.1.0/24"]


def test_the_same_attachment_is_let_in_when_the_former_is_dead(store: Any) -> None:
    reserve(store, "a")

    assert reserve(store, "a", is_dead=lambda _: True) == ["10.10.1.0/24"]
    assert [holding.leases[0].subnet for holding in store.holdings()] == ["10.10.1.0/24"]


def test_released_subnets_come_last(store: Any) -> None:
    for cid in "abc":
        reserve(store, cid)
    release(store, "a")
    release(store, "b")

    assert [reserve(store, cid) for cid in "def"] == [["10.10.3.0/24"], ["10.10.0.0/24"], ["10.10.1.0/24"]]


def test_a_full_pool_is_code_11_and_loses_nothing(store: Any) -> None:
    for cid in "abcd":
        reserve(store, cid)

    with pytest.raises(PoolExhausted):
        reserve(store, "e")
    assert lease_of(store, "e") == []
    release(store, "c")
    assert reserve(store, "e") == ["10.10.2.0/24"]


def test_all_leases_of_an_attachment_or_none(store: Any) -> None:
    narrow = conf(POOL, {"subnet": "10.20.0.0/24", "prefixLength": 24})
    assert reserve(store, "a", narrow) == ["10.10.0.0/24", "10.20.0.0/24"]

    with pytest.raises(PoolExhausted):
        reserve(store, "b", narrow)
    assert lease_of(store, "b") == []
    assert release(store, "a") == ["10.10.0.0/24", "10.20.0.0/24"]
    assert reserve(store, "b", narrow) == ["10.10.1.0/24", "10.20.0.0/24"]


def test_a_requested_subnet_that_is_taken_is_104(store: Any) -> None:
    reserve(store, "a", conf(ip="10.10.2.9"))

    with pytest.raises(SubnetConflict):
        reserve(store, "b", conf(ip="10.10.2.10"))
    with pytest.raises(SubnetConflict):
        reserve(store, "b", conf({"subnet": "10.10.0.0/16", "prefixLength": 28}, ip="10.10.2.200"))
    with pytest.raises(SubnetConflict):
        reserve(store, "b", conf({"subnet": "10.0.0.0/8", "prefixLength": 16}, ip="10.10.9.9"))


def test_the_dead_give_way_when_a_pool_is_full(store: Any) -> None:
    for cid in "abcd":
        reserve(store, cid)

    def dead(holding: Holding) -> bool:
        return holding.attachment is not None and holding.attachment.container_id == "b"

    with pytest.raises(PoolExhausted):
        reserve(store, "e", is_dead=dead)
    assert [lease.subnet for lease in store.reclaim(dead, conf().pools[0].prefixes)] == ["10.10.1.0/24"]
    assert reserve(store, "e", is_dead=dead) == ["10.10.1.0/24"]
    assert lease_of(store, "b") == []
    assert lease_of(store, "a") == ["10.10.0.0/24"]


def test_a_sticky_lease_waits_for_its_pod(store: Any) -> None:
    reserve(store, "a", sticky="ns/web")
    release(store, "a")

    assert reserve(store, "b") == ["10.10.1.0/24"]
    assert reserve(store, "c", sticky="ns/web") == ["10.10.0.0/24"]
    assert [holding.attachment is None for holding in store.holdings()] == [False, False]


def test_sticky_leases_that_wait_are_reclaimed_oldest_first(store: Any) -> None:
    for cid in "abcd":
        reserve(store, cid, sticky=f"ns/{cid}")
    for cid in "cab":
        release(store, cid)

    assert reserve(store, "e") == ["10.10.2.0/24"]
    assert reserve(store, "b2", sticky="ns/b") == ["10.10.1.0/24"]
    assert reserve(store, "f") == ["10.10.0.0/24"]
    with pytest.raises(PoolExhausted):
        reserve(store, "g")


def test_a_sticky_lease_in_use_is_not_given_twice(store: Any) -> None:
    reserve(store, "a", sticky="ns/web")

    assert reserve(store, "b", sticky="ns/web") == ["10.10.1.0/24"]
    assert release(store, "b") == ["10.10.1.0/24"]
    release(store, "a")
    assert reserve(store, "c", sticky="ns/web") == ["10.10.0.0/24"]


def test_a_sticky_lease_that_no_longer_fits_is_free(store: Any) -> None:
    reserve(store, "a", sticky="ns/web")
    release(store, "a")

    assert reserve(store, "b", conf({"subnet": "10.20.0.0/16", "prefixLength": 24}), "ns/web") == [
        "10.20.0.0/24"
    ]
    assert reserve(store, "c", conf(ip="10.10.0.9")) == ["10.10.0.0/24"]


# the files ---------------------------------------------------------------------------------------


def test_scopes_are_apart_and_data_directories_are_not(world: World) -> None:
    asked = conf()

    assert reserve(world.store(), "a", asked) == ["10.10.0.0/24"]
    assert reserve(world.store(data_dir=f"{world.data_dir}2"), "b", asked) == ["10.10.1.0/24"]
    assert reserve(world.store(scope="other"), "c", asked) == ["10.10.0.0/24"]
    with pytest.raises(SubnetConflict):
        reserve(world.store(data_dir=f"{world.data_dir}2"), "d", conf(ip="10.10.0.7"))


def test_every_lease_is_found_from_the_run_directory(world: World) -> None:
    reserve(world.store(), "a")
    reserve(world.store(data_dir=f"{world.data_dir}2", scope="other"), "b")

    found = [(store.where, holding.names) for store, holding in own.all_holdings(world.host())]

    assert found == [
        (LeaseDir(world.data_dir, "default"), ["10.10.0.0_24"]),
        (LeaseDir(f"{world.data_dir}2", "other"), ["10.10.0.0_24"]),
    ]


def test_state_is_private(world: World) -> None:
    reserve(world.store(), "a", sticky="ns/web")

    for base in (world.data_dir, f"{world.run_dir}/subnets"):
        for top, directories, files in os.walk(base):
            assert oct(os.lstat(top).st_mode) == "0o40700"
            assert {oct(os.lstat(f"{top}/{file}").st_mode) for file in files} <= {"0o100600", "0o120777"}, (
                directories
            )


@pytest.mark.parametrize("where", ["data", "data/default"])
def test_a_symlink_in_place_of_a_directory_is_refused(world: World, tmp_path: Path, where: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / where).parent.mkdir(exist_ok=True, mode=0o700)
    (tmp_path / where).symlink_to(tmp_path / "elsewhere")

    with pytest.raises(InputOutput, match="symlink"):
        reserve(world.store(), "a")
    assert os.listdir(tmp_path / "elsewhere") == []


def test_a_directory_that_others_can_write_to_is_refused(world: World) -> None:
    os.mkdir(world.data_dir)
    os.chmod(world.data_dir, 0o777)

    with pytest.raises(InputOutput, match="others can write"):
        reserve(world.store(), "a")


@pytest.mark.parametrize("cid", ["../../x", "", ".", "a/b", "a\nb", "x" * 251])
def test_an_attachment_cannot_escape(world: World, cid: str) -> None:
    for verb in (reserve, release, lease_of):
        with pytest.raises(BadEnvironment):
            verb(world.store(), cid)
    assert not os.path.exists(world.data_dir)


def reboot(world: World) -> None:
    """/run is a tmpfs."""
    for top, directories, files in os.walk(world.run_dir, topdown=False):
        for name in files:
            os.unlink(f"{top}/{name}")
        for name in directories:
            path = f"{top}/{name}"
            os.unlink(path) if os.path.islink(path) else os.rmdir(path)


def test_leases_of_an_earlier_boot_are_dropped_as_a_whole_and_logged(world: World) -> None:
    before = world.store(boot="bbbbbbbb-0000-0000-0000-000000000000")
    for cid in "abc":
        reserve(before, cid)

    reboot(world)

    assert reserve(world.store(), "d") == ["10.10.0.0/24"]
    assert sorted(os.listdir(f"{world.data_dir}/default")) == [BOOT]
    assert "leases of an earlier boot dropped" in world.logged()
    assert "leases=3" in world.logged()


def test_sticky_leases_survive_a_reboot(world: World) -> None:
    before = world.store(boot="bbbbbbbb-0000-0000-0000-000000000000")
    reserve(before, "a", sticky="ns/web")
    reserve(before, "b")
    reboot(world)

    assert reserve(world.store(), "c") == ["10.10.1.0/24"]
    assert reserve(world.store(), "d", sticky="ns/web") == ["10.10.0.0/24"]
    assert release(world.store(), "a") == []


def test_a_sticky_lease_that_another_directory_gave_away_meanwhile_is_dropped(world: World) -> None:
    before = world.store(boot="bbbbbbbb-0000-0000-0000-000000000000")
    reserve(before, "a", sticky="ns/web")
    reboot(world)
    other = world.store(data_dir=f"{world.data_dir}2")

    assert reserve(other, "b") == ["10.10.0.0/24"]
    assert reserve(world.store(), "c", sticky="ns/web") == ["10.10.1.0/24"]
    assert "sticky leases dropped" in world.logged()


def test_the_run_directory_may_vanish_in_mid_boot(world: World) -> None:
    reserve(world.store(), "a")
    reserve(world.store(), "b")
    reboot(world)

    assert reserve(world.store(), "c") == ["10.10.2.0/24"]
    assert release(world.store(), "a") == ["10.10.0.0/24"]


def test_the_data_directory_may_vanish_in_mid_boot(world: World) -> None:
    reserve(world.store(), "a")
    os.rename(world.data_dir, f"{world.data_dir}.gone")

    assert release(world.store(), "a") == []
    assert reserve(world.store(), "b") == ["10.10.1.0/24"]
    assert reserve(world.store(), "c", conf(ip="10.10.0.9")) == ["10.10.0.0/24"]


@pytest.mark.parametrize(
    "damage", [b"", b"x", b"{}", b"[]", b'{"leases": 7}', b"\xff\xfe", b'{"a": 1, "a": 2}']
)
def test_a_lease_that_cannot_be_read_stays_leased_and_loses_nobody_else(world: World, damage: bytes) -> None:
    reserve(world.store(), "a")
    reserve(world.store(), "b")
    world.file("owners", "a@eth0").write_bytes(damage)

    assert [holding.names for holding in world.store().holdings()] == [["10.10.1.0_24"]]
    assert f"{world.data_dir}/default/{BOOT}/owners/a@eth0" in world.logged()
    for refused in (lease_of, reserve, release):
        with pytest.raises(Unreadable, match="a@eth0"):
            refused(world.store(), "a")
    with pytest.raises(SubnetConflict):
        reserve(world.store(), "c", conf(ip="10.10.0.9"))

    assert world.file("owners", "a@eth0").read_bytes() == damage
    assert lease_of(world.store(), "b") == ["10.10.1.0/24"]
    give_up(world, "a@eth0")
    assert not world.file("owners", "a@eth0").exists()
    assert reserve(world.store(), "c", conf(ip="10.10.0.9")) == ["10.10.0.0/24"]


def give_up(world: World, owner: str) -> None:
    with world.store().transaction("sriovctl gc") as transaction:
        transaction.give_up(transaction.boot, owner, transaction.boot.names_of_damaged(owner))


def test_a_lease_file_that_is_a_symlink_cannot_be_read(world: World, tmp_path: Path) -> None:
    reserve(world.store(), "a")
    world.file("owners", "a@eth0").unlink()
    world.file("owners", "a@eth0").symlink_to(tmp_path / "shadow")

    with pytest.raises(Unreadable, match="a@eth0"):
        release(world.store(), "a")
    assert not (tmp_path / "shadow").exists()
    give_up(world, "a@eth0")
    assert reserve(world.store(), "c", conf(ip="10.10.0.9")) == ["10.10.0.0/24"]


@pytest.mark.parametrize("damage", [b"", b"x", b"\0" * 5000, None])
def test_a_damaged_index_is_built_anew(world: World, damage: bytes | None) -> None:
    reserve(world.store(), "a")
    reserve(world.store(), "b", sticky="ns/web")
    path = Path(f"{world.run_dir}/subnets/default@v4")
    path.unlink() if damage is None else path.write_bytes(damage)
    Path(f"{world.run_dir}/subnets/default@10.10.0.0_22_24").write_bytes(b"torn")

    before = len(world.logged())

    assert reserve(world.store(), "c") == ["10.10.2.0/24"]

    level = "debug" if damage is None else "warning"  # that there is none yet is no news
    told = [line for line in world.logged()[before:].splitlines() if "index built anew" in line]
    assert [f"level={level}" in line for line in told] == [True]


def spoil(world: World) -> None:
    """The index says that the first subnet is free."""
    with world.store().transaction("spoil") as transaction:
        transaction._index(4).mark(parse_prefix("10.10.0.0/24"), leased=False)  # noqa: SLF001 # no caller can do this


def test_the_lease_files_beat_a_wrong_index(world: World) -> None:
    reserve(world.store(), "a")
    spoil(world)

    assert reserve(world.store(), "b") == ["10.10.1.0/24"]
    spoil(world)
    with pytest.raises(SubnetConflict):
        reserve(world.store(), "c", conf(ip="10.10.0.9"))
    assert lease_of(world.store(), "a") == ["10.10.0.0/24"]


def test_a_store_restored_from_a_backup_without_hard_links_works(world: World) -> None:
    reserve(world.store(), "a")
    text = world.file("leases", "10.10.0.0_24").read_bytes()
    world.file("leases", "10.10.0.0_24").unlink()
    world.file("leases", "10.10.0.0_24").write_bytes(text)

    assert lease_of(world.store(), "a") == ["10.10.0.0/24"]
    assert release(world.store(), "a") == ["10.10.0.0/24"]
    assert os.listdir(world.file("leases", "")) == []


def test_a_lease_in_other_hands_is_not_released(world: World) -> None:
    reserve(world.store(), "a")
    reserve(world.store(), "b")
    os.rename(world.file("leases", "10.10.1.0_24"), world.file("leases", "10.10.0.0_24"))

    release(world.store(), "a")

    assert os.listdir(world.file("leases", "")) == ["10.10.0.0_24"]
    with pytest.raises(SubnetConflict):
        reserve(world.store(), "c", conf(ip="10.10.0.9"))
    assert "out of step" not in world.logged(), "the index knew"


def test_a_lock_that_is_held_too_long_names_its_holder(world: World) -> None:
    reserve(world.store(), "a")

    with world.store().node.journal("a verb that hangs"), pytest.raises(TryAgain) as caught:
        world.store().node.journal("another").acquire(0.05)

    assert (caught.value.code, f"pid {os.getpid()} (a verb that hangs)" in caught.value.msg) == (11, True)
    assert reserve(world.store(), "b") == ["10.10.1.0/24"]


# the acts ----------------------------------------------------------------------------------------


def act(world: World, cid: str, *, sticky: bool = False) -> list[str]:
    asked = hostsubnet.parse({"dataDir": world.data_dir, "pools": [POOL], "sticky": sticky})
    question = own.Asked(asked, Attachment(cid, "eth0"), "net", "/run/netns/x", [4, 1], 0, [], foreign=True)
    found = own.reserve(world.host(), question, lambda _: False)
    return [ip.address for ip in found.ips]


def test_check_finds_what_add_made_and_names_what_is_not_so(world: World) -> None:
    act(world, "a")
    attachment, where = Attachment("a", "eth0"), LeaseDir(world.data_dir, "default")

    def check(network: str = "net", address: str = "10.10.0.2/24") -> None:
        own.check_leases(world.host(), attachment, network, where, [address])

    check()
    with pytest.raises(Drift, match="a/eth0") as caught:
        check(network="other")
    assert "network net" in caught.value.details
    with pytest.raises(Drift) as caught:
        check(address="10.10.0.3/24")
    assert "10.10.0.3/24" in caught.value.details
    world.file("leases", "10.10.0.0_24").unlink()
    with pytest.raises(Drift, match="there is none"):
        check()


def test_a_name_that_is_missing_makes_the_lease_not_sticky_and_says_so(world: World) -> None:
    act(world, "a", sticky=True)

    assert "not sticky" in world.logged()
    assert not os.path.exists(f"{world.data_dir}/default/sticky")
