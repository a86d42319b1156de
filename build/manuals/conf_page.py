"""cni-sriov.conf(5), by the schemas: each key with what may stand there, its default and its meaning."""

from __future__ import annotations

from pathlib import Path

from roff import document, listed, literal, plain, roff

from cni_sriov.ctl import schema
from cni_sriov.ctl.keys import Key, keys
from cni_sriov.words.errors import CODES

CONF = Path(__file__).parents[2] / "conf"
ABOUT = "configuration of the CNI plugins sriov and host-subnet"
PLACES = (
    ("/etc/cni/net.d/*.conflist, *.conf", "a network each, for containerd, CRI-O, podman 4 and cnitool"),
    ("/etc/containers/networks/*.json", "podman's own; `podman network create` takes the keys as options"),
    ("NetworkAttachmentDefinition", "its spec.config, for Multus"),
    ("/etc/cni-sriov/host.json", "what the VFs of this host are to be, for `sriovctl apply`"),
    ("/etc/cni-sriov/clusters/*.json", "clusters whose nodes share pools"),
)
RULES = (
    "JSON. Below, a.b is the key b of the object a, and a[].b that of each object of the list a."
    " A key is taken in any case, and null is as if it were absent. A known key with another value than below is an error"
    " before anything is touched; an unknown key is ignored. `sriovctl validate` `FILE` judges a configuration and says"
    " of both."
)
CODES_OF_IT = (1, 2, 6, 7)
SAMPLES = {
    "One subnet for each interface, on VFs of one port:": "10-sriov.conflist",
    "Two families, on any port of a kind:": "40-sriov-dual-stack.conflist",
    "host-subnet under another plugin:": "50-bridge-host-subnet.conflist",
    "/etc/cni-sriov/host.json:": "host.json",
}


def conf() -> str:
    ours = keys(schema.SCHEMA, "sriov")
    ipam = [key for key in ours if _top(key) == "ipam"]
    asked = [key for key in ours if _top(key) in {"args", "runtimeConfig", "prevResult"}]
    sections = {
        "SYNOPSIS": listed(PLACES),
        "DESCRIPTION": roff(RULES),
        "A LIST OF PLUGINS": _keys(keys(schema.SCHEMA, "list")),
        "THE PLUGIN SRIOV": _keys([key for key in ours if key not in [*ipam, *asked]]),
        "THE IPAM HOST-SUBNET": _keys(ipam),
        "WHAT A RUNTIME ADDS": _keys(asked),
        "THE HOST": _keys(keys(schema.HOST)),
        "A CLUSTER ON ETCD": _keys(keys(schema.CLUSTER, "etcd")),
        "A CLUSTER ON KUBERNETES": _keys(keys(schema.CLUSTER, "kubernetes")),
        "ERRORS": listed((str(code), f"{CODES[code][0]}: {CODES[code][1]}") for code in CODES_OF_IT),
        "EXAMPLES": [line for about, name in SAMPLES.items() for line in _sample(about, name)][1:],
    }
    return document("cni-sriov.conf", ABOUT, sections)


def _top(key: Key) -> str:
    return key.name.partition(".")[0]


def _keys(found: list[Key]) -> list[str]:
    return [line for key in found for line in _key(key)]


def _key(key: Key) -> list[str]:
    default = f"; by default {key.default}" if key.default else ""
    return [
        *(".TP", f"\\fB{plain(key.name)}\\fR", *roff(key.about)),
        *(".br", *roff(f"Value: {key.value}{default}.")),
        *_errors(key),
    ]


def _errors(key: Key) -> list[str]:
    """But for another value than the one above, which goes without saying."""
    told: dict[int, list[str]] = {}
    for code, when in key.errors:
        if key.value not in when:
            told.setdefault(code, []).append(when)
    said = [f"Error {code}: {'; '.join(whens)}." for code, whens in told.items()]
    return [".br", *roff(" ".join(said))] if said else []


def _sample(about: str, name: str) -> list[str]:
    return [".PP", *roff(about), *literal((CONF / name).read_text("utf-8"))]
