"""The distribution's kernel, cut to what the lab boots: vmlinux and the modules it may need.

The uncompressed vmlinux boots by its PVH entry; unpacking a bzImage under emulation would cost seconds.
"""

from __future__ import annotations

import gzip
import lzma
import shutil
import struct
from collections.abc import Iterable
from pathlib import Path

from . import tools

ROOT_MODULES = ("virtio_pci", "virtio_blk", "squashfs", "overlay")
# what an SR-IOV host runs, and what is needed to test it; the rest (graphics, sound ...) is 80 % of the tree
KEEP = (
    "arch/", "crypto/", "lib/", "net/", "virt/", "block/",
    "drivers/net/ethernet/intel/", "drivers/net/bonding/", "drivers/net/ipvlan/", "drivers/net/macsec",
    "drivers/net/macvlan", "drivers/net/macvtap", "drivers/net/tap", "drivers/net/tun", "drivers/net/veth",
    "drivers/net/dummy", "drivers/net/ifb", "drivers/net/vrf", "drivers/net/vxlan", "drivers/net/nlmon",
    "drivers/net/net_failover", "drivers/net/virtio_net", "drivers/net/mdio", "drivers/net/netdevsim",
    "drivers/vfio/", "drivers/uio/", "drivers/virtio/", "drivers/vhost/", "drivers/block/", "drivers/char/",
    "drivers/dca/", "drivers/i2c/", "drivers/ptp/", "drivers/pps/", "drivers/iommu/", "drivers/pci/",
    "fs/9p/", "fs/netfs/", "fs/squashfs/", "fs/overlayfs/", "fs/ext4/", "fs/jbd2/", "fs/mbcache", "fs/fuse/",
    "fs/nls/", "fs/configfs/",
)  # fmt: skip


def extract_vmlinux(image: Path) -> bytes:
    """Unpack the vmlinux inside a bzImage (Documentation/arch/x86/boot.rst: payload_offset, payload_length)."""
    raw = image.read_bytes()
    setup_sectors = raw[0x1F1]
    offset, length = struct.unpack_from("<II", raw, 0x248)
    start = (setup_sectors + 1) * 512 + offset
    # the build appends the uncompressed size to the payload
    payload = raw[start : start + length - 4]
    if payload.startswith(b"\x28\xb5\x2f\xfd"):
        return tools.must(("zstd", "-dc"), stdin=payload)
    if payload.startswith(b"\x1f\x8b"):
        return gzip.decompress(payload)
    if payload.startswith(b"\xfd7zXZ"):
        return lzma.decompress(payload)
    # any other way of packing still boots, only slower
    return raw


def decompress(module: Path) -> None:
    """Unpack one module in place: the guest's CPU is emulated, the host's is not."""
    if module.suffix == ".xz":
        module.with_suffix("").write_bytes(lzma.decompress(module.read_bytes()))
        module.unlink()
    elif module.suffix == ".zst":
        tools.must(("zstd", "-dq", "--rm", module))


def prune_modules(tree: Path) -> None:
    """Keep the modules of KEEP and what they depend on; unpack these."""
    needs = read_modules_dep(tree)
    kept = {name for name in needs if name.removeprefix("kernel/").startswith(KEEP)}
    kept |= {needed for name in list(kept) for needed in needs[name]}
    for path in (tree / "kernel").rglob("*.ko*"):
        if str(path.relative_to(tree)) in kept:
            decompress(path)
        else:
            path.unlink()


def read_modules_dep(tree: Path) -> dict[str, list[str]]:
    """Read depmod's table: module path -> paths of all it needs, those to load first coming last."""
    lines = (tree / "modules.dep").read_text().splitlines()
    return {name: needs.split() for name, _, needs in (line.partition(":") for line in lines)}


def load_order(tree: Path, names: Iterable[str]) -> list[Path]:
    """Order modules so that each comes after what it needs; built-in ones drop out."""
    needs = read_modules_dep(tree)
    by_name = {Path(path).name.split(".")[0].replace("-", "_"): path for path in needs}
    ordered: list[str] = []
    for name in names:
        path = by_name.get(name)
        for step in [*reversed(needs[path]), path] if path else []:
            if step not in ordered:
                ordered.append(step)
    return [tree / step for step in ordered]


def take_modules(image_root: Path, root: Path, release: str) -> None:
    """Move the kernel package's modules into the guest root, cut to what is needed."""
    unpacked = next(
        path for path in (image_root / "usr/lib/modules", image_root / "lib/modules") if path.exists()
    )
    tree = root / "usr/lib/modules" / release
    tree.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(unpacked / release, tree, symlinks=True)
    # once to learn what needs what, once for the names after unpacking
    depmod = ("chroot", root, "/usr/sbin/depmod", release)
    tools.must(depmod)
    prune_modules(tree)
    tools.must(depmod)
