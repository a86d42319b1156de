"""What a simulated node leases, by the product's own code: which subnet (decide/subnets.py, leases/index.py), and when to look
for more (decide/shared.py).
"""

from __future__ import annotations

from cni_sriov.conf import hostsubnet
from cni_sriov.conf.hostsubnet import IpamConf
from cni_sriov.conf.pools import Pool
from cni_sriov.decide import shared, subnets
from cni_sriov.leases import index
from cni_sriov.words.inet import Prefix, parse_prefix
from cni_sriov.words.lease import Lease


def configured(pool: str, length: int, block: int) -> IpamConf:
    blocks = {"cluster": "rack", "length": block}
    section = {"subnet": pool, "prefixLength": length, "blocks": blocks}
    return hostsubnet.parse({"type": "host-subnet", "pools": [section]})


class Leases:
    """One node's; the View of the choice."""

    def __init__(self, conf: IpamConf) -> None:
        self.conf = conf
        self.kept: list[Lease] = []
        self.cursors: dict[str, int] = {}
        self.all: list[Prefix] = []
        self._index = index.build(self.pool.version, [])

    @property
    def pool(self) -> Pool:
        return self.conf.pools[0]

    def take(self, blocks: list[Prefix]) -> bool:
        """One more; whether less than a quarter of a block is left, where this lease is one that looks."""
        self.pool.bounds = sorted(blocks, key=lambda block: block.value)
        choice = subnets.choose(self.conf, self, [])
        self.cursors |= choice.cursors
        subnet = parse_prefix(choice.leases[0].subnet)
        self._index.mark(subnet, leased=True)
        self.all.append(subnet)
        return shared.is_milestone(self.pool, subnet) and shared.is_low(self.pool, self, [])

    # the View ----------------------------------------------------------------------------------------------------

    def conflict(self, prefix: Prefix) -> bool:
        return self._index.conflict(prefix)

    def first_free(self, within: Prefix, length: int, start: int) -> int | None:
        return self._index.first_free(within, length, start)

    def count_free(self, within: Prefix, length: int, enough: int) -> int:
        return self._index.count_free(within, length, enough)

    def cursor(self, key: str) -> int | None:
        return self.cursors.get(key)
