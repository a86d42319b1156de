"""What sriov-cni is asked for, where its attachments are taken over."""

from __future__ import annotations

from typing import Any

SETTINGS: dict[str, Any] = {
    "vlan": 100, "vlanQoS": 3, "mac": "02:00:00:00:aa:01", "spoofchk": "off", "trust": "on", "max_tx_rate": 100,
}  # fmt: skip
