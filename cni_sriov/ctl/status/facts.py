"""What `status` knows of a PF and a VF beyond who has it: device, link, counters, settings. Nouns and their JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...kernel.counters import Counters
from ...words.device import Device
from ...words.domain import Link
from ...words.record import VfState
from .naming import Naming


@dataclass(slots=True)
class VfFacts:
    """`link` is its netdev, in the host or in its pod; None where it has none (vfio-pci) or that cannot be looked at.
    `counters` None = nobody counts them.
    """

    device: Device
    link: Link | None
    counters: Counters | None
    admin: VfState | None

    def to_json(self) -> dict[str, Any]:
        return {
            **_device(self.device),
            **_link(self.link),
            "settings": _settings(self.admin) if self.admin else None,
            "counters": self.counters.to_json() if self.counters else None,
        }


@dataclass(slots=True)
class PfFacts:
    """`model` is its name in pci.ids, "" where the node has none."""

    device: Device
    naming: Naming
    link: Link | None
    counters: Counters | None

    @property
    def model(self) -> str:
        return self.naming.model(self.device)

    def to_json(self) -> dict[str, Any]:
        return {
            **_device(self.device),
            "model": self.model,
            "mac": self.link.mac if self.link else "",
            **{key: value for key, value in _link(self.link).items() if key != "up"},
            "counters": self.counters.to_json() if self.counters else None,
        }


def _device(device: Device) -> dict[str, Any]:
    return {
        "vendor": f"{device.vendor:04x}" if device.vendor else "",
        "device": f"{device.device:04x}" if device.device else "",
        "iommuGroup": int(device.group) if device.group.isdigit() else None,
        "numaNode": device.numa_node if device.numa_node >= 0 else None,
    }


def _link(link: Link | None) -> dict[str, Any]:
    if link is None:
        return {"up": None, "carrier": None, "mtu": None}
    return {"up": link.is_up, "carrier": link.carrier, "mtu": link.mtu}


def _settings(admin: VfState) -> dict[str, Any]:
    """The PF's word, in the configuration's keys; null = its driver tells nothing of it."""
    return {
        "vlanQoS": admin.vlan_qos,
        "vlanProto": admin.vlan_proto,
        "spoofchk": admin.spoofchk,
        "trust": admin.trust,
        "linkState": admin.link_state,
        "minTxRate": admin.min_tx_rate,
        "maxTxRate": admin.max_tx_rate,
    }
