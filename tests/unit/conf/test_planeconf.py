"""What a conf says of a VF for a program in user space; which ones are good, conf_table.py has."""

from __future__ import annotations

from typing import Any

import pytest

from cni_sriov.conf import netconf
from cni_sriov.conf.planeconf import PlaneConf
from cni_sriov.words.errors import BadConfig
from tests.unit.conf.conf_table import NETDEV_ONLY, conf


def plane(**keys: Any) -> PlaneConf:
    return netconf.parse(conf(**keys), {}).plane


def test_nothing_is_asked_by_itself() -> None:
    assert plane() == PlaneConf()


@pytest.mark.parametrize(
    ("keys", "driver"),
    [
        ({"driver": "kernel"}, "kernel"),
        ({"driver": "auto"}, "auto"),
        ({"dpdk": {"dpdk_driver": "igb_uio"}}, "igb_uio"),
        ({"dpdk": {"dpdk_driver": "igb_uio"}, "driver": "vfio-pci"}, "vfio-pci"),
        ({"dpdk": {"kernel_driver": "igbvf"}}, ""),
        ({"vpp": {"directory": "/run/vpp"}}, "auto"),
        ({"vpp": {"directory": "/run/vpp"}, "driver": "vfio-pci"}, "vfio-pci"),
        ({"vpp": {"mode": "host"}, "master": None}, ""),
    ],
)
def test_which_driver(keys: dict[str, Any], driver: str) -> None:
    assert plane(**keys).driver == driver


@pytest.mark.parametrize(
    ("keys", "device"),
    [
        ({"dpdk": {"pci_addr": "01:10.0"}}, "0000:01:10.0"),
        ({"dpdk": {"pci_addr": "01:10.0"}, "pciBusID": "0000:01:10.2"}, "0000:01:10.2"),
        ({"dpdk": {"dpdk_driver": "igb_uio"}}, ""),
    ],
)
def test_the_vf_by_the_block_of_early_plugins(keys: dict[str, Any], device: str) -> None:
    asked = netconf.parse(conf(**keys), {})

    assert (asked.device, asked.master) == (device, "" if device else "enp1s0f0")


def test_an_owner_is_two_numbers() -> None:
    assert plane(driver="auto", vfioOwner="1000:0050").owner == (1000, 50)


@pytest.mark.parametrize(
    ("size", "kib"),
    [("64Ki", 64), ("2Mi", 2048), ("32Mi", 32768), ("512Mi", 524288), ("1Gi", 1048576), ("16Gi", 16777216)],
)
def test_huge_pages_by_their_size_in_kib(size: str, kib: int) -> None:
    assert plane(hugepages={size: 5}).hugepages == {kib: 5}


@pytest.mark.parametrize(("mode", "is_host"), [("host", True), ("container", False)])
def test_whose_vpp_it_is(mode: str, is_host: bool) -> None:
    master = None if is_host else "enp1s0f0"

    assert plane(master=master, vpp={"mode": mode, "directory": "/run/vpp"}).is_vpp_host is is_host


def test_crypto_is_asked_for() -> None:
    assert plane(crypto="auto", driver="auto").crypto


@pytest.mark.parametrize("key", ["vfioOwner", "crypto"])
def test_what_only_a_program_in_user_space_can_use_is_named(key: str) -> None:
    with pytest.raises(BadConfig, match=f"read {key}: the VF will have a network interface"):
        plane(**{key: {"vfioOwner": "1:1", "crypto": "auto"}[key]})


def test_a_check_without_the_word_of_the_device_plugin_is_none_of_that() -> None:
    assert netconf.parse(conf(vfioOwner="1:1", master=None), {}, adding=False).plane.owner == (1, 1)


@pytest.mark.parametrize("key", NETDEV_ONLY)
def test_what_only_a_netdev_can_carry_is_named(key: str) -> None:
    with pytest.raises(BadConfig, match=f"read {key}: only a netdev can carry it, and with driver igb_uio"):
        plane(driver="igb_uio", **{key: NETDEV_ONLY[key]})
