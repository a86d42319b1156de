"""One step of `sriovctl apply`, done and read back. Who has a VF is asked again under the node's lock, under which no ADD
can choose one; the lock is held for one VF or one numvfs at a time, so that no ADD waits for the whole.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..decide import knobs
from ..decide.wanted import Defaults, Step, told
from ..vf import admin, card, golden
from ..words.domain import PF
from ..words.errors import DriverRefused, KernelRefused, PfUnusable, TryAgain
from ..words.record import VfSettings, VfState
from . import baseline, ready, vfs
from .apply_look import Site, defaults_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..vf.card import Card

_VERB = "sriovctl apply"
_READ_BACK_S = 2.0  # i40e and ice set what the PF knows of a VF asynchronously: sriov-cni, pkg/utils/utils.go
_NAMED_EACH_S = 0.1  # udev names one after the other
Tick = Callable[[], None]  # a VF is done


def act(site: Site, address: str, step: Step, tick: Tick) -> None:
    """`address` of the PF. CniError says why it is not done."""
    pf = vfs.find_pf(site.host, address)
    match step.kind:
        case "mtu":
            _set_mtu(site, pf, step)
        case "up":
            _set_up(site, pf, step)
        case "numvfs":
            _set_numvfs(site, pf, step)
        case "driver":
            for _, vf in _of(site, pf, step):
                site.drivers.bind(vf, step.driver)
                tick()
        case "defaults":
            for index, vf in _of(site, pf, step):
                with site.host.ledger.node_lock(_VERB):
                    _refuse_use(site, pf, index, step)
                    _set_defaults(site, pf, index, vf, step.defaults)
                tick()


def _of(site: Site, pf: PF, step: Step) -> list[tuple[int, str]]:
    found = {index: vf for index, vf in site.host.sysfs.virtfns(pf.pci_address) if index in step.vfs}
    for index in step.vfs:
        if index not in found:
            raise PfUnusable(f"{step.say}: vf {index} has just gone", "run the same command again")
    return sorted(found.items())


# the PF ---------------------------------------------------------------------------------------------------------------


def _set_mtu(site: Site, pf: PF, step: Step) -> None:
    netlink = site.host.netlink
    with site.host.ledger.node_lock(_VERB):
        users = vfs.users(site.host, site.files, pf)
        if users:
            raise TryAgain(f"{step.say}: {len(users)} of its VFs are in use by now", "\n".join(users))
        with _refusal(step):
            netlink.set_mtu(pf.ifindex, step.value)
    found = netlink.link_by_index(pf.ifindex)
    if found is None or found.mtu != step.value:
        now = f"it is {found.mtu}" if found is not None else "it has gone"
        raise PfUnusable(f"{step.say}: afterwards {now}", f"dmesg may say what driver {pf.driver} thinks")


def _set_up(site: Site, pf: PF, step: Step) -> None:
    with _refusal(step):
        site.host.netlink.set_up(pf.ifindex)
    found = site.host.netlink.link_by_index(pf.ifindex)
    if found is None or not found.is_up:
        raise PfUnusable(f"{step.say}: afterwards it is not", f"dmesg may say what driver {pf.driver} thinks")


def _set_numvfs(site: Site, pf: PF, step: Step) -> None:
    with site.host.ledger.node_lock(_VERB):
        pf = vfs.find_pf(site.host, pf.pci_address)
        if pf.numvfs != step.value:  # another call of ours was quicker
            vfs.change(site.host, site.files, pf, step.value)
    pf = vfs.find_pf(site.host, pf.pci_address)
    missing = ready.wait(site.host, pf, step.value, site.named_timeout_s + step.value * _NAMED_EACH_S)
    if missing:
        raise TryAgain(f"{step.say}: they cannot be used yet", "\n".join([*missing, "run it again later"]))


# a VF -----------------------------------------------------------------------------------------------------------------


def _refuse_use(site: Site, pf: PF, index: int, step: Step) -> None:
    for _, use in vfs.uses(site.host, site.files, pf, only=index):
        if use:
            raise TryAgain(f"{step.say}: vf {index} is in use by now, {use}", "run it again when it is not")


def _set_defaults(site: Site, pf: PF, index: int, vf: str, wanted: Defaults) -> None:
    """First the VF, then its golden baseline (docs/design/0014-golden-baseline.md): what a driver refuses must not be what
    each ADD waits for. Killed in between, the old one counts, and the next `apply` sees that it differs.
    """
    row = baseline.Row(pf, index, vf)
    before = golden.of(site.host, vf)
    found = baseline.look(site.host, row)
    settings = VfSettings(**wanted)  # type: ignore[arg-type] # by DEFAULTS
    for step in knobs.steps(found.admin or VfState(), settings):
        with admin.refusal(found, step.label):
            admin.take(found, step)
    if found.link is not None:
        for step in knobs.own_steps(found.link, settings):
            with admin.refusal(found, step.label):
                admin.take(found, step)
    found = _read_back(site, row, found, wanted)
    now = golden.seen(found) if before is None else before
    for name, value in wanted.items():
        setattr(now.state, name, value)
    golden.keep(site.host, vf, now)


def _read_back(site: Site, row: baseline.Row, found: Card, wanted: Defaults) -> Card:
    wrong: Defaults = {}

    def missing() -> Defaults:
        nonlocal found, wrong
        found = baseline.look(site.host, row)
        now = defaults_of(found.admin, found.link)
        wrong = {name: now[name] for name, value in wanted.items() if now.get(name, value) != value}
        return wrong

    if card.poll(missing, _READ_BACK_S):
        raise DriverRefused(
            f"set {told(wanted)} on {found.where}: afterwards it is {told(wrong)}",
            f"driver {found.driver} took it without effect; leave it out of the file",
        )
    return found


@contextmanager
def _refusal(step: Step) -> Iterator[None]:
    try:
        yield
    except KernelRefused as refused:
        raise DriverRefused(f"{step.say}: {refused}", "dmesg may say what the driver thinks") from refused
