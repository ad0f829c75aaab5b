//! Which addresses belong to the public network. Everything that is not known to is refused.
//!
//! Source: IANA IPv4 and IPv6 Special-Purpose Address Registries, 2026-11.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Networks of version 4 that are not public: address and length of the prefix.
const SPECIAL_4: &[([u8; 4], u32)] = &[
    ([0, 0, 0, 0], 8),       // this network
    ([10, 0, 0, 0], 8),      // private
    ([100, 64, 0, 0], 10),   // carriers' own
    ([127, 0, 0, 0], 8),     // loopback
    ([169, 254, 0, 0], 16),  // link-local: metadata services
    ([172, 16, 0, 0], 12),   // private
    ([192, 0, 0, 0], 24),    // protocol assignments
    ([192, 0, 2, 0], 24),    // documentation
    ([192, 88, 99, 0], 24),  // 6to4 relays
    ([192, 168, 0, 0], 16),  // private
    ([198, 18, 0, 0], 15),   // benchmarks
    ([198, 51, 100, 0], 24), // documentation
    ([203, 0, 113, 0], 24),  // documentation
    ([224, 0, 0, 0], 4),     // multicast
    ([240, 0, 0, 0], 4),     // reserved, broadcast
];

/// Networks within 2000::/3 that are not public, or that another address stands in.
const SPECIAL_6: &[([u16; 2], u32)] = &[
    ([0x2001, 0x0000], 23), // protocol assignments, Teredo
    ([0x2001, 0x0db8], 32), // documentation
    ([0x2002, 0x0000], 16), // 6to4: holds an address of version 4
    ([0x3fff, 0x0000], 20), // documentation
];

/// Whether `address` is one of the public network.
///
/// Of version 6 only global unicast (2000::/3) is: that leaves out loopback, link-local, local networks,
/// multicast, and the forms that an address of version 4 can stand in (`::ffff:127.0.0.1`,
/// `64:ff9b::7f00:1`).
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_4(address),
        IpAddr::V6(address) => is_public_6(address),
    }
}

fn is_public_4(address: Ipv4Addr) -> bool {
    let within = |(network, length): &([u8; 4], u32)| {
        let shift = 32 - length;
        address.to_bits() >> shift == Ipv4Addr::from(*network).to_bits() >> shift
    };
    !SPECIAL_4.iter().any(within)
}

fn is_public_6(address: Ipv6Addr) -> bool {
    // All prefixes lie in the first half of the first half.
    let [first, second, ..] = address.segments();
    let bits = u32::from(first) << 16 | u32::from(second);
    let within = |([a, b], length): &([u16; 2], u32)| {
        let (network, shift) = (u32::from(*a) << 16 | u32::from(*b), 32 - length);
        bits >> shift == network >> shift
    };
    bits >> 29 == 1 && !SPECIAL_6.iter().any(within)
}
