"""containerd in the guest, as packaged: started as its unit does, and asked by ctr and, like the kubelet, by the CRI."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.pages import ROOT

from . import containers
from .node import Node

Json = dict[str, Any]
Chain = list[tuple[str, Json]]
CONF = ROOT / "conf" / "containerd"
CONFLIST = "/etc/cni/net.d/10-sriov.conflist"
CONFIG = "/etc/containerd/config.toml"
CLIENT = f"/{containers.HOME}/cri.py"
LOG = "/var/log/containerd.log"
READY = "SANDBOX_READY"  # 0, which protobuf leaves out
POD = "$pod_sandbox_id"
CONTAINER = "$container_id"


class Containerd:
    """Of a node with runtimes."""

    def __init__(self, node: Node) -> None:
        self.node, self.vm = node, node.vm

    def set_up(self) -> None:
        """With the project's own samples, and the images that it would pull."""
        self.vm.put(CONFLIST, (CONF / "10-sriov.conflist").read_bytes())
        self.vm.put(CONFIG, (CONF / "config.toml").read_bytes())
        self.vm.put(CLIENT, (Path(__file__).parent / "inside" / "cri.py").read_bytes())
        self.start()
        self.vm.run(
            f"for n in default k8s.io; do ctr -n $n image import {containers.IMAGES} & done; wait",
            timeout=120,
        )

    def start(self, before: str = "") -> None:
        """`before`: words in front of its command line."""
        self.vm.run(f"{before} containerd >> {LOG} 2>&1 &")
        self.vm.run("until ctr version > /dev/null 2>&1; do sleep 0.1; done", timeout=90)

    def stop(self) -> None:
        """As systemd does with KillMode=process: what holds its containers lives on."""
        self.vm.run(
            "kill $(pidof containerd); while pidof containerd; do sleep 0.1; done > /dev/null", timeout=90
        )

    @property
    def major(self) -> int:
        """Of its version."""
        found = re.search(r" v?(\d+)\.\d+", self.vm.run("containerd --version").stdout)
        assert found is not None
        return int(found[1])

    @property
    def is_running(self) -> bool:
        return self.vm.run("pidof containerd", check=False).returncode == 0

    def ctr(self, words: str, *, check: bool = True) -> Any:
        return self.vm.run(f"ctr {words}", check=check, timeout=90)

    def cri(self, chains: Iterable[Chain], at_once: int = 1) -> list[list[Json]]:
        """The answers of each chain of calls; see inside/cri.py."""
        done = self.vm.run(["python3", CLIENT, str(at_once)], input=json.dumps(list(chains)), timeout=240)
        answers: list[list[Json]] = json.loads(done.stdout)
        return answers

    def pods(self) -> dict[str, tuple[str, str]]:
        """Name -> id and state, as the kubelet lists them."""
        ((answer,),) = self.cri([[("ListPodSandbox", {})]])
        found = answer.get("items", [])
        return {pod["metadata"]["name"]: (pod["id"], pod.get("state", READY)) for pod in found}

    def remove(self, names: Iterable[str], at_once: int = 1) -> list[list[Json]]:
        """Stop, then remove, as the kubelet ends a pod."""
        pods = self.pods()
        return self.cri([ending(pods[name][0]) for name in names], at_once)


def sandbox(name: str) -> Json:
    """A pod as the kubelet describes it."""
    return {
        "metadata": {"name": name, "uid": f"uid-{name}", "namespace": "default"},
        "hostname": name,
        "log_directory": f"/var/log/pods/{name}",
        "linux": {"cgroup_parent": "/pods"},
    }


def beginning(name: str) -> Chain:
    return [("RunPodSandbox", {"config": sandbox(name)})]


def ending(pod: str = POD) -> Chain:
    return [("StopPodSandbox", {"pod_sandbox_id": pod}), ("RemovePodSandbox", {"pod_sandbox_id": pod})]


def with_container(name: str, *command: str) -> Chain:
    """What a pod with one container costs the kubelet, and a command in it."""
    config = {
        "metadata": {"name": "main"},
        "image": {"image": containers.BUSYBOX},
        "command": ["sleep", "1000000"],
    }
    asked = {"pod_sandbox_id": POD, "config": config, "sandbox_config": sandbox(name)}
    return [
        *beginning(name),
        ("CreateContainer", asked),
        ("StartContainer", {"container_id": CONTAINER}),
        ("ExecSync", {"container_id": CONTAINER, "cmd": list(command)}),
        ("PodSandboxStatus", {"pod_sandbox_id": POD}),
    ]


def printed(answer: Json) -> str:
    """By ExecSync."""
    return base64.b64decode(answer.get("stdout", "")).decode()
