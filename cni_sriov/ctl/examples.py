"""What one types, verb by verb: in `sriovctl VERB --help` and in sriovctl(8). A test parses each of them."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {
    "vfs": (
        ("sriovctl vfs", "the PFs of this node, and how many VFs each has"),
        ("sriovctl vfs enp1s0f0", "who has the VFs of that port"),
        ("sriovctl vfs enp1s0f0 7", "seven VFs on that port"),
        (
            "sriovctl vfs enp1s0f0 max --dry-run",
            "would as many as there is room for be given, and how many are they",
        ),
        ("sriovctl vfs enp1s0f0 7 --persist", "seven, at each boot, too"),
        ("sriovctl vfs 0000:01:00.0 0", "none any more; refused while a container has one"),
    ),
    "apply": (("sriovctl apply --dry-run", "what would be done to bring this node to its host.json"),),
    "bind": (
        ("sriovctl bind enp1s0f0:3 vfio-pci", "VF 3 for DPDK or a virtual machine"),
        ("sriovctl bind 0000:01:10.6 auto", "the driver that fits the card and this machine"),
    ),
    "unbind": (("sriovctl unbind 0000:01:10.6", "no driver"),),
    "restore": (("sriovctl restore 0000:01:10.6", "the driver that it had before"),),
    "oracle": (("sriovctl oracle enp1s0f0", "how many VFs that slot can carry, and why not more"),),
    "status": (
        ("sriovctl status", "who has which VF, VLAN and subnet"),
        ("sriovctl status shop/web-0", "what that pod has; a PF, VF or container will do, too"),
        ("sriovctl status --free -o name", "the PCI addresses of VFs that an ADD may take"),
        ("sriovctl status --json", "all of it for a program"),
    ),
    "doctor": (("sriovctl doctor", "what is wrong with this node, and what helps"),),
    "record": (
        ("sriovctl record node.recording", "all that doctor, status and oracle look at, for a bug report"),
    ),
    "metrics": (
        (
            "sriovctl metrics /var/lib/prometheus/node-exporter/cni_sriov.prom",
            "for node_exporter's textfile collector",
        ),
    ),
    "leases": (("sriovctl leases", "which container has which subnet"),),
    "pool": (
        ("sriovctl pool", "the pools that nodes share, who has how many blocks, and this node's"),
        ("sriovctl pool release", "give back the blocks in which nothing is leased here"),
        ("sriovctl pool drain b1", "that node gives back its blocks as they get empty, and claims no more"),
        ("sriovctl pool forget b1", "that node is no more: its blocks are free; asks first"),
        ("sriovctl pool undefine 10.0.0.0/8", "that pool was a mistake, and no node has a block of it"),
        ("sriovctl pool refill rack", "be in contact with that cluster's engine now"),
    ),
    "explain": (
        ("sriovctl explain default/web-0", "the story of a pod's VF"),
        ("sriovctl explain enp1s0f0:3", "the story of a VF, with all who had it"),
        ("sriovctl explain vlanQoS", "what that key of a configuration is, its default, and its errors"),
        (
            "sriovctl explain 3f7a --log /var/log/multus-sriov.log",
            "with a log file that no conf of the node names",
        ),
    ),
    "baseline": (
        ("sriovctl baseline enp1s0f0", "what its VFs were at first, and what differs now"),
        ("sriovctl baseline --take 0000:01:10.0", "what that VF is now is right"),
    ),
    "gc": (
        ("sriovctl gc --dry-run", "what nobody owns any more, and why the rest stays"),
        ("sriovctl gc", "take it back"),
    ),
    "release": (
        ("sriovctl release 3f7a12ab9c0d/eth0 --dry-run", "what that interface holds, and who is in there"),
        ("sriovctl release 3f7a12ab9c0d/eth0", "give it back; asks first"),
    ),
    "forget": (("sriovctl forget default/web-0", "that pod does not come back: its subnets are free"),),
    "import": (
        (
            "sriovctl import host-local /etc/cni/net.d/10-sriov.conflist --dry-run",
            "what host-local gave out there",
        ),
    ),
    "validate": (
        ("sriovctl validate /etc/cni/net.d", "are they right, and if not, what is wrong"),
        ("sriovctl validate -", "one on standard input"),
    ),
    "profile": (
        (
            "sriovctl profile /etc/cni/net.d/10-sriov.conflist",
            "where the time of an ADD and a DEL goes, by five of them",
        ),
    ),
    "help": (("sriovctl help vfs", "what vfs takes, with examples"),),
    "version": (("sriovctl version", "as in a bug report"),),
}


def text(verb: str) -> str:
    """For the end of `sriovctl VERB --help`; "" for a verb that has none."""
    told = [f"  {command}\n      {meaning}" for command, meaning in EXAMPLES.get(verb, ())]
    return "\n".join(["examples:", *told]) if told else ""
