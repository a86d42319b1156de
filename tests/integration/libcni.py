"""What the CNI library does for a runtime: each plugin's conf and environment, the order, the cache of results. Written from
containernetworking/cni 3f51e88 (libcni/api.go: buildOneConfig, injectRuntimeConfig, AddNetworkList, CheckNetworkList,
DelNetworkList, GCNetworkList, GetStatusNetworkList, cacheAdd, getCachedConfig; pkg/invoke/args.go: AsEnv), none of whose code
is here. Tests call through it as CRI-O and Multus do; it is the bundle that is called.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from tests import bundle
from tests.integration.rig import Rig

Json = dict[str, Any]
KEPT, KEPT_TOO = "cni.dev/valid-attachments", "cni.dev/attachments"
NAMES = ("sriov", "host-subnet")


class Failed(Exception):
    """A plugin said no: its error document."""

    def __init__(self, document: Json) -> None:
        super().__init__(f"{document.get('msg')}; {document.get('details')}")
        self.code = document.get("code")


@dataclass
class Runtime:
    """libcni's RuntimeConf: of one attachment."""

    container: str
    netns: str
    ifname: str
    args: list[tuple[str, str]] = field(default_factory=list)
    capabilities: Json = field(default_factory=dict)


class Called(NamedTuple):
    verb: str
    ifname: str
    env: dict[str, str]
    stdin: Json
    err: str


def rig_runner(rig: Rig, **keys: Any) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`keys` are subprocess.run's: how the caller starts a plugin."""

    def run(plugin: str, env: dict[str, str], stdin: str) -> subprocess.CompletedProcess[str]:
        def start() -> subprocess.CompletedProcess[str]:
            return subprocess.run([plugin], env=env, input=stdin, capture_output=True, text=True, **keys)

        return rig.inside(start)

    return run


def install(directory: Path) -> Path:
    """As `make install` lays it out: both names lead to one file."""
    directory.mkdir(parents=True)
    for name in NAMES:
        (directory / name).symlink_to(bundle.sriov())
    return directory


class Libcni:
    """`environ` is the caller's own environment, which each plugin inherits; `cache` its directory of results."""

    def __init__(
        self,
        run: Callable[..., subprocess.CompletedProcess[str]],
        path: list[str],
        cache: Path,
        environ: dict[str, str],
    ) -> None:
        self.run, self.path, self.environ = run, path, environ
        self.results = cache / "results"
        self.calls: list[Called] = []

    # verbs of a list -------------------------------------------------------------------------------------------------

    def add(self, conf: Json, rt: Runtime) -> Json:
        result: Json | None = None
        for plugin in plugins_of(conf):
            result = self._call("ADD", conf, plugin, rt, result)
        assert result is not None
        self._keep(conf, rt, result)
        return result

    def check(self, conf: Json, rt: Runtime) -> None:
        """Of a version that has no CHECK it is an error of the caller."""
        assert at_least(conf, "0.4.0")
        if not conf.get("disableCheck"):
            for plugin in plugins_of(conf):
                self._call("CHECK", conf, plugin, rt, self.cached(conf, rt))

    def delete(self, conf: Json, rt: Runtime) -> None:
        before = self.cached(conf, rt) if at_least(conf, "0.4.0") else None
        for plugin in reversed(plugins_of(conf)):
            self._call("DEL", conf, plugin, rt, before)
        self._file(conf["name"], rt).unlink(missing_ok=True)

    def gc(self, conf: Json, args: Json | None) -> None:
        """`args` None: the caller has no GCArgs, and no list is sent. {"valid": None} is Go's nil slice."""
        if conf.get("disableGC"):
            return
        valid = {(one["containerID"], one["ifname"]) for one in (args or {}).get("valid") or []}
        for path in sorted(self.results.glob("*")) if self.results.exists() else []:
            told = json.loads(path.read_text())
            rt = Runtime(told["containerId"], told["netns"], told["ifName"])
            if told["networkName"] == conf["name"] and (rt.container, rt.ifname) not in valid:
                self.delete(conf, replace(rt, args=told["cniArgs"], capabilities=told["capabilityArgs"]))
        if at_least(conf, "1.1.0"):
            listed = {} if args is None else dict.fromkeys((KEPT, KEPT_TOO), args["valid"])
            for plugin in plugins_of(conf):
                self._start("GC", plugin | version_of(conf) | listed, plugin["type"], Runtime("", "", ""))

    def status(self, conf: Json) -> None:
        if at_least(conf, "1.1.0"):
            for plugin in plugins_of(conf):
                self._start("STATUS", plugin | version_of(conf), plugin["type"], Runtime("", "", ""))

    def validate(self, conf: Json) -> None:
        """pkg/invoke/exec.go, GetVersionInfo: before a file is used, each plugin has to know its version."""
        for plugin in plugins_of(conf):
            told = self._start(
                "VERSION", {"cniVersion": "1.1.0"}, plugin["type"], Runtime("dummy", "dummy", "dummy")
            )
            assert told is not None
            assert conf.get("cniVersion", "0.1.0") in told["supportedVersions"]

    # the cache -------------------------------------------------------------------------------------------------------

    def cached(self, conf: Json, rt: Runtime) -> Json | None:
        path = self._file(conf["name"], rt)
        result: Json | None = json.loads(path.read_text())["result"] if path.exists() else None
        return result

    def cached_config(self, name: str, rt: Runtime) -> tuple[Json, Runtime]:
        """getCachedConfig: the list as it was at ADD, and the runtime's wishes then."""
        told = json.loads(self._file(name, rt).read_text())
        args = [(key, value) for key, value in told["cniArgs"]]
        return told["config"], replace(rt, args=args, capabilities=told["capabilityArgs"])

    def _keep(self, conf: Json, rt: Runtime, result: Json) -> None:
        self.results.mkdir(parents=True, exist_ok=True)
        told = {
            "kind": "cniCacheV1", "containerId": rt.container, "config": conf, "ifName": rt.ifname, "netns": rt.netns,
            "networkName": conf["name"], "cniArgs": rt.args, "capabilityArgs": rt.capabilities, "result": result,
        }  # fmt: skip
        self._file(conf["name"], rt).write_text(json.dumps(told))

    def _file(self, name: str, rt: Runtime) -> Path:
        return self.results / f"{name}-{rt.container}-{rt.ifname}".replace("/", "_")

    # one plugin ------------------------------------------------------------------------------------------------------

    def _call(self, verb: str, conf: Json, plugin: Json, rt: Runtime, before: Json | None) -> Json | None:
        told = plugin | version_of(conf) | ({} if before is None else {"prevResult": before})
        declared = [name for name, wanted in plugin.get("capabilities", {}).items() if wanted]
        asked = {name: rt.capabilities[name] for name in declared if name in rt.capabilities}
        return self._start(verb, told | ({"runtimeConfig": asked} if asked else {}), plugin["type"], rt)

    def _start(self, verb: str, conf: Json, kind: str, rt: Runtime) -> Json | None:
        env = self.environ | {
            "CNI_COMMAND": verb,
            "CNI_CONTAINERID": rt.container,
            "CNI_NETNS": rt.netns,
            "CNI_ARGS": ";".join("=".join(pair) for pair in rt.args),
            "CNI_IFNAME": rt.ifname,
            "CNI_PATH": os.pathsep.join(self.path),
        }
        plugin = next(found for one in self.path if os.path.exists(found := f"{one}/{kind}"))
        done = self.run(plugin, env, json.dumps(conf, sort_keys=True))
        self.calls.append(Called(verb, rt.ifname, env, conf, done.stderr))
        document = json.loads(done.stdout) if done.stdout else None
        if done.returncode:
            raise Failed(document or {"msg": done.stderr})
        return document


def plugins_of(conf: Json) -> list[Json]:
    """A single plugin is its own list."""
    found: list[Json] = conf.get("plugins", [conf])
    return found


def version_of(conf: Json) -> Json:
    """buildOneConfig writes both into every conf, the version of one that has none as ""."""
    return {"name": conf["name"], "cniVersion": conf.get("cniVersion", "")}


def at_least(conf: Json, version: str) -> bool:
    return [int(part) for part in conf.get("cniVersion", "0.1.0").split(".")] >= [
        int(n) for n in version.split(".")
    ]
