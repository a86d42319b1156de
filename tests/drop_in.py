"""What sriov-cni leaves of an attachment, as its versions write it (pkg/types/types.go, pkg/utils/utils.go there)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.fakes import FakeVf
from tests.world import World

POD = "/run/netns/pod1"

LINK_STATES = {"auto": 0, "enable": 1, "disable": 2}
NEWEST = ("Trust", "VlanProto", "MTU")  # fields of OrigVfState in the order they came
VERSIONS: dict[str, tuple[str, ...]] = {
    "newest": NEWEST,
    "before MTU": NEWEST[:2],
    "before VlanProto": NEWEST[:1],
    "oldest": (),
}


def cache_text(
    conf: dict[str, Any],
    vf: str,
    index: int,
    orig: dict[str, Any],
    version: str = "newest",
    ifname: str = "net1",
) -> str:
    """`orig` has every field of OrigVfState; the newest versions write a sorted map, the others a struct."""
    state = {key: value for key, value in orig.items() if key not in NEWEST or key in VERSIONS[version]}
    ipam = {"type": conf["ipam"]["type"]} if conf.get("ipam") else {}
    written: dict[str, Any] = {
        "cniVersion": conf["cniVersion"],
        "name": conf["name"],
        "type": "sriov",
        "ipam": ipam,
        "dns": {},
        "OrigVfState": state,
        "Master": conf["master"],
        "MAC": conf.get("mac", ""),
        "vlan": conf.get("vlan"),
        "vlanQoS": conf.get("vlanQoS", 0 if "vlan" in conf else None),
        "deviceID": vf,
        "VFID": index,
        "min_tx_rate": conf.get("min_tx_rate"),
        "max_tx_rate": conf.get("max_tx_rate"),
        "runtimeConfig": {},
    }
    written |= {
        key: conf[key] for key in ("spoofchk", "trust", "link_state", "logLevel", "logFile") if key in conf
    }
    if version == "oldest":
        mode = {"DPDKMode": not orig["HostIFName"], "ContIFNames": ifname}
        return json.dumps(written | mode, separators=(",", ":"))
    if version != "before VlanProto":
        written["vlanProto"] = conf.get("vlanProto", "802.1q" if "vlan" in conf else None)
    if version == "newest":
        written["MTU"] = orig["MTU"]
    return json.dumps(written, sort_keys=True, separators=(",", ":"))


def orig_state(state: dict[str, Any]) -> dict[str, Any]:
    """OrigVfState of what VfState's JSON form says; Go has false and 0 where the kernel told nothing."""
    return {
        "HostIFName": state["ifname"],
        "SpoofChk": bool(state["spoofchk"]),
        "Trust": bool(state["trust"]),
        "AdminMAC": state["mac"] or "00:00:00:00:00:00",
        "EffectiveMAC": state["own_mac"],
        "Vlan": state["vlan"] or 0,
        "VlanQoS": state["vlan_qos"],
        "VlanProto": 0x88A8 if state["vlan_proto"] == "802.1ad" else 0x8100,
        "MinTxRate": state["min_tx_rate"] or 0,
        "MaxTxRate": state["max_tx_rate"] or 0,
        "LinkState": LINK_STATES[state["link_state"] or "auto"],
        "MTU": state["mtu"],
    }


class SriovCni:
    """As much of it as an ADD leaves: the kernel's state and its files."""

    def __init__(self, world: World, directory: Path | None = None) -> None:
        self.world = world
        self.directory = directory or world.state_dir

    def add(
        self,
        container: str = "c1",
        netns: str = POD,
        ifname: str = "net1",
        index: int = 0,
        version: str = "newest",
        **keys: Any,
    ) -> dict[str, Any]:
        """The configuration it had."""
        world, kernel = self.world, self.world.kernel
        vf = kernel.pfs[0].vfs[index]
        conf = world.conf(cniVersion="0.4.0", **{"deviceID": vf.pci_address, **keys})
        orig = orig_state(self.state(vf))
        pf = kernel.netlink.ifindex("enp1s0f0")
        if "vlan" in conf:
            kernel.netlink.set_vf_vlan(pf, index, conf["vlan"], conf.get("vlanQoS", 0))
        if "mac" in conf:
            kernel.netlink.set_vf_mac(pf, index, conf["mac"])
        if "max_tx_rate" in conf:
            kernel.netlink.set_vf_rate(pf, index, 0, conf["max_tx_rate"])
        for knob in ("spoofchk", "trust"):
            if knob in conf:
                getattr(kernel.netlink, f"set_vf_{knob}")(pf, index, conf[knob] == "on")
        if vf.link is not None:  # else in DPDK mode
            self.move(vf, netns, ifname, conf.get("mac", ""))
        (self.directory / "pci/vf_lock").mkdir(parents=True, exist_ok=True, mode=0o700)
        self.directory.chmod(0o700)
        (self.directory / f"pci/vf_lock/{vf.pci_address}.lock").touch()
        (self.directory / f"{container}-{ifname}").write_text(
            cache_text(conf, vf.pci_address, index, orig, version, ifname)
        )
        if version != "oldest":
            (self.directory / "pci" / vf.pci_address).write_text(netns)
        return conf

    def state(self, vf: FakeVf) -> dict[str, Any]:
        has = (vf.link.name, vf.link.mac, vf.link.mtu) if vf.link is not None else ("", "", 0)
        return vf.state.to_json() | dict(zip(("ifname", "own_mac", "mtu"), has, strict=True))

    def move(self, vf: FakeVf, netns: str, ifname: str, mac: str) -> None:
        netlink = self.world.kernel.netlink
        assert vf.link is not None
        pod = self.world.kernel.open_netns(netns)
        netlink.move(netlink.ifindex(vf.link.name), pod.fd, ifname)
        inside = self.world.kernel.pod_netlink(pod)
        link = inside.link(ifname)
        assert link is not None
        if mac:
            inside.set_mac(link.ifindex, mac)
        inside.set_up(link.ifindex)

    def files(self) -> list[str]:
        found = [p for p in self.directory.rglob("*") if p.is_file() and p.parent.name != "vf_lock"]
        return sorted(str(p.relative_to(self.directory)) for p in found if "@" not in p.name)


def known(world: World) -> None:
    """As after each VF's first `up`: the PF knows the address it has."""
    for vf in world.kernel.pfs[0].vfs:
        assert vf.link is not None
        vf.state.mac = vf.link.mac
