"""The configuration of the plugin `sriov`: a dict in, a NetConf out, or BadConfig (code 7) that names key and value.

Pure: touches nothing. Its table feeds the parser, the tree of known keys (conf/keycase.py), the docs test and the test that
compares them with conf/netconf.schema.json. Unknown keys are ignored: Multus, podman and chains inject some; `sriovctl
validate` warns. What is null is not here any more: conf/keycase.py took it out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..words.errors import BadConfig
from ..words.jsontext import words
from ..words.pci import parse_pci_address
from ..words.record import VfSettings
from . import hostsubnet, planeconf, values
from .keycase import Below, Known, value_of
from .requests import ALLOWED, RATE_LIMIT, SOURCES, Requests
from .values import DNS, Key, Table

STATE_DIR = "/var/lib/cni/sriov"
# network-attachment-definition-client v1.7.7, pkg/utils/cniconfig.go, as it stands there and where systemd's link leads
DEVICE_INFO_DIRS = ["/var/run/k8s.cni.cncf.io/devinfo", "/run/k8s.cni.cncf.io/devinfo"]
VERIFY_TIMEOUT_MS = 2000  # where no conf says how long a VF may take to be as it was set


def _vlan_proto(value: Any) -> str:
    return str(values.one_of("802.1q", "802.1ad")(value.lower() if isinstance(value, str) else value))


def _ipam_keys(section: dict[str, Any]) -> Known:
    """Of another IPAM nothing but its name is ours to read."""
    return hostsubnet.IPAM if value_of(section, "type") == "host-subnet" else Known({"type": None})


PF = Table(
    {
        "names": values.list_of(values.link_name),
        "pciAddresses": values.list_of(parse_pci_address),
        "vendors": values.list_of(values.pci_id),
        "devices": values.list_of(values.pci_id),
        "drivers": values.list_of(values.string),
        "vfs": values.indices,
    }
)
SRIOV = Table(
    {
        "deviceID": parse_pci_address,
        "pciBusID": parse_pci_address,
        "master": values.link_name,
        "pf": Key(values.an_object, below=PF),
        "vlan": values.integer(0, 4094),
        "vlanQoS": values.integer(0, 7),
        "vlanProto": _vlan_proto,
        "mac": values.mac,
        # ETH_MIN_MTU, linux/if_ether.h; the PF's own limits are checked at ADD
        "mtu": values.integer(68, 65535),
        "txqueuelen": values.integer(0, 0xFFFFFFFF),  # IFLA_TXQLEN has 32 bits
        "promisc": values.boolean,
        "allmulti": values.boolean,
        "spoofchk": values.on_off,
        "trust": values.on_off,
        "link_state": values.one_of("auto", "enable", "disable"),
        "min_tx_rate": values.integer(0, RATE_LIMIT),
        "max_tx_rate": values.integer(0, RATE_LIMIT),
        **planeconf.ROWS,
        "pfUp": Key(values.boolean, True),
        "acceptRA": Key(values.boolean, False),
        "announceWait": Key(values.integer(0, 200), 0),
        "verifyTimeout": Key(values.integer(0, 60000), VERIFY_TIMEOUT_MS),
        "statusOnFull": Key(values.one_of("ok", "error"), "ok"),
        **ALLOWED.rows,
        "logLevel": Key(values.one_of("debug", "info", "warning", "error", "panic", "none"), "info"),
        "logFile": Key(values.directory, ""),
        "stateDir": Key(values.directory, STATE_DIR),
        "cniDir": Key(values.directory, ""),
        "deviceInfoDirs": Key(values.list_of(values.directory), DEVICE_INFO_DIRS),
        "ipam": Key(values.an_object, below=_ipam_keys),
        "dns": Key(values.an_object, below=DNS),
        **SOURCES.rows,
        "prevResult": values.an_object,
        "capabilities": values.an_object,
    }
)
_FOR_DELETE = ("stateDir", "cniDir", "verifyTimeout", "logLevel", "logFile", "ipam", "prevResult")
_ENVELOPE: dict[str, Below] = dict.fromkeys(("cniVersion", "name", "type"))
# of VfSettings, where they are called as in the conf
_KNOBS = (
    *("mac", "vlan", "mtu", "txqueuelen", "promisc", "allmulti", "spoofchk", "trust", "link_state"),
    *("min_tx_rate", "max_tx_rate"),
)
_DOORS = {
    "sriov": Known(_ENVELOPE | SRIOV.keys, ["cniVersion"]),
    # under another main plugin, that plugin's own keys are not ours
    "host-subnet": Known(
        _ENVELOPE
        | {name: SRIOV.keys[name] for name in (*_FOR_DELETE, *SOURCES.keys, "allowRequests", "master")},
        ["cniVersion"],
    ),
}


def known(door: str) -> Known:
    """The tree of the keys that a door reads."""
    return _DOORS.get(door, _DOORS["sriov"])


@dataclass(slots=True)
class PfSelector:
    """`pf` of the conf: all that is given must match; `vfs` limits the VF indices. None = not given."""

    names: list[str] | None
    pci_addresses: list[str] | None
    vendors: list[int] | None
    devices: list[int] | None
    drivers: list[str] | None
    vfs: list[tuple[int, int]] | None


def selector(raw: dict[str, Any]) -> PfSelector:
    found = PfSelector(*map(PF.read(raw, "read pf.").get, PF.keys))
    if not any((found.names, found.pci_addresses, found.vendors, found.devices, found.drivers)):
        raise BadConfig(
            "read pf: selects no PF", details='give "names", "pciAddresses", "vendors" or "drivers"'
        )
    return found


class NetConf:
    """One network's configuration, judged. Of `device`, `master`, `pf` one is set, the strongest.

    `refused_rate`: why a pod does not get the bandwidth that it asked for, "" if it does. `device_info_dir`: which one of
    `deviceInfoDirs` its file is below, "" = none.
    """

    __slots__ = (
        *(
            "version",
            "name",
            "requests",
            "refused_rate",
            "device",
            "device_info_dir",
            "device_info_file",
            "master",
            "pf",
            "settings",
            "plane",
            "pf_up",
            "dns",
        ),
        *(
            "accept_ra",
            "announce_wait_ms",
            "verify_timeout_ms",
            "log_level",
            "log_file",
            "state_dir",
            "cni_dir",
        ),
        *("status_on_full", "ipam", "prev_result"),
    )

    def __init__(self, conf: dict[str, Any], own: dict[str, Any], cni_args: dict[str, str]) -> None:
        """`own`: what the conf says; what a caller asks for counts before it."""
        self.requests = Requests.of(own, cni_args)
        asked, limit = self.requests.judged(), own.get("max_tx_rate")
        self.refused_rate = ""
        if limit and asked.get("max_tx_rate", 0) > limit:
            rate = asked.pop("max_tx_rate")
            self.refused_rate = f"{rate} Mbit/s are asked by runtimeConfig.bandwidth, max_tx_rate is {limit}"
        told = own | asked
        self.version: str = conf["cniVersion"]
        self.name: str = conf["name"]
        self.device: str = told.get("deviceID") or told.get("pciBusID") or planeconf.legacy_device(told)
        self.device_info_file: str = told.get("CNIDeviceInfoFile", "")
        below = [root for root in told["deviceInfoDirs"] if self.device_info_file.startswith(f"{root}/")]
        self.device_info_dir: str = below[0] if below else ""
        self.master: str = "" if self.device else told.get("master", "")
        pf = selector(told["pf"]) if "pf" in told else None  # judged also where it is not used
        self.pf = None if self.device or self.master else pf
        self.settings = VfSettings(
            vlan_qos=told.get("vlanQoS", 0),
            vlan_proto=told.get("vlanProto", "802.1q"),
            **{name: told.get(name) for name in _KNOBS},
        )
        self.plane = planeconf.of(told)
        self.pf_up: bool = told["pfUp"]
        self.accept_ra: bool = told["acceptRA"]
        self.announce_wait_ms: int = told["announceWait"]
        self.verify_timeout_ms: int = told["verifyTimeout"]
        self.log_level: str = told["logLevel"]
        self.log_file: str = told["logFile"]
        self.state_dir: str = told["stateDir"]
        self.cni_dir: str = told["cniDir"]
        self.status_on_full: str = told["statusOnFull"]
        DNS.read(own.get("dns", {}), "read dns.")
        self.dns: dict[str, Any] = dict(told.get("dns", {}))  # {} = what the IPAM says
        self.ipam: dict[str, Any] = told.get("ipam", {})
        self.prev_result: dict[str, Any] | None = told.get("prevResult")


def parse(conf: dict[str, Any], cni_args: dict[str, str], adding: bool = True) -> NetConf:
    """Judge the whole configuration before anything is touched. `adding`: the verb is ADD, to which
    alone a device plugin may name the VF.
    """
    told = SRIOV.read(conf, "read ")
    netconf = NetConf(conf, told, cni_args)
    if adding:  # an attachment that was made without a word, or by another conf, must pass its CHECK
        netconf.requests.refuse_guid()
        netconf.requests.refuse_forbidden(conf, told)
        _check_device_info(netconf, told["deviceInfoDirs"])
    if adding and not (netconf.device or netconf.master or netconf.pf or netconf.plane.is_vpp_host):
        raise BadConfig(
            "read configuration: no VF or PF is named",
            details='give "master" (a PF), "pf", or "deviceID" (a VF)',
        )
    _check_vlan(told, told.get("vlan"))
    _check_vlan(told, netconf.settings.vlan)  # which may be a pod's
    _check_rates(netconf.settings)
    planeconf.refuse_netdev_keys(conf, netconf.plane)
    if adding:
        planeconf.refuse_program_keys(conf, netconf.plane, bool(netconf.device))
    if netconf.ipam and not (isinstance(netconf.ipam.get("type"), str) and netconf.ipam["type"]):
        raise BadConfig(
            "read ipam.type: must name an IPAM plugin", 'like "host-subnet"; no "ipam" = layer 2 only'
        )
    return netconf


def parse_for_delete(conf: dict[str, Any]) -> NetConf:
    """Only what DEL and GC need, and CHECK of a spoiled conf: nothing that is wrong stops them, they work from Records.

    What is wrong has its default; the Record is found by its claim if stateDir itself is bad.
    """
    found = SRIOV.defaults.copy()
    for name in _FOR_DELETE:
        try:
            if name in conf:
                found[name] = values.parsed(SRIOV.parsers[name], conf[name], name)
        except BadConfig:
            pass
    return NetConf(conf, found, {})


def _check_device_info(netconf: NetConf, roots: list[str]) -> None:
    """Whoever can name a file by a pod's annotation must not have root write anywhere."""
    if netconf.device_info_file and not netconf.device_info_dir:
        raise BadConfig(
            f"read runtimeConfig.CNIDeviceInfoFile {words(netconf.device_info_file)}: is in none of deviceInfoDirs",
            f'"deviceInfoDirs" is {words(roots)}',
        )


def _check_vlan(told: dict[str, Any], vlan: int | None) -> None:
    for key in ("vlanQoS", "vlanProto"):
        if key in told and vlan is None:
            raise BadConfig(f"read {key}: needs a vlan")
    if vlan == 0 and told.get("vlanQoS"):
        raise BadConfig("read vlanQoS: needs a vlan that is not 0")
    if vlan == 0 and told.get("vlanProto") == "802.1ad":
        raise BadConfig("read vlanProto 802.1ad: needs a vlan that is not 0")


def _check_rates(settings: VfSettings) -> None:
    low, high = settings.min_tx_rate, settings.max_tx_rate
    if low is not None and high and low > high:  # max 0 = unlimited
        raise BadConfig(f"read min_tx_rate {low}: is more than max_tx_rate {high}")
