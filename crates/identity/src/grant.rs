//! Codes and refresh families: who may turn which into tokens (RFC 6749 section 4.1, RFC 7636, RFC 9449 section 5).
//!
//! Refresh tokens open only to the device key. They are not rotated at every use (RFC 9700 section 4.14.2 asks for
//! sender-constraint *or* rotation), so a lost answer or a raced widget signs nobody out.

use countersign_core::{ClientId, DeviceId, GrantId, Reason, Secret, SessionId, Thumbprint, UnixSeconds, UserId};

use crate::hash::{CodeChallenge, TokenHash};

/// The device that a grant was given to and the key it must be redeemed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceBinding {
    /// The enrolled device.
    pub device: DeviceId,
    /// Its device key.
    pub key: Thumbprint,
}

/// What a code stands for, from the moment the person has proved who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeGrant {
    /// Who signed in.
    pub user: UserId,
    /// Through which app.
    pub client: ClientId,
    /// On which device.
    pub binding: DeviceBinding,
    /// PKCE challenge that the redeemer must answer.
    pub challenge: CodeChallenge,
    /// When the person was authenticated.
    pub auth_time: UnixSeconds,
    /// When the code lapses.
    pub expires_at: UnixSeconds,
}

/// A code's life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeState {
    /// Redeemed.
    Exchanged {
        /// What it stood for.
        grant: CodeGrant,
        /// The refresh family that came of it.
        family: GrantId,
        /// The session that came of it.
        session: SessionId,
    },
    /// Waiting to be redeemed.
    Issued(CodeGrant),
}

/// Somebody's wish to redeem a code. `key` has proved itself, as device key, before this rule is asked.
#[derive(Debug)]
pub struct CodeRequest {
    /// The client that asks.
    pub client: ClientId,
    /// The device key that proved the request.
    pub key: Thumbprint,
    /// PKCE's code verifier.
    pub verifier: Secret<String>,
}

/// The answer to a code.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Exchange {
    /// Open a session for this grant and issue tokens, if the store says that nobody was faster.
    Issue(CodeGrant),
    /// Refuse.
    Refuse(GrantRefusal),
    /// The answer was lost on the way: give the same session and the same refresh token again.
    Repeat {
        /// The refresh family that came of the code.
        family: GrantId,
        /// The session that came of the code.
        session: SessionId,
    },
    /// Someone else holds the code: end the session that came of it, and refuse.
    RevokeAndRefuse {
        /// The session to end.
        session: SessionId,
    },
}

/// Why a grant gives nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantRefusal {
    /// The grant belongs to another client.
    ClientMismatch,
    /// The code was redeemed before.
    CodeReused,
    /// The code's time is over.
    CodeExpired,
    /// There is no such code.
    CodeUnknown,
    /// The key that asks is not the device key of the grant.
    ForeignKey,
    /// The refresh family's time is over.
    RefreshExpired,
    /// The refresh family was revoked.
    RefreshRevoked,
    /// There is no such refresh token.
    RefreshUnknown,
    /// The verifier is malformed or belongs to another challenge.
    VerifierMismatch,
}

impl GrantRefusal {
    /// The stable code.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::ClientMismatch => Reason::ClientUnknown,
            Self::CodeReused => Reason::CodeReused,
            Self::CodeExpired | Self::CodeUnknown => Reason::CodeUnknown,
            Self::ForeignKey => Reason::RefreshForeignKey,
            Self::RefreshExpired | Self::RefreshRevoked | Self::RefreshUnknown => Reason::RefreshUnknown,
            Self::VerifierMismatch => Reason::PkceMismatch,
        }
    }
}

/// What becomes of a code.
pub fn exchange(state: Option<&CodeState>, request: &CodeRequest, now: UnixSeconds) -> Exchange {
    match state {
        None => Exchange::Refuse(GrantRefusal::CodeUnknown),
        Some(CodeState::Exchanged { grant, family, session }) => match fits(grant, request, now) {
            Ok(()) => Exchange::Repeat { family: family.clone(), session: session.clone() },
            // The same phone with the same verifier is no thief: a retry that comes late signs nobody out.
            Err(GrantRefusal::CodeExpired) => Exchange::Refuse(GrantRefusal::CodeExpired),
            // A second use by anybody else means that the code leaked (RFC 6749 section 4.1.2).
            Err(
                GrantRefusal::ClientMismatch
                | GrantRefusal::CodeReused
                | GrantRefusal::CodeUnknown
                | GrantRefusal::ForeignKey
                | GrantRefusal::RefreshExpired
                | GrantRefusal::RefreshRevoked
                | GrantRefusal::RefreshUnknown
                | GrantRefusal::VerifierMismatch,
            ) => Exchange::RevokeAndRefuse { session: session.clone() },
        },
        Some(CodeState::Issued(grant)) => match fits(grant, request, now) {
            Ok(()) => Exchange::Issue(grant.clone()),
            Err(refusal) => Exchange::Refuse(refusal),
        },
    }
}

/// Whether `request` comes from whom the code was issued to, in time.
fn fits(grant: &CodeGrant, request: &CodeRequest, now: UnixSeconds) -> Result<(), GrantRefusal> {
    if grant.client != request.client {
        return Err(GrantRefusal::ClientMismatch);
    }
    if grant.binding.key != request.key {
        return Err(GrantRefusal::ForeignKey);
    }
    if CodeChallenge::of_verifier(&request.verifier) != Ok(grant.challenge) {
        return Err(GrantRefusal::VerifierMismatch);
    }
    // Last, so that lateness alone is never taken for a theft nor hides one.
    if grant.expires_at < now {
        return Err(GrantRefusal::CodeExpired);
    }
    Ok(())
}

/// All tokens that came of one sign-in on one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshFamily {
    /// Its name.
    pub id: GrantId,
    /// The refresh token, hashed.
    pub token: TokenHash,
    /// The session that it keeps alive.
    pub session: SessionId,
    /// Whom it was issued to.
    pub client: ClientId,
    /// The key it opens to.
    pub binding: DeviceBinding,
    /// When it ends whatever happens.
    pub expires_at: UnixSeconds,
}

/// A refresh family's life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefreshState {
    /// In use.
    Live(RefreshFamily),
    /// Ended on purpose.
    Revoked,
}

/// Somebody's wish to renew. `key` has proved itself before this rule is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshRequest {
    /// The client that asks.
    pub client: ClientId,
    /// The device key that proved the request.
    pub key: Thumbprint,
}

/// The answer to a refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Renewal {
    /// A thief has the refresh token: freeze the session, signal, and refuse.
    FreezeAndRefuse {
        /// The session to freeze.
        session: SessionId,
    },
    /// Issue an access token.
    Issue(RefreshFamily),
    /// Refuse.
    Refuse(GrantRefusal),
}

/// What becomes of a refresh token.
pub fn renew(state: Option<&RefreshState>, request: &RefreshRequest, now: UnixSeconds) -> Renewal {
    match state {
        None => Renewal::Refuse(GrantRefusal::RefreshUnknown),
        Some(RefreshState::Revoked) => Renewal::Refuse(GrantRefusal::RefreshRevoked),
        // SECURITY: before client and time, so that a theft is never mistaken for a lapse.
        Some(RefreshState::Live(family)) if family.binding.key != request.key => {
            Renewal::FreezeAndRefuse { session: family.session.clone() }
        }
        Some(RefreshState::Live(family)) if family.client != request.client => Renewal::Refuse(GrantRefusal::ClientMismatch),
        Some(RefreshState::Live(family)) if family.expires_at < now => Renewal::Refuse(GrantRefusal::RefreshExpired),
        Some(RefreshState::Live(family)) => Renewal::Issue(family.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

    fn binding(key: u8) -> DeviceBinding {
        DeviceBinding { device: DeviceId::from_random([1; 16]), key: Thumbprint::from_bytes([key; 32]) }
    }

    fn client(name: &str) -> ClientId {
        ClientId::parse(name).expect("a client")
    }

    fn grant() -> CodeGrant {
        CodeGrant {
            user: UserId::from_random([2; 16]),
            client: client("shop"),
            binding: binding(1),
            challenge: CodeChallenge::of_verifier(&Secret::new(VERIFIER.to_owned())).expect("a verifier"),
            auth_time: UnixSeconds(990),
            expires_at: UnixSeconds(1060),
        }
    }

    #[test]
    fn a_code_gives_a_session_once_to_whom_it_was_issued() {
        let request = |name: &str, key: u8, verifier: &str| CodeRequest {
            client: client(name),
            key: Thumbprint::from_bytes([key; 32]),
            verifier: Secret::new(verifier.to_owned()),
        };
        let issued = Some(CodeState::Issued(grant()));
        let session = SessionId::from_random([3; 16]);
        let family = GrantId::from_random([4; 16]);
        let exchanged = Some(CodeState::Exchanged { grant: grant(), family: family.clone(), session: session.clone() });
        let revoke = || Exchange::RevokeAndRefuse { session: session.clone() };
        let refuse = Exchange::Refuse;
        let rows: &[(&str, &Option<CodeState>, CodeRequest, u64, Exchange)] = &[
            ("all fits", &issued, request("shop", 1, VERIFIER), 1000, Exchange::Issue(grant())),
            ("the last second", &issued, request("shop", 1, VERIFIER), 1060, Exchange::Issue(grant())),
            ("a second too late", &issued, request("shop", 1, VERIFIER), 1061, refuse(GrantRefusal::CodeExpired)),
            ("no such code", &None, request("shop", 1, VERIFIER), 1000, refuse(GrantRefusal::CodeUnknown)),
            ("another client", &issued, request("bank", 1, VERIFIER), 1000, refuse(GrantRefusal::ClientMismatch)),
            ("a thief's key", &issued, request("shop", 2, VERIFIER), 1000, refuse(GrantRefusal::ForeignKey)),
            ("another verifier", &issued, request("shop", 1, &"b".repeat(43)), 1000, refuse(GrantRefusal::VerifierMismatch)),
            ("no verifier", &issued, request("shop", 1, ""), 1000, refuse(GrantRefusal::VerifierMismatch)),
            ("the answer was lost", &exchanged, request("shop", 1, VERIFIER), 1060, Exchange::Repeat { family, session: session.clone() }),
            ("a retry that comes late", &exchanged, request("shop", 1, VERIFIER), 1061, refuse(GrantRefusal::CodeExpired)),
            ("a second use by a thief, too late", &exchanged, request("shop", 2, VERIFIER), 1061, revoke()),
            ("a second use by another client", &exchanged, request("bank", 1, VERIFIER), 1000, revoke()),
            ("a second use by a thief", &exchanged, request("shop", 2, VERIFIER), 1000, revoke()),
            ("a second use, another verifier", &exchanged, request("shop", 1, &"b".repeat(43)), 1000, revoke()),
        ];
        for (name, state, request, now, expected) in rows {
            assert_eq!(exchange(state.as_ref(), request, UnixSeconds(*now)), *expected, "{name}");
        }
    }

    #[test]
    fn a_refresh_token_opens_to_its_device_key_only() {
        let family = RefreshFamily {
            id: GrantId::from_random([4; 16]),
            token: TokenHash::from_bytes([5; 32]),
            session: SessionId::from_random([3; 16]),
            client: client("shop"),
            binding: binding(1),
            expires_at: UnixSeconds(2000),
        };
        let live = Some(RefreshState::Live(family.clone()));
        let request = |name: &str, key: u8| RefreshRequest { client: client(name), key: Thumbprint::from_bytes([key; 32]) };
        let freeze = Renewal::FreezeAndRefuse { session: family.session.clone() };
        let refuse = Renewal::Refuse;
        let rows: &[(&str, &Option<RefreshState>, RefreshRequest, u64, Renewal)] = &[
            ("all fits", &live, request("shop", 1), 1000, Renewal::Issue(family.clone())),
            ("the last second", &live, request("shop", 1), 2000, Renewal::Issue(family.clone())),
            ("a second too late", &live, request("shop", 1), 2001, refuse(GrantRefusal::RefreshExpired)),
            ("no such token", &None, request("shop", 1), 1000, refuse(GrantRefusal::RefreshUnknown)),
            ("revoked", &Some(RefreshState::Revoked), request("shop", 1), 1000, refuse(GrantRefusal::RefreshRevoked)),
            ("another client", &live, request("bank", 1), 1000, refuse(GrantRefusal::ClientMismatch)),
            ("a thief's key", &live, request("shop", 2), 1000, freeze.clone()),
            ("a thief's key, too late", &live, request("shop", 2), 9999, freeze),
        ];
        for (name, state, request, now, expected) in rows {
            assert_eq!(renew(state.as_ref(), request, UnixSeconds(*now)), *expected, "{name}");
        }
    }

    #[test]
    fn every_refusal_has_a_code() {
        let rows: &[(GrantRefusal, &str)] = &[
            (GrantRefusal::ClientMismatch, "client_unknown"),
            (GrantRefusal::CodeReused, "code_reused"),
            (GrantRefusal::CodeExpired, "code_unknown"),
            (GrantRefusal::CodeUnknown, "code_unknown"),
            (GrantRefusal::ForeignKey, "refresh_foreign_key"),
            (GrantRefusal::RefreshExpired, "refresh_unknown"),
            (GrantRefusal::RefreshRevoked, "refresh_unknown"),
            (GrantRefusal::RefreshUnknown, "refresh_unknown"),
            (GrantRefusal::VerifierMismatch, "pkce_mismatch"),
        ];
        for (refusal, code) in rows {
            assert_eq!(refusal.reason().code(), *code);
        }
    }
}
