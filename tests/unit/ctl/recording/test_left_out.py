"""No secret leaves the node: each is planted, and must be nowhere in what is taken. What is parsed stays to be parsed."""

from __future__ import annotations

import json
import tomllib

import pytest

from cni_sriov.ctl.recording import left_out

SECRET = "sesame-4711"


@pytest.mark.parametrize(
    "path",
    [
        "/proc/12/environ",
        "/proc/12/cmdline",
        "/proc/self/mem",
        "/sys/devices/pci0000:00/0000:01:00.0/rom",
        "/sys/devices/pci0000:00/0000:01:00.0/vpd",
        "/sys/devices/pci0000:00/0000:01:00.0/resource0",
        "/sys/devices/pci0000:00/0000:01:00.0/resource2_wc",
        "/sys/class/dmi/id/product_serial",
        "/sys/class/dmi/id/product_uuid",
        "/etc/shadow",
        "/etc/ssl/private/x",
        "/etc/machine-id",
        "/etc/cni/net.d/calico-kubeconfig",
        "/etc/cni/net.d/whereabouts.d/whereabouts.kubeconfig",
        "/etc/cni/net.d/tls.key",
        "/etc/NetworkManager/system-connections/home.nmconnection",
        "/etc/cni-sriov/password",
        "/etc/cni-sriov/etcd/password",
        "/etc/cni-sriov/clusters/rack.json",
    ],
)
def test_is_never_taken(path: str) -> None:
    assert left_out.is_never(path)


@pytest.mark.parametrize(
    "path",
    [
        "/proc/cmdline",
        "/sys/devices/pci0000:00/0000:01:00.0/config",
        "/sys/devices/pci0000:00/0000:01:00.0/resource",
        "/etc/cni/net.d/10-sriov.conflist",
        "/etc/cni-sriov/host.json",
        "/sys/class/net/enp1s0f0/address",
    ],
)
def test_is_taken(path: str) -> None:
    assert not left_out.is_never(path)


CONF = {
    "name": "fast",
    "plugins": [
        {"type": "sriov", "ipam": {"type": "x", "etcd": {"username": "u", "password": SECRET}}},
        {"type": "y", "apiToken": SECRET, "clientSecret": SECRET, "credentials": {"a": SECRET}},
        {
            "type": "z",
            "tokens": [SECRET, SECRET],
            "datastore": f"https://me:{SECRET}@etcd:2379",
            "authKey": SECRET,
        },
    ],
}


def test_of_a_conflist_the_secrets_are_left_out_and_the_rest_stays() -> None:
    text = json.dumps(CONF, indent=2)
    path = "/etc/cni/net.d/10.conflist"
    told = json.loads(left_out.edited(path, text.encode()))

    assert SECRET not in json.dumps(told)
    assert (told["name"], told["plugins"][0]["ipam"]["etcd"]["username"]) == ("fast", "u")
    assert [plugin["type"] for plugin in told["plugins"]] == ["sriov", "y", "z"]


def test_of_a_broken_conflist_too() -> None:
    text = json.dumps(CONF)[:-3]
    assert SECRET.encode() not in left_out.edited("/etc/cni/net.d/10.conflist", text.encode())


def test_what_has_no_secret_is_as_it_was() -> None:
    text = json.dumps({"type": "sriov", "vlan": 5, "ipam": {"routes": [{"dst": "10.0.0.0/8"}]}})
    assert left_out.edited("/etc/cni/net.d/10.conf", text.encode()) == text.encode()


def test_of_toml_and_ini() -> None:
    text = f"""
version = 2
[plugins."io.containerd.grpc.v1.cri".cni]
  conf_dir = "/etc/cni/net.d"
[plugins."io.containerd.grpc.v1.cri".registry.configs."r".auth]
  username = "u"
  password = "{SECRET}"
  identitytoken = '{SECRET}'
[x]
auth = {{ user = "u", password = "{SECRET}" }}
inline = {{ name = "n", token = "{SECRET}" }}
secrets = ["{SECRET}"]
"""
    told = left_out.edited("/etc/containerd/config.toml", text.encode()).decode()
    found = tomllib.loads(told)

    assert SECRET not in told
    assert found["plugins"]["io.containerd.grpc.v1.cri"]["cni"]["conf_dir"] == "/etc/cni/net.d"
    assert found["x"]["inline"]["name"] == "n"
    ini = left_out.edited("/etc/x.conf", f"[wifi]\npsk-secret={SECRET}\nmanaged=true\n".encode()).decode()
    assert (SECRET in ini, "managed=true" in ini) == (False, True)


def test_of_the_kernels_command_line() -> None:
    told = left_out.edited(
        "/proc/cmdline", f"quiet intel_iommu=on luks.password={SECRET} igb.max_vfs=7\n".encode()
    )
    assert told == b"quiet intel_iommu=on luks.password=(left out) igb.max_vfs=7\n"


def test_of_wake_on_lan() -> None:
    text = '{"traits": {"wake-on": "on 32 password 1122 password-end 3344"}}'
    told = left_out.edited("/run/cni-sriov/golden/0000:01:10.0", text.encode())
    assert told == b'{"traits": {"wake-on": "on 32 password 0 password-end 0"}}'


def test_of_processes_only_what_is_about_devices() -> None:
    maps = (
        "7f3a00000000-7f3a00200000 rw-s 00000000 00:2e 5 /dev/hugepages/rtemap_0\n"
        "55d0c0000000-55d0c0001000 r--p 00000000 fd:01 9 /home/alice/secret-tool\n"
        "7f3a10000000-7f3a10001000 rw-p 00000000 00:00 0\n"
    )
    told = left_out.edited("/proc/12/maps", maps.encode()).decode()

    assert told == "00000000-00000000 rw-s 00000000 00:2e 5 /dev/hugepages/rtemap_0\n"
    mounts = "x /dev/hugepages hugetlbfs rw 0 0\n//nas/home /home cifs user=alice,password=x 0 0\n"
    assert left_out.edited("/proc/mounts", mounts.encode()) == b"x /dev/hugepages hugetlbfs rw 0 0\n"


def test_of_a_process_what_it_may_do_and_nothing_else() -> None:
    status = b"Name:\tvpp_main\nUid:\t1000\t1000\t1000\t1000\nCapPrm:\t0000000000004000\nCapEff:\t0000000000004000\n"

    assert left_out.edited("/proc/12/status", status) == b"CapEff:\t0000000000004000\n"


def test_of_a_program_only_what_tells_it_from_another() -> None:
    """doctor compares the first 64 KiB of two, and looks for Go's note there."""
    one, other = b"\x7fELF" + bytes(70_000), b"\x7fELF" + b"\1" + bytes(69_999)
    go = b"\x7fELF" + bytes(500) + b"Go\0\0" + b"abc" + bytes(69_000)
    path = "/opt/cni/bin/sriov"

    told = [left_out.edited(path, content) for content in (one, one + b"more", other, go)]

    assert (told[0] == told[1], told[0] == told[2], b"Go\0\0" in told[3]) == (True, False, True)
    assert all(content.startswith(b"\x7fELF") and len(content) < 400 for content in told)


def test_of_modules_those_that_matter() -> None:
    where, present = "/usr/lib/modules/6.12", {("8086", "10ca"), ("1af4", "1000")}
    aliases = [
        "alias pci:v00008086d000010CAsv*sd*bc*sc*i* igbvf",
        "alias pci:v000015B3d* mlx5_core",
        "alias vfio_pci:v*d*sv*sd*bc*sc*i* vfio_pci",
        "alias x snd_hda",
    ]
    told = left_out.of_present(f"{where}/modules.alias", "\n".join(aliases).encode(), present)
    assert told.decode().splitlines() == [aliases[0], aliases[2]]
    builtin = b"virtio_pci.alias=pci:v00001AF4d*sv*\0virtio_pci.license=GPL\0e.alias=pci:v000015B3d*\0"
    told = left_out.of_present(f"{where}/modules.builtin.modinfo", builtin, present)
    assert told == b"virtio_pci.alias=pci:v00001AF4d*sv*\0"
    dep = b"kernel/drivers/vfio/pci/vfio-pci.ko: kernel/drivers/vfio/vfio.ko\nkernel/sound/x.ko:\n"
    assert left_out.edited(f"{where}/modules.dep", dep).count(b"\n") == 1
