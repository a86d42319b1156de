"""Good and bad configurations: one table that the schema and the parser must judge alike (tests/unit/ctl/test_schema.py).

A row is (name, configuration, verdict): GOOD, BAD, or PARSER with the reason why JSON Schema cannot say it; then the
parser alone refuses.
"""

from __future__ import annotations

from typing import Any

from cni_sriov.conf import hostsubnet, netconf, requests

GOOD, BAD = "good", "bad"
COMPARE = "parser: JSON Schema cannot compare two values of a document"
HOST_BITS = "parser: a regular expression cannot tell host bits"
RESERVED = "parser: a pattern cannot tell a range of addresses"
FLOAT = "parser: JSON Schema takes 1.0 for an integer (2020-12, 6.1.1)"
BYTES = "parser: JSON Schema counts characters, the kernel bytes"

Json = dict[str, Any]
Row = tuple[str, Json, str]
V4: Json = {"subnet": "10.10.0.0/16", "prefixLength": 24}
RACK: Json = {"cluster": "rack", "length": 20}
V6: Json = {"subnet": "fd00:10::/48", "prefixLength": 64}


def conf(**keys: Any) -> Json:
    """A good one with `keys` over it; None leaves a key out."""
    base = {"cniVersion": "1.0.0", "name": "fast", "type": "sriov", "master": "enp1s0f0"}
    return {key: value for key, value in (base | keys).items() if value is not None}


def ipam(*pools: Any, **keys: Any) -> Json:
    return conf(ipam={"type": "host-subnet", "pools": list(pools) or [V4]} | keys)


def pool(**keys: Any) -> Json:
    return ipam({key: value for key, value in (V4 | keys).items() if value is not None})


def pool6(**keys: Any) -> Json:
    return ipam(V6 | keys)


def foreign(**keys: Any) -> Json:
    """host-subnet under a main plugin that is not ours."""
    given = {"type": "host-subnet", "pools": [V4 | {"gateway": "none"}]} | keys
    return {"cniVersion": "1.0.0", "name": "other", "type": "bridge", "isGateway": False, "ipam": given}


def rows(key: str, good: list[Any], bad: list[Any], **also: Any) -> list[Row]:
    table = [(f"{key} {value!r}", conf(**{key: value}, **also), GOOD) for value in good]
    return table + [(f"{key} {value!r}", conf(**{key: value}, **also), BAD) for value in bad]


ENVELOPE: list[Row] = [
    ("least", conf(), GOOD),
    ("no name", conf(name=None), BAD),
    ("no cniVersion", conf(cniVersion=None), GOOD),
    *rows("name", ["a", "A1_.-", "x" * 200], ["", "_a", ".a", "a/b", "a b", "ä", "a\n", 5, "x" * 201]),
    *rows(
        "cniVersion",
        ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0", ""],
        ["0.5.0", "2.0.0", "1.0", 1],
    ),
    ("cniVersion null", conf() | {"cniVersion": None}, GOOD),
]

DEVICE: list[Row] = [
    ("no device", conf(master=None), BAD),
    ("only mac", conf(master=None, mac="02:00:00:00:00:01"), BAD),
    *rows("deviceID", ["0000:01:10.0", "01:10.0", "0000:AB:1F.7", "10000:e1:00.0"],
          ["", "0000:01:20.0", "0000:01:10.8", "0000:01:10", "01:10.0\n", "0:01:10.0", "enp1s0f0v0", 1, ["01:10.0"], True]),
    *rows("pciBusID", ["0000:01:10.0"], ["nonsense", {}]),
    ("deviceID alone", conf(master=None, deviceID="0000:01:10.0"), GOOD),
    ("pciBusID alone", conf(master=None, pciBusID="0000:01:10.0"), GOOD),
    ("runtimeConfig.deviceID alone", conf(master=None, runtimeConfig={"deviceID": "0000:01:10.0"}), GOOD),
    ("runtimeConfig.deviceID bad", conf(runtimeConfig={"deviceID": "x"}), BAD),
    *rows("master", ["x", "1234567890123456", "bond0.5", "ä", "x" * 127, "pci:0000:01:00.0"],
          ["", ".", "..", "x" * 128, "a/b", "a b", "a\t", "a\n", 7, False, ["enp1s0f0"]]),
    ("master of 128 bytes in 64 characters", conf(master="ä" * 64), BYTES),
    *rows("pf", [{"names": ["a", "b"]}, {"names": ["x" * 127]}, {"pciAddresses": ["0000:01:00.0"]}, {"vendors": ["8086", "0x15b3"]},
                 {"devices": ["1521"]}, {"drivers": ["igb"]}, {"drivers": ["igb"], "vfs": "0-3,6"},
                 {"drivers": ["igb"], "vfs": " 0 - 3, 6"}, {"drivers": ["igb"], "more": 1}],
          [{}, [], "enp1s0f0", {"names": []}, {"names": "a"}, {"names": [""]}, {"names": [5]}, {"names": ["x" * 128]}, {"names": ["a b"]}, {"vfs": "0-3"}, {"names": ["a"], "vfs": "3-"},
           {"pciAddresses": ["x"]}, {"vendors": ["80867"]}, {"vendors": ["0x"]}, {"vendors": [8086]},
           {"devices": ["xyz"]}, {"drivers": [""]}, {"drivers": ["igb"], "vfs": ""}, {"drivers": ["igb"], "vfs": 3},
           {"drivers": ["igb"], "vfs": "1,"}, {"drivers": ["igb"], "vfs": "-1"}, {"drivers": ["igb"], "vfs": "123456"}],
          master=None),
    ("pf beside master, bad", conf(pf={"names": 5}), BAD),
    ("pf.vfs 6-3", conf(master=None, pf={"drivers": ["igb"], "vfs": "6-3"}), COMPARE),
]  # fmt: skip

KNOBS: list[Row] = [
    *rows("vlan", [0, 1, 4094], [-1, 4095, True, "100", [100]]),
    ("vlan 100.0", conf(vlan=100.0), FLOAT),
    ("vlan 100.5", conf(vlan=100.5), BAD),
    *rows("vlanQoS", [0, 7], [-1, 8, True, "3"], vlan=100),
    *rows("vlanProto", ["802.1q", "802.1Q", "802.1ad", "802.1AD"], ["802.1x", "", 802, ["802.1q"]], vlan=100),
    ("vlanQoS without vlan", conf(vlanQoS=3), BAD),
    ("vlanQoS 0 without vlan", conf(vlanQoS=0), BAD),
    ("vlanProto without vlan", conf(vlanProto="802.1q"), BAD),
    ("vlan 0 with qos", conf(vlan=0, vlanQoS=3), BAD),
    ("vlan 0 with qos 0", conf(vlan=0, vlanQoS=0), GOOD),
    ("vlan 0 with 802.1q", conf(vlan=0, vlanProto="802.1Q"), GOOD),
    ("vlan 0 with 802.1ad", conf(vlan=0, vlanProto="802.1ad"), BAD),
    *rows("mac", ["02:00:00:00:00:01", "02-00-00-00-00-01", "FE:ff:00:00:00:01", "00:00:00:00:00:01"],
          ["", "00:00:00:00:00:00", "01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff", "02:00:00:00:00", "2:0:0:0:0:1",
           "02:00:00:00:00:0g", "02:00:00:00:00:01\n", 2, True, ["02:00:00:00:00:01"]]),
    *rows("mtu", [68, 1500, 9000, 65535], [67, 65536, -1, "1500", True]),
    ("mtu 1500.0", conf(mtu=1500.0), FLOAT),
    *rows("txqueuelen", [0, 1000, 4294967295], [-1, 4294967296, "1000", True, [1000]]),
    *rows("promisc", [True, False], ["on", 1, "yes"]),
    *rows("allmulti", [True, False], ["true", 0, {}]),
    *rows("spoofchk", ["on", "off"], ["yes", "ON", True, 1, ["on"]]),
    *rows("trust", ["on", "off"], ["", False, {}]),
    *rows("link_state", ["auto", "enable", "disable"], ["up", "", True, 1, ["auto"]]),
    *rows("min_tx_rate", [0, 10, 4294967295], [-1, 4294967296, "10", True]),
    *rows("max_tx_rate", [0, 1000], [-1, "1000", False, [1]]),
    ("min above max", conf(min_tx_rate=20, max_tx_rate=10), COMPARE),
    ("min equals max", conf(min_tx_rate=10, max_tx_rate=10), GOOD),
    ("min with unlimited max", conf(min_tx_rate=20, max_tx_rate=0), GOOD),
    *rows("pfUp", [True, False], ["true", 1, "on"]),
    *rows("acceptRA", [True, False], [0, "off"]),
    *rows("announceWait", [0, 200], [-1, 201, "5", True]),
    *rows("verifyTimeout", [0, 60000], [-1, 60001, "2000", False]),
    *rows("statusOnFull", ["ok", "error"], ["fail", True]),
    *rows("logLevel", ["debug", "info", "warning", "error", "panic", "none"], ["trace", "INFO", 3]),
    *rows("logFile", ["/var/log/x.log", "/a"], ["", "x.log", "/", "/a/../b", "/a//b", "/a/", "/./a", 5]),
    *rows("stateDir", ["/var/lib/x", "/..a/...b"], ["", "/", "var", "/a/..", "/a\0b", True]),
    *rows("cniDir", ["/var/lib/cni/sriov"], ["", "sriov", "/a/../b", 5]),
    *rows("deviceInfoDirs", [[], ["/a"], ["/var/run/x", "/run/x"]], ["/a", ["a"], ["/"], ["/a/../b"], [""], [5], {}, True]),
    *rows("dns", [{}, {"nameservers": ["10.0.0.1"]}, {"nameservers": None}, {"domain": "a", "search": [], "options": ["x"], "more": 1}],
          [[], "10.0.0.1", {"nameservers": "10.0.0.1"}, {"search": [5]}, {"domain": []}]),
    *rows("capabilities", [{"mac": True}, {"x": False}], [[], "mac"]),
    *rows("allowRequests", [[], ["mac"], ["mac", "ips", "subnets", "bandwidth", "vlan", "deviceID"]], ["mac", [""], ["all"], ["MAC"], [1], {}]),
    *[(f"null {key}", conf() | {key: None}, GOOD) for key in sorted(netconf.SRIOV.keys) if key != "master"],
    *[(f"runtimeConfig {key} {value!r}", conf(runtimeConfig={key: value}), GOOD) for key in requests.RUNTIME.keys for value in (None, "")],
    *[(f"args.cni {key} {value!r}", conf(args={"cni": {key: value}}), GOOD) for key in requests.ARGS.keys for value in (None, "")],
    ("args.cni null", conf(args={"cni": None}), GOOD),
    ("go-cni's bandwidth", conf(runtimeConfig={"bandwidth": {"IngressRate": 0, "IngressBurst": 0, "EgressRate": 10000000, "EgressBurst": 1}}), GOOD),
    ("go-cni's bandwidth, bad", conf(runtimeConfig={"bandwidth": {"EgressRate": -1}}), BAD),
    ("go-cni's dns", conf(runtimeConfig={"dns": {"Servers": ["192.0.2.1"], "Searches": None, "Options": None}}), GOOD),
    ("keys in another case", conf(Vlan=5, VLANQOS=3, SpoofChk="on", MAC="02:00:00:00:00:01", LogLevel="debug", CNIVersion="1.0.0"), GOOD),
    ("a key in another case, bad", conf(Vlan=5000), BAD),
    ("pf in another case", conf(master=None, PF={"Names": ["a"], "VFs": "0-3"}), GOOD),
    *rows("prevResult", [{"ips": []}], [[], "x"]),
    *rows("runtimeConfig", [{}, {"bandwidth": {"egressRate": 1, "ingressRate": 2}}, {"bandwidth": None},
          {"infinibandGUID": ""}, {"infinibandGUID": None}, {"CNIDeviceInfoFile": "/run/k8s.cni.cncf.io/devinfo/cni/c1_net1"}, {"CNIDeviceInfoFile": ""}, {"CNIDeviceInfoFile": None},
          {"dns": {"servers": ["192.0.2.1"]}}, {"mac": ""}, {"mac": "02:00:00:00:00:01"}, {"portMappings": []}],
          [[], {"infinibandGUID": "c2:11:22:33:44:55:66:77"}, {"infinibandGUID": 0}, {"CNIDeviceInfoFile": "a"}, {"CNIDeviceInfoFile": "/a/../b"}, {"CNIDeviceInfoFile": "/"},
           {"CNIDeviceInfoFile": ["/a"]}, {"CNIDeviceInfoFile": {}}, {"CNIDeviceInfoFile": True},
           {"CNIDeviceInfoFile": 0}, {"CNIDeviceInfoFile": False},
           {"mac": "01:00:00:00:00:01"}, {"mac": 5}, {"bandwidth": 7}, {"bandwidth": {"egressRate": -1}},
           {"bandwidth": {"egressRate": "1"}}, {"dns": ["192.0.2.1"]}]),
    *rows("args", [{}, {"cni": {}}, {"cni": {"mac": "02:00:00:00:00:01"}}, {"other": 1}],
          [[], {"cni": []}, {"cni": {"mac": "x"}}, {"cni": {"vlan": 4095}}, {"cni": {"vlan": "5"}}]),
    *rows("args", [{"cni": {"vlan": v}} for v in (0, 5, 4094)], [{"cni": {"vlan": -1}}, {"cni": {"vlan": True}}], allowRequests=["vlan"]),
    ("a device info file that is elsewhere", conf(runtimeConfig={"CNIDeviceInfoFile": "/run/a/c1_net1"}), COMPARE),
    ("and where it may be", conf(deviceInfoDirs=["/run/a"], runtimeConfig={"CNIDeviceInfoFile": "/run/a/c1_net1"}), GOOD),
    ("a mac beside the conf's", conf(mac="02:00:00:00:00:01", args={"cni": {"mac": "02:00:00:00:00:02"}}), COMPARE),
    ("a request that is not allowed", conf(args={"cni": {"vlan": 5}}), COMPARE),
    ("unknown keys", conf(vlanQoSs=5, ipMasq=True, _comment={"any": []}), GOOD),
]  # fmt: skip

NETDEV_ONLY: Json = {"mtu": 1500, "txqueuelen": 1, "promisc": True, "allmulti": False, "acceptRA": False, "announceWait": 0}  # fmt: skip
VF_ONLY: Json = {
    "master": "enp1s0f0", "pf": {"names": ["a"]}, "deviceID": "0000:01:10.0", "pciBusID": "0000:01:10.0", "driver": "auto", "vfioOwner": "1:1",
    "hugepages": {}, "crypto": "auto", "dpdk": {}, "vlan": 5, "spoofchk": "on", "trust": "off", "link_state": "auto", "min_tx_rate": 0,
    "max_tx_rate": 5, "txqueuelen": 5, "promisc": True, "allmulti": False,
}  # fmt: skip
PROGRAMS: list[tuple[Json, str]] = [
    ({}, BAD),
    ({"driver": "kernel"}, BAD),
    ({"driver": "kernel", "deviceID": "0000:01:10.0"}, BAD),
    ({"deviceID": "0000:01:10.0"}, GOOD),  # it may be on a user-space driver
    ({"pciBusID": "0000:01:10.0"}, GOOD),
    ({"runtimeConfig": {"deviceID": "0000:01:10.0"}}, GOOD),
    ({"master": None, "dpdk": {"pci_addr": "0000:01:10.0"}}, GOOD),
    ({"driver": "auto"}, GOOD),
    ({"dpdk": {"dpdk_driver": "igb_uio"}}, GOOD),
    ({"dpdk": {"kernel_driver": "igbvf"}}, BAD),
    ({"vpp": {"directory": "/run/vpp"}}, GOOD),
]
GOOD_VPP: dict[str, list[Any]] = {
    "directory": ["/a", "/run/vpp/{containerID}", "/run/{namespace}.{pod}/x", "/A_z0/.+@=,~-/v"],
    "mountedAt": ["/etc/vpp", "/" + "a" * 199, None],
    "runtimeDir": ["/run/vpp", "/" + "a" * 89, None],
    "tap": [
        {},
        {"name": "eth0"},
        {"name": "A.b_c-d"},
        {"name": "a" * 15},
        {"defaultRoute": False},
        {"more": 1},
    ],
    "mainCore": [1, 1023],
    "workerCores": ["2", "2-3", "2-3,7,9-10"],
    "buffers": [1024, 16777216],
    "mainHeap": ["256M", "1G", "999999M"],
    "hugepages": [True, False],
    "rxQueues": [1, 64],
}
BAD_VPP: dict[str, list[Any]] = {
    "directory": ["", "run/vpp", "/", "/run/../etc", "/run/./x", "/run//x", "/run/", "/run/{pid}", "/run/{pod", "/run/}", "/run/{POD}",
                  "/run/a b", "/run/a\n", "/run/$x", "/run/#", "/run/\u0430", "/run/{}", "/run/{{pod}}", 5],
    "mountedAt": ["/etc/{pod}", "/etc/v pp", "/etc/#", "etc", "/", "/" + "a" * 200, "/..", 5],
    "runtimeDir": ["/run/{pod}", "/run/v pp", "run", "/", "/" + "a" * 90, "/..", 5],
    "tap": [True, [], "eth0", {"name": ""}, {"name": "a" * 16}, {"name": "a b"}, {"name": "."}, {"name": "-a"}, {"name": "x/y"}, {"defaultRoute": 1}],
    "mainCore": [-1, 1024, "0", True],
    "workerCores": ["", "2-", "-3", "2,,3", "2 3", "a", 2, "2-3\n"],
    "buffers": [1023, 0, "16384", 16777217],
    "mainHeap": ["", "0M", "256", "256m", "1T", "-1G", 256, "1.5G", "1000000M"],
    "hugepages": ["no", 0],
    "rxQueues": [0, 65],
}  # fmt: skip
PLANE: list[Row] = [
    *rows("driver", ["kernel", "vfio-pci", "uio_pci_generic", "igb_uio", "auto"], ["", 1, "igbvf", "VFIO-PCI", ["auto"], True]),
    *rows("vfioOwner", ["0:0", "1000:1000", "4294967294:4294967294", "0001:2"],
          ["", "1000", "1000:", ":1000", "root:root", "1000:1000:1", "-1:0", " 1:1", "1:1\n", "4294967295:0", "0:4294967295",
           "10000000000:0", "\u0661:1", 1000, [1000, 1000]], driver="vfio-pci"),
    *rows("hugepages", [{}, {"2Mi": 1}, {"1Gi": 1073741824, "2Mi": 512}, {"2mi": 5}, {"2Mi": None}, {"64Ki": 1, "32Mi": 1, "512Mi": 1, "16Gi": 1}, {"2M": "x"}],
          [[], "2Mi", 512, {"2Mi": 0}, {"2Mi": -1}, {"2Mi": 1073741825}, {"2Mi": "512"}, {"1Gi": True}, {"1GI": 0}]),
    *rows("crypto", ["auto"], ["", "qat", True, {}], driver="auto"),
    *[(f"{key} {where!r}", conf(**{key: value}, **where), verdict) for key, value in (("vfioOwner", "1:1"), ("crypto", "auto")) for where, verdict in PROGRAMS],
    ("driver kernel with a VPP", conf(driver="kernel", vpp={"directory": "/run/vpp"}), BAD),
    ("another driver with a VPP", conf(driver="igb_uio", vpp={"directory": "/run/vpp"}), GOOD),
    *rows("dpdk", [{}, {"dpdk_driver": "igb_uio"}, {"kernel_driver": "igbvf", "dpdk_tool": "/opt/dpdk-devbind.py", "ifname": "net1", "vfid": 0},
                   {"dpdk_driver": "", "kernel_driver": None, "vfid": ""}, {"DPDK_Driver": "vfio-pci"}, {"more": 1},
                   {"pci_addr": "0000:01:10.0"}, {"pci_addr": "01:10.0"}, {"pci_addr": ""}],
          [[], "vfio-pci", {"dpdk_driver": "kernel"}, {"dpdk_driver": "auto"}, {"dpdk_driver": 1}, {"kernel_driver": 5}, {"dpdk_tool": []}, {"vfid": "0"}, {"vfid": True},
           {"pci_addr": "enp1s0f0v0"}, {"pci_addr": 5}]),
    ("a VF by the dpdk block alone", conf(master=None, dpdk={"pci_addr": "0000:01:10.0"}), GOOD),
    ("a dpdk block that names no VF", conf(master=None, dpdk={"dpdk_driver": "igb_uio"}), BAD),
    *rows("vpp", [{"directory": "/run/vpp"}],
          [{}, [], True, "host", {"mode": "x"}, {"mode": None, "directory": 5}, {"mode": "container"}, {"mode": "host", "socket": "api.sock"}]),
    *[(f"vpp.{key} {value!r}", conf(vpp={"directory": "/run/vpp", "mainCore": 0} | {key: value}), verdict)
      for verdict, values in ((GOOD, GOOD_VPP), (BAD, BAD_VPP)) for key in values for value in values[key]],
    *[(f"vpp.{key} {value!r} on the host", conf(master=None, vpp={"mode": "host", key: value}), verdict)
      for verdict, key, values in ((GOOD, "socket", ["/run/vpp/api.sock"]), (BAD, "socket", ["", "api.sock", "/a/../b", 5]), (GOOD, "table", [0, 4294967294]), (BAD, "table", [-1, 4294967295, "0", True]), (GOOD, "directory", ["/a"])) for value in values],
    *[(f"{key} with the host's VPP", conf(**({"master": None, "vpp": {"mode": "host"}} | {key: value})), BAD) for key, value in VF_ONLY.items()],
    *[(f"{key} with the host's VPP", conf(master=None, vpp={"mode": "host"}, **{key: value}), GOOD) for key, value in {"mtu": 1400, "mac": "02:00:00:00:00:01", "acceptRA": True, "announceWait": 5, "pfUp": False}.items()],
    ("vpp.workerCores without a mainCore", conf(vpp={"directory": "/run/vpp", "workerCores": "2"}), BAD),
    ("vpp.workerCores with the mainCore", conf(vpp={"directory": "/run/vpp", "mainCore": 3, "workerCores": "2-4"}), COMPARE),
    ("vpp in another case", conf(VPP={"Directory": "/run/vpp", "MountedAt": "/x", "Tap": {"Name": "eth0", "defaultroute": True}}), GOOD),
    *[(f"{key} without a netdev", conf(driver="vfio-pci", **{key: value}), BAD) for key, value in NETDEV_ONLY.items()],
    *[(f"{key} with dpdk_driver", conf(dpdk={"dpdk_driver": "igb_uio"}, **{key: value}), BAD) for key, value in NETDEV_ONLY.items()],
    *[(f"{key} with driver kernel", conf(driver="kernel", dpdk={"dpdk_driver": "igb_uio"}, **{key: value}), GOOD) for key, value in NETDEV_ONLY.items()],
    *[(f"{key} with a VPP", conf(vpp={"directory": "/run/vpp"}, **{key: value}), BAD) for key, value in NETDEV_ONLY.items() if key != "mtu"],
    ("mtu with a VPP", conf(vpp={"directory": "/run/vpp"}, mtu=1500), GOOD),
]  # fmt: skip

POOLS: list[Row] = [
    *rows("ipam", [{}, {"type": "dhcp"}, {"type": "host-local", "ranges": [[]]}], [[], "host-subnet", {"type": ""}, {"type": 5}, {"pools": [V4]}, {"type": "host-subnet"}]),
    ("v4", ipam(), GOOD),
    ("dual stack", ipam(V4, V6), GOOD),
    ("no pool", conf(ipam={"type": "host-subnet", "pools": []}), BAD),
    ("pools no list", ipam(pools=V4), BAD),
    ("pool no object", ipam("10.0.0.0/8"), BAD),
    *[(f"subnet {v!r}", pool(subnet=v), GOOD) for v in ("0.0.0.0/0", "10.0.0.0/08", ["10.0.0.0/16", "10.9.0.0/16"])],
    *[(f"subnet {v!r}", pool(subnet=v), BAD) for v in (
        None, "", "10.0.0.0", "10.0.0/8", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8\n", "010.0.0.0/8", "256.0.0.0/8",
        "10.0.0.0/8 ", 10, [], [10], ["10.0.0.0/16", "fd00::/64"], {"a": 1}, "10.0.0.0/0008")],
    *[(f"subnet {v!r}", pool6(subnet=v), GOOD) for v in ("fd00::/48", "::/0", "FD00:1:2:3::/64", "1:2:3:4:0:0:0:0/64", ["fd00::/64", "fd01::/64"])],
    *[(f"subnet {v!r}", pool6(subnet=v), BAD) for v in ("fd00::1::/64", "fd00:/48", "g::/48", "fd00::/129", "fd00::/x", "::1:2:3:4:5:6:7:8/64", "fd00::%1/64")],
    ("subnet mapped v4", pool6(subnet="::ffff:10.0.0.0/104", prefixLength=112), RESERVED),
    ("subnet multicast", pool(subnet="224.0.0.0/8"), RESERVED),
    ("subnet link-local", pool6(subnet="fe80::/16"), RESERVED),
    ("subnet reserved but used", pool(subnet="240.0.0.0/4"), GOOD),
    ("gateway multicast", pool(gateway="224.0.0.1"), RESERVED),
    ("all excluded", pool(exclude=["10.10.0.0/16"]), COMPARE),
    ("subnet with host bits", pool(subnet="10.10.0.1/16"), HOST_BITS),
    ("v6 subnet with host bits", pool6(subnet="fd00:10::1/48"), HOST_BITS),
    *[(f"prefixLength {v!r}", pool(prefixLength=v), GOOD) for v in (16, 24, 30, 31, 32)],
    *[(f"prefixLength {v!r}", pool(prefixLength=v), BAD) for v in (None, 33, -1, 129, "24", True, [24])],
    *[(f"v6 prefixLength {v!r}", pool6(prefixLength=v), GOOD) for v in (48, 64, 127, 128)],
    ("v6 prefixLength 129", pool6(prefixLength=129), BAD),
    ("prefixLength 24.0", pool(prefixLength=24.0), FLOAT),
    ("prefixLength outside the pool", pool(prefixLength=15), COMPARE),
    ("prefixLength outside one of two", pool(subnet=["10.0.0.0/8", "11.0.0.0/16"], prefixLength=12), COMPARE),
    *[(f"gateway {v!r}", pool(gateway=v), GOOD) for v in ("first", "last", "none", "10.0.0.1")],
    *[(f"gateway {v!r}", pool(gateway=v), BAD) for v in ("", "FIRST", "10.0.0.0/8", "fd00::1", 1, True, ["first"])],
    *[(f"v6 gateway {v!r}", pool6(gateway=v), GOOD) for v in ("first", "fe80::1", "none")],
    *[(f"v6 gateway {v!r}", pool6(gateway=v), BAD) for v in ("10.0.0.1", "fe80::x")],
    *[(f"/32 gateway {v!r}", pool(prefixLength=32, gateway=v), BAD) for v in ("first", "last")],
    *[(f"/32 gateway {v!r}", pool(prefixLength=32, gateway=v), GOOD) for v in ("none", "10.0.0.1")],
    ("/31 gateway first", pool(prefixLength=31, gateway="first"), GOOD),
    ("/128 gateway first", pool6(prefixLength=128, gateway="first"), BAD),
    *[(f"exclude {v!r}", pool(exclude=[v]), GOOD) for v in ("10.10.0.0/24", "10.10.0.7", "10.10.0.7-10.10.0.9", "10.10.0.7 - 10.10.0.9")],
    *[(f"exclude {v!r}", pool(exclude=[v]), BAD) for v in ("", "x", "10.10.0.7-", "-10.10.0.7", "10.10.0.7-x", "fd00::1", "fd00::/64", 5, ["10.10.0.7"])],
    ("exclude no list", pool(exclude="10.10.0.0/24"), BAD),
    *[(f"v6 exclude {v!r}", pool6(exclude=[v]), GOOD) for v in ("fd00:10::/64", "fd00:10::1-fd00:10::ff")],
    ("v6 exclude of v4", pool6(exclude=["10.0.0.1"]), BAD),
    ("v6 exclude range of v4", pool6(exclude=["10.0.0.1-10.0.0.2"]), BAD),
    ("exclude the wrong way round", pool(exclude=["10.10.0.9-10.10.0.7"]), COMPARE),
    ("exclude with host bits", pool(exclude=["10.10.0.1/24"]), HOST_BITS),
    *[(f"blocks of {v!r}", pool(blocks=RACK | {"length": v}), GOOD) for v in (16, 20, 24)],
    *[(f"blocks of {v!r}", pool(blocks=RACK | {"length": v}), BAD) for v in (33, -1, "20", True, [20])],
    *[(f"blocks of {v!r}", pool(blocks=RACK | {"length": v}), COMPARE) for v in (15, 25)],
    *[(f"v6 blocks of {v!r}", pool6(blocks=RACK | {"length": v}), GOOD) for v in (48, 56, 64)],
    ("v6 blocks of 129", pool6(blocks=RACK | {"length": 129}), BAD),
    *[(f"cluster {v!r}", pool(blocks=RACK | {"cluster": v}), GOOD) for v in ("a", "rack_1.-", "x" * 64)],
    *[(f"cluster {v!r}", pool(blocks=RACK | {"cluster": v}), BAD) for v in ("", ".a", "a/b", "..", "a b", "a\n", "x" * 65, 5, ["rack"])],
    *[(f"blocks {v!r}", pool(blocks=v), BAD) for v in ({"cluster": "rack"}, {"length": 20}, "rack", 20, [RACK])],
    ("blocks with an unknown key", pool(blocks=RACK | {"nodes": 3}), GOOD),
    ("one of two pools shared", ipam(V4 | {"blocks": RACK}, V6), GOOD),
    ("unknown key in a pool", pool(gatway="first"), GOOD),
    ("overlapping pools", ipam(V4, V4), GOOD),
]  # fmt: skip

NET: Json = {"dst": "10.99.0.0/16"}
NO_LIFETIME: tuple[Any, ...] = (
    0,
    -1,
    True,
    1.5,
    "",
    "h",
    "12",
    "1w",
    "0h",
    "-1h",
    "10000d",
    "01h",
    "1h\n",
    "\u0661h",
    863913601,
    [],
    {},
)
NOT_BOOLEAN: list[Any] = ["true", 1, []]
GOOD_ROUTES: list[Json] = [
    {"dst": "0.0.0.0/0"}, {"dst": "10.99.0.0/16", "gw": "10.10.0.1"}, {"dst": "10.99.0.0/16", "priority": 4294967295},
    {"dst": "10.99.0.0/16", "mtu": 1400, "advmss": 1360, "table": 100, "scope": 253}, {"dst": "10.99.0.1/16"},
    {"dst": "10.99.0.0/16", "mtu": 65520, "advmss": 65495, "table": 4294967295, "scope": 254},
    {"dst": "10.99.0.0/16", "mtu": 0, "advmss": 0, "table": 0, "scope": 0, "gw": "10.10.0.1"},
    {"dst": "10.99.0.0/16", "gw": None, "mtu": None, "advmss": None, "priority": None, "table": None, "scope": None},
]  # fmt: skip
BAD_ROUTES: list[Any] = [
    {}, "10.99.0.0/16", {"dst": "10.99.0.0"}, {"dst": 5}, {"dst": "10.99.0.0/16", "gw": "x"},
    {"dst": "10.99.0.0/16", "gw": "fd00::1"}, {"dst": "10.99.0.0/16", "gw": 1}, {"dst": "fd00::/8"},
    {"dst": "10.99.0.0/16", "priority": -1}, {"dst": "10.99.0.0/16", "priority": 4294967296},
    {"dst": "10.99.0.0/16", "priority": True}, {"dst": "10.99.0.0/16", "priority": "1"}, {"dst": None},
    *[{"dst": "10.99.0.0/16", key: bad} for key in ("mtu", "advmss", "table", "scope") for bad in (-1, "1", 1.5, False)],
    {"dst": "10.99.0.0/16", "mtu": 65521}, {"dst": "10.99.0.0/16", "advmss": 65496},
    {"dst": "10.99.0.0/16", "table": 4294967296}, {"dst": "10.99.0.0/16", "scope": 255},
    {"dst": "10.99.0.0/16", "gw": "10.10.0.1", "scope": 253},
]  # fmt: skip
GOOD_DNS: list[Json] = [
    {"nameservers": None, "domain": None},
    {},
    {"nameservers": ["10.0.0.1"], "domain": "x", "search": ["a"], "options": []},
    {"more": 1},
]
BAD_DNS: list[Any] = [[], {"nameservers": "10.0.0.1"}, {"domain": ["x"]}, {"search": [5]}, {"options": "x"}]

IPAM: list[Row] = [
    *[(f"scope {v!r}", ipam(scope=v), GOOD) for v in ("a", "x" * 64, "a.b_c-d")],
    *[(f"scope {v!r}", ipam(scope=v), BAD) for v in ("", "x" * 65, "_a", "a/b", "ä", 5, True)],
    *[(f"dataDir {v!r}", ipam(dataDir=v), GOOD) for v in ("/var/lib/x", "/a b")],
    *[(f"dataDir {v!r}", ipam(dataDir=v), BAD) for v in ("", "/", "x", "/a/../b", "/a//b", "/a/", "/a\n", 5, "/" + "x" * 2048)],
    *[(f"{key} {v!r}", ipam(**{key: v}), GOOD) for key in ("onlink", "allowHostOverlap", "sticky") for v in (True, False)],
    *[(f"{key} {v!r}", ipam(**{key: v}), BAD) for key in ("onlink", "allowHostOverlap", "sticky") for v in NOT_BOOLEAN],
    *[(f"stickyLifetime {v!r}", ipam(sticky=True, stickyLifetime=v), GOOD) for v in (1, 3600, "1s", "90m", "12h", "9999d", 863913600)],
    *[(f"stickyLifetime {v!r}", ipam(sticky=True, stickyLifetime=v), BAD) for v in NO_LIFETIME],
    *[(f"route {v!r}", ipam(routes=[v]), GOOD) for v in GOOD_ROUTES],
    *[(f"route {v!r}", ipam(routes=[v]), BAD) for v in BAD_ROUTES],
    ("v6 route with host bits", ipam(V4, V6, routes=[{"dst": "fd00:99::1/64"}]), GOOD),
    ("foreign route of 1.0.0", foreign(routes=[{"dst": "10.99.0.0/16"}]) | {"cniVersion": "1.0.0"}, GOOD),
    *[
        (f"foreign route {key}", foreign(routes=[NET | {key: 100}]) | {"cniVersion": "1.1.0"}, GOOD)
        for key in ("mtu", "advmss", "priority", "table")
    ],
    ("foreign route's table in 1.0.0", foreign(routes=[NET | {"table": 100}]), COMPARE),
    (
        "foreign route on the link with a gateway",
        foreign(routes=[NET | {"scope": 253}], pools=[V4]) | {"cniVersion": "1.1.0"},
        COMPARE,
    ),
    ("v6 route, v6 pool", ipam(V4, V6, routes=[{"dst": "::/0", "gw": "fe80::1"}]), GOOD),
    ("v6 route, v4 gw", ipam(V4, V6, routes=[{"dst": "::/0", "gw": "10.0.0.1"}]), BAD),
    ("v4 route, v6 pool", ipam(V6, routes=[{"dst": "10.0.0.0/8"}]), BAD),
    ("routes no list", ipam(routes={"dst": "10.0.0.0/8"}), BAD),
    *[(f"dns {v!r}", ipam(dns=v), GOOD) for v in GOOD_DNS],
    *[(f"dns {v!r}", ipam(dns=v), BAD) for v in BAD_DNS],
    *[(f"resolvConf {v!r}", ipam(resolvConf=v), GOOD) for v in ("", "/etc/resolv.conf", "/a b/../c", "/.x")],
    *[(f"resolvConf {v!r}", ipam(resolvConf=v), BAD) for v in ("etc/resolv.conf", "/", "/etc/", "/a\nb", 5, ["/etc/resolv.conf"])],
    ("unknown key in ipam", ipam(prefixLen=24), GOOD),
    *[(f"null ipam.{key}", ipam(**{key: None}), GOOD) for key in hostsubnet.IPAM.keys if key not in {"type", "pools"}],
    ("null in a pool", ipam(V4 | {"gateway": None, "exclude": None}), GOOD),
    ("null prefixLength", ipam(V4 | {"prefixLength": None}), BAD),
    ("null in a route", ipam(routes=[{"dst": "10.99.0.0/16", "gw": None, "priority": None}]), GOOD),
    ("a null pool", ipam(None), BAD),
    ("ipam in another case", conf(IPAM={"Type": "host-subnet", "Pools": [{"Subnet": "10.10.0.0/16", "PrefixLength": 24}], "OnLink": True}), GOOD),
    ("ipam in another case, bad", conf(IPAM={"Type": "host-subnet", "Pools": [{"Subnet": "10.10.0.0/16", "PrefixLength": 33}]}), BAD),
    ("foreign in another case", foreign() | {"Type": "bridge", "CNIVersion": "1.0.0"}, GOOD),
    ("ips in a pool", ipam() | {"runtimeConfig": {"ips": ["10.10.5.7/24"]}}, GOOD),
    ("ips no list", ipam() | {"runtimeConfig": {"ips": "10.10.5.7"}}, BAD),
    ("ips no address", ipam() | {"runtimeConfig": {"ips": ["x"]}}, BAD),
    ("ips outside every pool", ipam() | {"runtimeConfig": {"ips": ["10.11.5.7"]}}, COMPARE),
    ("args.cni.ips no address", ipam() | {"args": {"cni": {"ips": [5]}}}, BAD),
    ("args.cni.subnets", ipam() | {"args": {"cni": {"subnets": ["10.10.7.0/24"]}}}, GOOD),
    ("args.cni.subnets no subnet", ipam() | {"args": {"cni": {"subnets": ["10.10.7.0"]}}}, BAD),
    ("foreign", foreign(), GOOD),
    ("foreign onlink", foreign(onlink=True), GOOD),
    ("foreign onlink with a gateway", foreign(onlink=True, pools=[V4 | {"gateway": "first"}]), BAD),
    ("foreign onlink by default with a gateway", foreign(onlink=True, pools=[V4]), BAD),
    ("foreign onlink /31", foreign(onlink=True, pools=[V4 | {"prefixLength": 31}]), GOOD),
    ("foreign without pools", foreign(pools=[]), BAD),
]  # fmt: skip

TABLE: list[Row] = [*ENVELOPE, *DEVICE, *KNOBS, *PLANE, *POOLS, *IPAM]
