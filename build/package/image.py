"""The image for a DaemonSet, as an archive of an OCI image layout (opencontainers/image-spec, "Image Layout").

It holds static files, and no shell: the installer, and the bundle that it copies to the node.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

from fixed import Tree, tar, zipped

HERE = Path(__file__).parent
# Go's names, which the specification asks for
ARCHITECTURES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "ppc64le": "ppc64le",
    "s390x": "s390x",
    "riscv64": "riscv64",
}
COMPILE = (
    *("gcc", "-std=gnu11", "-Os", "-static", "-s", "-Wall", "-Wextra", "-Werror", "-fstack-protector-strong"),
    *("-D_FORTIFY_SOURCE=2", "-Wl,-z,noexecstack", "-Wl,-z,relro,-z,now", "-Wl,--build-id=none"),
)
TYPES = "application/vnd.oci.image."


def name_of(version: str) -> str:
    """Of nobody's registry: who has one tags it anew."""
    return f"localhost/cni-sriov:{version}"


def installer(target: Path) -> None:
    subprocess.run([*COMPILE, f"-ffile-prefix-map={HERE}=", "-o", target, HERE / "installer.c"], check=True)


def fingerprint(bundle: Path) -> str:
    """The version's directory on the node, as build/install reckons it."""
    names = sorted(
        f"./{path.relative_to(bundle)}"
        for path in bundle.rglob("*")
        if path.is_file() and not path.is_symlink()
    )
    lines = (f"{hashlib.sha256((bundle / name).read_bytes()).hexdigest()}  {name}\n" for name in names)
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:12]


class Layout:
    """blobs, and what names them."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    def blob(self, kind: str, content: bytes) -> dict[str, Any]:
        """Puts it there; the answer is its descriptor."""
        digest = hashlib.sha256(content).hexdigest()
        self._tree.put(f"blobs/sha256/{digest}", content)
        return {"mediaType": TYPES + kind, "digest": f"sha256:{digest}", "size": len(content)}

    def json(self, kind: str, document: dict[str, Any]) -> dict[str, Any]:
        return self.blob(kind, packed(document))


def packed(document: dict[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def image(
    bundle: Path, work: Path, *, about: dict[str, str], epoch: int, machine: str, licences: dict[str, bytes]
) -> bytes:
    """The archive. `about` has version, revision, and `epoch` as RFC 3339 has it: created. The installer is in `work`."""
    root = Tree(work / "image-root")
    root.put("installer", work / "installer", 0o755)
    root.copy(bundle, f"cni-sriov/{fingerprint(bundle)}")
    root.notices("licenses", licences)
    layer = tar(root.top, epoch)
    name, date = name_of(about["version"]), about["created"]
    about = {
        f"org.opencontainers.image.{key}": value
        for key, value in (about | {"title": "cni-sriov", "licenses": "Apache-2.0"}).items()
    }
    tree = Tree(work / "image-layout")
    layout = Layout(tree)
    config = layout.json("config.v1+json", {
        "architecture": ARCHITECTURES[machine],
        "config": {"Entrypoint": ["/installer"], "Cmd": ["install", "/host/opt/cni/bin"], "Labels": about, "StopSignal": "SIGTERM", "User": "0:0"},
        "created": date,
        "history": [{"created": date, "created_by": "make dist"}],
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    })  # fmt: skip
    layers = [layout.blob("layer.v1.tar+gzip", zipped(layer))]
    manifest = layout.json("manifest.v1+json", manifest_of(config, layers, about))
    manifest["platform"] = {"architecture": ARCHITECTURES[machine], "os": "linux"}
    # the first is what containerd reads, the second podman and skopeo
    manifest["annotations"] = {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name}
    index = {"schemaVersion": 2, "mediaType": f"{TYPES}index.v1+json", "manifests": [manifest]}
    tree.put("index.json", packed(index))
    tree.put("oci-layout", packed({"imageLayoutVersion": "1.0.0"}))
    return tar(tree.top, epoch)


def manifest_of(
    config: dict[str, Any], layers: list[dict[str, Any]], about: dict[str, str]
) -> dict[str, Any]:
    return {
        "schemaVersion": 2,
        "mediaType": f"{TYPES}manifest.v1+json",
        "config": config,
        "layers": layers,
        "annotations": about,
    }
