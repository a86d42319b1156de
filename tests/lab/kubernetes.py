"""Kubernetes with the plugin as the network of every pod: one node, Debian 12's 1.20 and containerd. `make lab-kubernetes`.

The node has three VFs. Each scenario ends with all that was made deleted, and the card as it was.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.pages import ROOT, Block, blocks, command_blocks, fits, script, wrong

from . import cluster as parts
from .cluster import CONTROL_PLANE, Cluster, deployment, job
from .node import Node
from .ready import Lab

pytestmark = [pytest.mark.lab, pytest.mark.bundle, pytest.mark.timeout(1200)]

VFS = 3
PAGE = "docs/kubernetes.md"
CHECKOUT = "/root/cni-sriov"
WAITS = "FailedCreatePodSandBox"
OWN_MAC = "cat /sys/class/net/eth0/address"


@pytest.fixture(scope="module")
def started(saved_kubernetes: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with saved_kubernetes.restore(parts.share_with_image()) as vm:
        cluster = Cluster(Node(vm), VFS, tmp_path_factory.mktemp("certs"))
        cluster.boot()
        cluster.start(*CONTROL_PLANE, "kubelet")
        cluster.soon(cluster.is_ready, "the node is ready", 400)
        yield cluster


@pytest.fixture
def cluster(started: Cluster) -> Iterator[Cluster]:
    yield started
    started.kubectl("delete deployments,jobs,pods --all --timeout=200s", timeout=240)
    started.soon(lambda: not started.pods(), "no pod is left", 120)
    started.soon(lambda: not in_pods(started) and not started.node.state_files(), "all VFs are home", 60)
    assert started.node.changed(started.card) == []


def in_pods(cluster: Cluster) -> set[str]:
    """The VFs that are not in the host, by PCI address."""
    return cluster.card.keys() - cluster.node.links().keys()


def quoted(tag: str) -> str:
    """What the page says that its reader will read."""
    (text,) = [block.text for block in blocks(PAGE) if block.tag == tag]
    return text


def test_a_pod_has_a_vf_as_its_network(cluster: Cluster) -> None:
    ((name, address),) = cluster.run_pods("web").items()

    (vf,) = in_pods(cluster)
    shown = cluster.shell(name, "ip -o -4 addr show eth0").stdout
    assert cluster.shell(name, OWN_MAC).stdout.strip() == cluster.card[vf]["address"]
    assert f" {address}/24 " in shown
    assert address in {"10.10.0.2", "10.10.1.2", "10.10.2.2"}
    assert cluster.shell(name, "ls /sys/class/net").stdout.split() == ["eth0", "lo"]


def test_pods_reach_each_other_and_deleting_one_brings_its_vf_home(cluster: Cluster) -> None:
    addresses = cluster.run_pods("web", "db")
    theirs = in_pods(cluster)
    assert len(theirs) == 2

    for name, other in (("web", "db"), ("db", "web")):
        ping = cluster.shell(name, f"ping -c 2 -W 5 {addresses[other]}")
        assert ping.returncode == 0, ping.stdout + ping.stderr
    of_web = cluster.shell("web", OWN_MAC).stdout.strip()
    cluster.delete("web")

    cluster.soon(lambda: len(in_pods(cluster)) == 1, "its VF is home", 60)
    (home,) = theirs - in_pods(cluster)
    assert cluster.card[home]["address"] == of_web
    assert cluster.shell("db", f"ping -c 1 -W 2 {addresses['web']}").returncode != 0


def test_a_pod_that_finds_no_vf_waits_and_starts_when_one_is_free(cluster: Cluster) -> None:
    names = [f"web-{index}" for index in range(VFS)]
    cluster.run_pods(*names)
    assert len(in_pods(cluster)) == VFS

    cluster.make(parts.pod("late"))
    cluster.soon(lambda: bool(cluster.events("late", WAITS)), f"{WAITS} is told", 120)

    told = cluster.events("late", WAITS)[0]
    assert fits(quoted("what the event says"), told), told
    status = cluster.pods()["late"]["status"]
    (container,) = status["containerStatuses"]
    assert (status["phase"], container["state"]["waiting"]["reason"]) == ("Pending", "ContainerCreating")
    assert set(cluster.running()) == set(names), "nobody lost anything"
    before = in_pods(cluster)
    cluster.delete(names[1])
    cluster.soon(lambda: "late" in cluster.running(), "it starts", 180)
    assert in_pods(cluster) == before, "the one that became free"
    assert cluster.shell("late", "ip -o -4 addr show eth0").returncode == 0


def test_twenty_pods_go_through_three_vfs(cluster: Cluster) -> None:
    cluster.make(job("churn", 20, VFS, "sh", "-c", "ip -o -4 addr show eth0 | grep -q ' 10.10.'"))

    cluster.kubectl("wait --for=condition=complete job/churn --timeout=500s", timeout=520)

    ended = cluster.pods("job-name=churn")
    assert [pod["status"]["phase"] for pod in ended.values()] == ["Succeeded"] * 20
    assert len({pod["status"]["podIP"] for pod in ended.values()}) == 20, "each had a subnet of its own"
    cluster.soon(lambda: not in_pods(cluster), "all VFs are home though the pods are still listed", 60)


def test_pods_live_on_while_kubelet_and_containerd_are_started_again(cluster: Cluster) -> None:
    addresses = cluster.run_pods("web", "db")
    theirs = in_pods(cluster)

    cluster.stop("kubelet")
    cluster.containerd.stop()
    assert in_pods(cluster) == theirs
    cluster.containerd.start()
    cluster.start("kubelet")

    more = cluster.run_pods("new")
    assert cluster.running() == addresses | more
    assert in_pods(cluster) > theirs
    assert cluster.shell("new", f"ping -c 1 -W 5 {addresses['web']}").returncode == 0
    assert all(
        one["restartCount"] == 0
        for pod in cluster.pods().values()
        for one in pod["status"]["containerStatuses"]
    )


def test_pods_come_back_after_a_power_cut(cluster: Cluster) -> None:
    """The same pods, in new sandboxes, as nobody sent a DEL: what the old ones had is of another boot."""
    cluster.make(deployment("db", VFS - 1))
    cluster.run_pods("web")
    cluster.soon(lambda: len(cluster.running()) == VFS, "all run", 240)
    before = containers(cluster)
    cluster.vm.run("sync")

    cluster.vm.power_cycle()
    cluster.boot()
    assert in_pods(cluster) == set()
    cluster.start(*CONTROL_PLANE, "kubelet")

    cluster.soon(
        lambda: len(cluster.running()) == VFS and not containers(cluster) & before, "all run again", 400
    )
    assert len(in_pods(cluster)) == VFS
    running = cluster.running()
    assert "web" in running
    assert len(set(running.values())) == VFS
    for address in running.values():
        ping = cluster.shell("web", f"ping -c 1 -W 5 {address}")
        assert ping.returncode == 0, ping.stdout + ping.stderr


def containers(cluster: Cluster) -> set[str]:
    return {
        one["containerID"] for pod in cluster.pods().values() for one in pod["status"]["containerStatuses"]
    }


@pytest.fixture
def page(cluster: Cluster) -> Cluster:
    """With the files that docs/kubernetes.md speaks of, in a checkout."""
    for pattern in ("conf/kubernetes/*.yaml", "conf/containerd/10-sriov.conflist"):
        for path in ROOT.glob(pattern):
            cluster.vm.put(f"{CHECKOUT}/{path.relative_to(ROOT)}", path.read_bytes())
    # what kubectl judges a manifest by: the API puts it together once, in half a minute or more
    cluster.kubectl("get --raw /openapi/v2 > /dev/null", timeout=300)
    return cluster


def follow(cluster: Cluster, block: Block) -> None:
    env = {"KUBECONFIG": parts.CONFIG}
    done = cluster.vm.run(["sh", "-c", script(block)], cwd=CHECKOUT, env=env, check=False, timeout=400)
    assert wrong(block, done.stdout) == [], done.stderr + cluster.told()


def test_the_page_does_what_it_says(page: Cluster) -> None:
    """Its network is put where one is already: the same one."""
    for block in command_blocks("runs: lab kubernetes")[PAGE]:
        follow(page, block)


def test_a_daemonset_brings_the_plugin_to_a_node_that_has_none_and_takes_it_away(page: Cluster) -> None:
    """Who runs the image is the kubelet; what it put there gives a pod its VF."""
    page.vm.run("umount /opt/cni/bin/.cni-sriov; rm -rf /opt/cni/bin; mkdir /opt/cni/bin")
    page.vm.run(f"ctr -n k8s.io image import /mnt/host/{parts.IMAGE}", timeout=120)
    install, remove = command_blocks("runs: lab kubernetes daemonset")[PAGE]

    follow(page, install)
    assert page.vm.run("readlink /opt/cni/bin/sriov").stdout.startswith(".cni-sriov/")
    ((name, address),) = page.run_pods("web").items()
    (vf,) = in_pods(page)
    assert page.shell(name, OWN_MAC).stdout.strip() == page.card[vf]["address"]
    assert f" {address}/24 " in page.shell(name, "ip -o -4 addr show eth0").stdout
    page.delete(name)

    follow(page, remove)
    assert page.vm.run("ls -A /opt/cni/bin").stdout == ""
