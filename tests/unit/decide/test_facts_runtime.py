"""Where a plugin would be put, and whether somebody asks for ours."""

from __future__ import annotations

from cni_sriov.decide.facts_runtime import Network, Runtime


def test_a_plugin_goes_where_a_directory_is() -> None:
    runtime = Runtime("containerd", "/x", "/etc/cni/net.d", ["/a", "/b"])

    assert runtime.bin_dir == "/a"
    runtime.has_dir = {"/a": False, "/b": True}
    assert runtime.bin_dir == "/b"


def test_who_wants_ours() -> None:
    runtime = Runtime("containerd", "/x", "/etc/cni/net.d", ["/a"], networks=[Network("/n")])

    assert not runtime.wants_ours
    runtime.networks.append(Network("/m", is_ours=True))
    assert runtime.wants_ours
