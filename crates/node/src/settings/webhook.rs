//! The receiver of messages about incidents, with the secret that signs them read.

use std::{fs, path::Path};

use countersign_core::Secret;
use countersign_notify::{WebhookKey, WebhookSettings};
use countersign_outbound::Caller;

use crate::config::{Faults, Webhook};

/// The receiver that the config names, if it names one.
///
/// # Errors
/// When the secret cannot be read.
pub fn webhook(file: &Path, webhook: Option<&Webhook>, caller: &Caller) -> Result<Option<WebhookSettings>, Faults> {
    let Some(webhook) = webhook else { return Ok(None) };
    let fault = |what: String, remedy: String| Faults::at(file, webhook.line, what, remedy);
    let text = fs::read_to_string(&webhook.secret).map_err(|why| {
        fault(format!("`{}` cannot be read ({why})", webhook.secret.display()), "name a file that holds `whsec_...`".to_owned())
    })?;
    let key = WebhookKey::parse(&Secret::new(text))
        .map_err(|why| fault(format!("`{}` holds no secret of a webhook", webhook.secret.display()), why.to_string()))?;
    Ok(Some(WebhookSettings { url: webhook.url.clone(), key, caller: caller.clone() }))
}
