"""Nodes of a Kubernetes cluster that share a pool: the bundle in a private /etc, /run and /var/lib under its own host name,
on this machine's loopback, where an API server of tests/kubeapi is.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Iterable
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Self

from tests import bundle
from tests.inside import NEWNS, NEWUTS, Inside
from tests.kubeapi import Admin, Json, kubeconfig

Network = Any  # of ipaddress, either family

CLUSTER = "rack"
ETC = "/etc/cni-sriov"
FILE = f"{ETC}/clusters/{CLUSTER}.json"
CONFIG = f"{ETC}/kubeconfig"
KEPT = f"/var/lib/cni-sriov/clusters/{CLUSTER}"
RUN = f"/run/cni-sriov/clusters/{CLUSTER}"
ENV = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
POOL, BLOCK_LENGTH, LENGTH = "10.64.0.0/22", 24, 26  # four blocks of four subnets
OURS = {"cni-sriov", "machine-id"}  # of /etc


class Worker(Inside):
    """`with Worker("w1", api) as node:` it may speak to `api` as soon as it is configured."""

    def __init__(self, name: str, api: Admin) -> None:
        super().__init__(name)
        self.name, self.api = name, api
        self.bundle = bundle.directory() / "cni-sriov"
        self._root = ""

    def __enter__(self) -> Self:
        try:
            tid = self.inside(threading.get_native_id)
            self._root = f"/proc/{os.getpid()}/task/{tid}/root"
            self.unshare(NEWNS | NEWUTS)
            self.inside(socket.sethostname, self.name)
            self.run("mount", "--make-rprivate", "/")
            for path in ("/run", "/var/lib"):
                self.run("mount", "-t", "tmpfs", "-o", "mode=755", "worker", path)
            self.run("mkdir", "-p", "/run/worker/etc", "/var/lib/cni")
            self.run("mount", "--bind", "/etc", "/run/worker/etc")
            self.run("mount", "-t", "tmpfs", "-o", "mode=755", "worker", "/etc")
            self.inside(_link_all, "/run/worker/etc", "/etc")
            self.write("/etc/machine-id", f"{uuid.uuid4().hex}\n", 0o644)
            self.run("ip", "netns", "add", "pod")
        except BaseException:
            self.close()
            raise
        return self

    def run(self, *argv: str) -> str:
        done = self.inside(subprocess.run, argv, capture_output=True, text=True)
        assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
        return done.stdout

    # -- what an operator does ----------------------------------------------------------------------------------------

    def configure(self, user: Json, *, url: str = "", ca: Path | None = None, **keys: Any) -> None:
        """The cluster's file and a kubeconfig with this `user`."""
        assert self.api.ca
        kubeconfig(self.path(self._directory(CONFIG)), url or self.api.url, ca or self.api.ca, user)
        said = {"engine": "kubernetes", "kubeconfig": CONFIG} | keys
        self.write(FILE, json.dumps({key: value for key, value in said.items() if value is not None}))

    def write(self, path: str, text: str, mode: int = 0o600) -> None:
        new = self.path(f"{self._directory(path)}.new")
        new.write_text(text)
        new.chmod(mode)
        new.rename(self.path(path))

    def pool(
        self, *words: str, env: dict[str, str] | None = None, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """`sriovctl pool WORDS`"""
        argv = (str(self.bundle / "sriovctl"), "pool", *words)
        return self.inside(
            subprocess.run,
            argv,
            input=stdin or "",
            capture_output=True,
            text=True,
            env=ENV | (env or {}),
            timeout=120,
        )

    def refill(self, *words: str, block: str = "", env: dict[str, str] | None = None) -> Json:
        """The document that it prints with --json."""
        lengths = ("--block-length", str(BLOCK_LENGTH), "--prefix-length", str(LENGTH))
        more = ("--block", block) if block else ()
        done = self.pool("refill", CLUSTER, "--subnet", POOL, *lengths, *more, "--json", *words, env=env)
        answer: Json = json.loads(done.stdout)
        assert (done.returncode == 0) == ("error" not in answer), done
        return answer

    def host_subnet(self, verb: str, container: str, **ipam: Any) -> tuple[int, Any]:
        """As the `bridge` plugin calls its ipam; exit status, answer."""
        pool = {
            "subnet": POOL,
            "prefixLength": LENGTH,
            "blocks": {"cluster": CLUSTER, "length": BLOCK_LENGTH},
        }
        conf = {
            "cniVersion": "1.1.0",
            "name": CLUSTER,
            "type": "bridge",
            "ipam": {"type": "host-subnet", "pools": [pool]} | ipam,
        }
        env = ENV | {
            "CNI_COMMAND": verb,
            "CNI_CONTAINERID": container,
            "CNI_NETNS": "/run/netns/pod",
            "CNI_IFNAME": "eth0",
            "CNI_PATH": "/usr/lib/cni",
        }
        argv = (str(self.bundle / "host-subnet"),)
        done = self.inside(
            subprocess.run, argv, input=json.dumps(conf), capture_output=True, text=True, env=env, timeout=120
        )
        return done.returncode, json.loads(done.stdout) if done.stdout else None

    def add(self, container: str, **ipam: Any) -> Network:
        status, answer = self.host_subnet("ADD", container, **ipam)
        assert status == 0, answer
        return ip_network(answer["ips"][0]["address"], strict=False)

    def delete(self, container: str) -> None:
        assert self.host_subnet("DEL", container)[0] == 0

    # -- what is there ------------------------------------------------------------------------------------------------

    def path(self, path: str) -> Path:
        """The node's file, from here."""
        return Path(self._root + path)

    def names(self, directory: str) -> list[str]:
        where = self.path(directory)
        return sorted(name for name in os.listdir(where) if name[0] != ".") if where.is_dir() else []

    def blocks(self, kind: str = "blocks") -> set[Network]:
        return {ip_network(name.replace("_", "/")) for name in self.names(f"{KEPT}/{kind}")}

    def leases(self) -> list[Network]:
        found = self.path("/var/lib/cni/host-subnet").glob("*/*/leases/*")
        return [ip_network(path.name.replace("_", "/")) for path in found if path.name[0] != "."]

    def fingerprint(self) -> str:
        token = self.path(f"{KEPT}/token").read_text().strip()
        return hashlib.sha256(token.encode()).hexdigest()[:32]

    def refills(self) -> list[int]:
        """Processes of this node that refill."""
        mine = os.readlink(f"{self._root.removesuffix('/root')}/ns/mnt")
        found = []
        for pid in filter(str.isdecimal, os.listdir("/proc")):
            with contextlib.suppress(OSError):  # it ended just now
                if int(pid) != os.getpid() and os.readlink(f"/proc/{pid}/ns/mnt") == mine:
                    found.append(int(pid))
        return found

    def settle(self, seconds: float = 60) -> None:
        """Until nothing of this node runs."""
        until = time.monotonic() + seconds
        while self.refills():
            assert time.monotonic() < until, f"{self.name}: still refilling"
            time.sleep(0.05)

    def _directory(self, path: str) -> str:
        """`path`, its directory made."""
        self.path(path).parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        return path


def _link_all(of: str, into: str) -> None:
    for name in sorted(set(os.listdir(of)) - OURS):
        Path(into, name).symlink_to(f"{of}/{name}")


def overlaps(nodes: Iterable[Worker]) -> list[str]:
    """Brute force: every two leases anywhere."""
    held = [(lease, node.name) for node in nodes for lease in node.leases()]
    return [
        f"{one} of {name} overlaps {other} of {others}"
        for number, (one, name) in enumerate(held)
        for other, others in held[:number]
        if one.version == other.version and one.overlaps(other)
    ]
