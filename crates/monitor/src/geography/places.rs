//! Places that an operator knows better than any database: offices, branches, the exits of a company's own network.
//!
//! Each line has one place: `prefix,country,latitude,longitude,radius_km,kind` and, where it is known, the autonomous system; comments
//! begin with `#`. The longest prefix that fits an address counts.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use countersign_core::Limits;
use countersign_risk::{
    geo::Position,
    network::{Asn, NetworkKind},
};

use crate::observe::Place;

/// Places by prefix: the length of the prefix in bits of an IPv6 address, and the bits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Places {
    by_prefix: BTreeMap<(u8, u128), Place>,
    lengths: BTreeSet<u8>,
}

impl Places {
    /// Adds the places of a text, one a line.
    ///
    /// # Errors
    /// Advice in words about the first line that is no place, or about a text with too many places.
    pub fn add(&mut self, text: &str) -> Result<(), String> {
        for (number, line) in (1_usize..).zip(text.lines()) {
            let entry = line.split('#').next().unwrap_or_default().trim();
            if entry.is_empty() {
                continue;
            }
            let (key, place) = place(entry).ok_or_else(|| {
                format!(
                    "line {number} is not a place; write for example `192.0.2.0/24,DE,52.52,13.40,5,fixed`: prefix, country, degrees, kilometres, kind"
                )
            })?;
            if self.by_prefix.len() >= Limits::GEO_PLACES_MAX {
                return Err(format!("more than {} places; a database holds more", Limits::GEO_PLACES_MAX));
            }
            self.lengths.insert(key.0);
            self.by_prefix.insert(key, place);
        }
        Ok(())
    }

    /// Finds the place of an address by the longest prefix that fits; `None` when none fits.
    #[must_use]
    pub fn locate(&self, address: IpAddr) -> Option<&Place> {
        let bits = bits(address);
        self.lengths.iter().rev().find_map(|length| self.by_prefix.get(&(*length, bits & mask(*length))))
    }

    /// Tells whether no place was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_prefix.is_empty()
    }
}

/// Bits of an address; IPv4 in the form of RFC 4291 section 2.5.5.2, so that one rule serves both versions.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

fn mask(length: u8) -> u128 {
    u128::MAX.checked_shl(128_u32.saturating_sub(u32::from(length))).unwrap_or(0)
}

fn place(entry: &str) -> Option<((u8, u128), Place)> {
    let mut fields = entry.split(',').map(str::trim);
    let (prefix, length) = fields.next()?.split_once('/')?;
    let address: IpAddr = prefix.parse().ok()?;
    let length: u8 = length.parse().ok()?;
    let length = match address {
        IpAddr::V4(_) if length <= 32 => length.checked_add(96)?,
        IpAddr::V6(_) if length <= 128 => length,
        IpAddr::V4(_) | IpAddr::V6(_) => return None,
    };
    let country = fields.next()?;
    let country = match country {
        "" => None,
        code if code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase()) => Some(code.to_owned()),
        _ => return None,
    };
    let mut number = || fields.next()?.parse::<f64>().ok();
    let position = Position::new(number()?, number()?, number()?).ok()?;
    let kind = Some(NetworkKind::named(fields.next()?)).filter(|kind| *kind != NetworkKind::Unknown)?;
    let network = match fields.next() {
        None => None,
        Some(number) => Some(Asn(number.trim_start_matches("AS").parse().ok()?)),
    };
    if fields.next().is_some() || bits(address) & mask(length) != bits(address) {
        return None;
    }
    Some(((length, bits(address)), Place { network, country, kind, position: Some(position) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(text: &str) -> Result<Places, String> {
        let mut places = Places::default();
        places.add(text).map(|()| places)
    }

    #[test]
    fn the_longest_prefix_counts() {
        let places = places(
            "# ours\n10.0.0.0/8,DE,52.52,13.40,50,fixed\n10.1.0.0/16,FR,48.85,2.35,5,mobile,AS64496 # Paris\n2001:db8::/32,,35.68,139.69,20,hosting\n",
        )
        .expect("places");
        let country = |address: &str| places.locate(address.parse().expect("an address")).map(|place| place.country.clone());
        assert_eq!(country("10.2.3.4"), Some(Some("DE".to_owned())));
        assert_eq!(country("10.1.3.4"), Some(Some("FR".to_owned())));
        assert_eq!(country("::ffff:10.1.3.4"), Some(Some("FR".to_owned())), "however it is written");
        assert_eq!(country("2001:db8::1"), Some(None));
        assert_eq!(country("11.0.0.1"), None);
        assert_eq!(country("2001:db9::1"), None);
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for bad in [
            "10.0.0.0,DE,52.52,13.40,50,fixed",
            "10.0.0.0/33,DE,52.52,13.40,50,fixed",
            "10.0.0.1/8,DE,52.52,13.40,50,fixed",
            "10.0.0.0/8,de,52.52,13.40,50,fixed",
            "10.0.0.0/8,DE,91,13.40,50,fixed",
            "10.0.0.0/8,DE,52.52,NaN,50,fixed",
            "10.0.0.0/8,DE,52.52,13.40,50,castle",
            "10.0.0.0/8,DE,52.52,13.40,50",
            "10.0.0.0/8,DE,52.52,13.40,50,fixed,more",
            "10.0.0.0/8,DE,52.52,13.40,50,fixed,AS64496,more",
        ] {
            let said = places(&format!("10.0.0.0/8,DE,52.52,13.40,50,fixed\n{bad}")).expect_err(bad);
            assert!(said.starts_with("line 2 is not a place"), "{said}");
        }
    }
}
