"""From what a PF and its VFs are to what the host's file wants: the steps in their order, or why not. Pure.

All is judged before the first change: a PF of which one thing is refused gets no step at all. What is so already has no
step, so a plan that was carried out is followed by an empty one. What somebody has is never destroyed: a step that would
is refused, and a default of a VF that somebody has is left until he gives it back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from ..conf.hostfile import HostFile, PfEntry, VfRange
from ..words.domain import PF
from ..words.errors import BadConfig, CniError, PfUnusable
from ..words.pci import is_userspace
from . import choose
from .planner import Plan
from .slot import vfs as vfs_in_words
from .wanted import DEFAULTS, PfFacts, PfPlan, Step, VfFacts, spelled, told

_END_USE = "end that use first; what is left of dead containers, `sriovctl gc` takes back"


# which PFs ------------------------------------------------------------------------------------------------------------


def select(
    file: HostFile, pfs: list[PF], ifindex: Callable[[str], int]
) -> tuple[list[tuple[PfEntry, PF]], list[PfEntry]]:
    """(entry, PF) by PCI address, and the entries that match none. BadConfig if a PF is matched twice. `ifindex` of a name
    or altname, 0 if there is none.
    """
    meant: dict[str, tuple[PfEntry, PF]] = {}
    missing = []
    for entry in file.pfs:
        found = _matching(entry, pfs, [ifindex(name) for name in entry.selector.names or []])
        if not found:
            missing.append(entry)
        for pf in found:
            first = meant.setdefault(pf.pci_address, (entry, pf))[0]
            if first is not entry:
                raise BadConfig(
                    f"plan {pf.ifname or pf.pci_address}: {first.where} and {entry.where} both match it",
                    "make their selectors narrower: one entry says all that a PF is to be",
                )
    return [meant[address] for address in sorted(meant)], missing


def _matching(entry: PfEntry, pfs: list[PF], named: list[int]) -> list[PF]:
    try:
        return choose.matching_pfs(pfs, entry.selector, named)
    except BadConfig:
        return []


def nothing_matches(entry: PfEntry) -> PfUnusable:
    return PfUnusable(
        f"plan {entry.where}: no PF of this node matches it",
        'correct its selector `pf` (`sriovctl status` lists the PFs), or say "optional": true',
    )


# one PF ---------------------------------------------------------------------------------------------------------------


def plan(entry: PfEntry, facts: PfFacts) -> PfPlan:
    made = PfPlan(entry, facts.pf)
    count = _count(entry, facts, made)
    is_anew = count != facts.pf.numvfs
    for part in (_mtu(entry, facts), _up(entry, facts), _numvfs(facts, count, made)):
        _take(made, part)
    vfs = [VfFacts(index, "") for index in range(count)] if is_anew else facts.vfs
    for one in entry.vfs or []:
        chosen = [vf for vf in vfs if one.has(vf.index)]
        _take(made, _drivers(facts, one, chosen, is_anew))
        _take(made, _defaults(facts, one, chosen, made))
    if made.refused:
        made.steps = []
    return made


def _take(made: PfPlan, part: Iterable[Step | CniError]) -> None:
    for one in part:
        if isinstance(one, CniError):
            made.refused.append(one)
        else:
            made.steps.append(one)


def _users(facts: PfFacts) -> list[str]:
    return [f"vf {vf.index} ({vf.pci}): {vf.use}" for vf in facts.vfs if vf.use]


def _mtu(entry: PfEntry, facts: PfFacts) -> Iterator[Step | CniError]:
    """Before its VFs come: drivers tell them what the PF takes. Most reset the port for it, and its VFs with that."""
    mtu, link = entry.mtu, facts.link
    if mtu is None or (link is not None and link.mtu == mtu):
        return
    what = f"set the MTU of {facts.name} to {mtu}"
    if link is None:
        yield PfUnusable(f"{what}: {_NO_NETDEV}", _netdev_remedy(facts.pf))
    elif not link.min_mtu <= mtu <= (link.max_mtu or mtu):
        yield BadConfig(f"{what}: it takes {link.min_mtu}-{link.max_mtu}", f"correct {entry.where}.mtu")
    elif users := _users(facts):
        yield PfUnusable(
            f"{what}: {len(users)} of its VFs in use, and its driver resets the port for it",
            "\n".join([*users, _END_USE]),
        )
    else:
        yield Step("mtu", f"{what} (is {link.mtu})", mtu)


def _up(entry: PfEntry, facts: PfFacts) -> Iterator[Step | CniError]:
    """Before its VFs come: the PF hears from none while it is down (kernels.md 6.4)."""
    if not entry.up or (facts.link is not None and facts.link.is_up):
        return
    if facts.link is None:
        yield PfUnusable(f"set {facts.name} up: {_NO_NETDEV}", _netdev_remedy(facts.pf))
    else:
        yield Step("up", f"set {facts.name} up")


_NO_NETDEV = "it has no network interface on the host"


def _netdev_remedy(pf: PF) -> str:
    address = pf.pci_address
    if pf.driver:
        return (
            f"driver {pf.driver} makes none, or somebody moved it into a network namespace: `sriovctl restore {address}`"
            f" or `sriovctl bind {address} kernel` gives it back"
        )
    return f"no driver is bound: sriovctl bind {address} kernel"


# how many -------------------------------------------------------------------------------------------------------------


def _count(entry: PfEntry, facts: PfFacts, made: PfPlan) -> int:
    """How many VFs it shall have; what stands against that is told by `made`."""
    wanted, now = entry.numvfs, facts.pf.numvfs
    if wanted is None or wanted == now:
        return now
    if wanted == "max":
        count = max(facts.capacity.count, now)  # what is there proves that there is room
        made.notes += facts.capacity.notes if count != now else []
        return count
    what = f"give {facts.name} {wanted} VFs"
    if wanted > facts.pf.totalvfs:
        made.refused.append(
            BadConfig(f"{what}: it can have at most {facts.pf.totalvfs}", f"correct {entry.where}.numvfs")
        )
        return wanted
    limit = facts.capacity.against(wanted)
    if limit is not None and limit.is_certain:
        remedy = f'{limit.remedy}\nOr take as many as there is room for: "numvfs": "max"'.lstrip()
        made.refused.append(PfUnusable(f"{what}: {limit.reason}", remedy))
    elif limit is not None:
        made.notes.append(f"the kernel may refuse to {what}: {limit.reason}")
    return wanted


def _numvfs(facts: PfFacts, count: int, made: PfPlan) -> Iterator[Step | CniError]:
    now = facts.pf.numvfs
    if count == now:
        if made.entry.numvfs == "max" and not count and facts.capacity.limits:
            limit = facts.capacity.limits[0]
            yield PfUnusable(f"give {facts.name} VFs: {limit.reason}", limit.remedy)
        return
    users = _users(facts)
    if users:
        yield PfUnusable(
            f"change {facts.name} from {now} to {count} VFs: {len(users)} of them in use, and all would go",
            "\n".join([*users, _END_USE]),
        )
    else:
        yield Step("numvfs", say_count(facts.name, now, count), count)


def say_count(name: str, now: int, count: int) -> str:
    if not count:
        return f"remove the {vfs_in_words(now)} of {name}"
    return f"give {name} {vfs_in_words(count)} ({f'has {now}, which go' if now else 'has none'})"


# ranges of VFs --------------------------------------------------------------------------------------------------------


def _drivers(facts: PfFacts, wanted: VfRange, vfs: list[VfFacts], is_anew: bool) -> Iterator[Step | CniError]:
    if not wanted.driver:
        return
    if is_anew:
        yield from _drivers_anew(facts, wanted, vfs)
        return
    todo: dict[str, list[int]] = {}
    for vf in vfs:
        found = vf.driver_plan
        what = f"bind vf {vf.index} of {facts.name} to {wanted.driver}"
        if vf.use and (isinstance(found, CniError) or (found is not None and found.is_change)):
            yield PfUnusable(f"{what}: it is in use, {vf.use}", _END_USE)
        elif isinstance(found, CniError):
            yield type(found)(f"{what}: {found.msg}", found.details)
        elif found is not None and found.is_change:
            todo.setdefault(found.driver, []).append(vf.index)
    for driver, indices in todo.items():
        yield _bind(facts, wanted, driver, indices)


def _drivers_anew(facts: PfFacts, wanted: VfRange, vfs: list[VfFacts]) -> Iterator[Step | CniError]:
    """The kernel binds its own driver to new VFs, unless it is told not to."""
    found, indices = facts.fresh.get(wanted.driver), [vf.index for vf in vfs]
    if isinstance(found, CniError):
        yield type(found)(f"bind VFs of {facts.name} to {wanted.driver}: {found.msg}", found.details)
    elif indices and found is not None and found.is_change:
        yield _bind(facts, wanted, found.driver, indices)
    elif indices and not facts.probes:
        yield _bind(facts, wanted, "its kernel driver", indices)


def _bind(facts: PfFacts, wanted: VfRange, driver: str, indices: list[int]) -> Step:
    say = f"bind {spelled(indices)} of {facts.name} to {driver}"
    return Step("driver", say, vfs=tuple(indices), driver=wanted.driver)


def _defaults(facts: PfFacts, wanted: VfRange, vfs: list[VfFacts], made: PfPlan) -> Iterator[Step | CniError]:
    asked = {name: getattr(wanted, name) for name in DEFAULTS if getattr(wanted, name) is not None}
    todo: dict[tuple[str, ...], list[int]] = {}
    for vf in vfs:
        names = tuple(name for name in asked if differs(vf, name, asked[name]))
        if not names:
            continue
        if vf.use or vf.unclear:
            now = told({name: asked[name] for name in names})
            made.left.append(f"vf {vf.index} of {facts.name} is not set to {now}: {vf.use or vf.unclear}")
        else:
            todo.setdefault(names, []).append(vf.index)
    for names, indices in todo.items():
        some = {name: asked[name] for name in names}
        if facts.link is None and names != ("mtu",):
            yield PfUnusable(
                f"set {told(some)} on VFs of {facts.name}: {_NO_NETDEV}", _netdev_remedy(facts.pf)
            )
            continue
        yield Step(
            "defaults",
            f"set {spelled(indices)} of {facts.name} to {told(some)}",
            vfs=tuple(indices),
            defaults=some,
        )


def differs(vf: VfFacts, name: str, wanted: bool | int) -> bool:
    """Of a VF that one of ours has, what it is now is his: what DEL will restore counts. What is not told cannot be judged:
    a VF without netdev has no MTU, and some drivers do not tell a knob. Of a VF that is to come, all is to be set.
    """
    if not vf.pci:
        return True
    first = vf.first or {}
    if name == "mtu" and name not in vf.now and _gets_netdev(vf):
        return True
    known = [first.get(name)] if vf.use and first else [vf.now.get(name), first.get(name)]
    return any(value is not None and value != wanted for value in known)


def _gets_netdev(vf: VfFacts) -> bool:
    found = vf.driver_plan
    return isinstance(found, Plan) and found.is_change and not is_userspace(found.driver)
