"""What a caller asks for beside the configuration: the runtime by runtimeConfig, a pod by `args.cni` and CNI_ARGS. Pure.

Each that is given must be good, and of several for one thing the strongest counts: runtimeConfig, then args.cni, then
CNI_ARGS, then the configuration itself. A pod's act only where the operator lets them: `allowRequests`.

What comes as runtimeConfig may be a pod's too: Multus and kubelet put annotations there (multus-cni 95a0932,
pkg/types/conf.go, also a `deviceID`). libcni passes on only what the conf's `capabilities` declare.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ..words.domain import Attachment
from ..words.errors import BadConfig, BadEnvironment, UnsupportedField
from ..words.inet import Prefix, parse_address, parse_length
from ..words.jsontext import words
from ..words.names import is_name
from ..words.pci import parse_pci_address
from . import values
from .values import Key, Parser, Table

RATE_LIMIT = 0xFFFFFFFF  # Mbit/s; struct ifla_vf_rate of linux/if_link.h holds 32 bits

BANDWIDTH = Table({"egressRate": values.integer(0, RATE_LIMIT * 1_000_000)}, may_be_blank=True)
RUNTIME_DNS = Table(dict.fromkeys(("servers", "searches", "options"), values.texts), may_be_blank=True)
RUNTIME = Table(
    {
        "deviceID": parse_pci_address,
        "mac": values.mac,
        "CNIDeviceInfoFile": values.directory,
        "bandwidth": Key(values.an_object, below=BANDWIDTH),
        "dns": Key(values.an_object, below=RUNTIME_DNS),
        # judged by who acts on it, ours or another IPAM
        **dict.fromkeys(("infinibandGUID", "ips", "ipRanges")),
    },
    may_be_blank=True,
)
ARGS = Table(
    {"mac": values.mac, "vlan": values.integer(0, 4094), "ips": None, "subnets": None},
    may_be_blank=True,
)
SOURCES = Table(
    {
        "runtimeConfig": Key(values.an_object, below=RUNTIME),
        "args": Key(values.an_object, below=Table({"cni": Key(values.an_object, below=ARGS)})),
    }
)
# word of allowRequests: where a pod can ask for it
REQUESTS: dict[str, tuple[tuple[str, str], ...]] = {
    "mac": (("CNI_ARGS ", "MAC"), ("args.cni.", "mac"), ("runtimeConfig.", "mac")),
    "ips": (("CNI_ARGS ", "IP"), ("args.cni.", "ips"), ("runtimeConfig.", "ips")),
    "subnets": (("CNI_ARGS ", "SUBNET"), ("args.cni.", "subnets")),
    "bandwidth": (("runtimeConfig.", "bandwidth"),),
    "vlan": (("args.cni.", "vlan"),),
    "deviceID": (("runtimeConfig.", "deviceID"),),
}
# for the one who has to find it
_WHENCE = {
    "CNI_ARGS ": "it comes from the runtime's call or environment",
    "args.cni.": 'it comes from "cni-args" in the pod\'s annotation k8s.v1.cni.cncf.io/networks, or from an option of'
    " podman 5 (--network NAME:vlan=...)",
    "runtimeConfig.": "it comes from the pod's annotation (k8s.v1.cni.cncf.io/networks, kubernetes.io/egress-bandwidth) or"
    " the runtime's option (podman --mac-address, --ip)",
}
# what other IPAMs read beside these (static, host-local), and so asks for the same
_ALSO = {"ips": (("CNI_ARGS ", "GATEWAY"), ("runtimeConfig.", "ipRanges"))}
# a pod leaves its VLAN only where the operator says so
BY_DEFAULT = ["mac", "ips", "subnets", "bandwidth", "deviceID"]
ALLOWED = Table({"allowRequests": Key(values.list_of(values.one_of(*REQUESTS)), BY_DEFAULT)})
# word: how it is read, and the keys by which the configuration itself says it: who asks for just that asks for nothing
PINS: dict[str, tuple[Parser, tuple[str, ...]]] = {
    "mac": (values.mac, ("mac",)),
    "deviceID": (parse_pci_address, ("deviceID", "pciBusID", "master", "pf")),
}


@dataclass(slots=True)
class Requests:
    """All that is asked, as it came; `cni_args` is the parsed CNI_ARGS."""

    runtime_config: dict[str, Any] = field(default_factory=dict)
    args_cni: dict[str, Any] = field(default_factory=dict)
    cni_args: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, conf: dict[str, Any], cni_args: dict[str, str]) -> Requests:
        """BadConfig where what should hold them is no object."""
        given = SOURCES.read(conf, "read ")
        args_cni = values.parsed(values.an_object, given.get("args", {}).get("cni", {}), "read args.cni")
        return cls(given.get("runtimeConfig", {}), args_cni, cni_args)

    def judged(self) -> dict[str, Any]:
        """What is asked of the VF, the strongest of each, under the names that the configuration has for it. A rate is at
        most the wish: NetConf knows the limit.
        """
        runtime = RUNTIME.read(self.runtime_config, "read runtimeConfig.")
        args = ARGS.read(self.args_cni, "read args.cni.")
        own = self.cni_args.get("MAC")
        args = ({"mac": values.parsed(values.mac, own, "read CNI_ARGS MAC")} if own else {}) | args
        rate, dns = _rate(runtime.pop("bandwidth", {})), _dns(runtime.pop("dns", {}))
        return args | runtime | rate | dns

    def refuse_guid(self) -> None:
        """sriov-cni takes no notice of it, and the pod has another address than was asked for."""
        guid = self.runtime_config.get("infinibandGUID")
        if guid is not None:
            raise UnsupportedField(
                f"read runtimeConfig.infinibandGUID {words(guid)}: a VF of an Ethernet card has none",
                'ask for a "mac"; InfiniBand has a plugin of its own, ib-sriov',
            )

    def refuse_forbidden(
        self, conf: dict[str, Any], own: dict[str, Any], judged: Iterable[str] = REQUESTS
    ) -> None:
        """A pod asks, the operator decides: what `allowRequests` does not name is refused, never done or dropped in silence.

        Whoever reads it: another IPAM gets `ips` too. `own`: what the conf itself says of the VF, judged. `judged`: the
        words that are ours to judge.
        """
        allowed = ALLOWED.read(conf, "read ")["allowRequests"]
        declared = (
            own.get("capabilities", {}) if "allowRequests" not in conf else dict.fromkeys(allowed, True)
        )
        for word in judged:
            parse, keys = PINS.get(word, (None, ()))
            pins = [own[key] for key in keys if key in own]
            fault, remedy = _objection(word, pins, allowed, declared.get(word) is True)
            for source, key, value in self._asked(word) if fault else ():
                where = f"read {source}{key}"
                if parse is None or values.parsed(parse, value, where) not in pins:
                    raise BadConfig(f"{where} {words(value)}: {fault}", f"{remedy}; {_WHENCE[source]}")

    def _asked(self, word: str) -> list[tuple[str, str, Any]]:
        """Each request that is one: source, key, value."""
        found = [
            (source, key, self._of(source).get(key)) for source, key in REQUESTS[word] + _ALSO.get(word, ())
        ]
        return [one for one in found if _asks(one[2])]

    def _of(self, source: str) -> dict[str, Any]:
        if source == "CNI_ARGS ":
            return self.cni_args
        return self.args_cni if source == "args.cni." else self.runtime_config

    def subnets(self) -> list[tuple[str, Prefix]]:
        """Those asked of host-subnet, each with the words that name it."""
        ranges = self.runtime_config.get("ipRanges")
        if ranges:  # host-local's: whoever asks for one must not get an address from elsewhere
            raise UnsupportedField(
                f"read runtimeConfig.ipRanges {words(ranges)}: host-subnet leases subnets of its pools",
                'ask for an address with "ips", or use host-local',
            )
        return self._all("subnets", values.prefix)

    def addresses(self) -> list[tuple[str, tuple[int, int, int | None]]]:
        """(version, value, length) of each, likewise; runtimeConfig's first."""
        return self._all("ips", values.of_text(_parse_request))

    def _all(self, word: str, parse: Parser) -> list[tuple[str, Any]]:
        return [
            (f"{source}{key} {words(item)}", values.parsed(parse, item, source + key))
            for source, key in reversed(REQUESTS[word])
            for item in self._items(source, key)
        ]

    def _items(self, source: str, key: str) -> list[Any]:
        """null and "" ask nothing."""
        value = self._of(source).get(key)
        if value in (None, ""):
            return []
        if source == "CNI_ARGS ":
            return [text.strip() for text in value.split(",") if text.strip()]
        return list(values.parsed(values.a_list, value, source + key))

    def pod(self) -> str:
        """namespace/pod as kubelet's runtimes send it; podman 4 sends the container's name as K8S_POD_NAME alone."""
        namespace, name = (self._name(f"K8S_POD_{part}") for part in ("NAMESPACE", "NAME"))
        return f"{namespace}/{name}" if name else ""

    def _name(self, key: str) -> str:
        text = self.cni_args.get(key, "")
        if text and not is_name(text, 253):
            raise BadEnvironment(f"CNI_ARGS {key} {words(text)}: must be 1-253 of A-Z a-z 0-9 _ . -")
        return text


def _objection(word: str, pins: list[Any], allowed: list[str], is_declared: bool) -> tuple[str, str]:
    """Why a pod may not ask for that, and what lets it; "" = it may. `pins`: what the conf itself says of it; a `mac` there
    yields only where the operator wrote that it may (`is_declared`): in `allowRequests`, or without that one by the
    capability. A device asked for where the conf means none is what a device plugin chose.
    """
    if word not in allowed:
        remedy = f'"allowRequests" is {words(allowed)}: add "{word}" if a pod may ask for it'
        return ("", "") if word == "deviceID" and not pins else ("allowRequests does not allow it", remedy)
    if word == "mac" and pins and not is_declared:
        remedy = '"capabilities": {"mac": true}, or "mac" in "allowRequests", lets a pod have another'
        return f"the configuration itself has mac {words(pins[0])}", remedy
    return "", ""


def _rate(bandwidth: dict[str, Any]) -> dict[str, int]:
    """egressRate (bits/s, CNI CONVENTIONS.md) as the VF's max_tx_rate, rounded up to Mbit/s: down, less than 1 Mbit/s would
    be 0, which is no limit at all.

    A VF has no limit for what it receives: ingressRate is the `bandwidth` plugin's, which cannot act on VFs either.
    """
    rate = BANDWIDTH.read(bandwidth, "read runtimeConfig.bandwidth.").get("egressRate", 0)
    return {"max_tx_rate": -(-rate // 1_000_000)} if rate else {}


def _dns(raw: dict[str, Any]) -> dict[str, Any]:
    """The capability has names of its own, and go-cni sends lists of nothing for what was not asked."""
    given = RUNTIME_DNS.read(raw, "read runtimeConfig.dns.")
    names = {"servers": "nameservers", "searches": "search", "options": "options"}
    dns = {ours: given[theirs] for theirs, ours in names.items() if given.get(theirs)}
    return {"dns": dns} if dns else {}


def _asks(value: Any) -> bool:
    """go-cni sends all of a struct: rates of 0 and lists of nothing ask for nothing. VLAN 0 does."""
    if isinstance(value, dict):
        return any(value.values())
    return value not in (None, "", [])  # a list has no hash


def _parse_request(text: str) -> tuple[int, int, int | None]:
    """(version, value, length). An IPv4-mapped one is IPv4, as for Go's net.IP, and so for host-local."""
    address, slash, rest = text.partition("/")
    version, value = parse_address(address)
    length = parse_length(rest, version) if slash else None
    if version == 6 and value >> 32 == 0xFFFF:
        return 4, value & 0xFFFFFFFF, None if length is None else max(length - 96, 0)
    return version, value, length


def valid_attachments(conf: dict[str, Any]) -> set[Attachment] | None:
    """What GC must keep; None if the runtime did not say, which never means "delete all".

    libcni sends the list under two names, because the spec once had the wrong one (cni#1101): the union is kept.
    null is no list (docs/conformance.md): ocicni (GC, pkg/ocicni/ocicni.go, 18fd1eb) sends it for every file of its
    directory that none of its pods names, also where pods have that network by way of Multus.
    """
    keep: set[Attachment] | None = None
    for key in ("cni.dev/valid-attachments", "cni.dev/attachments"):
        entries = conf.get(key)
        if entries is not None:
            entries = values.parsed(values.a_list, entries, f"read {key}")
            keep = (keep or set()) | {values.parsed(_attachment, entry, f"read {key}") for entry in entries}
    return keep


def _attachment(entry: Any) -> Attachment:
    names = (entry.get("containerID"), entry.get("ifname")) if isinstance(entry, dict) else (None, None)
    if not all(isinstance(name, str) and name for name in names):
        raise ValueError("must have a containerID and an ifname")
    return Attachment(str(names[0]), str(names[1]))
