"""`python -m cni_sriov` is the plugin, from a checkout."""

from .plugin import entry

entry()
