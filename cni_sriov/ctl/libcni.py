"""What libcni refuses before any plugin is called, and what it makes of the rest.

Facts from containernetworking/cni v1.3.0 (libcni/conf.go, pkg/types/types.go, pkg/version/plugin.go): the keys of a list
are looked up in a map, exactly as they are spelled and null is a value; a plugin's are decoded into a struct, in any case, and
null is nothing.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from typing import Any, TextIO

from ..conf import keycase
from ..words.errors import InputOutput
from ..words.jsontext import parse_object, words
from .finding import Finding, error, warning

Json = dict[str, Any]

NEWEST = (1, 1, 0)
_MOST = 8 << 20  # as the plugin takes of its standard input
CONF_DIR = "/etc/cni/net.d"  # and every runtime's default
SUFFIXES = (".conf", ".conflist", ".json")  # of its files
# ParseVersion; Atoi takes a sign and 64 bits
_VERSION = re.compile(r"[+-]?\d{1,18}(\.[+-]?\d{1,18}){0,2}", re.ASCII)
_FLAGS = ("disableCheck", "disableGC", "loadOnlyInlinedPlugins")
_SAYS: dict[type, str] = {
    str: "must be a string",
    bool: "must be true or false",
    dict: "must be an object",
    list: "must be a list",
}
# a class = that type; [x] = a list of x; {"": x} = an object of x; {key: x} = a struct
_PLUGIN: Json = {
    "cniVersion": str,
    "name": str,
    "type": str,
    "capabilities": {"": bool},
    "ipam": {"type": str},
    "dns": {"nameservers": [str], "domain": str, "search": [str], "options": [str]},
    "prevResult": dict,
    "cni.dev/valid-attachments": [{"containerID": str, "ifname": str}],
}


def refusals(conf: Json, as_list: bool) -> Iterator[Finding]:
    if not as_list:
        yield from refusals_of(conf, "")
        return
    yield from _text_keys(conf)
    yield from _versions(conf)
    yield from _flags(conf)
    listed = conf.get("plugins")
    if "plugins" in conf and not isinstance(listed, list):
        yield error("plugins", words(listed), "must be a list")
    for number, plugin in enumerate(listed if isinstance(listed, list) else []):
        yield from refusals_of(plugin, f"plugins[{number}]")


def _text_keys(conf: Json) -> Iterator[Finding]:
    if "name" not in conf:
        yield error("", "", "a list needs a name")
    for key in ("name", "cniVersion"):
        if key in conf and not isinstance(conf[key], str):
            yield error(key, words(conf[key]), "must be a string")


def _versions(conf: Json) -> Iterator[Finding]:
    if "cniVersions" not in conf:
        return
    listed = conf["cniVersions"]
    if not isinstance(listed, list):
        yield error("cniVersions", words(listed), "must be a list of versions")
        return
    entries = [(f"cniVersions[{n}]", entry) for n, entry in enumerate(listed)]
    for path, entry in [*entries, ("cniVersion", conf.get("cniVersion", ""))]:
        if _numbers(entry) is None:
            yield error(path, words(entry), "must be a version like 1.0.0")


def _numbers(version: Any) -> tuple[int, ...] | None:
    """As ParseVersion: "" is 0.1.0, and what is missing behind is 0."""
    if version == "":
        return (0, 1, 0)
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        return None
    found = [int(part) for part in version.split(".")]
    return tuple([*found, 0, 0][:3])


def version_of(conf: Json) -> Any:
    """The one that the plugins get: of cniVersions and cniVersion the newest that libcni knows."""
    own, listed = conf.get("cniVersion", ""), conf.get("cniVersions")
    if not isinstance(listed, list):
        return own
    known = [
        (numbers, entry) for entry in [*listed, own] if entry and (numbers := _numbers(entry)) is not None
    ]
    fitting = [entry for numbers, entry in sorted(known, key=lambda pair: pair[0]) if numbers <= NEWEST]
    return fitting[-1] if fitting else own


def _flags(conf: Json) -> Iterator[Finding]:
    for key in _FLAGS:
        value = conf.get(key, False)
        if not isinstance(value, bool) and not (
            isinstance(value, str) and value.lower() in {"true", "false"}
        ):
            yield error(key, words(value), 'must be true, false, "true" or "false"')


def news(conf: Json, loaded: bool) -> Iterator[Finding]:
    """What older ones, as in Debian 12, read otherwise. `loaded`: plugins came out of files of their own."""
    for key in _FLAGS:
        if isinstance(conf.get(key), str):
            yield warning(key, "is a string: libcni before 1.2 refuses it")
    if "cniVersions" in conf and version_of(conf) != conf.get("cniVersion", ""):
        yield warning(
            "cniVersions", f"libcni before 1.2 does not know it and takes cniVersion, not {version_of(conf)}"
        )
    if loaded:
        yield warning("", "has plugins in files of their own: libcni before 1.3 does not look for them")


def refusals_of(raw: Any, path: str) -> Iterator[Finding]:
    if not isinstance(raw, dict):
        yield error(path, words(raw), "must be an object")
        return
    found = list(_wrong(raw, _PLUGIN, path))
    yield from found
    if not found and not keycase.value_of(raw, "type"):
        yield error(path, "", "needs a type: the plugin's executable")


def _wrong(value: Any, kind: Any, path: str) -> Iterator[Finding]:
    """Where decoding into a Go value of that kind fails."""
    wanted: type = kind if isinstance(kind, type) else type(kind)
    if value is None:
        return
    right = isinstance(value, wanted)  # kept apart: it would narrow `value` to object
    if not right:
        yield error(path, words(value), _SAYS[wanted])
        return
    if isinstance(kind, list):
        for number, entry in enumerate(value):
            yield from _wrong(entry, kind[0], f"{path}[{number}]")
    elif isinstance(kind, dict):
        fields: Json = {keycase.lower(key): inner for key, inner in kind.items()}
        for key, entry in value.items():
            inner = fields.get("", fields.get(keycase.lower(key)))
            if inner is not None:
                yield from _wrong(entry, inner, f"{path}.{key}".removeprefix("."))


def beside(file: str, conf: Json) -> list[tuple[str, Json]]:
    """(path, conf) of the plugins that libcni 1.3 takes from a directory named as the network, beside the list's file.
    CniError if one of them is no JSON: then the whole list is not loaded.
    """
    name = conf.get("name")
    if (
        str(conf.get("loadOnlyInlinedPlugins", False)).lower() == "true"
        or not isinstance(name, str)
        or not name
    ):
        return []
    directory = f"{os.path.dirname(file) or '.'}/{name}"  # filepath.Join: "/etc" is no other place
    return [
        (f"{name}/{entry}", parse_object(text_of_entry(os.path.join(directory, entry))))
        for entry in files(directory, (".conf",))
    ]


def file_of(path: str, file: str, name: Any) -> tuple[str, str] | None:
    """Of a finding's path that begins with such a plugin's file: that file, and the path in it."""
    if not isinstance(name, str) or not path.startswith(f"{name}/") or ".conf" not in path:
        return None
    entry, _, rest = path.partition(".conf")
    return os.path.join(os.path.dirname(file), f"{entry}.conf"), rest.removeprefix(".")


def text_of(file: str) -> str:
    """Of a file that somebody named, which may be a pipe: `validate <(helm template ...)`."""
    try:
        with open(file, encoding="utf-8", errors="surrogateescape") as stream:
            return text_in(stream, file)
    except OSError as failed:
        raise InputOutput(f"read {file}: {failed.strerror}") from failed


def text_of_entry(file: str) -> str:
    """Of one that a directory has: a FIFO there, or a device, would never end."""
    try:
        fd = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(fd, encoding="utf-8", errors="surrogateescape") as stream:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise InputOutput(
                    f"read {file}: it is no regular file", "a runtime that reads it would wait for ever"
                )
            return text_in(stream, file)
    except OSError as failed:
        raise InputOutput(f"read {file}: {failed.strerror}") from failed


def text_in(stream: TextIO, name: str) -> str:
    """All of it: /dev/zero has no end."""
    text = stream.read(_MOST + 1)
    if len(text) > _MOST:
        raise InputOutput(f"read {name}: longer than {_MOST} bytes")
    return text


def files(directory: str, suffixes: tuple[str, ...]) -> list[str]:
    """ConfFiles, sorted as every caller does."""
    try:
        names = os.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as failed:
        raise InputOutput(f"read {directory}: {failed.strerror}") from failed
    return sorted(
        name
        for name in names
        if suffix_of(name) in suffixes and not os.path.isdir(os.path.join(directory, name))
    )


def suffix_of(name: str) -> str:
    """filepath.Ext: of ".conf" it is ".conf"."""
    base = os.path.basename(name)
    return "." + base.rpartition(".")[2] if "." in base else ""
