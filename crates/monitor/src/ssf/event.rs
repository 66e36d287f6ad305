//! What an event says (CAEP 1.0 section 3, RISC 1.0 section 2, SSF 1.0 sections 8.1.4 and 8.1.5).

use std::collections::BTreeMap;

use countersign_codec::json::{NotTheObject, Object};
use countersign_core::{Limits, SignalKind, UnixSeconds};

const CAEP: &str = "https://schemas.openid.net/secevent/caep/event-type/";
const RISC: &str = "https://schemas.openid.net/secevent/risc/event-type/";
const SSF: &str = "https://schemas.openid.net/secevent/ssf/event-type/";

/// Texts in languages that one reason may have.
const LANGUAGES_MAX: usize = 64;

/// Why an event is refused. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventRefusal {
    /// A member that its type asks for is missing, or one has another type or a value that its type does not know.
    Malformed,
    /// Its type is not known here.
    TypeUnknown,
}

impl From<NotTheObject> for EventRefusal {
    fn from(NotTheObject: NotTheObject) -> Self {
        Self::Malformed
    }
}

/// Who brought a change about (CAEP 1.0 section 2). Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Initiator {
    /// An operator.
    Admin,
    /// A rule.
    Policy,
    /// A system.
    System,
    /// The person.
    User,
}

/// Which way a level went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Less than before.
    Decrease,
    /// More than before.
    Increase,
    /// Nobody says.
    Unsaid,
}

/// An event, as far as something follows from it here. Alphabetical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The account was closed, or may not be used.
    AccountDisabled,
    /// The account's, or the person's, level of assurance changed.
    AssuranceLevelChange(Direction),
    /// A credential was found, or is suspected, to be known to others, or has to be changed.
    CredentialCompromise,
    /// A credential was made, changed, revoked or deleted.
    CredentialChange {
        /// Whether one that counted before may not count any more.
        lessens: bool,
    },
    /// The device meets, or no longer meets, what its manager asks.
    DeviceComplianceChange {
        /// Whether it does.
        compliant: bool,
    },
    /// Something that nothing follows from here: it is only told.
    Told(&'static str),
    /// The risk of the subject changed.
    RiskLevelChange {
        /// Whether it is high.
        high: bool,
    },
    /// Sessions of the subject were revoked.
    SessionRevoked,
    /// The stream's own state changed.
    StreamUpdated,
    /// An answer to a request for verification, with what that said.
    Verification(Option<String>),
}

/// What every CAEP event may say beside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// When it happened.
    pub at: Option<UnixSeconds>,
    /// Who brought it about.
    pub by: Option<Initiator>,
    /// Why, for operators, by language.
    pub reason: BTreeMap<String, String>,
}

/// RISC events, and what each is here.
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
    /// The type of a session's revocation, which we send.
    pub const SESSION_REVOKED: &'static str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
    /// The type of a device's change, which we send.
    pub const DEVICE_COMPLIANCE_CHANGE: &'static str = "https://schemas.openid.net/secevent/caep/event-type/device-compliance-change";
    /// The type of a verification, which we send.
    pub const VERIFICATION: &'static str = "https://schemas.openid.net/secevent/ssf/event-type/verification";

    /// Reads an event of a type.
    ///
    /// # Errors
    /// When the type is unknown, or the event is not of its type.
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

    /// What the monitor makes of it. What only gets better changes nothing: another's word earns no trust here.
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

/// One of some words, or nothing.
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
        if texts.len() > LANGUAGES_MAX { Err(EventRefusal::Malformed) } else { Ok(texts) }
    };
    texts("reason_user")?;
    Ok(Beside { at: event.optional("event_timestamp")?.map(UnixSeconds), by, reason: texts("reason_admin")? })
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
