"""Who has it, in JSON: as the runtime called it, since when; in status and in leases alike."""

from __future__ import annotations

import json
import time

import pytest

from cni_sriov.words.shown import moment
from tests import podman
from tests.unit.ctl.tool import sriovctl
from tests.world import World

UID = "0d3a8c3e-1f5e-4f0e-9c0b-7a2f5f0a8d11"
# as containerd's CRI plugin sends it (pkg/cri/server/sandbox_run.go, cniNamespaceOpts)
CRI = f"IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0;K8S_POD_INFRA_CONTAINER_ID=c1;K8S_POD_UID={UID}"


def test_pod_and_time_are_told_as_cni_args_and_the_clock_had_them(world: World) -> None:
    before = int(time.time())
    assert world.call("ADD", world.conf(ipam=world.ipam()), args=CRI).code == 0
    times = {moment(second) for second in range(before, int(time.time()) + 1)}

    owner = sriovctl(world, "status", "--json").document["pfs"][0]["vfs"][0]["owner"]
    (lease,) = sriovctl(world, "leases", "--json").document["leases"]

    assert owner.pop("since") in times
    assert owner == {
        "containerID": "c1", "ifname": "net1", "network": "fast", "netns": "/run/netns/pod1", "pod": "shop/web-0",
        "podNamespace": "shop", "podName": "web-0", "podUID": UID,
    }  # fmt: skip
    assert (lease["pod"], lease["netns"], lease["since"] in times) == ("shop/web-0", "/run/netns/pod1", True)


def test_podmans_container_has_a_name_alone(world: World) -> None:
    network = podman.create(world)
    assert podman.call(world, "setup", podman.exec_call(network, "web")).exit_code == 0

    owner = sriovctl(world, "status", "--json").document["pfs"][0]["vfs"][0]["owner"]

    assert (owner["pod"], owner["podNamespace"], owner["podName"], owner["podUID"]) == ("web", "", "web", "")


@pytest.mark.parametrize("origin", ["", "soon\twhy", f"{10**30}\twhy"])
def test_what_is_not_recorded_is_empty_and_stops_nothing(world: World, origin: str) -> None:
    assert world.call("ADD", world.conf(ipam=world.ipam()), args=CRI).code == 0
    for path in [*world.state_dir.rglob("*"), *(world.run_dir / "claims").iterdir()]:
        if path.is_file() and '"origin"' in (text := path.read_text()):
            path.write_text(json.dumps(json.loads(text) | {"origin": origin}))

    owner = sriovctl(world, "status", "--json").document["pfs"][0]["vfs"][0]["owner"]

    assert (owner["containerID"], owner["podName"], owner["podUID"], owner["since"]) == ("c1", "", "", "")
    assert sriovctl(world, "status").status == 0


def test_a_lease_that_waits_for_its_pod_has_no_container(world: World) -> None:
    conf = world.conf(ipam=world.ipam(sticky=True))
    assert world.call("ADD", conf, args=CRI).code == 0
    assert world.call("DEL", conf, args=CRI).code == 0

    (lease,) = sriovctl(world, "leases", "--json").document["leases"]

    assert (lease["containerID"], lease["pod"], lease["netns"]) == ("", "", "")
    assert (lease["sticky"], lease["pool"]) == ("fast/shop/web-0/net1", "10.10.0.0/16")
