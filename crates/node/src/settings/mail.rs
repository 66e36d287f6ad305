//! Mails about incidents: the way to the server, with its password and its authorities read.

use std::{path::Path, sync::Arc};

use countersign_codec::calendar;
use countersign_monitor::react::Reaction;
use countersign_notify::{Credentials, Mailing, SmtpClient, SmtpTls};
use countersign_outbound::trust;

use crate::{
    config::{Email, Faults, MailTls, Vendors},
    files,
};

/// Who is written to, and about what.
pub struct MailSettings {
    /// The way to the server, and who writes to whom.
    pub mailing: Mailing,
    /// Only incidents whose rule does this or more are written about.
    pub min_severity: Reaction,
}

/// The settings that the config names, if it names any. `host` is how this installation is called.
///
/// # Errors
/// When the password or the authorities cannot be read.
pub fn mail(file: &Path, email: Option<&Email>, vendors: &Vendors, host: &str) -> Result<Option<MailSettings>, Faults> {
    let Some(email) = email.cloned() else { return Ok(None) };
    let fault = |what: String, remedy: String| Faults::at(file, email.line, what, remedy);
    let verified = || {
        let ca = email.ca.as_ref().or(vendors.ca.as_ref().map(|(file, _)| file)).ok_or_else(|| {
            let what = "there are no CA certificates to verify the mail server with".to_owned();
            fault(what, "set `ca` in `[monitor.email]` or in `[vendors]`".to_owned())
        })?;
        trust(ca).map(Arc::new).map_err(|why| fault(format!("`ca` cannot be `{}`", ca.display()), why))
    };
    let tls = match email.tls {
        MailTls::Implicit => SmtpTls::Implicit(verified()?),
        MailTls::None => SmtpTls::Plain,
        MailTls::StartTls => SmtpTls::StartTls(verified()?),
    };
    let login = email.login.as_ref().map(|login| {
        let text = files::read_text(&login.password).map_err(|why| {
            let what = format!("`{}` cannot be read ({why})", login.password.display());
            fault(what, "give a file that contains only the password".to_owned())
        })?;
        Ok::<_, Faults>(Credentials::new(login.username.clone(), text.trim().to_owned()))
    });
    let host = host.to_owned();
    let smtp = SmtpClient { host: email.host, port: email.port, tls, login: login.transpose()?, hello: host.clone() };
    let mailing = Mailing { smtp, from: email.from, to: email.to, hold: email.hold, host, instant: |at| calendar::instant(at.0) };
    Ok(Some(MailSettings { mailing, min_severity: email.min_severity }))
}
