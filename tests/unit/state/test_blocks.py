"""A block is in one directory at a time, moves by rename, and is never forgotten: by damage, by a kill, by power loss."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from cni_sriov.conf import cluster
from cni_sriov.state import blocks, files, nodeblocks
from cni_sriov.state.blocks import ClusterFiles, Contact, LostToken
from cni_sriov.state.ledger import Ledger
from cni_sriov.words.errors import InputOutput, TryAgain
from cni_sriov.words.inet import Prefix, parse_prefix
from cni_sriov.words.log import Log

POOL = parse_prefix("10.10.0.0/16")
B1, B2 = parse_prefix("10.10.16.0/20"), parse_prefix("10.10.32.0/20")
V6 = parse_prefix("fd00:10::/56")
THEM = {"fingerprint": "f" * 32, "node": "r1n2"}
WHERE = ("blocks", "claiming", "releasing", "lost")


@pytest.fixture
def there(tmp_path: Path) -> ClusterFiles:
    return ClusterFiles("rack", str(tmp_path / "base"), str(tmp_path / "run"))


def again(there: ClusterFiles) -> ClusterFiles:
    """As another process sees it."""
    return ClusterFiles(
        there.name, there.path.rpartition("/")[0], there.run_path.removesuffix("/clusters/rack")
    )


def seen(there: ClusterFiles) -> dict[str, list[str]]:
    """The files, told by the directory alone."""
    top = Path(there.path)
    return {
        name: sorted(os.listdir(top / name))
        for name in WHERE
        if (top / name).exists() and any((top / name).iterdir())
    }


def ours(there: ClusterFiles, *blocks: Prefix) -> ClusterFiles:
    for block in blocks:
        there.intend(block, POOL)
        there.settle(block, ours=True)
    return there


# who we are ----------------------------------------------------------------------------------------------------------


def test_the_token_is_made_once_and_its_fingerprint_is_what_the_engine_sees(there: ClusterFiles) -> None:
    token = there.token()
    path = Path(there.path) / "token"

    assert path.read_text() == f"{token}\n"
    assert len(bytes.fromhex(token)) == 16
    assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode)) == (0o600, 0o700)
    assert again(there).token() == token
    assert there.fingerprint == hashlib.sha256(token.encode()).hexdigest()[:32]
    assert sorted(os.listdir(there.path)) == ["machine", "token"]


def test_two_tokens_are_two(there: ClusterFiles, tmp_path: Path) -> None:
    assert ClusterFiles("rack", str(tmp_path / "other"), str(tmp_path / "run")).token() != there.token()


def test_of_two_that_make_it_at_once_both_have_the_first(
    there: ClusterFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def late(source: str, target: str) -> None:
        monkeypatch.setattr(os, "link", link)
        Path(target).write_text(f"{'5a' * 16}\n")
        link(source, target)

    monkeypatch.setattr(os, "link", late)

    assert there.token() == again(there).token() == "5a" * 16
    assert sorted(os.listdir(there.path)) == ["machine", "token"]


@pytest.mark.parametrize("where", WHERE)
def test_a_token_that_is_gone_is_not_made_anew_while_something_is_claimed_by_it(
    there: ClusterFiles, where: str
) -> None:
    claimed_as = there.fingerprint
    there.intend(B1, POOL)
    if where != "claiming":
        there.settle(B1, ours=True)
    if where == "lost":
        there.lose(B1, THEM)
    if where == "releasing":
        there.begin_release(B1)
    Path(there.path, "token").unlink()

    with pytest.raises(LostToken) as caught:
        again(there).token()

    assert (caught.value.code, caught.value.msg) == (
        5,
        f"read {there.path}/token: it is gone, and blocks are claimed by it",
    )
    assert claimed_as in caught.value.details
    assert not Path(there.path, "token").exists()


@pytest.mark.parametrize("text", ["", "\n", "x" * 32, "0" * 31, "0" * 34])
def test_a_token_that_is_none_is_no_other_one(there: ClusterFiles, text: str) -> None:
    there.token()
    Path(there.path, "token").write_text(text)

    with pytest.raises(LostToken, match="it is no token"):
        again(there).token()
    assert Path(there.path, "token").read_text() == text


@pytest.mark.parametrize(
    ("made_on", "here", "copied"),
    [("1" * 32, "2" * 32, True), ("1" * 32, "1" * 32, False), ("", "2" * 32, False), ("1" * 32, "", False),
     ("uninitialized\n", "2" * 32, False), ("1" * 32, "uninitialized\n", False)],
)  # fmt: skip
def test_a_copied_disk_is_another_machines(tmp_path: Path, made_on: str, here: str, copied: bool) -> None:
    machine = tmp_path / "machine-id"
    there = ClusterFiles("rack", str(tmp_path / "base"), str(tmp_path / "run"), str(machine))
    assert not there.is_of_another_machine()
    machine.write_text(made_on)
    there.token()
    machine.write_text(here)

    assert there.is_of_another_machine() == copied


# blocks --------------------------------------------------------------------------------------------------------------


def test_a_claim_is_an_intent_and_then_ours(there: ClusterFiles) -> None:
    claimed = there.intend(B1, POOL)

    raw = json.loads(Path(there.path, "claiming/10.10.16.0_20").read_text())
    assert {key: raw[key] for key in ("block", "pool", "fingerprint")} == {
        "block": "10.10.16.0/20", "pool": "10.10.0.0/16", "fingerprint": there.fingerprint,
    }  # fmt: skip
    assert (again(there).names(), again(there).claiming()) == ([], {B1: claimed})

    there.settle(B1, ours=True)

    assert seen(there) == {"blocks": ["10.10.16.0_20"]}
    assert (again(there).names(), again(there).claimed()) == ([B1], {B1: claimed})


def test_an_intent_that_stands_is_the_same_claim(there: ClusterFiles) -> None:
    first = there.intend(B1, POOL)
    path = Path(there.path, "claiming/10.10.16.0_20")
    path.write_text(path.read_text().replace(str(first.since), "17"))

    assert again(there).intend(B1, POOL).since == 17


def test_what_is_anothers_is_no_intent_any_more(there: ClusterFiles) -> None:
    there.intend(B1, POOL)
    there.settle(B1, ours=False)

    assert seen(there) == {}


def test_a_release_begins_and_ends(there: ClusterFiles) -> None:
    ours(there, B1, B2)
    there.begin_release(B1)
    assert (again(there).names(), list(again(there).releasing())) == ([B2], [B1])

    there.end_release(B1)
    assert seen(there) == {"blocks": ["10.10.32.0_20"]}


def test_a_lost_block_says_who_has_it_and_may_be_found(there: ClusterFiles) -> None:
    ours(there, B1)
    there.lose(B1, THEM)
    assert (again(there).names(), again(there).lost()[B1].holder) == ([], THEM)

    there.found(B1)
    assert (again(there).names(), seen(there)) == ([B1], {"blocks": ["10.10.16.0_20"]})

    there.lose(B1, THEM)
    there.drop_lost(B1)
    assert seen(there) == {}


def test_names_are_of_both_families_and_of_blocks_alone(there: ClusterFiles) -> None:
    ours(there, B2, V6, B1)
    for other in (".tmp-10.10.48.0_20", "10.10.49.0_20", "readme"):
        Path(there.path, "blocks", other).write_text("")

    assert there.names() == [B1, B2, V6]


def test_none_is_no_directory(there: ClusterFiles) -> None:
    assert (
        there.names(),
        there.claimed(),
        there.lost(),
        there.pools(),
        there.contact(),
        there.failure(),
    ) == ([], {}, {}, [], None, None)
    assert not Path(there.path).exists()
    for act in (there.end_release, there.drop_lost):
        act(B1)


def test_what_was_never_ours_cannot_be_released(there: ClusterFiles) -> None:
    with pytest.raises(InputOutput, match="No such file"):
        there.begin_release(B1)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 9}', "\udcff"])
@pytest.mark.parametrize("where", WHERE)
def test_a_damaged_file_keeps_its_block_where_it_is(there: ClusterFiles, where: str, text: str) -> None:
    ours(there, B2)
    if where == "claiming":
        there.intend(B1, POOL)
    else:
        ours(there, B1)
    if where == "lost":
        there.lose(B1, THEM)
    if where == "releasing":
        there.begin_release(B1)
    path = Path(there.path, where, "10.10.16.0_20")
    path.write_text(text, errors="surrogateescape")

    look = again(there)
    found = {
        "blocks": look.claimed,
        "claiming": look.claiming,
        "releasing": look.releasing,
        "lost": look.lost,
    }[where]()

    assert (found[B1].block, found[B1].fingerprint) == ("10.10.16.0/20", "")
    assert [error.path for error in look.damaged] == [str(path)]
    assert B2 in look.names()
    assert (B1 in look.names()) == (where == "blocks")


def test_a_symlink_is_damage_too(there: ClusterFiles, tmp_path: Path) -> None:
    ours(there, B1)
    path = Path(there.path, "blocks/10.10.16.0_20")
    path.rename(tmp_path / "x")
    path.symlink_to(tmp_path / "x")

    assert there.names() == [B1]
    assert there.claimed()[B1].fingerprint == ""
    assert len(there.damaged) == 1


def test_a_failed_look_is_no_damage(there: ClusterFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    ours(there, B1)

    def fails(path: str) -> str:
        raise InputOutput(f"read {path}: Too many open files")

    monkeypatch.setattr(files, "read", fails)

    with pytest.raises(InputOutput):
        there.claimed()
    assert there.damaged == []


def test_what_a_later_version_wrote_beside_is_kept(there: ClusterFiles) -> None:
    ours(there, B1)
    path = Path(there.path, "blocks/10.10.16.0_20")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"minor": 9, "later": "x"}))

    there.lose(B1, THEM)

    assert json.loads(Path(there.path, "lost/10.10.16.0_20").read_text())["later"] == "x"


# kills ---------------------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """Nobody catches it, as nobody catches SIGKILL."""


CALLS = ("open", "write", "rename", "link", "unlink", "mkdir", "fsync")


def dies_at(monkeypatch: pytest.MonkeyPatch, number: int) -> list[str]:
    """At its call `number` the process is gone; the answer lists those before."""
    calls: list[str] = []

    def watched(name: str, real: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **more: object) -> object:
            if len(calls) >= number:
                raise Killed
            calls.append(name)
            return real(*args, **more)

        return call

    for name in CALLS:
        monkeypatch.setattr(os, name, watched(name, getattr(os, name)))
    return calls


def a_lost_one(there: ClusterFiles) -> None:
    ours(there, B1)
    there.lose(B1, THEM)


STEPS: dict[str, tuple[Callable[[ClusterFiles], object], Callable[[ClusterFiles], object]]] = {
    "intend": (lambda there: there.token(), lambda there: there.intend(B1, POOL)),
    "settle": (lambda there: there.intend(B1, POOL), lambda there: there.settle(B1, ours=True)),
    "begin_release": (lambda there: ours(there, B1), lambda there: there.begin_release(B1)),
    "lose": (lambda there: ours(there, B1), lambda there: there.lose(B1, THEM)),
    "found": (a_lost_one, lambda there: there.found(B1)),
}


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_call_the_block_is_in_one_place_and_the_step_can_be_done_again(
    step: str, tmp_path: Path
) -> None:
    before, act = STEPS[step]
    number, done = 0, False
    while not done:
        there = ClusterFiles("rack", str(tmp_path / f"{number}"), str(tmp_path / "run"))
        before(there)
        was = seen(there)
        with pytest.MonkeyPatch.context() as patch:
            calls = dies_at(patch, number)
            try:
                act(again(there))
                done = True
            except Killed:
                pass
        places = [where for where, names in seen(there).items() if "10.10.16.0_20" in names]
        assert places == [*was] or len(places) == 1, (calls, seen(there))
        assert there.damaged == []

        act(again(there))
        look = again(there)
        assert len(seen(look)) == 1
        for found in (look.claimed(), look.claiming(), look.releasing(), look.lost()):
            assert all(claimed.fingerprint == look.fingerprint for claimed in found.values())
        number += 1
    assert number > 3


@pytest.mark.parametrize("step", STEPS)
def test_what_was_done_outlives_power_loss(
    step: str, there: ClusterFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each new file is synced before it has its name, and each directory after its names changed."""
    before, act = STEPS[step]
    before(there)
    dirty: set[str] = set()
    paths: dict[int, str] = {}
    real = {name: getattr(os, name) for name in ("open", "rename", "mkdir", "unlink", "fsync", "close")}

    def opened(path: str, flags: int, *mode: int, **more: int) -> int:
        fd: int = real["open"](path, flags, *mode, **more)
        paths[fd] = path
        if flags & os.O_CREAT:
            dirty.add(path)
        return fd

    def renamed(source: str, target: str) -> None:
        assert source not in dirty, f"{source} has its name before it is on the disk"
        real["rename"](source, target)
        dirty.update({os.path.dirname(source), os.path.dirname(target)})

    def made(path: str, *mode: int) -> None:
        real["mkdir"](path, *mode)
        dirty.add(os.path.dirname(path))

    def synced(fd: int) -> None:
        dirty.discard(paths[fd])

    monkeypatch.setattr(os, "open", opened)
    monkeypatch.setattr(os, "rename", renamed)
    monkeypatch.setattr(os, "mkdir", made)
    monkeypatch.setattr(os, "fsync", synced)
    act(there)

    assert dirty == set()


# the rest ------------------------------------------------------------------------------------------------------------


def test_the_contact_is_read_back_with_the_last_nonces(there: ClusterFiles) -> None:
    there.put_contact(Contact(7, [str(n) for n in range(70)], "next", {"node": "r1"}))

    found = again(there).contact()
    assert found is not None
    assert (found.at, found.nonces, found.pending, found.record) == (
        7,
        [str(n) for n in range(6, 70)],
        "next",
        {"node": "r1"},
    )


@pytest.mark.parametrize("text", ["", "{}", '{"at": "x"}'])
def test_a_damaged_contact_is_not_the_first_one(there: ClusterFiles, text: str) -> None:
    there.put_contact(Contact())
    Path(there.path, "contact").write_text(text)

    with pytest.raises(LostToken, match="put it back from a backup"):
        there.contact()


def test_pools_in_use(there: ClusterFiles) -> None:
    there.put_pool(POOL, 20, 24)
    there.put_pool(V6, 56, 64)
    Path(there.path, "pools/10.10.0.0_16").write_text("{")

    assert [(pool.subnet, pool.length, pool.prefixLength) for pool in there.pools()] == [
        ("fd00:10::/56", 56, 64)
    ]
    assert len(there.damaged) == 1

    there.put_pool(POOL, 21, 24)
    assert [pool.length for pool in again(there).pools()] == [21, 56]


def test_the_same_pool_is_not_written_again(there: ClusterFiles) -> None:
    there.put_pool(POOL, 20, 24)
    before = os.stat(Path(there.path, "pools/10.10.0.0_16")).st_ino
    there.put_pool(POOL, 20, 24)

    assert os.stat(Path(there.path, "pools/10.10.0.0_16")).st_ino == before


def test_the_last_failure(there: ClusterFiles) -> None:
    there.put_failure(
        11, "ask etcd of cluster rack: no endpoint answered", "https://a: refused\nhttps://b: timed out"
    )

    failure = again(there).failure()
    assert failure is not None
    assert (failure.code, failure.details) == (11, "https://a: refused\nhttps://b: timed out")

    Path(there.run_path, "failure").write_text("{")
    assert there.failure() is None
    there.clear_failure()
    there.clear_failure()
    assert os.listdir(there.run_path) == []


def test_a_contact_of_this_boot(there: ClusterFiles) -> None:
    assert not there.was_contacted()
    there.note_contacted()
    assert again(there).was_contacted()


def test_one_lock_handed_over_without_a_moment_between(there: ClusterFiles) -> None:
    with there.lock("ADD") as held:
        handed = os.dup(held.fd)
    assert not again(there).lock("another").try_acquire()

    child = again(there).lock("sriovctl pool refill", handed)
    assert not os.get_inheritable(handed)
    other = again(there).lock("another")
    with pytest.raises(TryAgain, match=r"sriovctl pool refill"):
        other.acquire(0.01)

    child.release()
    assert other.try_acquire()
    other.release()


def test_a_descriptor_of_another_file_is_no_lock(there: ClusterFiles, tmp_path: Path) -> None:
    fd = os.open(tmp_path / "x", os.O_CREAT | os.O_RDWR)
    with pytest.raises(TryAgain, match=f"descriptor {fd} is of another file"):
        there.lock("refill", fd)
    with pytest.raises(InputOutput, match="Bad file descriptor"):
        there.lock("refill", 999)


def test_the_ledger_knows_where(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path / "state"), Log("none"), str(tmp_path / "run"), "this boot")
    assert ledger.cluster_dir == "/var/lib/cni-sriov/clusters"
    assert cluster.DIRECTORY == nodeblocks.CONF_DIR

    ledger.cluster_dir = str(tmp_path / "clusters")
    assert ledger.clusters() == []
    ours(blocks.of(ledger, "rack"), B1)
    assert (ledger.clusters(), ledger.cluster("rack").names()) == (["rack"], [B1])
