"""The configuration of the plugin `sriov`: a dict in, a NetConf out, or BadConfig (code 7) that names key and value.

Pure: touches nothing. One table, KEYS, feeds the parser, the docs test and the test that compares it with
conf/netconf.schema.json. Unknown keys are ignored: Multus, podman and chains inject some; `sriovctl validate` warns.
"""

from __future__ import annotations

from .domain import Attachment, VfSettings
from .errors import BadConfig, UnsupportedField
from .pci import parse_pci_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

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


def _string(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("must be a non-empty string")
    return value


def _ifname(value: Any) -> str:
    text = _string(value)
    if (
        len(text.encode("utf-8", "surrogatepass")) > 15
        or text in {".", ".."}
        or any(c in "/: \t\n" for c in text)
    ):
        raise ValueError("must be an interface name (at most 15 bytes, no '/', ':' or blank)")
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


def _one_of(*words: str) -> Callable[[Any], str]:
    def parse(value: Any) -> str:
        if not isinstance(value, str) or value not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
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
    "names": _list_of(_ifname),
    "pciAddresses": _list_of(parse_pci_address),
    "vendors": _list_of(_pci_id),
    "devices": _list_of(_pci_id),
    "drivers": _list_of(_string),
    "vfs": _indices,
}


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
    "master": _ifname,
    "pf": _object,
    "vlan": _integer(0, 4094),
    "vlanQoS": _integer(0, 7),
    "vlanProto": _vlan_proto,
    "mac": parse_mac,
    "mtu": _integer(68, 65535),  # ETH_MIN_MTU, linux/if_ether.h; the PF's own limits are checked at ADD
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
        self.device = _device(values, self.runtime_config)
        self.device_info_file = _device_info_file(self.runtime_config)
        self.master: str = "" if self.device else values.get("master", "")
        selector = PfSelector(values["pf"]) if "pf" in values else None  # judged also where it is not used
        self.pf = None if self.device or self.master else selector
        self.settings = _settings(values, _mac(values, cni_args, self.args_cni, self.runtime_config))
        _limit_rate(self.settings, self.runtime_config)
        self.pf_up: bool = values.get("pfUp", True)
        self.accept_ra: bool = values.get("acceptRA", False)
        self.announce_wait_ms: int = values.get("announceWait", 0)
        self.verify_timeout_ms: int = values.get("verifyTimeout", 2000)
        self.log_level: str = values.get("logLevel", "info")
        self.log_file: str = values.get("logFile", "")
        self.state_dir: str = values.get("stateDir", STATE_DIR)
        self.cni_dir: str = values.get("cniDir", "")
        self.status_on_full: str = values.get("statusOnFull", "ok")
        self.dns = _dns(values, self.runtime_config)
        self.ipam: dict[str, Any] = values.get("ipam", {})
        self.prev_result: dict[str, Any] | None = values.get("prevResult")


def parse(conf: dict[str, Any], cni_args: dict[str, str], adding: bool = True) -> NetConf:
    """Judge the whole configuration before anything is touched. `adding`: the verb is ADD, to which
    alone a device plugin may name the VF.
    """
    values = _parse_keys(conf, KEYS, "")
    netconf = NetConf(conf, values, cni_args)
    if adding:  # an attachment that sriov-cni made without a word must pass its CHECK
        _refuse_guid(netconf.runtime_config)
    if adding and not (netconf.device or netconf.master or netconf.pf):
        raise BadConfig(
            "read configuration: no VF or PF is named",
            details='give "master" (a PF), "pf", or "deviceID" (a VF)',
        )
    _check_vlan(values)
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
        raise BadConfig(f"read {key} {entries!r}: must be a list")
    return entries


def _attachment(key: str, entry: Any) -> Attachment:
    names = (entry.get("containerID"), entry.get("ifname")) if isinstance(entry, dict) else (None, None)
    if not all(isinstance(name, str) and name for name in names):
        raise BadConfig(f"read {key} {entry!r}: must have a containerID and an ifname")
    return Attachment(str(names[0]), str(names[1]))


def parse_for_delete(conf: dict[str, Any]) -> NetConf:
    """Only what DEL and GC need, and CHECK of a spoiled conf: nothing that is wrong stops them, they work from Records."""
    values: dict[str, Any] = {}
    for key in ("stateDir", "cniDir", "verifyTimeout", "logLevel", "logFile", "ipam", "prevResult"):
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
                raise BadConfig(f"read {prefix}{key} {raw[key]!r:.200}: {reason}") from error
    return values


def _args_cni(values: dict[str, Any]) -> dict[str, Any]:
    nested = values.get("args", {}).get("cni", {})
    if not isinstance(nested, dict):
        raise BadConfig(f"read args.cni {nested!r}: must be an object")
    return nested


def _device(values: dict[str, Any], runtime_config: dict[str, Any]) -> str:
    """runtimeConfig.deviceID (a device plugin's choice) > deviceID > pciBusID; "" = pick one."""
    if "deviceID" in runtime_config:
        return str(_parse_keys(runtime_config, {"deviceID": parse_pci_address}, "runtimeConfig.")["deviceID"])
    return str(values.get("deviceID") or values.get("pciBusID") or "")


def _device_info_file(runtime_config: dict[str, Any]) -> str:
    """Where the runtime wants to find which device it is (NPWG device-info specification 1.1.0, 5.1); "" = nowhere."""
    key = "CNIDeviceInfoFile"
    if runtime_config.get(key) is None or runtime_config[key] == "":
        return ""
    return str(_parse_keys(runtime_config, {key: _directory}, "runtimeConfig.")[key])


def _refuse_guid(runtime_config: dict[str, Any]) -> None:
    """sriov-cni takes no notice of it, and the pod has another address than was asked for."""
    guid = runtime_config.get("infinibandGUID")
    if guid is not None and guid != "":
        raise UnsupportedField(
            f"read runtimeConfig.infinibandGUID {guid!r:.200}: a VF of an Ethernet card has none",
            'ask for a "mac"; InfiniBand has a plugin of its own, ib-sriov',
        )


def _mac(
    values: dict[str, Any], cni_args: dict[str, str], args_cni: dict[str, Any], runtime_config: dict[str, Any]
) -> str | None:
    """conf < CNI_ARGS < args.cni < runtimeConfig: the later one wins, but each that is given must be good."""
    mac: str | None = values.get("mac")
    for source, prefix, key in (
        (cni_args, "CNI_ARGS ", "MAC"),
        (args_cni, "args.cni.", "mac"),
        (runtime_config, "runtimeConfig.", "mac"),
    ):
        if source.get(key, "") != "":  # podman and Multus send "" for "not asked"
            mac = _parse_keys(source, {key: parse_mac}, prefix)[key]
    return mac


def _settings(values: dict[str, Any], mac: str | None) -> VfSettings:
    return VfSettings(
        mac=mac,
        vlan=values.get("vlan"),
        vlan_qos=values.get("vlanQoS", 0),
        vlan_proto=values.get("vlanProto", "802.1q"),
        mtu=values.get("mtu"),
        spoofchk=values.get("spoofchk"),
        trust=values.get("trust"),
        link_state=values.get("link_state"),
        min_tx_rate=values.get("min_tx_rate"),
        max_tx_rate=values.get("max_tx_rate"),
    )


def _limit_rate(settings: VfSettings, runtime_config: dict[str, Any]) -> None:
    """runtimeConfig.bandwidth.egressRate (bits/s, CNI CONVENTIONS.md) is the VF's max_tx_rate, rounded up to Mbit/s.

    A VF has no limit for what it receives: ingressRate is the `bandwidth` plugin's, which cannot act on VFs either.
    """
    bandwidth = runtime_config.get("bandwidth")
    if bandwidth is None:
        return
    rate = _parse_keys(
        _parse_keys({"bandwidth": bandwidth}, {"bandwidth": _object}, "runtimeConfig.")["bandwidth"],
        {"egressRate": _integer(0, RATE_LIMIT * 1_000_000)},
        "runtimeConfig.bandwidth.",
    ).get("egressRate", 0)
    if rate:
        settings.max_tx_rate = -(-rate // 1_000_000)


def _dns(values: dict[str, Any], runtime_config: dict[str, Any]) -> dict[str, Any]:
    """runtimeConfig.dns > the conf's `dns`; {} = what the IPAM says. The capability has names of its own."""
    given = runtime_config.get("dns")
    if given:
        if not isinstance(given, dict):
            raise BadConfig(f"read runtimeConfig.dns {given!r}: must be an object")
        names = {"servers": "nameservers", "searches": "search", "options": "options"}
        return {ours: given[theirs] for theirs, ours in names.items() if given.get(theirs)}
    return dict(values.get("dns", {}))


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
