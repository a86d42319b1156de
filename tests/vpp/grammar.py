"""How VPP reads a startup configuration (`vpp -c FILE`), as far as its documents and what a real one (23.06) did tell. Nothing
here is made of what the product writes. Strict: what is not known to be accepted is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_PIECE, _TOKEN = 4096, 1024  # of a line, of a word: the rest is cut


class Refused(Exception):
    """In VPP's own words, as far as these are known."""


# startup.conf ---------------------------------------------------------------------------------------------------------


_PATH, _NUMBER, _SIZE = r"/[^\s{}\"'#]+", r"[0-9]+", r"[0-9]+[KMG]"
_PCI = r"[0-9a-f]{4}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]"
_CORES = r"[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*"
_KEYS = {
    "unix": {
        **dict.fromkeys(("nodaemon", "nosyslog", "full-coredump"), ""),
        **dict.fromkeys(("cli-listen", "runtime-dir", "pidfile", "exec", "startup-config", "log"), _PATH),
        "gid": r"\w+",
        "poll-sleep-usec": _NUMBER,
    },
    "cpu": {"main-core": _NUMBER, "workers": _NUMBER, "corelist-workers": _CORES},
    "memory": {"main-heap-size": _SIZE},
    "buffers": {"page-size": r"4K|2M|1G|default|default-hugepage", "buffers-per-numa": _NUMBER},
    "dpdk": {
        **dict.fromkeys(("no-hugetlb", "no-multi-seg", "no-tx-checksum-offload"), ""),
        "uio-driver": r"[\w-]+",
        "iova-mode": r"pa|va",
        "log-level": r"\S+",
    },
}
_DEVICE = {"name": r"[A-Za-z0-9./_-]+", "num-rx-queues": _NUMBER, "num-tx-queues": _NUMBER, "num-rx-desc": _NUMBER, "tag": r"\S+"}  # fmt: skip


@dataclass
class Startup:
    """`sections`: key -> value, "" of a key that has none. `devices`: PCI address -> its keys."""

    sections: dict[str, dict[str, str]] = field(default_factory=dict)
    devices: dict[str, dict[str, str]] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Startup:
        found = cls()
        words = _words(text)
        while words:
            name = words.pop(0)
            if name not in _KEYS:
                raise Refused(f"unknown input `{name}'")
            if not words or words.pop(0) != "{":
                raise Refused(f"unknown input `{name}', a blank and a brace must follow")
            found._section(name, words)
        found._judge()
        return found

    def _section(self, name: str, words: list[str]) -> None:
        section = self.sections.setdefault(name, {})
        while True:
            if not words:
                raise Refused(f"{name}: no closing brace")
            word = words.pop(0)
            if word == "}":
                return
            if (name, word) == ("dpdk", "dev"):
                self._device(words)
                continue
            if word not in _KEYS[name]:
                raise Refused(f"{name}_config: unknown input `{word}'")
            section[word] = _value(name, word, _KEYS[name][word], words)

    def _device(self, words: list[str]) -> None:
        address = words.pop(0) if words else ""
        if not re.fullmatch(_PCI, address):
            raise Refused(f"dpdk: dev `{address}' is no PCI address of a VF")
        if address in self.devices:
            raise Refused(f"dpdk: dev {address} twice")
        self.devices[address] = device = {}
        if not words or words[0] != "{":
            return
        words.pop(0)
        while (word := words.pop(0) if words else "") != "}":
            if word not in _DEVICE:
                raise Refused(f"dpdk: dev {address}: unknown input `{word}'")
            device[word] = _value("dpdk dev", word, _DEVICE[word], words)

    def _judge(self) -> None:
        if not self.devices:
            raise Refused("no dev: it takes every network card whose interface is not up")
        names = [device["name"] for device in self.devices.values() if "name" in device]
        if len(names) != len(set(names)) or "local0" in names:
            raise Refused(f"dpdk: names {names}")
        self._judge_cores(self.sections.get("cpu", {}))

    @staticmethod
    def _judge_cores(cpu: dict[str, str]) -> None:
        """A real one ended there, with status 0 (23.06)."""
        if ("workers" in cpu or "corelist-workers" in cpu) and "main-core" not in cpu:
            raise Refused("a main core must be specified when using worker threads")
        for part in filter(None, cpu.get("corelist-workers", "").split(",")):
            first, _, last = part.partition("-")
            if int(first) <= int(cpu["main-core"]) <= int(last or first):
                raise Refused(f"cpu {cpu['main-core']} is not available to be used for the 'workers' thread")


def _words(text: str) -> list[str]:
    """As main() of VPP cuts them: at blanks, tabs and newlines; a word that begins with # ends the line."""
    words: list[str] = []
    for line in text.splitlines(keepends=True):
        if len(line) >= _PIECE:
            raise Refused("a line that is read in two pieces")
        for word in line.split():
            if word.startswith("#"):
                break
            if len(word) >= _TOKEN:
                raise Refused("a word that is cut")
            if word not in {"{", "}"} and re.search(r"[{}\"'\\$]", word):
                raise Refused(f"unknown input `{word}'")
            words.append(word)
    return words


def _value(section: str, key: str, pattern: str, words: list[str]) -> str:
    if not pattern:
        return ""
    value = words.pop(0) if words else ""
    if not re.fullmatch(pattern, value):
        raise Refused(f"{section}: {key} `{value}'")
    return value
