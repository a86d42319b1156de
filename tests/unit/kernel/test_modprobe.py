"""What modprobe.d and the command line say of modules, by modprobe's own rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from cni_sriov.kernel import modprobe
from cni_sriov.kernel.files import Files


def write(root: Path, path: str, text: str = "") -> None:
    where = root / path.lstrip("/")
    where.parent.mkdir(parents=True, exist_ok=True)
    where.write_text(text)


@pytest.fixture
def node(tmp_path: Path) -> Files:
    return Files(str(tmp_path))


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

    found = [(one.source, one.module, one.name, one.value) for one in modprobe.options(node)]

    assert found == [
        ("/etc/modprobe.d/a.conf", "igb", "max_vfs", "7,7"),
        ("/etc/modprobe.d/a.conf", "igb", "debug", "2"),
        ("/etc/modprobe.d/a.conf", "igbvf", "blacklist", ""),
        ("/run/modprobe.d/b.conf", "vfio_pci", "ids", "8086:1520"),
    ]


def test_the_command_line_has_options_too(node: Files) -> None:
    line = "BOOT_IMAGE=/vmlinuz root=UUID=1 igb.max_vfs=7 vfio-pci.ids=8086:1520 modprobe.blacklist=igbvf,nouveau quiet"
    write(Path(node.root), "/proc/cmdline", line)

    found = [(one.line, one.module, one.name, one.value) for one in modprobe.options(node)]

    assert found == [
        ("igb.max_vfs=7", "igb", "max_vfs", "7"),
        ("vfio-pci.ids=8086:1520", "vfio_pci", "ids", "8086:1520"),
        ("modprobe.blacklist=igbvf,nouveau", "igbvf", "blacklist", ""),
        ("modprobe.blacklist=igbvf,nouveau", "nouveau", "blacklist", ""),
    ]
