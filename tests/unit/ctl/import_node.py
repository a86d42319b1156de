"""A network with host-local's store, and what `sriovctl import host-local` makes of it."""

from __future__ import annotations

import io
import json
from typing import Any

from cni_sriov.doors import cni
from tests.drop_in import POD
from tests.unit.ctl.tool import Run, sriovctl
from tests.world import Reply, World

POOL: dict[str, Any] = {"subnet": "10.1.0.0/16", "prefixLength": 32, "gateway": "10.1.0.1"}


class Node:
    """A network with host-local's store, and the configuration that it is to have."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.store = world.root / "networks"
        self.network = self.store / "fast"
        self.network.mkdir(parents=True)
        self.file = world.root / "new.conf"
        self.set()

    def set(self, *pools: dict[str, Any], **keys: Any) -> None:
        self.conf = self.world.conf(ipam=self.world.ipam(pools=list(pools) or [POOL]), **keys)
        self.file.write_text(json.dumps(self.conf))

    def hold(self, address: str, container: str, ifname: str = "net1", last: int | None = 0) -> None:
        """As plugins/ipam/host-local/backend/disk/backend.go writes it."""
        (self.network / "lock").touch()
        (self.network / address).write_bytes(f"{container}\r\n{ifname}".encode())
        if last is not None:
            (self.network / f"last_reserved_ip.{last}").write_text(address)

    def run(self, *argv: str) -> Run:
        return sriovctl(self.world, "import", "host-local", str(self.file), "--store", str(self.store), *argv)

    def leases(self) -> dict[str, str]:
        found = sriovctl(self.world, "leases", "--json").document["leases"]
        return {lease["address"]: f"{lease['containerID']}/{lease['ifname']}" for lease in found}

    def bridge(self, verb: str, container: str, **keys: Any) -> Reply:
        """The door of host-subnet under a main plugin that is not ours."""
        env = {
            "CNI_COMMAND": verb,
            "CNI_CONTAINERID": container,
            "CNI_IFNAME": "net1",
            "CNI_PATH": "/x",
            "CNI_NETNS": POD,
        }
        out = io.StringIO()

        def write(fd: int, text: str) -> None:
            if fd == 1:
                out.write(text)

        conf = self.conf | {"type": "bridge"} | keys
        code = cni.main(
            env,
            lambda: json.dumps(conf),
            write,
            self.world._host,  # noqa: SLF001 # as World.call, but for the other door
            "host-subnet",
        )
        return Reply(code, out.getvalue())


def old_form(node: Node, address: str, container: str, end: str = "") -> None:
    """As host-local before v0.8 wrote it: plugins/ipam/host-local/backend/disk/backend.go, Reserve."""
    (node.network / address).write_text(container + end)
