"""The VPP of a container: ADD writes its files and DEL takes them away, from what the Records of its attachments say.

Two VFs of one container have one VPP and so one set of files, with both in it. They are written from the Records alone, under
the node's lock; a Record says first that it is in them (ADD), or not any more (DEL).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..conf import hostsubnet, vppconf
from ..conf.netconf import NetConf
from ..decide import vppplan
from ..state import vppfiles
from ..state.claims import attachment_in
from ..wire import vppfiles as texts
from ..words.domain import IpamResult, Request, Route
from ..words.errors import BadConfig, IfnameExists, TryAgain, Unreadable
from ..words.failures import Failures
from ..words.record import Record
from ..words.vpp import VppPart
from .host import Host
from .pod import InPod


def is_asked(conf: NetConf) -> bool:
    return conf.plane.vpp is not None and not conf.plane.is_vpp_host


def judge(request: Request, conf: NetConf) -> None:
    """Before anything is touched: what of the call stands in the files and in their path."""
    if is_asked(conf):
        vppconf.vpp_name(request.attachment.ifname)
        _place(request, conf)
        if _tap_of(conf) is not None and not hostsubnet.is_asked(conf.ipam):
            raise vppplan.no_room("the leases")


def _place(request: Request, conf: NetConf) -> tuple[str, str]:
    assert conf.plane.vpp is not None
    pod = {
        "namespace": request.args.get("K8S_POD_NAMESPACE", ""),
        "pod": request.args.get("K8S_POD_NAME", ""),
    }
    given = {"containerID": request.attachment.container_id} | pod
    return vppconf.place(conf.plane.vpp["directory"], given)


def leave(given: InPod, record: Record, conf: NetConf, found: IpamResult | None, routes: list[Route]) -> None:
    """The Record says what is to be there, and then it is."""
    if record.plane is None:
        raise BadConfig(
            f"give VF {record.vf} to VPP: its driver {record.driver} shares it with the kernel",
            "VPP in a container takes VFs that it has alone",
        )
    host = given.host
    part = _part(host.request, record, conf, found, routes)
    with host.ledger.node_lock("write VPP's files"):
        _refuse_unclear(host, record)
        others = dict(_others(host, record, part.directory))
        _refuse_strangers(record, part, others)
        _plan_tap(given, part, conf, found, routes, others)
        where = f"another network of container {record.attachment.container_id}"
        vppplan.refuse_clash(part, others.values(), where)
        record.plane.vpp = part.to_json()
        record.plane.files += [f"{part.directory}/{name}" for name in texts.NAMES]
        host.ledger.put(record)
        _write(part, [*others.values(), part], record.attachment.container_id)


def _part(
    request: Request, record: Record, conf: NetConf, found: IpamResult | None, routes: list[Route]
) -> VppPart:
    vpp = conf.plane.vpp
    assert vpp is not None
    directory, root = _place(request, conf)
    return VppPart(
        directory,
        root,
        vpp["mountedAt"],
        vppconf.vpp_name(record.attachment.ifname),
        record.vf,
        record.settings.mtu or vppplan.MTU,
        [ip.address for ip in found.ips] if found is not None else [],
        vppplan.routes_of(routes, found.leases if found is not None else []),
        queues=vpp.get("rxQueues", 0),
        options={key: vpp[key] for key in vppconf.OPTIONS if key in vpp},
        crypto=record.plane.crypto if record.plane is not None else "",
    )


def _plan_tap(
    given: InPod,
    part: VppPart,
    conf: NetConf,
    found: IpamResult | None,
    routes: list[Route],
    others: dict[str, VppPart],
) -> None:
    """VPP would make a second queue of an interface that is there. It cannot give an address of IPv6 where that is off."""
    wanted = _tap_of(conf)
    if wanted is None:
        return
    ids = {other.tap.id for other in others.values() if other.tap is not None}
    part.tap = vppplan.tap(wanted, part.name, found.leases if found is not None else [], routes, ids)
    if given.netlink.ifindex(part.tap.ifname):
        raise IfnameExists(
            f"add tap {part.tap.ifname}: {given.netns.path} has an interface of that name",
            "give it another vpp.tap.name",
        )
    if any(":" in address for address in part.tap.addresses):
        for refused in given.netns.set_sysctls([(("net", "ipv6", "conf", "default", "disable_ipv6"), "0")]):
            given.host.log.warning("sysctl not set", reason=refused)


def _tap_of(conf: NetConf) -> dict[str, Any] | None:
    return (conf.plane.vpp or {}).get("tap")


def _others(host: Host, record: Record, directory: str) -> Iterator[tuple[str, VppPart]]:
    """The parts that other attachments have in these files, by attachment."""
    failures = Failures(host.log.error, "what it has in VPP's files cannot be read")
    for claim in host.ledger.claims():
        with failures.of(attachment=claim.attachment):
            part = _part_of(claim) if claim.attachment != record.attachment else None
            if part is not None and part.directory == directory and not part.gone:
                yield str(claim.attachment), part


def _part_of(record: Record) -> VppPart | None:
    """Unreadable where the Record says of it what we would not write."""
    told = record.plane.vpp if record.plane is not None else {}
    try:
        return VppPart.from_json(told) if "mounted" in told else None
    except (ValueError, KeyError) as error:
        raise Unreadable.of(f"plane.vpp in the Record of {record.attachment}", str(error)) from error


def _refuse_unclear(host: Host, record: Record) -> None:
    """Unreadable where a claim of the container does not tell what it has in the files: VPP would lose that VF."""
    for error in host.ledger.unreadable_claims():
        who = attachment_in(error)
        if who is not None and who.container_id == record.attachment.container_id:
            raise error


def _refuse_strangers(record: Record, part: VppPart, others: dict[str, VppPart]) -> None:
    """A VPP takes all the VFs that its file names, also another container's."""
    strangers = [name for name in others if name.partition("/")[0] != record.attachment.container_id]
    if strangers:
        raise TryAgain(
            f"write VPP's files in {part.directory}: they are those of {strangers[0]}",
            "put {containerID}, or {namespace} and {pod}, into vpp.directory, so that each container has its own; of a"
            " container that died without its DEL, `sriovctl gc` takes them back",
        )


def _write(part: VppPart, parts: list[VppPart], container: str) -> None:
    vppfiles.write(part.directory, part.root, texts.render(parts, container), texts.NAMES)


def forget(host: Host, record: Record) -> None:
    """The inverse, however often: the files are without it, and gone with the last one. What the container put in their way
    keeps no VF: then its own VPP finds one that it has not any more.
    """
    part = _part_of(record)
    if part is None or record.plane is None:
        return
    with host.ledger.node_lock("write VPP's files"):
        if not part.gone and host.ledger.claimant(record) == record.attachment:
            part.gone = True
            record.plane.vpp = part.to_json()
            host.ledger.put(record)
        others = dict(_others(host, record, part.directory))
        if others:
            with Failures(host.log.warning, "VPP's files stay as they are").of(attachment=record.attachment):
                _write(part, list(others.values()), next(iter(others)).partition("/")[0])
        else:
            vppfiles.remove(part.directory, part.root, texts.NAMES)


def differences(host: Host, record: Record) -> list[str]:
    """For CHECK."""
    part = _part_of(record)
    if part is None:
        return []
    parts = [*dict(_others(host, record, part.directory)).values(), part]
    return vppfiles.unlike(part.directory, texts.render(parts, record.attachment.container_id))
