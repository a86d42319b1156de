"""The network files of a directory as a runtime loads them, judged as `sriovctl validate` does, and whether this node could
serve those of ours now.
"""

from __future__ import annotations

from typing import Any

from ...conf import hostsubnet, netconf
from ...conf.keycase import value_of
from ...decide.facts_runtime import Network, Unserved
from ...kernel.files import Files
from ...vf import claim
from ...vf.host import Host
from ...words import jsontext
from ...words.domain import PF
from ...words.errors import BadConfig, BadJson, CniError, InputOutput, NoFreeVf, PfUnusable
from ...words.failures import Failures
from .. import libcni, slot, validate
from ..validate import Plugin

Json = dict[str, Any]

_NAMES = (b'"sriov"', b'"host-subnet"')  # what is no JSON, and was to be ours, has one of them in it
_MOST = 1 << 20  # bytes: what is larger is no network file of a sane node
_SHOWN = 3


def look(
    host: Host, files: Files, failures: Failures, directory: str, lists_only: bool = False
) -> list[Network]:
    """In the order of their names. `lists_only`: as podman, which loads nothing else."""
    found = []
    for name in _loaded(files, directory, (".conflist",) if lists_only else libcni.SUFFIXES):
        with failures.of(file=f"{directory}/{name}"):
            found.append(_network(host, files, directory, name))
    return found


def _loaded(files: Files, directory: str, suffixes: tuple[str, ...]) -> list[str]:
    """By their bytes, as Go sorts them."""
    names = [name for name in files.names(directory) if libcni.suffix_of(name) in suffixes]
    return sorted(names, key=lambda name: name.encode("utf-8", "surrogateescape"))


def _network(host: Host, files: Files, directory: str, name: str) -> Network:
    network = Network(f"{directory}/{name}")
    try:
        conf = _object(files, network.path)
        as_list = libcni.suffix_of(name) == ".conflist"
        inside = _inline(files, directory, conf) if as_list else conf
    except BadJson as error:
        network.errors = [error.msg]
        network.is_ours = any(name in (files.data(network.path) or b"") for name in _NAMES)
        return network
    if isinstance(conf.get("name"), str):
        network.name = conf["name"]
    plugins = validate.plugins(inside, as_list)
    network.types = sorted({kind for plugin in plugins for kind in _types(plugin)})
    network.is_ours = any(plugin.is_ours for plugin in plugins)
    given = "the runtime" if any(map(_is_given_a_device, plugins)) else ""
    findings = validate.judge(inside, as_list, given)
    network.errors = [
        f"{one.path}: {one.rule}".removeprefix(": ") for one in findings if one.severity == "error"
    ]
    if network.is_ours and not network.errors:
        plugins = validate.plugins(inside, as_list)  # what was judged has what a run is given in it
        network.clusters = _clusters(plugins)
        network.unserved = _unserved(host, plugins)
    return network


def _clusters(plugins: list[Plugin]) -> list[str]:
    ipams = [plugin.conf["ipam"] for plugin in plugins if hostsubnet.is_asked(plugin.conf.get("ipam"))]
    pools = [pool for ipam in ipams for pool in hostsubnet.parse(ipam).shared]
    return sorted({pool.blocks.cluster for pool in pools if pool.blocks is not None})


def _object(files: Files, path: str) -> Json:
    """BadJson if it is none; what is not there any more is empty."""
    data = files.data(path)
    if data is not None and len(data) >= _MOST:
        raise InputOutput(f"it is larger than {_MOST} bytes, and was not judged")
    return jsontext.parse_object((data or b"").decode("utf-8", "surrogateescape"))


def _inline(files: Files, directory: str, conf: Json) -> Json:
    """With the plugins that libcni 1.3 takes from a directory of the network's name (ctl/libcni.beside)."""
    name = conf.get("name")
    only = str(conf.get("loadOnlyInlinedPlugins", False)).lower() == "true"
    if only or not isinstance(name, str) or name in {"", ".", ".."} or "/" in name or "\0" in name:
        return conf
    beside = f"{directory}/{name}"
    more = [_object(files, f"{beside}/{one}") for one in _loaded(files, beside, (".conf",))]
    listed = conf.get("plugins", [])
    return conf | {"plugins": listed + more} if more and isinstance(listed, list) else conf


def _types(plugin: Plugin) -> list[str]:
    """The plugin's and its IPAM's; host-subnet under `sriov` runs in that."""
    kind, ipam = value_of(plugin.conf, "type"), plugin.conf.get("ipam")
    inner = value_of(ipam, "type") if isinstance(ipam, dict) else None
    if plugin.is_sriov and hostsubnet.is_asked(ipam):
        inner = None
    return [one for one in (kind, inner) if isinstance(one, str) and one]


def _is_given_a_device(plugin: Plugin) -> bool:
    capabilities = plugin.conf.get("capabilities")
    return isinstance(capabilities, dict) and capabilities.get("deviceID") is True


# whether it can be served --------------------------------------------------------------------------------------------


def _unserved(host: Host, plugins: list[Plugin]) -> Unserved | None:
    """As STATUS would say; that of the first plugin that could not."""
    for plugin in plugins:
        if plugin.is_sriov and plugin.names_a_device():
            lack = _lack(host, netconf.parse(plugin.conf, {}))
            if lack is not None:
                return lack
    return None


def _lack(host: Host, conf: netconf.NetConf) -> Unserved | None:
    try:
        pfs = claim.eligible_pfs(host, conf)
    except (PfUnusable, BadConfig) as error:
        return Unserved("pf", error.msg)
    if all(pf.pci_address and not pf.numvfs for pf in pfs):
        return _without_vfs(host, pfs)
    try:
        claim.check_room(host, conf, pfs, now=True)
    except NoFreeVf as error:
        whys = [f"{where}: {why}" for where, _, why in error.seen]
        more = f"; and {len(whys) - _SHOWN} more" if whys[_SHOWN:] else ""
        return Unserved("full", f"{'; '.join(whys[:_SHOWN])}{more}" or error.msg)
    except (PfUnusable, BadConfig) as error:
        return Unserved("pf", f"{error.msg}; {error.details}".removesuffix("; "))
    return None


def _without_vfs(host: Host, pfs: list[PF]) -> Unserved:
    names = " and ".join(pf.ifname or pf.pci_address for pf in pfs)
    offers = [found for pf in pfs if (found := slot.offer(host.files, pf)) is not None]
    best = next((one for one in offers if one.count), offers[0])
    why = f": {best.why}" if best.why else ""
    return Unserved("vfs", f"{names} has no VFs (numvfs is 0){why}", best.command)


# netavark ------------------------------------------------------------------------------------------------------------


def netavark(files: Files, failures: Failures, directory: str) -> list[str]:
    """The network files of podman with netavark that name our driver."""
    found = []
    for name in files.names(directory):
        path = f"{directory}/{name}"
        with failures.of(file=path):
            try:
                if name.endswith(".json") and _object(files, path).get("driver") == "sriov":
                    found.append(path)
            except CniError as error:
                if not isinstance(error, BadJson):
                    raise
    return found
