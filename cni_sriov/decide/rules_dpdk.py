"""The doctor's rules about what DPDK and VPP want beside a device: huge pages, and crypto."""

from __future__ import annotations

from collections.abc import Iterator

from ..words.hugepages import HugePages
from .facts import Facts, Rule
from .trouble import Evidence, Severity, Trouble, by_hand, quoted

_ENOUGH = 512 << 10  # KiB: 256 pages of 2 MiB, what two testpmd with 4096 buffers each had
_USUAL = 2048
_LOCKED = 64 << 20  # bytes: VPP had 12 MiB locked for one VF, and 8 MiB carried nothing
_SYSCTL = "# for good: vm.nr_hugepages in /etc/sysctl.d, or hugepages=N on the kernel's command line"


def hugepages_none(facts: Facts) -> Iterator[Trouble]:
    """There are no huge pages, or none on the NUMA node of a card: DPDK and VPP do not start, or run across nodes.

    warning, note: write nr_hugepages; warning if a device is meant for user space
    """
    nodes = _by_node(facts)
    empty = [node for node, found in nodes.items() if not any(one.total for one in found)]
    for node in empty if len(empty) < len(nodes) else empty[:1]:
        cards = [
            card.name
            for card in facts.cards
            if card.device.numa_node in {node, -1} or len(empty) == len(nodes)
        ]
        if len(empty) < len(nodes) and not cards:
            continue
        where = "" if len(empty) == len(nodes) else f"NUMA node {node}"
        why = (
            f"{where}, where {', '.join(cards)} sits, has no huge pages"
            if where
            else "there are no huge pages"
        )
        page = _preferred(nodes[node])
        yield Trouble(
            "hugepages-none",
            _severity(facts),
            where,
            f"{why}: DPDK and VPP want some near their card",
            f"echo {max(_ENOUGH // page.size, 1)} > {page.where}/nr_hugepages\n{_SYSCTL}",
            [Evidence(f"{one.where}/nr_hugepages", str(one.total)) for one in nodes[node]],
        )


def hugepages_used_up(facts: Facts) -> Iterator[Trouble]:
    """All huge pages of a NUMA node are in use: the next DPDK or VPP there does not start.

    warning: remove files that nobody has mapped any more, or more pages
    """
    # a process that could not be looked at may have it
    are_all_seen = facts.is_root and not facts.unseen
    left = [file for file in facts.machine.hugefiles if not file.users] if are_all_seen else []
    for node, found in _by_node(facts).items():
        if not any(one.total for one in found) or any(one.free for one in found):
            continue
        page = _preferred([one for one in found if one.total])
        more = f"echo {page.total + max(_ENOUGH // page.size, 1)} > {page.where}/nr_hugepages"
        told = [f"{file.path}: {', '.join(file.users)}" for file in facts.machine.hugefiles if file.users]
        remedy = [f"rm {' '.join(quoted(file.path) for file in left)}"] if left else [more, _SYSCTL]
        yield Trouble(
            "hugepages-used-up",
            "warning",
            f"NUMA node {node}" if node >= 0 else "",
            f"all {sum(one.total for one in found)} huge pages are in use"
            + ("; some are kept by files that no process has mapped any more" if left else ""),
            "\n".join([*remedy, *(by_hand(f"in use: {line}") for line in told)]),
            [
                *(
                    Evidence(f"{one.where}/free_hugepages", f"{one.free} of {one.total}")
                    for one in found
                    if one.total
                ),
                *(Evidence(file.path, "mapped by nobody") for file in left),
            ],
        )


def hugetlbfs_missing(facts: Facts) -> Iterator[Trouble]:
    """There are huge pages and no hugetlbfs is mounted, where DPDK looks for them.

    warning, note: mount it; warning if a device is meant for user space
    """
    machine = facts.machine
    if any(one.total for one in machine.hugepages) and not machine.hugetlbfs:
        yield Trouble(
            "hugetlbfs-missing",
            _severity(facts),
            "",
            "no hugetlbfs is mounted: DPDK finds its huge pages there, unless it is told --in-memory",
            "mkdir -p /dev/hugepages\nmount -t hugetlbfs hugetlbfs /dev/hugepages\n# for good: /etc/fstab",
            [Evidence("/proc/mounts", "no hugetlbfs")],
        )


def _by_node(facts: Facts) -> dict[int, list[HugePages]]:
    nodes: dict[int, list[HugePages]] = {}
    for one in facts.machine.hugepages:
        nodes.setdefault(one.node, []).append(one)
    return nodes


def _preferred(found: list[HugePages]) -> HugePages:
    return next((one for one in found if one.size == _USUAL), found[0])


def _severity(facts: Facts) -> Severity:
    return "warning" if facts.wants_userspace else "note"


def vpp_takes_pf(facts: Facts) -> Iterator[Trouble]:
    """VPP's configuration names no devices, so that at its next start it takes every supported one that is down: a PF, too.

    warning: `ip link set PF up`, and `dev ...` in VPP's startup.conf
    """
    conf = facts.machine.vpp_conf
    for card in facts.cards if conf else []:
        if card.device.totalvfs and card.ifname and not card.is_up:
            yield Trouble(
                "vpp-takes-pf",
                "warning",
                card.name,
                f"{card.name} is down, and VPP takes it at its next start: then it has no VFs any more",
                f"ip link set {quoted(card.ifname)} up\n# for good: in the part dpdk of {conf}, a line for each VF that VPP shall"
                " have, like dev 0000:01:10.0",
                [
                    Evidence(conf, "no dev in its part dpdk"),
                    Evidence(f"ip link show {card.ifname}", "not UP"),
                ],
            )


# memory ----------------------------------------------------------------------------------------------------------------


def memlock_low(facts: Facts) -> Iterator[Trouble]:
    """A program that drives a device by vfio may lock too little memory: its interface appears and carries no traffic.

    warning: a higher limit for its container: `--ulimit memlock=-1:-1`, or LimitMEMLOCK=infinity of the runtime's service
    """
    holders = [one for card in facts.cards for one in card.holders]
    holders += [one for card in facts.cards for vf in card.vfs for one in vf.holders]
    for holder in {holder.pid: holder for holder in holders}.values():
        by_vfio = any(path.startswith("/dev/vfio/") for _, path in holder.by)
        if by_vfio and holder.memlock is not None and holder.memlock < _LOCKED:
            yield Trouble(
                "memlock-low",
                "warning",
                str(holder),
                f"{holder} drives a device by vfio, and may lock {holder.memlock >> 10} KiB of memory: where that is too"
                " little, its interface is there and carries no traffic",
                "# podman: --ulimit memlock=-1:-1; Kubernetes: LimitMEMLOCK=infinity in the runtime's service."
                " Then start the container anew",
                [
                    Evidence(f"/proc/{holder.pid}/limits", f"Max locked memory {holder.memlock}"),
                    *(Evidence(source, path) for source, path in holder.by),
                ],
            )


# crypto --------------------------------------------------------------------------------------------------------------


def crypto_accelerator(facts: Facts) -> Iterator[Trouble]:
    """Whether crypto of DPDK has a QAT card, or must do with software.

    note: DPDK's QAT PMD on its VFs, or its OpenSSL PMD
    """
    found = facts.machine.accelerators
    if found:
        yield Trouble(
            "crypto-accelerator",
            "note",
            "",
            f"there is a QAT crypto accelerator: {', '.join(one.address for one in found)}",
            "# DPDK drives its VFs by the QAT PMD (crypto_qat): make VFs of it, and bind them to vfio-pci",
            [
                Evidence(f"/sys/bus/pci/devices/{one.address}/driver", one.driver or "not there")
                for one in found
            ],
        )
    elif facts.wants_userspace:
        yield Trouble(
            "crypto-accelerator",
            "note",
            "",
            "there is no crypto accelerator that DPDK knows (QAT): crypto is done by the CPU",
            "# DPDK's OpenSSL PMD does it in software: --vdev crypto_openssl",
            [Evidence("/sys/bus/pci/devices", "no co-processor of Intel's (class 0b40)")],
        )


RULES: tuple[Rule, ...] = (
    hugepages_none,
    hugepages_used_up,
    hugetlbfs_missing,
    vpp_takes_pf,
    memlock_low,
    crypto_accelerator,
)
