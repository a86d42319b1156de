"""Read the machine's own apt sources, to find the mirror that serves its distribution.

Pure: text in, values out. The lab names no host; whatever mirror, proxy path or key this machine trusts
for its distribution is the one the lab downloads from.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Source:
    """One entry: where it points, which suites it serves, and its options (Signed-By, Trusted ...)."""

    uris: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    options: tuple[tuple[str, str], ...] = field(default=())

    def render(self, suites: Iterable[str], components: Iterable[str]) -> str:
        """Write the same archive as a deb822 stanza for other suites."""
        lines = ["Types: deb deb-src", f"URIs: {self.uris}", f"Suites: {' '.join(suites)}"]
        lines.append(f"Components: {' '.join(components)}")
        lines += [f"{name}: {value}" for name, value in self.options]
        return "\n".join(lines) + "\n"


def parse_deb822(text: str) -> list[Source]:
    """Parse a .sources file: stanzas of fields, continuation lines (an inline key), # comments."""
    found = []
    for stanza in _stanzas(text):
        enabled = stanza.pop("enabled", "yes").strip().lower() not in {"no", "false", "0", "off", "disable"}
        types = stanza.pop("types", "").split()
        uris, suites = stanza.pop("uris", ""), stanza.pop("suites", "")
        components = stanza.pop("components", "")
        stanza.pop("x-repolib-name", None)
        if enabled and "deb" in types and uris:
            options = tuple((name.title(), value) for name, value in stanza.items())
            found.append(Source(uris, tuple(suites.split()), tuple(components.split()), options))
    return found


def _stanzas(text: str) -> list[dict[str, str]]:
    stanzas: list[dict[str, str]] = [{}]
    name = ""
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        if not line.strip():
            stanzas.append({})
        elif line[0] in " \t":
            stanzas[-1][name] += "\n" + line
        else:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            stanzas[-1][name] = value.strip()
    return [stanza for stanza in stanzas if stanza]


def parse_one_line(text: str) -> list[Source]:
    """Parse a .list file: `deb [option=value ...] uri suite component ...`."""
    found = []
    for raw in text.splitlines():
        line = raw.partition("#")[0].strip()
        if line.split()[:1] != ["deb"]:
            continue
        rest = line[len("deb") :].strip()
        options: tuple[tuple[str, str], ...] = ()
        if rest.startswith("["):
            inside, _, rest = rest[1:].partition("]")
            options = tuple(_deb822_option(word) for word in inside.split() if "=" in word)
        words = rest.split()
        if len(words) >= 2:
            found.append(Source(words[0], (words[1],), tuple(words[2:]), options))
    return found


def _deb822_option(word: str) -> tuple[str, str]:
    """Translate a one-line option to its deb822 field (sources.list(5): the names differ for two)."""
    name, _, value = word.partition("=")
    renamed = {"arch": "Architectures", "lang": "Languages", "target": "Targets"}
    return renamed.get(name, name.title()), value.replace(",", " ")


def serving(sources: Iterable[Source], suite: str) -> list[Source]:
    """The entries that may be the distribution's main archive: exactly this suite, component main.

    A third party may use the same words, so the caller still asks apt who signed it (Origin).
    """
    seen: dict[str, Source] = {}
    for source in sources:
        if suite in source.suites and "main" in source.components and not source.uris.startswith("cdrom"):
            seen.setdefault(source.uris, source)
    return list(seen.values())
