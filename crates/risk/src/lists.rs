//! Lists of networks that say which address ranges and autonomous systems belong to data centres, anonymisers or carriers.
//!
//! They are built from texts as publishers give them: one prefix or one system a line, comments after `#` or `;`. A new set of lists is
//! built beside the old one and then replaces it as a whole. An address that no list names is unknown, and unknown is never risky.

use std::{collections::BTreeMap, net::IpAddr};

use countersign_core::Limits;

use crate::network::{Asn, NetworkKind};

/// Reason why a text is not a list. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListRefusal {
    /// A line is neither a comment nor an entry.
    EntryMalformed {
        /// Number of the line, counted from 1.
        line: usize,
    },
    /// The lists together have more than [`Limits::NETWORK_LIST_ENTRIES_MAX`] entries.
    TooMany,
}

impl std::fmt::Display for ListRefusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::EntryMalformed { line } => write!(f, "line {line} of the list is neither a comment nor an entry"),
            Self::TooMany => write!(f, "the lists have more than {} entries", Limits::NETWORK_LIST_ENTRIES_MAX),
        }
    }
}

impl std::error::Error for ListRefusal {}

/// First and last address of a range, as IPv6 (IPv4 is mapped as in RFC 4291 section 2.5.5.2).
type Range = (u128, u128);

/// Kinds of networks by address range and by autonomous system. Where lists overlap, the more specific kind wins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NetworkLists {
    ranges: [Vec<Range>; 6],
    systems: BTreeMap<u32, NetworkKind>,
    entries: usize,
}

/// Kinds in the order in which they are believed. A VPN's prefix lies within a data centre's, and a data centre's within a provider's, so
/// the innermost comes first.
const BY_WEIGHT: [NetworkKind; 5] =
    [NetworkKind::Anonymiser, NetworkKind::Satellite, NetworkKind::Hosting, NetworkKind::Mobile, NetworkKind::Fixed];

impl NetworkLists {
    /// Adds the prefixes of `text` as networks of `kind` and returns their number. A line is `192.0.2.0/24`, `2001:db8::/32` or a single
    /// address.
    ///
    /// # Errors
    /// The first line that is not an entry, or too many entries. The lists then stay as they were.
    pub fn add_prefixes(&mut self, kind: NetworkKind, text: &str) -> Result<usize, ListRefusal> {
        let mut added = Vec::new();
        for (line, entry) in entries(text) {
            added.push(range(entry).ok_or(ListRefusal::EntryMalformed { line })?);
        }
        let count = self.count(added.len())?;
        if let Some(ranges) = self.ranges.get_mut(kind.index()) {
            ranges.extend(added);
            *ranges = merged(std::mem::take(ranges));
        }
        Ok(count)
    }

    /// Adds the autonomous systems of `text` as networks of `kind` and returns their number. A line is `AS64496`, `64496`, or a row of
    /// which this is the first field; a header that begins with `ASN` is skipped.
    ///
    /// # Errors
    /// The first line that is not an entry, or too many entries. The lists then stay as they were.
    pub fn add_systems(&mut self, kind: NetworkKind, text: &str) -> Result<usize, ListRefusal> {
        let mut added = Vec::new();
        for (line, entry) in entries(text) {
            let first = entry.split([',', ' ', '\t']).next().unwrap_or("").trim_matches('"').to_ascii_uppercase();
            // Some publishers put a header in front.
            if line == 1 && first == "ASN" {
                continue;
            }
            let number = first.strip_prefix("AS").unwrap_or(&first);
            added.push(number.parse::<u32>().map_err(|_| ListRefusal::EntryMalformed { line })?);
        }
        let count = self.count(added.len())?;
        for number in added {
            // A system on two lists gets the kind that is believed first, whatever the order of the lists.
            let held = self.systems.entry(number).or_insert(kind);
            if weight(kind) < weight(*held) {
                *held = kind;
            }
        }
        Ok(count)
    }

    /// The kind of network of `address`: that of its prefix, otherwise that of its system, otherwise unknown.
    #[must_use]
    pub fn kind(&self, address: IpAddr, system: Option<Asn>) -> NetworkKind {
        let bits = bits(address);
        let listed = |kind: &NetworkKind| self.ranges.get(kind.index()).is_some_and(|ranges| holds(ranges, bits));
        BY_WEIGHT
            .into_iter()
            .find(listed)
            .or_else(|| system.and_then(|Asn(number)| self.systems.get(&number).copied()))
            .unwrap_or(NetworkKind::Unknown)
    }

    fn count(&mut self, added: usize) -> Result<usize, ListRefusal> {
        let entries = self.entries.saturating_add(added);
        if entries > Limits::NETWORK_LIST_ENTRIES_MAX {
            return Err(ListRefusal::TooMany);
        }
        self.entries = entries;
        Ok(added)
    }
}

fn weight(kind: NetworkKind) -> usize {
    BY_WEIGHT.iter().position(|other| *other == kind).unwrap_or(BY_WEIGHT.len())
}

fn entries(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let content = |line: &'_ str| line.split(['#', ';']).next().map_or(0, |content| content.len());
    text.lines().enumerate().filter_map(move |(index, line)| {
        let entry = line.get(..content(line)).unwrap_or("").trim();
        (!entry.is_empty()).then_some((index.saturating_add(1), entry))
    })
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_ipv6_mapped()),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

fn range(entry: &str) -> Option<Range> {
    let (address, length) = match entry.split_once('/') {
        Some((address, length)) => (address.parse::<IpAddr>().ok()?, length.parse::<u32>().ok()?),
        None => {
            let address = entry.parse::<IpAddr>().ok()?;
            (address, if address.is_ipv4() { 32 } else { 128 })
        }
    };
    let host_bits = if address.is_ipv4() { 32_u32 } else { 128 }.checked_sub(length)?;
    // Shifting by all 128 bits would overflow; a single address has no host bits.
    let hosts = u128::MAX.checked_shr(128_u32.saturating_sub(host_bits)).unwrap_or(0);
    // Host bits that a publisher left in a prefix are cleared, as a router does.
    let first = bits(address) & !hosts;
    Some((first, first | hosts))
}

/// Sorts the ranges and merges those that overlap or touch, so that [`holds`] finds an address with one binary search.
fn merged(mut ranges: Vec<Range>) -> Vec<Range> {
    ranges.sort_unstable();
    let mut out: Vec<Range> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match out.last_mut() {
            // Ranges that only touch are merged as well, which shortens lists of many small prefixes.
            Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
            Some(_) | None => out.push((first, last)),
        }
    }
    out
}

fn holds(ranges: &[Range], address: u128) -> bool {
    // Ranges are sorted and do not overlap, so only the last one that begins at or before the address can hold it.
    let after = ranges.partition_point(|(first, _)| *first <= address);
    after.checked_sub(1).and_then(|index| ranges.get(index)).is_some_and(|(_, last)| address <= *last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists() -> NetworkLists {
        let mut lists = NetworkLists::default();
        let hosting = "# data centres\n192.0.2.0/24\n2001:db8::/32 # all of it\n\n198.51.100.7\n";
        assert_eq!(lists.add_prefixes(NetworkKind::Hosting, hosting), Ok(3));
        assert_eq!(lists.add_prefixes(NetworkKind::Anonymiser, "192.0.2.128/25\n192.0.2.0/30\n192.0.2.2/31\n"), Ok(3));
        assert_eq!(lists.add_systems(NetworkKind::Hosting, "AS64496 # one\nas64497\t# two\n64498\n"), Ok(3));
        assert_eq!(lists.add_systems(NetworkKind::Anonymiser, "ASN,Entity\n64498,\"x\"\n64499, \"y, DE\"\n"), Ok(2));
        lists
    }

    #[test]
    fn the_more_telling_kind_wins_and_what_is_not_listed_is_unknown() {
        use NetworkKind::{Anonymiser, Hosting, Unknown};
        let rows = [
            ("first of a prefix that another list has too", "192.0.2.0", None, Anonymiser),
            ("last of two that touch", "192.0.2.3", None, Anonymiser),
            ("after them", "192.0.2.4", None, Hosting),
            ("before the VPN's half", "192.0.2.127", None, Hosting),
            ("the VPN's half", "192.0.2.255", None, Anonymiser),
            ("after the prefix", "192.0.3.0", None, Unknown),
            ("before the prefix", "192.0.1.255", None, Unknown),
            ("a single address", "198.51.100.7", None, Hosting),
            ("its neighbour", "198.51.100.8", None, Unknown),
            ("IPv6", "2001:db8:ffff::1", None, Hosting),
            ("IPv4 in IPv6", "::ffff:192.0.2.9", None, Hosting),
            ("by its system", "203.0.113.1", Some(64497), Hosting),
            ("by a system on two lists", "203.0.113.1", Some(64498), Anonymiser),
            ("an unlisted system", "203.0.113.1", Some(1), Unknown),
            ("the prefix before the system", "192.0.2.9", Some(64499), Hosting),
        ];
        let lists = lists();
        for (name, address, system, kind) in rows {
            assert_eq!(lists.kind(address.parse().unwrap(), system.map(Asn)), kind, "{name}");
        }
    }

    #[test]
    fn texts_that_are_no_lists() {
        let rows = [
            ("a word", "192.0.2.0/24\nhello\n", 2),
            ("too long a prefix", "192.0.2.0/33\n", 1),
            ("no length", "192.0.2.0/\n", 1),
            ("too long an IPv6 prefix", "2001:db8::/129\n", 1),
        ];
        for (name, text, line) in rows {
            let mut lists = lists();
            assert_eq!(lists.add_prefixes(NetworkKind::Hosting, text), Err(ListRefusal::EntryMalformed { line }), "{name}");
            assert_eq!(lists, self::lists(), "{name}");
        }
        let rows = [("a word", "AS1\nASx\n", 2), ("a number too large", "4294967296\n", 1), ("a header below", "1\nASN\n", 2)];
        for (name, text, line) in rows {
            assert_eq!(lists().add_systems(NetworkKind::Hosting, text), Err(ListRefusal::EntryMalformed { line }), "{name}");
        }
        let mut full = NetworkLists { entries: Limits::NETWORK_LIST_ENTRIES_MAX, ..NetworkLists::default() };
        assert_eq!(full.add_systems(NetworkKind::Hosting, "AS1"), Err(ListRefusal::TooMany));
        assert_eq!(full.add_systems(NetworkKind::Hosting, ""), Ok(0));
    }

    #[test]
    fn the_whole_address_space_is_a_prefix() {
        let mut lists = NetworkLists::default();
        assert_eq!(lists.add_prefixes(NetworkKind::Fixed, "::/0\n0.0.0.0/0"), Ok(2));
        for address in ["::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "255.255.255.255"] {
            assert_eq!(lists.kind(address.parse().unwrap(), None), NetworkKind::Fixed, "{address}");
        }
    }
}
