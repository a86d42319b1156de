"""Which VF: pure. Facts in (PFs, their VFs, the claims), one VF out, or an error with the reason of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ..conf.netconf import PfSelector
from ..words.domain import PF, VF
from ..words.errors import BadConfig, CniError, NoFreeVf, PfUnusable
from ..words.pci import is_userspace


def matching_pfs(pfs: Iterable[PF], selector: PfSelector, named: Iterable[int] = ()) -> list[PF]:
    """The PFs that match all that the selector gives; BadConfig if there is none. `named`: the interfaces that its names
    lead to, which may be altnames.
    """
    meant = set(named) - {0}
    found = [pf for pf in pfs if _matches(pf, selector, meant)]
    if not found:
        raise BadConfig("choose a PF: no PF of this node matches the selector `pf`")
    return found


def _matches(pf: PF, selector: PfSelector, named: set[int]) -> bool:
    if selector.names and pf.ifname not in selector.names and pf.ifindex not in named:
        return False
    rules: tuple[tuple[list[str] | list[int] | None, str | int], ...] = (
        (selector.pci_addresses, pf.pci_address),
        (selector.vendors, pf.vendor),
        (selector.devices, pf.device),
        (selector.drivers, pf.driver),
    )
    return all(not wanted or value in wanted for wanted, value in rules)  # [] = any, as if it were not given


def has_index(selector: PfSelector | None, index: int) -> bool:
    return (
        selector is None
        or selector.vfs is None
        or any(first <= index <= last for first, last in selector.vfs)
    )


def fewest_claims_first(pfs: list[PF], claimed: dict[str, str], own: list[str] | None = None) -> list[PF]:
    """`claimed`: VF address -> PF address. `own`: PF addresses of the container's other interfaces, which come last: two
    interfaces of one container are meant to survive the loss of one PF.
    """
    taken, mine = list(claimed.values()), own or []

    def order(pf: PF) -> tuple[int, int, str]:
        return mine.count(pf.pci_address), taken.count(pf.pci_address), pf.pci_address

    return sorted(pfs, key=order)


def free_vf(
    candidates: Iterable[tuple[PF, Iterable[VF]]], claimed: dict[str, str], selector: PfSelector | None = None
) -> tuple[PF, VF]:
    """The first VF in the given order that nobody claims and nothing uses.

    The VFs may come from a generator: those behind the first free one are never looked at.
    """
    seen: list[tuple[str, str, str]] = []
    lasting, without_vfs = True, list[PF]()
    refused: list[CniError] = []
    for pf, vfs in candidates:
        before = len(seen)
        for vf in vfs:
            taken = vf.pci_address in claimed
            if not (taken or vf.busy):
                return pf, vf
            where = f"{pf.ifname} vf {vf.index} ({vf.pci_address})".strip()
            seen.append((where, vf.pci_address, CLAIMED if taken else vf.busy))
            lasting = lasting and vf.lasting and not taken
            refused += [vf.refused] if vf.refused is not None and not taken else []
        if len(seen) == before:
            seen.append((pf.ifname, "", f"has no VFs that match (numvfs is {pf.numvfs})"))
            lasting = lasting and not any(has_index(selector, index) for index in range(pf.numvfs))
            without_vfs += [] if pf.numvfs else [pf]
    raise refused[0] if len(refused) == len(seen) > 0 else _nothing_free(seen, lasting, without_vfs)


# why that VF, for people (`sriovctl explain`)
BY_ADDRESS = "asked for by its address"
BY_MAC = "the one that has the MAC asked for"


def why_first(chosen: PF, pfs: list[PF], claimed: dict[str, str]) -> str:
    """Of `chosen`, which came first among `pfs`. `claimed` as it was before: VF address -> PF address."""
    first = f"the first free one of {chosen.ifname or chosen.pci_address}"
    if len(pfs) == 1:
        return first
    taken = list(claimed.values())
    counts = ", ".join(f"{pf.ifname or pf.pci_address} {taken.count(pf.pci_address)}" for pf in pfs)
    return f"{first}; claims before: {counts}"


CLAIMED = "claimed"
TOLD = 8  # a kubelet's event has room for 1024 characters
UNNAMED = "is not named by udev yet"  # time alone makes such a VF free


def make_some(pf: PF) -> str:
    """What the operator types where a PF has no VFs: the driver's own limit; a slot may have room for fewer."""
    if not pf.driver or is_userspace(pf.driver):
        return f"give it its network driver first: `sriovctl bind {pf.pci_address} kernel`"
    name = pf.ifname or pf.pci_address
    return f"create them with `sriovctl vfs {name} {pf.totalvfs}`, or as many as its slot has room for: `sriovctl vfs {name} max`"


def _nothing_free(seen: list[tuple[str, str, str]], lasting: bool, without_vfs: list[PF]) -> CniError:
    """Waiting helps where a VF is in use or on its way, and nowhere else."""
    details = told(seen)
    if seen and len(without_vfs) == len(seen):
        names = ", ".join(pf.ifname or pf.pci_address for pf in without_vfs)
        return PfUnusable(f"choose a VF: {names} has no VFs (numvfs is 0)", make_some(without_vfs[0]))
    if seen and lasting:
        return BadConfig(
            "choose a VF: none of those that the configuration means can ever be taken",
            f"{details}; bind them to their network driver, or mean others",
        )
    return NoFreeVf(
        "choose a VF: no free VF",
        details or "no PF was named; `sriovctl vfs` lists them, and how many VFs each can have",
        seen,
    )


def told(seen: list[tuple[str, str, str]], holders: dict[str, str] | None = None) -> str:
    """Why not, of each VF; of hundreds the first ones, and how many more. `holders`: VF address -> the words for who has
    claimed it.
    """
    words = [
        f"{where}: {reason}{(holders or {}).get(address, '') if reason == CLAIMED else ''}"
        for where, address, reason in seen[:TOLD]
    ]
    rest = Counter(reason for _, _, reason in seen[TOLD:])
    if rest:
        # most_common(3) imports heapq when it is called, which the snapshot does not have
        counts = ", ".join(f"{count} {reason}" for reason, count in rest.most_common()[:3])
        counts += ", ..." if len(rest) > 3 else ""
        words.append(f"and {len(seen) - TOLD} more ({counts}): `sriovctl status` has all")
    return "; ".join(words)
