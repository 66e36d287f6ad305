//! Site: the part of the network that one household or company has, by which strangers share what is scarce.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// Site of an address: its /24 for IPv4, its /56 for IPv6 (RFC 6177 section 2: an end site has a /56 or a /48; within it, whoever has it
/// chooses addresses without end). IPv4 mapped in IPv6 (RFC 4291 section 2.5.5.2) counts as IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Site(IpAddr);

impl Site {
    /// Finds the site of an address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(ip) => {
                let [a, b, c, _] = ip.octets();
                Self(IpAddr::V4(Ipv4Addr::new(a, b, c, 0)))
            }
            IpAddr::V6(ip) => {
                let [a, b, c, d, ..] = ip.segments();
                Self(IpAddr::V6(Ipv6Addr::new(a, b, c, d & 0xff00, 0, 0, 0, 0)))
            }
        }
    }
}

/// Writes the site as a network, such as `192.0.2.0/24`.
impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(ip) => write!(f, "{ip}/24"),
            IpAddr::V6(ip) => write!(f, "{ip}/56"),
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
}
