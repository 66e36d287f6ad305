//! What the API offers and what is allowed: operations from the config, policies from their directory.

use std::{fs, path::Path, sync::Arc};

use aws_lc_rs::digest;
use countersign_audit::RulesDigest;
use countersign_compliance::Apps;
use countersign_core::RiskBar;
use countersign_policy::{OperationSpec, Operations, Policies, PolicySource, RuleSet};

use crate::{
    config::{Fault, Faults, Operation},
    files,
};

/// Bytes of a policy file.
const POLICY_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What the API offers and who may do what.
pub struct Rules {
    /// What the API offers.
    pub operations: Operations,
    /// Who may do what.
    pub policies: Policies,
    /// Whether the operations are the operator's.
    pub declared: Declared,
    /// SHA-256 of all policy files, by which the log says what was in use; in hexadecimal.
    pub digest: String,
    /// Operations and policies as one text, to be kept before they are taken into use.
    pub text: String,
    /// The name of that text, by which each decision says what decided.
    pub rules: RulesDigest,
}

impl Rules {
    /// As the gateway takes them: with the scores from which on something is asked, and the registry of apps.
    #[must_use]
    pub fn into_gateway(self, risk: RiskBar, apps: Arc<Apps>) -> countersign_gateway::Rules {
        countersign_gateway::Rules { operations: self.operations, policies: self.policies, digest: self.rules, risk, apps }
    }
}

/// Whose operations they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Declared {
    /// The two that are built in, because the config declares none.
    BuiltIn,
    /// The operator's.
    ByOperator,
}

/// Reads and validates everything: what `file` declares, and the policies of `directory`.
///
/// # Errors
/// All that is wrong with operations, and then with policies.
pub fn rules(file: &Path, declared: &[Operation], directory: &Path) -> Result<Rules, Faults> {
    let specs = specs(file, declared)?;
    let operations = understood(file, declared, &specs)?;
    let sources = sources(directory)?;
    let policies = Policies::load(&sources, &operations).map_err(|problems| {
        let mut faults = Faults::default();
        for problem in problems {
            let remedy =
                problem.help.unwrap_or_else(|| "see the attributes that policies can use with `countersign policy schema`".to_owned());
            faults.push(Fault {
                file: directory.join(problem.file),
                line: Some(problem.line).filter(|line| *line > 0),
                what: problem.what,
                remedy,
            });
        }
        faults
    })?;
    let declared = if declared.is_empty() { Declared::BuiltIn } else { Declared::ByOperator };
    let digest = digest(&sources);
    let text = RuleSet { operations: specs, policies: sources }.to_text();
    let rules = RulesDigest::of(&text);
    Ok(Rules { operations, policies, declared, digest, text, rules })
}

/// Reads the operations alone.
///
/// # Errors
/// All that is wrong with them.
pub fn operations(file: &Path, declared: &[Operation]) -> Result<Operations, Faults> {
    understood(file, declared, &specs(file, declared)?)
}

/// The operations as they are declared.
fn specs(file: &Path, declared: &[Operation]) -> Result<Vec<OperationSpec>, Faults> {
    let mut faults = Faults::default();
    let specs: Vec<_> =
        if declared.is_empty() { built_in() } else { declared.iter().filter_map(|operation| spec(operation, file, &mut faults)).collect() };
    faults.or(specs)
}

fn understood(file: &Path, declared: &[Operation], specs: &[OperationSpec]) -> Result<Operations, Faults> {
    Operations::new(specs).map_err(|problems| {
        let mut faults = Faults::default();
        for (position, problem) in problems {
            let line = declared.get(position).map(|operation| operation.line);
            let text = problem.to_string();
            let (what, remedy) = text.split_once("; ").unwrap_or((&text, "see `[[operation]]` in docs/configuration.md"));
            faults.push(Fault { file: file.to_owned(), line, what: what.to_owned(), remedy: remedy.to_owned() });
        }
        faults
    })
}

/// Every request reads or writes: enough for a first policy, and for nothing that knows one thing from another.
fn built_in() -> Vec<OperationSpec> {
    [("GET", "read"), ("OPTIONS", "read"), ("POST", "write"), ("PUT", "write"), ("PATCH", "write"), ("DELETE", "write")]
        .map(|(method, action)| OperationSpec {
            method: method.to_owned(),
            path: "/**".to_owned(),
            action: action.to_owned(),
            ..OperationSpec::default()
        })
        .into()
}

fn spec(operation: &Operation, file: &Path, faults: &mut Faults) -> Option<OperationSpec> {
    let Some((method, path)) = operation.pattern.split_once(' ') else {
        let what = format!("`match` cannot be `{}`", operation.pattern);
        faults.push(Fault::at(file, operation.line, what, "write a method and a path, such as `GET /v1/accounts/{id}`"));
        return None;
    };
    Some(OperationSpec {
        method: method.to_owned(),
        path: path.to_owned(),
        action: operation.action.clone(),
        resource: operation.resource.clone(),
        id: operation.id.clone(),
        owner: operation.owner.clone(),
        body: operation.body.iter().cloned().collect(),
        body_others: operation.body_others,
        request_headers: operation.request_headers.clone(),
        body_bytes_max: operation.body_max,
        when_limited: operation.when_limited,
        evidence_age_max: operation.evidence_age_max,
        stream: operation.stream,
    })
}

/// Names and texts with their lengths, so that no two sets of files look the same.
fn digest(sources: &[PolicySource]) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in sources.iter().flat_map(|source| [&source.file, &source.text]) {
        context.update(format!("{}:", part.len()).as_bytes());
        context.update(part.as_bytes());
    }
    hex::encode(context.finish())
}

/// The policy files of the directory, in alphabetical order.
fn sources(directory: &Path) -> Result<Vec<PolicySource>, Faults> {
    let mut sources = Vec::new();
    for (file, text) in texts(directory, ".cedar")? {
        sources.push(PolicySource { file, text });
    }
    if sources.is_empty() {
        let what = "there is no policy, so every request would be denied".to_owned();
        return Err(Faults::one(Fault {
            file: directory.to_owned(),
            line: None,
            what,
            remedy: "write one in a file `NAME.cedar`, or create a first one with `countersign init`".to_owned(),
        }));
    }
    Ok(sources)
}

/// Name and text of the files of a directory whose name ends so, in alphabetical order.
///
/// # Errors
/// When the directory or a file cannot be read.
pub fn texts(directory: &Path, ending: &str) -> Result<Vec<(String, String)>, Faults> {
    let unreadable = |path: &Path, why: String| {
        Faults::one(Fault {
            file: path.to_owned(),
            line: None,
            what: format!("the file or directory cannot be read ({why})"),
            remedy: "set `policies` to the directory of policies, and make its files readable".to_owned(),
        })
    };
    let entries = fs::read_dir(directory).map_err(|e| unreadable(directory, e.to_string()))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(|e| unreadable(directory, e.to_string()))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|name| name.ends_with(ending)) else { continue };
        // What systems and editors leave beside a file (`._app.cedar`, `.app.cedar`) is hidden, and a directory is no policy.
        if name.starts_with('.') || path.is_dir() {
            continue;
        }
        if fs::metadata(&path).is_ok_and(|meta| meta.len() > POLICY_BYTES_MAX) {
            return Err(unreadable(&path, "larger than four megabytes".to_owned()));
        }
        found.push((name.to_owned(), files::read_text(&path).map_err(|e| unreadable(&path, e.to_string()))?));
    }
    found.sort();
    Ok(found)
}
