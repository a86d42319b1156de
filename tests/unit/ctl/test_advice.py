"""What validate says beside a good configuration for a program in user space."""

from __future__ import annotations

from typing import Any

import pytest

from cni_sriov.ctl import validate
from tests.unit.conf.conf_table import conf

VF = "0000:01:10.0"


def notes(*argv: Any, **keys: Any) -> dict[str, str]:
    found = validate.judge(conf(**keys), *argv)
    assert {finding.severity for finding in found} <= {"note"}
    return {finding.path: finding.rule for finding in found}


@pytest.mark.parametrize("driver", ["vfio-pci", "uio_pci_generic", "igb_uio", "auto"])
def test_who_picks_the_vf_is_a_matter_of_its_node(driver: str) -> None:
    assert "gives no container a device node" in notes(driver=driver)["driver"]
    assert notes(driver=driver, master=None, deviceID=VF) == {}


def test_where_a_device_plugin_names_the_vf_it_gives_the_node_too() -> None:
    found = notes(None, "the device plugin", driver="vfio-pci", master=None)

    assert not any("device node" in rule for rule in found.values())


@pytest.mark.parametrize("driver", [None, "kernel"])
def test_a_netdev_needs_none_of_that(driver: str | None) -> None:
    assert notes(driver=driver) == {}


def test_containers_with_a_vpp_have_a_directory_each() -> None:
    here = {"master": None, "deviceID": VF}

    assert "the same for every container" in notes(vpp={"directory": "/run/vpp"}, **here)["vpp.directory"]
    assert notes(vpp={"directory": "/run/vpp/{containerID}"}, **here) == {}
    assert notes(vpp={"mode": "host"}, master=None) == {}


def test_what_is_refused_gets_no_advice() -> None:
    assert [finding.severity for finding in validate.judge(conf(driver="auto", mtu=1500))] == ["error"]
