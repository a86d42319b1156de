"""What an operator has for a network -> the configurations that a runtime would take from it.

A .conf or .conflist; a NetworkAttachmentDefinition in YAML or JSON, among other documents too; a template of one; a
network file of podman 5. What is the host's own file (hostjson.py), or a cluster's (clusterjson.py), has none, and is judged
at once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from ..conf import cluster, hostfile, hostsubnet, netconf, podman
from ..conf.keycase import value_of
from ..wire import cni
from ..words import jsontext
from ..words.errors import CniError
from ..words.jsontext import words
from . import clusterjson, hostjson, position, template
from .finding import Finding, error, note, refused, warning
from .position import Places, Spot

Json = dict[str, Any]

# k8snetworkplumbingwg/multus-cni v4.3.0, pkg/k8sclient/k8sclient.go
RESOURCE = "k8s.v1.cni.cncf.io/resourceName"
_NAD = "NetworkAttachmentDefinition"


@dataclass(slots=True)
class Network:
    """`document` names it among several; `as_list`: it is loaded as a list of plugins; `device_from`: who gives the VF's
    address, "" = the configuration itself. `conf` None: it could not be read, `found` says why. `unjudged`: why there is
    nothing of ours in it. `source`: where in the file the configuration stands, `around` what is about it.
    """

    conf: Json | None
    as_list: bool = False
    document: str = ""
    device_from: str = ""
    strict_flags: bool = False
    found: list[Finding] = field(default_factory=list)
    unjudged: str = ""
    source: Callable[[], Places] = Places
    around: Callable[[str], Spot] | None = None


class Around(Protocol):
    """What a configuration that is a string stands in."""

    places: Places

    def inner(self, path: str, value: str, /) -> Places: ...


def read(text: str, suffix: str = "", is_cluster: bool = False) -> list[Network]:
    """`suffix` of the file decides how libcni loads it, "" = whatever it looks like. `is_cluster`: by its place it is a
    cluster's, whatever it looks like.
    """
    if is_cluster:
        return _json(text, suffix, 0, text, is_cluster)
    places, whole = 0, text
    if template.is_one(text):
        text, places = template.render(text)
    networks = (
        _json(text, suffix, places, whole)
        if not text.strip() or text.lstrip()[0] in "{["
        else _yaml(text, places, whole)
    )
    if places and networks:
        networks[0].found.append(
            note("", f"a template with {places} placeholders: what they stand for is not judged")
        )
    return networks


def _json(text: str, suffix: str, places: int, whole: str, is_cluster: bool = False) -> list[Network]:
    found = _of_json(text, suffix, places, whole, is_cluster)
    source = functools.cache(lambda: position.of_json(whole))
    for network in found:
        if network.around is None:
            network.source = source
    return found


def _of_json(text: str, suffix: str, places: int, whole: str, is_cluster: bool) -> list[Network]:
    try:
        document = _object_of(text, places)
    except CniError as failed:
        return [_unread("", error("", "", f"{failed.msg} (code {failed.code})"))]
    if is_cluster or cluster.is_one(document):
        return [_unread("", *clusterjson.findings(document))]
    if hostfile.is_one(document):
        return [_unread("", *hostjson.findings(document))]
    if "kind" in document:
        return _objects(document, places, functools.cache(lambda: _InJson(position.of_json(whole))))
    if "driver" in document and not document.keys() & {"type", "plugins"}:
        return [_netavark(document)]
    as_list = suffix == ".conflist" or (suffix not in {".conf", ".json"} and "plugins" in document)
    return [Network(document, as_list)]


@dataclass(slots=True)
class _InJson:
    places: Places

    def inner(self, path: str, value: str) -> Places:
        return position.inner_of(self.places, path, value)


@dataclass(slots=True)
class _InTemplate:
    """Which is no YAML yet: the first configuration that is there."""

    places: Places

    def inner(self, _: str, __: str) -> Places:
        begin = self.places.text.find("{", self.places.text.find("config:") + 1)
        whole, at = self.places, max(begin, 0)
        found = position.of_json(whole.text[at:])
        found.spots = [whole.spot(at + number) for number in range(len(found.text))]
        return found


def _object_of(text: str, places: int) -> Json:
    """CniError if it is no JSON object."""
    found = jsontext.parse_object(template.as_json(text) if places else text)
    return dict(template.settled(found)) if places else found


def _unread(document: str, *found: Finding) -> Network:
    return Network(None, document=document, found=list(found))


# Kubernetes ----------------------------------------------------------------------------------------------------------


def _yaml(text: str, places: int, whole: str) -> list[Network]:
    from . import yamltext  # PyYAML, which no conflist needs

    try:
        documents = yamltext.documents(text)
    except ValueError as failed:
        return [_unread("", error("", "", f"is neither JSON nor YAML{failed}"))]
    from . import yamlplaces

    found: list[Network] = []
    around = functools.cache(lambda: yamlplaces.documents(text))
    for number, document in enumerate(documents):
        here = partial(_around, around, number)
        found += _objects(document, places, (lambda: _InTemplate(Places(whole))) if places else here)
    if not any(network.conf or network.found for network in found):
        found.append(Network(None, unjudged=f"no {_NAD} is among its {len(documents)} documents"))
    return found


def _around(documents: Callable[[], Sequence[Around]], number: int) -> Around:
    return documents()[number]


def _objects(document: Any, places: int, around: Callable[[], Around], prefix: str = "") -> list[Network]:
    """Of a Kubernetes object, or a list of them; what else is in the file is not ours."""
    if not isinstance(document, dict):
        return [_unread("", error("", words(document), "is no configuration"))]
    kind = document.get("kind")
    if kind == _NAD:
        network = _attachment_definition(document, places)
        text = _part(document, "spec").get("config")
        config = text if isinstance(text, str) else ""
        network.source = functools.cache(lambda: around().inner(f"{prefix}spec.config", config))
        network.around = lambda path: around().places.at(prefix + path)
        return [network]
    if kind in ("List", f"{_NAD}List") and isinstance(document.get("items"), list):
        return [
            network
            for number, item in enumerate(document["items"])
            for network in _objects(item, places, around, f"{prefix}items[{number}].")
        ]
    if kind is None:
        return [
            _unread(
                "", error("", "", "is YAML, and runtimes read JSON; or a Kubernetes object without its kind")
            )
        ]
    return []


def _attachment_definition(document: Json, places: int) -> Network:
    """k8snetworkplumbingwg/network-attachment-definition-client v1.7.7, pkg/utils/cniconfig.go: without a spec a file of
    that name in Multus' own directory is taken; a name that is missing or "" is the object's.
    """
    meta, spec = _part(document, "metadata"), _part(document, "spec")
    name = meta.get("name")
    title = f"{_NAD} {name}" if isinstance(name, str) else _NAD
    if not isinstance(name, str) or not name:
        return _unread(title, error("metadata.name", words(name), "must be a name"))
    if not spec.get("config"):
        why = "is not there: Multus takes the file of that name in its own directory, judge that"
        return Network(
            None, document=title, found=[warning("spec.config", why)], unjudged="it has no spec.config"
        )
    if not isinstance(spec["config"], str):
        return _unread(title, error("spec.config", words(spec["config"]), "must be a string with JSON in it"))
    try:
        conf = _object_of(spec["config"], places)
    except CniError as failed:
        return _unread(title, error("spec.config", "", failed.msg))
    if conf.get("name", "") == "":
        conf = {"name": name} | conf | {"name": name}
    resource = _part(meta, "annotations").get(RESOURCE)
    given = _giver(resource) if isinstance(resource, str) and resource else ""
    found = [] if given else list(_own_devices(conf))
    return Network(conf, not value_of(conf, "type"), title, given, strict_flags=True, found=found)


def _own_devices(conf: Json) -> Iterator[Finding]:
    """Without a resource Multus passes on the `deviceID` of a pod's annotation (multus-cni 95a0932, pkg/types/conf.go,
    LoadDelegateNetConf): any VF of the node, on whatever wire.
    """
    listed = conf.get("plugins")
    paths = (
        {f"plugins[{n}].": plugin for n, plugin in enumerate(listed)}
        if isinstance(listed, list)
        else {"": conf}
    )
    for path, plugin in paths.items():
        if not isinstance(plugin, dict) or value_of(plugin, "type") != "sriov":
            continue
        allowed = value_of(plugin, "allowRequests")
        is_narrowed = isinstance(allowed, list) and "deviceID" not in allowed
        if _part(plugin, "capabilities").get("deviceID") is True and not is_narrowed:
            yield warning(
                f"{path}capabilities.deviceID",
                f"lets a pod choose any VF of the node, since no {RESOURCE} is there: leave it out, or write"
                ' allowRequests without "deviceID"',
            )


def _giver(resource: str) -> str:
    return "Multus" if template.PLACE in resource else f"Multus, of the resource {resource}"


def _part(raw: Json, key: str) -> Json:
    value = raw.get(key)
    return value if isinstance(value, dict) else {}


# podman 5 ------------------------------------------------------------------------------------------------------------


def _netavark(raw: Json) -> Network:
    """A network file of podman 5, /etc/containers/networks/*.json: a `driver` that is not its own is a plugin's name."""
    what, driver = "a network file of podman 5 (netavark)", words(raw["driver"])
    if raw["driver"] != "sriov":
        return Network(None, unjudged=f"its driver is {driver} in {what}: none of our plugins")
    return _unread("", *_podmans(raw))


def _podmans(raw: Json) -> Iterator[Finding]:
    """As a setup would: by the same reader and the same parsers."""
    notes: list[str] = []
    try:
        conf = podman.read(raw, notes)
        cni.check_name(conf["name"])
        judged = netconf.parse(conf, {})
        if judged.ipam:
            hostsubnet.parse(judged.ipam)
    except CniError as failed:
        yield refused("the plugin", failed)
    for text in notes:
        yield warning("options", text)
