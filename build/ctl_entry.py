"""Entry of the executable `sriovctl`."""

from cni_sriov.ctl.main import entry

entry()
