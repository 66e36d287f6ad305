//! Shared signals: those who tell us and those whom we tell, with their keys and tokens read.

use std::{path::Path, sync::Arc};

use countersign_monitor::ssf::{InStream, OutStream};
use countersign_outbound::Caller;
use countersign_proof::set::SetKeys;

use crate::{
    config::{Fault, Faults, SharedSignals},
    files,
    settings::secrets,
};

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
    let mut unfit = |path: &Path, line: usize, why: String, remedy: &str| {
        faults.push(Fault::at(file, line, format!("`{}` cannot be used: {why}", path.display()), remedy));
    };
    let mut found = Vec::new();
    for source in &config.sources {
        let keys = files::read_text(&source.jwks)
            .map_err(|why| unfit(&source.jwks, source.line, format!("it cannot be read: {why}"), "give a readable file"));
        let token = secrets::token(&source.token).map_err(|why| unfit(&source.token, source.line, why.to_string(), secrets::NEW_TOKEN));
        if let (Ok(keys), Ok(token)) = (keys, token) {
            found.push((source, keys, token));
        }
    }
    let mut targets = Vec::new();
    for target in &config.targets {
        let token = secrets::token(&target.token).map_err(|why| unfit(&target.token, target.line, why.to_string(), secrets::NEW_TOKEN));
        let Ok(token) = token else { continue };
        let stream = OutStream::new(target.audience.clone(), target.push.clone(), token, target.subject);
        targets.push(Arc::new(stream));
    }
    let mut sources = Vec::new();
    for (source, keys, token) in found {
        match SetKeys::from_jwks(&keys) {
            Ok(keys) => sources.push(InStream { issuer: source.issuer.clone(), audience: source.audience.clone(), keys, bearer: token }),
            Err(_) => faults.push(Fault::at(
                file,
                source.line,
                format!("`{}` contains no key for verifying events", source.jwks.display()),
                "give a JWK Set of RSA keys with at least 2048 bits for RS256, each with a `kid`",
            )),
        }
    }
    faults.or(SignalSettings { sources, targets, caller })
}
