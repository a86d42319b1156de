"""Entry of the executable `sriovctl`."""

import sys

try:
    from cni_sriov.ctl.main import entry
except KeyboardInterrupt:  # while it loads; later `entry` answers
    sys.exit(130)

entry()
