"""Attachments of several containers, and a GC that keeps some of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.world import World

if TYPE_CHECKING:
    from pathlib import Path

NEW = {"cniVersion": "1.1.0"}


def attach(world: World, *containers: str, **keys: Any) -> None:
    for container in containers:
        path = f"/run/netns/{container}"
        if path not in world.kernel.pods:
            world.kernel.add_pod(path)
        reply = world.call("ADD", world.conf(ipam=world.ipam(), **keys), container, path)
        assert reply.code == 0, reply.text


def held(world: World) -> set[str]:
    return {
        name.rpartition("/")[2] for name in world.files() if "/owners/" in name or name.startswith("state/")
    }


def gc(world: World, *keep: str, **conf: Any) -> Any:
    entries = [{"containerID": container, "ifname": "net1"} for container in keep]
    return world.call(
        "GC",
        world.conf(**NEW, ipam=world.ipam(), **({"cni.dev/valid-attachments": entries} | conf)),
        "",
        "",
        "",
    )


def foreign(world: World, tmp_path: Path, ip: dict[str, Any]) -> dict[str, Any]:
    """The conf of a network with another IPAM, which gives that."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/host-local").touch(mode=0o755)
    world.cni_path = str(tmp_path / "bin")
    answer = f'{{"cniVersion": "1.0.0", "ips": [{ip}]}}'.replace("'", '"')
    world.plugins = lambda _exe, env, _stdin: (0, answer if env["CNI_COMMAND"] == "ADD" else "")
    return world.conf(ipam={"type": "host-local"})
