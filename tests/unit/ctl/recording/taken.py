"""A fake node with two containers, and recordings of it."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from cni_sriov.ctl.main import main
from cni_sriov.ctl.recording import anonymous as hidden
from cni_sriov.ctl.recording import record
from cni_sriov.ctl.recording.recording import Recording, document, packed
from cni_sriov.ctl.tool import Tool
from cni_sriov.kernel.files import Files
from cni_sriov.words.failures import Failures
from tests.unit.ctl.tool import Run, Screen, answered, attach, host
from tests.world import World

PODS = {"c1": "/run/netns/pod1", "c2": "/run/netns/pod2"}


def node(world: World) -> Path:
    """What its files are below; two containers have a VF each."""
    attach(world)
    world.kernel.add_pod(PODS["c2"])
    added = world.call("ADD", world.conf(ipam=world.ipam(), vlan=100), "c2", PODS["c2"])
    assert added.code == 0, added.text
    root = world.kernel.root
    (root / "dev/vfio").mkdir(parents=True)
    for path, text in {
        "proc/cmdline": "quiet intel_iommu=on",
        "proc/1/comm": "init",
        "usr/share/misc/pci.ids": "8086  Intel Corporation\n\t10ca  82576 Virtual Function\n15b3  Mellanox",
        "etc/modprobe.d/igb.conf": "options igb max_vfs=7",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(f"{text}\n")
    return root


def tool(world: World, out: TextIO, err: TextIO, euid: int = 0) -> Tool:
    """Files and sysfs are one tree, as on a node."""
    root = world.kernel.root
    return Tool(
        out,
        err,
        euid,
        lambda named: host(world, named),
        str(world.root / "default-data"),
        None,
        Files(str(root)),
    )


def live(world: World, *argv: str, screen: bool = False) -> Run:
    out, err = Screen() if screen else io.StringIO(), io.StringIO()
    status = main(argv, tool(world, out, err))
    return answered(argv, status, out, err)


def recorded(world: World) -> Recording:
    failures = Failures()
    found = record.taken(
        tool(world, io.StringIO(), io.StringIO()), str(world.state_dir), lambda _: None, failures
    )
    assert failures.told == []
    return found


def anonymous(world: World) -> Recording:
    return hidden.of(recorded(world), b"salt")


def replayed(file: Path, *argv: str, euid: int = 1000) -> Run:
    """As anybody, anywhere: there is no node."""

    def no_host(_: str) -> Any:
        raise AssertionError("this node is not looked at")

    out, err = io.StringIO(), io.StringIO()
    nowhere = Tool(out, err, euid, no_host, "/nowhere", None, Files("/nowhere"))
    status = main(["--replay", str(file), *argv], nowhere)
    return answered(argv, status, out, err)


def written(recording: Recording, file: Path) -> Path:
    file.write_bytes(packed(recording))
    return file


def changed(file: Path, **parts: Any) -> Path:
    """That recording with other parts, as a plain document."""
    import gzip

    raw = json.loads(gzip.decompress(file.read_bytes()))
    other = file.with_suffix(".changed")
    other.write_text(json.dumps(raw | parts))
    return other


__all__ = [
    "PODS",
    "Run",
    "anonymous",
    "changed",
    "document",
    "live",
    "node",
    "recorded",
    "replace",
    "replayed",
    "tool",
    "written",
]
