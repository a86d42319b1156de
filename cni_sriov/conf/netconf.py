"""The configuration of the plugin `sriov`: a dict in, a NetConf out, or BadConfig (code 7) that names key and value.

Pure: touches nothing. Its tables feed the parser, the tree of known keys (conf/keycase.py), the docs test and the test that
compares them with conf/netconf.schema.json. Unknown keys are ignored: Multus, podman and chains inject some; `sriovctl
validate` warns. What is null is not here any more: conf/keycase.py took it out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..words.domain import Attachment, VfSettings
from ..words.errors import BadConfig, UnsupportedField
from ..words.jsontext import words
from ..words.pci import parse_pci_address
from . import hostsubnet
from .keycase import Known, asked, value_of

STATE_DIR = "/var/lib/cni/sriov"
RATE_LIMIT = 0xFFFFFFFF  # struct ifla_vf_rate of linux/if_link.h holds 32 bits
HEX = "0123456789abcdef"


def parse_mac(text: Any) -> str:
    """Lower-case, unicast, not zero; ValueError says which of these it is not."""
    if not isinstance(text, str):
        raise ValueError("must be a string like 02:00:00:00:00:01")
    parts = text.replace("-", ":").lower().split(":")
    if len(parts) != 6 or not all(len(p) == 2 and p[0] in HEX and p[1] in HEX for p in parts):
        raise ValueError("must be six hex bytes like 02:00:00:00:00:01")
    if int(parts[0], 16) & 1:
        raise ValueError("is a multicast address; a VF needs a unicast one (second digit even)")
    if parts == ["00"] * 6:
        raise ValueError("is zero, which drivers take for 'no MAC'")
    return ":".join(parts)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a string")
    return value


def _string(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("must be a non-empty string")
    return value


def _link_name(value: Any) -> str:
    """A name or an altname: ALTIFNAMSIZ is 128. The kernel takes anything for one, iproute2 no '/' and no blank."""
    text = _string(value)
    if (
        len(text.encode("utf-8", "surrogatepass")) > 127
        or text in {".", ".."}
        or any(c in "/ \t\n" for c in text)
    ):
        raise ValueError("must be an interface's name or altname (at most 127 bytes, no '/' or blank)")
    if not text.isprintable():
        raise ValueError("must be printable")
    return text


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _on_off(value: Any) -> bool:
    if value not in {"on", "off"}:
        raise ValueError('must be "on" or "off"')
    return bool(value == "on")


def _integer(low: int, high: int) -> Callable[[Any], int]:
    def parse(value: Any) -> int:
        # bool is an int in Python, and 1.0 is not an integer in a conf
        if type(value) is not int or not low <= value <= high:
            raise ValueError(f"must be an integer in {low}-{high}")
        return value

    return parse


def _one_of(*allowed: str) -> Callable[[Any], str]:
    def parse(value: Any) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return value

    return parse


def _vlan_proto(value: Any) -> str:
    return _one_of("802.1q", "802.1ad")(value.lower() if isinstance(value, str) else value)


def _directory(value: Any) -> str:
    text = _string(value)
    if (
        not text.startswith("/")
        or not text.isprintable()  # a NUL, or a lone surrogate, which no path can have
        or any(part in {"", ".", ".."} for part in text[1:].split("/"))
    ):
        raise ValueError("must be an absolute path without '.', '..' or empty parts")
    return text


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("must be an object")
    return value


def _as_it_is(value: Any) -> Any:
    """Judged elsewhere: by conf/hostsubnet.py, or where a plugin of another kind reads it."""
    return value


def _list_of(parse: Callable[[Any], Any]) -> Callable[[Any], list[Any]]:
    def parse_list(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise ValueError("must be a list")
        return [parse(item) for item in value]

    return parse_list


def _pci_id(value: Any) -> int:
    """A vendor or device ID, hexadecimal with or without 0x."""
    digits = _string(value).lower().removeprefix("0x")
    if not 1 <= len(digits) <= 4 or not all(c in HEX for c in digits):
        raise ValueError("must be a hexadecimal PCI ID like 8086")
    return int(digits, 16)


def _indices(value: Any) -> list[tuple[int, int]]:
    """VF indices: "0-3,6" as inclusive ranges."""
    ranges = []
    for part in _string(value).replace(" ", "").split(","):
        first, _, last = part.partition("-")
        last = last or first
        if not all(text.isascii() and text.isdigit() and len(text) <= 5 for text in (first, last)):
            raise ValueError("must be VF indices like 0-3,6")
        if int(first) > int(last):
            raise ValueError(f"has the range {part} the wrong way round")
        ranges.append((int(first), int(last)))
    return ranges


PF_KEYS: dict[str, Callable[[Any], Any]] = {
    "names": _list_of(_link_name),
    "pciAddresses": _list_of(parse_pci_address),
    "vendors": _list_of(_pci_id),
    "devices": _list_of(_pci_id),
    "drivers": _list_of(_string),
    "vfs": _indices,
}


_strings = _list_of(_text)
DNS_KEYS: dict[str, Callable[[Any], Any]] = {
    "nameservers": _strings,
    "domain": _text,
    "search": _strings,
    "options": _strings,
}
RUNTIME_KEYS: dict[str, Callable[[Any], Any]] = {
    "deviceID": parse_pci_address,
    "mac": parse_mac,
    "CNIDeviceInfoFile": _directory,
    "bandwidth": _object,
    "dns": _object,
    "infinibandGUID": _as_it_is,
    "ips": _as_it_is,
    "ipRanges": _as_it_is,
}
BANDWIDTH_KEYS: dict[str, Callable[[Any], Any]] = {"egressRate": _integer(0, RATE_LIMIT * 1_000_000)}
RUNTIME_DNS_KEYS: dict[str, Callable[[Any], Any]] = dict.fromkeys(
    ("servers", "searches", "options"), _strings
)
ARGS_KEYS: dict[str, Callable[[Any], Any]] = {
    "mac": parse_mac,
    "vlan": _integer(0, 4094),
    "ips": _as_it_is,
    "subnets": _as_it_is,
}
# word of allowRequests: where a pod can ask for it
REQUESTS: dict[str, tuple[tuple[str, str], ...]] = {
    "mac": (("CNI_ARGS", "MAC"), ("args.cni", "mac"), ("runtimeConfig", "mac")),
    "ips": (("CNI_ARGS", "IP"), ("args.cni", "ips"), ("runtimeConfig", "ips")),
    "subnets": (("CNI_ARGS", "SUBNET"), ("args.cni", "subnets")),
    "bandwidth": (("runtimeConfig", "bandwidth"),),
    "vlan": (("args.cni", "vlan"),),
}
ALLOWED = ["mac", "ips", "subnets", "bandwidth"]  # a pod leaves its VLAN only where the operator says so


class PfSelector:
    """`pf` of the conf: all that is given must match; `vfs` limits the VF indices. None = not given."""

    __slots__ = ("devices", "drivers", "names", "pci_addresses", "vendors", "vfs")

    def __init__(self, raw: dict[str, Any]) -> None:
        values = _parse_keys(raw, PF_KEYS, "pf.")
        if not any(values.get(key) for key in ("names", "pciAddresses", "vendors", "devices", "drivers")):
            raise BadConfig(
                "read pf: selects no PF", details='give "names", "pciAddresses", "vendors" or "drivers"'
            )
        self.names: list[str] | None = values.get("names")
        self.pci_addresses: list[str] | None = values.get("pciAddresses")
        self.vendors: list[int] | None = values.get("vendors")
        self.devices: list[int] | None = values.get("devices")
        self.drivers: list[str] | None = values.get("drivers")
        self.vfs: list[tuple[int, int]] | None = values.get("vfs")


KEYS: dict[str, Callable[[Any], Any]] = {
    "deviceID": parse_pci_address,
    "pciBusID": parse_pci_address,
    "master": _link_name,
    "pf": _object,
    "vlan": _integer(0, 4094),
    "vlanQoS": _integer(0, 7),
    "vlanProto": _vlan_proto,
    "mac": parse_mac,
    "mtu": _integer(68, 65535),  # ETH_MIN_MTU, linux/if_ether.h; the PF's own limits are checked at ADD
    "txqueuelen": _integer(0, 0xFFFFFFFF),  # IFLA_TXQLEN has 32 bits
    "promisc": _boolean,
    "allmulti": _boolean,
    "spoofchk": _on_off,
    "trust": _on_off,
    "link_state": _one_of("auto", "enable", "disable"),
    "min_tx_rate": _integer(0, RATE_LIMIT),
    "max_tx_rate": _integer(0, RATE_LIMIT),
    "driver": _one_of("kernel"),
    "pfUp": _boolean,
    "acceptRA": _boolean,
    "announceWait": _integer(0, 200),
    "verifyTimeout": _integer(0, 60000),
    "statusOnFull": _one_of("ok", "error"),
    "allowRequests": _list_of(_one_of(*REQUESTS)),
    "logLevel": _one_of("debug", "info", "warning", "error", "panic", "none"),
    "logFile": _directory,
    "stateDir": _directory,
    "cniDir": _directory,
    "ipam": _object,
    "dns": _object,
    "runtimeConfig": _object,
    "args": _object,
    "prevResult": _object,
    "capabilities": _object,
}


_ARGS = Known({"cni": asked(ARGS_KEYS)})
_RUNTIME = asked(RUNTIME_KEYS, {"bandwidth": asked(BANDWIDTH_KEYS), "dns": asked(RUNTIME_DNS_KEYS)})
FOR_DELETE = ("stateDir", "cniDir", "verifyTimeout", "logLevel", "logFile", "ipam", "prevResult")


def _ipam_keys(section: dict[str, Any]) -> Known:
    """Of another IPAM nothing but its name is ours to read."""
    if value_of(section, "type") != "host-subnet":
        return Known({"type": None})
    return hostsubnet.KNOWN


def known(door: str) -> Known:
    """The tree of the keys that a door reads. Under another main plugin, that plugin's own keys are not ours."""
    envelope = dict.fromkeys(("cniVersion", "name", "type"))
    inner = {"ipam": _ipam_keys, "runtimeConfig": _RUNTIME, "args": _ARGS}
    if door == "host-subnet":
        return Known(
            envelope | dict.fromkeys((*FOR_DELETE, "allowRequests", "master")) | inner, ["cniVersion"]
        )
    inner |= {"pf": Known(dict.fromkeys(PF_KEYS)), "dns": Known(dict.fromkeys(DNS_KEYS))}
    return Known(envelope | dict.fromkeys(KEYS) | inner, ["cniVersion"])


class NetConf:
    """One network's configuration, judged. Exactly one of `device`, `master`, `pf` is set."""

    __slots__ = (
        "accept_ra",
        "announce_wait_ms",
        "args_cni",
        "cni_dir",
        "device",
        "device_info_file",
        "dns",
        "driver",
        "ipam",
        "log_file",
        "log_level",
        "master",
        "name",
        "pf",
        "pf_up",
        "prev_result",
        "runtime_config",
        "settings",
        "state_dir",
        "status_on_full",
        "verify_timeout_ms",
        "version",
    )

    def __init__(self, conf: dict[str, Any], values: dict[str, Any], cni_args: dict[str, str]) -> None:
        self.version: str = conf["cniVersion"]
        self.name: str = conf["name"]
        self.runtime_config: dict[str, Any] = values.get("runtimeConfig", {})
        self.args_cni: dict[str, Any] = _args_cni(values)
        runtime = _parse_keys(self.runtime_config, RUNTIME_KEYS, "runtimeConfig.")
        args = _parse_keys(self.args_cni, ARGS_KEYS, "args.cni.")
        # runtimeConfig.deviceID is a device plugin's choice; "" = pick one
        self.device = str(runtime.get("deviceID") or values.get("deviceID") or values.get("pciBusID") or "")
        self.device_info_file: str = runtime.get("CNIDeviceInfoFile", "")
        self.master: str = "" if self.device else values.get("master", "")
        selector = PfSelector(values["pf"]) if "pf" in values else None  # judged also where it is not used
        self.pf = None if self.device or self.master else selector
        self.settings = _settings(values, args, _mac(values, cni_args, args, runtime))
        _limit_rate(self.settings, runtime)
        self.driver: str = values.get("driver", "kernel")
        self.pf_up: bool = values.get("pfUp", True)
        self.accept_ra: bool = values.get("acceptRA", False)
        self.announce_wait_ms: int = values.get("announceWait", 0)
        self.verify_timeout_ms: int = values.get("verifyTimeout", 2000)
        self.log_level: str = values.get("logLevel", "info")
        self.log_file: str = values.get("logFile", "")
        self.state_dir: str = values.get("stateDir", STATE_DIR)
        self.cni_dir: str = values.get("cniDir", "")
        self.status_on_full: str = values.get("statusOnFull", "ok")
        self.dns = _dns(values, runtime)
        self.ipam: dict[str, Any] = values.get("ipam", {})
        self.prev_result: dict[str, Any] | None = values.get("prevResult")


def parse(conf: dict[str, Any], cni_args: dict[str, str], adding: bool = True) -> NetConf:
    """Judge the whole configuration before anything is touched. `adding`: the verb is ADD, to which
    alone a device plugin may name the VF.
    """
    values = _parse_keys(conf, KEYS, "")
    netconf = NetConf(conf, values, cni_args)
    if adding:  # an attachment that was made without a word, or by another conf, must pass its CHECK
        _refuse_guid(netconf.runtime_config)
        check_requests(conf, netconf.runtime_config, netconf.args_cni, cni_args)
    if adding and not (netconf.device or netconf.master or netconf.pf):
        raise BadConfig(
            "read configuration: no VF or PF is named",
            details='give "master" (a PF), "pf", or "deviceID" (a VF)',
        )
    _check_vlan(values)
    if "vlan" in netconf.args_cni:
        _check_vlan(values | {"vlan": netconf.settings.vlan})
    _check_rates(netconf.settings)
    if netconf.ipam and not (isinstance(netconf.ipam.get("type"), str) and netconf.ipam["type"]):
        raise BadConfig(
            "read ipam.type: must name an IPAM plugin", 'like "host-subnet"; no "ipam" = layer 2 only'
        )
    return netconf


def valid_attachments(conf: dict[str, Any]) -> set[Attachment] | None:
    """What GC must keep; None if the runtime did not say, which never means "delete all".

    libcni sends the list under two names, because the spec once had the wrong one (cni#1101): the union is kept.
    null is no list (docs/conformance.md): ocicni (GC, pkg/ocicni/ocicni.go, 18fd1eb) sends it for every file of its
    directory that none of its pods names, also where pods have that network by way of Multus.
    """
    keep: set[Attachment] | None = None
    for key in ("cni.dev/valid-attachments", "cni.dev/attachments"):
        entries = conf.get(key)
        if entries is None:
            continue
        keep = (keep or set()) | {_attachment(key, entry) for entry in _checked_list(key, entries)}
    return keep


def _checked_list(key: str, entries: Any) -> list[Any]:
    if not isinstance(entries, list):
        raise BadConfig(f"read {key} {words(entries)}: must be a list")
    return entries


def _attachment(key: str, entry: Any) -> Attachment:
    names = (entry.get("containerID"), entry.get("ifname")) if isinstance(entry, dict) else (None, None)
    if not all(isinstance(name, str) and name for name in names):
        raise BadConfig(f"read {key} {words(entry)}: must have a containerID and an ifname")
    return Attachment(str(names[0]), str(names[1]))


def parse_for_delete(conf: dict[str, Any]) -> NetConf:
    """Only what DEL and GC need, and CHECK of a spoiled conf: nothing that is wrong stops them, they work from Records."""
    values: dict[str, Any] = {}
    for key in FOR_DELETE:
        try:
            values |= _parse_keys(conf, {key: KEYS[key]}, "")
        except BadConfig:
            pass  # the default then; the Record is found by its claim if stateDir itself is bad
    return NetConf(conf, values, {})


def _parse_keys(raw: dict[str, Any], keys: dict[str, Callable[[Any], Any]], prefix: str) -> dict[str, Any]:
    values = {}
    for key, parse_value in keys.items():
        if key in raw:
            try:
                values[key] = parse_value(raw[key])
            except (ValueError, TypeError) as error:  # TypeError: a list where a word is looked up in a set
                reason = error if isinstance(error, ValueError) else "has the wrong type"
                raise BadConfig(f"read {prefix}{key} {words(raw[key])}: {reason}") from error
    return values


def _args_cni(values: dict[str, Any]) -> dict[str, Any]:
    nested = values.get("args", {}).get("cni", {})
    if not isinstance(nested, dict):
        raise BadConfig(f"read args.cni {words(nested)}: must be an object")
    return nested


def _refuse_guid(runtime_config: dict[str, Any]) -> None:
    """sriov-cni takes no notice of it, and the pod has another address than was asked for."""
    guid = runtime_config.get("infinibandGUID")
    if guid is not None:
        raise UnsupportedField(
            f"read runtimeConfig.infinibandGUID {words(guid)}: a VF of an Ethernet card has none",
            'ask for a "mac"; InfiniBand has a plugin of its own, ib-sriov',
        )


def check_requests(
    conf: dict[str, Any],
    runtime_config: dict[str, Any],
    args_cni: dict[str, Any],
    cni_args: dict[str, str],
    judged: Iterable[str] = REQUESTS,
) -> None:
    """A pod asks, the operator decides: what `allowRequests` does not name is refused, never done or dropped in silence.

    Whoever reads it: another IPAM gets `ips` too. `judged`: the words that are ours to judge.
    """
    allowed = _parse_keys(conf, {"allowRequests": KEYS["allowRequests"]}, "").get("allowRequests", ALLOWED)
    sources: dict[str, dict[str, Any]] = {
        "CNI_ARGS": cni_args,
        "args.cni": args_cni,
        "runtimeConfig": runtime_config,
    }
    for word in judged:
        for source, key in REQUESTS[word] if word not in allowed else ():
            value = sources[source].get(key)
            if _asks(value):
                raise BadConfig(
                    f"read {source}{' ' if source == 'CNI_ARGS' else '.'}{key} {words(value)}: allowRequests does not allow it",
                    f'"allowRequests" is {words(allowed)}: add "{word}" if a pod may ask for it',
                )


def _asks(value: Any) -> bool:
    """go-cni sends all of a struct: rates of 0 and lists of nothing ask for nothing. VLAN 0 does."""
    if isinstance(value, dict):
        return any(value.values())
    return value not in (None, "", [])  # a list has no hash


def _mac(
    values: dict[str, Any], cni_args: dict[str, str], args: dict[str, Any], runtime: dict[str, Any]
) -> str | None:
    """conf < CNI_ARGS < args.cni < runtimeConfig: the later one wins, but each that is given must be good."""
    asked = {key: value for key, value in cni_args.items() if key == "MAC" and value}  # "" = not asked
    own = _parse_keys(asked, {"MAC": parse_mac}, "CNI_ARGS ").get("MAC")
    mac: str | None = runtime.get("mac") or args.get("mac") or own or values.get("mac")
    return mac


def _settings(values: dict[str, Any], args: dict[str, Any], mac: str | None) -> VfSettings:
    return VfSettings(
        mac=mac,
        vlan=args.get("vlan", values.get("vlan")),
        vlan_qos=values.get("vlanQoS", 0),
        vlan_proto=values.get("vlanProto", "802.1q"),
        mtu=values.get("mtu"),
        txqueuelen=values.get("txqueuelen"),
        promisc=values.get("promisc"),
        allmulti=values.get("allmulti"),
        spoofchk=values.get("spoofchk"),
        trust=values.get("trust"),
        link_state=values.get("link_state"),
        min_tx_rate=values.get("min_tx_rate"),
        max_tx_rate=values.get("max_tx_rate"),
    )


def _limit_rate(settings: VfSettings, runtime: dict[str, Any]) -> None:
    """runtimeConfig.bandwidth.egressRate (bits/s, CNI CONVENTIONS.md) is the VF's max_tx_rate, rounded up to Mbit/s.

    A VF has no limit for what it receives: ingressRate is the `bandwidth` plugin's, which cannot act on VFs either.
    """
    given = _parse_keys(runtime.get("bandwidth", {}), BANDWIDTH_KEYS, "runtimeConfig.bandwidth.")
    rate = given.get("egressRate", 0)
    if rate:
        settings.max_tx_rate = -(-rate // 1_000_000)


def _dns(values: dict[str, Any], runtime: dict[str, Any]) -> dict[str, Any]:
    """runtimeConfig.dns > the conf's `dns`; {} = what the IPAM says. The capability has names of its own, and go-cni
    sends lists of nothing for what was not asked.
    """
    own: dict[str, Any] = values.get("dns", {})
    _parse_keys(own, DNS_KEYS, "dns.")
    given = _parse_keys(runtime.get("dns", {}), RUNTIME_DNS_KEYS, "runtimeConfig.dns.")
    names = {"servers": "nameservers", "searches": "search", "options": "options"}
    return {ours: given[theirs] for theirs, ours in names.items() if given.get(theirs)} or dict(own)


def _check_vlan(values: dict[str, Any]) -> None:
    for key in ("vlanQoS", "vlanProto"):
        if key in values and "vlan" not in values:
            raise BadConfig(f"read {key}: needs a vlan")
    if values.get("vlan") == 0:
        if values.get("vlanQoS"):
            raise BadConfig("read vlanQoS: needs a vlan that is not 0")
        if values.get("vlanProto") == "802.1ad":
            raise BadConfig("read vlanProto 802.1ad: needs a vlan that is not 0")


def _check_rates(settings: VfSettings) -> None:
    low, high = settings.min_tx_rate, settings.max_tx_rate
    if low is not None and high and low > high:  # max 0 = unlimited
        raise BadConfig(f"read min_tx_rate {low}: is more than max_tx_rate {high}")
