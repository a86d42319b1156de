"""Who else configures VFs that are in the host: what NetworkManager and systemd-networkd themselves wrote down of each link.

Their configuration is not parsed: what of it holds, after matches by name, driver, udev's properties and the operator's
word, is known to them alone. Both write a file for each ifindex, which is the outcome:
/run/NetworkManager/devices/N has `managed=true` for what it manages, and nothing or false for the rest
(nm_config_device_state_write, src/core/nm-config.c); /run/systemd/netif/links/N has ADMIN_STATE, which is what
sd_network_link_get_setup_state of systemd's library reads, and NETWORK_FILE (link_save, networkd-state-file.c). The file
says that it is private data: where it is not as expected, nothing is told.
"""

from __future__ import annotations

from ...decide.facts_runtime import Managed
from ...decide.trouble import Evidence
from ...kernel.files import Files
from ...vf.host import Host
from ...words.domain import VF
from ...words.failures import Failures

_NM = "/run/NetworkManager/devices"
_NETWORKD = "/run/systemd/netif/links"
# unmanaged, initialized, pending, linger: it leaves it alone
_STATES = {"configuring", "configured", "failed"}


def look(host: Host, files: Files, failures: Failures) -> list[Managed]:
    """Of the VFs that are in the host."""
    by_nm, by_networkd = set(files.names(_NM)), set(files.names(_NETWORKD))
    if not by_nm | by_networkd:
        return []
    found: list[Managed] = []
    for pf in host.sysfs.pfs():
        for vf in host.sysfs.vfs(pf):
            with failures.of(vf=vf.pci_address):
                number = str(host.netlink.ifindex(vf.ifname)) if vf.ifname else "0"
                if number in by_nm:
                    found += _networkmanager(files, vf, f"{_NM}/{number}")
                if number in by_networkd:
                    found += _networkd(files, vf, f"{_NETWORKD}/{number}")
    return found


def _networkmanager(files: Files, vf: VF, path: str) -> list[Managed]:
    managed = _pairs(files.text(path) or "", "[device]").get("managed", "")
    if managed not in {"true", "1"}:  # g_key_file_get_boolean takes both
        return []
    told = Evidence(path, f"managed={managed}")
    return [Managed(vf.ifname, vf.pci_address, vf.driver, "NetworkManager", told)]


def _networkd(files: Files, vf: VF, path: str) -> list[Managed]:
    pairs = _pairs(files.text(path) or "")
    state, file = pairs.get("ADMIN_STATE", ""), pairs.get("NETWORK_FILE", "")
    if state not in _STATES or not file:
        return []
    told = Evidence(path, f"ADMIN_STATE={state} NETWORK_FILE={file}")
    return [Managed(vf.ifname, vf.pci_address, vf.driver, "systemd-networkd", told, file)]


def _pairs(text: str, group: str = "") -> dict[str, str]:
    """KEY=VALUE lines, of that group alone."""
    found, inside = {}, not group
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            inside = line == group
        elif inside and "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found[key.strip()] = value.strip()
    return found
