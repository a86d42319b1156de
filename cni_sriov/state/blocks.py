"""What this node has of a cluster: the blocks of shared pools that it may cut subnets from, and how far it has got with others.

    <base>/<cluster>/token                     who we are to the engine; made once
    <base>/<cluster>/machine                   which machine's that is, by its machine-id
    <base>/<cluster>/stopped                   this may be a copy of the machine that the engine knows
    <base>/<cluster>/claiming/10.10.16.0_20    written before the engine is asked for the block
    <base>/<cluster>/blocks/10.10.16.0_20      ours
    <base>/<cluster>/releasing/10.10.16.0_20   empty; nothing is cut from it while the engine is told
    <base>/<cluster>/lost/10.10.16.0_20        ours until the engine named another holder; nothing is cut from it
    <base>/<cluster>/pools/10.10.0.0_16        which pools this node uses of the cluster
    <base>/<cluster>/contact                   when the engine was last spoken to, and what it then had from us
    <run_dir>/clusters/<cluster>/...           lock, failure, contacted: of this boot alone

What an ADD looks at is in state/nodeblocks.py. A file's name says which block it is; what is in it may be damaged and the block is there all the same. A block is in one
directory at a time and moves by rename. All below <base> outlives power loss: where the engine has a block as ours, a file
here says so, whenever this node dies.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, TypeVar

from ..words.cluster import KEPT_NONCES
from ..words.errors import InputOutput, Unreadable
from ..words.inet import Prefix
from ..words.stored import Stored, opened, parsed, rendered, stamped, stored
from . import files
from .ledger import Ledger
from .nodeblocks import BLOCKS, LOST, MACHINE_ID, NodeBlocks

CLAIMING, RELEASING, POOLS = "claiming", "releasing", "pools"
_TOKEN_BYTES = 16
Noun = TypeVar("Noun", bound=Stored)


@stored(holder={})
@dataclass(slots=True)
class Claimed(Stored):
    """A block's file. `since` is when it was claimed, in seconds; `holder` who has a lost one, as the engine told it.

    Of a file that cannot be read there is the block alone: `fingerprint` is "".
    """

    block: str
    pool: str
    fingerprint: str
    since: int
    holder: dict[str, Any] = field(default_factory=dict)


@stored(exclude=[])
@dataclass(slots=True)
class UsedPool(Stored):
    """`length` is that of its blocks, `prefixLength` that of a lease. `exclude`: prefixes from which nothing can be cut here."""

    subnet: str
    length: int
    prefixLength: int  # noqa: N815 # the key of the configuration
    exclude: list[str] = field(default_factory=list)


@stored()
@dataclass(slots=True)
class Contact(Stored):
    """`pending`: the nonce that the engine may have by now, "" = the last of `nonces`; `record`: what it has of this node."""

    at: int = 0
    nonces: list[str] = field(default_factory=list)
    pending: str = ""
    record: dict[str, Any] = field(default_factory=dict)


class LostToken(InputOutput):
    """What tells the engine who we are is gone, while blocks are claimed by it: we would claim beside ourselves."""


def of(ledger: Ledger, name: str) -> ClusterFiles:
    return ClusterFiles(name, ledger.cluster_dir, ledger.run_dir, ledger.machine_id)


class ClusterFiles(NodeBlocks):
    """All methods that change something but `token` expect the caller to hold `lock`; `begin_release` the subnets' lock, too.

    `damaged`: what could not be read so far. No claim depends on it.
    """

    __slots__ = ("damaged",)

    def __init__(self, name: str, base: str, run_dir: str, machine_id: str = MACHINE_ID) -> None:
        super().__init__(name, base, run_dir, machine_id)
        self.damaged: list[Unreadable] = []

    # who we are ----------------------------------------------------------------------------------

    def token(self) -> str:
        """Of this installation; made at the first call. LostToken if it is gone while something is claimed by it."""
        path = f"{self.path}/token"
        text = files.read(path)
        if text is None:
            self._refuse_lost_token()
            self._make_token(path)
            text = files.read(path) or ""
        token = text.strip()
        if len(token) != 2 * _TOKEN_BYTES or token.strip("0123456789abcdef"):
            raise LostToken(
                f"read {path}: it is no token", f"put it back from a backup: {self._claimed_by()}"
            )
        return token

    def _make_token(self, path: str) -> None:
        """By link(): of two who make it at once, both have the one that was first."""
        temporary = f"{files.beside(path, 'tmp')}.{os.getpid()}"
        self._ensure("")
        files.replace(f"{self.path}/machine", self.machine(), durable=True)
        try:
            files.create(temporary, f"{os.urandom(_TOKEN_BYTES).hex()}\n".encode(), durable=True)
            try:
                os.link(temporary, path)
            except FileExistsError:
                pass
            os.unlink(temporary)
            files.sync(self.path)
        except OSError as error:
            raise InputOutput(f"write {path}: {error.strerror}") from error

    def _refuse_lost_token(self) -> None:
        if any(self._names(directory) for directory in (BLOCKS, CLAIMING, RELEASING, LOST)):
            raise LostToken(
                f"read {self.path}/token: it is gone, and blocks are claimed by it",
                f"put it back from a backup: {self._claimed_by()}",
            )

    def _claimed_by(self) -> str:
        found = {claimed.fingerprint for name in _EACH for claimed in self._claimed(name).values()} - {""}
        told = f"the engine knows this node as {', '.join(sorted(found))}" if found else "nothing tells which"
        return f"{told}, {self.path} has its blocks"

    @property
    def fingerprint(self) -> str:
        """What the engine sees of the token; errors as of `token`."""
        return sha256(self.token().encode()).hexdigest()[:32]

    # blocks --------------------------------------------------------------------------------------

    def claimed(self) -> dict[Prefix, Claimed]:
        """`names`, with what is in the files."""
        return self._claimed(BLOCKS)

    def claiming(self) -> dict[Prefix, Claimed]:
        return self._claimed(CLAIMING)

    def releasing(self) -> dict[Prefix, Claimed]:
        return self._claimed(RELEASING)

    def lost(self) -> dict[Prefix, Claimed]:
        return self._claimed(LOST)

    def intend(self, block: Prefix, pool: Prefix) -> Claimed:
        """To be written before the engine is asked. An intent that stands is the answer: it may be known there by now."""
        standing = self._claimed_one(CLAIMING, block)
        if standing is not None and standing.fingerprint:
            return standing
        claimed = Claimed(str(block), str(pool), self.fingerprint, int(time.time()))
        self._put(CLAIMING, block, claimed)
        return claimed

    def settle(self, block: Prefix, ours: bool) -> None:
        """The engine's word on an intent."""
        if ours:
            self._move(block, CLAIMING, BLOCKS)
        else:
            self._remove(CLAIMING, block)

    def begin_release(self, block: Prefix) -> None:
        """Nothing is leased in it, and the subnets' lock is held: nothing can be, from here on."""
        self._move(block, BLOCKS, RELEASING)

    def end_release(self, block: Prefix) -> None:
        """The engine has it no more, or as another's."""
        self._remove(RELEASING, block)

    def lose(self, block: Prefix, holder: dict[str, Any]) -> None:
        """The engine has it as another's. Moved first: from then on nothing is cut from it, whoever has it."""
        self._move(block, BLOCKS, LOST)
        known = self._claimed_one(LOST, block) or Claimed(str(block), "", "", 0)
        if known.holder != holder:
            known.holder = holder
            self._put(LOST, block, known)

    def found(self, block: Prefix) -> None:
        """The engine has a lost one as ours again."""
        self._move(block, LOST, BLOCKS)

    def drop_lost(self, block: Prefix) -> None:
        """Nothing of this node is leased in it any more."""
        self._remove(LOST, block)

    def _claimed(self, directory: str) -> dict[Prefix, Claimed]:
        each = {block: self._claimed_one(directory, block) for block in self._names(directory)}
        return {block: claimed for block, claimed in each.items() if claimed is not None}

    def _claimed_one(self, directory: str, block: Prefix) -> Claimed | None:
        """None if there is no file."""
        path = self._of(directory, block)
        try:
            return _read(path, Claimed.from_json)
        except (Unreadable, files.NoFile) as error:
            self._note(path, error)
            return Claimed(str(block), "", "", 0)

    def _note(self, path: str, error: InputOutput | Unreadable) -> None:
        found = error if isinstance(error, Unreadable) else Unreadable.of(path, error.msg)
        found.details = "its name says what it is of, and that is enough"
        if found.path not in {known.path for known in self.damaged}:
            self.damaged.append(found)

    # what is said to the engine, and was --------------------------------------------------------------

    def contact(self) -> Contact | None:
        """None before the first one. LostToken if it cannot be read: without it nobody tells this node from a copy of it."""
        try:
            return _read(f"{self.path}/contact", Contact.from_json)
        except (Unreadable, files.NoFile) as error:
            raise LostToken(error.msg, f"put it back from a backup: {self._claimed_by()}") from error

    def put_contact(self, contact: Contact) -> None:
        contact.nonces = contact.nonces[-KEPT_NONCES:]
        self._ensure("")
        files.replace(f"{self.path}/contact", _text(self.name, contact), durable=True)

    def pools(self) -> list[UsedPool]:
        """Those that can be read: a refill that names the pool writes it anew."""
        found = []
        for prefix in self._names(POOLS):
            path = self._of(POOLS, prefix)
            try:
                pool = _read(path, UsedPool.from_json)
            except (Unreadable, files.NoFile) as error:
                self._note(path, error)
                continue
            found += [pool] if pool is not None else []
        return found

    def put_pool(self, subnet: Prefix, length: int, prefix_length: int, exclude: Sequence[str] = ()) -> None:
        pool = UsedPool(str(subnet), length, prefix_length, [*exclude])
        try:
            known = _read(self._of(POOLS, subnet), UsedPool.from_json)
        except (Unreadable, files.NoFile):
            known = None  # and written anew
        if known != pool:
            self._put(POOLS, subnet, pool)

    def drop_pool(self, subnet: Prefix) -> None:
        """Of which this node has no block any more."""
        self._remove(POOLS, subnet)

    # of this boot --------------------------------------------------------------------------------

    def put_failure(self, code: int, msg: str, details: str) -> None:
        files.ensure_directory(self.run_path)
        failure = {"code": code, "msg": msg, "details": details, "at": int(time.time())}
        files.replace(f"{self.run_path}/failure", rendered("the failure", stamped(failure)))

    def clear_failure(self) -> None:
        files.remove(f"{self.run_path}/failure")

    def stop(self) -> None:
        """By a contact's word, until one goes well: nothing is cut, in this boot and in later ones."""
        self._ensure("")
        files.replace(f"{self.path}/stopped", "", durable=True)
        files.remove(f"{self.run_path}/contacted")

    def note_contacted(self) -> None:
        files.remove(f"{self.path}/stopped")
        files.ensure_directory(self.run_path)
        files.replace(f"{self.run_path}/contacted", "")

    # files ---------------------------------------------------------------------------------------

    def _put(self, directory: str, prefix: Prefix, noun: Stored) -> None:
        self._ensure(f"/{directory}")
        files.replace(self._of(directory, prefix), _text(str(prefix), noun), durable=True)

    def _move(self, block: Prefix, source: str, target: str) -> None:
        """Done already is success: whoever was killed in between is followed by one who does it again."""
        self._ensure(f"/{source}")
        self._ensure(f"/{target}")
        ours, path = self._of(source, block), self._of(target, block)
        try:
            if files.exists(ours) or not files.exists(path):
                os.rename(ours, path)
            files.sync(f"{self.path}/{target}")
            files.sync(f"{self.path}/{source}")
        except OSError as error:
            raise InputOutput(f"move {ours} to {path}: {error.strerror}") from error

    def _remove(self, directory: str, block: Prefix) -> None:
        path = self._of(directory, block)
        files.forget(path)
        try:
            files.sync(f"{self.path}/{directory}")
        except FileNotFoundError:
            pass  # nothing was ever there
        except OSError as error:
            raise InputOutput(f"remove {path}: {error.strerror}") from error

    def _ensure(self, directory: str) -> None:
        """What is made anew outlives power loss with what is put in it."""
        path = self.path + directory
        if files.exists(path):
            files.ensure_directory(path)
            return
        known = path
        while not files.exists(known):
            known = known.rpartition("/")[0] or "/"
        files.ensure_directory(path)
        try:
            while path != known:
                path = path.rpartition("/")[0] or "/"
                files.sync(path)
        except OSError as error:
            raise InputOutput(f"make directory {path}: {error.strerror}") from error


_EACH = (BLOCKS, CLAIMING, RELEASING, LOST)


def _text(what: str, noun: Stored) -> str:
    return rendered(f"what is known of {what}", stamped(noun.to_json()), is_foreign=True)


def _read(path: str, build: Callable[[dict[str, Any]], Noun]) -> Noun | None:
    """None if there is no file; Unreadable, files.NoFile."""
    text = files.read(path)
    return None if text is None else parsed(path, text, lambda raw: build(opened(raw)))
