"""How a VF gets to a container and back: one Handover for each kind of driver, and only here is said which."""

from __future__ import annotations

from typing import Protocol

from ..conf.netconf import NetConf
from ..kernel.netlink import Netlink
from ..kernel.netns import Netns
from ..words.domain import VF, IpamResult, Link, Route
from ..words.errors import TryAgain
from ..words.jsontext import words
from ..words.plane import VFIO, VPP_HOST
from ..words.record import Record
from . import netdev, vfio, vpphost
from .card import Card
from .host import Host
from .pod import InPod


class Handover(Protocol):
    """A module of this folder with these acts. Whatever is set by the PF, and the Record, is the same for every kind."""

    def busy(self, host: Host, conf: NetConf, vf: VF, addressed: set[int]) -> str:
        """What keeps a VF from a container, besides what sysfs told. `addressed`: interfaces with a global address."""

    def find(self, host: Host, record: Record) -> Link | None:
        """What is to be handed over, None where the kind needs no netdev. PfUnusable (101) if it is gone."""

    def hand_over(self, card: Card, netns: Netns, netlink: Netlink, conf: NetConf) -> InPod:
        """All that was asked is set and read back, and the container has it."""

    def configure(self, given: InPod, record: Record, conf: NetConf, found: IpamResult | None) -> list[Route]:
        """The container's side, with what an IPAM of ours gave; the answer is the routes as they were added."""

    def add_late(self, given: InPod, record: Record, conf: NetConf, found: IpamResult) -> list[Route]:
        """What an IPAM gave that wanted to see the interface first."""

    def announce(self, given: InPod, found: IpamResult | None, wait_ms: int) -> None:
        """Tell the neighbours; never fails."""

    def differences(
        self, host: Host, record: Record, conf: NetConf, netns: Netns, netlink: Netlink
    ) -> list[str]:
        """For CHECK: what is not in the container as ADD promised it."""

    def take_home(self, host: Host, record: Record) -> None:
        """Out of the container, to its network driver and the host netns. card.NotYet if only time can help."""

    def is_home(self, host: Host, record: Record) -> bool:
        """The proof that no container has it any more."""

    def is_in_pod(self, host: Host, record: Record) -> bool:
        """Whether it is in the very netns that ADD put it in."""

    def is_out(self, host: Host, record: Record) -> bool:
        """Where it could not be returned: whether its container may still use it."""


_KINDS: dict[str, Handover] = {VFIO: vfio, VPP_HOST: vpphost}


def of(record: Record) -> Handover:
    """By what ADD decided, which the Record says."""
    if record.plane is None:
        return netdev
    kind = _KINDS.get(record.plane.kind)
    if kind is None:
        raise TryAgain(
            f"handle {record.device}: it was attached as {words(record.plane.kind)}, which this version does not know",
            "a later version of cni-sriov did that; put it back",
        )
    return kind


def wanted(conf: NetConf, driver: str) -> Handover:
    """What the conf asks for, of a VF that has that driver now."""
    return vfio if vfio.is_wanted(conf, driver) else netdev
