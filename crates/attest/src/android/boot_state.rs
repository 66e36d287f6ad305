//! `RootOfTrust`: the bootloader's statement to the secure hardware about the system that it started (Android Verified Boot).

use countersign_core::BootState;
use der::{
    Decode, Reader, SliceReader,
    asn1::{AnyRef, OctetStringRef},
};

/// State in which the phone booted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootOfTrust {
    /// Digest of the key that verified the system; zeros or empty on an unlocked phone.
    pub verified_boot_key: Vec<u8>,
    /// True when the bootloader refuses to start a system that its key did not sign.
    pub device_locked: bool,
    /// Result of the bootloader's verification.
    pub verified_boot_state: BootState,
    /// Digest of everything that was verified; present from attestation version 3 on.
    pub verified_boot_hash: Option<Vec<u8>>,
}

impl RootOfTrust {
    /// Parses the `RootOfTrust` sequence; `None` when the DER has another structure.
    pub(super) fn parse(der: &[u8]) -> Option<Self> {
        let sequence = AnyRef::from_der(der).ok().filter(|any| any.header().tag() == der::Tag::Sequence)?;
        let mut reader = SliceReader::new(sequence.value()).ok()?;
        let verified_boot_key = <&OctetStringRef>::decode(&mut reader).ok()?.as_bytes().to_vec();
        let device_locked = locked(AnyRef::decode(&mut reader).ok()?)?;
        let state = AnyRef::decode(&mut reader).ok().filter(|any| any.header().tag() == der::Tag::Enumerated)?;
        let verified_boot_state = match state.value() {
            // One byte only: DER writes a small number in one way.
            [number] => from_number(*number)?,
            _ => return None,
        };
        // Older versions end here; newer ones have this field and no other.
        let verified_boot_hash = match reader.is_finished() {
            true => None,
            false => Some(<&OctetStringRef>::decode(&mut reader).ok()?.as_bytes().to_vec()),
        };
        reader.finish().ok()?;
        Some(Self { verified_boot_key, device_locked, verified_boot_state, verified_boot_hash })
    }
}

/// A truth value of which genuine phones write any byte but zero for "true", where DER allows 0xff alone (X.690 section 11.1). BER reads it
/// the same way, so no other reader takes it for something else. Here and nowhere else.
fn locked(any: AnyRef<'_>) -> Option<bool> {
    match (any.header().tag(), any.value()) {
        (der::Tag::Boolean, [byte]) => Some(*byte != 0),
        _ => None,
    }
}

const fn from_number(number: u8) -> Option<BootState> {
    match number {
        0 => Some(BootState::Verified),
        1 => Some(BootState::SelfSigned),
        2 => Some(BootState::Unverified),
        3 => Some(BootState::Failed),
        _ => None,
    }
}

/// Number of the state in `VerifiedBootState`.
pub(super) const fn number(state: BootState) -> u8 {
    match state {
        BootState::Verified => 0,
        BootState::SelfSigned => 1,
        BootState::Unverified => 2,
        BootState::Failed => 3,
    }
}

/// Name of the state in Google's verifier.
pub(super) const fn name(state: BootState) -> &'static str {
    match state {
        BootState::Verified => "VERIFIED",
        BootState::SelfSigned => "SELF_SIGNED",
        BootState::Unverified => "UNVERIFIED",
        BootState::Failed => "FAILED",
    }
}
