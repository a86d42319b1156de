"""Which log files there are, with those that logrotate put beside them, and the lines in them that are asked for."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from ...conf import hostsubnet
from ...conf.keycase import value_of
from ...kernel.files import Files
from ...words import jsontext
from ...words.errors import CniError
from ...words.failures import Failures
from .. import libcni
from .lines import Line, parse

_MOST = 16 << 20  # bytes of one file, its last; rotated by conf/logrotate it has 10 MB
# logrotate(8): log.1, log.2.gz, and with dateext log-20261126.gz
_ROTATED = re.compile(r"(\.\d{1,4}|-\d{8}(-\d+)?)?(\.gz)?")


@dataclass(slots=True)
class Logs:
    """Texts by path, the oldest first as far as their names tell. `missing`: asked for, and not there, or why not."""

    texts: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def containing(self, words: Iterable[str]) -> list[Line]:
        """The lines with one of these in them, by time."""
        wanted = [word for word in words if word]
        found = [
            line
            for text in self.texts.values()
            for one in text.splitlines()
            if any(word in one for word in wanted) and (line := parse(one)) is not None
        ]
        return sorted(found, key=lambda line: line.time)


def read(files: Files, paths: Iterable[str]) -> Logs:
    logs = Logs()
    for path in dict.fromkeys(paths):
        failures = Failures()
        with failures.of():
            beside = _beside(files, path)
            logs.texts |= {name: _text(files, name) for name in beside}
            if path not in beside:
                logs.missing.append(f"{path} is not there")
        logs.missing += failures.told
    return logs


def named(files: Files) -> list[str]:
    """What the configurations of the runtimes' directory name as `logFile`. One that cannot be read names none."""
    found = []
    for name in files.names(libcni.CONF_DIR):
        if name.endswith(libcni.SUFFIXES):
            found += _named_in(files.text(f"{libcni.CONF_DIR}/{name}") or "")
    return list(dict.fromkeys(found))


def _named_in(text: str) -> list[str]:
    try:
        conf = jsontext.parse_object(text)
    except CniError:
        return []
    listed = conf.get("plugins")
    plugins = listed if isinstance(listed, list) else [conf]
    found = [value_of(one, "logFile") for one in plugins if isinstance(one, dict) and _is_ours(one)]
    return [path for path in found if isinstance(path, str) and path.startswith("/")]


def _is_ours(plugin: dict[str, object]) -> bool:
    return value_of(plugin, "type") == "sriov" or hostsubnet.is_asked(value_of(plugin, "ipam"))


def _beside(files: Files, path: str) -> list[str]:
    directory, _, name = path.rpartition("/")
    found = [
        one
        for one in files.names(directory or "/")
        if one.startswith(name) and _ROTATED.fullmatch(one, len(name))
    ]
    return [f"{directory}/{one}" for one in sorted(found, key=lambda one: (len(one), one), reverse=True)]


def _text(files: Files, path: str) -> str:
    data = files.tail(path, _MOST) or b""
    if path.endswith(".gz"):
        data = _inflated(data)
    return data.decode("utf-8", "replace")


def _inflated(data: bytes) -> bytes:
    """What is damaged ends it; what grows beyond all measure is cut."""
    try:
        return zlib.decompressobj(wbits=31).decompress(data, _MOST)
    except zlib.error:
        return b""
