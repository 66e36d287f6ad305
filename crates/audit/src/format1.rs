//! Entries of format 1, which are still read and verified and no more written: facts as words, and for each personal field a salted
//! commitment of its own, `H(domain || name || 0 || salt || value)`, with salts and values in the box.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_core::{Action, DecisionId, Outcome, PolicyName, Reason, Remedy, UnixMillis};
use serde::Deserialize;

use crate::{
    choices::EventKind,
    earlier::Earlier,
    event::{Event, Recorded},
    hash::{Hash, digest},
    identity::{PersonalField, PersonalName},
    person_key::PersonKey,
    seal_refusal::SealRefusal,
    spelling::Word,
    tree::Salt,
};

/// What commitments are hashed and boxes are sealed for.
const DOMAIN: &[u8] = b"countersign-log personal field 1\0";

/// An entry as it was hashed and stored.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wire {
    at: u64,
    decision: String,
    event: String,
    #[serde(default)]
    action: Option<String>,
    outcome: String,
    #[serde(default)]
    reasons: Vec<String>,
    #[serde(default)]
    policies: Vec<String>,
    #[serde(default)]
    facts: BTreeMap<String, String>,
    #[serde(default)]
    nearest: Option<String>,
    #[serde(default)]
    unmet: Vec<String>,
    #[serde(default)]
    remedies: Vec<String>,
    #[serde(default)]
    personal: BTreeMap<String, String>,
    #[serde(rename = "box", default)]
    sealed: Option<WireBox>,
}

/// The box: whose key opens it, and nonce and ciphertext in base64url.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireBox {
    key: String,
    data: String,
}

/// What the public part of an entry says.
pub struct Read {
    pub at: UnixMillis,
    pub decision: DecisionId,
    pub event: Event,
    pub sealed: Sealed,
}

/// What is sealed of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Commitments by name.
    pub commitments: BTreeMap<String, String>,
    /// Name of the key, and the box.
    pub sealed: Option<(String, String)>,
}

/// Reads an entry.
pub fn read(json: &str) -> Result<Read, SealRefusal> {
    let wire: Wire = serde_json::from_str(json).map_err(|_| SealRefusal::Malformed)?;
    understand(wire).ok_or(SealRefusal::Malformed)
}

fn understand(wire: Wire) -> Option<Read> {
    let all = |texts: &[String]| texts.iter().map(|text| Reason::read(text)).collect::<Option<Vec<_>>>();
    let earlier = Earlier {
        kind: EventKind::ALL.iter().copied().find(|kind| kind.as_str() == wire.event)?,
        action: wire.action.as_deref().map(Action::parse).transpose().ok()?,
        policies: wire.policies.iter().map(|name| PolicyName::new(name)).collect(),
        words: wire.facts,
        nearest: wire.nearest.as_deref().map(PolicyName::new),
        unmet: wire.unmet,
        remedies: wire.remedies.iter().map(|kind| Remedy::read(kind)).collect::<Option<_>>()?,
    };
    Some(Read {
        at: UnixMillis(wire.at),
        decision: DecisionId::parse(&wire.decision).ok()?,
        event: Event { outcome: Outcome::read(&wire.outcome)?, reasons: all(&wire.reasons)?, of: Recorded::Earlier(earlier) },
        sealed: Sealed { commitments: wire.personal, sealed: wire.sealed.map(|sealed| (sealed.key, sealed.data)) },
    })
}

impl Sealed {
    /// Opens the box and checks every field against its commitment.
    pub fn open(&self, key: &PersonKey) -> Result<Vec<(PersonalField, Salt)>, SealRefusal> {
        let Some((handle, data)) = &self.sealed else { return Ok(Vec::new()) };
        let plain = key.unlock(handle, data, DOMAIN)?;
        let opened: BTreeMap<String, (String, String)> = serde_json::from_slice(&plain).map_err(|_| SealRefusal::Malformed)?;
        // A commitment without a value would be a field that the box hides.
        if opened.len() != self.commitments.len() {
            return Err(SealRefusal::CommitmentMismatch);
        }
        let mut found = Vec::new();
        for (name, (salt, value)) in opened {
            let name = PersonalName::parse(&name).ok_or(SealRefusal::Malformed)?;
            let salt = URL_SAFE_NO_PAD.decode(salt).ok().and_then(|salt| salt.try_into().ok()).ok_or(SealRefusal::Malformed)?;
            let field = PersonalField { name, value };
            self.holds(&field, &salt)?;
            found.push((field, salt));
        }
        Ok(found)
    }

    /// Checks that the entry commits to a field.
    pub fn holds(&self, field: &PersonalField, salt: &Salt) -> Result<(), SealRefusal> {
        let committed = self.commitments.get(field.name.as_str()).and_then(|text| Hash::parse(text));
        if committed == Some(commitment(field.name.as_str(), salt, &field.value)) { Ok(()) } else { Err(SealRefusal::CommitmentMismatch) }
    }
}

fn commitment(name: &str, salt: &[u8], value: &str) -> Hash {
    // Name and salt have lengths that cannot be confused: the name ends in a zero byte, the salt has 16 bytes.
    digest(&[DOMAIN, name.as_bytes(), &[0], salt, value.as_bytes()])
}
