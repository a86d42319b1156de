"""The golden baseline of a VF: what it was when this node first saw this VF instance (docs/design/0014-golden-baseline.md).

One file a VF below /run/cni-sriov/golden, of one VF instance (Sysfs.inode), written before the first ADD changes
anything. DEL restores to it, and an ADD that finds something else puts that right first: so a Record that is lost can
never make one tenant's settings the next one's. Not compared are UP, name and altnames: NetworkManager's and udev's.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Self

from ..kernel.traits import differing
from ..state import bound, files
from ..words import jsontext
from ..words.errors import InputOutput, Unreadable
from ..words.record import VfState
from ..words.stored import Stored, checked, opened, parsed, rendered, stamped, stored
from . import admin
from .card import Card
from .host import Host

_ADMIN = ("mac", "vlan", "min_tx_rate", "max_tx_rate", "spoofchk", "trust", "link_state")


@stored()
@dataclass(slots=True)
class Golden(Stored):
    """`state`: what the PF tells and what the netdev has; `traits`: the rest that a container can change on a netdev
    (Netlink.traits). What was not told is None in the one and not there in the other, and holds nobody to anything.
    """

    inode: int
    state: VfState
    traits: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return stamped(Stored.to_json(self) | {"state": self.state.to_json()})

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Self:
        """ValueError, KeyError or TypeError if `raw` is none of a format we know."""
        raw = opened(raw)
        fields = checked(raw, cls.shape)
        if not {*map(type, fields["traits"].values())} <= {str}:
            raise ValueError("a trait is no text")
        golden = cls(fields["inode"], VfState.from_json(fields["state"]), fields["traits"])
        golden.keep(raw)
        return golden

    def lacks(self, found: Card) -> bool:
        """Whether more is told now than when it was written."""
        state, admin = self.state, found.admin
        return (
            (admin is not None and any(_is_new(state, admin, name) for name in _ADMIN))
            or (found.link is not None and not state.own_mac)
            or bool(self._untold(found.traits(self.traits)))
        )

    def _untold(self, traits: dict[str, str]) -> set[str]:
        """What was not asked for, or had no answer, when it was written."""
        new = traits.keys() - self.traits.keys()
        return new - {*self.unlike(traits)} if new else new

    def complete(self, now: Golden) -> None:
        """With what was not told when it was written: the PF was not visible, or this version asks more."""
        state = self.state if self.state.own_mac else _with_own_half(self.state, now.state)
        untold = {name for name in _ADMIN if getattr(state, name) is None}
        if "vlan" in untold:
            untold |= {"vlan_qos", "vlan_proto"}
        self.state = replace(state, **{name: getattr(now.state, name) for name in untold})
        self.traits |= {key: now.traits[key] for key in self._untold(now.traits)}

    def unlike(self, traits: dict[str, str]) -> list[str]:
        """The traits that differ; what only one side could tell does not."""
        return [] if traits == self.traits else differing(self.traits, traits)

    def told(self, traits: dict[str, str]) -> list[str]:
        """The same in words."""
        was, words = self.traits, jsontext.words
        return [
            f"{key} {words(traits.get(key, ''))}, not {words(was.get(key, ''))}"
            for key in self.unlike(traits)
        ]


def _is_new(state: VfState, admin: VfState, name: str) -> bool:
    return getattr(state, name) is None and getattr(admin, name) is not None


def _with_own_half(state: VfState, now: VfState) -> VfState:
    """It had no netdev: a driver of another kind."""
    own = {name: getattr(now, name) for name in ("own_mac", "mtu", "txqueuelen", "modes")}
    return replace(state, **own)


# the file -------------------------------------------------------------------------------------------------------------


def of(host: Host, vf: str) -> Golden | None:
    """None if this node has not seen this VF instance. Unreadable (11) or InputOutput if its file is there and cannot be
    read.
    """
    path = _path(host, vf)
    text = files.read(path)
    if text is None:
        return None
    try:
        golden = parsed(path, text, Golden.from_json)
    except Unreadable as error:
        error.details += f"; `sriovctl baseline --take {vf}` takes what the VF is now instead"
        raise
    return golden if golden.inode == host.sysfs.inode(vf) else None


def keep(host: Host, vf: str, golden: Golden) -> None:
    """By whoever has the VF's claim, or the node's lock while it has none."""
    files.ensure_directory(_directory(host))
    files.replace(_path(host, vf), rendered(f"what VF {vf} was at first", golden.to_json()))


def trouble(host: Host, vf: str) -> str:
    """Why nobody may have it as it is, "" if that is not so. What is read is kept for `first`: the VF is claimed next."""
    try:
        host.golden = vf, of(host, vf)
    except (Unreadable, InputOutput) as error:
        return error.msg
    return ""


def _directory(host: Host) -> str:
    return f"{host.ledger.run_dir}/golden"


def _path(host: Host, vf: str) -> str:
    return f"{_directory(host)}/{vf}"


# the VF ---------------------------------------------------------------------------------------------------------------


def seen(found: Card) -> Golden:
    """What it is now. Nothing is told where there is no PF, or none that tells of the VF."""
    base, link = replace(found.admin or VfState()), found.link
    if link is not None:
        base.mac = admin.mac_by_pf(base, link) if found.pf is not None else None
        base.own_mac, base.mtu, base.txqueuelen = link.mac, link.mtu, link.txqueuelen
        base.modes = link.modes
    elif base.mac and base.mac == _before_bind(found):
        base.mac = ""
    return Golden(found.host.sysfs.inode(found.record.vf), base, found.traits())


def _before_bind(found: Card) -> str:
    """The address that its netdev had, which the PF still shows, before `sriovctl bind`."""
    host, vf = found.host, found.record.vf
    kept = bound.of(host.ledger.run_dir, vf, host.sysfs.inode(vf))
    return kept.state.own_mac if kept is not None and kept.state is not None else ""


def first(found: Card) -> Golden:
    """Its golden baseline, which is what it is now if there was none."""
    host, vf = found.host, found.record.vf
    (read_for, before), host.golden = host.golden, ("", None)
    if read_for != vf:
        before = of(host, vf)
    if not isinstance(before, Golden):
        before = seen(found)
    elif before.lacks(found):
        before.complete(seen(found))
    else:
        return before
    keep(host, vf, before)
    return before


def known(host: Host, vf: str) -> Golden | None:
    """As `of`, for whoever has the VF already, and the rest in its Record. While a damaged file is there nobody gets it
    (vf/claim.py). InputOutput where it may be read later.
    """
    try:
        return of(host, vf)
    except (Unreadable, files.NoFile) as error:
        host.log.warning("what a container left on the VF's netdev cannot be told", vf=vf, reason=error)
        return None


def accept(found: Card, golden: Golden, keys: list[str]) -> None:
    """A new netdev has it so, untouched by anybody: the driver, or another kernel's word for the same."""
    host, vf, traits = found.host, found.record.vf, found.traits()
    differs = "; ".join(golden.told(traits))
    host.log.warning("the VF's new netdev is not as its first was; it stays so", vf=vf, differs=differs)
    for key in keys:
        golden.traits.pop(key, None)
    golden.traits |= {key: traits[key] for key in keys if key in traits}
    try:
        keep(host, vf, golden)
    except InputOutput as error:
        host.log.warning("the VF's golden baseline is not kept", vf=vf, reason=error)
