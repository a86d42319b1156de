"""Entry of the executable `sriov`: the name it was called by chooses the door."""

from cni_sriov.plugin import entry

entry()
