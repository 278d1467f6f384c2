"""Which internet addresses are public: those that a server of somebody else can have, and no others.

Python's own ``is_global`` depends on its version and passes several forms that carry an address of this
machine inside (3.11 takes ``::127.0.0.1`` and ``64:ff9b::7f00:1`` for global). So the ranges stand here, from
the registries of special-purpose addresses: iana-ipv4-special-registry and iana-ipv6-special-registry (RFC
6890) and iana-ipv6-unicast-address-assignments (of which 2000::/3 alone is in use).
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

_IPV4_SPECIAL = tuple(
    IPv4Network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15"),
        *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
    )
)
_IPV6_UNICAST = IPv6Network("2000::/3")
_IPV6_SPECIAL = tuple(
    IPv6Network(network)
    # Protocol assignments with Teredo and ORCHID, documentation twice, and 6to4 with an IPv4 address inside.
    for network in ("2001::/23", "2001:db8::/32", "3fff::/20", "2002::/16")
)
_MAPPED = IPv6Network("::ffff:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether the address is on the public internet.

    An IPv4 address inside an IPv6 one is judged by itself where it is reached as such: mapped
    (``::ffff:a.b.c.d``), and behind the well-known prefix of NAT64, which networks without IPv4 answer with
    (RFC 6052). All other forms that carry one are refused.
    """
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _IPV4_SPECIAL)
    if address in _MAPPED or address in _NAT64:
        return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
    return address in _IPV6_UNICAST and not any(address in network for network in _IPV6_SPECIAL)
