"""What a recording has of a node whoever looks: whole directories, so that a later version finds in it what this one does not
ask for. What a verb looks at besides is taken by the spies (hosts.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from ...kernel import modprobe
from ...kernel.devices import DEVICES
from ...words.device import BRIDGE, NETWORK
from ...words.failures import Failures
from .camera import Camera

# of a device that is neither a network's nor a bridge's
_PLAIN = (
    *("class", "vendor", "device", "subsystem_vendor", "subsystem_device", "revision", "numa_node"),
    *("modalias", "driver_override", "enable", "config"),
)
_LINKS = ("driver", "iommu_group", "physfn")
# what else an SR-IOV card may be: NVMe, crypto (0x0b40, 0x10), accelerators
_WHOLE = {NETWORK, BRIDGE, 0x0B, 0x10, 0x12}
# path, and how many levels below it
_DIRECTORIES = (
    ("/sys/class/net/*", 1),
    ("/sys/kernel/iommu_groups", 2),
    ("/sys/class/iommu", 0),
    ("/sys/class/uio", 0),
    ("/sys/class/vfio", 0),
    ("/sys/class/vfio-dev", 0),
    ("/sys/kernel/mm/hugepages", 1),
    ("/sys/devices/system/node/*/hugepages", 1),
    ("/sys/module/*/parameters", 0),
    ("/sys/kernel/security", 0),
    *((directory, 0) for directory in modprobe.DIRECTORIES),
    ("/etc/modules-load.d", 0),
    ("/etc/cni/net.d", 0),
    ("/etc/cni-sriov", 0),
)
_LISTS = (
    DEVICES,
    "/sys/bus/pci/drivers",
    "/sys/firmware/acpi/tables",
    "/run/udev/data",
    "/dev/vfio",
    "/opt/cni/bin",
    "/usr/lib/cni",
    "/usr/libexec/cni",
)
_FILES = (
    "/proc/cmdline",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/modules",
    "/proc/mounts",
    "/proc/version",
    "/proc/sys/kernel/osrelease",
    "/proc/sys/kernel/tainted",
    "/etc/modules",
    "/etc/os-release",
    *(
        f"/sys/class/dmi/id/{name}"
        for name in ("sys_vendor", "product_name", "board_name", "bios_version", "bios_date")
    ),
)
_THERE = ("/run/udev/control",)
_OF_MODULES = (
    "vfio",
    "uio",
    "iommu",
    "igb",
    "ixgbe",
    "i40e",
    "iavf",
    "ice",
    "mlx",
    "mana",
    "bnxt",
    "qat",
    "nvme",
)


def take(camera: Camera, progress: Callable[[str], None], failures: Failures) -> None:
    """Each part by itself: what fails at one is told, and hides no other."""
    for what, part in (
        ("PCI devices", _devices),
        ("links, IOMMU groups, modules, configurations", _directories),
        ("files", _files),
        ("processes", _processes),
    ):
        progress(what)
        with failures.of(part=what):
            part(camera)


def _devices(camera: Camera) -> None:
    for name in camera.listing(DEVICES):
        _device(camera, f"{DEVICES}/{name}")


def _device(camera: Camera, path: str) -> None:
    """A network's and a bridge's as they are, of others what they are."""
    names = {*camera.listing(path)}
    for name in ("class", "vendor", "device"):
        camera.file(f"{path}/{name}")
    vendor, device = (_text(camera, f"{path}/{name}").removeprefix("0x") for name in ("vendor", "device"))
    camera.ids.add((vendor, device))
    if _base_class(_text(camera, f"{path}/class")) in _WHOLE or names & {"sriov_totalvfs", "physfn"}:
        camera.directory(path)
        for name in names & {"net", "vfio-dev", "uio"}:
            camera.listing(f"{path}/{name}")
        return
    for name in names & {*_PLAIN, *_LINKS}:
        camera.entry(f"{path}/{name}")


def _base_class(text: str) -> int:
    """-1 for what is none."""
    return int(text, 16) >> 16 if re.fullmatch("0x[0-9a-f]{6}", text) else -1


def _text(camera: Camera, path: str) -> str:
    real = camera.there(path)
    return camera.tree.files.get(real, b"").decode("utf-8", "replace").strip()


def _directories(camera: Camera) -> None:
    for pattern, depth in _DIRECTORIES:
        for path in _meant(camera, pattern):
            camera.directory(path, depth)
    for path in _LISTS:
        camera.listing(path)
    for path in camera.glob("/sys/firmware/efi/efivars/*"):
        if path.rpartition("/")[2].startswith(("SecureBoot-", "SetupMode-")):
            camera.file(path)


def _meant(camera: Camera, pattern: str) -> Iterator[str]:
    for path in camera.glob(pattern):
        part = path.split("/")
        is_module = part[1:3] == ["sys", "module"] and not part[3].startswith(_OF_MODULES)
        is_node = part[1:5] != ["sys", "devices", "system", "node"] or part[5].startswith("node")
        if not is_module and is_node:
            yield path


def _files(camera: Camera) -> None:
    for path in _FILES:
        camera.file(path)
    for name in ("version", "srcversion"):  # a driver that is not the kernel's own has the first
        for path in _meant(camera, f"/sys/module/*/{name}"):
            camera.file(path)
    for path in _THERE:
        camera.there(path)


def _processes(camera: Camera) -> None:
    """What each is called, and which network it is in; what it has mapped of whoever has a device open."""
    for pid in filter(str.isdigit, camera.listing("/proc")):
        camera.file(f"/proc/{pid}/comm")
        camera.link(f"/proc/{pid}/ns/net")
        held = camera.listing(f"/proc/{pid}/fd")
        for name in held:
            camera.link(f"/proc/{pid}/fd/{name}")
        if held:
            camera.file(f"/proc/{pid}/maps")
