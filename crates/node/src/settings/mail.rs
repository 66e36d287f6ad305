//! Mails about incidents: the way to the server, with its password and its authorities read.

use std::{fs, path::Path, sync::Arc};

use countersign_codec::calendar;
use countersign_monitor::react::Act;
use countersign_notify::{Carrier, Credentials, Mailing, Way};
use countersign_outbound::trust;

use crate::config::{Email, Faults, MailTls, Vendors};

/// Who is written to, and about what.
pub struct MailSettings {
    /// The way to the server, and who writes to whom.
    pub mailing: Mailing,
    /// Only incidents whose rule does this or more are written about.
    pub min_severity: Act,
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
            let what = "there is nothing to verify the mail server by".to_owned();
            fault(what, "name its authorities with `ca` here or with `vendors.ca`".to_owned())
        })?;
        trust(ca).map(Arc::new).map_err(|why| fault(format!("`ca` cannot be `{}`", ca.display()), why))
    };
    let way = match email.tls {
        MailTls::Implicit => Way::Implicit(verified()?),
        MailTls::None => Way::Plain,
        MailTls::StartTls => Way::StartTls(verified()?),
    };
    let login = email.login.as_ref().map(|login| {
        let text = fs::read_to_string(&login.password).map_err(|why| {
            let what = format!("`{}` cannot be read ({why})", login.password.display());
            fault(what, "name a file that holds the password and nothing else".to_owned())
        })?;
        Ok::<_, Faults>(Credentials::new(login.username.clone(), text.trim().to_owned()))
    });
    let host = host.to_owned();
    let carrier = Carrier { host: email.host, port: email.port, way, login: login.transpose()?, hello: host.clone() };
    let mailing = Mailing { carrier, from: email.from, to: email.to, hold: email.hold, host, instant: |at| calendar::instant(at.0) };
    Ok(Some(MailSettings { mailing, min_severity: email.min_severity }))
}
