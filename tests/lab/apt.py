"""A private apt: the machine's mirror and keys, but lists, sources and downloads in the lab's cache.

No file under /etc/apt changes. Debian 12 also gets its backports suite, as its QEMU (7.2) has no igb.
"""

from __future__ import annotations

import os
import platform
import re
import time
from dataclasses import dataclass, replace
from pathlib import Path

from . import cache, sources, tools
from .errors import LabError

MIN_QEMU = (8, 2)  # 8.0 brought igb, 8.2 `migrate file:`
TRIES = 3
SUPPORTED = "Debian 12, Debian 13 (and, untested, Ubuntu 24.04)"


@dataclass(frozen=True)
class Suite:
    """The distribution's release, and where its QEMU and kernel come from."""

    distribution: str
    codename: str
    components: tuple[str, ...]
    extra: tuple[str, ...]
    newest: str
    kernel: str

    @property
    def all(self) -> tuple[str, ...]:
        """Every suite the private apt knows."""
        return (self.codename, *self.extra)


def this_suite(os_release: Path = Path("/etc/os-release")) -> Suite:
    """Say which suite this machine runs; refuse what the lab was never meant for."""
    pairs = (line.partition("=") for line in os_release.read_text().splitlines())
    fields = {name: value.strip('"') for name, _, value in pairs}
    name, codename = fields.get("ID", ""), fields.get("VERSION_CODENAME", "")
    if platform.machine() != "x86_64":
        raise LabError("the lab's card is emulated on x86-64 only", f"this machine is {platform.machine()}")
    if name == "debian" and codename == "bookworm":
        backports = f"{codename}-backports"
        return Suite(name, codename, ("main",), (backports,), backports, "linux-image-amd64")
    if name == "debian" and codename:
        return Suite(name, codename, ("main",), (), codename, "linux-image-amd64")
    if name == "ubuntu" and codename:
        updates = f"{codename}-updates"
        return Suite(name, codename, ("main", "universe"), (updates,), updates, "linux-image-generic")
    raise LabError(f"the lab does not know {name or 'this system'} {codename}", f"it runs on {SUPPORTED}")


class Apt:
    """apt-get and apt-cache under the private configuration."""

    def __init__(self, suite: Suite, home: Path) -> None:
        self.suite = suite
        self.home = home
        self.sources = home / "sources.list.d" / "lab.sources"

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "APT_CONFIG": str(self.home / "apt.conf"),
            "DEBIAN_FRONTEND": "noninteractive",
            "LC_ALL": "C.UTF-8",
        }

    def configure(self) -> None:
        """Write the private configuration; the machine's proxy and other settings are read after it."""
        (self.home / "lists/partial").mkdir(parents=True, exist_ok=True)
        (self.home / "archives/partial").mkdir(parents=True, exist_ok=True)
        (self.home / "preferences.d").mkdir(exist_ok=True)
        self.sources.parent.mkdir(parents=True, exist_ok=True)
        settings = {
            "Dir::Etc::sourcelist": "/dev/null",
            "Dir::Etc::sourceparts": self.sources.parent,
            "Dir::Etc::preferences": "/dev/null",
            "Dir::Etc::preferencesparts": self.home / "preferences.d",
            "Dir::State::lists": self.home / "lists",
            "Dir::Cache": self.home,
            "Acquire::Retries": 5,
            "APT::Install-Recommends": "false",
            # the cache may be in a home that the user _apt cannot enter
            "APT::Sandbox::User": "root",
        }
        text = "".join(f'{name} "{value}";\n' for name, value in settings.items())
        (self.home / "apt.conf").write_text(text)

    def update(self) -> None:
        """Find the one entry that serves the distribution's main archive, and read its lists."""
        candidates = sources.serving(self._machine_sources(), self.suite.codename)
        if not candidates:
            raise LabError(f"no apt source serves {self.suite.codename} main", "see `apt-cache policy`")
        said = ""
        for candidate in candidates:
            self.sources.write_text(candidate.render(self.suite.all, self.suite.components))
            said = self._try_update()
            if not said and self._is_the_distribution():
                return
        raise LabError(f"no usable mirror of {self.suite.newest} among the machine's apt sources", said)

    def sources_of(self, suite: str) -> Path:
        """Where mmdebstrap finds another suite: on the same mirror, under the same keys."""
        if suite in {"", self.suite.codename}:
            return self.sources
        (own,) = sources.parse_deb822(self.sources.read_text())
        path = self.home / f"{suite}.sources"
        path.write_text(own.render((suite,), self.suite.components))
        return path

    def of(self, codename: str) -> Apt:
        """The private apt of another suite of the distribution, on the same mirror, its lists freshly read."""
        if codename == self.suite.codename:
            return self
        suite = replace(self.suite, codename=codename, extra=(), newest=codename)
        other = Apt(suite, self.home.with_name(f"apt-{codename}"))
        with cache.locked(self.home.with_name(f"apt-{codename}.lock")):
            other.configure()
            other.sources.write_text(self.sources_of(codename).read_text())
            said = other._try_update()
        if said:
            raise LabError(f"the mirror's {codename} cannot be read", said)
        return other

    def _machine_sources(self) -> list[sources.Source]:
        found: list[sources.Source] = []
        shell = ("apt-config", "shell", "LIST", "Dir::Etc::sourcelist/f", "PARTS", "Dir::Etc::sourceparts/d")
        paths = re.findall(r"'(.*)'", tools.output(*shell))
        for path in [Path(paths[0]), *sorted(Path(paths[1]).glob("*"))]:
            if path.suffix == ".list" and path.exists():
                found += sources.parse_one_line(path.read_text())
            elif path.suffix == ".sources":
                found += sources.parse_deb822(path.read_text())
        return found

    def _try_update(self) -> str:
        """Update, again after a pause if it fails: mirrors are caught in the middle of a push."""
        said = ""
        for attempt in range(TRIES):
            time.sleep(2 * attempt)
            status, _, said = self._call("apt-get", "update", "-qq", "-oAPT::Update::Error-Mode=any")
            if status == 0:
                return ""
        return said.strip()[-600:]

    def _is_the_distribution(self) -> bool:
        """Ask who signed it: third parties, too, call their suite by the codename and a component main."""
        _, listed, _ = self._call("apt-get", "indextargets", "--format", "$(CODENAME)=$(ORIGIN)")
        return f"{self.suite.codename}={self.suite.distribution}" in listed.lower().splitlines()

    def _call(self, *argv: str) -> tuple[int, str, str]:
        done = tools.run(argv, env=self._environment())
        return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")

    def _must(self, *argv: str, cwd: Path | None = None) -> str:
        return tools.must(argv, env=self._environment(), cwd=cwd).decode(errors="replace")

    def install(self, packages: list[str], suite: str) -> None:
        """Install on this machine, taking what `suite` has from there (pkg/suite would not reach dependencies)."""
        quiet = ("-y", "-qq", "-oDpkg::Use-Pty=0", "-oDPkg::Lock::Timeout=300")
        self._must("apt-get", "install", *quiet, "-t", suite, *packages)

    def download(self, packages: list[str], into: Path, suite: str = "") -> list[Path]:
        """Fetch .deb files, nothing else; what `suite` has comes from there."""
        into.mkdir(parents=True, exist_ok=True)
        self._must("apt-get", "download", "-qq", *_preferring(suite), *packages, cwd=into)
        return sorted(into.glob("*.deb"))

    def source(self, package: str, into: Path, *, whole: bool = False) -> Path:
        """Fetch the upstream tarball a package is built from; `whole`: its description and patches, too."""
        into.mkdir(parents=True, exist_ok=True)
        only = () if whole else ("--tar-only",)
        self._must("apt-get", "source", "--download-only", *only, "-qq", package, cwd=into)
        return next(into.glob("*.orig.tar.*"))

    def source_name(self, package: str) -> str:
        """The file that `source` fetches; it has the version in its name."""
        return self._must("apt-get", "source", "--print-uris", "--tar-only", "-qq", package).split()[1]

    def newest_kernel(self) -> list[str]:
        """Name the packages of the newest kernel: the metapackage's image, and where Ubuntu keeps modules."""
        shown = self._must("apt-cache", "show", f"{self.suite.kernel}/{self.suite.newest}")
        image = re.search(r"\b(linux-image-\d[^\s,]*)", shown)
        if image is None:
            raise LabError(f"{self.suite.kernel} names no kernel image", shown[-400:])
        if self.suite.distribution == "ubuntu":
            release = image[1].removeprefix("linux-image-")
            return [image[1], f"linux-modules-{release}", f"linux-modules-extra-{release}"]
        return [image[1]]

    def wants(self, package: str, relation: str) -> list[str]:
        """The packages that it has that relation to, like Depends; of alternatives the last."""
        listed = self._must("apt-cache", "depends", package).splitlines()
        lines = (line.strip().partition(": ") for line in listed)
        return [name for said, _, name in lines if said == relation and not name.startswith("<")]

    def closure(self, packages: list[str], prefix: str, suite: str = "") -> list[str]:
        """The packages and those of their dependencies whose name starts with `prefix`; what `suite` has is read there."""
        flags = ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")
        no = [f"--no-{flag}" for flag in flags]
        listed = self._must(
            "apt-cache", "depends", "--recurse", *no, *_preferring(suite), *packages
        ).splitlines()
        return sorted({line for line in listed if line.startswith(prefix)})


def _preferring(suite: str) -> tuple[str, ...]:
    return (f"-oAPT::Default-Release={suite}",) if suite else ()


def private_apt() -> Apt:
    """The private apt of this machine, its lists freshly read."""
    apt = Apt(this_suite(), cache.cache_dir() / "apt")
    with cache.locked(cache.cache_dir() / "apt.lock"):
        apt.configure()
        apt.update()
    return apt
