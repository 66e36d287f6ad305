//! Routing: the operation that a request is for.

use std::collections::{BTreeMap, HashMap};

use countersign_core::{Action, FieldValue, Limits, OperationRules, PairwiseId, Reason, ResourceFacts};

use crate::{
    body::BodyRefusal,
    operation::{Operation, OperationProblem, OperationSpec, RequestHeaders, Segment},
    stream::StreamRules,
};

/// All operations that the API offers. A request for anything else is refused (law 1 of the design).
#[derive(Debug, Default)]
pub struct Operations {
    pub(crate) all: Vec<Operation>,
    root: Node,
}

/// A position in the tree of path templates.
#[derive(Debug, Default)]
struct Node {
    literals: HashMap<String, Node>,
    parameter: Option<Box<Node>>,
    here: HashMap<String, usize>,
    tail: HashMap<String, usize>,
}

impl Operations {
    /// Parses the operator's declarations.
    ///
    /// # Errors
    /// All problems, each with the position of its declaration.
    pub fn new(specs: &[OperationSpec]) -> Result<Self, Vec<(usize, OperationProblem)>> {
        let (mut operations, mut problems) = (Self::default(), Vec::new());
        for (position, spec) in specs.iter().enumerate() {
            match Operation::parse(spec).and_then(|operation| operations.add(operation, spec)) {
                Ok(()) => {}
                Err(problem) => problems.push((position, problem)),
            }
        }
        if problems.is_empty() { Ok(operations) } else { Err(problems) }
    }

    fn add(&mut self, operation: Operation, spec: &OperationSpec) -> Result<(), OperationProblem> {
        // The schema declares each action once, so operations that share an action must agree.
        let alike = |known: &Operation| {
            known.kind == operation.kind && known.body == operation.body && known.owner.is_some() == operation.owner.is_some()
        };
        if self.all.iter().any(|known| known.action == operation.action && !alike(known)) {
            return Err(OperationProblem::ActionShared(spec.action.clone()));
        }
        let (mut node, mut tail) = (&mut self.root, false);
        for segment in &operation.template {
            node = match segment {
                Segment::Literal(text) => node.literals.entry(text.clone()).or_default(),
                Segment::Parameter(_) => node.parameter.get_or_insert_default(),
                Segment::Tail => {
                    tail = true;
                    node
                }
            };
        }
        let ends = if tail { &mut node.tail } else { &mut node.here };
        if ends.insert(operation.method.clone(), self.all.len()).is_some() {
            return Err(OperationProblem::Ambiguous(format!("{} {}", spec.method, spec.path)));
        }
        self.all.push(operation);
        Ok(())
    }

    /// The operation for a method and a path in normal form. Literal segments are preferred to parameters, and those to a tail. `HEAD` uses
    /// the `GET` operation where it is not declared itself (RFC 9110 section 9.3.2).
    ///
    /// # Errors
    /// `unknown_operation`, or `parameter_invalid` when a parameter is not text.
    pub fn find<'a>(&'a self, method: &str, path: &str) -> Result<Found<'a>, Reason> {
        let segments: Vec<_> =
            path.strip_prefix('/').filter(|rest| !rest.is_empty()).map(|rest| rest.split('/').collect()).unwrap_or_default();
        let index = self.root.find(method, &segments).or_else(|| if method == "HEAD" { self.root.find("GET", &segments) } else { None });
        let operation = index.and_then(|index| self.all.get(index)).ok_or(Reason::UnknownOperation)?;
        let mut parameters = Vec::new();
        for (segment, text) in operation.template.iter().zip(&segments) {
            if let Segment::Parameter(name) = segment {
                parameters.push((name.as_str(), decoded(text).ok_or(Reason::ParameterInvalid)?));
            }
        }
        Ok(Found { operation, parameters })
    }
}

impl Node {
    fn find(&self, method: &str, segments: &[&str]) -> Option<usize> {
        let Some((first, rest)) = segments.split_first() else {
            return self.here.get(method).or_else(|| self.tail.get(method)).copied();
        };
        // Each way is tried to its end: the literal branch may hold nothing for the rest of the path.
        let by_literal = self.literals.get(*first).and_then(|node| node.find(method, rest));
        let by_parameter = || self.parameter.as_ref().filter(|_| !first.is_empty()).and_then(|node| node.find(method, rest));
        by_literal.or_else(by_parameter).or_else(|| self.tail.get(method).copied())
    }
}

/// A segment without its percent-encoding; `None` when it is not printable text.
fn decoded(text: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.bytes());
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'%' { hex(rest.next()?)? << 4 | hex(rest.next()?)? } else { byte });
    }
    let text = String::from_utf8(bytes).ok()?;
    // SECURITY: an encoded `/` is refused. The upstream might take it for a separator and see another path than policies did.
    let fits =
        !text.is_empty() && text.len() <= Limits::PATH_PARAMETER_BYTES_MAX && !text.contains('/') && !text.chars().any(char::is_control);
    fits.then_some(text)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// The operation that a request is for, with its parameters.
#[derive(Clone, Debug)]
pub struct Found<'a> {
    operation: &'a Operation,
    parameters: Vec<(&'a str, String)>,
}

impl Found<'_> {
    /// Name of the operation in policies.
    #[must_use]
    pub fn action(&self) -> &Action {
        &self.operation.action
    }

    /// HTTP method as declared.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.operation.method
    }

    /// Greatest size of a body in bytes, where the operation declares one.
    #[must_use]
    pub fn body_bytes_max(&self) -> Option<u64> {
        self.operation.body_bytes_max
    }

    /// Headers of the request that reach the API.
    #[must_use]
    pub const fn request_headers(&self) -> &RequestHeaders {
        &self.operation.request_headers
    }

    /// Requirements of the operation beside the policies.
    #[must_use]
    pub const fn rules(&self) -> OperationRules {
        self.operation.rules
    }

    /// Kind and bounds of the connection, where it stays open.
    #[must_use]
    pub const fn stream(&self) -> Option<StreamRules> {
        self.operation.stream
    }

    /// True when the operation declares a body, which is then read before it is forwarded.
    #[must_use]
    pub fn reads_body(&self) -> bool {
        self.operation.shape.is_some()
    }

    /// The resource of the request, when `subject` asks.
    #[must_use]
    pub fn resource(&self, subject: &PairwiseId) -> ResourceFacts {
        self.operation.resource(&self.parameters, subject)
    }

    /// The body fields that policies look at.
    ///
    /// # Errors
    /// `body_too_large`, `body_malformed`, `body_field_invalid`, `body_member_ambiguous` or `body_member_undeclared`, and where.
    pub fn fields(&self, body: &[u8]) -> Result<BTreeMap<String, FieldValue>, BodyRefusal> {
        self.operation.shape.as_ref().map_or_else(|| Ok(BTreeMap::new()), |shape| shape.read(body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spec(method: &str, path: &str, action: &str) -> OperationSpec {
        OperationSpec { method: method.to_owned(), path: path.to_owned(), action: action.to_owned(), ..OperationSpec::default() }
    }

    fn operations() -> Operations {
        Operations::new(&[
            spec("GET", "/", "root"),
            spec("GET", "/v1/accounts/{account}", "accounts.read"),
            spec("DELETE", "/v1/accounts/{account}", "accounts.close"),
            spec("GET", "/v1/accounts/mine", "accounts.mine"),
            spec("GET", "/v1/{kind}/mine/deep", "deep"),
            spec("GET", "/files/**", "files.read"),
        ])
        .expect("sound")
    }

    #[test]
    fn what_is_not_declared_does_not_exist() {
        let operations = operations();
        let long = format!("/v1/accounts/{}", "a".repeat(257));
        let rows: &[(&str, &str, &str, Result<&str, Reason>)] = &[
            ("a parameter", "GET", "/v1/accounts/7", Ok("accounts.read")),
            ("a literal before a parameter", "GET", "/v1/accounts/mine", Ok("accounts.mine")),
            ("back from a literal that leads nowhere", "GET", "/v1/accounts/mine/deep", Ok("deep")),
            ("another method", "DELETE", "/v1/accounts/7", Ok("accounts.close")),
            ("HEAD for GET", "HEAD", "/v1/accounts/7", Ok("accounts.read")),
            ("the root", "GET", "/", Ok("root")),
            ("a tail", "GET", "/files/a/b/c", Ok("files.read")),
            ("an empty tail", "GET", "/files", Ok("files.read")),
            ("an undeclared method", "POST", "/v1/accounts/7", Err(Reason::UnknownOperation)),
            ("a segment more", "GET", "/v1/accounts/7/x", Err(Reason::UnknownOperation)),
            ("a slash at the end", "GET", "/v1/accounts/7/", Err(Reason::UnknownOperation)),
            ("an empty parameter", "GET", "/v1/accounts/", Err(Reason::UnknownOperation)),
            ("other letters", "GET", "/V1/accounts/7", Err(Reason::UnknownOperation)),
            ("an encoded text", "GET", "/v1/accounts/%C3%A4", Ok("accounts.read")),
            ("an encoded slash", "GET", "/v1/accounts/a%2Fb", Err(Reason::ParameterInvalid)),
            ("no UTF-8", "GET", "/v1/accounts/%FF", Err(Reason::ParameterInvalid)),
            ("a line break", "GET", "/v1/accounts/a%0A", Err(Reason::ParameterInvalid)),
            ("a cut-off encoding", "GET", "/v1/accounts/a%2", Err(Reason::ParameterInvalid)),
            ("too long", "GET", &long, Err(Reason::ParameterInvalid)),
        ];
        for (name, method, path, expected) in rows {
            let found = operations.find(method, path).map(|found| found.action().to_string());
            assert_eq!(found.as_deref().map_err(Clone::clone), expected.clone(), "{name}");
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused_with_its_position() {
        let rows: &[(&str, [OperationSpec; 2], OperationProblem)] = &[
            (
                "one shape twice",
                [spec("GET", "/a/{x}", "a"), spec("GET", "/a/{y}", "b")],
                OperationProblem::Ambiguous("GET /a/{y}".to_owned()),
            ),
            (
                "one action, two types",
                [spec("GET", "/a", "a"), OperationSpec { resource: Some("Account".to_owned()), ..spec("GET", "/b", "a") }],
                OperationProblem::ActionShared("a".to_owned()),
            ),
        ];
        for (name, specs, expected) in rows {
            assert_eq!(Operations::new(specs).err(), Some(vec![(1, expected.clone())]), "{name}");
        }
        assert!(Operations::new(&[spec("GET", "/a", "a"), spec("GET", "/b", "a")]).is_ok());
    }

    #[test]
    fn the_resource_comes_from_where_the_operation_says() {
        let spec = OperationSpec {
            resource: Some("Account".to_owned()),
            id: Some("path.account".to_owned()),
            owner: Some("path.customer".to_owned()),
            ..spec("GET", "/c/{customer}/a/{account}", "accounts.read")
        };
        let operations = Operations::new(&[spec]).expect("sound");
        let subject = PairwiseId::parse("p_me").expect("an id");
        let resource = operations.find("GET", "/c/p_ana/a/7").expect("found").resource(&subject);
        assert_eq!(resource, ResourceFacts { kind: "Account".to_owned(), id: "7".to_owned(), owner: Some("p_ana".to_owned()) });
    }

    proptest! {
        #[test]
        fn no_path_panics(path in "\\PC{0,60}") {
            let _ = operations().find("GET", &path);
        }
    }
}
