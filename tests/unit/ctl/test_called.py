"""By which words a container or pod is meant, and when they are not enough."""

from __future__ import annotations

import pytest

from cni_sriov.ctl import called
from cni_sriov.words.domain import Attachment
from cni_sriov.words.errors import BadConfig

ONE, SAME, OTHER = Attachment("abcd1", "net1"), Attachment("abcd1", "net2"), Attachment("abcd12", "net1")
PODS = {ONE: "shop/web", SAME: "shop/web", OTHER: "test/web", Attachment("x", "net1"): ""}


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("abcd1", [ONE, SAME]),  # it is whole, though another one begins so
        ("abcd1/net2", [SAME]),
        ("abcd12", [OTHER]),
        ("abcd12/net2", []),
        ("abc", []),
        ("x", [Attachment("x", "net1")]),
        ("", []),
        ("/net1", []),
    ],
)
def test_by_a_containers_id(target: str, found: list[Attachment]) -> None:
    assert called.by_id(PODS, target, "status") == found


@pytest.mark.parametrize(
    ("target", "found"), [("shop/web", [ONE, SAME]), ("test/web", [OTHER]), ("shop", []), ("", [])]
)
def test_by_a_pods_name(target: str, found: list[Attachment]) -> None:
    assert called.by_pod(PODS, target, "status") == found


def test_several_are_named_and_nothing_in_a_name_is_obeyed() -> None:
    with pytest.raises(BadConfig, match="explain abcd: 2 containers are called so") as by_id:
        called.by_id(PODS, "abcd", "explain")
    with pytest.raises(BadConfig, match="status web: 2 containers are called so"):
        called.by_pod(PODS, "web", "status")
    with pytest.raises(BadConfig) as many:
        called.by_id([Attachment(f"abcd\x1b{number:02}", "net1") for number in range(11)], "abcd", "status")

    assert by_id.value.details == "say more of one: abcd1, abcd12"
    assert many.value.details.endswith(r"abcd\x1b09, ...")
    assert many.value.details.isprintable()
