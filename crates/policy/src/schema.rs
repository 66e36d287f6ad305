//! The Cedar schema: the declared operations and the built-in facts, as types.
//!
//! An unknown value is never better than a known one: an attribute that no evidence established has its worst value, so that policies need
//! no `has` and fail closed. The worst values stand in `entities.rs`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use crate::{
    operation::Operation,
    router::Operations,
    source::{FieldKind, Presence},
};

/// The built-in facts. Ages are in seconds unless the name says otherwise.
const FACTS: &str = "\
// Who acts. `principal in Role::\"admin\"` asks for a role.
entity Role;
entity User in [Role] = { roles: Set<String> };

type Auth = {
  acr: String,              // basic, phishing_resistant, presence
  amr: Set<String>,         // RFC 8176: user, mfa, hwk, swk
  age_s: Long,              // since the person was authenticated
  presence_age_s: Long,     // since a finger or face was shown; 3153600000 (a century) if never
};
type Device = {
  trust: Long,              // 0 nothing proved, 1 software, 2 hardware, 3 hardware with a verified, locked system
  platform: String,         // android, ios
  tier: String,             // hardware, platform, self_reported, none
  vouched_by: String,       // android_key_attestation, app_attest, play_integrity, development_token
  limited: Bool,            // it lacks something that is required at the stage `limit`
  lacks: Set<String>,       // reason codes of all that it lacks, at any stage
  bound_age_s: Long,        // since the person first signed in on it
  evidence_age_s: Long,
  security_level: String,   // strong_box, trusted_environment, software
  bootloader_locked: Bool,  // false when unknown
  boot_state: String,       // verified, self_signed, unverified, failed, unknown
  os_version: Long,         // Android 14 is 140000; 0 when unknown
  patch_level: Long,        // 202611; 0 when unknown
  patch_age_days: Long,     // 36500 when unknown
  app: String,              // empty when unknown
  app_version: Long,        // 0 when unknown; 3.1.0 is 3001000 on iOS
  findings: Set<String>,    // what the app says of the phone: rooted, hooked, vpn, ...
  report_age_s: Long,       // since the app spoke; 3153600000 if never
  integrity: String,        // Play Integrity: strong, device, basic, virtual, none; unknown without a verdict
  verdict_age_s: Long,      // 3153600000 without a verdict
  recognized: Bool,         // Google knows the app
  licensed: Bool,           // the person got it from Google Play
  risk_metric: Long,        // Apple's count of keys on this phone; 0 when not counted
};
type Risk = {
  score: Long,              // 0 to 100: how unlike its person the request looks
  reasons: Set<String>,     // what speaks against the person: new_network, rate, objects, ...
};
type Session = { limited: Bool, age_s: Long };  // limited: by its state or by its device
";

/// The schema as text, for Cedar's tools and for people.
#[must_use]
pub fn schema_text(operations: &Operations) -> String {
    let mut text = String::from(FACTS);
    for (kind, owned) in kinds(&operations.all) {
        let _ = match owned {
            Owned::Always => writeln!(text, "entity {kind} = {{ owner: User }};"),
            Owned::Never => writeln!(text, "entity {kind};"),
            Owned::Sometimes => writeln!(text, "entity {kind} = {{ owner?: User }};"),
        };
    }
    // Sorted, so that the same declarations always give the same text.
    let actions: BTreeMap<_, _> = operations.all.iter().map(|operation| (operation.action.as_str(), operation)).collect();
    for group in actions.keys().filter_map(|action| group(action)).filter(|group| !actions.contains_key(group)).collect::<BTreeSet<_>>() {
        let above = group_clause(group);
        let _ = writeln!(text, "action \"{group}\"{above};");
    }
    for (action, operation) in actions {
        let mut fields = String::from("method: String");
        for (name, field) in &operation.body {
            let mark = if field.presence == Presence::Optional { "?" } else { "" };
            let _ = write!(fields, ", {name}{mark}: {}", type_of(field.kind));
        }
        let _ = writeln!(
            text,
            "action \"{action}\"{} appliesTo {{\n  principal: [User], resource: [{}],\n  context: {{ auth: Auth, device: Device, risk: Risk, session: Session, request: {{ {fields} }} }}\n}};",
            group_clause(action),
            operation.kind,
        );
    }
    text
}

/// The dotted prefix of an action: `accounts` for `accounts.read`.
pub(crate) fn group(action: &str) -> Option<&str> {
    action.rsplit_once('.').map(|(group, _)| group)
}

fn group_clause(action: &str) -> String {
    group(action).map(|group| format!(" in [\"{group}\"]")).unwrap_or_default()
}

const fn type_of(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::Bool => "Bool",
        FieldKind::Long => "Long",
        // Never asked for `any`, which no policy sees.
        FieldKind::Any | FieldKind::Text => "String",
    }
}

/// Statement whether resources of a type have an owner.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owned {
    Always,
    Never,
    Sometimes,
}

fn kinds(operations: &[Operation]) -> BTreeMap<&str, Owned> {
    let mut kinds = BTreeMap::new();
    for operation in operations {
        let owned = if operation.owner.is_some() { Owned::Always } else { Owned::Never };
        kinds
            .entry(operation.kind.as_str())
            .and_modify(|known| {
                if *known != owned {
                    *known = Owned::Sometimes
                }
            })
            .or_insert(owned);
    }
    kinds
}
