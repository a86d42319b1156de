"""An attachment to the host's VPP as its ADD leaves it, without a VPP."""

from __future__ import annotations

from cni_sriov.vf.host import Host
from cni_sriov.words.domain import Attachment
from cni_sriov.words.origin import packed
from cni_sriov.words.plane import VPP_HOST, DataPlane
from cni_sriov.words.record import Record, Status, VfState
from tests.unit.ctl.tool import host
from tests.world import World

SOCKET = "/nowhere/api.sock"


def attach(world: World, container: str = "c1", status: Status = "done") -> Host:
    """Its netns is alive."""
    path = f"/run/netns/{container}"
    if path not in world.kernel.pods:
        world.kernel.add_pod(path)
    pod, on = world.kernel.pods[path], host(world, str(world.state_dir))
    told = {"socket": SOCKET, "table": 0, "tag": f"cni-sriov/{container}", "index": 5}
    record = Record(
        Attachment(container, "net1"),
        "fast",
        "",
        "",
        0,
        path,
        list(pod.identity),
        world.boot_id,
        status=status,
        netns_cookie=pod.cookie,
        baseline=VfState(),
        origin=packed(0, f"VPP at {SOCKET}", {}, ""),
        plane=DataPlane(VPP_HOST, vpp=told),
    )
    on.ledger.open()
    on.ledger.put(record)
    return on
