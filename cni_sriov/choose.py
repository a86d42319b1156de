"""Which VF: pure. Facts in (PFs, their VFs, the claims), one VF out, or NoFreeVf with the reason of each."""

from __future__ import annotations

from .errors import BadConfig, NoFreeVf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from .domain import PF, VF
    from .netconf import PfSelector


def matching_pfs(pfs: Iterable[PF], selector: PfSelector) -> list[PF]:
    """The PFs that match all that the selector gives; BadConfig if there is none."""
    found = [pf for pf in pfs if _matches(pf, selector)]
    if not found:
        raise BadConfig("choose a PF: no PF of this node matches the selector `pf`")
    return found


def _matches(pf: PF, selector: PfSelector) -> bool:
    rules: tuple[tuple[list[str] | list[int] | None, str | int], ...] = (
        (selector.names, pf.ifname),
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


def free_vf(candidates: Iterable[tuple[PF, Iterable[VF]]], claimed: dict[str, str]) -> tuple[PF, VF]:
    """The first VF in the given order that nobody claims and nothing uses.

    The VFs may come from a generator: those behind the first free one are never looked at.
    """
    reasons = []
    for pf, vfs in candidates:
        seen = 0
        for vf in vfs:
            seen += 1
            reason = "claimed" if vf.pci_address in claimed else vf.busy
            if not reason:
                return pf, vf
            reasons.append(f"{pf.ifname} vf {vf.index} ({vf.pci_address}): {reason}")
        if not seen:
            reasons.append(f"{pf.ifname}: has no VFs that match (numvfs is {pf.numvfs})")
    raise NoFreeVf(
        "choose a VF: no free VF",
        details="; ".join(reasons) or "no PF was named; create VFs with `sriovctl vfs PF N`",
    )
