"""The files of this directory: what a version writes while three pods run. Run in a checkout of that version:

PYTHONPATH=<checkout> python tests/state/write.py tests/state/<version>

The paths of the node that it was are {root} in them, and what the kernel numbered is what it was there:
tests/unit/test_written_state.py puts in what it is where it runs.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.world import World

PODS = ("/run/netns/pod1", "/run/netns/pod2", "/run/netns/pod3")
WEB = "K8S_POD_NAMESPACE=default;K8S_POD_NAME=web;IgnoreUnknown=1"


def a_node(root: Path) -> World:
    """One port with three VFs, and three pods."""
    world = World(root)
    world.kernel.add_pf("enp1s0f0", "0000:01:00.0", numvfs=3)
    for pod in PODS:
        world.kernel.add_pod(pod)
    for vf in world.kernel.pfs[0].vfs:
        vf.state.mac = vf.link.mac if vf.link else ""
    world.plugins = lambda *_: (0, json.dumps({"cniVersion": "1.0.0", "ips": [{"address": "10.9.0.7/24"}]}))
    world.cni_path = str(root / "bin")
    (root / "bin").mkdir()
    (root / "bin/static").write_text("#!/bin/sh\n")
    (root / "bin/static").chmod(0o755)
    return world


def confs(world: World) -> dict[str, tuple[dict[str, Any], str]]:
    """{container: (its conf, its CNI_ARGS)}: everything that is set and leased, kept for a pod, of another IPAM."""
    every = {"vlan": 100, "mac": "02:00:00:00:aa:01", "spoofchk": "off", "mtu": 1400}
    return {
        "c1": (world.conf(**every, ipam=world.ipam()), ""),
        "c2": (world.conf(ipam=world.ipam(sticky=True)), WEB),
        "c3": (world.conf(ipam={"type": "static", "addresses": [{"address": "10.9.0.7/24"}]}), ""),
    }


def attach(world: World) -> None:
    for (container, (conf, args)), pod in zip(confs(world).items(), PODS, strict=True):
        reply = world.call("ADD", conf, container, pod, args=args)
        assert reply.code == 0, reply.text


def main(out: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name).resolve()
        world = a_node(root)
        attach(world)
        for path in sorted(
            [*root.glob("run/claims/*"), *root.glob("state/*@*"), *root.glob("data/*/*/owners/*")]
        ):
            there = out / path.relative_to(root)
            there.parent.mkdir(parents=True, exist_ok=True)
            there.write_text(path.read_text().replace(str(root), "{root}"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
