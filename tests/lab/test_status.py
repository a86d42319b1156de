"""`sriovctl status` and `metrics` on the emulated card, beside what dpdk-devbind, ip and sysfs say of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cni_sriov.ctl.status.classes import KINDS, kinds_of
from cni_sriov.words.device import Device
from tests import bundle, published

from .ctl import SRIOVCTL
from .node import CONF, Node
from .test_ctl import IPAM
from .vm import PORTS, Vm

pytestmark = [pytest.mark.lab, pytest.mark.bundle]

KERNEL, DPDK, NONE = "0000:01:10.0", "0000:01:10.4", "0000:01:10.6"  # VFs 0, 2 and 3 of the first port
# asks dpdk-devbind's own lists for each kind
DEVBIND = """
import importlib.machinery, importlib.util, json, sys
loader = importlib.machinery.SourceFileLoader("devbind", "/usr/bin/dpdk-devbind.py")
devbind = importlib.util.module_from_spec(importlib.util.spec_from_loader("devbind", loader))
loader.exec_module(devbind)
lists = {"network": devbind.network_devices, "baseband": devbind.baseband_devices, "crypto": devbind.crypto_devices,
         "dma": devbind.dma_devices, "eventdev": devbind.eventdev_devices, "mempool": devbind.mempool_devices,
         "compress": devbind.compress_devices, "misc": devbind.misc_devices, "regex": devbind.regex_devices}
found = []
for kind, vendor, device in json.load(sys.stdin):
    told = {"Class": "%04x" % kind, "Vendor": "%04x" % vendor, "Device": "%04x" % device}
    found.append([name for name, of in lists.items() if devbind.device_type_match(told, of)])
json.dump(found, sys.stdout)
"""


@pytest.fixture(scope="session")
def lab_share() -> Path:
    return bundle.directory()


@pytest.fixture(scope="module")
def card(lab_module: Vm) -> Node:
    """Four VFs: in a container, free, on vfio-pci, without driver; a route over the second port."""
    node = Node(lab_module)
    node.create_vfs(4, PORTS[:1])
    node.vm.run(
        f"modprobe vfio-pci; cd /sys/bus/pci; echo vfio-pci > devices/{DPDK}/driver_override;"
        f"echo {DPDK} > devices/{DPDK}/driver/unbind; echo {DPDK} > drivers_probe;"
        f"echo {NONE} > devices/{NONE}/driver/unbind;"
        f"ip link set {PORTS[1]} up; ip addr add 192.0.2.1/24 dev {PORTS[1]}"
    )
    node.add_netns("c1")
    added = node.cni("ADD", CONF | {"ipam": IPAM, "vlan": 100, "max_tx_rate": 200, "mtu": 1400}, "c1")
    assert added.code == 0, added.text
    node.vm.run("ip netns exec c1 ping -c 3 -i 0.2 -W 1 10.10.0.1; true")  # what is sent is counted
    return node


def sriovctl(card: Node, arguments: str) -> str:
    """The first call reads all of the bundle through 9p."""
    done = card.vm.run(f"{SRIOVCTL} {arguments}", check=False, timeout=240)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def sections(text: str) -> dict[str, dict[str, tuple[str, ...]]]:
    """Section -> device -> its words that both tools have."""
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    title = ""
    for line in text.splitlines():
        if re.match(r"\S.* devices( using .* driver)?$", line) and not line.startswith("No "):
            title = line
        device = re.match(r"([0-9a-f]{4,}:\S+) '(.*)'(.*)$", line)
        if device:
            words = dict(re.findall(r"(if|drv|unused)=(\S*)", device[3]))
            driver = words.get(
                "drv", ""
            )  # whose module dpdk-devbind lists as unused where it has an underscore
            unused = ",".join(
                sorted(m for m in words.get("unused", "").split(",") if m and m.replace("_", "-") != driver)
            )
            told = (device[2], words.get("if", ""), driver, unused, str("*Active*" in line))
            found.setdefault(title, {})[device[1]] = told
    return found


def test_sections_are_dpdk_devbinds(card: Node) -> None:
    theirs = card.vm.run("dpdk-devbind.py --status").stdout

    ours = sriovctl(card, "status --devices")

    expected, found = sections(theirs), sections(ours)
    assert {title: list(rows) for title, rows in found.items()} == {
        title: sorted(rows) for title, rows in expected.items()
    }
    assert len(found["Network devices using DPDK-compatible driver"]) == 1
    assert len(found["Other Network devices"]) == 1
    for title, rows in expected.items():
        for address, (name, *words) in rows.items():
            own, *own_words = found[title][address]
            assert (own.endswith(name), own_words) == (True, words), (address, own, name)
    assert sum(row[-1] == "True" for rows in found.values() for row in rows.values()) == 1
    missing = set(re.findall(r"No '(.*)' devices detected", theirs))
    assert f"No {', '.join(title for title, _ in KINDS.values() if title in missing)} devices" in ours


def test_classes_are_dpdk_devbinds(card: Node) -> None:
    """Each number of its lists, each one below and above, in every class; all vendors of the lists."""
    script = card.vm.run("cat /usr/bin/dpdk-devbind.py").stdout
    vendors = [int(text, 16) for text in sorted({*re.findall(r"'Vendor': ['\"](\w{4})", script), "10ee"})]
    lists = "".join(re.findall(r"'Device':\s*'([\w,\s]+)'", script))
    numbers = sorted({int(n, 16) + d for n in re.findall(r"[0-9a-f]{4}", lists) for d in (-1, 0, 1)})
    classes = (0x0180, 0x0200, 0x0500, 0x0680, 0x0880, 0x0B40, 0x1000, 0x1200, 0x0300)
    asked = [[k, v, d] for k in classes for v in vendors for d in numbers]

    told = json.loads(card.vm.run(["python3", "-c", DEVBIND], input=json.dumps(asked)).stdout)

    assert len(numbers) > 80
    assert [kinds_of(Device("", kind, vendor, number)) for kind, vendor, number in asked] == told


WATCH = (
    ": > /tmp/w; env --default-signal=INT /mnt/host/cni-sriov/sriovctl status --json --watch 0.5 > /tmp/w & pid=$!;"
    "until [ $(wc -l < /tmp/w) -ge 2 ]; do sleep 0.2; done; kill -INT $pid; wait $pid; echo $?; cat /tmp/w"
)


def watched(card: Node) -> dict[str, Any]:
    """The last document. A shell starts what is in the background with SIGINT ignored; env takes that back."""
    done = card.vm.run(WATCH, check=False, timeout=240)
    status, *lines = done.stdout.splitlines()
    assert (status, done.stderr) == ("130", "")
    assert [json.loads(line)["version"] for line in lines] == [1] * len(lines)
    assert len(lines) >= 2
    last: dict[str, Any] = json.loads(lines[-1])
    published.judge("status", last)
    return last


def test_each_vf_is_as_ip_and_sysfs_have_it_and_ctrl_c_ends_a_watch_without_a_word(card: Node) -> None:
    before = counted(card)
    found = watched(card)
    after = counted(card)

    pf = next(pf for pf in found["pfs"] if pf["name"] == PORTS[0])
    vfs = {vf["pci"]: vf for vf in pf["vfs"]}
    states = {pci: (vf["state"], vf["driver"]) for pci, vf in vfs.items()}
    assert states == {
        KERNEL: ("attached", "igbvf"), "0000:01:10.2": ("free", "igbvf"), DPDK: ("free", "vfio-pci"),
        NONE: ("busy", ""),
    }  # fmt: skip
    assert vfs[NONE]["reason"] == "no driver is bound"
    for pci, told in {**vfs, pf["pci"]: pf}.items():
        between(before.get(pci), told["counters"], after.get(pci))
        device = f"/sys/bus/pci/devices/{pci}"
        said = card.vm.run(
            f"readlink {device}/iommu_group; cat {device}/numa_node {device}/vendor {device}/device"
        )
        group, numa, vendor, number = said.stdout.split()
        assert told["iommuGroup"] == int(Path(group).name)
        assert told["numaNode"] == (int(numa) if int(numa) >= 0 else None)
        assert (f"0x{told['vendor']}", f"0x{told['device']}") == (vendor, number)
    assert sriovctl(card, f"status {PORTS[0]} --free -o name").split() == ["0000:01:10.2", DPDK]
    assert sriovctl(card, f"status c1 {PORTS[0]}:3 -o name").split() == [KERNEL, NONE]
    link, admin = card.links("c1")[KERNEL], card.vf(PORTS[0], 0)
    owned = vfs[KERNEL]
    assert owned["owner"]["containerID"] == "c1"
    assert (owned["mtu"], owned["up"], owned["carrier"]) == (
        link["mtu"],
        "UP" in link["flags"],
        "LOWER_UP" in link["flags"],
    )
    assert owned["counters"]["txPackets"] >= 3
    assert owned["settings"] == {
        "vlanQoS": 0, "vlanProto": "802.1q", "spoofchk": admin["spoofchk"], "trust": admin["trust"],
        "linkState": admin["link_state"], "minTxRate": admin["rate"]["min_tx"], "maxTxRate": admin["rate"]["max_tx"],
    }  # fmt: skip
    assert admin["rate"]["max_tx"] == 200


def counted(card: Node) -> dict[str, dict[str, int]]:
    """By PCI address, as `ip -s -j link` in the host and in the pod."""
    links: list[dict[str, Any]] = [*card.vm.json("ip -s -j -d link"), *card.vm.json("ip -n c1 -s -j -d link")]
    return {
        link["parentdev"]: {
            f"{way}{what.capitalize()}": link["stats64"][way][what]
            for way in ("rx", "tx")
            for what in ("packets", "bytes")
        }
        for link in links
        if "parentdev" in link
    }


def between(before: dict[str, int] | None, told: dict[str, int] | None, after: dict[str, int] | None) -> None:
    """Neighbours are looked for all the time."""
    if before is None or told is None or after is None:
        assert (before, told, after) == (None, None, None)
        return
    assert before.keys() == told.keys()
    assert all(before[key] <= told[key] <= after[key] for key in told)


def test_metrics_are_of_the_same_node(card: Node) -> None:
    before = counted(card)
    sriovctl(card, "metrics /tmp/m.prom")
    text = card.vm.run("stat -c %a /tmp/m.prom; cat /tmp/m.prom").stdout
    after = counted(card)

    mode, _, text = text.partition("\n")
    samples = [s for family in text_string_to_metric_families(text) for s in family.samples]
    assert mode == "644"
    sent = {s.labels["pci"]: s.value for s in samples if s.name == "cni_sriov_vf_transmit_bytes_total"}
    assert sent.keys() == {KERNEL, "0000:01:10.2"}
    assert all(before[pci]["txBytes"] <= number <= after[pci]["txBytes"] for pci, number in sent.items())
    by_state = {
        s.labels["state"]: s.value
        for s in samples
        if s.name == "cni_sriov_pf_vfs" and s.labels["pf"] == PORTS[0]
    }
    assert {state: number for state, number in by_state.items() if number} == {
        "free": 2,
        "attached": 1,
        "busy": 1,
    }
