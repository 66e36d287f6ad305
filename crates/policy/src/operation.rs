//! Operations of the API: as the operator declares them, and as they are used.

use std::{collections::BTreeMap, fmt};

use countersign_core::{Action, Limits, OperationRules, PairwiseId, ResourceFacts, Seconds, WhenLimited};

use crate::{
    body::{OtherMembers, Shape, ShapeProblem},
    source::{FieldKind, FieldSpec, ValueSource},
    stream::{StreamProblem, StreamRules, StreamSpec},
};

/// Resource type of operations that declare none: the API as a whole.
pub(crate) const API: &str = "Api";

/// Names that the schema uses itself.
const TAKEN: &[&str] = &["User", "Role", "Action", "Bool", "Long", "String", "Set", "Record"];

/// Headers of a request that reach the API, among those that may reach any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RequestHeaders {
    /// All that are not reserved.
    #[default]
    Usual,
    /// The named ones, and those that describe the message itself, such as `Content-Type`.
    Declared(Vec<String>),
}

/// An operation as the operator declares it, in texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperationSpec {
    /// HTTP method, such as `GET` or `POST`.
    pub method: String,
    /// Path template, such as `/v1/customers/{customer}/accounts`; a last segment `**` stands for any number of segments.
    pub path: String,
    /// Name in policies, such as `accounts.list`. Dotted prefixes are groups: `action in Action::"accounts"`.
    pub action: String,
    /// Cedar type of the resource, such as `Account`; `None` for the API as a whole.
    pub resource: Option<String>,
    /// Source of the resource's id: `path.account`, `token.sub` or `literal:x`.
    pub id: Option<String>,
    /// Source of the resource owner's name, in the same forms.
    pub owner: Option<String>,
    /// Members of the body: `amount = "long /amount"`. Policies look at those of the types `bool`, `long` and `text`; `any` declares one that
    /// they do not see.
    pub body: BTreeMap<String, String>,
    /// Statement whether the body may have other members.
    pub body_others: OtherMembers,
    /// Headers that reach the API.
    pub request_headers: RequestHeaders,
    /// Greatest size of a body in bytes; `None` for the gateway's own limit.
    pub body_bytes_max: Option<u64>,
    /// Behaviour for limited sessions. With `None`, safe methods (RFC 9110 section 9.2.1) accept them and other methods do not.
    pub when_limited: Option<WhenLimited>,
    /// Greatest accepted age of the evidence about the device.
    pub evidence_age_max: Option<Seconds>,
    /// Kind and bounds of the connection, for an operation whose connection stays open.
    pub stream: Option<StreamSpec>,
}

/// Fault in a declared operation. Alphabetical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperationProblem {
    /// The action is not made of lower-case words joined by dots.
    ActionMalformed(String),
    /// The same method and shape of path are declared twice.
    Ambiguous(String),
    /// Two operations have this action, but other resource types or body fields.
    ActionShared(String),
    /// A body field has no place of its own: two pointers are equal, one leads into the other, or a reader could take one for the other.
    FieldCollision(String),
    /// A body field is an element of a list, and policies see members of objects only.
    FieldInList(String),
    /// A body field is not `bool`, `long`, `text` or `any` with a pointer, or its name is not an identifier.
    FieldMalformed(String),
    /// Body fields are declared for a method whose body has no meaning, such as `GET` or `DELETE` (RFC 9110 section 9.3).
    FieldsWithoutBody(String),
    /// The method is not one that the gateway knows.
    MethodUnknown(String),
    /// A body is declared open, and no field of it.
    OpenWithoutFields,
    /// The path is not absolute, is too long, or is not in the form that the gateway forwards.
    PathMalformed(String),
    /// The resource type is not an identifier, or is one that the schema uses itself.
    ResourceMalformed(String),
    /// The source has another form, or names a parameter that the path does not have.
    SourceUnknown(String),
    /// The connection cannot stay open as declared.
    Stream(StreamProblem),
}

impl fmt::Display for OperationProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ActionMalformed(text) => {
                write!(f, "`{text}` is not an action; write lower-case words joined by dots, such as `accounts.read`")
            }
            Self::Ambiguous(text) => write!(f, "`{text}` is declared twice; remove one, or give them different paths"),
            Self::ActionShared(text) => {
                write!(f, "two operations with the action `{text}` differ in resource type or body fields; give them different actions")
            }
            Self::FieldCollision(text) => {
                write!(
                    f,
                    "the body field `{text}` has no place of its own; give each field another member, in names that differ by more than case, `_` and `-`"
                )
            }
            Self::FieldInList(text) => {
                write!(f, "the body field `{text}` points into a list; policies see members of objects only, so declare the list as `any`")
            }
            Self::FieldMalformed(text) => {
                write!(f, "`{text}` is not a body field; write `amount = \"long /amount\"` (bool, long, text or any, `?` when optional)")
            }
            Self::OpenWithoutFields => f.write_str("`body.open` is set without any field; add a field, or remove `body`"),
            Self::FieldsWithoutBody(text) => write!(f, "`{text}` requests have no body; remove `body`"),
            Self::MethodUnknown(text) => write!(f, "`{text}` is not a method; write GET, POST, PUT, PATCH, DELETE, HEAD or OPTIONS"),
            Self::PathMalformed(text) => {
                write!(
                    f,
                    "`{text}` is not a path template; write `/v1/accounts/{{account}}`, at most {} segments",
                    Limits::PATH_SEGMENTS_MAX
                )
            }
            Self::ResourceMalformed(text) => {
                write!(f, "`{text}` is not a resource type; write a capitalised word other than User, Role or Action")
            }
            Self::SourceUnknown(text) => {
                write!(
                    f,
                    "`{text}` is not a source; write `path.NAME` (for a parameter `{{NAME}}` of the path), `token.sub` or `literal:TEXT`"
                )
            }
            Self::Stream(problem) => problem.fmt(f),
        }
    }
}

/// A segment of a path template.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Segment {
    /// Exactly this text, case-sensitive.
    Literal(String),
    /// Any text; the parameter has this name.
    Parameter(String),
    /// Any number of segments, only at the end.
    Tail,
}

/// An operation in use.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) method: String,
    pub(crate) template: Vec<Segment>,
    pub(crate) action: Action,
    pub(crate) kind: String,
    id: ValueSource,
    pub(crate) owner: Option<ValueSource>,
    /// Fields that policies see.
    pub(crate) body: BTreeMap<String, FieldSpec>,
    /// All declared members, for an operation that declares any.
    pub(crate) shape: Option<Shape>,
    pub(crate) request_headers: RequestHeaders,
    pub(crate) body_bytes_max: Option<u64>,
    pub(crate) rules: OperationRules,
    pub(crate) stream: Option<StreamRules>,
}

impl Operation {
    pub(crate) fn parse(spec: &OperationSpec) -> Result<Self, OperationProblem> {
        const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
        if !METHODS.contains(&spec.method.as_str()) {
            return Err(OperationProblem::MethodUnknown(spec.method.clone()));
        }
        let template = template(&spec.path).ok_or_else(|| OperationProblem::PathMalformed(spec.path.clone()))?;
        let kind = spec.resource.clone().unwrap_or_else(|| API.to_owned());
        // A declared type that is one of the schema's own would redefine it.
        if !is_type_name(&kind) || TAKEN.contains(&kind.as_str()) {
            return Err(OperationProblem::ResourceMalformed(kind));
        }
        let source = |text: &str| {
            let known = |source: &ValueSource| match source {
                // A parameter that the path does not have would be empty in every request.
                ValueSource::Path(name) => template.contains(&Segment::Parameter(name.clone())),
                ValueSource::Literal(_) | ValueSource::TokenSubject => true,
            };
            ValueSource::parse(text).filter(known).ok_or_else(|| OperationProblem::SourceUnknown(text.to_owned()))
        };
        // Content in these requests has no defined meaning (RFC 9110 sections 9.3.1, 9.3.2 and 9.3.5), so servers may ignore it.
        if !spec.body.is_empty() && matches!(spec.method.as_str(), "GET" | "HEAD" | "DELETE" | "OPTIONS") {
            return Err(OperationProblem::FieldsWithoutBody(spec.method.clone()));
        }
        // `method` is taken: it is a built-in member of `context.request`.
        let field = |(name, text): (&String, &String)| match FieldSpec::parse(text) {
            Some(field) if is_identifier(name) && name != "method" => Ok((name.clone(), field)),
            Some(_) | None => Err(OperationProblem::FieldMalformed(format!("{name} = \"{text}\""))),
        };
        let fields: BTreeMap<_, _> = spec.body.iter().map(field).collect::<Result<_, _>>()?;
        let shape = match (fields.is_empty(), spec.body_others) {
            (true, OtherMembers::Closed) => None,
            (true, OtherMembers::Open) => return Err(OperationProblem::OpenWithoutFields),
            (false, others) => Some(Shape::new(&fields, others).map_err(|(name, problem)| match problem {
                ShapeProblem::Collision => OperationProblem::FieldCollision(name),
                ShapeProblem::InList => OperationProblem::FieldInList(name),
            })?),
        };
        Ok(Self {
            method: spec.method.clone(),
            action: action(&spec.action).ok_or_else(|| OperationProblem::ActionMalformed(spec.action.clone()))?,
            id: spec.id.as_deref().map_or_else(|| Ok(ValueSource::Literal("api".to_owned())), source)?,
            owner: spec.owner.as_deref().map(source).transpose()?,
            body: fields.into_iter().filter(|(_, field)| field.kind != FieldKind::Any).collect(),
            shape,
            request_headers: spec.request_headers.clone(),
            body_bytes_max: spec.body_bytes_max,
            rules: OperationRules {
                // Fail closed: a limited session only reads, unless the operator says otherwise.
                when_limited: spec.when_limited.unwrap_or(if safe(&spec.method) { WhenLimited::Allow } else { WhenLimited::Refuse }),
                evidence_age_max: spec.evidence_age_max,
            },
            stream: spec.stream.map(|stream| StreamRules::parse(stream, &spec.method)).transpose().map_err(OperationProblem::Stream)?,
            template,
            kind,
        })
    }

    /// The resource of a request, for the facts.
    pub(crate) fn resource(&self, parameters: &[(&str, String)], subject: &PairwiseId) -> ResourceFacts {
        let value = |source: &ValueSource| match source {
            ValueSource::Literal(text) => text.clone(),
            ValueSource::Path(name) => {
                parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()).unwrap_or_default()
            }
            ValueSource::TokenSubject => subject.to_string(),
        };
        ResourceFacts { kind: self.kind.clone(), id: value(&self.id), owner: self.owner.as_ref().map(value) }
    }
}

/// True for methods that read and change nothing (RFC 9110 section 9.2.1).
fn safe(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS")
}

fn template(path: &str) -> Option<Vec<Segment>> {
    let rest = path.strip_prefix('/')?;
    let segments: Vec<_> = if rest.is_empty() { Vec::new() } else { rest.split('/').map(segment).collect::<Option<_>>()? };
    // A tail in the middle could match one path in many ways.
    let tail_inside = segments.iter().rev().skip(1).any(|segment| *segment == Segment::Tail);
    let mut names: Vec<_> = segments.iter().filter(|segment| matches!(segment, Segment::Parameter(_))).collect();
    let count = names.len();
    // Two parameters of one name are refused: the policy would see one of the two values by accident.
    names.sort();
    names.dedup();
    (segments.len() <= Limits::PATH_SEGMENTS_MAX && !tail_inside && names.len() == count).then_some(segments)
}

fn segment(text: &str) -> Option<Segment> {
    if text == "**" {
        return Some(Segment::Tail);
    }
    if let Some(name) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
        return is_identifier(name).then(|| Segment::Parameter(name.to_owned()));
    }
    // SECURITY: dot segments and percent signs are refused, so that a template has no second spelling.
    let literal = !text.is_empty()
        && text != "."
        && text != ".."
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@".contains(&b));
    literal.then(|| Segment::Literal(text.to_owned()))
}

fn action(text: &str) -> Option<Action> {
    let word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_lowercase())
            && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
    };
    text.split('.').all(word).then(|| Action::parse(text).ok()).flatten()
}

fn is_identifier(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn is_type_name(text: &str) -> bool {
    text.len() <= 64 && text.starts_with(|c: char| c.is_ascii_uppercase()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spec() -> OperationSpec {
        OperationSpec {
            method: "POST".to_owned(),
            path: "/v1/customers/{customer}/transfers".to_owned(),
            action: "transfers.create".to_owned(),
            resource: Some("Customer".to_owned()),
            id: Some("path.customer".to_owned()),
            owner: Some("path.customer".to_owned()),
            body: [("amount".to_owned(), "long /amount".to_owned()), ("note".to_owned(), "text? /note".to_owned())].into(),
            body_others: OtherMembers::Closed,
            request_headers: RequestHeaders::Usual,
            body_bytes_max: None,
            when_limited: None,
            evidence_age_max: None,
            stream: None,
        }
    }

    #[test]
    fn every_declaration_is_sound_or_refused_by_name() {
        type Change = fn(&mut OperationSpec);
        let text = String::from;
        let rows: &[(&str, Change, Option<OperationProblem>)] = &[
            ("all fits", |_| {}, None),
            ("the API as a whole", |s| (s.resource, s.id, s.owner) = (None, None, None), None),
            ("another method", |s| s.method = "TRACE".into(), Some(OperationProblem::MethodUnknown(text("TRACE")))),
            ("a method in small letters", |s| s.method = "post".into(), Some(OperationProblem::MethodUnknown(text("post")))),
            ("a relative path", |s| s.path = "v1".into(), Some(OperationProblem::PathMalformed(text("v1")))),
            ("an empty segment", |s| s.path = "/v1//x".into(), Some(OperationProblem::PathMalformed(text("/v1//x")))),
            ("a tail inside", |s| s.path = "/**/x".into(), Some(OperationProblem::PathMalformed(text("/**/x")))),
            ("a name twice", |s| s.path = "/{a}/{a}".into(), Some(OperationProblem::PathMalformed(text("/{a}/{a}")))),
            ("an encoded path", |s| s.path = "/%2e".into(), Some(OperationProblem::PathMalformed(text("/%2e")))),
            ("a capital action", |s| s.action = "Transfers".into(), Some(OperationProblem::ActionMalformed(text("Transfers")))),
            ("an empty word", |s| s.action = "a..b".into(), Some(OperationProblem::ActionMalformed(text("a..b")))),
            ("a small type", |s| s.resource = Some("customer".into()), Some(OperationProblem::ResourceMalformed(text("customer")))),
            ("a type of ours", |s| s.resource = Some("User".into()), Some(OperationProblem::ResourceMalformed(text("User")))),
            ("a parameter that is not there", |s| s.id = Some("path.x".into()), Some(OperationProblem::SourceUnknown(text("path.x")))),
            ("an owner from nowhere", |s| s.owner = Some("x".into()), Some(OperationProblem::SourceUnknown(text("x")))),
            (
                "another type of field",
                |s| drop(s.body.insert("x".into(), "float /x".into())),
                Some(OperationProblem::FieldMalformed(text("x = \"float /x\""))),
            ),
            (
                "a field called method",
                |s| drop(s.body.insert("method".into(), "text /m".into())),
                Some(OperationProblem::FieldMalformed(text("method = \"text /m\""))),
            ),
            (
                "an element of a list",
                |s| drop(s.body.insert("first".into(), "long /list/0".into())),
                Some(OperationProblem::FieldInList(text("first"))),
            ),
            (
                "the place behind the last element",
                |s| drop(s.body.insert("next".into(), "any /list/-".into())),
                Some(OperationProblem::FieldInList(text("next"))),
            ),
            (
                "two fields at one place",
                |s| drop(s.body.insert("sum".into(), "long /amount".into())),
                Some(OperationProblem::FieldCollision(text("sum"))),
            ),
            (
                "two fields that a reader takes for one",
                |s| drop(s.body.insert("sum".into(), "long /AMOUNT_".into())),
                Some(OperationProblem::FieldCollision(text("sum"))),
            ),
            (
                "a field inside another",
                |s| drop(s.body.insert("cents".into(), "long /amount/cents".into())),
                Some(OperationProblem::FieldCollision(text("cents"))),
            ),
            (
                "a field without a name",
                |s| drop(s.body.insert("x".into(), "long /".into())),
                Some(OperationProblem::FieldCollision(text("x"))),
            ),
            ("a member that policies do not see", |s| drop(s.body.insert("to".into(), "any /to".into())), None),
            ("other members", |s| s.body_others = OtherMembers::Open, None),
            (
                "other members alone",
                |s| (s.body_others, s.body) = (OtherMembers::Open, BTreeMap::new()),
                Some(OperationProblem::OpenWithoutFields),
            ),
            ("fields of a GET", |s| s.method = "GET".into(), Some(OperationProblem::FieldsWithoutBody(text("GET")))),
        ];
        for (name, change, expected) in rows {
            let mut spec = spec();
            change(&mut spec);
            let problem = Operation::parse(&spec).err();
            assert_eq!(problem, *expected, "{name}");
            assert!(problem.is_none_or(|problem| problem.to_string().contains("; ")), "{name}: says what to do");
        }
    }

    proptest! {
        #[test]
        fn no_declaration_and_no_body_panics(path in "\\PC{0,40}", text in "\\PC{0,40}", body: Vec<u8>) {
            let mut spec = spec();
            spec.path = path;
            spec.id = Some(text.clone());
            spec.action = text;
            let _ = Operation::parse(&spec);
            let _ = Operation::parse(&self::spec()).expect("sound").shape.expect("a body").read(&body);
        }
    }
}
