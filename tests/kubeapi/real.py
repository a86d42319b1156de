"""The real thing, where this machine has one: a kube-apiserver and its etcd on loopback.

`KUBE_APISERVER=/path/kube-apiserver` beside `pytest` lets every test that asks the stand-in ask the real one, too. `make
lab-kubernetes` compiles one and does so; `python -m tests.lab.kube_apiserver` says where it is.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from tests.certs import Authority

from .client import ADMIN, Admin, User

KUBE_APISERVER = os.environ.get("KUBE_APISERVER", "")
PATIENCE = 120  # seconds until it answers: it makes its own first objects


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class RealApi(Admin):
    """`users` may come with their tokens; a certificate of `authority` says who it is by itself."""

    def __init__(self, directory: Path, *users: User) -> None:
        self.directory = directory
        self.authority = Authority(directory / "certs")
        self.url = f"https://127.0.0.1:{free_port()}"
        self._processes: list[subprocess.Popen[bytes]] = []
        super().__init__(self.url, self.authority.cert, ADMIN.token)
        peers = free_port()
        store = f"http://127.0.0.1:{free_port()}"
        self._start(
            *("etcd", f"--data-dir={directory}/etcd", "--unsafe-no-fsync", f"--listen-client-urls={store}"),
            *(f"--advertise-client-urls={store}", f"--listen-peer-urls=http://127.0.0.1:{peers}"),
        )
        tokens = directory / "tokens.csv"
        tokens.write_text(
            "".join(f'{u.token},{u.name},{u.name},"{",".join(u.groups)}"\n' for u in (ADMIN, *users))
        )
        server = self.authority.issue("server", "127.0.0.1")
        self._start(
            *(
                KUBE_APISERVER,
                f"--etcd-servers={store}",
                "--bind-address=127.0.0.1",
                "--service-account-issuer=https://tests",
            ),
            *(
                f"--secure-port={self.url.rpartition(':')[2]}",
                f"--token-auth-file={tokens}",
                "--profiling=false",
            ),
            *(f"--tls-cert-file={server.cert}", f"--tls-private-key-file={server.key}"),
            *(f"--client-ca-file={self.authority.cert}", "--authorization-mode=RBAC"),
            *(
                f"--service-account-signing-key-file={server.key}",
                f"--service-account-key-file={server.cert}",
            ),
            *("--service-cluster-ip-range=10.96.0.0/24", "--disable-admission-plugins=ServiceAccount"),
        )
        try:
            self._wait()
        except BaseException:
            self.close()
            raise

    def _start(self, *argv: str) -> None:
        with (self.directory / f"{Path(argv[0]).name}.log").open("wb") as log:
            self._processes.append(subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL))

    def _wait(self) -> None:
        until = time.monotonic() + PATIENCE
        while not self.is_ready():
            died = [process.args for process in self._processes if process.poll() is not None]
            assert not died, f"{died}: see {self.directory}/*.log"
            assert time.monotonic() < until, f"see {self.directory}/*.log"
            time.sleep(0.5)

    def close(self) -> None:
        for process in reversed(self._processes):
            process.send_signal(signal.SIGTERM)
            process.wait(30)
