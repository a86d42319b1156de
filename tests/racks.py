"""Machines that share a pool, and who judges what they hold.

A `Machine` is a rig (tests/integration/rig.py) with a host name, an /etc and a place at the bridge of tests/etcd.py. What
is leased and claimed is read from its files and from etcd by etcdctl, and compared by brute force: nothing of the product
is called.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import uuid
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from tests import bundle
from tests.etcd import PASSWORD, PREFIX, USER, Etcd
from tests.inside import NEWUTS
from tests.integration.rig import Call, Rig, call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

CLUSTER = "rack"
ETC = "/etc/cni-sriov"
KEPT = f"/var/lib/cni-sriov/clusters/{CLUSTER}"
RUN = f"/run/cni-sriov/clusters/{CLUSTER}"
FIRST_HOST = 11  # the bridge's addresses below are etcd's


class Shared(NamedTuple):
    """A pool as the configuration has it."""

    subnet: str = "10.64.0.0/16"
    prefix_length: int = 26
    block_length: int = 21

    @property
    def section(self) -> dict[str, Any]:
        return section(self)

    @property
    def subnets(self) -> set[Any]:
        return set(ip_network(self.subnet).subnets(new_prefix=self.prefix_length))

    @property
    def blocks(self) -> set[Any]:
        return set(ip_network(self.subnet).subnets(new_prefix=self.block_length))

    @property
    def per_block(self) -> int:
        return int(2 ** (self.prefix_length - self.block_length))


def section(*pools: Shared) -> dict[str, Any]:
    """The `ipam` that gives one subnet of each."""
    blocks = [{"cluster": CLUSTER, "length": pool.block_length} for pool in pools]
    listed = [
        {"subnet": pool.subnet, "prefixLength": pool.prefix_length, "blocks": cut}
        for pool, cut in zip(pools, blocks, strict=True)
    ]
    return {"type": "host-subnet", "pools": listed}


class Machine(Rig):
    """A node of a cluster: `with Machine("n1", etcd) as node:`."""

    _numbers = itertools.count()  # a port's name is free again only when the kernel has cleaned up

    def __init__(self, name: str, etcd: Etcd, prefix: str = PREFIX, vfs: int = 1) -> None:
        super().__init__(vfs)
        self.name, self.number, self.etcd, self.prefix = name, next(self._numbers), etcd, prefix
        self.pod = ""
        self.bundle = bundle.directory() / "cni-sriov"
        self._tid = 0

    def __enter__(self) -> Self:
        super().__enter__()
        try:
            self._tid = self.inside(threading.get_native_id)
            self.unshare(NEWUTS)
            self.inside(socket.sethostname, self.name)
            self._make_etc()
            self.pod = self.add_pod("pod")
            where = f"/proc/{os.getpid()}/task/{self._tid}/ns/net"
            self.etcd.net.plug(self.port, where, FIRST_HOST + self.number % 200)
            self.configure()
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        """With what it started: a refill that waits for etcd would keep the namespaces."""
        if self._tid:
            for pid in self.processes():
                kill(pid)
        super().close()

    @property
    def port(self) -> str:
        return f"n{self.number}"

    # -- what an operator does ----------------------------------------------------------------------------------------

    def configure(self, **keys: Any) -> None:
        """The cluster's file; a key that is None is left out."""
        said = {
            "engine": "etcd",
            "endpoints": self.etcd.endpoints,
            "ca": f"{ETC}/pki/ca.pem",
            "cert": f"{ETC}/pki/client.pem",
            "key": f"{ETC}/pki/client.key",
            "user": USER,
            "passwordFile": f"{ETC}/pki/password",
            "prefix": self.prefix,
        } | keys
        text = json.dumps({key: value for key, value in said.items() if value is not None})
        self.inside(_write, f"{ETC}/clusters/{CLUSTER}.json", text)

    def set_password(self, password: str) -> None:
        self.inside(_write, f"{ETC}/pki/password", f"{password}\n")

    def set_machine_id(self, text: str) -> None:
        self.inside(_write, "/etc/machine-id", f"{text}\n", 0o644)

    def cut(self) -> None:
        self.etcd.net.cut(self.port)

    def heal(self) -> None:
        self.etcd.net.heal(self.port)

    def copy_state_to(self, other: Machine) -> None:
        """As an image that was made of this machine, its name in /etc/hostname apart."""
        shutil.copytree(self.path("/var/lib/cni-sriov"), other.path("/var/lib/cni-sriov"), dirs_exist_ok=True)

    def reboot(self) -> None:
        """As far as /run tells it."""
        shutil.rmtree(self.path("/run/cni-sriov"))

    # -- what a runtime does, and an operator types -------------------------------------------------------------------

    def host_subnet(self, verb: str, container: str, shared: Shared, **keys: Any) -> Call:
        """As `bridge` calls its ipam."""
        conf = {"cniVersion": "1.1.0", "name": "rack", "type": "bridge", "ipam": shared.section} | keys
        return call(verb, container, self.pod, conf, (str(self.bundle / "host-subnet"),))

    def add(self, container: str, shared: Shared, **keys: Any) -> Any:
        """The subnet, or the error's document."""
        status, answer = self.answer(self.host_subnet("ADD", container, shared, **keys))
        return answer if status else ip_network(answer["ips"][0]["address"], strict=False)

    def delete(self, container: str, shared: Shared) -> None:
        assert self.answer(self.host_subnet("DEL", container, shared)) == (0, None)

    def pool(self, *words: str, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        """`sriovctl pool WORDS`"""
        argv = (*before, str(self.bundle / "sriovctl"), "pool", *words)
        return ended(self.inside(_popen, argv))

    def refill(self, shared: Shared, *words: str, before: tuple[str, ...] = ()) -> Any:
        """What it prints with --json: of a run that was not killed one document."""
        done = self.pool(*self.refill_words(shared, *words), before=before)
        answer = json.loads(done.stdout)
        assert (done.returncode == 0) == ("error" not in answer), done
        return answer

    def refill_words(self, shared: Shared, *words: str) -> tuple[str, ...]:
        lengths = ("--block-length", str(shared.block_length), "--prefix-length", str(shared.prefix_length))
        return ("refill", CLUSTER, "--subnet", shared.subnet, *lengths, "--json", *words)

    # -- what is there ------------------------------------------------------------------------------------------------

    def path(self, path: str) -> Path:
        """The machine's file, from here."""
        return Path(f"/proc/{os.getpid()}/task/{self._tid}/root{path}")

    def names(self, directory: str) -> list[str]:
        where = self.path(directory)
        return sorted(it for it in os.listdir(where) if not it.startswith(".")) if where.is_dir() else []

    def blocks(self, kind: str = "blocks") -> set[Any]:
        return {ip_network(name.replace("_", "/")) for name in self.names(f"{KEPT}/{kind}")}

    def leases(self) -> list[Any]:
        """Of all scopes and directories of the default `dataDir`, sticky ones and those of this boot."""
        found = self.path("/var/lib/cni/host-subnet").glob("*/*/leases/*")
        return [ip_network(it.name.replace("_", "/")) for it in found if not it.name.startswith(".")]

    def leases_by_owner(self) -> list[str]:
        """Containers that hold something by the door of host-subnet."""
        found = self.path("/var/lib/cni/host-subnet").glob("*/*/owners/*@*")
        return [it.name.partition("@")[0] for it in found if not it.name.startswith(".")]

    def fingerprint(self) -> str:
        """By the contract: the first 32 digits of sha256 of the token."""
        token = self.path(f"{KEPT}/token").read_text().strip()
        return hashlib.sha256(token.encode()).hexdigest()[:32]

    def failure(self) -> Any:
        where = self.path(f"{RUN}/failure")
        return json.loads(where.read_text()) if where.exists() else None

    def processes(self) -> dict[int, list[str]]:
        """Pid -> command line of what runs in this machine's mount namespace."""
        mine = os.readlink(f"/proc/{os.getpid()}/task/{self._tid}/ns/mnt")
        found = {}
        for pid in filter(str.isdecimal, os.listdir("/proc")):
            try:
                if int(pid) != os.getpid() and os.readlink(f"/proc/{pid}/ns/mnt") == mine:
                    found[int(pid)] = Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1]
            except OSError:  # it ended just now
                continue
        return found

    def refills(self) -> list[int]:
        return [pid for pid, words in self.processes().items() if words[1:3] == ["pool", "refill"]]

    def settle(self, seconds: float = 20) -> None:
        """Until no refill runs."""
        until(lambda: not self.refills(), seconds)

    # -- making it ----------------------------------------------------------------------------------------------------

    def _make_etc(self) -> None:
        """/etc as it is, but for what a test writes there."""
        self.run("mkdir", "/run/rig/etc")
        self.run("mount", "--bind", "/etc", "/run/rig/etc")
        self.run("mount", "-t", "tmpfs", "-o", "mode=755", "etc", "/etc")
        self.inside(_link_all, "/run/rig/etc", "/etc", {"cni-sriov", "machine-id"})
        self.set_machine_id(uuid.uuid4().hex)
        pki = self.etcd.home / "pki"
        for name in ("ca.pem", "other.pem", "client.pem", "client.key"):
            self.inside(_write, f"{ETC}/pki/{name}", (pki / name).read_text())
        self.set_password(PASSWORD)


ENV = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}


def _popen(argv: tuple[str, ...], **keys: Any) -> subprocess.Popen[str]:
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(argv, text=True, env=ENV, **pipes | keys)


def ended(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    out, err = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def _write(path: str, text: str, mode: int = 0o600) -> None:
    """As an editor that replaces the file."""
    Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = Path(f"{path}.new")
    new.write_text(text)
    new.chmod(mode)
    new.rename(path)


def _link_all(of: str, into: str, without: set[str]) -> None:
    for name in sorted(set(os.listdir(of)) - without):
        Path(into, name).symlink_to(f"{of}/{name}")


def until(done: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


# -- the judge --------------------------------------------------------------------------------------------------------


def claimed(etcd: Etcd, prefix: str = PREFIX) -> dict[Any, str]:
    """Block -> fingerprint of its holder, as etcd has it."""
    found = etcd.stored(f"{prefix}/blocks")
    return {
        ip_network(key.rpartition("/")[2].replace("_", "/")): json.loads(value)["fingerprint"]
        for key, value in found.items()
    }


def overlaps(nodes: Iterable[Machine]) -> list[str]:
    """Two leases anywhere that have an address in common."""
    held = [(lease, node.name) for node in nodes for lease in node.leases()]
    held.sort(key=lambda it: (it[0].version, int(it[0][0]), -it[0].prefixlen))
    found: list[str] = []
    last = None
    for lease, name in held:
        if last and last[0].version == lease.version and last[0][-1] >= lease[0]:
            found.append(f"{lease} of {name} overlaps {last[0]} of {last[1]}")
        if not last or last[0].version != lease.version or lease[-1] > last[0][-1]:
            last = lease, name
    return found


def outside(nodes: Iterable[Machine], shared: Shared) -> list[str]:
    """Leases of the pool that lie in no block of their node."""
    pool = ip_network(shared.subnet)
    found = []
    for node in nodes:
        own = node.blocks() | node.blocks("lost") | node.blocks("releasing")
        mine = [it for it in node.leases() if it.version == pool.version and it.subnet_of(pool)]
        found += [
            f"{lease} of {node.name} is in none of its blocks"
            for lease in mine
            if not any(block.version == lease.version and lease.subnet_of(block) for block in own)
        ]
    return found


def unequal(nodes: Iterable[Machine], etcd: Etcd, prefix: str = PREFIX) -> list[str]:
    """Where the engine's list and the nodes' files differ, once nothing is under way: a block lost, or held by two."""
    told = claimed(etcd, prefix)
    found, seen = [], set()
    for node in nodes:
        found += [f"{node.name} is left with an intent for {it}" for it in node.blocks("claiming")]
        found += [f"{node.name} is left with {it} half given back" for it in node.blocks("releasing")]
        for block in node.blocks():
            if told.get(block) != node.fingerprint():
                found.append(f"{block} is {node.name}'s by its files, and {told.get(block)}'s by the engine")
            if block in seen:
                found.append(f"{block} is {node.name}'s and another's")
            seen.add(block)
    return found + [f"{block} is in the engine, and nobody knows of it" for block in told.keys() - seen]


def forgotten(node: Machine) -> set[Any]:
    """Blocks that the engine has as this machine's and no file here tells of: none at any moment, while none is given back."""
    told = {block for block, whose in claimed(node.etcd, node.prefix).items() if whose == node.fingerprint()}
    intended = node.blocks("claiming")  # looked at first, since they move on from there
    return told - intended - node.blocks()


def faults(nodes: list[Machine], shared: Shared, prefix: str = PREFIX) -> list[str]:
    """Once nothing is under way. Empty: every lease is disjoint from all others, and every block somebody's."""
    return overlaps(nodes) + outside(nodes, shared) + unequal(nodes, nodes[0].etcd, prefix)


def name_of(subnet: Any) -> str:
    """As a file or a key has it (docs/state.md)."""
    return f"{subnet}".replace("/", "_")


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def is_running(pid: int) -> bool:
    """Zombies are not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except OSError:
        return False


def is_in(pid: int, group: str) -> bool:
    """Whether it is in that cgroup still."""
    try:
        return group.rpartition("/")[2] in Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:
        return False
