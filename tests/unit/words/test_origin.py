"""When, why and for whom: in one string, and back; whatever a caller or another version put there."""

from __future__ import annotations

import pytest

from cni_sriov.words.origin import Origin, packed

POD = {"K8S_POD_NAMESPACE": "default", "K8S_POD_NAME": "web", "K8S_POD_UID": "8a1f"}


@pytest.mark.parametrize(
    ("args", "log_file", "found"),
    [
        (POD, "/var/log/s.log", Origin(7, "why", "default", "web", "8a1f", "/var/log/s.log")),
        ({}, "", Origin(7, "why")),
        ({}, "/l", Origin(7, "why", log_file="/l")),
        ({"K8S_POD_NAME": "web"}, "", Origin(7, "why", name="web")),
        (POD | {"K8S_POD_NAME": "we\tb", "K8S_POD_UID": "\udcff\x1b[2J"}, "", Origin(7, "why", "default")),
    ],
)
def test_what_is_packed_is_found_again(args: dict[str, str], log_file: str, found: Origin) -> None:
    text = packed(7, "why", args, log_file)

    assert Origin.of(text) == found
    assert text == text.rstrip()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", Origin()),
        ("soon", Origin()),
        ("-1\twhy", Origin(0, "why")),
        (f"{10**30}\twhy", Origin(0, "why")),
        ("\u0663\twhy", Origin(0, "why")),
        ("1\twhy\tns\tweb\tuid\t/l\tof a later version", Origin(1, "why", "ns", "web", "uid", "/l")),
    ],
)
def test_whatever_is_there_can_be_read(text: str, found: Origin) -> None:
    assert Origin.of(text) == found


def test_a_pod_is_called_as_kubectl_calls_it() -> None:
    assert (Origin(namespace="ns", name="web").pod, Origin(name="web").pod, Origin(namespace="ns").pod) == (
        "ns/web",
        "web",
        "",
    )
