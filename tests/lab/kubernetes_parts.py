"""Kubernetes' server parts, compiled of Debian 12's source package: the newest that Debian has, and it packages kubectl alone.

`python -m tests.lab.kubernetes_parts` makes them, once: a quarter of an hour of a processor.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from . import cache, go, tools
from .apt import Apt, private_apt
from .errors import LabError

SUITE = "bookworm"
MODULE = "k8s.io/kubernetes"
PARTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet")
# where types are that the API describes, and what they say
TYPED = ("cmd", "pkg", "plugin", "vendor/k8s.io/*")
TAG = "// +k8s:openapi-gen="
UNWANTED = {"code-generator", "sample-apiserver"}
LINKER = f"-X {MODULE}/vendor/k8s.io/component-base/version.git"


def image() -> Path:
    """A squashfs with the four. Not compressed: an emulated processor reads it."""
    key = cache.key_of(*(Path(source).read_bytes() for source in (__file__, go.__file__)))
    return cache.ensure("kubernetes", key, _build) / "parts.squashfs"


def _build(home: Path) -> None:
    apt = private_apt().of(SUITE)
    source = apt.source("kubernetes", home / "source")
    # 1.20.5+really1.20.2: Debian went back to an older one, under a higher number
    found = re.search(r"(\d+)\.(\d+)\.\d+(?=\.orig)", source.name)
    if found is None:
        raise LabError(f"{source.name} has no version in its name")
    stamp = {"Version": f"v{found[0]}", "Major": found[1], "Minor": found[2]}
    linker = " ".join(f"{LINKER}{name}={value}" for name, value in stamp.items())
    with go.workshop(apt, source, MODULE, home / "scratch") as shop:
        _mend_json(apt, shop, home)
        _describe_types(shop, home / "scratch")
        shop.build(home, *(f"cmd/{part}" for part in PARTS), linker=linker)
    plain = ("-noI", "-noD", "-noF", "-noX", "-noappend", "-quiet", "-no-progress")
    programs = [home / part for part in PARTS]
    tools.must(("mksquashfs", *programs, home / "parts.squashfs", *plain))
    shutil.rmtree(source.parent)
    for program in programs:
        program.unlink()


def _mend_json(apt: Apt, shop: go.Workshop, home: Path) -> None:
    """The source's own reflect2, 1.0.1, walks maps as Go did before 1.18: an API server of it dies of the first custom resource
    that it writes. Debian has 1.0.2.
    """
    name = "github.com/modern-go/reflect2"
    for package in apt.download(["golang-github-modern-go-reflect2-dev"], home / "debs"):
        tools.must(("dpkg-deb", "-x", package, home / "reflect2"))
    vendored = shop.source / "vendor" / name
    shutil.rmtree(vendored)
    shutil.copytree(home / "reflect2/usr/share/gocode/src" / name, vendored)
    for scratch in ("debs", "reflect2"):
        shutil.rmtree(home / scratch)


def _describe_types(shop: go.Workshop, scratch: Path) -> None:
    """The one generated file that is not in the source: its own generator makes it, as the source's Makefile does."""
    shop.build(scratch, "vendor/k8s.io/kube-openapi/cmd/openapi-gen")
    files = (path for top in TYPED for path in shop.source.glob(f"{top}/**/*.go"))
    asking = {path.parent for path in files if TAG in path.read_text() and not path.name.endswith("_test.go")}
    names = (str(path.relative_to(shop.path)) for path in asking if not UNWANTED & set(path.parts))
    shop.run(
        *(scratch / "openapi-gen", "-i", ",".join(sorted(names)), "-p", f"{MODULE}/pkg/generated/openapi"),
        *("-O", "zz_generated.openapi", "-h", "hack/boilerplate/boilerplate.generatego.txt"),
        *("-o", shop.path, "-r", scratch / "violations"),
    )


def main() -> int:
    try:
        print(f"Kubernetes' parts: {image()}")
    except LabError as problem:
        print(f"kubernetes: {problem.what}\n{problem.detail}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
