//! Short keyed names for what was seen, so that a state holds no address and no device id in clear.

/// A secret of this installation that makes fingerprints unpredictable to those who choose the values. Nodes that merge their
/// states share it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salt(pub u64);

/// 32 bits that stand for a value. Two values of one field share a fingerprint with a probability of about 1 in 4 billion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub u32);

/// The field a value belongs to: the same text in two fields has two fingerprints. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// A whole address.
    Address,
    /// The client's name without its version.
    Client,
    /// A country.
    Country,
    /// A device or its key.
    Device,
    /// Phone, desktop, ...
    Form,
    /// An autonomous system.
    Network,
    /// What a request is about.
    Object,
    /// Operating system and client without their versions.
    Platform,
    /// The part of an address that a household or a site shares.
    Prefix,
    /// A person.
    Subject,
    /// An operating system without its version.
    System,
}

impl Field {
    const fn tag(self) -> u64 {
        match self {
            Self::Address => 1,
            Self::Client => 2,
            Self::Country => 3,
            Self::Device => 4,
            Self::Form => 5,
            Self::Network => 6,
            Self::Platform => 7,
            Self::Prefix => 8,
            Self::Subject => 9,
            Self::System => 10,
            Self::Object => 11,
        }
    }
}

impl Salt {
    /// The fingerprint of `value` as a `field`.
    #[must_use]
    pub fn fingerprint(self, field: Field, value: &[u8]) -> Fingerprint {
        let long = self.long(field, value);
        Fingerprint(u32::try_from((long >> 32) ^ (long & 0xffff_ffff)).unwrap_or(0))
    }

    /// 64 bits that stand for `value` as a `field`: FNV-1a (64 bit, draft-eastlake-fnv section 2) over the salt, the field and
    /// the value, then mixed so that every bit of the input reaches every bit of the result.
    #[must_use]
    pub fn long(self, field: Field, value: &[u8]) -> u64 {
        let start = fnv(fnv(0xcbf2_9ce4_8422_2325, &self.0.to_le_bytes()), &field.tag().to_le_bytes());
        mix(fnv(start, value) ^ self.0)
    }
}

fn fnv(start: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(start, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// The finaliser of `SplitMix64` (Steele, Lea, Flood 2014, figure 15).
pub(crate) const fn mix(value: u64) -> u64 {
    let a = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let b = (a ^ (a >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    b ^ (b >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_depend_on_salt_field_and_value_and_on_nothing_else() {
        let of = |salt, field, value: &str| Salt(salt).fingerprint(field, value.as_bytes());
        let base = of(1, Field::Device, "a");
        assert_eq!(base, of(1, Field::Device, "a"));
        assert_ne!(base, of(2, Field::Device, "a"));
        assert_ne!(base, of(1, Field::Client, "a"));
        assert_ne!(base, of(1, Field::Device, "b"));
    }

    #[test]
    fn every_field_has_its_own_tag() {
        use Field::{Address, Client, Country, Device, Form, Network, Object, Platform, Prefix, Subject, System};
        let all = [Address, Client, Country, Device, Form, Network, Object, Platform, Prefix, Subject, System];
        let tags: std::collections::BTreeSet<u64> = all.iter().map(|f| f.tag()).collect();
        assert_eq!(tags.len(), all.len());
    }
}
