"""A VF whose PF is not visible: in a virtual machine that VFs were passed through to. It is taken by `deviceID` alone,
for what needs no PF.

Nothing at the device says that it is a VF (its physfn is on the other side of the hypervisor): its driver does. Any
other network card of the machine must not be taken by a slip of the pen.
"""

from __future__ import annotations

from ..conf.netconf import NetConf
from ..decide import knobs
from ..kernel import devices, modules
from ..words.domain import PF, VF
from ..words.errors import PfUnusable
from ..words.modules import UIO, VFIO
from ..words.record import VfState
from .host import Host

# by the PCI drivers of Linux 6.12 (drivers/net/ethernet): of VFs alone, and of PFs and VFs alike
DRIVERS = frozenset(
    (
        *("igbvf", "ixgbevf", "iavf", "i40evf", "cxgb4vf", "LiquidIO_VF", "nfp_netvf", "hinic", "hinic3"),
        *("thunder-nicvf", "rvu_nicvf", "octeon_ep_vf", "ena", "mana", "gve", "idpf", "fm10k", "enic"),
        *(
            "mlx4_core",
            "mlx5_core",
            "bnxt_en",
            "bnx2x",
            "qede",
            "be2net",
            "hns3",
            "ionic",
            "sfc",
            "sfc_ef100",
        ),
    )
)
_TAKEN = frozenset((VFIO, *UIO))  # from the machine already, on purpose
_DEFAULT = {"0.0.0.0/0", "::/0"}


def pf_of(host: Host, conf: NetConf) -> PF:
    """What stands for its PF: one without address and name. PfUnusable (101) if it cannot be a VF, or is asked more."""
    where, sysfs = conf.device, host.sysfs
    if not sysfs.exists(where) or sysfs.is_vf(where):
        raise PfUnusable(
            f"use VF {where}: no such VF on this node, or its PF is not visible",
            "list the node's VFs with `sriovctl status`",
        )
    driver = sysfs.driver(where)
    if sysfs.pf_by_pci(where) is not None or not _is_vfs(host, where, driver):
        what = (
            "it is a PF itself"
            if sysfs.pf_by_pci(where)
            else f"its driver is {driver or 'none'}, which is no VF's"
        )
        raise PfUnusable(
            f"use VF {where}: {what}", "a whole card for a container is the plugin host-device's job"
        )
    asked = [step.label for step in knobs.steps(VfState(), conf.settings)]
    if asked:
        raise PfUnusable(
            f"set {', '.join(asked)} on VF {where}: only its PF can, which is not visible here",
            "set it on the machine that has the PF, and leave it out here",
        )
    return PF("", "", 0, driver, 1, 0)


def _is_vfs(host: Host, where: str, driver: str) -> bool:
    """One that has a driver for user space already is a VF by what the kernel has for it."""
    if driver not in _TAKEN:
        return driver in DRIVERS
    return not DRIVERS.isdisjoint(modules.knowing(host.files, devices.device(host.files, where)))


def use(host: Host, vf: VF) -> str:
    """What the machine itself needs it for, besides what makes any VF busy; "" if nothing."""
    ifindex = host.netlink.ifindex(vf.ifname) if vf.ifname else 0
    routes = host.netlink.routes(ifindex, table=0) if ifindex else []
    is_default = any(route.route.dst in _DEFAULT for route in routes)
    return f"{vf.ifname} has a default route of the host" if is_default else ""
