//! What the API offers and what is allowed: operations from the config, policies from their directory.

use std::{fs, path::Path, sync::Arc};

use aws_lc_rs::digest;
use countersign_compliance::Apps;
use countersign_core::RiskBar;
use countersign_policy::{OperationSpec, Operations, Policies, PolicySource};

use crate::{
    config::{Config, Fault, Faults, Operation},
    settings::devices,
};

/// Bytes of a policy file.
const POLICY_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Where the rules come from and what they are.
pub struct Rules {
    /// What the API offers.
    pub operations: Operations,
    /// Who may do what.
    pub policies: Policies,
    /// From which score on what is asked.
    pub risk: RiskBar,
    /// What each app requires of its phones.
    pub apps: Arc<Apps>,
    /// Whether the operations are the operator's.
    pub declared: Declared,
    /// SHA-256 of all policy files, by which the log says what was in use; in hexadecimal.
    pub digest: String,
}

impl Rules {
    /// As the gateway takes them.
    #[must_use]
    pub fn into_gateway(self) -> countersign_gateway::Rules {
        countersign_gateway::Rules { operations: self.operations, policies: self.policies, risk: self.risk, apps: self.apps }
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

/// Reads and validates everything.
///
/// # Errors
/// All that is wrong with operations, and then with policies.
pub fn rules(config: &Config) -> Result<Rules, Faults> {
    let operations = operations(config)?;
    let sources = sources(&config.policies)?;
    let policies = Policies::load(&sources, &operations).map_err(|problems| {
        let mut faults = Faults::default();
        for problem in problems {
            let remedy =
                problem.help.unwrap_or_else(|| "see the attributes that policies can use with `countersign policy schema`".to_owned());
            faults.push(Fault {
                file: config.policies.join(problem.file),
                line: Some(problem.line).filter(|line| *line > 0),
                what: problem.what,
                remedy,
            });
        }
        faults
    })?;
    let declared = if config.operations.is_empty() { Declared::BuiltIn } else { Declared::ByOperator };
    let apps = Arc::new(devices::apps(config)?);
    Ok(Rules { operations, policies, risk: config.monitor.risk, apps, declared, digest: digest(&sources) })
}

/// Reads the operations alone.
///
/// # Errors
/// All that is wrong with them.
pub fn operations(config: &Config) -> Result<Operations, Faults> {
    let mut faults = Faults::default();
    let specs: Vec<_> = if config.operations.is_empty() {
        built_in()
    } else {
        config.operations.iter().filter_map(|operation| spec(operation, config, &mut faults)).collect()
    };
    faults.or(())?;
    Operations::new(&specs).map_err(|problems| {
        let mut faults = Faults::default();
        for (position, problem) in problems {
            let line = config.operations.get(position).map(|operation| operation.line);
            let text = problem.to_string();
            let (what, remedy) = text.split_once("; ").unwrap_or((&text, "see `[[operation]]` in docs/configuration.md"));
            faults.push(Fault { file: config.file.clone(), line, what: what.to_owned(), remedy: remedy.to_owned() });
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

fn spec(operation: &Operation, config: &Config, faults: &mut Faults) -> Option<OperationSpec> {
    let Some((method, path)) = operation.pattern.split_once(' ') else {
        let what = format!("`match` cannot be `{}`", operation.pattern);
        let remedy = "write a method and a path, such as `GET /v1/accounts/{id}`".to_owned();
        faults.push(Fault { file: config.file.clone(), line: Some(operation.line), what, remedy });
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
        if fs::metadata(&path).is_ok_and(|meta| meta.len() > POLICY_BYTES_MAX) {
            return Err(unreadable(&path, "larger than four megabytes".to_owned()));
        }
        found.push((name.to_owned(), fs::read_to_string(&path).map_err(|e| unreadable(&path, e.to_string()))?));
    }
    found.sort();
    Ok(found)
}
