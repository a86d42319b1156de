"""What the programs are made of, by what the builds left in build/out: packages of Debian and of PyPI, and modules."""

from __future__ import annotations

import ast
import os
import struct
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "snapshot"))
import picture

# Debian has no field for it; of the parts that are linked or copied, by source package
LICENCES = {
    "bzip2": "bzip2-1.0.6",
    "expat": "MIT",
    "gcc": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "glibc": "LGPL-2.1-or-later",
    "libffi": "MIT",
    "openssl": "Apache-2.0",
    "python": "PSF-2.0",
    "util-linux": "BSD-3-Clause",
    "xz-utils": "public domain",
    "zlib": "Zlib",
}
# who builds with it may give the result any licence; its own field says that in a sentence
PYINSTALLER = "GPL-2.0-or-later WITH Bootloader-exception"
MIT = "License :: OSI Approved :: MIT License"
FIELDS = "${Package}\t${source:Package}\t${Version}\t${Architecture}\n"


@dataclass(frozen=True, order=True)
class Part:
    """A package of `kind` deb or pypi. `licence` is SPDX's, where it is known."""

    kind: str
    name: str
    version: str
    architecture: str
    licence: str


def owned(paths: set[Path]) -> set[Part]:
    """The packages of Debian that these files are from."""
    # where /bin is /usr/bin, a package may have either
    real = {os.path.realpath(path) for path in paths}
    asked = sorted(real | {name.removeprefix("/usr") for name in real})
    told = subprocess.run(["dpkg-query", "-S", *asked], check=False, capture_output=True, text=True).stdout
    found = {path: owner for owner, _, path in (line.partition(": ") for line in told.splitlines())}
    unknown = [name for name in sorted(real) if not {name, name.removeprefix("/usr")} & found.keys()]
    if unknown:
        raise SystemExit(f"of no package of Debian, so nobody could tell what is in a release: {unknown[:5]}")
    owners = {found.get(name) or found[name.removeprefix("/usr")] for name in real}
    argv = ["dpkg-query", "-W", f"-f={FIELDS}", *sorted(owners)]
    rows = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
    return {
        Part("deb", name, version, arch, licence_of(source))
        for name, source, version, arch in map(str.split, rows)
    }


def licence_of(source: str) -> str:
    """gcc-12 and python3.11 are gcc and python."""
    return LICENCES.get(source, "") or LICENCES.get(source.rstrip("0123456789.-"), "")


def distribution(found: metadata.Distribution) -> Part:
    about = found.metadata
    name = str(about["Name"])
    classified = "MIT" if MIT in (about.get_all("Classifier") or []) else ""
    said = str(about["License-Expression"] or about["License"] or classified)
    return Part("pypi", name, found.version, "", PYINSTALLER if name == "pyinstaller" else said)


def compiler() -> set[Path]:
    """What a static program has beside its own code."""
    asked = ("-print-file-name=libc.a", "-print-libgcc-file-name")
    return {Path(picture.run("gcc", word).strip()) for word in asked}


def of_installer() -> set[Part]:
    return owned(compiler())


def modules(out: Path) -> list[str]:
    """The modules in Python that the snapshot was made with, as picture.py wrote them for it."""
    table = (out / "snapshot" / "modules").read_bytes()
    found, at = [], 0
    while at < len(table):
        name, code, _ = struct.unpack_from("=III", table, at)
        at += struct.calcsize("=III")
        found.append(table[at : at + name].decode())
        at += name + code
    return sorted(found)


def of_sriov() -> tuple[set[Part], list[str]]:
    """And the modules in C that are linked."""
    available = picture.builtin(picture.library())
    python, names = picture.modules(available | {"_json"})
    files = {path for path in python.values() if not path.is_relative_to(picture.ROOT)}
    return owned(files | compiler() | {picture.library()}), sorted(names | picture.APART)


def of_sriovctl(out: Path) -> set[Part]:
    """PyInstaller notes from where it took each file and each module."""
    work = out / "work" / "cni-sriov"
    collected = ast.literal_eval((work / "COLLECT-00.toc").read_text())[0]
    frozen = ast.literal_eval((work / "PYZ-00.toc").read_text())[1]
    files = {Path(source) for _, source, _ in [*collected, *frozen] if source.startswith("/")}
    ours = {path for path in files if path.is_relative_to(out) or path.is_relative_to(picture.ROOT)}
    homes = {Path(str(found.locate_file(""))) for found in metadata.distributions()}
    packaged = {path for path in files if any(path.is_relative_to(home) for home in homes)}
    tops = {
        path.relative_to(home).parts[0] for path in packaged for home in homes if path.is_relative_to(home)
    }
    return (
        owned(files - ours - packaged)
        | distributions(tops)
        | {distribution(metadata.distribution("pyinstaller"))}
    )


def distributions(tops: set[str]) -> set[Part]:
    """The packages that the top directories and modules of site-packages belong to."""
    owners = metadata.packages_distributions()
    names = {name for top in tops for name in owners.get(top.removesuffix(".py"), [])}
    return {distribution(metadata.distribution(name)) for name in names}


def texts(parts: set[Part]) -> dict[str, bytes]:
    """{package: its licences and notices}, which go with what is made of it."""
    found = {}
    for part in sorted(parts):
        if part.kind == "deb":
            found[part.name] = Path("/usr/share/doc", part.name, "copyright").read_bytes()
        else:
            found[part.name] = notices(metadata.distribution(part.name))
    return found


def notices(found: metadata.Distribution) -> bytes:
    files = [
        path
        for path in found.files or []
        if path.name.startswith(("LICEN", "COPYING", "NOTICE")) and ".dist-info" in str(path)
    ]
    return b"\n".join(Path(str(found.locate_file(path))).read_bytes() for path in sorted(files))
