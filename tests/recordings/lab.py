"""Takes the recording of the lab's node: two ports with seven VFs each, three of them in containers. `python -m
tests.recordings.lab`, with the bundle built.
"""

from __future__ import annotations

import base64

from cni_sriov.ctl.recording.recording import unpacked
from tests import bundle
from tests.lab.node import CONF, IPAM, Node
from tests.lab.ready import prepare
from tests.lab.vm import PORTS

from .build import LAB, write

ATTACHED = (("web", PORTS[0], 100), ("db", PORTS[0], 200), ("cache", PORTS[1], 100))


def main() -> None:
    with prepare().restore(bundle.directory()) as vm:
        node = Node(vm)
        node.create_vfs(7)
        node.add_netns(*(name for name, _, _ in ATTACHED))
        for name, port, vlan in ATTACHED:
            conf = CONF | {"master": port, "vlan": vlan, "ipam": IPAM}
            added = node.cni("ADD", conf, name, args=f"K8S_POD_NAMESPACE=shop;K8S_POD_NAME={name}")
            assert added.code == 0, added.text
        vm.run("/mnt/host/cni-sriov/sriovctl record /root/lab.json.gz", timeout=120)
        content = base64.b64decode(vm.run("base64 -w0 /root/lab.json.gz").stdout)
    write(LAB, unpacked(content, LAB))


if __name__ == "__main__":
    main()
