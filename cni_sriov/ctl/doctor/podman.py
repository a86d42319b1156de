"""podman: whether its networks come of CNI or of netavark, and where it looks for what. By files alone (runtimes.py says
why). Defaults: containers.conf.5.
"""

from __future__ import annotations

import re
import zlib

from ...decide.facts_runtime import Podman, Runtime
from ...decide.trouble import Evidence
from ...kernel.files import Files
from ...words.failures import Failures
from .. import libcni
from . import conflists, settings
from .settings import Json

_CONTAINERS_CONF = ("/usr/share/containers/containers.conf", "/etc/containers/containers.conf")
_CONTAINERS_CONF_D = "/etc/containers/containers.conf.d"
_BACKEND = "/var/lib/containers/storage/defaultNetworkBackend"  # what podman chose at its first run
_PODMAN_CNI = [
    "/usr/local/libexec/cni",
    "/usr/libexec/cni",
    "/usr/local/lib/cni",
    "/usr/lib/cni",
    "/opt/cni/bin",
]
_NETAVARK_PLUGINS = [
    f"{where}/netavark" for where in ("/usr/local/libexec", "/usr/libexec", "/usr/local/lib", "/usr/lib")
]
_NETAVARK = ("/usr/lib/podman", "/usr/libexec/podman", "/usr/local/lib/podman", "/usr/local/libexec/podman")
_NETAVARK_NETWORKS = "/etc/containers/networks"
_CHANGES = "/usr/share/doc/podman/changelog.Debian.gz"


def _containers_conf(files: Files, failures: Failures) -> tuple[Json, dict[str, str]]:
    """[network] of all files, the later over the earlier, and which one said what."""
    merged: Json = {}
    said: dict[str, str] = {}
    for path in [*_CONTAINERS_CONF, *settings.drop_ins(files, _CONTAINERS_CONF_D)]:
        network = settings.below(settings.read(files, path, failures) or {}, "network")
        merged |= network
        said |= dict.fromkeys(network, path)
    return merged, said


def _backend(files: Files, network: Json, said: dict[str, str]) -> tuple[str, Evidence]:
    """What podman will use: its configuration, else what it chose at its first run, else what it would choose: netavark
    where that is. From version 5 on there is nothing else.
    """
    chosen = network.get("network_backend")
    if isinstance(chosen, str) and chosen:
        return chosen, Evidence(said["network_backend"], f"network_backend = {chosen}")
    text = files.text(_BACKEND)
    if text:
        return text, Evidence(_BACKEND, text)
    for where in _NETAVARK:
        if files.has(f"{where}/netavark"):
            return "netavark", Evidence(f"{where}/netavark", "it is there, and nothing else is configured")
    return "cni", Evidence(f"{_NETAVARK[0]}/netavark", "not there")


def cni(files: Files, failures: Failures) -> list[Runtime]:
    seen = settings.binary(files, "podman")
    if not seen:
        return []
    network, said = _containers_conf(files, failures)
    backend, told = _backend(files, network, said)
    version = _version(files)
    if backend != "cni" or (version and int(version.partition(".")[0]) >= 5):
        return []
    bins = settings.texts(network.get("cni_plugin_dirs", [])) or _PODMAN_CNI
    conf_dir = settings.texts(network.get("network_config_dir", [])) or [libcni.CONF_DIR]
    return [
        Runtime(
            "podman", seen, conf_dir[0].rstrip("/"), [one.rstrip("/") for one in bins], takes=0, told=[told]
        )
    ]


def netavark(files: Files, failures: Failures, bundle: str = "") -> Podman | None:
    """`bundle`: the path of our own `sriov` on this node, "" = not known."""
    seen = settings.binary(files, "podman")
    if not seen:
        return None
    network, said = _containers_conf(files, failures)
    backend, told = _backend(files, network, said)
    version = _version(files)
    if version and int(version.partition(".")[0]) >= 5:
        told = Evidence(_CHANGES, f"podman {version}: it has no CNI") if backend == "cni" else told
    elif backend != "netavark":
        return None
    dirs = settings.texts(network.get("netavark_plugin_dirs", [])) or _NETAVARK_PLUGINS
    plugin = next((f"{one}/sriov" for one in dirs if files.has(f"{one}/sriov")), "")
    is_this = not (plugin and bundle) or _is_same(files, plugin, bundle)
    networks = conflists.netavark(files, failures, _NETAVARK_NETWORKS)
    return Podman(seen, version, told, dirs, plugin, is_this, networks)


def _is_same(files: Files, plugin: str, bundle: str) -> bool:
    return files.real(plugin) == files.real(bundle) or files.data(plugin) == files.data(bundle)


def _version(files: Files) -> str:
    """By the first line of Debian's changelog, "" if that is not there: the package's own files tell no version, and dpkg's
    status is megabytes.
    """
    packed = files.data(_CHANGES)
    if packed is None:
        return ""
    try:
        text = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(packed, 4096)  # 16: gzip
    except zlib.error:
        return ""
    line = text.split(b"\n", 1)[0].decode("utf-8", "replace")
    found = re.match(r"[a-z-]+ \((?:\d+:)?(\d+(?:\.\d+)*)", line)
    return found[1] if found else ""
