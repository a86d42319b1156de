"""A Kubernetes cluster of one node in the guest: etcd, the control plane and the kubelet above the guest's containerd.

Each part is started by hand, with what a node of its own size and speed needs told: the guest is emulated, so nothing may
be taken for dead within minutes. What must outlive a power cut is on the state disk.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests import bundle, dist
from tests.certs import Authority

from . import kubernetes_parts
from .containerd import Containerd
from .guest import Done
from .node import Node
from .vm import PORTS

Json = dict[str, Any]
BIN = "/mnt/host/kubernetes"
IMAGE = "cni-sriov.oci.tar"  # of `make dist`, in /mnt/host
KEPT = "/mnt/state/cluster"
NODE = "lab"
ADDRESS = "192.0.2.1"  # of the node, on the second port
SERVER = "https://127.0.0.1:6443"
CONFIG = "/etc/kubernetes/config"  # an administrator's: how to reach the API
TOKENS, KUBELET = "/etc/kubernetes/tokens.csv", "/etc/kubernetes/kubelet.json"
TOKEN, OPERATOR_TOKEN = "of-the-lab-alone", "of-the-operator"
OPERATOR = "olga"  # who may nothing, until somebody binds a role to her
# as kubeadm has it: certificates, and how the kubelet reaches the API by its own
PKI = "/etc/kubernetes/pki"
KUBELET_CONFIG, KUBELET_PEM = (
    "/etc/kubernetes/kubelet.conf",
    "/var/lib/kubelet/pki/kubelet-client-current.pem",
)
HOUR = "1h"

PARTS = {
    "etcd": (
        "etcd", f"--data-dir={KEPT}/etcd", "--unsafe-no-fsync", "--logger=zap", "--snapshot-count=100000",
    ),
    "kube-apiserver": (
        f"{BIN}/kube-apiserver", "--etcd-servers=http://127.0.0.1:2379", "--bind-address=127.0.0.1",
        f"--advertise-address={ADDRESS}", f"--token-auth-file={TOKENS}", f"--client-ca-file={PKI}/ca.crt",
        f"--tls-cert-file={PKI}/apiserver.crt", f"--tls-private-key-file={PKI}/apiserver.key",
        "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
        "--disable-admission-plugins=ServiceAccount", "--allow-privileged",
        # the key of its own certificate: no pod has a token
        f"--service-account-signing-key-file={PKI}/apiserver.key", "--service-account-issuer=https://lab",
        f"--service-account-key-file={PKI}/apiserver.crt",
        "--service-cluster-ip-range=10.96.0.0/24", "--enable-priority-and-fairness=false", "--profiling=false",
    ),
    "kube-controller-manager": (
        f"{BIN}/kube-controller-manager", f"--kubeconfig={CONFIG}", "--leader-elect=false",
        "--controllers=replicaset,deployment,daemonset,job,nodelifecycle,garbagecollector", f"--node-monitor-grace-period={HOUR}",
    ),
    "kube-scheduler": (f"{BIN}/kube-scheduler", f"--kubeconfig={CONFIG}", "--leader-elect=false"),
    "kubelet": (
        f"{BIN}/kubelet", f"--kubeconfig={KUBELET_CONFIG}", f"--config={KUBELET}", f"--root-dir={KEPT}/kubelet",
        f"--hostname-override={NODE}", f"--node-ip={ADDRESS}", "--container-runtime=remote",
        "--container-runtime-endpoint=unix:///run/containerd/containerd.sock", "--housekeeping-interval=30s",
        "--pod-infra-container-image=registry.k8s.io/pause:3.6",
    ),
}  # fmt: skip
CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
KUBELET_SETTINGS: Json = {
    "apiVersion": "kubelet.config.k8s.io/v1beta1",
    "kind": "KubeletConfiguration",
    "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
    "authorization": {"mode": "AlwaysAllow"},
    "cgroupDriver": "cgroupfs",
    "cgroupsPerQOS": False,
    "enforceNodeAllocatable": [],
    "evictionHard": {"nodefs.available": "0%", "memory.available": "0%"},
    "imageGCHighThresholdPercent": 100,
    "makeIPTablesUtilChains": False,
    "nodeLeaseDurationSeconds": 3600,
    "resolvConf": "",
    "runtimeRequestTimeout": "10m",
}


def kubeconfig(**user: str) -> str:
    """How `user`, an AuthInfo, reaches the API."""
    document: Json = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "lab",
        "clusters": [
            {"name": "lab", "cluster": {"server": SERVER, "certificate-authority": f"{PKI}/ca.crt"}}
        ],
        "users": [{"name": "lab", "user": user}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab"}}],
    }
    return json.dumps(document)


def share() -> Path:
    """What the guest sees of this machine: the bundle as installed, and Kubernetes' parts."""
    home = bundle.installed()
    image = home / "kubernetes.squashfs"
    if not image.exists():
        (home / "kubernetes").mkdir()
        found = kubernetes_parts.image()
        try:
            os.link(found, image)
        except OSError:  # the cache is on another file system
            shutil.copyfile(found, image)
    return home


def share_with_image() -> Path:
    """The same with the release's image."""
    home = share()
    shutil.copyfile(dist.artifact(".oci.tar"), home / IMAGE)
    return home


class Cluster:
    """`node` is its one node; it has as many VFs as `vfs` says. `certs`: a directory for its certificates."""

    def __init__(self, node: Node, vfs: int, certs: Path) -> None:
        self.node, self.vm, self.vfs = node, node.vm, vfs
        self._authority = Authority(certs)
        self._server = self._authority.issue("apiserver", "127.0.0.1")
        self.containerd = Containerd(node)
        self.card: dict[str, Json] = {}  # as it was before the first pod of this boot

    def boot(self) -> None:
        """All that has to be there before the first part is started; also after a power cut."""
        self.node.lay_out()
        self.node.create_vfs(self.vfs, PORTS[:1])
        self.vm.run(
            f"mkdir -p {KEPT}; touch /etc/resolv.conf; ip addr add {ADDRESS}/24 dev {PORTS[1]}; ip link set {PORTS[1]} up"
        )
        self.card = self.node.card()
        self.vm.put(TOKENS, f"{TOKEN},admin,1,system:masters\n{OPERATOR_TOKEN},{OPERATOR},2\n", 0o600)
        self.vm.put(CONFIG, kubeconfig(token=TOKEN), 0o600)
        self.vm.put(KUBELET, json.dumps(KUBELET_SETTINGS))
        for name, path in (
            ("ca.crt", self._authority.cert),
            ("apiserver.crt", self._server.cert),
            ("apiserver.key", self._server.key),
        ):
            self.vm.put(f"{PKI}/{name}", path.read_bytes(), 0o600)
        self.admit(NODE)
        self.containerd.set_up()

    def admit(self, node: str, root: str = "") -> None:
        """Give a kubelet of that name its certificate and kubeconfig, below `root`."""
        made = self._authority.issue(f"system:node:{node}", groups=("system:nodes",))
        self.vm.put(f"{root}{KUBELET_PEM}", made.cert.read_bytes() + made.key.read_bytes(), 0o600)
        identity = {"client-certificate": f"{root}{KUBELET_PEM}", "client-key": f"{root}{KUBELET_PEM}"}
        self.vm.put(f"{root}{KUBELET_CONFIG}", kubeconfig(**identity), 0o600)

    def start(self, *names: str) -> None:
        """These parts, and wait for the API where it is one of them."""
        for name in names:
            words = " ".join(PARTS[name])
            self.vm.run(f"setsid {words} >> /var/log/{name}.log 2>&1 & echo $! > /run/{name}.pid")
            if name == "kube-apiserver":
                self.soon(self._answers, "the API", 600)

    def _answers(self) -> bool:
        """The API. kubectl takes its processor, so it is not asked before the port is there; who has ended never answers."""
        alive = self.vm.run("test -e /proc/$(cat /run/kube-apiserver.pid)/exe", check=False)
        assert alive.returncode == 0, self.told()
        listens = self.vm.run("ss -Hltn 'sport = :6443'").stdout
        return bool(listens) and self.kubectl("get --raw /readyz", check=False).returncode == 0

    def stop(self, *names: str) -> None:
        """With SIGTERM, as a service manager does, and wait for its end."""
        for name in names:
            self.vm.run(f"p=$(cat /run/{name}.pid); kill $p; while test -e /proc/$p/exe; do sleep 0.1; done")

    def is_ready(self) -> bool:
        """The node, by its own word since it was started."""
        listed = self.kubectl(f"get node {NODE} -o json", check=False)
        if listed.returncode:
            return False
        conditions = json.loads(listed.stdout)["status"].get("conditions", [])
        return {"Ready": "True"}.items() <= {one["type"]: one["status"] for one in conditions}.items()

    def kubectl(self, words: str, *, check: bool = True, given: str = "", timeout: float = 120) -> Done:
        return self.vm.run(
            f"kubectl --kubeconfig {CONFIG} {words}", check=check, input=given, timeout=timeout
        )

    def make(self, *manifests: Json) -> None:
        """Unjudged: kubectl's judgement begins with the description of all types, half a minute's work for the API here."""
        listed = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
        self.kubectl("create --validate=false -f -", given=json.dumps(listed))

    def pods(self, selector: str = "") -> dict[str, Json]:
        """By name, as the API has them."""
        listed = json.loads(self.kubectl(f"get pods -o json {selector and '-l ' + selector}").stdout)
        return {pod["metadata"]["name"]: pod for pod in listed["items"]}

    def running(self, selector: str = "") -> dict[str, str]:
        """Of the pods whose containers are ready: name -> address."""
        return {name: pod["status"]["podIP"] for name, pod in self.pods(selector).items() if is_running(pod)}

    def run_pods(self, *names: str, seconds: float = 240) -> dict[str, str]:
        """Make them, and wait until all run."""
        self.make(*(pod(name) for name in names))
        self.soon(lambda: set(names) <= self.running().keys(), f"{' '.join(names)} running", seconds)
        return {name: address for name, address in self.running().items() if name in names}

    def delete(self, *names: str) -> None:
        self.kubectl(f"delete pod {' '.join(names)}", timeout=240)

    def events(self, name: str, reason: str) -> list[str]:
        """What `kubectl describe pod` shows as of that kind."""
        selector = f"involvedObject.name={name},reason={reason}"
        listed = json.loads(self.kubectl(f"get events -o json --field-selector {selector}").stdout)
        return [event["message"] for event in listed["items"]]

    def shell(self, name: str, command: str) -> Done:
        """In the pod."""
        return self.kubectl(f"exec {name} -- {command}", check=False)

    def soon(self, what: Callable[[], bool], said: str, seconds: float) -> None:
        """Until it is so, or tell what the parts say."""
        deadline = time.monotonic() + seconds
        while not what():
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {seconds:g} s: {said}\n{self.told()}")
            time.sleep(0.5)

    def told(self) -> str:
        """Pods, events, and the end of each part's log."""
        with contextlib.suppress(AssertionError):
            pods = self.kubectl("get pods,events -o wide", check=False)
            logs = self.vm.run(
                f"for n in {' '.join(PARTS)} containerd; do echo == $n; tail -n 12 /var/log/$n.log 2>&1; done; true"
            )
            return f"{pods.stdout}{pods.stderr}{logs.stdout}"
        return ""


def is_running(pod: Json) -> bool:
    told = pod["status"].get("containerStatuses", [])
    going = pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]
    return going and bool(told) and all(one["ready"] for one in told)


def template(*command: str, restart: str = "Always") -> Json:
    """What is in a pod: the image that the node has, no token, no name service."""
    main = {"name": "main", "image": "docker.io/library/busybox:latest", "imagePullPolicy": "Never"}
    return {
        "automountServiceAccountToken": False,
        "containers": [main | {"command": list(command) or ["sleep", "1000000"]}],
        "dnsPolicy": "Default",
        "enableServiceLinks": False,
        "restartPolicy": restart,
        "terminationGracePeriodSeconds": 1,
    }


def pod(name: str) -> Json:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": template()}


def deployment(name: str, replicas: int) -> Json:
    labels = {"app": name}
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": template()},
    }
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def job(name: str, completions: int, at_once: int, *command: str) -> Json:
    """That many pods, so many at a time, each gone through once."""
    spec = {
        "completions": completions,
        "parallelism": at_once,
        "backoffLimit": 0,
        "template": {"spec": template(*command, restart="Never")},
    }
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec}
