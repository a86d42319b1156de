"""Choosing a VF and claiming it: facts are gathered and the claim is written under one short node lock."""

from __future__ import annotations

import time
from collections.abc import Iterator

from ..conf.netconf import NetConf
from ..decide import choose
from ..kernel.netns import Netns
from ..state import sriovcni
from ..words import origin
from ..words.domain import PF, VF, Attachment, Request
from ..words.errors import BadConfig, CniError, KernelRefused, MacInUse, NoFreeVf, PfUnusable
from ..words.failures import Failures
from ..words.gone import is_passing
from ..words.record import Record
from . import cachefiles, crypto, golden, handover, lone, macs, netdev
from .host import Host

NAMING_S = 2.0  # kernels.md 6.14: udev is through with a VF that came home in 0.3 to 0.6 s


def is_unnamed(error: CniError) -> bool:
    """Whether time alone makes a VF free."""
    return isinstance(error, NoFreeVf) and any(reason.endswith(choose.UNNAMED) for _, _, reason in error.seen)


def eligible_pfs(host: Host, conf: NetConf) -> list[PF]:
    """The PFs to choose from: those that the conf means, without those in switchdev mode."""
    meant = _meant_pfs(host, conf)
    legacy = [pf for pf in meant if not _in_switchdev(host, pf)]
    if not legacy:
        raise PfUnusable(
            f"use PF {', '.join(pf.ifname for pf in meant)}: it is in switchdev mode",
            f"`devlink dev eswitch set pci/{meant[0].pci_address} mode legacy`, or use a plugin for representors",
        )
    return legacy


def _in_switchdev(host: Host, pf: PF) -> bool:
    """By devlink, which is asked only where the PF has a switch ID; ice has one in legacy mode, too."""
    if not host.sysfs.switch_id(pf.ifname):
        return False
    return host.eswitch_mode(pf.pci_address) == "switchdev"


def _meant_pfs(host: Host, conf: NetConf) -> list[PF]:
    if conf.device:
        pf = host.sysfs.pf_of_vf(conf.device)
        if pf is None:
            pf = lone.pf_of(host, conf)
        return [pf]
    if conf.pf is not None:
        pfs = host.sysfs.pfs()
        for found in pfs:
            found.vendor, found.device = (
                int(digits or "0", 16) for digits in host.sysfs.ids(found.pci_address)
            )
        return choose.matching_pfs(pfs, conf.pf, map(host.netlink.ifindex, conf.pf.names or []))
    pf = host.sysfs.pf_by_name(conf.master) or _pf_by_altname(host, conf.master)
    if pf is None:
        raise _no_pf(host, conf.master)
    return [pf]


def _pf_by_altname(host: Host, name: str) -> PF | None:
    """A PF that was renamed keeps its predictable name as an altname: udev gives it one."""
    ifindex = host.netlink.ifindex(name)
    return host.sysfs.pf_by_name(host.netlink.ifname(ifindex)) if ifindex else None


def _no_pf(host: Host, name: str) -> CniError:
    ifindex = host.netlink.ifindex(name)
    ports = host.sysfs.bond_ports(host.netlink.ifname(ifindex)) if ifindex else []
    if ports:
        return BadConfig(f"use master {name}: it is a bond", f"name one of its ports: {', '.join(ports)}")
    if not ifindex:
        return PfUnusable(
            f"use master {name}: no such interface in the host", "list PFs with `sriovctl status`"
        )
    return PfUnusable(
        f"use master {name}: its device cannot have VFs (no sriov_totalvfs)",
        f"`sriovctl oracle {name}` says why",
    )


def take(host: Host, request: Request, conf: NetConf, netns: Netns, pfs: list[PF]) -> Record:
    """A VF of these PFs for this attachment, claimed. NoFreeVf and MacInUse say what is in the way (owner/reclaim.py)."""
    with host.ledger.node_lock(request.verb):
        first = pf, vf = _find_free(host, conf, pfs, _with_global_address(host), request.attachment)
        if conf.settings.mac:
            pf, vf = _with_mac(host, conf, pfs, first, conf.settings.mac)
        reason = _reason(host, conf, pfs, pf) if (pf, vf) == first else choose.BY_MAC
        record = Record(
            request.attachment,
            conf.name,
            pf.pci_address,
            vf.pci_address,
            vf.index,
            request.netns,
            list(netns.identity),
            host.ledger.boot_id,
            driver=vf.driver,
            plane=vf.plane,
            settings=conf.settings,
            vf_inode=host.sysfs.inode(vf.pci_address),
            netns_cookie=netns.cookie,
            origin=origin.packed(int(time.time()), reason, request.args, conf.log_file),
        )
        crypto.reserve(host, conf, record)
        host.ledger.claim(record)
    return record


def _reason(host: Host, conf: NetConf, pfs: list[PF], chosen: PF) -> str:
    """Why that VF, for people."""
    if conf.device:
        return choose.BY_ADDRESS
    return choose.why_first(chosen, pfs, host.ledger.claimed() if len(pfs) > 1 else {})


def check_room(host: Host, conf: NetConf, pfs: list[PF], now: bool) -> None:
    """BadConfig or PfUnusable if an ADD will never find a VF; `now`: NoFreeVf (11) with the reason of each if it would find
    none now. Addresses come and go: for `never` alone the kernel is not asked for them, under RTNL before Linux 6.9.
    """
    _find_free(host, conf, pfs, _with_global_address(host) if now else set())


def _find_free(
    host: Host, conf: NetConf, pfs: list[PF], with_address: set[int], asking: Attachment | None = None
) -> tuple[PF, VF]:
    claimed = host.ledger.claimed()
    own = host.ledger.pfs_of_container(asking) if asking is not None and len(pfs) > 1 else []
    ordered = choose.fewest_claims_first(pfs, claimed, own)
    candidates = ((pf, _vfs(host, conf, pf, claimed, with_address)) for pf in ordered)
    return choose.free_vf(candidates, claimed, conf.pf)


def _vfs(host: Host, conf: NetConf, pf: PF, claimed: dict[str, str], with_address: set[int]) -> Iterator[VF]:
    """The PF's VFs that the conf admits, each judged when it is looked at."""
    virtfns = host.sysfs.virtfns(pf.pci_address) if pf.pci_address else [(0, conf.device)]
    for index, pci_address in virtfns:
        if conf.device not in {"", pci_address} or not choose.has_index(conf.pf, index):
            continue
        if pci_address in claimed:
            yield VF(index, pci_address, "", "")  # 256 VFs under the node's lock: what is known is not read
        else:
            vf = VF(index, pci_address, "", "")
            failures = Failures()
            with failures.of():
                vf = host.sysfs.vf(index, pci_address)
                kind = handover.wanted(conf, vf.driver)
                vf.busy = (
                    (vf.busy if vf.driver or kind is netdev else "")
                    or kind.busy(host, conf, vf, with_address)
                    or _held_otherwise(host, pf, vf)
                    or golden.trouble(host, pci_address)
                )
            for reason in failures.reasons:
                if isinstance(reason, BadConfig) or (
                    isinstance(reason, KernelRefused) and is_passing(reason)
                ):
                    raise reason  # the conf's or the machine's, and no VF's own
                vf.busy = f"it cannot be looked at: {reason}"
            yield vf
        if conf.device:
            return


def _held_otherwise(host: Host, pf: PF, vf: VF) -> str:
    """By sriov-cni, or by the machine itself where the PF is not visible."""
    if sriovcni.is_marked(host.ledger.cache_dirs, vf.pci_address):
        held = cachefiles.holder(host, vf.pci_address)
        if held:
            return held
    return "" if pf.pci_address else lone.use(host, vf)


def _with_global_address(host: Host) -> set[int]:
    """From somebody of the host: by three advertisements of a router each VF that is UP would be busy."""
    return {address.ifindex for address in host.addresses if address.is_global and address.is_lasting}


def _with_mac(host: Host, conf: NetConf, pfs: list[PF], chosen: tuple[PF, VF], mac: str) -> tuple[PF, VF]:
    """MacInUse (103) if somebody else has the MAC. Where a free VF has it already, that is the one to take."""
    pf, vf = chosen
    having = macs.look(host, mac, "" if pf.pci_address else vf.pci_address)
    macs.refuse_claimed(host, mac, having, vf)
    macs.refuse_of_host(host, mac, having)
    others = [address for address in having.vfs if address != vf.pci_address]
    if not others:
        return chosen
    pf, index = having.vfs[others[0]]
    meant = next((one for one in pfs if one.pci_address == pf.pci_address), None)
    found = _free(host, conf, meant, index) if meant is not None and len(having.vfs) == 1 else None
    if meant is None or found is None:
        raise MacInUse(
            f"use MAC {mac}: {macs.where(pf, index)} has it",
            f"nobody has claimed that VF: ask for it (deviceID {others[0]}), or give it another address",
            vf=others[0],
        )
    return meant, found


def _free(host: Host, conf: NetConf, pf: PF, index: int) -> VF | None:
    """The PF's VF of that index, if the conf admits it and it is free."""
    claimed = host.ledger.claimed()
    for vf in _vfs(host, conf, pf, claimed, _with_global_address(host)):
        if vf.index == index:
            return None if vf.busy or vf.pci_address in claimed else vf
    return None
