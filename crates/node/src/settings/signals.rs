//! Shared signals: those who tell us and those whom we tell, with their keys and tokens read.

use std::{fs, path::Path, sync::Arc};

use countersign_core::Secret;
use countersign_monitor::ssf::{InStream, OutStream};
use countersign_outbound::Caller;
use countersign_proof::set::SetKeys;

use crate::config::{Fault, Faults, SharedSignals};

/// Streams as the config declares them.
pub struct SignalSettings {
    /// The streams that others send us.
    pub sources: Vec<InStream>,
    /// The streams that we send others.
    pub targets: Vec<Arc<OutStream>>,
    /// The client that pushes events.
    pub caller: Caller,
}

/// Reads keys and tokens.
///
/// # Errors
/// Each file that cannot be used.
pub fn signals(file: &Path, config: &SharedSignals, caller: Caller) -> Result<SignalSettings, Faults> {
    let mut faults = Faults::default();
    let mut text = |path: &Path, line: usize| {
        fs::read_to_string(path).map(|text| text.trim().to_owned()).map_err(|why| {
            let what = format!("`{}` cannot be read ({why})", path.display());
            faults.push(Fault::at(file, line, what, "make it a readable file"));
        })
    };
    let mut found = Vec::new();
    for source in &config.sources {
        let (Ok(keys), Ok(token)) = (text(&source.jwks, source.line), text(&source.token, source.line)) else { continue };
        found.push((source, keys, token));
    }
    let mut targets = Vec::new();
    for target in &config.targets {
        let Ok(token) = text(&target.token, target.line) else { continue };
        let stream = OutStream::new(target.audience.clone(), target.push.clone(), Secret::new(token), target.subject);
        targets.push(Arc::new(stream));
    }
    let mut sources = Vec::new();
    for (source, keys, token) in found {
        match SetKeys::from_jwks(&keys) {
            Ok(keys) => sources.push(InStream {
                issuer: source.issuer.clone(),
                audience: source.audience.clone(),
                keys,
                bearer: Secret::new(token),
            }),
            Err(_) => faults.push(Fault::at(
                file,
                source.line,
                format!("`{}` holds no key that could sign events", source.jwks.display()),
                "it takes a JWK Set with RSA keys of at least 2048 bits for RS256, each with a `kid`",
            )),
        }
    }
    faults.or(SignalSettings { sources, targets, caller })
}
