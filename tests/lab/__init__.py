"""The lab: a virtual machine with a two-port SR-IOV card, for tests, the demo and benchmarks.

`python -m tests.lab prepare` builds it; the fixtures `lab` and `lab_module` (conftest.py) hand it to tests.
"""
