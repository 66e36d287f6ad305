//! Site: the part of the network that one household, office or carrier's gateway has, by which strangers share what is scarce.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// Site of an address: 24 bits of IPv4, 56 bits of IPv6.
///
/// An end site has a /56 or a /48 (RFC 6177 section 2), and within it whoever has it chooses addresses without end (RFC 8981). IPv4 mapped in
/// IPv6 (RFC 4291 section 2.5.5.2) counts as IPv4; otherwise an IPv4 client behind an IPv6 socket would be at another site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Site([u8; 8]);

impl Site {
    /// Finds the site of an address.
    #[must_use]
    pub const fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => {
                let [a, b, c, _] = v4.octets();
                Self([4, a, b, c, 0, 0, 0, 0])
            }
            IpAddr::V6(v6) => {
                let [a, b, c, d, e, f, g, ..] = v6.octets();
                Self([6, a, b, c, d, e, f, g])
            }
        }
    }

    /// Bytes that stand for the site; the first is the version, 4 or 6.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

/// Writes the site as a network, such as `192.0.2.0/24`.
impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [version, a, b, c, d, e, g, h] = self.0;
        if version == 4 {
            write!(f, "{}/24", Ipv4Addr::new(a, b, c, 0))
        } else {
            write!(f, "{}/56", Ipv6Addr::from([a, b, c, d, e, g, h, 0, 0, 0, 0, 0, 0, 0, 0, 0]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_a_network() {
        let rows = [
            ("192.0.2.77", "192.0.2.0/24"),
            ("::ffff:192.0.2.77", "192.0.2.0/24"),
            ("2001:db8:1:2ff:3::4", "2001:db8:1:200::/56"),
            ("2001:db8:1:300::", "2001:db8:1:300::/56"),
            ("::1", "::/56"),
        ];
        for (address, expected) in rows {
            assert_eq!(Site::of(address.parse().expect("an address")).to_string(), expected);
        }
    }

    #[test]
    fn a_site_is_what_a_household_keeps() {
        let rows = [
            ("the next address of a /24", "192.0.2.1", "192.0.2.254", true),
            ("the next /24", "192.0.2.1", "192.0.3.1", false),
            ("IPv4 in IPv6", "192.0.2.1", "::ffff:192.0.2.9", true),
            ("another privacy address", "2001:db8:1:1::1", "2001:db8:1:ff:2:3:4:5", true),
            ("another /56", "2001:db8:1:100::1", "2001:db8:1:200::1", false),
        ];
        for (name, one, other, same) in rows {
            let of = |text: &str| Site::of(text.parse().expect("an address"));
            assert_eq!(of(one) == of(other), same, "{name}");
        }
    }
}
