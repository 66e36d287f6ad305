//! `[monitor.email]`: who is written to about incidents, and through which server.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::Path,
};

use countersign_core::Seconds;
use countersign_monitor::react::Reaction;
use lettre::message::Mailbox;

use crate::config::{
    defaults,
    model::{Email, MailLogin, MailTls},
    section::{At, Section},
};

const TLS: [(&str, MailTls); 3] = [("implicit", MailTls::Implicit), ("none", MailTls::None), ("starttls", MailTls::StartTls)];

/// Longest wait before that mail.
const HOLD_MAX: Seconds = Seconds(3600);

/// People who are written to.
const TO_MAX: usize = 20;

const MAILBOX: &str = "write an address, with or without a name, such as `Countersign <alerts@example.com>`";

/// The section; `here` is the directory of the file.
pub fn email(mut section: Section<'_>, here: &Path, acts: &[(&'static str, Reaction)]) -> Option<Email> {
    let line = section.line().unwrap_or(1);
    let host = section.required_text("host", "\"mail.example.com\"");
    let tls = section.word("tls", &TLS).map_or(defaults::MAIL_TLS, |at| at.value);
    let port = section.number("port", 1..=65_535).and_then(|at| u16::try_from(at.value).ok()).unwrap_or(tls.port());
    let ca = section.text("ca").map(|at| here.join(at.value));
    let login = login(&mut section, line, here);
    if !section.has("from") {
        section.fault(Some(line), "`from` is missing in `monitor.email`", "add `from = \"Countersign <alerts@example.com>\"`");
    }
    let from = section.parsed("from", MAILBOX, mailbox);
    let to = recipients(&mut section, line);
    let min_severity = section.word("min_severity", acts).map_or(defaults::MAIL_MIN_SEVERITY, |at| at.value);
    let hold = section.span("hold").unwrap_or(defaults::MAIL_HOLD);
    if hold > HOLD_MAX {
        section.fault(Some(line), "`hold` is longer than an hour", "write at most `1h`; no mail is sent during this time");
    }
    let host = host.and_then(|at| server(&section, &at, tls));
    section.end();
    Some(Email { host: host?, port, tls, ca, login: login?, from: from?.value, to: to?, min_severity, hold, line })
}

/// A text without anything that could end a line of the dialogue with the server.
fn mailbox(text: &str) -> Option<Mailbox> {
    if text.contains(char::is_control) { None } else { text.parse().ok() }
}

fn recipients(section: &mut Section<'_>, line: usize) -> Option<Vec<Mailbox>> {
    let given = section.texts("to").unwrap_or_default();
    if given.is_empty() || given.len() > TO_MAX {
        section.fault(Some(line), format!("`to` must contain 1 to {TO_MAX} addresses"), "add `to = [\"ops@example.com\"]`");
        return None;
    }
    let mut to = Vec::new();
    for At { value, line } in given {
        match mailbox(value) {
            Some(mailbox) => to.push(mailbox),
            None => section.fault(Some(line), format!("`to` cannot hold `{}`", value.escape_debug()), MAILBOX),
        }
    }
    Some(to)
}

/// Both or none: a name without a password, or the other way round, is a mistake.
fn login(section: &mut Section<'_>, line: usize, here: &Path) -> Option<Option<MailLogin>> {
    let username = section.text("username").map(|at| at.value.to_owned());
    let password = section.text("password_file").map(|at| here.join(at.value));
    match (username, password) {
        (None, None) => Some(None),
        (Some(username), Some(password)) => Some(Some(MailLogin { username, password })),
        (None, Some(_)) | (Some(_), None) => {
            section.fault(
                Some(line),
                "`username` and `password_file` must be used together",
                "set both, or none if the server needs no login",
            );
            None
        }
    }
}

/// The server's name. Without TLS only this machine itself is a server, by address, so that no name leads elsewhere.
fn server(section: &Section<'_>, at: &At<&str>, tls: MailTls) -> Option<String> {
    let host = at.value;
    let address = match (host, host.parse::<IpAddr>()) {
        ("localhost", _) => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        (_, address) => address.ok(),
    };
    let named = host.len() <= 253 && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'));
    match (tls, address) {
        (MailTls::None, Some(address)) if address.is_loopback() => Some(address.to_string()),
        (MailTls::None, _) => {
            section.fault(
                Some(at.line),
                format!("`{}` is not this machine, so `tls` cannot be `none`", host.escape_debug()),
                "mails contain personal data; write `tls = \"starttls\"` or `tls = \"implicit\"`",
            );
            None
        }
        (MailTls::Implicit | MailTls::StartTls, Some(_)) => Some(host.to_owned()),
        (MailTls::Implicit | MailTls::StartTls, None) if named && !host.is_empty() => Some(host.to_owned()),
        (MailTls::Implicit | MailTls::StartTls, None) => {
            section.fault(Some(at.line), format!("`host` cannot be `{}`", host.escape_debug()), "write a host name without a port");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::parse;

    const MINIMAL: &str =
        "public_url = \"https://api.example.com\"\nupstream   = \"http://127.0.0.1:8080\"\n[app.\"com.example.shop\"]\n[monitor.email]\n";

    fn read(text: &str) -> Result<Option<Email>, String> {
        let config = parse(&format!("{MINIMAL}{text}"), Path::new("csign.toml")).map_err(|faults| faults.to_string())?;
        Ok(config.monitor.email)
    }

    const WHOLE: &str =
        "host = \"mail.example.com\"\nfrom = \"Wächter <a@example.com>\"\nto = [\"b@example.com\", \"C <c@example.com>\"]\n";

    #[test]
    fn what_is_not_said_is_safe() {
        let email = read(WHOLE).expect("understood").expect("a section");
        assert_eq!((email.tls, email.port, email.hold, email.min_severity), (MailTls::StartTls, 587, defaults::MAIL_HOLD, Reaction::Alert));
        assert_eq!((email.to.len(), email.from.name.as_deref()), (2, Some("Wächter")));
        let rows = [("implicit", "mail.example.com", 465), ("none", "localhost", 25), ("none", "::1", 25), ("none", "127.0.0.1", 25)];
        for (tls, host, port) in rows {
            let text = format!("tls = \"{tls}\"\n{}", WHOLE.replace("mail.example.com", host));
            assert_eq!(read(&text).expect("understood").expect("a section").port, port, "{tls} {host}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let whole = |more: &str| format!("{WHOLE}{more}\n");
        let rows = [
            ("host = \"mail.example.com\"\nto = [\"b@example.com\"]\n".to_owned(), "csign.toml:4: `from` is missing in `monitor.email`"),
            ("host = \"mail.example.com\"\nfrom = \"a@example.com\"\n".to_owned(), "csign.toml:4: `to` must contain 1 to 20 addresses"),
            ("from = \"a@example.com\"\nto = [\"b@example.com\"]\n".to_owned(), "csign.toml:4: `host` is missing"),
            (WHOLE.replace("b@example.com", "nobody"), "csign.toml:7: `to` cannot hold `nobody`"),
            (
                WHOLE.replace("b@example.com", "b@example.com\\r\\nBcc: x@example.com"),
                "csign.toml:7: `to` cannot hold `b@example.com\\r\\nBcc",
            ),
            (WHOLE.replace("Wächter", "W\\nBcc: x@example.com"), "csign.toml:6: `from` cannot be"),
            (WHOLE.replace("mail.example.com", "mail.example.com:25"), "csign.toml:5: `host` cannot be `mail.example.com:25`"),
            (whole("tls = \"none\""), "csign.toml:5: `mail.example.com` is not this machine, so `tls` cannot be `none`"),
            (WHOLE.replace("mail.example.com", "192.0.2.1") + "tls = \"none\"\n", "csign.toml:5: `192.0.2.1` is not this machine"),
            (whole("tls = \"maybe\""), "csign.toml:8: `tls` cannot be `maybe`"),
            (whole("username = \"a\""), "csign.toml:4: `username` and `password_file` must be used together"),
            (whole("password_file = \"a\""), "csign.toml:4: `username` and `password_file` must be used together"),
            (whole("port = 0"), "csign.toml:8: `port = 0` is out of range; write it as a whole number from 1 to 65535"),
            (whole("hold = \"2h\""), "csign.toml:4: `hold` is longer than an hour"),
            (whole("min_severity = \"high\""), "csign.toml:8: `min_severity` cannot be `high`"),
            (whole("password = \"hunter2\""), "csign.toml:8: unknown key `password` in `monitor.email`; did you mean `password_file`?"),
        ];
        for (text, expected) in rows {
            let said = read(&text).expect_err(&text);
            assert!(said.starts_with(expected), "{text}\n{said}");
        }
    }
}
