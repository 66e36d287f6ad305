//! `[[signals.receive]]` and `[[signals.transmit]]`: who tells us of what ended elsewhere, and whom we tell.

use std::path::Path;

use countersign_monitor::ssf::SignalSubject;
use url::Url;

use crate::config::{
    defaults,
    model::{SharedSignals, SignalSource, SignalTarget},
    section::Section,
};

/// The section; `here` is the directory of the file.
pub fn signals(section: Option<Section<'_>>, here: &Path) -> SharedSignals {
    let mut shared = SharedSignals::default();
    let Some(mut section) = section else { return shared };
    shared.sources = section.tables("receive").into_iter().filter_map(|one| source(one, here)).collect();
    shared.targets = section.tables("transmit").into_iter().filter_map(|one| target(one, here)).collect();
    section.end();
    shared
}

fn source(mut section: Section<'_>, here: &Path) -> Option<SignalSource> {
    let line = section.line().unwrap_or(1);
    let issuer = section.required_text("issuer", "\"https://idp.example.com/\"").map(|at| at.value.to_owned());
    let audience = section.required_text("audience", "\"https://api.example.com\"").map(|at| at.value.to_owned());
    let jwks = section.required_text("jwks", "\"idp-jwks.json\"").map(|at| here.join(at.value));
    let token = section.required_text("token_file", "\"idp.token\"").map(|at| here.join(at.value));
    section.end();
    Some(SignalSource { issuer: issuer?, audience: audience?, jwks: jwks?, token: token?, line })
}

fn target(mut section: Section<'_>, here: &Path) -> Option<SignalTarget> {
    let line = section.line().unwrap_or(1);
    let audience = section.required_text("audience", "\"https://partner.example.com\"").map(|at| at.value.to_owned());
    let push = section
        .parsed("push", "write a URL, such as `https://partner.example.com/events`", |text| Url::parse(text).ok())
        .map(|at| at.value);
    let token = section.required_text("token_file", "\"partner.token\"").map(|at| here.join(at.value));
    let words = [("email", SignalSubject::Email), ("iss_sub", SignalSubject::OurName)];
    let subject = section.word("subject", &words).map_or(defaults::SIGNAL_SUBJECT, |at| at.value);
    section.end();
    Some(SignalTarget { audience: audience?, push, token: token?, subject, line })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    const MINIMAL: &str = "public_url = \"https://api.example.com\"\nupstream   = \"http://127.0.0.1:8080\"\n[app.\"com.example.shop\"]\n";

    #[test]
    fn the_guides_examples_are_understood() {
        let guide = include_str!("../../../../docs/signals.md");
        let blocks: Vec<_> = guide.split("```toml\n").skip(1).filter_map(|rest| rest.split_once("```")).map(|(block, _)| block).collect();
        let config = parse(&format!("{MINIMAL}{}", blocks.join("\n")), Path::new("csign.toml")).expect("understood");
        assert_eq!((config.signals.sources.len(), config.signals.targets.len()), (1, 2));
    }

    #[test]
    fn what_is_missing_is_said() {
        let rows = [
            ("[[signals.receive]]\naudience = \"a\"\njwks = \"a\"\ntoken_file = \"a\"\n", "csign.toml:4: `issuer` is missing"),
            ("[[signals.transmit]]\naudience = \"a\"\n", "csign.toml:4: `token_file` is missing"),
            (
                "[[signals.transmit]]\naudience = \"a\"\ntoken_file = \"a\"\nsubject = \"name\"\n",
                "csign.toml:7: `subject` cannot be `name`",
            ),
            ("[[signals.transmit]]\naudience = \"a\"\ntoken_file = \"a\"\npush = \"no url\"\n", "csign.toml:7: `push` cannot be `no url`"),
        ];
        for (text, expected) in rows {
            let said = parse(&format!("{MINIMAL}{text}"), Path::new("csign.toml")).expect_err(text).to_string();
            assert!(said.starts_with(expected), "{said}");
        }
    }
}
