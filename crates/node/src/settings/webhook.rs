//! The receiver of messages about incidents, with the secret that signs them read.

use std::path::Path;

use countersign_core::Secret;
use countersign_notify::{WebhookKey, WebhookSettings};
use countersign_outbound::Caller;

use crate::{
    config::{Faults, Webhook},
    files,
};

/// The receiver that the config names, if it names one.
///
/// # Errors
/// When the secret cannot be read.
pub fn webhook(file: &Path, webhook: Option<&Webhook>, caller: &Caller) -> Result<Option<WebhookSettings>, Faults> {
    let Some(webhook) = webhook else { return Ok(None) };
    let fault = |what: String, remedy: String| Faults::at(file, webhook.line, what, remedy);
    let text = files::read_text(&webhook.secret).map_err(|why| {
        fault(
            format!("`{}` cannot be read ({why})", webhook.secret.display()),
            "give a file that contains the secret, `whsec_...`".to_owned(),
        )
    })?;
    let key = WebhookKey::parse(&Secret::new(text))
        .map_err(|why| fault(format!("`{}` does not contain a webhook secret", webhook.secret.display()), why.to_string()))?;
    Ok(Some(WebhookSettings { url: webhook.url.clone(), key, caller: caller.clone() }))
}
