"""host-subnet's store with few leases and with very many, beside host-local. Called in the rig's thread."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

from cni_sriov.conf import hostsubnet
from cni_sriov.ipam import own
from cni_sriov.leases.directory import Directory
from cni_sriov.leases.holding import Holding
from cni_sriov.leases.node import Node
from cni_sriov.leases.store import Store
from cni_sriov.state.ledger import RUN_DIR, read_boot_id
from cni_sriov.words.domain import Attachment
from cni_sriov.words.inet import Prefix, parse_prefix
from cni_sriov.words.lease import Lease, LeaseDir
from cni_sriov.words.log import Log
from tests.bench.contenders import HOST_LOCAL, POD, ours
from tests.bench.measure import Step
from tests.integration.rig import STATE, call

POOL = "10.0.0.0/8"
DATA = f"{STATE}/host-subnet"
GO_NETWORKS = f"{STATE}/networks"


def scope(count: int) -> str:
    return f"with{count}"


def ipam(count: int) -> dict[str, Any]:
    pools = [{"subnet": POOL, "prefixLength": 28}]
    return {"type": "host-subnet", "scope": scope(count), "dataDir": DATA, "pools": pools}


def store(count: int) -> Store:
    return Store(Node(RUN_DIR, read_boot_id()), LeaseDir(DATA, scope(count)), Log("error"))


def fill(count: int) -> float:
    """That many leases, one attachment each, as an ADD leaves them; the index is built from the files. Seconds."""
    start = time.perf_counter()
    found = store(count)
    with found.transaction("fill"):  # makes and registers the directories, as the first ADD does
        pass
    boot_id = read_boot_id()
    directory = Directory(found.where, boot_id)
    for number, prefix in enumerate(islice(_prefixes(), count)):
        holding = Holding(
            Attachment(f"fill{number}", "net1"), [_lease(prefix)], "bench", "", [4, 1], boot_id, 1
        )
        directory.add(f"fill{number}@net1", holding)
    found.rebuild()
    return time.perf_counter() - start


def _prefixes() -> Iterator[Prefix]:
    """Mixed lengths in the pool's order, with holes between them: a /24, then three smaller ones in the next /24."""
    base = parse_prefix(POOL).value
    for start in range(base, base + (1 << 24), 512):
        yield Prefix(4, start, 24)
        yield from (Prefix(4, start + 256 + at, length) for at, length in ((0, 26), (64, 28), (128, 30)))


def _lease(prefix: Prefix) -> Lease:
    return Lease(scope(0), str(prefix), str(Prefix(4, prefix.value + 2, prefix.length)), "", POOL)


def steps(counts: tuple[int, ...]) -> dict[str, list[Step]]:
    """A whole ADD and DEL of ours in each scope."""
    return {
        f"ours {count}": [Step(verb, ours(verb, 0, ipam=ipam(count))) for verb in ("ADD", "DEL")]
        for count in counts
    }


def in_process(count: int, repeat: int) -> list[float]:
    """Milliseconds of reserve and release in this process, each with its own lock, as ADD and DEL do them."""
    conf = hostsubnet.parse(ipam(count))
    found, me = store(count), Attachment("bench", "net1")
    asked = own.Asked(conf, me, "bench", POD, [4, 1], 0, [])
    taken = []
    for _ in range(repeat):
        start = time.perf_counter()
        own.lease(found, asked)
        found.release(me)
        taken.append((time.perf_counter() - start) * 1000)
    return taken


# the peer ------------------------------------------------------------------------------------------------------------


def fill_go(count: int) -> None:
    """As host-local leaves them: a file per address, with the container's name and the interface."""
    directory = f"{GO_NETWORKS}/{scope(count)}"
    os.makedirs(directory)
    base = parse_prefix(POOL).value
    for number in range(2, count + 2):
        address = str(Prefix(4, base + number, 32)).partition("/")[0]
        with open(f"{directory}/{address}", "w", encoding="ascii") as file:
            file.write(f"fill{number}\r\nnet1")
    with open(f"{directory}/last_reserved_ip.0", "w", encoding="ascii") as file:
        file.write(address)


def steps_go(counts: tuple[int, ...]) -> dict[str, list[Step]]:
    """host-local alone, without a main plugin."""
    ranges = {"type": "host-local", "ranges": [[{"subnet": POOL}]]}
    confs = {
        count: {"cniVersion": "1.0.0", "name": scope(count), "type": "bench", "ipam": ranges}
        for count in counts
    }
    return {
        f"host-local {count}": [
            Step(verb, call(verb, "bench", POD.format(0), asked, (HOST_LOCAL,))) for verb in ("ADD", "DEL")
        ]
        for count, asked in confs.items()
    }
