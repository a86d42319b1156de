"""Attachments of several containers, and a GC that keeps some of them."""

from __future__ import annotations

from typing import Any

from tests.world import World

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
