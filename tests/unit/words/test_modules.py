"""What a module is told."""

from __future__ import annotations

from cni_sriov.words.modules import ModuleOption


def test_a_blacklist_is_an_option_without_value() -> None:
    assert ModuleOption("/etc/modprobe.d/x.conf", "blacklist igbvf", "igbvf", "blacklist").value == ""
