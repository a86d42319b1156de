"""A pool that nodes share, beside one that they do not; and what one etcd on loopback gives in a second.

`claims` and `contacts` are called in the rig's thread; the threads that they start live in its namespaces, too.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

from cni_sriov.conf import cluster
from cni_sriov.ctl.cluster import opening
from cni_sriov.words.cluster import Holder
from cni_sriov.words.inet import Prefix, parse_prefix
from tests import oneetcd
from tests.bench.contenders import POD
from tests.bench.measure import BenchError, Step
from tests.integration.rig import Rig, call, conf, vf_pci

CLUSTER = "bench"
TOLD = {"engine": "etcd", "endpoints": [oneetcd.CLIENTS]}
POOL = {"subnet": "10.21.0.0/16", "prefixLength": 29}  # in blocks of 512: none runs low here
BLOCK = 20
CONNECTIONS = (1, 8, 32)


class Rate(NamedTuple):
    """Claims by so many connections at once: a second, and milliseconds of each."""

    connections: int
    per_second: float
    took: list[float]


def missing() -> str:
    """What keeps this from being measured; "" if nothing."""
    return (
        ""
        if shutil.which("etcd") and shutil.which("etcdctl")
        else "etcd is not there: install etcd-server, etcd-client"
    )


def prepare(rig: Rig) -> None:
    """The cluster's file, as an operator puts it there."""
    oneetcd.own_etc(rig)
    path = f"/etc/cni-sriov/clusters/{CLUSTER}.json"
    rig.run("sh", "-c", f"umask 077; mkdir -p /etc/cni-sriov/clusters; cat > {path}", stdin=json.dumps(TOLD))


def tasks() -> dict[str, list[Step]]:
    """The same VF into the same pod, with a subnet of its own node's pool, and of the shared one."""
    shared = POOL | {"blocks": {"cluster": CLUSTER, "length": BLOCK}}
    pools = {"own pool": POOL | {"subnet": "10.20.0.0/16"}, "shared pool": shared}
    return {name: [Step(verb, _call(verb, pool)) for verb in ("ADD", "DEL")] for name, pool in pools.items()}


def _call(verb: str, pool: dict[str, Any]) -> Any:
    ipam = {"type": "host-subnet", "pools": [pool]}
    return call(verb, "shared", POD.format(0), conf(deviceID=vf_pci(0), ipam=ipam))


def settle(rig: Rig) -> None:
    """Until no refill runs that an ADD has started."""
    deadline = time.monotonic() + 90
    while not rig.inside(os.path.exists, f"/run/cni-sriov/clusters/{CLUSTER}/contacted"):
        if time.monotonic() > deadline:
            raise BenchError("the node had no contact with its etcd")
        time.sleep(0.2)
    time.sleep(1)


def claims(count: int, connections: int) -> Rate:
    """By the product's own client, each block another one."""
    until = time.monotonic() + 600
    engines = [opening.engine_of(CLUSTER, cluster.parse(TOLD), until) for _ in range(connections)]
    pool, took, wrong = parse_prefix(f"{10 + connections}.0.0.0/8"), list[float](), list[str]()

    def work(number: int) -> None:
        holder = Holder(f"{number:032x}", f"node{number}", "", int(time.time()))
        for at in range(number, count, connections):
            block = Prefix(4, pool.value + (at << 8), 24)
            began = time.perf_counter()
            has = engines[number].claim(block, holder)
            took.append((time.perf_counter() - began) * 1000)
            wrong.extend([str(block)] if has.fingerprint != holder.fingerprint else [])

    began = time.perf_counter()
    threads = [threading.Thread(target=work, args=(number,)) for number in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong or len(took) != count:
        raise BenchError(f"{count - len(took)} claims failed, {len(wrong)} blocks were another's")
    return Rate(connections, count / (time.perf_counter() - began), took)


def refills(rounds: int) -> list[float]:
    """Milliseconds of `sriovctl pool refill` that claims a block, from its start to its end: what an ADD in line waits."""
    took = []
    for number in range(rounds):
        argv = [f"{oneetcd.BIN}/sriovctl", "pool", "refill", CLUSTER, "--subnet", "172.16.0.0/12"]
        argv += ["--block-length", "24", "--prefix-length", "28", "--json"]
        began = time.perf_counter()
        done = subprocess.run(argv, capture_output=True, text=True, env={"PATH": os.environ["PATH"]})
        took.append((time.perf_counter() - began) * 1000)
        if done.returncode or len(json.loads(done.stdout)["claimed"]) != 1:
            raise BenchError(f"refill {number}: {done.stdout}{done.stderr}")
    return took


def engine_alone(rig: Rig, count: int, rounds: int) -> dict[str, Any]:
    return {
        "claims": [rig.inside(claims, count, connections) for connections in CONNECTIONS],
        "refills": rig.inside(refills, rounds),
    }


def etcd(rig: Rig, home: str) -> Any:
    """On a disk: etcd writes each claim through."""
    return oneetcd.running(rig, Path(home))
