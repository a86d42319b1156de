"""STATUS: could an ADD be served now? Takes no lock, reclaims nothing, changes nothing.

Runtimes make a node NotReady on any error here, so exhaustion is one only if `statusOnFull` says so.
"""

from __future__ import annotations

import os

from ..conf.hostsubnet import IpamConf
from ..conf.netconf import NetConf
from ..conf.pools import Pool
from ..decide import choose
from ..ipam import delegate, own, shared
from ..leases.snapshot import Snapshot
from ..owner import holder
from ..state import clusterfile
from ..state.nodeblocks import NodeBlocks
from ..vf import card, claim, hugepages, vpptap
from ..vf.call import Call
from ..vf.host import Host
from ..words import jsontext
from ..words.domain import PF
from ..words.errors import (
    BadConfig,
    CniError,
    InputOutput,
    NoFreeVf,
    NotAvailable,
    PfUnusable,
    PoolExhausted,
    TryAgain,
)
from ..words.failures import Failures
from ..words.lease import View


def run(call: Call) -> None:
    """NotAvailable (50, or 51 where running attachments suffer too) says which and the remedy."""
    conf, host = call.conf, call.host
    _check_directory(conf.name, conf.state_dir)
    if conf.plane.is_vpp_host:
        _check_vpp(conf, host)
    elif conf.device or conf.master or conf.pf:
        pfs = _usable_pfs(conf, host)
        _check_room(conf, host, pfs)
    if call.ipam is not None:
        check_ipam(conf.name, call.ipam, host, conf.status_on_full == "error")
    delegate.forward(host)


def _check_vpp(conf: NetConf, host: Host) -> None:
    problem = vpptap.trouble((conf.plane.vpp or {})["socket"])
    if problem:
        raise _unavailable(conf, host, None, problem, "")


def check_ipam(network: str, conf: IpamConf, host: Host, full_is_error: bool = False) -> None:
    """What STATUS asks of host-subnet; also its answer at its own door."""
    _check_directory(network, conf.lease_dir.data_dir)
    if conf.shared:
        _check_blocks(network, conf, host)
    if full_is_error:
        try:
            own.check_room(host, conf)
        except PoolExhausted as error:
            raise NotAvailable(f"serve {network}: {error.msg}", error.details) from error


def _check_blocks(network: str, conf: IpamConf, host: Host) -> None:
    """Blocks that another node has by now come first: they are the interfaces' trouble that run."""
    with Snapshot(own.node(host), conf.lease_dir.scope) as view:
        for pool in conf.shared:
            _check_lost(network, pool, view, host)
    for pool in conf.shared:
        _check_file(network, f"{host.cluster_conf_dir}/{shared.blocks(pool).cluster}.json")
    try:
        shared.bound(conf.shared, host.ledger.cluster)
    except InputOutput as error:
        raise NotAvailable(f"serve {network}: {error.msg}", error.details) from error
    for pool in conf.shared:
        _check_stopped(network, host.ledger.cluster(shared.blocks(pool).cluster))


def _check_stopped(network: str, there: NodeBlocks) -> None:
    if there.is_stopped():
        failure = there.failure()
        raise NotAvailable(
            f"serve {network}: this may be a copy of another machine, by the engine's word, and nothing is cut from the"
            f" blocks in {there.path}",
            f"{failure.msg}\n{failure.details}"
            if failure
            else "the next ADD asks the engine, and says what to do",
        )


def _check_file(network: str, path: str) -> None:
    """What is in it, `sriovctl` judges: the plugin has no client that would ask for it."""
    try:
        found = jsontext.parse_object(clusterfile.text_of(path))
        if "engine" not in found:
            raise BadConfig('has no "engine"', 'say which it is: "etcd" or "kubernetes"')
    except CniError as error:
        told = error.msg if path in error.msg else f"read {path}: {error.msg}"
        raise NotAvailable(f"serve {network}: {told}", error.details) from error


def _check_lost(network: str, pool: Pool, view: View, host: Host) -> None:
    there = host.ledger.cluster(shared.blocks(pool).cluster)
    for block, who in shared.lost(pool, view, there).items():
        raise NotAvailable(
            f"serve {network}: block {block} of cluster {there.name} is {who or 'another node'}'s by the engine's word, and leases of this"
            " node are in it",
            "two interfaces may have one subnet: end the containers in it on one of the two; `sriovctl pool` shows it",
            51,
        )


def _check_directory(network: str, path: str) -> None:
    if os.path.isdir(path) and not os.access(path, os.W_OK):
        raise NotAvailable(f"serve {network}: {path} cannot be written", "is its file system read-only?")


def _usable_pfs(conf: NetConf, host: Host) -> list[PF]:
    try:
        pfs = claim.eligible_pfs(host, conf)
    except (PfUnusable, BadConfig) as error:
        raise _unavailable(conf, host, None, error.msg, error.details) from error
    problems = [(pf, problem) for pf in pfs if (problem := _trouble(conf, host, pf))]
    if len(problems) == len(pfs):
        pf, problem = problems[0]
        raise _unavailable(conf, host, pf, problem, "")
    return pfs


def _trouble(conf: NetConf, host: Host, pf: PF) -> str:
    """One PF that cannot be looked at leaves the others to serve."""
    failures = Failures()
    with failures.of():
        return _problem(conf, host, pf)
    return failures.told[0]


def _problem(conf: NetConf, host: Host, pf: PF) -> str:
    if not pf.pci_address:
        return ""  # a VF whose PF is not visible (vf/lone.py)
    link = card.port_of(host, pf)
    if link is None:
        return f"PF {pf.pci_address} has no netdev in the host"
    if not pf.numvfs:
        return f"PF {pf.ifname} has no VFs: {choose.make_some(pf)}"
    if not link.is_up and (not conf.pf_up or _attached(conf, host, pf)):
        return f"PF {pf.ifname} is down: bring it up with `ip link set {pf.ifname} up`"
    return ""


def _attached(conf: NetConf, host: Host, pf: PF | None) -> bool:
    """Whether attachments of this network run on that PF (None = on any)."""
    return any(
        record.network == conf.name
        and record.status == "done"
        and (pf is None or record.pf == pf.pci_address)
        for record in host.ledger.claims()
    )


def _unavailable(conf: NetConf, host: Host, pf: PF | None, problem: str, remedy: str) -> NotAvailable:
    code = 51 if _attached(conf, host, pf) else 50
    return NotAvailable(f"serve {conf.name}: {problem}", remedy, code)


def _check_room(conf: NetConf, host: Host, pfs: list[PF]) -> None:
    """That all VFs are taken is an error only where `statusOnFull` says so; that none can ever be taken is always one."""
    full_is_error = conf.status_on_full == "error"
    try:
        enough = hugepages.with_enough(host, conf, pfs) if conf.plane.hugepages else pfs
        claim.check_room(host, conf, enough, now=full_is_error)
    except NoFreeVf as error:
        if full_is_error:
            told = holder.told_of_vfs(host, error, pfs)
            raise NotAvailable(f"serve {conf.name}: no free VF", told.details) from error
    except (PfUnusable, BadConfig) as error:
        raise NotAvailable(f"serve {conf.name}: {error.msg}", error.details) from error
    except TryAgain as error:
        if full_is_error:
            raise NotAvailable(f"serve {conf.name}: {error.msg}", error.details) from error
