"""CNI on the wire: environment and standard input to a Request. wire/results.py has the way back.

Pure. What each verb needs and since which version it exists stands in one table. Source: CNI SPEC 1.1.0 (section
"Parameters") and what libcni and skel really do (a bad name is code 4, in a conf code 7).

ADD and STATUS refuse what is wrong with a call's form. DEL, CHECK and GC are about what is recorded: they note it
(Request.warnings) and go on, for an attachment must not live for ever because its conf was changed since.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..conf import netconf
from ..conf.keycase import Folded, value_of
from ..words import jsontext
from ..words.domain import Attachment, Request
from ..words.errors import BadConfig, BadEnvironment, BadJson, CniError, IncompatibleVersion
from ..words.jsontext import words
from ..words.names import ID_LIMIT, ifname_fault, is_name, passes_skel
from ..words.versions import VERSIONS


@dataclass(frozen=True, slots=True)
class Verb:
    """`needs`: the variables it cannot do without. `since`: the first cniVersion that has it. `is_strict`: a call of bad
    form is refused. `leases`: it is about addresses to come, by the whole of `ipam`. `is_by_record`: what is recorded counts, whatever the conf says now, and no stop signal ends it.
    """

    needs: tuple[str, ...]
    since: str
    is_strict: bool = False
    leases: bool = False
    is_by_record: bool = False


VERBS = {
    "ADD": Verb(("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"), "0.1.0", is_strict=True, leases=True),
    "CHECK": Verb(("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"), "0.4.0"),
    "DEL": Verb(("CNI_CONTAINERID", "CNI_IFNAME"), "0.1.0", is_by_record=True),
    "GC": Verb((), "1.1.0", is_by_record=True),
    "STATUS": Verb((), "1.1.0", is_strict=True, leases=True),
}
KNOWN_ARGS = (  # CNI_ARGS; what runtimes send is in CNI CONVENTIONS.md and containerd's and CRI-O's sources
    "IgnoreUnknown",
    "MAC",
    "IP",
    "SUBNET",
    "GATEWAY",
    "K8S_POD_NAMESPACE",
    "K8S_POD_NAME",
    "K8S_POD_INFRA_CONTAINER_ID",
    "K8S_POD_UID",
)
_FIRST = "0.1.0"  # the spec's default for a conf without cniVersion


def parse_request(env: Mapping[str, str], stdin: str, door: str = "sriov") -> Request:
    """Judge one call's environment (code 4), JSON (6), cniVersion (1) and network name (7)."""
    verb = env.get("CNI_COMMAND", "")
    if verb not in VERBS:
        raise BadEnvironment(f"read CNI_COMMAND {words(verb)}: must be one of {', '.join(VERBS)} or VERSION")
    asked = VERBS[verb]
    missing = [name for name in asked.needs if not env.get(name)]
    if missing:
        raise BadEnvironment(f"read environment for {verb}: {', '.join(missing)} missing")
    request = Request(verb, netns=env.get("CNI_NETNS", ""), environment=dict(env))
    request.path = [entry for entry in env.get("CNI_PATH", "").split(":") if entry]
    if asked.needs:  # libcni sends GC and STATUS empty variables
        request.attachment = Attachment(env["CNI_CONTAINERID"], env["CNI_IFNAME"])
        _check_attachment(request)
    notes = None if asked.is_strict else request.warnings
    request.args = parse_args(env.get("CNI_ARGS", ""), notes)
    request.raw = _parse_conf(request, stdin)
    request.conf = _fold(request, door, notes)
    check_version(request.conf, verb, asked.since, notes)
    if verb in {"DEL", "CHECK"}:
        _note_name(request)
    else:  # GC is for all of a network
        check_name(request.conf.get("name"))
    return request


def _fold(request: Request, door: str, notes: list[str] | None) -> dict[str, Any]:
    folded = Folded(request.raw, netconf.known(door))
    request.respelled = folded.respelled
    try:
        folded.refuse_clashes()
    except BadConfig as error:
        _fault(notes, error)
    return folded.conf


def _note_name(request: Request) -> None:
    try:
        check_name(request.conf.get("name"))
    except BadConfig as error:
        request.conf["name"] = ""
        if request.fault is None:
            request.warnings.append(str(error))


def _fault(notes: list[str] | None, error: CniError) -> None:
    if notes is None:
        raise error
    notes.append(str(error))


def _check_attachment(request: Request) -> None:
    container_id, ifname = request.attachment.container_id, request.attachment.ifname
    try:
        check_container_id(container_id)
        check_ifname(ifname, is_new=request.verb == "ADD")
    except BadEnvironment:
        # a runtime's DEL after ADD refused a name that skel lets pass must not fail for ever
        if (
            request.verb != "DEL"
            or not is_name(container_id, most=len(container_id))
            or not passes_skel(ifname)
        ):
            raise
        request.is_void = True


def _parse_conf(request: Request, stdin: str) -> dict[str, Any]:
    """A DEL without any conf still has its Record; the others need what the conf says."""
    try:
        return jsontext.parse_object(stdin)
    except BadJson as error:
        if VERBS[request.verb].is_strict:
            raise
        request.warnings.append(str(error))
        try:
            return jsontext.salvage(stdin)
        except BadJson:
            if request.verb != "DEL":
                raise error from None
            request.fault = error
            return {}


def version_of(stdin: str) -> object:
    """What an error must speak when the call was refused before its conf was read; None if that cannot be told."""
    try:
        version = value_of(jsontext.salvage(stdin), "cniVersion")
    except BadJson:
        return None
    return _FIRST if version in (None, "") else version


def check_container_id(text: str) -> None:
    if not is_name(text):
        raise BadEnvironment(
            f"read CNI_CONTAINERID {words(text[:ID_LIMIT])}: must be letters, digits, '_', '.', '-', begin with a letter"
            f" or digit, and have at most {ID_LIMIT} characters"
        )


def check_ifname(text: str, is_new: bool = False) -> None:
    fault = ifname_fault(text, is_new)
    if fault:
        raise BadEnvironment(f"read CNI_IFNAME {words(text)}: {fault}")


def check_name(name: Any) -> None:
    if not isinstance(name, str) or not name:
        raise BadConfig("read name: the configuration has no network name")
    if len(name) > ID_LIMIT:
        raise BadConfig(
            f"read name {words(name, 20)}: has {len(name)} characters, and at most {ID_LIMIT} are possible"
        )
    if not is_name(name):
        raise BadConfig(
            f"read name {words(name)}: must be letters, digits, '_', '.', '-', and begin with none of '_.-'"
        )


def check_version(conf: dict[str, Any], verb: str, since: str, notes: list[str] | None = None) -> None:
    """An empty one and null count as absent: libcni writes "" where the conf has none (buildOneConfig, libcni/api.go,
    3f51e88), and create.DecodeVersion reads it as 0.1.0.
    """
    version = conf.get("cniVersion")
    if version is None or version == "":
        version = conf["cniVersion"] = _FIRST
    if version not in VERSIONS:
        details = f"supported: {', '.join(VERSIONS)}"
        _fault(notes, IncompatibleVersion(f"read cniVersion {words(version)}: not supported", details))
    elif VERSIONS.index(version) < VERSIONS.index(since):
        raise IncompatibleVersion(f"{verb} with cniVersion {version}: the verb exists since {since}")


def parse_args(text: str, notes: list[str] | None = None) -> dict[str, str]:
    """CNI_ARGS "K=V;K=V"; an unknown key is an error unless IgnoreUnknown says otherwise (CNI CONVENTIONS.md).

    The last one of a key counts, as for types.LoadArgs (containernetworking/cni, pkg/types/args.go, 3f51e88): Multus,
    podman and ocicni append the CNI_ARGS of their own environment to what they set themselves.
    """
    args: dict[str, str] = {}
    for pair in filter(None, text.split(";")):
        key, equals, value = pair.partition("=")
        if equals:
            args[key] = value
        else:
            _fault(notes, BadEnvironment(f"read CNI_ARGS {words(pair)}: must be KEY=VALUE;KEY=VALUE"))
    unknown = [key for key in args if key not in KNOWN_ARGS]
    if unknown and args.get("IgnoreUnknown", "").lower() not in {"1", "true"}:
        remedy = "add IgnoreUnknown=1 to have it ignored"
        _fault(notes, BadEnvironment(f"read CNI_ARGS: unknown key {', '.join(unknown)}", remedy))
    return args
