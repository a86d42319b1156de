"""Whether a module is there, and what modprobe.d says, by modprobe's own rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from cni_sriov.kernel import modules
from cni_sriov.kernel.files import Files

RELEASE = "6.12.95+deb12-amd64"


def write(root: Path, path: str, text: str = "") -> None:
    where = root / path.lstrip("/")
    where.parent.mkdir(parents=True, exist_ok=True)
    where.write_text(text)


@pytest.fixture
def node(tmp_path: Path) -> Files:
    write(tmp_path, "/proc/sys/kernel/osrelease", f"{RELEASE}\n")
    write(tmp_path, f"/lib/modules/{RELEASE}/modules.builtin", "kernel/drivers/uio/uio.ko\n")
    return Files(str(tmp_path))


@pytest.mark.parametrize(
    ("there", "name", "state"),
    [
        ("/sys/module/vfio_pci/refcnt", "vfio-pci", "loaded"),
        (f"/lib/modules/{RELEASE}/kernel/drivers/vfio/pci/vfio-pci.ko.xz", "vfio-pci", "loadable"),
        (f"/lib/modules/{RELEASE}/kernel/drivers/uio/uio_pci_generic.ko", "uio_pci_generic", "loadable"),
        (f"/lib/modules/{RELEASE}/updates/dkms/igb_uio.ko.zst", "igb_uio", "loadable"),
        (f"/lib/modules/{RELEASE}/kernel/drivers/vfio/pci/vfio-pci-core.ko", "vfio-pci", "missing"),
        (
            "/lib/modules/5.10.0/kernel/drivers/vfio/pci/vfio-pci.ko",
            "vfio-pci",
            "missing",
        ),  # another kernel's
        ("/proc/cmdline", "uio", "loaded"),  # built in
    ],
)
def test_loaded_loadable_or_missing(node: Files, there: str, name: str, state: str) -> None:
    write(Path(node.root), there)

    assert modules.state(node, name) == state


def test_options_and_blacklists_of_all_files(node: Files) -> None:
    root = Path(node.root)
    write(
        root,
        "/etc/modprobe.d/a.conf",
        "# options igb max_vfs=9\noptions igb max_vfs=7,7 debug=2\nblacklist  igbvf\n",
    )
    write(root, "/usr/lib/modprobe.d/a.conf", "options ixgbe max_vfs=3\n")  # behind the one of /etc
    write(root, "/run/modprobe.d/b.conf", 'options vfio-pci \\\n  ids="8086:1520"\nalias x y\n')
    write(root, "/etc/modprobe.d/c.conf.bak", "options igb max_vfs=1\n")

    found = [(one.source, one.module, one.name, one.value) for one in modules.options(node)]

    assert found == [
        ("/etc/modprobe.d/a.conf", "igb", "max_vfs", "7,7"),
        ("/etc/modprobe.d/a.conf", "igb", "debug", "2"),
        ("/etc/modprobe.d/a.conf", "igbvf", "blacklist", ""),
        ("/run/modprobe.d/b.conf", "vfio_pci", "ids", "8086:1520"),
    ]


def test_the_command_line_has_options_too(node: Files) -> None:
    line = "BOOT_IMAGE=/vmlinuz root=UUID=1 igb.max_vfs=7 vfio-pci.ids=8086:1520 modprobe.blacklist=igbvf,nouveau quiet"
    write(Path(node.root), "/proc/cmdline", line)

    found = [(one.line, one.module, one.name, one.value) for one in modules.options(node)]

    assert found == [
        ("igb.max_vfs=7", "igb", "max_vfs", "7"),
        ("vfio-pci.ids=8086:1520", "vfio_pci", "ids", "8086:1520"),
        ("modprobe.blacklist=igbvf,nouveau", "igbvf", "blacklist", ""),
        ("modprobe.blacklist=igbvf,nouveau", "nouveau", "blacklist", ""),
    ]
