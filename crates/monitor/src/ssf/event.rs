//! Events of shared signals (CAEP 1.0 section 3, RISC 1.0 section 2, SSF 1.0 sections 8.1.4 and 8.1.5).

use std::collections::BTreeMap;

use countersign_codec::json::{NotTheObject, Object};
use countersign_core::{Limits, SignalKind, UnixSeconds};
use countersign_proof::numeric_date::NumericDate;

const CAEP: &str = "https://schemas.openid.net/secevent/caep/event-type/";
const RISC: &str = "https://schemas.openid.net/secevent/risc/event-type/";
const SSF: &str = "https://schemas.openid.net/secevent/ssf/event-type/";

/// Reason why an event is refused. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventRefusal {
    /// A member that the event's type requires is missing, or a member has another type or an unknown value.
    Malformed,
    /// The type of the event is not known here.
    TypeUnknown,
}

impl From<NotTheObject> for EventRefusal {
    fn from(NotTheObject: NotTheObject) -> Self {
        Self::Malformed
    }
}

/// Initiator of a change (CAEP 1.0 section 2). Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Initiator {
    /// An administrator of the transmitter.
    Admin,
    /// A rule of the transmitter.
    Policy,
    /// A system of the transmitter.
    System,
    /// The person whom the event is about.
    User,
}

impl Initiator {
    /// Word in an event.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Policy => "policy",
            Self::System => "system",
            Self::User => "user",
        }
    }
}

/// Direction in which a level changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The level is lower than before.
    Decrease,
    /// The level is higher than before.
    Increase,
    /// The event does not state a direction.
    Unsaid,
}

/// An event, reduced to what has consequences here. Alphabetical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The account was closed or disabled.
    AccountDisabled,
    /// The level of assurance of the account or person changed.
    AssuranceLevelChange(Direction),
    /// A credential is known or suspected to be in other hands, or must be changed.
    CredentialCompromise,
    /// A credential was created, changed, revoked or deleted.
    CredentialChange {
        /// True when a credential that was valid before may no longer be valid.
        lessens: bool,
    },
    /// The device meets, or no longer meets, the requirements of its manager.
    DeviceComplianceChange {
        /// True when the device meets them.
        compliant: bool,
    },
    /// An event without consequences here; its name is only logged.
    Told(&'static str),
    /// The risk level of the subject changed.
    RiskLevelChange {
        /// True when the level is high.
        high: bool,
    },
    /// Sessions of the subject were revoked.
    SessionRevoked,
    /// The state of the stream itself changed.
    StreamUpdated,
    /// The answer to a verification request, with the `state` of that request.
    Verification(Option<String>),
}

/// Members that every CAEP event may have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// Time of the event.
    pub at: Option<UnixSeconds>,
    /// Initiator of the change.
    pub by: Option<Initiator>,
    /// Reason for administrators, by language.
    pub reason: BTreeMap<String, String>,
}

/// Names of the RISC events, with the meaning of each here.
const RISC_EVENTS: [(&str, Risc); 14] = [
    ("account-credential-change-required", Risc::Compromise),
    ("account-disabled", Risc::Disabled),
    ("account-enabled", Risc::Told("account-enabled")),
    ("account-purged", Risc::Disabled),
    ("credential-compromise", Risc::Compromise),
    ("identifier-changed", Risc::Told("identifier-changed")),
    ("identifier-recycled", Risc::Told("identifier-recycled")),
    ("opt-in", Risc::Told("opt-in")),
    ("opt-out-cancelled", Risc::Told("opt-out-cancelled")),
    ("opt-out-effective", Risc::Told("opt-out-effective")),
    ("opt-out-initiated", Risc::Told("opt-out-initiated")),
    ("recovery-activated", Risc::Told("recovery-activated")),
    ("recovery-information-changed", Risc::Told("recovery-information-changed")),
    ("sessions-revoked", Risc::Revoked),
];

#[derive(Clone, Copy)]
enum Risc {
    Compromise,
    Disabled,
    Revoked,
    Told(&'static str),
}

impl Event {
    /// Type of the event that a session was revoked, which this server sends.
    pub(crate) const SESSION_REVOKED: &'static str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
    /// Type of a verification event, which this server sends.
    pub(crate) const VERIFICATION: &'static str = "https://schemas.openid.net/secevent/ssf/event-type/verification";

    /// Parses an event of the given type.
    ///
    /// # Errors
    /// A refusal when the type is unknown, or the event does not fit its type.
    pub fn parse(event_type: &str, json: &str) -> Result<(Self, Beside), EventRefusal> {
        let event = Object::parse(json, Limits::JSON_DEPTH_MAX)?;
        let read = if let Some(name) = event_type.strip_prefix(CAEP) {
            caep(name, &event)?
        } else if let Some(name) = event_type.strip_prefix(RISC) {
            risc(name, &event)?
        } else if let Some(name) = event_type.strip_prefix(SSF) {
            ssf(name, &event)?
        } else {
            return Err(EventRefusal::TypeUnknown);
        };
        Ok((read, beside(&event)?))
    }

    /// Signal that follows from the event. SECURITY: improvements change nothing, because a statement of another party earns no trust here.
    #[must_use]
    pub const fn signal(&self) -> Option<SignalKind> {
        match self {
            Self::AccountDisabled | Self::SessionRevoked => Some(SignalKind::SharedRevocation),
            Self::CredentialCompromise | Self::CredentialChange { lessens: true } => Some(SignalKind::SharedCredentialChange),
            Self::AssuranceLevelChange(Direction::Decrease)
            | Self::DeviceComplianceChange { compliant: false }
            | Self::RiskLevelChange { high: true } => Some(SignalKind::SharedRisk),
            Self::AssuranceLevelChange(Direction::Increase | Direction::Unsaid)
            | Self::CredentialChange { lessens: false }
            | Self::DeviceComplianceChange { compliant: true }
            | Self::RiskLevelChange { high: false }
            | Self::StreamUpdated
            | Self::Told(_)
            | Self::Verification(_) => None,
        }
    }
}

/// One of the known words; `None` when the member is absent, and a refusal for any other word.
fn word<'a>(event: &Object<'_>, name: &str, words: &[&'a str]) -> Result<Option<&'a str>, EventRefusal> {
    let Some(text) = event.optional_text(name)? else { return Ok(None) };
    words.iter().find(|word| **word == text).copied().map(Some).ok_or(EventRefusal::Malformed)
}

fn needed<T>(value: Option<T>) -> Result<T, EventRefusal> {
    value.ok_or(EventRefusal::Malformed)
}

fn caep(name: &str, event: &Object<'_>) -> Result<Event, EventRefusal> {
    const LEVELS: [&str; 3] = ["LOW", "MEDIUM", "HIGH"];
    const COMPLIANCE: [&str; 2] = ["compliant", "not-compliant"];
    Ok(match name {
        "assurance-level-change" => {
            needed(event.optional_text("namespace")?)?;
            needed(event.optional_text("current_level")?)?;
            // Read for its type alone: a malformed member refuses the event.
            let _previous = event.optional_text("previous_level")?;
            Event::AssuranceLevelChange(match word(event, "change_direction", &["increase", "decrease"])? {
                Some("decrease") => Direction::Decrease,
                Some(_) => Direction::Increase,
                None => Direction::Unsaid,
            })
        }
        "credential-change" => {
            needed(event.optional_text("credential_type")?)?;
            let change = needed(word(event, "change_type", &["create", "revoke", "update", "delete"])?)?;
            for name in ["friendly_name", "x509_issuer", "x509_serial", "fido2_aaguid"] {
                event.optional_text(name)?;
            }
            // A new credential takes nothing away. One that was changed, revoked or deleted may be in other hands.
            Event::CredentialChange { lessens: change != "create" }
        }
        "device-compliance-change" => {
            needed(word(event, "previous_status", &COMPLIANCE)?)?;
            Event::DeviceComplianceChange { compliant: needed(word(event, "current_status", &COMPLIANCE)?)? == "compliant" }
        }
        "risk-level-change" => {
            needed(event.optional_text("principal")?)?;
            word(event, "previous_level", &LEVELS)?;
            Event::RiskLevelChange { high: needed(word(event, "current_level", &LEVELS)?)? == "HIGH" }
        }
        "session-established" => Event::Told("session-established"),
        "session-presented" => Event::Told("session-presented"),
        "session-revoked" => Event::SessionRevoked,
        "token-claims-change" => {
            Object::parse(needed(event.raw("claims"))?, Limits::JSON_DEPTH_MAX)?;
            Event::Told("token-claims-change")
        }
        _ => return Err(EventRefusal::TypeUnknown),
    })
}

fn risc(name: &str, event: &Object<'_>) -> Result<Event, EventRefusal> {
    let (name, known) = RISC_EVENTS.iter().find(|(known, _)| *known == name).ok_or(EventRefusal::TypeUnknown)?;
    if *name == "credential-compromise" {
        needed(event.optional_text("credential_type")?)?;
    }
    if *name == "account-disabled" {
        word(event, "reason", &["hijacking", "bulk-account"])?;
    }
    Ok(match known {
        Risc::Compromise => Event::CredentialCompromise,
        Risc::Disabled => Event::AccountDisabled,
        Risc::Revoked => Event::SessionRevoked,
        Risc::Told(name) => Event::Told(name),
    })
}

fn ssf(name: &str, event: &Object<'_>) -> Result<Event, EventRefusal> {
    Ok(match name {
        "stream-updated" => {
            needed(word(event, "status", &["enabled", "paused", "disabled"])?)?;
            event.optional_text("reason")?;
            Event::StreamUpdated
        }
        "verification" => Event::Verification(event.optional_text("state")?.map(|state| state.into_owned())),
        _ => return Err(EventRefusal::TypeUnknown),
    })
}

fn beside(event: &Object<'_>) -> Result<Beside, EventRefusal> {
    let by = word(event, "initiating_entity", &["admin", "policy", "system", "user"])?.map(|by| match by {
        "admin" => Initiator::Admin,
        "policy" => Initiator::Policy,
        "system" => Initiator::System,
        _ => Initiator::User,
    });
    let texts = |name: &str| -> Result<BTreeMap<String, String>, EventRefusal> {
        let texts: BTreeMap<String, String> = event.optional(name)?.unwrap_or_default();
        if texts.len() > Limits::SET_LANGUAGES_MAX { Err(EventRefusal::Malformed) } else { Ok(texts) }
    };
    // Checked and not used: texts of another party are not shown to people.
    texts("reason_user")?;
    Ok(Beside { at: event.optional::<NumericDate>("event_timestamp")?.map(NumericDate::down), by, reason: texts("reason_admin")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_lead_to_what_they_say_and_better_news_to_nothing() {
        let rows: &[(&str, &str, &str, Result<Option<SignalKind>, EventRefusal>)] = &[
            (CAEP, "session-revoked", "{}", Ok(Some(SignalKind::SharedRevocation))),
            (RISC, "sessions-revoked", "{}", Ok(Some(SignalKind::SharedRevocation))),
            (RISC, "account-disabled", r#"{"reason":"hijacking"}"#, Ok(Some(SignalKind::SharedRevocation))),
            (RISC, "account-disabled", r#"{"reason":"mood"}"#, Err(EventRefusal::Malformed)),
            (RISC, "account-enabled", "{}", Ok(None)),
            (RISC, "credential-compromise", r#"{"credential_type":"password"}"#, Ok(Some(SignalKind::SharedCredentialChange))),
            (RISC, "credential-compromise", "{}", Err(EventRefusal::Malformed)),
            (CAEP, "credential-change", r#"{"credential_type":"x509","change_type":"create"}"#, Ok(None)),
            (
                CAEP,
                "credential-change",
                r#"{"credential_type":"x509","change_type":"revoke"}"#,
                Ok(Some(SignalKind::SharedCredentialChange)),
            ),
            (CAEP, "credential-change", r#"{"credential_type":"x509","change_type":"break"}"#, Err(EventRefusal::Malformed)),
            (
                CAEP,
                "device-compliance-change",
                r#"{"current_status":"not-compliant","previous_status":"compliant"}"#,
                Ok(Some(SignalKind::SharedRisk)),
            ),
            (CAEP, "device-compliance-change", r#"{"current_status":"compliant","previous_status":"not-compliant"}"#, Ok(None)),
            (CAEP, "device-compliance-change", r#"{"current_status":"compliant"}"#, Err(EventRefusal::Malformed)),
            (CAEP, "risk-level-change", r#"{"current_level":"HIGH","principal":"USER"}"#, Ok(Some(SignalKind::SharedRisk))),
            (CAEP, "risk-level-change", r#"{"current_level":"high","principal":"USER"}"#, Err(EventRefusal::Malformed)),
            (CAEP, "session-revoked", r#"{"event_timestamp":"soon"}"#, Err(EventRefusal::Malformed)),
            (CAEP, "session-revoked", r#"{"initiating_entity":"nobody"}"#, Err(EventRefusal::Malformed)),
            (CAEP, "session-revoked", r#"{"reason_admin":"because"}"#, Err(EventRefusal::Malformed)),
            (CAEP, "session-unheard-of", "{}", Err(EventRefusal::TypeUnknown)),
            ("urn:other:", "session-revoked", "{}", Err(EventRefusal::TypeUnknown)),
            (SSF, "verification", r#"{"state":"x"}"#, Ok(None)),
            (SSF, "stream-updated", r#"{"status":"asleep"}"#, Err(EventRefusal::Malformed)),
        ];
        for (prefix, name, json, expected) in rows {
            let read = Event::parse(&format!("{prefix}{name}"), json).map(|(event, _)| event.signal());
            assert_eq!(read, *expected, "{name} {json}");
        }
    }
}
