//! How evidence is told: parts with names and values, verdicts, and the drawing of both.

use countersign_attest::{android::Field, x509::Certificate};
use countersign_core::{Posture, Reason};
use serde_json::{Map, Value, json};

use crate::cli::{output::Exit, when};

/// Evidence, told.
pub struct Told {
    /// For people.
    pub text: String,
    /// For programs.
    pub document: Map<String, Value>,
    /// Whether every verdict is good.
    pub exit: Exit,
    /// What it proves of a device; `None` when it proves nothing.
    pub posture: Option<Posture>,
}

/// A verdict on one question. Alphabetical.
pub enum Judged {
    /// Good, with what that means.
    Accepted(&'static str),
    /// Every rule that is broken, the one that decides first.
    Refused(Vec<(Reason, String)>),
    /// Nobody can say, with what would have to be given.
    Unjudged(&'static str),
}

impl Judged {
    /// Good when no rule is broken.
    pub fn by(refusals: Vec<(Reason, String)>, good: &'static str) -> Self {
        if refusals.is_empty() { Self::Accepted(good) } else { Self::Refused(refusals) }
    }

    fn lines(&self) -> Vec<String> {
        match self {
            Self::Accepted(good) => vec![(*good).to_owned()],
            Self::Unjudged(missing) => vec![format!("not judged: {missing}")],
            Self::Refused(all) => all.iter().map(|(reason, why)| format!("REFUSED {reason}: {why}")).collect(),
        }
    }

    fn document(&self) -> Value {
        match self {
            Self::Accepted(_) => json!({ "verdict": "accepted" }),
            Self::Unjudged(missing) => json!({ "verdict": "not_judged", "why": missing }),
            Self::Refused(all) => {
                let mut document = json!({ "verdict": "refused" });
                if let (Some(object), Some((reason, why))) = (document.as_object_mut(), all.first()) {
                    object.insert("reason".to_owned(), json!(reason.code()));
                    object.insert("why".to_owned(), json!(why));
                    let others: Vec<_> = all.iter().skip(1).map(|(reason, why)| json!({ "reason": reason.code(), "why": why })).collect();
                    if !others.is_empty() {
                        object.insert("also".to_owned(), json!(others));
                    }
                }
                document
            }
        }
    }
}

/// The page on which one piece of evidence is told.
pub struct Sheet {
    text: String,
    document: Map<String, Value>,
    verdicts: Vec<(&'static str, Judged)>,
}

impl Sheet {
    /// A page about evidence of this kind.
    pub fn new(kind: &'static str, title: &str) -> Self {
        let document = Map::from_iter([("kind".to_owned(), json!(kind))]);
        Self { text: format!("{title}\n"), document, verdicts: Vec::new() }
    }

    /// A part with named values.
    pub fn part(&mut self, name: &'static str, title: &str, fields: Vec<(&str, Field)>) {
        let fields = Field::Group(fields.into_iter().map(|(name, field)| (name.to_owned(), field)).collect());
        self.text += &format!("\n{title}\n");
        draw(&fields, 1, &mut self.text);
        self.document.insert(name.to_owned(), document(&fields));
    }

    /// The certificates, each with what it is for.
    pub fn certificates(&mut self, title: &str, certificates: &[(&Certificate, String)]) {
        self.text += &format!("\n{title}\n{}", certificates_drawing(certificates));
        self.document.insert("certificates".to_owned(), certificates_document(certificates));
    }

    /// A verdict.
    pub fn verdict(&mut self, name: &'static str, judged: Judged) {
        self.verdicts.push((name, judged));
    }

    /// The page, finished.
    pub fn told(self, posture: Option<Posture>) -> Told {
        let Self { mut text, mut document, verdicts } = self;
        let good = |(_, judged): &(&str, Judged)| matches!(judged, Judged::Accepted(_));
        let exit = if verdicts.iter().all(good) { Exit::Fine } else { Exit::No };
        text.push('\n');
        for (name, judged) in verdicts {
            let label = format!("the {name}");
            for (index, line) in judged.lines().into_iter().enumerate() {
                let label = if index == 0 { label.as_str() } else { "" };
                text += &format!("{label:<15}  {}\n", printable(&line));
            }
            document.insert(name.replace(' ', "_"), judged.document());
        }
        text.truncate(text.trim_end().len());
        Told { text, document, exit, posture }
    }
}

/// A text as a value.
pub fn text(value: impl ToString) -> Field {
    Field::Text(value.to_string())
}

/// A value that may be missing.
pub fn known(value: Option<impl ToString>) -> Field {
    value.map_or_else(|| text("not given"), text)
}

/// Bytes as a value.
pub fn bytes(value: &[u8]) -> Field {
    Field::Text(hex::encode(value))
}

/// A chain, drawn.
pub fn certificates_drawing(certificates: &[(&Certificate, String)]) -> String {
    let mut out = String::new();
    for (index, (certificate, role)) in certificates.iter().enumerate() {
        let last = index.saturating_add(1) == certificates.len();
        let (branch, stem) = if last { ("└─", "  ") } else { ("├─", "│ ") };
        out += &format!("  {branch} {index}  {}\n", printable(&certificate.subject().to_string()));
        out += &format!("  {stem}    {role}\n");
        out += &format!(
            "  {stem}    {}, serial {}, {} to {}\n",
            certificate.key().kind(),
            certificate.serial(),
            when::day(certificate.not_before()),
            when::day(certificate.not_after())
        );
    }
    out
}

/// A chain, for programs.
pub fn certificates_document(certificates: &[(&Certificate, String)]) -> Value {
    let one = |(index, (certificate, role)): (usize, &(&Certificate, String))| {
        json!({
            "index": index, "subject": certificate.subject().to_string(), "issuer": certificate.issuer().to_string(),
            "serial": certificate.serial(), "key": certificate.key().kind().to_string(), "sha256": hex::encode(certificate.fingerprint()),
            "not_before": certificate.not_before().0, "not_after": certificate.not_after().0, "role": role,
        })
    };
    certificates.iter().enumerate().map(one).collect()
}

/// Draws values below each other.
pub fn draw(field: &Field, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    match field {
        Field::Group(fields) => {
            for (name, field) in fields {
                match field {
                    Field::Group(_) | Field::List(_) => {
                        *out += &format!("{indent}{name}\n");
                        draw(field, depth.saturating_add(1), out);
                    }
                    Field::Flag(_) | Field::Text(_) => *out += &format!("{indent}{name:<26} {}\n", plain(field)),
                }
            }
        }
        Field::List(fields) => {
            for field in fields {
                match field {
                    Field::Group(_) | Field::List(_) => draw(field, depth, out),
                    Field::Flag(_) | Field::Text(_) => *out += &format!("{indent}{}\n", plain(field)),
                }
            }
        }
        Field::Flag(_) | Field::Text(_) => *out += &format!("{indent}{}\n", plain(field)),
    }
}

fn plain(field: &Field) -> String {
    match field {
        Field::Flag(flag) => flag.to_string(),
        Field::Text(text) => printable(text),
        Field::Group(_) | Field::List(_) => String::new(),
    }
}

/// Evidence is written by whoever sends it, and a terminal obeys control characters.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// The same values for programs.
pub fn document(field: &Field) -> Value {
    match field {
        Field::Flag(flag) => json!(flag),
        Field::Text(text) => json!(text),
        Field::List(fields) => fields.iter().map(document).collect(),
        Field::Group(fields) => Value::Object(fields.iter().map(|(name, field)| (name.clone(), document(field))).collect()),
    }
}
