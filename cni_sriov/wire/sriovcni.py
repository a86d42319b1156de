"""What sriov-cni (k8snetworkplumbingwg/sriov-cni) wrote down of an attachment, in our words. Pure: text in, Cache out.

Its files: <directory>/<containerID>-<ifname>, the configuration as Go's encoding/json writes it, with what the VF was
before (OrigVfState); <directory>/pci/<VF>, the path of the container's netns. Which fields OrigVfState has depends on
its version: Trust, VlanProto and MTU came late. What is not there was not recorded, and is None here.
"""

from __future__ import annotations

from typing import Any

from ..conf.requests import RATE_LIMIT
from ..conf.values import mac
from ..words import jsontext
from ..words.domain import Attachment
from ..words.errors import CniError
from ..words.jsontext import words
from ..words.names import ifname_fault, is_name
from ..words.pci import parse_pci_address
from ..words.record import VfSettings, VfState
from . import cni

_NO_MAC = "00:00:00:00:00:00"
# an ETH_P_* of linux/if_ether.h; on s390x its netlink library does not swap the bytes
_PROTOCOLS = {0: "802.1q", 0x8100: "802.1q", 0x88A8: "802.1ad", 0x0081: "802.1q", 0xA888: "802.1ad"}
_LINK_STATES = ("auto", "enable", "disable")  # IFLA_VF_LINK_STATE_*, linux/if_link.h


class BadCache(Exception):
    """The file is damaged, or none of sriov-cni's."""


class Cache:
    """`ifname` is the VF's name in the container where that version tells it, else "". `baseline` as VfState has it:
    None, "" and 0 = not recorded. `ipam_type` is all that is kept of its `ipam`.
    """

    __slots__ = ("baseline", "ifname", "ipam_type", "is_dpdk", "network", "settings", "vf")

    def __init__(self, raw: dict[str, Any]) -> None:
        """Any value of a wrong type or range is BadCache: a file that is partly nonsense is not trusted at all."""
        orig = raw.get("OrigVfState")
        if not isinstance(orig, dict):
            raise BadCache("it has no OrigVfState")
        try:
            self.vf = parse_pci_address(_text(raw, "deviceID"))
            self.network = _text(raw, "name")
            cni.check_name(self.network)
            self.ifname = _text(raw, "ContIFNames")
            # since 2023 DPDKMode is not written; a VF with a netdev always has its name recorded
            self.is_dpdk = raw.get("DPDKMode") is True or not _text(orig, "HostIFName")
            self.ipam_type = _text(_object(raw, "ipam"), "type")
            self.settings = _settings(raw)
            self.baseline = _baseline(orig, self.settings)
        except (ValueError, CniError) as error:
            raise BadCache(str(error)) from error


def parse(text: str) -> Cache:
    try:
        return Cache(jsontext.parse_object(text))
    except CniError as error:
        raise BadCache(error.msg) from error


def attachments(name: str) -> list[Attachment]:
    """All that a file of that name can be of: container IDs and interface names may have a '-' in them too."""
    found = []
    for n, letter in enumerate(name):
        if letter == "-" and is_attachment(name[:n], name[n + 1 :]):
            found.append(Attachment(name[:n], name[n + 1 :]))
    return found


def is_attachment(container_id: str, ifname: str) -> bool:
    return is_name(container_id) and ifname != "" and not ifname_fault(ifname)


def promised(result: Any, ifname: str) -> list[str]:
    """The interface's addresses in a prevResult: the cache has none."""
    raw = result if isinstance(result, dict) else {}
    interfaces = _dicts(raw.get("interfaces"))
    found = []
    for entry in _dicts(raw.get("ips")):
        number, address = entry.get("interface"), entry.get("address")
        known = type(number) is int and 0 <= number < len(interfaces)
        if isinstance(address, str) and (not known or interfaces[number or 0].get("name") == ifname):
            found.append(address)
    return found


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [entry if isinstance(entry, dict) else {} for entry in value] if isinstance(value, list) else []


def _baseline(orig: dict[str, Any], settings: VfSettings) -> VfState:
    own = _mac(orig, "EffectiveMAC")
    admin = _mac(orig, "AdminMAC")
    if admin and admin == own:
        admin = ""  # the PF shows the VF's own address (kernels.md 6.3)
    name = _text(orig, "HostIFName")
    if name:
        cni.check_ifname(name)
    link_state = _number(orig, "LinkState", 2)
    trust = _flag(orig, "Trust")
    if trust is None and settings.trust is not None:
        trust = False  # versions that could not read it took it off at DEL
    return VfState(
        mac=admin,
        vlan=_number(orig, "Vlan", 4095),
        vlan_qos=_number(orig, "VlanQoS", 7) or 0,
        vlan_proto=_protocol(orig.get("VlanProto", 0)),
        min_tx_rate=_number(orig, "MinTxRate", RATE_LIMIT),
        max_tx_rate=_number(orig, "MaxTxRate", RATE_LIMIT),
        spoofchk=_flag(orig, "SpoofChk"),
        trust=trust,
        link_state=None if link_state is None else _LINK_STATES[link_state],
        ifname=name,
        own_mac=own or "",
        mtu=_number(orig, "MTU", 65535) or 0,
    )


def _settings(raw: dict[str, Any]) -> VfSettings:
    """What it set, for CHECK. Not the MTU: it tells it in its result, and leaves it as it is."""
    link_state = _text(raw, "link_state") or None
    if link_state not in {None, *_LINK_STATES}:
        raise ValueError(f"link_state is {words(link_state)}")
    return VfSettings(
        mac=_mac(raw, "MAC") or None,
        vlan=_number(raw, "vlan", 4094),
        vlan_qos=_number(raw, "vlanQoS", 7) or 0,
        vlan_proto=(_text(raw, "vlanProto") or "802.1q").lower(),
        spoofchk=_on(raw, "spoofchk"),
        trust=_on(raw, "trust"),
        link_state=link_state,
        min_tx_rate=_number(raw, "min_tx_rate", RATE_LIMIT),
        max_tx_rate=_number(raw, "max_tx_rate", RATE_LIMIT),
    )


def _text(raw: dict[str, Any], key: str) -> str:
    """Go writes null for no pointer, and nothing or "" for an empty string."""
    value = raw.get(key)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{key} is {words(value, 100)}")
    return value or ""


def _object(raw: dict[str, Any], key: str) -> dict[str, Any]:
    value = raw.get(key)
    if value is not None and not isinstance(value, dict):
        raise ValueError(f"{key} is {words(value, 100)}")
    return value or {}


def _number(raw: dict[str, Any], key: str, most: int) -> int | None:
    value = raw.get(key)
    if value is not None and (type(value) is not int or not 0 <= value <= most):
        raise ValueError(f"{key} is {words(value, 100)}")
    return value


def _flag(raw: dict[str, Any], key: str) -> bool | None:
    value = raw.get(key)
    if value is not None and not isinstance(value, bool):
        raise ValueError(f"{key} is {words(value, 100)}")
    return value


def _on(raw: dict[str, Any], key: str) -> bool | None:
    """It took whatever is not "on" for off."""
    text = _text(raw, key)
    return text == "on" if text else None


def _mac(raw: dict[str, Any], key: str) -> str | None:
    """None = not recorded, "" = none."""
    if raw.get(key) is None:
        return None
    text = _text(raw, key)
    return "" if text in {"", _NO_MAC} else mac(text)


def _protocol(value: Any) -> str:
    if type(value) is not int or value not in _PROTOCOLS:
        raise ValueError(f"VlanProto is {words(value, 100)}")
    return _PROTOCOLS[value]
