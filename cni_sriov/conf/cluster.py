"""A cluster whose nodes share pools, /etc/cni-sriov/clusters/NAME.json: a dict in, a Cluster out, or BadConfig (code 7) that
names key and value.

Pure. Only the operator writes it, so what is not known is a slip of his, and refused. Its tables are held against
conf/cluster.schema.json and docs/configuration.md by tests.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ..words.errors import BadConfig
from ..words.inet import parse_address
from ..words.jsontext import words
from ..words.names import is_name
from . import values
from .values import Key, Table

DIRECTORY = "/etc/cni-sriov/clusters"
SUFFIX = ".json"
NAME_LIMIT = 64
NODE_LIMIT = 253  # of a Kubernetes Node (RFC 1123); a host's name has at most 64
MOST_ENDPOINTS = 16
ETCD, KUBERNETES = "etcd", "kubernetes"
PREFIX = "/cni-sriov"
_ENDPOINT = re.compile(
    r"(https?)://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?):([0-9]{1,5})"
)
_LOOPBACK = re.compile(r"localhost|127\.[0-9.]+|\[::1\]")
_PREFIX = re.compile(r"(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)+")


@dataclass(slots=True, frozen=True)
class Endpoint:
    """`host` of an IPv6 address is without brackets."""

    is_tls: bool
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.is_tls else 'http'}://{host}:{self.port}"


def endpoint(value: Any) -> Endpoint:
    text = values.string(value)
    if "@" in text:  # and perhaps a password, which is not to be told
        raise values.Told('has a user in it, which is for "user" and "passwordFile"')
    found = _ENDPOINT.fullmatch(text)
    if found is None or not 1 <= int(found[4]) <= 65535:
        raise ValueError("must be like https://10.0.0.1:2379, a port with it and nothing behind it")
    scheme, host, _, port = found.groups()
    if scheme == "http" and not _LOOPBACK.fullmatch(host):
        raise ValueError("must be https: http is for this host alone (localhost, 127.0.0.1, [::1])")
    if host.startswith("127."):
        parse_address(host)
    if host.startswith("["):
        host = host[1:-1]
        parse_address(host)
    return Endpoint(scheme == "https", host, int(port))


def _endpoints(value: Any) -> list[Endpoint]:
    found = values.a_list(value)
    if not 1 <= len(found) <= MOST_ENDPOINTS:
        raise ValueError(f"must be a list of 1-{MOST_ENDPOINTS} endpoints")
    return [values.parsed(endpoint, one, f"read endpoints[{number}]") for number, one in enumerate(found)]


def _prefix(value: Any) -> str:
    text = values.string(value)
    if len(text) > 200 or not _PREFIX.fullmatch(text):
        raise ValueError("must be like \"/cni-sriov\": parts of letters, digits, '_', '-' and '.'")
    return text


def node_name(value: Any) -> str:
    text = values.string(value)
    if not is_name(text, NODE_LIMIT):
        raise ValueError(
            f"must be a node's name: letters, digits, '_', '.' and '-', a letter or digit first, at most {NODE_LIMIT}"
        )
    return text


_COMMON = {
    "$schema": Key(values.text),
    "engine": Key(values.one_of(ETCD, KUBERNETES)),
    "node": Key(node_name),
}
OF_ETCD = Table(
    _COMMON
    | {
        "endpoints": Key(_endpoints),
        "ca": Key(values.directory),
        "cert": Key(values.directory),
        "key": Key(values.directory),
        "user": Key(values.string),
        "passwordFile": Key(values.directory),
        "prefix": Key(_prefix, PREFIX),
    }
)
OF_KUBERNETES = Table(_COMMON | {"kubeconfig": Key(values.directory)})
TABLES = {ETCD: OF_ETCD, KUBERNETES: OF_KUBERNETES}


@dataclass(slots=True, frozen=True)
class Etcd:
    """Paths and `user` are "" where they are not given."""

    endpoints: list[Endpoint]
    ca: str = ""
    cert: str = ""
    key: str = ""
    user: str = ""
    password_file: str = ""
    prefix: str = PREFIX


@dataclass(slots=True, frozen=True)
class Kubernetes:
    """`kubeconfig` "": as a pod does, by its service account."""

    kubeconfig: str = ""


@dataclass(slots=True, frozen=True)
class Cluster:
    """`node`: what this node is called in it, "" = as the host."""

    engine: Etcd | Kubernetes
    node: str = ""


def path_of(name: str) -> str:
    return f"{DIRECTORY}/{name}{SUFFIX}"


def name_of(path: str) -> str:
    """Of the cluster whose file that is, "" if it is none's."""
    directory, _, file = path.rpartition("/")
    name = file.removesuffix(SUFFIX)
    return name if directory == DIRECTORY and name != file and is_name(name, NAME_LIMIT) else ""


def is_one(document: dict[str, Any]) -> bool:
    """By its looks: no network's configuration has an `engine`."""
    return "engine" in document and not document.keys() & {"type", "plugins", "kind", "pfs", "driver"}


def parse(raw: dict[str, Any]) -> Cluster:
    if "engine" not in raw:
        raise BadConfig('read the file: has no "engine"', f'say which it is: "{ETCD}" or "{KUBERNETES}"')
    engine = values.parsed(values.one_of(ETCD, KUBERNETES), raw["engine"], "read engine")
    table = TABLES[engine]
    for key in raw:
        if key not in table.keys:
            raise BadConfig(
                f"read {words(key)}: unknown key of the engine {engine}", f"known are {', '.join(table.keys)}"
            )
    told = table.read(raw, "read ")
    made = _etcd(told) if engine == ETCD else Kubernetes(told.get("kubeconfig", ""))
    return Cluster(made, told.get("node", ""))


def _etcd(told: dict[str, Any]) -> Etcd:
    if "endpoints" not in told:
        raise BadConfig('read the file: has no "endpoints"', 'like "endpoints": ["https://10.0.0.1:2379"]')
    if any(one.is_tls for one in told["endpoints"]) and "ca" not in told:
        raise BadConfig(
            'read the file: has https endpoints and no "ca"', "their certificates are always verified"
        )
    for one, other in (("cert", "key"), ("user", "passwordFile")):
        if (one in told) != (other in told):
            given, missing = (one, other) if one in told else (other, one)
            raise BadConfig(f'read the file: has "{given}" and no "{missing}"', "they go together")
    files = {"password_file": told.get("passwordFile", "")}
    files |= {key: told.get(key, "") for key in ("ca", "cert", "key")}
    return Etcd(told["endpoints"], user=told.get("user", ""), prefix=told["prefix"], **files)
