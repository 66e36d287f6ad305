//! What every door answers alike: one thing that is wrong, and the one right answer. The gateway and the issuer run this table in
//! their own tests, each with its own way of bringing the one thing into disorder, so that they cannot come to differ.

use countersign_core::{Reason, SignalKind};

/// The one thing that is wrong with a request or with what stands behind it. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    AccountClosed,
    AccountGone,
    AppGone,
    BearerToken,
    DeviceOfAnotherApp,
    DeviceRevoked,
    DeviceUnknown,
    ListOfProofs,
    NoProof,
    NoToken,
    Nothing,
    ProofBeyondAscii,
    ProofForAnotherMethod,
    ProofForAnotherPath,
    ProofForAnotherToken,
    ProofReplayed,
    ProofUnreadable,
    SessionChallenged,
    SessionExpired,
    SessionOfAnotherApp,
    SessionRevoked,
    SessionUnknown,
    ThiefsKey,
    ThiefsKeyForAnotherMethod,
    ThiefsKeyForAnotherToken,
    TokenAfterTwoSpaces,
    TokenExpired,
    TokenForAnotherAudience,
    TwoProofs,
    TwoTokens,
}

/// A row: the one thing that is wrong, the reason that it leads to, and what the monitor hears.
pub type Case = (Wrong, Option<Reason>, Option<SignalKind>);

/// The table.
pub const CASES: &[Case] = &[
    (Wrong::Nothing, None, None),
    // Credentials.
    (Wrong::NoToken, Some(Reason::TokenMissing), None),
    (Wrong::BearerToken, Some(Reason::BearerDowngrade), None),
    (Wrong::TwoTokens, Some(Reason::TokenRepeatedHeader), None),
    (Wrong::TokenAfterTwoSpaces, Some(Reason::TokenMalformed), None),
    (Wrong::NoProof, Some(Reason::ProofMissing), None),
    (Wrong::TwoProofs, Some(Reason::ProofRepeatedHeader), None),
    (Wrong::ListOfProofs, Some(Reason::ProofRepeatedHeader), None),
    (Wrong::ProofBeyondAscii, Some(Reason::ProofMalformed), None),
    // Token.
    (Wrong::TokenExpired, Some(Reason::TokenExpired), None),
    (Wrong::TokenForAnotherAudience, Some(Reason::TokenAudienceWrong), None),
    // Proof.
    (Wrong::ProofUnreadable, Some(Reason::ProofMalformed), None),
    (Wrong::ProofForAnotherMethod, Some(Reason::ProofWrongMethod), None),
    (Wrong::ProofForAnotherPath, Some(Reason::ProofWrongTarget), None),
    (Wrong::ProofForAnotherToken, Some(Reason::ProofTokenMismatch), None),
    (Wrong::ThiefsKey, Some(Reason::ProofKeyMismatch), Some(SignalKind::ForeignProofKey)),
    // A thief who makes mistakes is a thief.
    (Wrong::ThiefsKeyForAnotherMethod, Some(Reason::ProofWrongMethod), Some(SignalKind::ForeignProofKey)),
    (Wrong::ThiefsKeyForAnotherToken, Some(Reason::ProofTokenMismatch), Some(SignalKind::ForeignProofKey)),
    (Wrong::ProofReplayed, Some(Reason::ProofReplayed), Some(SignalKind::ProofReplayed)),
    // Session.
    (Wrong::SessionUnknown, Some(Reason::SessionUnknown), None),
    (Wrong::SessionExpired, Some(Reason::SessionExpired), None),
    (Wrong::SessionRevoked, Some(Reason::SessionRevoked), None),
    (Wrong::SessionChallenged, Some(Reason::SessionChallenged), None),
    (Wrong::SessionOfAnotherApp, Some(Reason::SessionUnknown), None),
    (Wrong::AccountClosed, Some(Reason::UserUnknown), None),
    (Wrong::AccountGone, Some(Reason::UserUnknown), None),
    // Device.
    (Wrong::DeviceUnknown, Some(Reason::DeviceUnknown), None),
    (Wrong::DeviceRevoked, Some(Reason::DeviceRevoked), None),
    (Wrong::AppGone, Some(Reason::ClientUnknown), None),
    (Wrong::DeviceOfAnotherApp, Some(Reason::AppUnknown), None),
];
