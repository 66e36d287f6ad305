//! A set of rules as one text: the operations and policies that decide together, so that what decided once can be found by its
//! digest and can decide again.

use std::collections::BTreeMap;

use countersign_core::{Seconds, WhenLimited};
use serde::{Deserialize, Serialize};

use crate::{
    body::OtherMembers,
    load::{Policies, PolicySource},
    operation::{OperationSpec, RequestHeaders},
    router::Operations,
    stream::{StreamKind, StreamSpec},
};

/// The format that is written and read.
const FORMAT: &str = "countersign-rules 1";

/// Operations and policies as the operator wrote them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleSet {
    /// The declared operations.
    pub operations: Vec<OperationSpec>,
    /// The policy files.
    pub policies: Vec<PolicySource>,
}

/// Why a text is no set of rules that decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleSetRefusal {
    /// It is not the text of a set of rules.
    Malformed,
    /// Its operations or policies are not what this version accepts.
    NotAccepted,
}

impl std::fmt::Display for RuleSetRefusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Malformed => "this is not the text of a set of rules",
            Self::NotAccepted => "this version does not accept the operations or policies of this set of rules",
        })
    }
}

impl std::error::Error for RuleSetRefusal {}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    format: String,
    operations: Vec<WireOperation>,
    policies: Vec<WirePolicy>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WirePolicy {
    file: String,
    text: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireOperation {
    method: String,
    path: String,
    action: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    resource: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    owner: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    body: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    body_others: Option<WireOthers>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    request_headers: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    body_bytes_max: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    when_limited: Option<WireLimited>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    evidence_age_max: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    stream: Option<WireStream>,
}

/// Written only where it is not the usual, so that rules from before it was known keep their digest.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WireOthers {
    Open,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WireLimited {
    Allow,
    Refuse,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireStream {
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    message_bytes_max: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    messages_per_second: Option<u64>,
}

impl RuleSet {
    /// The text of the set; equal sets have equal texts.
    #[must_use]
    pub fn to_text(&self) -> String {
        let wire = Wire {
            format: FORMAT.to_owned(),
            operations: self.operations.iter().map(write).collect(),
            policies: self.policies.iter().map(|source| WirePolicy { file: source.file.clone(), text: source.text.clone() }).collect(),
        };
        // Texts, numbers and lists of them always have a JSON form.
        serde_json::to_string_pretty(&wire).unwrap_or_default()
    }

    /// Reads a set back.
    ///
    /// # Errors
    /// When the text is none.
    pub fn parse(text: &str) -> Result<Self, RuleSetRefusal> {
        let wire: Wire = serde_json::from_str(text).map_err(|_| RuleSetRefusal::Malformed)?;
        if wire.format != FORMAT {
            return Err(RuleSetRefusal::Malformed);
        }
        let operations = wire.operations.into_iter().map(read).collect::<Option<_>>().ok_or(RuleSetRefusal::Malformed)?;
        let policies = wire.policies.into_iter().map(|source| PolicySource { file: source.file, text: source.text }).collect();
        Ok(Self { operations, policies })
    }

    /// The policies, ready to decide.
    ///
    /// # Errors
    /// When this version does not accept them.
    pub fn load(&self) -> Result<Policies, RuleSetRefusal> {
        let operations: Vec<_> = self.operations.iter().map(for_policies).collect();
        let operations = Operations::new(&operations).map_err(|_| RuleSetRefusal::NotAccepted)?;
        Policies::load(&self.policies, &operations).map_err(|_| RuleSetRefusal::NotAccepted)
    }
}

/// The operation as policies see it: fields by name and type. Where they stand in a body decides nothing again, and what is refused there
/// today may stand in rules of before.
fn for_policies(spec: &OperationSpec) -> OperationSpec {
    let placed = |(name, text): (&String, &String)| {
        let kind = text.split_once(' ').map_or(text.as_str(), |(kind, _)| kind);
        // `_` does not tell names of members apart, and `~` (written `~0`) does.
        (name.clone(), format!("{kind} /{}", name.replace('_', "~0")))
    };
    OperationSpec { body: spec.body.iter().map(placed).collect(), ..spec.clone() }
}

fn write(spec: &OperationSpec) -> WireOperation {
    WireOperation {
        method: spec.method.clone(),
        path: spec.path.clone(),
        action: spec.action.clone(),
        resource: spec.resource.clone(),
        id: spec.id.clone(),
        owner: spec.owner.clone(),
        body: spec.body.clone(),
        body_others: match spec.body_others {
            OtherMembers::Closed => None,
            OtherMembers::Open => Some(WireOthers::Open),
        },
        request_headers: match &spec.request_headers {
            RequestHeaders::Usual => None,
            RequestHeaders::Declared(names) => Some(names.clone()),
        },
        body_bytes_max: spec.body_bytes_max,
        when_limited: spec.when_limited.map(|when| match when {
            WhenLimited::Allow => WireLimited::Allow,
            WhenLimited::Refuse => WireLimited::Refuse,
        }),
        evidence_age_max: spec.evidence_age_max.map(|Seconds(age)| age),
        stream: spec.stream.map(|stream| WireStream {
            kind: stream.kind.as_str().to_owned(),
            message_bytes_max: stream.message_bytes_max,
            messages_per_second: stream.messages_per_second,
        }),
    }
}

fn read(wire: WireOperation) -> Option<OperationSpec> {
    let stream = |wire: WireStream| {
        let kind = StreamKind::ALL.into_iter().find(|kind| kind.as_str() == wire.kind)?;
        Some(StreamSpec { kind, message_bytes_max: wire.message_bytes_max, messages_per_second: wire.messages_per_second })
    };
    Some(OperationSpec {
        method: wire.method,
        path: wire.path,
        action: wire.action,
        resource: wire.resource,
        id: wire.id,
        owner: wire.owner,
        body: wire.body,
        body_others: match wire.body_others {
            None => OtherMembers::Closed,
            Some(WireOthers::Open) => OtherMembers::Open,
        },
        request_headers: wire.request_headers.map_or(RequestHeaders::Usual, RequestHeaders::Declared),
        body_bytes_max: wire.body_bytes_max,
        when_limited: wire.when_limited.map(|when| match when {
            WireLimited::Allow => WhenLimited::Allow,
            WireLimited::Refuse => WhenLimited::Refuse,
        }),
        evidence_age_max: wire.evidence_age_max.map(Seconds),
        stream: match wire.stream {
            Some(wire) => Some(stream(wire)?),
            None => None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set() -> RuleSet {
        let spec = OperationSpec {
            method: "GET".to_owned(),
            path: "/v1/live".to_owned(),
            action: "live.open".to_owned(),
            when_limited: Some(WhenLimited::Refuse),
            evidence_age_max: Some(Seconds(3600)),
            stream: Some(StreamSpec { kind: StreamKind::WebSocket, message_bytes_max: Some(1024), messages_per_second: None }),
            ..OperationSpec::default()
        };
        let text = "permit (principal, action, resource);".to_owned();
        RuleSet { operations: vec![spec], policies: vec![PolicySource { file: "a.cedar".to_owned(), text }] }
    }

    #[test]
    fn a_set_is_read_back_and_decides() {
        let text = set().to_text();
        assert_eq!(RuleSet::parse(&text), Ok(set()));
        assert_eq!(set().load().map(|policies| policies.count()), Ok(1));
        let rows: &[(&str, String)] = &[
            ("another format", text.replace("rules 1", "rules 2")),
            ("a member more", text.replacen('{', "{\"more\": 1,", 1)),
            ("another kind of stream", text.replace("websocket", "pipe")),
            ("nothing", String::new()),
        ];
        for (name, text) in rows {
            assert_eq!(RuleSet::parse(text), Err(RuleSetRefusal::Malformed), "{name}");
        }
        let mut broken = set();
        "permit".clone_into(&mut broken.policies[0].text);
        assert_eq!(broken.load().err(), Some(RuleSetRefusal::NotAccepted));
    }

    /// A log is decided again by the rules of its time, pointers into lists and fields that collide included.
    #[test]
    fn rules_of_before_decide_again() {
        let mut old = set();
        let body = [("first", "long? /list/0"), ("a_b", "text? /a_b"), ("ab", "text? /ab")];
        old.operations[0].method = "POST".to_owned();
        old.operations[0].stream = None;
        old.operations[0].body = body.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
        assert!(Operations::new(&old.operations).is_err());
        assert_eq!(old.load().map(|policies| policies.count()), Ok(1));
    }

    proptest! {
        #[test]
        fn no_text_panics_and_every_set_is_read_back(text in "\\PC*", file in "\\PC{0,40}", max: Option<u64>, field in "\\PC{0,40}") {
            let _ = RuleSet::parse(&text);
            let mut set = set();
            set.policies.push(PolicySource { file, text });
            set.operations[0].body_bytes_max = max;
            set.operations[0].request_headers = max.map_or(RequestHeaders::Usual, |_| RequestHeaders::Declared(vec![field.clone()]));
            set.operations[0].body_others = if max.is_some() { OtherMembers::Open } else { OtherMembers::Closed };
            set.operations[0].body.insert(field.clone(), field);
            prop_assert_eq!(RuleSet::parse(&set.to_text()), Ok(set));
        }
    }
}
