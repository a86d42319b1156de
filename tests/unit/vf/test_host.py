"""The faces in one bundle: real ones, opened when they are first wanted."""

from __future__ import annotations

import os
from pathlib import Path

from cni_sriov.state.ledger import Ledger
from cni_sriov.vf.host import Host
from cni_sriov.words.log import Log
from tests.world import World


def test_other_plugins_are_started_with_an_ordinary_umask(one_vf: World, tmp_path: Path) -> None:
    """host-local's files would be 0600 else, and its directories 0700."""
    plugin = tmp_path / "plugin"
    plugin.write_text("#!/bin/sh\ncat > /dev/null\numask\n")
    plugin.chmod(0o755)
    host = Host(Ledger(str(one_vf.state_dir), Log("none"), boot_id="x"), Log("none"))
    before = os.umask(0o077)
    try:
        assert host.run_plugin(str(plugin), {}, "") == (0, "0022\n")
        assert os.umask(0o077) == 0o077
    finally:
        os.umask(before)
