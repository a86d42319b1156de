"""The software bill of materials: CycloneDX 1.6, by cyclonedx-python-lib (build/setup dist)."""

from __future__ import annotations

import hashlib
import sys
import uuid
from datetime import datetime
from pathlib import Path

import parts
from parts import Part

sys.path.append(str(parts.picture.ROOT))
from tests.lab.cache import cache_dir

sys.path.append(
    str(cache_dir().parent / "dist")
)  # last: what is bundled is told by the virtual environment's packages
try:
    from cyclonedx.factory.license import LicenseFactory
    from cyclonedx.model import HashAlgorithm, HashType, Property
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.output.json import JsonV1Dot6
    from packageurl import PackageURL
except ModuleNotFoundError as missing:
    raise SystemExit(f"{missing.name} is not there: build/setup dist") from None

NAMESPACE = uuid.UUID("5d1f3bbb-2c4a-4c35-9a0b-0a9e0a7d7c55")  # of serial numbers; any would do


class Bill:
    """Of three programs: what each is made of."""

    def __init__(self, out: Path, installer: Path, *, version: str, date: str) -> None:
        self._version, self._date = version, date
        self._files = {
            "sriov": out / "cni-sriov" / "sriov",
            "sriovctl": out / "cni-sriov" / "sriovctl",
            "installer": installer,
        }
        sriov, compiled = parts.of_sriov()
        self._modules = sorted({*parts.modules(out), *compiled})
        self._parts = {"sriov": sriov, "sriovctl": parts.of_sriovctl(out), "installer": parts.of_installer()}

    def all(self) -> set[Part]:
        return set().union(*self._parts.values())

    def document(self) -> bytes:
        whole = self._component(ComponentType.APPLICATION, "cni-sriov", self._version)
        libraries = {part: of_part(part) for part in sorted(self.all())}
        programs = {name: self._program(name) for name in self._files}
        bom = Bom(
            serial_number=uuid.uuid5(NAMESPACE, f"{self._version} {self._date}"),
            components=[*programs.values(), *libraries.values()],
        )
        bom.metadata.timestamp = datetime.fromisoformat(self._date)
        bom.metadata.component = whole
        bom.register_dependency(whole, programs.values())
        for name, program in programs.items():
            bom.register_dependency(program, [libraries[part] for part in self._parts[name]])
        return (JsonV1Dot6(bom).output_as_string(indent=1) + "\n").encode()

    def _program(self, name: str) -> Component:
        made = self._component(ComponentType.APPLICATION, name, self._version)
        digest = hashlib.sha256(self._files[name].read_bytes()).hexdigest()
        made.hashes.add(HashType(alg=HashAlgorithm.SHA_256, content=digest))
        if name == "sriov":
            made.properties.update(
                Property(name="cni-sriov:module", value=module) for module in self._modules
            )
        return made

    @staticmethod
    def _component(kind: ComponentType, name: str, version: str) -> Component:
        return Component(
            type=kind,
            name=name,
            version=version,
            bom_ref=name,
            licenses=[LicenseFactory().make_from_string("Apache-2.0")],
        )


def of_part(part: Part) -> Component:
    qualifiers = {"arch": part.architecture, "distro": distribution()} if part.kind == "deb" else None
    purl = PackageURL(
        part.kind, "debian" if part.kind == "deb" else None, part.name, part.version, qualifiers
    )
    licences = [LicenseFactory().make_from_string(part.licence)] if part.licence else []
    return Component(
        name=part.name, version=part.version, bom_ref=purl.to_string(), purl=purl, licenses=licences
    )


def distribution() -> str:
    """As a package URL has it: debian-12."""
    lines = (line.partition("=") for line in Path("/etc/os-release").read_text().splitlines())
    said = {key: value.strip('"') for key, _, value in lines}
    return f"{said['ID']}-{said.get('VERSION_ID', '')}".strip("-")
