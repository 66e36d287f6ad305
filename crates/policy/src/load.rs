//! Loading of policies: parsed, annotated, validated, and sliced by action. The alternative is a list of problems, each with file, line and
//! advice; nothing that is not fully understood is activated.

use std::{collections::HashMap, fmt};

use cedar_policy::{ActionConstraint, Effect, Entities, Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator};
use countersign_core::{Action, ContractViolation, Matched, PolicyName};
use miette::Diagnostic;

use crate::{
    advice::Permits,
    annotation::{self, AnnotationProblem},
    entities::Types,
    router::Operations,
    schema::{group, schema_text},
};

/// A policy file with its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicySource {
    /// Name of the file, for messages.
    pub file: String,
    /// Text of the file.
    pub text: String,
}

/// Problem in a policy file that keeps all policies from being activated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyProblem {
    /// Name of the file.
    pub file: String,
    /// Line, counted from 1; 0 when the problem concerns the whole file.
    pub line: usize,
    /// Description of the problem.
    pub what: String,
    /// Advice how to correct it, where one is known.
    pub help: Option<String>,
}

impl fmt::Display for PolicyProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)?;
        self.help.as_ref().map_or(Ok(()), |help| write!(f, "; {help}"))
    }
}

/// Policies that were loaded and validated, ready to decide.
#[derive(Debug)]
pub struct Policies {
    pub(crate) types: Types,
    pub(crate) slices: HashMap<Action, Slice>,
    /// Effect of each `forbid`, by Cedar's id.
    pub(crate) effects: HashMap<PolicyId, Matched>,
    count: usize,
    warnings: Vec<String>,
}

/// Policies that can concern one action.
#[derive(Debug)]
pub(crate) struct Slice {
    pub(crate) permits: PolicySet,
    pub(crate) forbids: PolicySet,
    pub(crate) advice: Permits,
    /// The action with the groups that it is in, as Cedar entities.
    pub(crate) actions: Entities,
}

impl Policies {
    /// Loads policy files for the declared operations.
    ///
    /// # Errors
    /// All problems that were found, in the order of files and lines.
    pub fn load(sources: &[PolicySource], operations: &Operations) -> Result<Self, Vec<PolicyProblem>> {
        let mut problems = Vec::new();
        let mut named = Vec::new();
        for source in sources {
            named.extend(read(source, &mut problems));
        }
        problems.extend(repeated(&named));
        if !problems.is_empty() {
            return Err(problems);
        }
        let whole = |what: String| vec![PolicyProblem { file: "schema".to_owned(), line: 0, what, help: None }];
        let (schema, _) = Schema::from_cedarschema_str(&schema_text(operations)).map_err(|e| whole(described(&e)))?;
        let set = PolicySet::from_policies(named.iter().map(|p| p.policy.clone())).map_err(|e| whole(e.to_string()))?;
        let actions = schema.action_entities().map_err(|e| whole(e.to_string()))?;
        // Strict mode also refuses what would fail only at evaluation, such as a comparison of different types.
        let checked = Validator::new(schema).validate(&set, ValidationMode::Strict);
        for error in checked.validation_errors() {
            let place = named.iter().find(|p| p.policy.id() == error.policy_id());
            let text =
                place.and_then(|place| sources.iter().find(|source| source.file == place.file)).map_or("", |source| source.text.as_str());
            problems.push(PolicyProblem {
                file: place.map_or_else(String::new, |place| place.file.clone()),
                line: offset_of(error).map_or_else(|| place.map_or(0, |place| place.line), |offset| line_of(text, offset)),
                what: error.to_string(),
                help: error
                    .help()
                    .map(|help| help.to_string())
                    .or_else(|| Some("see the attributes that policies can use with `countersign policy schema`".to_owned())),
            });
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let warnings = checked.validation_warnings().map(ToString::to_string).collect();
        Self::slice(&named, operations, &actions, warnings).map_err(|e| whole(e.to_string()))
    }

    fn slice(named: &[Named], operations: &Operations, actions: &Entities, warnings: Vec<String>) -> Result<Self, ContractViolation> {
        let types = Types::new(operations.all.iter().map(|operation| operation.kind.as_str()))?;
        let mut slices = HashMap::new();
        for operation in &operations.all {
            let family = family(operation.action.as_str());
            // Sorted by operation once, so that a request costs by the policies of its operation and not by all.
            let concerned: Vec<_> = named.iter().filter(|p| concerns(&p.policy, &family, &types)).collect();
            let of = |effect: Effect| {
                let policies = concerned.iter().filter(|p| p.policy.effect() == effect).map(|p| p.policy.clone());
                PolicySet::from_policies(policies).map_err(|_| ContractViolation("policy names are unique"))
            };
            let related = actions.iter().filter(|entity| family.contains(&entity.uid().id().unescaped())).cloned();
            let slice = Slice {
                permits: of(Effect::Permit)?,
                forbids: of(Effect::Forbid)?,
                advice: Permits::of(concerned.iter().filter(|p| p.policy.effect() == Effect::Permit).map(|p| (&p.name, &p.policy)))?,
                actions: Entities::from_entities(related, None).map_err(|_| ContractViolation("the schema's actions fit together"))?,
            };
            slices.insert(operation.action.clone(), slice);
        }
        let effects = named.iter().filter_map(|p| Some((p.policy.id().clone(), p.effect.clone()?))).collect();
        Ok(Self { types, slices, effects, count: named.len(), warnings })
    }

    /// Number of policies that are loaded.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    /// Warnings of Cedar's validator, such as a policy that can never apply. They do not keep policies from being activated.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

/// A policy with its name and its place.
struct Named {
    policy: Policy,
    name: PolicyName,
    effect: Option<Matched>,
    file: String,
    line: usize,
}

fn read(source: &PolicySource, problems: &mut Vec<PolicyProblem>) -> Vec<Named> {
    let problem = |line, what: String, help| PolicyProblem { file: source.file.clone(), line, what, help };
    let set: PolicySet = match source.text.parse() {
        Ok(set) => set,
        Err(errors) => {
            let errors: cedar_policy::ParseErrors = errors;
            let line = offset_of(&errors).map_or(0, |offset| line_of(&source.text, offset));
            problems.push(problem(line, described(&errors), errors.help().map(|help| help.to_string())));
            return Vec::new();
        }
    };
    if set.templates().next().is_some() {
        problems.push(problem(
            0,
            "a template (`?principal`, `?resource`) decides nothing".to_owned(),
            Some("write a policy without slots".to_owned()),
        ));
    }
    let lines = policy_lines(&source.text);
    let mut policies: Vec<_> = set.policies().collect();
    // Cedar numbers the policies of a text `policy0`, `policy1` and so on, in their order.
    policies.sort_by_key(|policy| position(policy.id()));
    let mut found = Vec::new();
    for policy in policies {
        let line = lines.get(position(policy.id())).copied().unwrap_or_default();
        match named(policy, &source.file, line) {
            Ok(named) => found.push(named),
            Err(fault) => problems.push(problem(line, fault.to_string(), Some(fault.help()))),
        }
    }
    found
}

fn named(policy: &Policy, file: &str, line: usize) -> Result<Named, AnnotationProblem> {
    let id = annotation::name(policy)?.unwrap_or_else(|| format!("{file}:{line}"));
    let name = PolicyName::new(&id);
    let effect = annotation::effect(policy, &name)?;
    Ok(Named { policy: policy.new_id(PolicyId::new(&id)), name, effect, file: file.to_owned(), line })
}

fn repeated(named: &[Named]) -> Vec<PolicyProblem> {
    let mut first: HashMap<&PolicyName, &Named> = HashMap::new();
    let mut problems = Vec::new();
    for policy in named {
        if let Some(known) = first.insert(&policy.name, policy) {
            let what = format!("the name `{}` stands twice, first in {}:{}", policy.name, known.file, known.line);
            problems.push(PolicyProblem {
                file: policy.file.clone(),
                line: policy.line,
                what,
                help: Some("give one of them another `@id`".to_owned()),
            });
        }
    }
    problems
}

fn position(id: &PolicyId) -> usize {
    id.to_string().strip_prefix("policy").and_then(|n| n.parse().ok()).unwrap_or(usize::MAX)
}

/// Line on which each policy begins: that of the first annotation, `permit` or `forbid` after a `;`.
fn policy_lines(text: &str) -> Vec<usize> {
    let (mut lines, mut open, mut quoted) = (Vec::new(), false, false);
    for (number, line) in text.lines().enumerate() {
        let mut previous = ' ';
        for c in line.chars() {
            if !quoted && c == '/' && previous == '/' {
                break;
            }
            match c {
                '"' if previous != '\\' => quoted = !quoted,
                ';' if !quoted => open = false,
                c if !quoted && !open && (c == '@' || c.is_ascii_alphabetic()) => {
                    open = true;
                    lines.push(number.saturating_add(1));
                }
                _ => {}
            }
            previous = c;
        }
    }
    lines
}

/// An action and all groups above it.
fn family(action: &str) -> Vec<&str> {
    let mut family = vec![action];
    while let Some(above) = family.last().and_then(|name| group(name)) {
        family.push(above);
    }
    family
}

/// True when a policy can match an action, judged by its scope alone.
fn concerns(policy: &Policy, family: &[&str], types: &Types) -> bool {
    match policy.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(action) => family.first().is_some_and(|own| types.action(own) == action),
        ActionConstraint::In(actions) => family.iter().any(|name| actions.contains(&types.action(name))),
    }
}

/// A diagnostic in one line: its message and its first label.
fn described(diagnostic: &dyn Diagnostic) -> String {
    let label = diagnostic.labels().and_then(|mut labels| labels.find_map(|label| label.label().map(ToOwned::to_owned)));
    label.map_or_else(|| diagnostic.to_string(), |label| format!("{diagnostic}: {label}"))
}

fn offset_of(diagnostic: &dyn Diagnostic) -> Option<usize> {
    diagnostic.labels()?.next().map(|label| label.offset())
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|b| *b == b'\n').count().saturating_add(1)
}
