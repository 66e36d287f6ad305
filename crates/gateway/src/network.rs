//! A network that the configuration names: whoever comes from there may do what it says.

use std::{fmt, net::IpAddr};

/// A network: an address, and how many of its bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    bits: u8,
}

/// A text is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkError {
    /// It is no address, or the number of bits is none.
    Malformed,
    /// Bits of the address are set that do not count; which network was meant is not clear.
    HostBits,
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "write an address or a network, such as `10.0.0.5` or `10.0.0.0/24`",
            Self::HostBits => "the address has bits behind the prefix; write the network's first address, such as `10.0.0.0/24`",
        })
    }
}

impl std::error::Error for NetworkError {}

impl Network {
    /// Reads `10.0.0.0/24`, `2001:db8::/32`, or one address.
    ///
    /// # Errors
    /// When it is no network, or one with bits behind its prefix.
    pub fn parse(text: &str) -> Result<Self, NetworkError> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let base: IpAddr = address.parse().map_err(|_| NetworkError::Malformed)?;
        let bits_max: u8 = if base.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => bits_max,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().map_err(|_| NetworkError::Malformed)?,
            Some(_) => return Err(NetworkError::Malformed),
        };
        if bits > bits_max {
            return Err(NetworkError::Malformed);
        }
        let network = Self { base, bits };
        if first_bits(base, bits) == number(base) { Ok(network) } else { Err(NetworkError::HostBits) }
    }

    /// Whether `address` is in it. IPv4 in IPv6 counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.base.is_ipv4() && first_bits(address, self.bits) == number(self.base)
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(ip) => u128::from(u32::from(ip)),
        IpAddr::V6(ip) => u128::from(ip),
    }
}

fn first_bits(address: IpAddr, bits: u8) -> u128 {
    let width: u8 = if address.is_ipv4() { 32 } else { 128 };
    let dropped = u32::from(width.saturating_sub(bits));
    let kept = u128::MAX.checked_shl(dropped).unwrap_or(0);
    number(address) & kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_the_addresses_of_its_prefix() {
        let rows: &[(&str, &str, bool)] = &[
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("10.0.0.5", "10.0.0.5", true),
            ("10.0.0.5", "10.0.0.6", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::/0", "2001:db8::1", true),
        ];
        for (network, address, expected) in rows {
            let network = Network::parse(network).expect("a network");
            assert_eq!(network.contains(address.parse().expect("an address")), *expected, "{network:?} {address}");
        }
        for wrong in ["10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "10/8", "localhost", "", "2001:db8::/129", "2001:db8::1/64"]
        {
            assert!(Network::parse(wrong).is_err(), "{wrong}");
        }
    }
}
