"""Which runtimes are on this node, where each looks for networks and plugins. By files alone: nothing of theirs is run, since
nobody knows what a program of that name does, and a recording has no programs.

Defaults: containerd's guide to its CRI configuration (versions 1 to 3 of its file), crio.conf(5).
"""

from __future__ import annotations

import re

from ...decide.facts_runtime import Network, Program, ProgramKind, Runtime, Runtimes
from ...decide.trouble import Evidence
from ...kernel.files import Files
from ...vf.host import Host
from ...words.failures import Failures
from .. import golang, libcni
from . import conflists, managers, podman, settings
from .settings import Json

_BIN_DIR = "/opt/cni/bin"
_K3S, _RKE2 = "/var/lib/rancher/k3s/agent", "/var/lib/rancher/rke2/agent"
# its file -> the name that one knows it by
_CONTAINERDS = {
    "/etc/containerd/config.toml": "containerd",
    f"{_K3S}/etc/containerd/config.toml": "k3s",
    f"{_RKE2}/etc/containerd/config.toml": "rke2",
    "/etc/k0s/containerd.toml": "k0s",
}
_CRI = (
    ("plugins", "io.containerd.cri.v1.runtime", "cni"),  # version 3
    ("plugins", "io.containerd.grpc.v1.cri", "cni"),  # version 2
    ("plugins", "cri", "cni"),  # version 1
)
_CRI_NAMES = {"cri", "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.runtime"}


def look(host: Host, files: Files, failures: Failures, bundle: str = "") -> Runtimes:
    """`bundle`: the path of our own `sriov`, which counts where the node has a file there."""
    found = Runtimes()
    with failures.of(part="the plugin beside sriovctl"):
        found.bundle = _lasting(bundle) if bundle and files.has(bundle) else ""
    for part, gather in (("containerd", _containerds), ("CRI-O", _crio), ("podman", podman.cni)):
        before = len(failures.told)
        with failures.of(part=part):
            found.runtimes += gather(files, failures)
        if len(failures.told) > before:
            _mark(found.runtimes, part)
    with failures.of(part="podman"):
        found.podman = podman.netavark(files, failures, found.bundle)
    loaded: dict[tuple[str, bool], list[Network]] = {}
    for runtime in found.runtimes:
        which = runtime.conf_dir, runtime.name == "podman"
        with failures.of(runtime=runtime.name):
            if which not in loaded:
                loaded[which] = conflists.look(host, files, failures, *which)
            runtime.networks = loaded[which]
        before = len(failures.told)
        with failures.of(runtime=runtime.name):
            _find_programs(files, runtime, found.bundle)
        runtime.is_seen = runtime.is_seen and len(failures.told) == before
    with failures.of(part="who manages VFs"):
        found.managed = managers.look(host, files, failures)
    return found


def _mark(runtimes: list[Runtime], part: str) -> None:
    """Something of its configuration could not be read: where it looks for plugins is not known."""
    for runtime in runtimes:
        if runtime.name == part or (part == "containerd" and runtime.name in _CONTAINERDS.values()):
            runtime.is_seen = False


def _lasting(bundle: str) -> str:
    """build/install keeps a version below its hash; what is current has a name that stays."""
    return re.sub(r"/\.cni-sriov/[0-9a-f]{12}/", "/.cni-sriov/current/", bundle)


# containerd ----------------------------------------------------------------------------------------------------------


def _containerds(files: Files, failures: Failures) -> list[Runtime]:
    found = []
    for path, name in _CONTAINERDS.items():
        read = settings.with_imports(files, path, failures)
        seen = path if read else settings.binary(files, name) if name == "containerd" else ""
        if seen and not any(
            _CRI_NAMES & set(settings.texts(one.get("disabled_plugins", []))) for _, one in read
        ):
            found.append(_containerd(name, seen, read))
    return found


def _containerd(name: str, seen: str, read: list[tuple[str, Json]]) -> Runtime:
    """go-cni loads the first `max_conf_num` files and gives up at one that it cannot load (go-cni opts.go)."""
    runtime = Runtime(name, seen, libcni.CONF_DIR, [_BIN_DIR], takes=1, stops=True)
    for path, config in read:
        for place in _CRI:
            cni = settings.below(config, *place)
            for key, value in cni.items():
                _set_containerd(runtime, path, key, value)
    return runtime


def _set_containerd(runtime: Runtime, path: str, key: str, value: object) -> None:
    if key == "conf_dir" and isinstance(value, str) and value:
        runtime.conf_dir = value.rstrip("/")
    elif key in {"bin_dir", "bin_dirs"} and settings.texts(value):
        runtime.bin_dirs = [one.rstrip("/") for one in settings.texts(value)]
    elif key == "max_conf_num" and isinstance(value, int):
        runtime.takes = max(value, 0)
    else:
        return
    runtime.told.append(Evidence(path, f"{key} = {value}"))


# CRI-O ---------------------------------------------------------------------------------------------------------------


def _crio(files: Files, failures: Failures) -> list[Runtime]:
    """ocicni passes over a file that it cannot load, and takes the first, or cni_default_network."""
    paths = ["/etc/crio/crio.conf", *settings.drop_ins(files, "/etc/crio/crio.conf.d")]
    read = [(path, found) for path in paths if (found := settings.read(files, path, failures)) is not None]
    seen = read[0][0] if read else settings.binary(files, "crio")
    if not seen:
        return []
    runtime = Runtime("CRI-O", seen, libcni.CONF_DIR, [_BIN_DIR])
    for path, config in read:
        network = settings.below(config, "crio", "network")
        for key in ("network_dir", "plugin_dir", "plugin_dirs", "cni_default_network"):
            value = settings.texts(network.get(key, []))
            if not value:
                continue
            runtime.told.append(Evidence(path, f"{key} = {', '.join(value)}"))
            if key == "network_dir":
                runtime.conf_dir = value[0].rstrip("/")
            elif key == "cni_default_network":
                runtime.chosen = value[0]
            else:
                runtime.bin_dirs = [one.rstrip("/") for one in value]
    return [runtime]


# plugins -------------------------------------------------------------------------------------------------------------


def _find_programs(files: Files, runtime: Runtime, bundle: str) -> None:
    """As libcni: the first directory that has it."""
    wanted = {"sriov", "host-subnet"} | {
        name for one in runtime.networks if one.is_ours for name in one.types
    }
    for directory in runtime.bin_dirs:
        runtime.has_dir[directory] = files.has(directory)
        for name in wanted - runtime.programs.keys():
            path = f"{directory}/{name}"
            if "/" not in name and files.has(path):
                kind = _kind(files, path, bundle) if name == "sriov" else ""
                runtime.programs[name] = Program(path, kind)


def _kind(files: Files, path: str, bundle: str) -> ProgramKind:
    """Ours by where it leads, or because it begins as ours does; another's if it is a Go program, as sriov-cni is."""
    real = files.real(path)
    if "/.cni-sriov/" in real or (bundle and real == files.real(bundle)):
        return "ours"
    head = (files.data(path) or b"")[: golang.HEAD]
    if bundle and head == (files.data(bundle) or b"")[: golang.HEAD]:
        return "ours"
    return "another's" if golang.is_one(head) else ""
