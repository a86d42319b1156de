"""The doctor's rules about what is attached and leased: what of it is dead, lost, double, or nobody's."""

from __future__ import annotations

from collections.abc import Iterator

from .facts import Facts, Rule
from .facts_state import Away, Held, Nic
from .trouble import Evidence, Severity, Trouble, by_hand, quoted

_DEVICES = "/sys/bus/pci/devices"
_NO_MAC = {"", "00:00:00:00:00:00"}
_FIRST = 0x020000000001  # locally administered, unicast


# MACs ----------------------------------------------------------------------------------------------------------------


def same_mac(facts: Facts) -> Iterator[Trouble]:
    """Two VFs, or a VF and a PF, have one MAC: the card sends each frame to one of them.

    error, warning: `ip link set NETDEV address ...` on a VF that is free
    """
    everybody = facts.state.nics
    by_mac: dict[str, list[Nic]] = {}
    for nic in everybody:
        for mac in {nic.mac, nic.admin} - _NO_MAC:
            by_mac.setdefault(mac, []).append(nic)
    taken = set(by_mac)
    for mac, nics in sorted(by_mac.items()):
        if len(nics) > 1 and not _is_one_bond(nics):
            yield _same_mac(mac, nics, taken)


def _is_one_bond(nics: list[Nic]) -> bool:
    """Of different PFs, in one container or below one bond of the host, which gives its ports one MAC."""
    if len({nic.pf for nic in nics}) < len(nics):
        return False
    owners, uppers = {nic.owner for nic in nics}, {nic.upper for nic in nics}
    return any(len(found) == 1 and "" not in found for found in (owners, uppers))


def _same_mac(mac: str, nics: list[Nic], taken: set[str]) -> Trouble:
    is_one_card = len({nic.pf for nic in nics}) < len(nics)
    names = " and ".join(f"{nic}{f' ({nic.owner})' if nic.owner else ''}" for nic in nics)
    why = f"{names} have one MAC, {mac}"
    why += ": the card sends each frame to one of them" if is_one_card else ": on one wire frames get lost"
    evidence = [Evidence(*_told_mac(nic, mac)) for nic in nics]
    severity: Severity = "error" if is_one_card else "warning"
    return Trouble("same-mac", severity, mac, why, _other_mac(nics, taken), evidence)


def _told_mac(nic: Nic, mac: str) -> tuple[str, str]:
    if nic.netdev and nic.mac == mac:
        return f"ip link show {nic.netdev}", f"link/ether {nic.mac}"
    return f"ip link show {nic.pf_name}", f"vf {nic.index} link/ether {mac}"


def _other_mac(nics: list[Nic], taken: set[str]) -> str:
    """Of one that nobody has the admin MAC goes first, else its own cannot be set (kernels.md 6.2)."""
    free = [nic for nic in nics if nic.index >= 0 and not nic.owner and nic.netdev]
    if not free:
        return (
            "# give one of these containers another `mac` in its configuration or request, and start it anew"
        )
    lines = []
    for nic in free[len(free) == len(nics) :]:
        number = _FIRST
        while (fresh := number.to_bytes(6, "big").hex(":")) in taken:
            number += 1
        taken.add(fresh)
        if nic.pf_name:
            lines.append(f"ip link set {quoted(nic.pf_name)} vf {nic.index} mac 00:00:00:00:00:00")
        lines.append(f"ip link set {quoted(nic.netdev)} address {fresh}")
    return "\n".join(lines)


# attachments ---------------------------------------------------------------------------------------------------------


def record_without_vf(facts: Facts) -> Iterator[Trouble]:
    """The VF that a container was given is no more: its interface is gone.

    error: `sriovctl gc`, and start the container anew
    """
    for held in facts.state.held:
        if held.is_vf_gone:
            why = f"{held.owner} was given VF {held.vf}, and that VF is no more: {held.dead or 'it is gone'}"
            evidence = [_told(held), Evidence(f"{_DEVICES}/{held.vf}", held.dead or "not there")]
            remedy = "sriovctl gc\n# if the container still runs, start it anew: its interface is gone"
            yield Trouble("record-without-vf", "error", held.vf, why, remedy, evidence)


def dead_attachment(facts: Facts) -> Iterator[Trouble]:
    """An attachment has no owner any more, and its VF was not given back. The next ADD that needs it takes it back.

    note: `sriovctl gc`
    """
    for held in facts.state.held:
        if held.dead and not held.is_vf_gone and held.status != "released":
            why = f"nobody has {held.where} any more, which {held.owner} was given: {held.dead}"
            yield Trouble("dead-attachment", "note", held.subject, why, "sriovctl gc", [_told(held)])


def not_restored(facts: Facts) -> Iterator[Trouble]:
    """A DEL was answered, and its VF is not yet what it was.

    warning: `sriovctl gc`
    """
    for held in facts.state.held:
        if held.status == "released" and not held.is_vf_gone:
            who = ", ".join(held.open_in)
            why = f"{held.where} of {held.owner} was given up by a DEL and is not restored yet"
            why += f": it is open in {who}" if who else ""
            remedy = (
                f"{by_hand(f'end {who}')}\nsriovctl gc"
                if who
                else "sriovctl gc\n# says why not, where it cannot"
            )
            yield Trouble("not-restored", "warning", held.subject, why, remedy, [_told(held)])


def _told(held: Held) -> Evidence:
    return Evidence(held.file, f"{held.status}, of {held.owner}, netns {held.netns or 'not known'}")


def netns_without_process(facts: Facts) -> Iterator[Trouble]:
    """A container has a VF and no process: a mount alone keeps its network namespace, and so the VF.

    note: `ip netns del NAME`, then `sriovctl gc`, if that container is no more
    """
    for held in facts.state.held:
        if held.mounts and not held.dead and held.status == "done":
            why = f"no process is in the network namespace of {held.owner}, which has {held.where}: a mount keeps it"
            evidence = [Evidence("/proc/self/mountinfo", f"nsfs on {path}") for path in held.mounts]
            lines = ["# if the container is no more (a runtime that was killed tells nobody):"]
            lines += [_unmount(path) for path in held.mounts]
            remedy = "\n".join([*lines, "sriovctl gc"])
            yield Trouble(
                "netns-without-process", "note", held.subject, why, remedy, [_told(held), *evidence]
            )


def _unmount(path: str) -> str:
    """One below /proc/PID/root is a mount of that process's mount namespace, which only a program in there can unmount: no
    program of a container's is one that root shall start.
    """
    if path.startswith("/proc/"):
        _, _, pid, _, inside = path.split("/", 4)
        return by_hand(
            f"/{inside} is mounted in the mount namespace of process {pid} alone: end that process"
        )
    directory, _, name = path.rpartition("/")
    if directory in {"/run/netns", "/var/run/netns"}:
        return f"ip netns del {quoted(name)}"
    return f"umount {quoted(path)} && rm -f {quoted(path)}"


def vf_of_nobody(facts: Facts) -> Iterator[Trouble]:
    """A VF is in another network namespace, and nobody recorded that: it can be given to no container.

    warning: `nsenter --net=... ip link set dev NETDEV netns 1`
    """
    for away in facts.state.away:
        where = f"{away.where} ({away.pci})"
        if away.path:
            place = f"as {away.netdev} in the network namespace {away.path}"
        else:
            place = "in a network namespace that no process is in and no mount keeps: something has it open"
        inside = f", with {', '.join(away.inside[:3])}" if away.inside else ""
        why = f"{where} is {place}{inside}; this plugin did not put it there, and cannot give it to anybody"
        yield Trouble("vf-of-nobody", "warning", away.pci, why, _home(away), _seen_away(away))


def _seen_away(away: Away) -> list[Evidence]:
    found = [Evidence(f"{_DEVICES}/{away.pci}/net", "empty: its netdev is not in the host")]
    found.append(Evidence("/run/cni-sriov/claims", f"no claim on {away.pci}"))
    if away.path:
        found.append(Evidence(f"nsenter --net={away.path} ip link", f"{away.netdev} parentdev {away.pci}"))
    return found


def _home(away: Away) -> str:
    if not away.path:
        return "# stop what has it open; the VF then comes back by itself"
    enter = (
        f"nsenter --net={quoted(away.path)} ip link set dev {quoted(away.netdev)}"  # it may be called `down`
    )
    who = "# if whoever put it there is through with it:"
    return f"{who}\n{enter} down\n{enter} netns 1"


# leases --------------------------------------------------------------------------------------------------------------


def lease_without_attachment(facts: Facts) -> Iterator[Trouble]:
    """A subnet is leased to an attachment that is no more.

    warning: `sriovctl gc`
    """
    for lease in facts.state.leases:
        why = f"{lease.subnets} is leased to {lease.owner or 'nobody'}, which is no more: {lease.reason}"
        evidence = [Evidence("sriovctl gc --dry-run", lease.reason)]
        yield Trouble("lease-without-attachment", "warning", lease.subnets, why, "sriovctl gc", evidence)


def lease_lost(facts: Facts) -> Iterator[Trouble]:
    """A container uses a subnet that is not reserved for it any more: another one can be given the same.

    error: delete the container and make it anew
    """
    for held in facts.state.held:
        if held.unleased and not held.dead and not held.is_vf_gone:
            subnets = ", ".join(held.unleased)
            why = f"{held.owner} uses {subnets}, which is not reserved any more: the next container may get it too"
            remedy = "# delete that container (a DEL) and make it anew; an ADD reserves what it gives"
            yield Trouble("lease-lost", "error", held.owner, why, remedy, [_told(held)])


# files ---------------------------------------------------------------------------------------------------------------


def unreadable_state(facts: Facts) -> Iterator[Trouble]:
    """A state file cannot be read: what it holds stays taken.

    error: the version that wrote it, or `sriovctl gc --forget FILE`
    """
    for one in facts.state.unread:
        keeps = f", and keeps VF {one.vf} taken" if one.vf else ""
        why = f"{one.file} cannot be read{keeps}: {one.reason}"
        told = [by_hand(f"{one.remedy}; or:"), one.command] if one.command else [by_hand(one.remedy)]
        remedy = "\n".join(told)
        yield Trouble("unreadable-state", "error", one.file, why, remedy, [Evidence(one.file, one.reason)])


def directory_gone(facts: Facts) -> Iterator[Trouble]:
    """A directory that attachments of this boot have their state in is not there any more.

    error, note: `mkdir -p -m 700 DIR`, and make the containers anew whose leases were in there
    """
    for one in facts.state.gone:
        has_lost = bool(one.users) and one.kind == "leases"
        who = f"; {', '.join(one.users[:3])} had {one.kind} there" if one.users else ", and nobody needs it"
        why = f"{one.path} is in use for {one.kind} and is not there{who}"
        lines = [f"mkdir -p -m 700 {quoted(one.path)}"]
        if has_lost:
            lines.append("# then delete these containers and make them anew: nothing reserves their subnets")
        severity: Severity = "error" if has_lost else "note"
        evidence = [Evidence(one.registered, f"registered: {one.path}")]
        yield Trouble("directory-gone", severity, one.path, why, "\n".join(lines), evidence)


def vf_changed(facts: Facts) -> Iterator[Trouble]:
    """A free VF is not what it was when this node first saw it. An ADD puts that right before it gives it to anybody.

    note: `sriovctl baseline --take VF` if that is meant
    """
    for one in facts.state.drifted:
        why = (
            f"{one.where} was changed while nobody had it; the next ADD undoes that: {'; '.join(one.differs)}"
        )
        remedy = f"# only if it is meant to stay so:\nsriovctl baseline --take {one.pci}"
        evidence = [Evidence(f"sriovctl baseline {one.pci}", "; ".join(one.differs))]
        yield Trouble("vf-changed", "note", one.pci, why, remedy, evidence)


RULES: tuple[Rule, ...] = (
    *(same_mac, record_without_vf, lease_lost, unreadable_state, directory_gone),
    *(not_restored, vf_of_nobody, lease_without_attachment),
    *(dead_attachment, netns_without_process, vf_changed),
)
