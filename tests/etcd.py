"""Three members of Debian's etcd with TLS, users and passwords, on one bridge whose links can be cut.

    with Net() as net, Etcd(tmp_path, net) as etcd: ...

All of it is below one directory and in private namespaces: a thread of this process lives in the bridge's, each member has
a network namespace of its own, and all end with the thread. What etcd holds is read by etcdctl, which speaks gRPC: another
way than the product's.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from tests.inside import NEWNET, NEWNS, Inside

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

NETWORK = "198.18.0"  # RFC 2544: for tests, nobody's pool
MEMBERS = 3
ROOT_PASSWORD, USER, PASSWORD = "of-root-alone", "nodes", "of-the-nodes"
AS_ROOT = (f"--user=root:{ROOT_PASSWORD}",)
PREFIX = "/cni-sriov"
ELECTING = ("etcdserver: leader changed", "etcdserver: request timed out")
DISABLED, FORWARDING = "0", "3"  # linux/if_bridge.h, BR_STATE_...


class EtcdError(Exception):
    """A tool failed, or a cluster did not come up; what it said."""


class Net(Inside):
    """A bridge in namespaces of its own, and what is plugged into it by name."""

    def __init__(self) -> None:
        super().__init__("net")

    def __enter__(self) -> Self:
        try:
            self.unshare(NEWNS | NEWNET)
            self.run("mount", "--make-rprivate", "/")
            self.run("mount", "-t", "tmpfs", "-o", "mode=755", "net", "/run")
            self.run("ip", "link", "set", "lo", "up")
            self.run(
                "ip", "link", "add", "br0", "type", "bridge", "forward_delay", "0", "mcast_snooping", "0"
            )
            self.run("ip", "address", "add", f"{NETWORK}.254/24", "dev", "br0")
            self.run("ip", "link", "set", "br0", "up")
        except BaseException:
            self.close()
            raise
        return self

    def run(self, *argv: str, env: dict[str, str] | None = None) -> str:
        done = self.inside(subprocess.run, argv, env=env, capture_output=True, text=True)
        if done.returncode:
            raise EtcdError(f"{' '.join(argv)}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def add_host(self, name: str, host: int) -> str:
        """A network namespace at the bridge; its path."""
        self.run("ip", "netns", "add", name)
        self.plug(name, f"/run/netns/{name}", host)
        return f"/run/netns/{name}"

    def plug(self, name: str, netns: str, host: int) -> None:
        """Connect a namespace (a path that is good here) to the bridge: `eth0` with NETWORK.host in it."""
        self.run("ip", "link", "add", "name", name, "type", "veth", "peer", "name", "eth0", "netns", netns)
        self.run("ip", "link", "set", "dev", name, "master", "br0", "up")
        inside = ("nsenter", f"--net={netns}", "ip")
        self.run(*inside, "address", "add", f"{NETWORK}.{host}/24", "dev", "eth0")
        self.run(*inside, "link", "set", "lo", "up")
        self.run(*inside, "link", "set", "eth0", "up")
        self.heal(name)

    def cut(self, name: str) -> None:
        """From now on nothing passes, and nobody is told: no reset, no carrier that is lost."""
        self.run("bridge", "link", "set", "dev", name, "state", DISABLED)

    def heal(self, name: str) -> None:
        """The kernel tells the bridge of a new port's carrier within a second, and takes no state for it before."""
        deadline = time.monotonic() + 5
        while True:
            try:
                self.run("bridge", "link", "set", "dev", name, "state", FORWARDING)
            except EtcdError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return


class Member(NamedTuple):
    name: str
    address: str
    netns: str


class Etcd:
    """A cluster of three; `with` starts it, makes the users, and ends it."""

    def __init__(self, home: Path, net: Net, name: str = "etcd") -> None:
        self.home = home / name
        self.net = net
        self.members: list[Member] = []
        self.running: dict[int, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        self.home.mkdir(parents=True)
        addresses = [f"{NETWORK}.{number + 1}" for number in range(MEMBERS)]
        make_certificates(self.home, addresses)
        try:
            for number, address in enumerate(addresses):
                netns = self.net.add_host(f"m{number}", number + 1)
                self.members.append(Member(f"m{number}", address, netns))
            self.start()
            self._make_users()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def endpoints(self) -> list[str]:
        return [f"https://{member.address}:2379" for member in self.members]

    # -- members ------------------------------------------------------------------------------------------------------

    def start(self, *numbers: int) -> None:
        """These members, or all that do not run; back when the cluster answers."""
        for number in numbers or range(MEMBERS):
            if number not in self.running:
                self.running[number] = self.net.inside(self._start, number)
        self.wait()

    def kill(self, *numbers: int) -> None:
        """SIGKILL for these, or for all."""
        for number in numbers or tuple(self.running):
            process = self.running.pop(number)
            process.kill()
            process.wait()

    def cut(self, number: int) -> None:
        self.net.cut(self.members[number].name)

    def heal(self, number: int) -> None:
        self.net.heal(self.members[number].name)

    def wait(self) -> None:
        """Until a write goes through, if there can be a quorum."""
        deadline = time.monotonic() + 60
        while len(self.running) > MEMBERS // 2:
            try:
                self._ctl("put", "/tests/wait", "", timeout="2s")
            except EtcdError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            else:
                return

    def save(self, to: Path) -> None:
        """A cold backup: every member's data, of one moment."""
        self.kill()
        shutil.copytree(self.home / "data", to)
        self.start()

    def restore(self, backup: Path) -> None:
        """What was written since the backup is forgotten by all."""
        self.kill()
        shutil.rmtree(self.home / "data")
        shutil.copytree(backup, self.home / "data")
        self.start()

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        member, pki = self.members[number], self.home / "pki"
        data = self.home / "data" / member.name
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        peers = ",".join(f"{it.name}=https://{it.address}:2380" for it in self.members)
        tls = [("cert-file", pki / "server.pem"), ("key-file", pki / "server.key")]
        tls += [("trusted-ca-file", pki / "ca.pem")]
        options: list[tuple[str, object]] = [
            ("name", member.name),
            ("data-dir", data),
            ("listen-client-urls", f"https://{member.address}:2379"),
            ("advertise-client-urls", f"https://{member.address}:2379"),
            ("listen-peer-urls", f"https://{member.address}:2380"),
            ("initial-advertise-peer-urls", f"https://{member.address}:2380"),
            ("initial-cluster", peers),
            ("initial-cluster-token", self.home.name),
            ("bcrypt-cost", "4"),  # the least: every contact begins with a password
            *tls,
            *((f"peer-{option}", path) for option, path in tls),
        ]
        words = [f"--{option}={value}" for option, value in options]
        here = ("setpriv", "--pdeathsig", "KILL", "nsenter", f"--net={member.netns}")
        with (self.home / f"{member.name}.log").open("ab") as log:
            return subprocess.Popen(
                (*here, "etcd", *words, "--client-cert-auth", "--peer-client-cert-auth"),
                env={"PATH": os.environ["PATH"]},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    # -- what is in it ------------------------------------------------------------------------------------------------

    def _make_users(self) -> None:
        for words in (
            ("user", "add", f"root:{ROOT_PASSWORD}"),
            ("user", "grant-role", "root", "root"),
            ("role", "add", USER),
            ("role", "grant-permission", "--prefix=true", USER, "readwrite", f"{PREFIX}/"),
            ("user", "add", f"{USER}:{PASSWORD}"),
            ("user", "grant-role", USER, USER),
            ("auth", "enable"),
        ):
            self._ctl(*words, login=())

    def ctl(self, *words: str, timeout: str = "10s") -> Any:
        """What etcdctl answers as root, parsed."""
        return json.loads(self._ctl(*words, "--write-out=json", timeout=timeout) or "{}")

    def _ctl(
        self,
        *words: str,
        timeout: str = "10s",
        login: tuple[str, ...] = AS_ROOT,
        endpoints: Sequence[str] = (),
    ) -> str:
        pki = self.home / "pki"
        files = (f"--cacert={pki}/ca.pem", f"--cert={pki}/client.pem", f"--key={pki}/client.key")
        at = f"--endpoints={','.join(endpoints or self.endpoints)}"
        limits = (f"--command-timeout={timeout}", f"--dial-timeout={timeout}")
        env = {"PATH": os.environ["PATH"], "ETCDCTL_API": "3"}
        return self.net.run("etcdctl", at, *files, *limits, *login, *words, env=env)

    def put(self, key: str, value: str, seconds: float = 10) -> None:
        self._change("put", key, value, seconds=seconds)

    def delete_below(self, prefix: str) -> None:
        self._change("del", "--prefix", f"{prefix}/")

    def _change(self, *words: str, seconds: float = 10) -> None:
        """Again while members elect: etcdctl repeats what it reads, and since 3.5 nothing that it writes."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                self._ctl(*words, timeout=f"{seconds:.0f}s")
            except EtcdError as error:
                if not any(it in f"{error}" for it in ELECTING) or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            else:
                return

    def stored(self, prefix: str = PREFIX) -> dict[str, str]:
        """Key -> value of all below."""
        found = self.ctl("get", "--prefix", f"{prefix}/").get("kvs", [])
        return {_text(it["key"]): _text(it.get("value", "")) for it in found}

    def is_healthy(self, number: int) -> bool:
        """Whether that member answers a linearizable read."""
        try:
            self._ctl("get", "/tests/wait", timeout="2s", endpoints=[self.endpoints[number]])
        except EtcdError:
            return False
        return True


# -- certificates -----------------------------------------------------------------------------------------------------


def make_certificates(home: Path, addresses: list[str]) -> None:
    """home/pki: ca, server (of all addresses), client, and `other`, a CA that signed nothing."""
    pki = home / "pki"
    pki.mkdir()
    for name in ("ca", "other"):
        _openssl(pki, "req", "-x509", *_KEY, "-keyout", f"{name}.key", "-out", f"{name}.pem", *_days(name))
    names = ",".join(f"IP:{address}" for address in [*addresses, "127.0.0.1"])
    _sign(pki, "server", f"subjectAltName={names}\nextendedKeyUsage=serverAuth,clientAuth\n")
    _sign(pki, "client", "extendedKeyUsage=clientAuth\n")


_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def _days(name: str) -> tuple[str, ...]:
    return ("-days", "2", "-subj", f"/O=cni-sriov tests/OU={name}")


def _sign(pki: Path, name: str, extensions: str) -> None:
    """No common name: to etcd that would be a user (docs of 3.4, authentication by certificates)."""
    (pki / f"{name}.ext").write_text(extensions)
    _openssl(
        pki,
        "req",
        *_KEY,
        "-keyout",
        f"{name}.key",
        "-out",
        f"{name}.csr",
        "-subj",
        f"/O=cni-sriov tests/OU={name}",
    )
    ca = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2")
    _openssl(pki, "x509", "-req", "-in", f"{name}.csr", *ca, "-extfile", f"{name}.ext", "-out", f"{name}.pem")


def _openssl(where: Path, *words: str) -> None:
    done = subprocess.run(("openssl", *words), cwd=where, capture_output=True, text=True)
    if done.returncode:
        raise EtcdError(f"openssl {' '.join(words)}: {done.stderr}")


def _text(encoded: str) -> str:
    return base64.b64decode(encoded).decode()
