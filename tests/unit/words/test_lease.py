"""A lease as it is kept, in its owner's file and in the Record."""

from __future__ import annotations

import json

from cni_sriov.words.lease import Lease, LeaseDir

# as 0.1.0 writes it
WRITTEN = '{"address":"10.10.1.2/24","gateway":"10.10.1.1","pool":"10.10.0.0/16","scope":"default","sticky":"","subnet":"10.10.1.0/24"}'


def test_it_is_kept_as_ever() -> None:
    lease = Lease("default", "10.10.1.0/24", "10.10.1.2/24", "10.10.1.1", "10.10.0.0/16")

    assert json.dumps(lease.to_json(), separators=(",", ":")) == WRITTEN
    assert Lease.from_json(json.loads(WRITTEN)) == lease


def test_leases_are_in_their_scope_below_the_data_directory() -> None:
    assert LeaseDir("/var/lib/cni/host-subnet", "default").path == "/var/lib/cni/host-subnet/default"
