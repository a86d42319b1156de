"""Entry of the executable `sriov` where it is made by PyInstaller (SNAPSHOT=no)."""

from cni_sriov.doors.cni import entry

entry()
