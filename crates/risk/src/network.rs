//! Kinds of networks, and what an address says about the person behind it.

use core::net::IpAddr;

use countersign_core::Site;

/// Kind of network that an address belongs to, according to the operator's lists and databases. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NetworkKind {
    /// A VPN, proxy or Tor exit; its position says nothing about the person.
    Anonymiser,
    /// Lines to homes and offices.
    Fixed,
    /// A data centre, from which programs come rather than people.
    Hosting,
    /// A mobile carrier; thousands of people share its addresses, which are located badly.
    Mobile,
    /// A satellite carrier; its addresses are located at the ground station.
    Satellite,
    /// A network that no list contains. Unknown is never risky.
    Unknown,
}

impl NetworkKind {
    /// All kinds, in the order of [`Self::index`].
    pub const ALL: [Self; 6] = [Self::Anonymiser, Self::Fixed, Self::Hosting, Self::Mobile, Self::Satellite, Self::Unknown];

    /// Position of the kind in [`Self::ALL`] and in stored states. INVARIANT: never renumbered, since snapshots hold it.
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Anonymiser => 0,
            Self::Fixed => 1,
            Self::Hosting => 2,
            Self::Mobile => 3,
            Self::Satellite => 4,
            Self::Unknown => 5,
        }
    }

    /// The kind that lists and databases mean by `word`, among them MaxMind's `user_type` and `connection_type`. Unknown words mean
    /// [`Self::Unknown`].
    #[must_use]
    pub fn named(word: &str) -> Self {
        match word.trim().to_ascii_lowercase().replace([' ', '-'], "_").as_str() {
            "anonymiser" | "anonymizer" | "anonymous" | "proxy" | "public_proxy" | "relay" | "residential_proxy" | "tor" | "vpn" => {
                Self::Anonymiser
            }
            "broadband" | "business" | "cable" | "cable/dsl" | "cafe" | "college" | "corporate" | "dialup" | "dsl" | "education"
            | "fixed" | "government" | "isp" | "library" | "military" | "residential" | "school" | "traveler" => Self::Fixed,
            "cdn"
            | "cloud"
            | "content_delivery_network"
            | "data_center"
            | "datacenter"
            | "dc"
            | "hosting"
            | "search_engine_spider"
            | "server"
            | "vps" => Self::Hosting,
            "carrier" | "cellular" | "cgnat" | "mobile" => Self::Mobile,
            "satellite" => Self::Satellite,
            _ => Self::Unknown,
        }
    }

    /// Answer whether the position of the network's addresses is the position of the person.
    #[must_use]
    pub(crate) const fn locates(self) -> Locates {
        match self {
            Self::Fixed | Self::Mobile | Self::Unknown => Locates::ThePerson,
            Self::Anonymiser | Self::Hosting | Self::Satellite => Locates::SomethingElse,
        }
    }

    /// Smallest accuracy radius that is believed, in kilometres, whatever a database claims. The median error is 3 to 16 km on fixed lines
    /// and about 200 km on carriers (arXiv 2605.21937), and the tail beyond the median matters here.
    #[must_use]
    pub(crate) const fn radius_km_min(self) -> f32 {
        match self {
            Self::Fixed => 25.0,
            Self::Hosting | Self::Anonymiser => 50.0,
            Self::Unknown => 100.0,
            Self::Mobile => 250.0,
            Self::Satellite => 1000.0,
        }
    }
}

/// Object that a network's position locates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Locates {
    /// The network's position is about where the person is.
    ThePerson,
    /// The network's position is that of a machine, a ground station or an exit node.
    SomethingElse,
}

/// Number of an autonomous system (RFC 6793).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Asn(pub u32);

/// Bytes of the [`Site`] of an address.
#[must_use]
pub fn site(address: IpAddr) -> [u8; 8] {
    *Site::of(address).as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(site(one.parse().unwrap()) == site(other.parse().unwrap()), same, "{name}");
        }
    }

    #[test]
    fn kinds_have_words_and_places() {
        let rows = [
            ("vpn", NetworkKind::Anonymiser),
            ("ISP", NetworkKind::Fixed),
            (" hosting ", NetworkKind::Hosting),
            ("Cable/DSL", NetworkKind::Fixed),
            ("data center", NetworkKind::Hosting),
            ("mobile", NetworkKind::Mobile),
            ("satellite", NetworkKind::Satellite),
            ("", NetworkKind::Unknown),
            ("quantum", NetworkKind::Unknown),
        ];
        for (word, kind) in rows {
            assert_eq!(NetworkKind::named(word), kind, "{word}");
        }
        for (index, kind) in NetworkKind::ALL.iter().enumerate() {
            assert_eq!(kind.index(), index);
        }
    }

    #[test]
    fn only_networks_near_people_locate_them() {
        let rows = [
            (NetworkKind::Anonymiser, Locates::SomethingElse),
            (NetworkKind::Fixed, Locates::ThePerson),
            (NetworkKind::Hosting, Locates::SomethingElse),
            (NetworkKind::Mobile, Locates::ThePerson),
            (NetworkKind::Satellite, Locates::SomethingElse),
            (NetworkKind::Unknown, Locates::ThePerson),
        ];
        for (kind, locates) in rows {
            assert_eq!(kind.locates(), locates, "{kind:?}");
        }
    }
}
