"""One member of Debian's etcd on loopback, in the rig, as `apt install etcd-server` leaves it: no TLS, no user."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import bundle
from tests.integration.rig import Rig, RigError

CLIENTS = "http://127.0.0.1:2379"
BIN = "/opt/cni/bin"


def own_etc(rig: Rig) -> None:
    """An /etc and an /opt that are the rig's alone, as a machine has them whose only plugin is the bundle in /opt/cni/bin."""
    for path in ("/etc", "/opt"):
        here = f"/run/over{path}"
        rig.run("mkdir", "-p", f"{here}/upper", f"{here}/work")
        layers = f"lowerdir={path},upperdir={here}/upper,workdir={here}/work"
        rig.run("mount", "-t", "overlay", "overlay", "-o", layers, path)
    rig.run("mkdir", "-p", BIN, "/etc/cni/net.d")
    rig.run("sh", "-c", f"rm -rf {BIN}/* /etc/cni/net.d/* /etc/cni-sriov")
    rig.run("sh", "-c", f"ln -s {bundle.directory()}/cni-sriov/* {BIN}")


@contextmanager
def running(rig: Rig, home: Path) -> Iterator[None]:
    """It ends with the block, and with its data in `home`."""
    log = home / "etcd.log"
    own = ("etcd", f"--data-dir={home}/etcd", f"--listen-client-urls={CLIENTS}")
    argv = ("setpriv", "--pdeathsig", "KILL", *own, f"--advertise-client-urls={CLIENTS}")
    with log.open("wb") as said:
        etcd = rig.inside(subprocess.Popen, argv, stdout=said, stderr=said)
    try:
        _wait(rig, log)
        yield
    finally:
        etcd.kill()
        etcd.wait()


def _wait(rig: Rig, log: Path) -> None:
    deadline = time.monotonic() + 30
    argv = ("env", "ETCDCTL_API=3", "etcdctl", f"--endpoints={CLIENTS}", "endpoint", "health")
    while rig.inside(subprocess.run, argv, capture_output=True).returncode:
        if time.monotonic() > deadline:
            raise RigError(f"etcd does not answer:\n{log.read_text()}")
        time.sleep(0.1)
