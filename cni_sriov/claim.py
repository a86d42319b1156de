"""Choosing a VF and claiming it: facts are gathered and the claim is written under one short node lock.

Also what makes a VF free again when nobody says DEL: reclaim, by proof only (rule 10 of the design).
"""

from __future__ import annotations

from . import choose, release
from .domain import VF, Record
from .errors import BadConfig, CniError, KernelRefused, MacInUse, NoFreeVf, PfUnusable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .domain import PF, Attachment, Request
    from .host import Host
    from .netconf import NetConf
    from .netns import Netns


def take(host: Host, request: Request, conf: NetConf, netns: Netns) -> Record:
    """A VF for this attachment, claimed; NoFreeVf (11) lists the reason of each. Nothing else is changed."""
    pfs = eligible_pfs(host, conf)
    try:
        return _choose_and_claim(host, request, conf, netns, pfs)
    except NoFreeVf:
        if not reclaim(host, {pf.pci_address for pf in pfs}, conf.verify_timeout_ms):
            raise
    host.forget_addresses()  # what was given back may have had some
    return _choose_and_claim(host, request, conf, netns, pfs)


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
    from .devlink import eswitch_mode  # not for cards without one

    return eswitch_mode(pf.pci_address) == "switchdev"


def _meant_pfs(host: Host, conf: NetConf) -> list[PF]:
    if conf.device:
        pf = host.sysfs.pf_of_vf(conf.device)
        if pf is None:
            raise PfUnusable(
                f"use VF {conf.device}: no such VF on this node, or its PF is not visible",
                "list the node's VFs with `sriovctl status`",
            )
        return [pf]
    if conf.pf is not None:
        pfs = host.sysfs.pfs()
        for found in pfs:
            found.vendor, found.device = (
                int(digits or "0", 16) for digits in host.sysfs.ids(found.pci_address)
            )
        return choose.matching_pfs(pfs, conf.pf)
    pf = host.sysfs.pf_by_name(conf.master) or _pf_by_altname(host, conf.master)
    if pf is None:
        raise _no_pf(host, conf.master)
    return [pf]


def _pf_by_altname(host: Host, name: str) -> PF | None:
    """A PF that was renamed keeps its predictable name as an altname: udev gives it one."""
    ifindex = host.netlink.ifindex(name)
    return host.sysfs.pf_by_name(host.netlink.ifname(ifindex)) if ifindex else None


def _no_pf(host: Host, name: str) -> CniError:
    ports = host.sysfs.bond_ports(name)
    if ports:
        return BadConfig(f"use master {name}: it is a bond", f"name one of its ports: {', '.join(ports)}")
    if not host.netlink.ifindex(name):
        return PfUnusable(
            f"use master {name}: no such interface in the host", "list PFs with `sriovctl status`"
        )
    return PfUnusable(f"use master {name}: its device cannot have VFs (no sriov_totalvfs)")


def _choose_and_claim(host: Host, request: Request, conf: NetConf, netns: Netns, pfs: list[PF]) -> Record:
    with host.ledger.node_lock(request.verb):
        pf, vf = find_free(host, conf, pfs, request.attachment)
        if conf.settings.mac:
            _refuse_mac_in_use(host, pf, vf, conf.settings.mac)
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
            settings=conf.settings,
            vf_inode=host.sysfs.inode(vf.pci_address),
        )
        host.ledger.claim(record)
    return record


def find_free(host: Host, conf: NetConf, pfs: list[PF], asking: Attachment | None = None) -> tuple[PF, VF]:
    """The VF that an ADD would take now; NoFreeVf (11) lists the reason of each. Changes nothing."""
    claimed = host.ledger.claimed()
    with_address = _with_global_address(host)
    own = host.ledger.pfs_of_container(asking) if asking is not None and len(pfs) > 1 else []
    ordered = choose.fewest_claims_first(pfs, claimed, own)
    candidates = ((pf, _vfs(host, conf, pf, claimed, with_address)) for pf in ordered)
    return choose.free_vf(candidates, claimed)


def _vfs(host: Host, conf: NetConf, pf: PF, claimed: dict[str, str], with_address: set[int]) -> Iterator[VF]:
    """The PF's VFs that the conf admits, each judged when it is looked at."""
    for index, pci_address in host.sysfs.virtfns(pf.pci_address):
        if conf.device not in {"", pci_address} or not choose.has_index(conf.pf, index):
            continue
        if pci_address in claimed:
            yield VF(index, pci_address, "", "")  # 256 VFs under the node's lock: what is known is not read
        else:
            vf = host.sysfs.vf(index, pci_address)
            vf.busy = vf.busy or _busy(host, vf, with_address)
            yield vf
        if conf.device:
            return


def _busy(host: Host, vf: VF, with_address: set[int]) -> str:
    """What keeps a VF from a pod, besides what sysfs told. UP or link-local alone does not: NetworkManager does that."""
    if not vf.ifname:
        return f"driver {vf.driver} makes no netdev"
    ifindex = host.netlink.ifindex(vf.ifname)
    if ifindex in with_address:
        return f"{vf.ifname} has a global address in the host"
    if not host.sysfs.udev_named(ifindex):
        return f"{vf.ifname} is not named by udev yet"
    if host.ledger.is_marked(vf.pci_address):
        from . import adopt

        return adopt.holder(host, vf.pci_address)
    return ""


def _with_global_address(host: Host) -> set[int]:
    return {address.ifindex for address in host.addresses if address.is_global}


def _refuse_mac_in_use(host: Host, pf: PF, vf: VF, mac: str) -> None:
    """igb and others accept one MAC on two VFs (lab.md 6.5), and then neither gets all of its traffic."""
    port = host.netlink.link_by_index(pf.ifindex)
    if port is not None and port.mac == mac:
        raise MacInUse(f"use MAC {mac}: {pf.ifname} itself has it")
    for index, state in host.netlink.vf_states(pf.ifindex).items():
        if index != vf.index and state.mac == mac:
            raise MacInUse(f"use MAC {mac}: vf {index} of {pf.ifname} has it")
    for claim in host.ledger.claims():
        if claim.pf == pf.pci_address and claim.vf != vf.pci_address and claim.settings.mac == mac:
            raise MacInUse(
                f"use MAC {mac}: it is claimed by {claim.attachment} on vf {claim.vf_index} of {pf.ifname}"
            )


# reclaim -------------------------------------------------------------------------------------------------------------


def reclaim(host: Host, pfs: set[str] | None, verify_timeout_ms: int) -> list[Record]:
    """Give back what provably nobody owns, of these PFs (None = all); each is logged."""
    taken = [
        record
        for record in host.ledger.claims()
        if (pfs is None or record.pf in pfs) and _reclaim_one(host, record, verify_timeout_ms)
    ]
    if host.ledger.cache_names():
        from . import adopt

        taken += adopt.reclaim(host, pfs, verify_timeout_ms)
    return taken


def _reclaim_one(host: Host, claim: Record, verify_timeout_ms: int) -> bool:
    """Only with its attachment's lock, gotten without waiting: whoever holds it is alive."""
    lock = host.ledger.attachment_lock(claim.attachment, "reclaim")
    if not lock.try_acquire():
        return False
    try:
        record = host.ledger.claim_of(claim.pf, claim.vf)
        if record is None or record.attachment != claim.attachment:
            return False
        found = host.ledger.find(claim.attachment)
        record = found if found is not None and found.vf == claim.vf else record
        reason = death_proof(host, record)
        if not reason:
            return False
        if not release.give_back(host, record, verify_timeout_ms):
            return False
        host.log.warning("reclaimed", vf=record.vf, attachment=record.attachment, reason=reason)
        lock.forget()
        return True
    except (CniError, KernelRefused) as error:
        host.log.warning("reclaim failed", vf=claim.vf, attachment=claim.attachment, reason=error)
        return False
    finally:
        lock.release()


def death_proof(host: Host, record: Record) -> str:
    """Why nobody can own this attachment any more, "" if somebody may. The caller holds its lock."""
    if record.boot_id != host.ledger.boot_id:
        return "it is of an earlier boot"
    lost = host.lost_vf(record)
    if lost:
        return lost
    claimed = host.ledger.claim_of(record.pf, record.vf)
    if claimed is not None and claimed.attachment != record.attachment:
        return f"its VF is {claimed.attachment}'s by now"
    if record.status == "in-progress":
        return "its ADD died"
    # where CNI_NETNS_OVERRIDE let the container be in the host, a living one's VF is there as well
    away = record.status == "released" or record.netns_identity != list(host.own_netns.identity)
    if away and host.vf_link(record.vf) is not None:
        return "the VF is back in the host"
    return ""
