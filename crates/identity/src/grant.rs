//! Codes and refresh tokens: the rules for turning them into tokens (RFC 6749 section 4.1, RFC 7636, RFC 9449 section 5).
//!
//! A refresh token works only with the device key. It is not rotated at every use (RFC 9700 section 4.14.2 asks for sender-constraint *or*
//! rotation), so a lost answer, or two parts of an app that refresh at once, sign nobody out.

use countersign_core::{ClientId, DeviceId, GrantId, Reason, Secret, SessionId, Thumbprint, UnixSeconds, UserId};

use crate::{
    binding::OpenedBy,
    hash::{CodeChallenge, TokenHash},
};

/// Device that a grant was given to, with the key that must redeem it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceBinding {
    /// Identifier of the enrolled device.
    pub device: DeviceId,
    /// Thumbprint of its device key.
    pub key: Thumbprint,
}

/// Meaning of a code, fixed when the person proved who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeGrant {
    /// The person who signed in.
    pub user: UserId,
    /// The app through which the person signed in.
    pub client: ClientId,
    /// The device on which the person signed in.
    pub binding: DeviceBinding,
    /// PKCE challenge that the redeemer must answer.
    pub challenge: CodeChallenge,
    /// Passkey that authenticated the person; `None` for codes of earlier versions.
    pub opened_by: Option<OpenedBy>,
    /// Time of the authentication.
    pub auth_time: UnixSeconds,
    /// Last second in which the code can be redeemed.
    pub expires_at: UnixSeconds,
}

/// State of a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeState {
    /// The code was redeemed.
    Exchanged {
        /// Grant that the code stood for.
        grant: CodeGrant,
        /// Refresh family that was made from it.
        family: GrantId,
        /// Session that was made from it.
        session: SessionId,
    },
    /// The code waits to be redeemed.
    Issued(CodeGrant),
}

impl CodeState {
    /// Grant that the code stands for, redeemed or not.
    #[must_use]
    pub const fn grant(&self) -> &CodeGrant {
        match self {
            Self::Exchanged { grant, .. } | Self::Issued(grant) => grant,
        }
    }
}

/// A request to redeem a code. The caller has verified, before this rule runs, that the device key `key` proved the request.
#[derive(Debug)]
pub struct CodeRequest {
    /// The client that asks.
    pub client: ClientId,
    /// Thumbprint of the device key that proved the request.
    pub key: Thumbprint,
    /// PKCE code verifier of the request.
    pub verifier: Secret<String>,
}

/// Answer to a code.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Exchange {
    /// Open a session for this grant and issue tokens, provided that the store says that nobody was faster.
    Issue(CodeGrant),
    /// Refuse the request, and change nothing.
    Refuse(GrantRefusal),
    /// Give the same session and the same refresh token again, because the first answer was lost on the way.
    ///
    /// RFC 6749 section 4.1.2 lets a code be used once. Within its life, this is one use that is told twice, and it is safe because whoever
    /// asks proves again, by a proof that counts once, that they hold the device key and the verifier of the first: somebody who only saw
    /// the code has neither. There is no client without a device key: each code is given to an enrolled device and bound to its key
    /// ([`DeviceBinding`] is no option), so nobody gets a repetition for the code and verifier alone.
    Repeat {
        /// Refresh family that was made from the code.
        family: GrantId,
        /// Session that was made from the code.
        session: SessionId,
    },
    /// End the session that was made from the code, and refuse: somebody else holds the code.
    RevokeAndRefuse {
        /// Session that has to end.
        session: SessionId,
    },
}

/// Reason why a grant gives nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantRefusal {
    /// The grant belongs to another client.
    ClientMismatch,
    /// The code was redeemed before.
    CodeReused,
    /// The code has expired.
    CodeExpired,
    /// There is no such code.
    CodeUnknown,
    /// The key that asks is not the device key of the grant.
    ForeignKey,
    /// The refresh family has expired.
    RefreshExpired,
    /// The refresh family was revoked.
    RefreshRevoked,
    /// There is no such refresh token.
    RefreshUnknown,
    /// The verifier is malformed or belongs to another challenge.
    VerifierMismatch,
}

impl GrantRefusal {
    /// Stable reason code of the refusal, for logs and metrics.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::ClientMismatch => Reason::GrantOfAnotherApp,
            Self::CodeReused => Reason::CodeReused,
            Self::CodeExpired | Self::CodeUnknown => Reason::CodeUnknown,
            Self::ForeignKey => Reason::RefreshForeignKey,
            Self::RefreshExpired | Self::RefreshRevoked | Self::RefreshUnknown => Reason::RefreshUnknown,
            Self::VerifierMismatch => Reason::PkceMismatch,
        }
    }
}

/// Decides about a code.
pub fn exchange(state: Option<&CodeState>, request: &CodeRequest, now: UnixSeconds) -> Exchange {
    match state {
        None => Exchange::Refuse(GrantRefusal::CodeUnknown),
        Some(CodeState::Exchanged { grant, family, session }) => match fits(grant, request, now) {
            Ok(()) => Exchange::Repeat { family: family.clone(), session: session.clone() },
            // The same phone with the same verifier is not a thief: a late retry signs nobody out.
            Err(GrantRefusal::CodeExpired) => Exchange::Refuse(GrantRefusal::CodeExpired),
            // SECURITY: a second use by anybody else means that the code leaked (RFC 6749 section 4.1.2).
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

/// Checks that `request` comes from the client and key that the code was issued to, in time.
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
    // Time is checked last, so that a late request is never taken for a theft and a theft is never hidden by being late.
    if grant.expires_at < now {
        return Err(GrantRefusal::CodeExpired);
    }
    Ok(())
}

/// All tokens that were made from one sign-in on one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshFamily {
    /// Identifier of the family.
    pub id: GrantId,
    /// Hash of the refresh token.
    pub token: TokenHash,
    /// Session that the refresh token keeps alive.
    pub session: SessionId,
    /// Client that the refresh token was issued to.
    pub client: ClientId,
    /// Device and key that the refresh token works with.
    pub binding: DeviceBinding,
    /// Last second in which the refresh token works, however it is used.
    pub expires_at: UnixSeconds,
}

/// State of a refresh family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefreshState {
    /// The family is in use.
    Live(RefreshFamily),
    /// The family was ended on purpose.
    Revoked,
}

/// A request to renew tokens. The caller has verified, before this rule runs, that the device key `key` proved the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshRequest {
    /// The client that asks.
    pub client: ClientId,
    /// Thumbprint of the device key that proved the request.
    pub key: Thumbprint,
}

/// Answer to a refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Renewal {
    /// Freeze the session, send a signal, and refuse: a thief has the refresh token.
    FreezeAndRefuse {
        /// Session that has to be frozen.
        session: SessionId,
    },
    /// Issue an access token.
    Issue(RefreshFamily),
    /// Refuse the request, and change nothing.
    Refuse(GrantRefusal),
}

/// Decides about a refresh token.
pub fn renew(state: Option<&RefreshState>, request: &RefreshRequest, now: UnixSeconds) -> Renewal {
    match state {
        None => Renewal::Refuse(GrantRefusal::RefreshUnknown),
        Some(RefreshState::Revoked) => Renewal::Refuse(GrantRefusal::RefreshRevoked),
        // SECURITY: the key is checked before client and time, so that a theft is never reported as an expired token.
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
            opened_by: None,
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
            (GrantRefusal::ClientMismatch, "grant_of_another_app"),
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
