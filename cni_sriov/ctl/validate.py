"""`sriovctl validate FILE|DIRECTORY...`: a configuration judged as its user will use it.

libcni's loader comes first (libcni.py): what it refuses, no plugin ever sees. Then the schema finds everything that is
wrong (schema.py), and the plugin's own parser has the last word. Unknown keys are ignored by the plugin, so they are
warnings, with the key that was perhaps meant.
"""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..conf import cluster, hostsubnet, keycase, netconf
from ..conf.keycase import Folded, value_of
from ..conf.requests import Requests
from ..decide import subnets
from ..wire import cni, results
from ..words import versions
from ..words.errors import BadConfig, BadJson, CniError, InputOutput
from . import advice, clusterjson, libcni, netfiles, position, schema
from .finding import Finding, error, note, refused, warning
from .position import Spot

Json = dict[str, Any]

_MANIFESTS = (".yaml", ".yml")
_ANY_VF = "0000:00:00.0"  # stands for the one that will be given
_GIVEN = "--device-id-given"
_NO_DEVICE = "no VF or PF is named"
STANDARD_INPUT = "standard input"
# where the words of an error say what they are about
_SAID_WHERE = re.compile(
    r"(?:\(char |at character )(?P<offset>\d+)|, line (?P<line>\d+) column (?P<column>\d+)"
    r'|duplicate key "(?P<twice>[^"]*)"|would say: read (?P<key>[\w.\[\]-]+)'
)


class Plugin:
    """One of a network's plugins as libcni hands it over; `conf` in our spelling."""

    __slots__ = ("conf", "folded", "is_ours", "is_sriov", "path")

    def __init__(self, path: str, raw: Json) -> None:
        self.path = path
        self.is_sriov = value_of(raw, "type") == "sriov"
        self.folded = Folded(raw, netconf.known("sriov" if self.is_sriov else "host-subnet"))
        self.conf = self.folded.conf
        self.is_ours = self.is_sriov or hostsubnet.is_asked(self.conf.get("ipam"))

    def names_a_device(self) -> bool:
        asked = self.conf.get("runtimeConfig")
        return bool(
            self.conf.keys() & {"deviceID", "pciBusID", "master", "pf"}
            or (isinstance(asked, dict) and "deviceID" in asked)
        )


@dataclass(slots=True)
class Report:
    """Of one FILE or DIRECTORY."""

    name: str
    findings: list[Finding]

    def number(self, severity: str) -> int:
        return sum(finding.severity == severity for finding in self.findings)

    def to_json(self) -> Json:
        return {"file": self.name, "errors": self.number("error"), "warnings": self.number("warning")}


def reports(paths: list[str], device_id_given: bool = False) -> list[Report]:
    """One that cannot be read is one error, and the others are judged all the same."""
    found = []
    for path in paths:
        name = STANDARD_INPUT if path == "-" else path
        try:
            findings = run(path, device_id_given)
        except CniError as failed:
            findings = [error("", "", f"{failed} (code {failed.code})")]
        for finding in findings:
            finding.file = finding.file or name
        found.append(Report(name, findings))
    return found


def run(path: str, device_id_given: bool = False) -> list[Finding]:
    if path != "-" and os.path.isdir(path):
        if os.path.abspath(path) == cluster.DIRECTORY:
            return _clusters()
        return _directory(path, device_id_given)
    found = clusterjson.of_file(path)
    is_cluster = cluster.name_of(os.path.abspath(path)) != ""
    networks = netfiles.read(_text(path), "" if path == "-" else libcni.suffix_of(path), is_cluster)
    for network in networks:
        found += _judged(network, path, device_id_given)
    return found + _nothing_judged(networks, found)


def _clusters() -> list[Finding]:
    found: list[Finding] = []
    names = clusterjson.configured()
    for file in map(cluster.path_of, names):
        for finding in run(file):
            finding.file = finding.file or file
            found.append(finding)
    return found if names else [error("", "", "nothing was judged: no cluster has a file there")]


def _nothing_judged(networks: list[netfiles.Network], found: list[Finding], none: str = "") -> list[Finding]:
    """Who asked for a judgement and got none must not take that for a good one."""
    if any(finding.severity == "error" for finding in found) or any(not one.unjudged for one in networks):
        return []
    why = next((one.unjudged for one in networks), none)
    return [error("", "", f"nothing was judged: {why}")]


def read(file: str) -> Json:
    """The one configuration of a file; CniError if it has none, or several."""
    networks = [network for network in netfiles.read(_text(file)) if network.conf or network.found]
    confs = [network.conf for network in networks if network.conf is not None]
    if len(confs) == 1:
        return confs[0]
    if not confs and networks:
        wrong = networks[0].found[0]
        raise BadJson(wrong.rule.removesuffix(f" (code {BadJson.code})"))
    raise BadConfig(f"read {file}: it has {len(confs)} configurations", "give a file with one")


def _text(file: str) -> str:
    return libcni.text_in(sys.stdin, STANDARD_INPUT) if file == "-" else libcni.text_of(file)


def _directory(path: str, device_id_given: bool) -> list[Finding]:
    """All that a runtime would load, in its order, then manifests. A network that is not ours is nobody's fault here."""
    found: list[Finding] = []
    networks: list[netfiles.Network] = []
    names: dict[str, str] = {}
    loaded = libcni.files(path, libcni.SUFFIXES)
    for name in loaded + libcni.files(path, _MANIFESTS):
        file = os.path.join(path, name)
        try:
            text = libcni.text_of_entry(file)
        except InputOutput as failed:
            found.append(_named(error("", "", str(failed)), name))
            found[-1].file = file
            continue
        for network in netfiles.read(text, libcni.suffix_of(name)):
            network.document = f"{name} {network.document}".strip()
            found += _judged(network, file, device_id_given)
            networks.append(network)
            title = (network.conf or {}).get("name") if name in loaded else None
            if isinstance(title, str) and names.setdefault(title, name) != name:
                also = f"is the name of {names[title]} too: a runtime takes one of them"
                found.append(_located(_named(warning("name", also), name), network, file))
    if loaded:
        first = note("", "the first by name: the default network of containerd and CRI-O")
        first.file = os.path.join(path, loaded[0])
        found.append(_named(first, loaded[0]))
    none = f"no {', '.join(libcni.SUFFIXES)} in it: a runtime finds no network"
    if networks and not loaded:
        found.append(warning("", none))
    return found + _nothing_judged(networks, found, none)


def _named(finding: Finding, document: str) -> Finding:
    finding.document = document
    return finding


def _judged(network: netfiles.Network, file: str, device_id_given: bool) -> list[Finding]:
    found = list(network.found)
    if network.conf is not None:
        listed = plugins(network.conf, network.as_list)
        if listed and not any(plugin.is_ours for plugin in listed):
            network.unjudged = _nothing_of_ours(listed)
        device_from = network.device_from or ("the runtime" if device_id_given else "")
        where = "-" if network.strict_flags else file  # to Multus it is no file
        found += judge(network.conf, network.as_list, device_from, where)
        if network.strict_flags:
            found += _multus_flags(network.conf)
    return [_located(_named(finding, network.document), network, file) for finding in found]


def _located(finding: Finding, network: netfiles.Network, file: str) -> Finding:
    finding.file = STANDARD_INPUT if file == "-" else file
    beside = libcni.file_of(finding.path, file, (network.conf or {}).get("name"))
    if beside:
        finding.file, path = beside
        finding.line, finding.column = position.of_json(libcni.text_of_entry(finding.file)).at(path)
    else:
        finding.line, finding.column = _spot(finding, network)
    return finding


def _spot(finding: Finding, network: netfiles.Network) -> Spot:
    source = network.source()
    told = _SAID_WHERE.search(finding.rule)
    if told and told["line"]:
        return int(told["line"]), int(told["column"])
    if told and told["offset"]:
        return source.spot(int(told["offset"]))
    if told and told["twice"] and keycase.lower(told["twice"]) in source.twice:
        return source.spot(source.twice[keycase.lower(told["twice"])])
    if network.around is not None and finding.path.startswith(("metadata", "spec")):
        return network.around(finding.path)
    inner = f"{finding.path}.{told['key']}".removeprefix(".") if told and told["key"] else finding.path
    return source.at(inner)


def _multus_flags(conf: Json) -> Iterable[Finding]:
    """multus-cni v4.3.0, LoadDelegateNetConfList of pkg/types/conf.go decodes them into booleans, unlike libcni."""
    for key in ("disableCheck", "disableGC"):
        if isinstance(conf.get(key), str):
            yield error(key, f'"{conf[key]}"', "must be true or false: Multus takes no string")


def judge(conf: Json, as_list: bool | None = None, device_from: str = "", file: str = "-") -> list[Finding]:
    """Errors first, in the order of the document; then what only the parser sees; then warnings and notes.

    `as_list` None: by its looks. `device_from`: who will name the VF.
    """
    as_list = "plugins" in conf if as_list is None else as_list
    refused = list(libcni.refusals(conf, as_list))
    if not as_list and "plugins" in conf and refused and value_of(conf, "type") is None:
        return [error("", "", 'is a list of plugins, for which libcni wants a file that ends in ".conflist"')]
    more = libcni.beside(file, conf) if as_list and file != "-" else []
    if as_list and not conf.get("plugins") and not more and not any(f.path == "plugins" for f in refused):
        path = "plugins" if "plugins" in conf else ""
        return [
            *refused,
            error(path, "", 'has no "plugins"; a single plugin wants a file that ends in ".conf"'),
        ]
    listed = plugins(conf, as_list) + [Plugin(path, plugin | _inherited(conf)) for path, plugin in more]
    for path, plugin in more:
        refused += libcni.refusals_of(plugin, path)
    notes = [finding for plugin in listed for finding in _give_device(plugin, device_from)]
    document = _document(conf, listed) if as_list else listed[0].conf
    found = _all_errors(document, listed, refused) + _warnings(document, listed)
    found += [*(libcni.news(conf, bool(more)) if as_list else ()), *notes]
    good = [plugin for plugin in listed if plugin.is_sriov and not _parser_errors(plugin)]
    found += [one for plugin in good for one in advice.of(plugin.path, plugin.conf)]
    return _placed(found, conf, more)


def _placed(found: list[Finding], conf: Json, more: list[tuple[str, Json]]) -> list[Finding]:
    """A plugin out of a file of its own is named by it; for the schema it stands behind the list's."""
    first = len(conf["plugins"]) if isinstance(conf.get("plugins"), list) else 0
    for number, (path, _) in enumerate(more):
        for finding in found:
            finding.path = finding.path.replace(f"plugins[{first + number}]", path)
    return found


def plugins(conf: Json, as_list: bool | None = None) -> list[Plugin]:
    if not ("plugins" in conf if as_list is None else as_list):
        return [Plugin("", conf)]
    found = conf["plugins"] if isinstance(conf.get("plugins"), list) else []
    listed = [(f"plugins[{n}]", plugin) for n, plugin in enumerate(found) if isinstance(plugin, dict)]
    return [Plugin(path, plugin | _inherited(conf)) for path, plugin in listed]


def _inherited(conf: Json) -> Json:
    """libcni puts the list's name and version into each of its plugins."""
    return {"name": conf.get("name"), "cniVersion": libcni.version_of(conf)}


def _document(conf: Json, listed: list[Plugin]) -> Json:
    """The list with its plugins in our spelling, for the schema. Its own keys are judged as they are spelled."""
    inside = {plugin.path: plugin.conf for plugin in listed}
    raw = conf["plugins"] if isinstance(conf.get("plugins"), list) else []
    made = [inside.pop(f"plugins[{n}]", plugin) for n, plugin in enumerate(raw)] + list(inside.values())
    kept = {key: value for key, value in conf.items() if key != "cniVersion" or value != ""}
    return kept | ({"plugins": made} if made else {})


def _give_device(plugin: Plugin, device_from: str) -> list[Finding]:
    """Somebody names the VF when the container comes: from here on it is as if he had."""
    if not (plugin.is_sriov and device_from) or (
        plugin.names_a_device() and not plugin.conf.keys() & {"master", "pf"}
    ):
        return []
    plugin.conf.setdefault("deviceID", _ANY_VF)
    ignored = " and ".join(sorted(plugin.conf.keys() & {"master", "pf"}))
    return [
        note(
            plugin.path,
            f"deviceID comes from {device_from}{': ' + ignored + ' will be ignored' if ignored else ''}",
        )
    ]


def _all_errors(document: Json, listed: list[Plugin], refused: list[Finding]) -> list[Finding]:
    found = list(schema.errors_of(document, schema.load()))
    paths = {finding.path for finding in found}
    found += [finding for finding in refused if finding.path not in paths]
    for finding in found:
        if finding.rule.startswith(_NO_DEVICE):
            finding.rule += f"; if Multus or another names it: {_GIVEN}"
    for plugin in listed:
        # one fault is one error: what the schema found the parser would only say again, in other words
        if plugin.is_ours and not any(finding.path.startswith(plugin.path) for finding in found):
            found += _parser_errors(plugin)
    return found


def _parser_errors(plugin: Plugin) -> list[Finding]:
    try:
        plugin.folded.refuse_clashes()
        parse_envelope(plugin.conf)
        parse_plugin(plugin.conf)
    except CniError as failed:
        return [refused("the plugin", failed, plugin.path)]
    return []


def parse_envelope(plugin: Json) -> None:
    """What the door judges before the configuration."""
    cni.check_version(plugin, "ADD", versions.VERSIONS[0])
    cni.check_name(plugin.get("name"))


def parse_plugin(plugin: Json) -> None:
    """As ADD would; CniError is its answer."""
    version = str(plugin.get("cniVersion") or versions.VERSIONS[0])
    if plugin.get("type") == "sriov":
        conf = netconf.parse(plugin, {})
        if hostsubnet.is_asked(conf.ipam):
            asked = hostsubnet.parse(conf.ipam, conf.requests)
            results.check_carries(version, [pool.version for pool in asked.pools])
        return
    Requests().refuse_forbidden(plugin, {})
    asked = hostsubnet.parse(plugin.get("ipam", {}))
    subnets.check_main_plugin(asked, foreign=True)
    results.check_carries(version, [pool.version for pool in asked.pools])
    results.check_carries_routes(version, asked.routes)


def _warnings(document: Json, listed: list[Plugin]) -> list[Finding]:
    whole = schema.load()
    found = schema.unknown(document, whole, whole, "")
    for plugin in listed:
        for key, spelling in plugin.folded.respelled if plugin.is_ours else ():
            where = f"{plugin.path}.{key}".removeprefix(".")
            found.append(
                warning(where, f'is spelled "{spelling}" here: taken for "{key.rpartition(".")[2]}"')
            )
    return found


def _nothing_of_ours(listed: list[Plugin]) -> str:
    types = [str(plugin.conf.get("type", "")) for plugin in listed]
    close = any(difflib.get_close_matches(name, ["sriov"]) for name in types)
    meant = '; did you mean "sriov"?' if close else ""
    return f'no plugin here is of type "sriov" or has an ipam of type "host-subnet"{meant}'
