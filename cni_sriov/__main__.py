"""`python -m cni_sriov` is the plugin, from a checkout."""

from .doors.cni import entry

entry()
