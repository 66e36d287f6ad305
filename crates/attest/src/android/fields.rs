//! A key description as a tree of names and texts, with the names of Google's verifier: for JSON, for people, and for comparison in tests.

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::android::application::{ApplicationId, Package};
use crate::android::authorization::{Authorization, AuthorizationList, Tag, Value};
use crate::android::boot_state::{self, RootOfTrust};
use crate::android::key_description::KeyDescription;
use crate::android::security_level;

/// A node of the tree. Numbers are decimal text, times are milliseconds since 1970, bytes are base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// A statement that is true or false.
    Flag(bool),
    /// Named fields, in order.
    Group(Vec<(String, Field)>),
    /// Several values without names, in order.
    List(Vec<Field>),
    /// A text, a number or bytes.
    Text(String),
}

impl Field {
    /// The field with this name, when the node is a group that has it.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Group(fields) => fields.iter().find(|(known, _)| known == name).map(|(_, field)| field),
            Self::Flag(_) | Self::List(_) | Self::Text(_) => None,
        }
    }
}

/// The whole description as a tree.
#[must_use]
pub fn description_fields(description: &KeyDescription) -> Field {
    group([
        ("attestationVersion", number(description.attestation_version)),
        ("attestationSecurityLevel", text(security_level::name(description.attestation_security_level))),
        ("keyMintVersion", number(description.key_mint_version)),
        ("keyMintSecurityLevel", text(security_level::name(description.key_mint_security_level))),
        ("attestationChallenge", bytes(&description.challenge)),
        ("uniqueId", bytes(&description.unique_id)),
        ("softwareEnforced", list(&description.software_enforced)),
        ("hardwareEnforced", list(&description.hardware_enforced)),
    ])
}

fn list(list: &AuthorizationList) -> Field {
    let mut fields: Vec<_> = list.iter().map(|entry| (name(entry.tag), value(entry))).collect();
    fields.push((String::from("areTagsOrdered"), Field::Flag(list.tags_ordered())));
    Field::Group(fields)
}

fn name(tag: Tag) -> String {
    tag.name().map_or_else(|| format!("tag{}", tag.number()), str::to_owned)
}

fn value(entry: &Authorization) -> Field {
    match &entry.value {
        Value::Application(app) => application(app),
        Value::Bytes(content) if entry.tag == Tag::ModuleHash => bytes(content),
        // The identifiers of a phone are texts.
        Value::Bytes(content) => std::str::from_utf8(content).map_or_else(|_| bytes(content), text),
        Value::Integer(value) => number(*value),
        Value::Integers(values) => Field::List(values.iter().map(|value| number(*value)).collect()),
        Value::Origin(origin) => text(origin.name()),
        Value::Present => Field::Flag(true),
        Value::RootOfTrust(root) => root_of_trust(root),
        Value::Unknown(der) => bytes(der),
    }
}

fn application(app: &ApplicationId) -> Field {
    let package = |package: &Package| group([("name", text(&package.name)), ("version", number(package.version))]);
    group([
        ("packages", Field::List(app.packages.iter().map(package).collect())),
        ("signatures", Field::List(app.signers.iter().map(|signer| bytes(signer)).collect())),
    ])
}

fn root_of_trust(root: &RootOfTrust) -> Field {
    let mut fields = vec![
        (String::from("verifiedBootKey"), bytes(&root.verified_boot_key)),
        (String::from("deviceLocked"), Field::Flag(root.device_locked)),
        (String::from("verifiedBootState"), text(boot_state::name(root.verified_boot_state))),
    ];
    fields.extend(root.verified_boot_hash.as_ref().map(|hash| (String::from("verifiedBootHash"), bytes(hash))));
    Field::Group(fields)
}

fn group<const N: usize>(fields: [(&str, Field); N]) -> Field {
    Field::Group(fields.into_iter().map(|(name, field)| (name.to_owned(), field)).collect())
}

fn number(value: impl ToString) -> Field {
    Field::Text(value.to_string())
}

fn text(value: &str) -> Field {
    Field::Text(value.to_owned())
}

fn bytes(value: &[u8]) -> Field {
    Field::Text(STANDARD.encode(value))
}
