"""Which of sriov-cni's files count: where they are, and which VF they mark."""

from __future__ import annotations

import errno
import os
from typing import Any

import pytest

from cni_sriov.state.ledger import Ledger
from cni_sriov.vf import cachefiles
from cni_sriov.vf.host import Host
from cni_sriov.words.errors import InputOutput
from cni_sriov.words.log import Log
from tests.drop_in import SriovCni, known
from tests.unit.adopted import SETTINGS
from tests.unit.one_port import OTHERS
from tests.world import World


def test_a_marked_vf_is_not_taken_while_its_netns_lives(world: World, old: SriovCni) -> None:
    """sriov-cni's DEL failed half-way: the mark stands, its record is gone."""
    world.state_dir.mkdir(mode=0o700)
    (world.state_dir / "pci").mkdir()
    (world.state_dir / "pci/0000:01:10.0").write_text(OTHERS)

    refused = world.call("ADD", world.conf(master=None, deviceID="0000:01:10.0"))
    assert (refused.code, "sriov-cni attached it" in refused.text) == (11, True)
    world.kernel.kill_netns(OTHERS)
    assert world.call("ADD", world.conf(master=None, deviceID="0000:01:10.0")).code == 0


def test_another_directory_by_cni_dir(world: World) -> None:
    """Its version 1 had that key; here it says where its files are, if stateDir is somewhere else."""
    known(world)
    old = SriovCni(world, world.root / "old")
    before = world.kernel.snapshot()
    conf = old.add(**SETTINGS) | {"cniDir": str(old.directory)}

    assert world.call("DEL", conf | {"cniDir": None}).code == 0
    assert old.files() == ["c1-net1", "pci/0000:01:10.0"]
    assert (world.call("CHECK", conf).code, world.call("DEL", conf).code) == (0, 0)
    assert (world.kernel.snapshot(), old.files()) == (before, [])


def test_one_that_cannot_be_looked_at_is_not_passed_over(
    world: World, old: SriovCni, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two that name one VF the newer is right, and that may be this one."""
    old.add(**SETTINGS)
    host, lstat = Host(Ledger(str(old.directory), Log("none"), boot_id="x"), Log("none")), os.lstat

    def without_descriptors(path: Any, **how: Any) -> os.stat_result:
        if str(path).endswith("/c1-net1"):
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), path)
        return lstat(path, **how)

    assert [found.name for found in cachefiles.all_files(host)] == ["c1-net1"]
    monkeypatch.setattr(os, "lstat", without_descriptors)

    with pytest.raises(InputOutput, match="Too many open files"):
        cachefiles.all_files(host)
