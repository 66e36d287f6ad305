//! Keyed fingerprints of observed values, so that a stored state holds no address and no device id in clear.
//!
//! The hash is FNV-1a, keyed and mixed. It is fast and not a cryptographic hash: it protects against curious readers of a state and against
//! chosen collisions only while the salt is secret.

/// Secret of an installation that makes fingerprints unpredictable for those who choose the values. Nodes that merge their states share one
/// salt.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salt(pub u64);

/// 32 bits that stand for a value. Two given values of one field share a fingerprint with a probability of about 1 in 4 billion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub u32);

/// Field that a value belongs to. The same text in two fields has two fingerprints, so fields cannot be confused. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// A whole IP address.
    Address,
    /// The name of the client without its version.
    Client,
    /// A country, by its two-letter code.
    Country,
    /// A device's name or its key.
    Device,
    /// The form of the device: phone, desktop and so on.
    Form,
    /// The number of an autonomous system.
    Network,
    /// The object that a request is about.
    Object,
    /// Operating system and client together, without their versions.
    Platform,
    /// The part of an address that a household or site shares.
    Prefix,
    /// A person, or an account name.
    Subject,
    /// The name of an operating system without its version.
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
            // INVARIANT: a tag is never changed or used again, because fingerprints in snapshots were made with it.
        }
    }
}

impl Salt {
    /// The fingerprint of `value` in `field`, 32 bits.
    #[must_use]
    pub fn fingerprint(self, field: Field, value: &[u8]) -> Fingerprint {
        let long = self.long(field, value);
        Fingerprint(u32::try_from((long >> 32) ^ (long & 0xffff_ffff)).unwrap_or(0))
    }

    /// A longer fingerprint of `value` in `field`, 64 bits: FNV-1a (64 bit, draft-eastlake-fnv section 2) over the salt, the field and the
    /// value, then mixed so that every bit of the input affects every bit of the result.
    #[must_use]
    pub fn long(self, field: Field, value: &[u8]) -> u64 {
        let start = fnv(fnv(0xcbf2_9ce4_8422_2325, &self.0.to_le_bytes()), &field.tag().to_le_bytes());
        mix(fnv(start, value) ^ self.0)
    }
}

fn fnv(start: u64, bytes: &[u8]) -> u64 {
    // 0x100000001b3 is the prime of 64-bit FNV; the offset basis is the starting value in `long`.
    bytes.iter().fold(start, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// The finaliser of `SplitMix64` (Steele, Lea, Flood 2014): a bijection, so it adds no collisions.
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
