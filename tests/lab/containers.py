"""What a guest with runtimes has beside their packages: two images, settings that need no systemd, the CRI's messages.

The images are named as what runtimes ask for by themselves, so nothing has to be told where to find them: a busybox, and
the one that holds a pod's namespaces. Both are the guest's own busybox. Where its owner is to choose, nothing is set.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import stat
import tarfile
from pathlib import Path
from typing import Any

from . import tools
from .apt import Apt

HOME = "usr/local/share/lab"
IMAGES = f"/{HOME}/images.tar"  # for `podman load`, `ctr image import`
BUSYBOX = "docker.io/library/busybox:latest"
PAUSE = ("registry.k8s.io/pause:3.6", "registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10.1")
STORES = ("var/lib/containers", "var/lib/containerd")  # the agent lays the state disk there
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SETTINGS = {
    "etc/containers/containers.conf": """\
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "crun"
""",
    "etc/containers/policy.json": '{"default": [{"type": "insecureAcceptAnything"}]}\n',
}
PODMAN_4 = '\n[network]\nnetwork_backend = "cni"\n'
API = "*/vendor/k8s.io/cri-api/pkg/apis/runtime/v1/api.proto"


def fill(apt: Apt, root: Path, scratch: Path) -> None:
    """Put all of it into a guest's root, as far as its packages ask for it."""
    for name in (HOME, *STORES):
        (root / name).mkdir(parents=True, exist_ok=True)
    if (root / "usr/bin/podman").exists():
        _set_podman(root)
    busybox = (root / "bin/busybox").read_bytes()
    applets = tools.must(("chroot", root, "/bin/busybox", "--list")).decode().split()
    (root / IMAGES.lstrip("/")).write_bytes(archive(layer(busybox, applets)))
    if (root / "usr/bin/containerd").exists():
        scratch.mkdir()
        make_cri(apt.source("containerd", scratch), root)
        shutil.rmtree(scratch)


def _set_podman(root: Path) -> None:
    for name, text in SETTINGS.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    if not (root / "usr/lib/podman/netavark").exists():
        with (root / "etc/containers/containers.conf").open("a") as conf:
            conf.write(PODMAN_4)


def make_cri(source: Path, root: Path) -> None:
    """Compile the CRI's messages with the guest's own protoc; what only Go's or later compilers know is left out."""
    text = tools.must(("tar", "-xOf", source, "--wildcards", API)).decode()
    lines = [line for line in text.splitlines() if not line.startswith(("import ", "option (gogoproto"))]
    home = root / HOME
    (home / "api.proto").write_text("\n".join(lines).replace(" [debug_redact = true]", "") + "\n")
    tools.must(
        ("chroot", root, "protoc", f"--proto_path=/{HOME}", f"--python_out=/{HOME}", f"/{HOME}/api.proto")
    )


def layer(busybox: bytes, applets: list[str]) -> bytes:
    """The one layer of both images, the same bytes each time."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name in ("bin", "dev", "etc", "proc", "root", "sys", "tmp", "var"):
            _add(tar, name, tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755)
        _add(tar, "bin/busybox", tarfile.REGTYPE, 0o755, content=busybox)
        _add(tar, "etc/passwd", tarfile.REGTYPE, 0o644, content=b"root:x:0:0:root:/root:/bin/sh\n")
        for name in sorted(set(applets) - {"busybox"}):
            _add(tar, f"bin/{name}", tarfile.SYMTYPE, 0o777, target="busybox")
    return raw.getvalue()


def _add(
    tar: tarfile.TarFile, name: str, kind: bytes, mode: int, *, content: bytes = b"", target: str = ""
) -> None:
    member = tarfile.TarInfo(name)
    member.type, member.mode, member.size, member.linkname = kind, stat.S_IMODE(mode), len(content), target
    tar.addfile(member, io.BytesIO(content))


def archive(content: bytes) -> bytes:
    """Both images as `docker save` writes them."""
    raw = io.BytesIO()
    images = {
        "busybox": ([BUSYBOX], {"Cmd": ["sh"], "Env": [PATH]}),
        "pause": (list(PAUSE), {"Entrypoint": ["/bin/busybox", "sleep", "1000000"], "Env": [PATH]}),
    }
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.GNU_FORMAT) as tar:
        manifest = []
        for name, (tags, config) in images.items():
            _add(tar, f"{name}.json", tarfile.REGTYPE, 0o644, content=_image(content, config))
            manifest.append({"Config": f"{name}.json", "RepoTags": tags, "Layers": ["layer.tar"]})
        _add(tar, "layer.tar", tarfile.REGTYPE, 0o644, content=content)
        _add(tar, "manifest.json", tarfile.REGTYPE, 0o644, content=json.dumps(manifest).encode())
    return raw.getvalue()


def _image(content: bytes, config: dict[str, Any]) -> bytes:
    """The configuration of the OCI image-spec."""
    layers = {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(content).hexdigest()}"]}
    return json.dumps({"architecture": "amd64", "os": "linux", "config": config, "rootfs": layers}).encode()
