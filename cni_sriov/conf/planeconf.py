"""What a conf says of a VF for a program in user space: the driver, the device node's owner, hugepages, crypto, VPP. Pure."""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any

from ..words.errors import BadConfig
from ..words.pci import parse_pci_address
from . import values, vppconf
from .values import Key, Table
from .vppconf import VPP

DRIVERS = ("kernel", "vfio-pci", "uio_pci_generic", "igb_uio", "auto")
_ID_MOST = (1 << 32) - 2  # uid_t; the last one means "leave it"
_OWNER = re.compile("([0-9]{1,10}):([0-9]{1,10})")
_PAGE_KIB = {"64Ki": 64, "2Mi": 1 << 11, "32Mi": 1 << 15, "512Mi": 1 << 19, "1Gi": 1 << 20, "16Gi": 1 << 24}
HUGEPAGES = Table({size: values.integer(1, 1 << 30) for size in _PAGE_KIB})
# of the early SR-IOV plugins (intel/sriov-cni until v1.1.0)
LEGACY = Table(
    {
        "kernel_driver": values.string,
        "dpdk_driver": values.one_of(*DRIVERS[1:4]),
        "dpdk_tool": values.string,
        "pci_addr": parse_pci_address,
        "ifname": values.string,
        "vfid": values.whole,
    },
    may_be_blank=True,
)


def owner(value: Any) -> tuple[int, int]:
    """Of `uid:gid`, in the numbers of the host."""
    found = _OWNER.fullmatch(values.string(value))
    if not found or max(int(found[1]), int(found[2])) > _ID_MOST:
        raise ValueError("must be uid:gid in numbers, like 1000:1000")
    return int(found[1]), int(found[2])


ROWS: dict[str, Key | values.Parser | None] = {
    "driver": values.one_of(*DRIVERS),
    "vfioOwner": owner,
    "hugepages": Key(values.an_object, below=HUGEPAGES),
    "crypto": values.one_of("auto"),
    "vpp": Key(values.an_object, below=VPP),
    "dpdk": Key(values.an_object, below=LEGACY),
}


@dataclass(slots=True)
class PlaneConf:
    """`driver` "" = not said: the kernel's, or, of a VF that the caller names, the user-space driver that it is on.
    `owner`: uid and gid for the device node, None = as it is. `hugepages`: how many of which size in KiB. `vpp` None =
    without VPP.
    """

    driver: str = ""
    owner: tuple[int, int] | None = None
    hugepages: dict[int, int] = field(default_factory=dict)
    crypto: bool = False
    vpp: dict[str, Any] | None = None

    @property
    def is_vpp_host(self) -> bool:
        return self.vpp is not None and self.vpp["mode"] == "host"


def legacy_device(told: dict[str, Any]) -> str:
    """The VF by that block, "" if it names none."""
    block = told.get("dpdk")
    return str(LEGACY.read(block, "read dpdk.").get("pci_addr", "")) if block else ""


def of(told: dict[str, Any]) -> PlaneConf:
    """`told`: the conf's values by ROWS. BadConfig where one of them is wrong inside."""
    if told.keys().isdisjoint(ROWS):
        return PlaneConf()
    legacy = LEGACY.read(told.get("dpdk", {}), "read dpdk.")
    vpp = vppconf.read(told["vpp"]) if "vpp" in told else None
    driver = told.get("driver") or legacy.get("dpdk_driver", "")
    if vpp is not None and not driver and vpp["mode"] == "container":
        driver = "auto"
    counts = HUGEPAGES.read(told.get("hugepages", {}), "read hugepages.")
    return PlaneConf(
        driver,
        told.get("vfioOwner"),
        {_PAGE_KIB[size]: count for size, count in counts.items()},
        "crypto" in told,
        vpp,
    )


_PROGRAM_ONLY = ("vfioOwner", "crypto")


def refuse_program_keys(conf: dict[str, Any], plane: PlaneConf, is_named: bool) -> None:
    """BadConfig for what only a program in user space has use for, where the VF will have a netdev. `is_named`: the VF may
    be on a user-space driver already.
    """
    if plane.driver == "kernel" and plane.vpp is not None:
        raise BadConfig(
            "read driver kernel: VPP drives the VF itself", "leave it out, or give one for user space"
        )
    if plane.driver not in {"", "kernel"} or plane.is_vpp_host or (is_named and not plane.driver):
        return
    for key in _PROGRAM_ONLY:
        if key in conf:
            raise BadConfig(
                f"read {key}: the VF will have a network interface, and no program in user space",
                'give "driver", like "vfio-pci"',
            )


# what only a netdev can carry
_NETDEV_ONLY = ("mtu", "txqueuelen", "promisc", "allmulti", "acceptRA", "announceWait")


def refuse_netdev_keys(conf: dict[str, Any], plane: PlaneConf) -> None:
    """BadConfig for what needs a netdev where the conf asks for none. VPP takes an MTU."""
    if plane.is_vpp_host:
        _refuse_vf_keys(conf)
        return
    if plane.driver not in {"", "kernel"}:
        refuse_netdevs(conf, plane, f"with driver {plane.driver} there is none")


def refuse_netdevs(asked: Container[str], plane: PlaneConf, why: str) -> None:
    """`asked`: keys. `why` there is no netdev, where only the VF that was found tells."""
    for key in _NETDEV_ONLY:
        if key in asked and not (key == "mtu" and plane.vpp is not None):
            raise BadConfig(
                f"read {key}: only a netdev can carry it, and {why}",
                "leave it out; the program that drives the VF sets it itself",
            )


# what only a VF of ours can carry: the host's VPP has its card from its start, and ADD makes a tap
_VF_ONLY = (
    *("master", "pf", "deviceID", "pciBusID", "driver", "vfioOwner", "hugepages", "crypto", "dpdk"),
    *("vlan", "vlanQoS", "vlanProto", "spoofchk", "trust", "link_state", "min_tx_rate", "max_tx_rate"),
    *("txqueuelen", "promisc", "allmulti"),
)


def _refuse_vf_keys(conf: dict[str, Any]) -> None:
    for key in _VF_ONLY:
        if key in conf:
            raise BadConfig(
                f'read {key}: with "vpp" in mode "host" no VF is used, and the tap has no such thing',
                "leave it out; what VPP's own card does is configured in VPP",
            )
