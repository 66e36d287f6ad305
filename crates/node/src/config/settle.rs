//! What must fit together: a configuration that is right word by word can still promise what nobody keeps.

use crate::config::{
    fault::{Fault, Faults},
    model::{Config, Dev, Listen},
};

/// Checks `config` for the kind of node that it shall be.
///
/// # Errors
/// Every combination that is refused, with its line and remedy.
pub fn settle(config: &Config, dev: Dev) -> Result<(), Faults> {
    let mut faults = Faults::default();
    let mut refuse = |line: Option<usize>, what: String, remedy: &str| {
        faults.push(Fault { file: config.file.clone(), line, what, remedy: remedy.to_owned() });
    };
    match dev {
        Dev::Off => {
            if config.tls.is_none() {
                let what = "there is no certificate for `public_url`".to_owned();
                refuse(None, what, "add `[tls]` with `cert` and `key`, or use `--dev` for a test");
            }
            for app in config.apps.iter().filter(|app| app.signers.is_empty() && app.ios.is_none()) {
                let what = format!(
                    "the app `{}` has neither an Android signing certificate nor an `ios` section, so no phone can enrol",
                    app.client
                );
                refuse(Some(app.line), what, "add `android = { cert_sha256 = [\"9F:2A:...\"] }`, or use `--dev` for a test");
            }
        }
        Dev::On => {
            if let Listen::On { address, line } = config.listen
                && !address.ip().is_loopback()
            {
                let what = format!("a development node may listen only on loopback, not on `{address}`");
                refuse(Some(line), what, "remove `listen`, or run without `dev`");
            }
            if let Some(tls) = &config.tls {
                let what = "a development node makes its own certificate".to_owned();
                refuse(Some(tls.line), what, "remove `[tls]`, or run without `dev`");
            }
        }
    }
    faults.or(())
}
