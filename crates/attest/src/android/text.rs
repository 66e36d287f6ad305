//! A report as a drawing in text, from the root down to the attested key.

use std::fmt::Write;

use crate::anchors::{Purpose, Source, Vendor};
use crate::android::chain::Provisioning;
use crate::android::fields::Field;
use crate::android::meaning::meaning;
use crate::android::refusal::AttestRefusal;
use crate::android::report::{CertificateFacts, CertificateReport, CertificateRole, Content, Report, Verdict};
use crate::calendar::written;

impl Report {
    /// The report as a drawing in lines of text.
    #[must_use]
    pub fn text(&self) -> String {
        drawn(self)
    }
}

fn drawn(report: &Report) -> String {
    let mut lines = Lines(String::new());
    let count = report.certificates().len();
    lines.push("", &format!("Android Key Attestation: {count} certificates, looked at for {}", written(report.at())));
    lines.push("", "");
    for (depth, certificate) in report.certificates().iter().rev().enumerate() {
        draw_certificate(&mut lines, report, certificate, depth);
    }
    draw_provisioning(&mut lines, report);
    match report.description_fields() {
        Some(Field::Group(fields)) => {
            lines.push("", "Key description");
            draw_fields(&mut lines, fields, "");
            lines.push("", "");
        }
        Some(Field::Flag(_) | Field::List(_) | Field::Text(_)) | None => {
            lines.push("", "Key description: none that could be read");
            lines.push("", "");
        }
    }
    draw_verdict(&mut lines, report.verdict());
    lines.0
}

/// Lines of text. All content of certificates passes through here, so that none of their control characters reaches a terminal.
struct Lines(String);

impl Lines {
    fn push(&mut self, margin: &str, text: &str) {
        self.0.push_str(margin);
        self.0.extend(text.chars().map(|c| if is_printable(c) { c } else { char::REPLACEMENT_CHARACTER }));
        // A line that holds only a margin gets no trailing spaces.
        self.0.truncate(self.0.trim_end_matches(' ').len());
        self.0.push('\n');
    }
}

/// False for control characters and for characters that change the direction of text (Unicode UAX 9).
fn is_printable(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

fn draw_certificate(lines: &mut Lines, report: &Report, certificate: &CertificateReport, depth: usize) {
    let is_last = depth.saturating_add(1) == report.certificates().len();
    let indent = "   ".repeat(depth.saturating_sub(1));
    let branch = if depth == 0 { String::new() } else { format!("{indent}└─ ") };
    let margin = format!("{}{}", "   ".repeat(depth), if is_last { "     " } else { "│    " });
    lines.push(&branch, &format!("{} [{}]", role(certificate), certificate.index));
    match &certificate.content {
        // A refusal printed below explains it.
        Content::Malformed(_) => {}
        Content::Parsed(facts) => draw_facts(lines, facts, &margin),
    }
    if let Verdict::Refused(refusals) = report.verdict() {
        for refusal in refusals.iter().filter(|refusal| concerns(refusal) == Some(certificate.index)) {
            lines.push(&margin, &format!("✗ {refusal}"));
        }
    }
    lines.push(if is_last { "" } else { &margin }, "");
}

fn draw_facts(lines: &mut Lines, facts: &CertificateFacts, margin: &str) {
    let rows = [
        ("subject", facts.subject.clone()),
        ("issuer", facts.issuer.clone()),
        ("serial", facts.serial.clone()),
        ("valid", format!("{} to {}", written(facts.not_before), written(facts.not_after))),
        ("key", facts.key.to_string()),
        ("sha-256", hex::encode(facts.fingerprint)),
    ];
    for (name, value) in rows {
        lines.push(margin, &format!("{name:<8} {value}"));
    }
    if let Some(source) = facts.anchor {
        lines.push(margin, &format!("{:<8} yes: {}", "anchor", anchor(source)));
    }
    if facts.attestation.is_some() {
        lines.push(margin, &format!("{:<8} here, see the key description below", "attests"));
    }
}

const fn role(certificate: &CertificateReport) -> &'static str {
    match certificate.role {
        CertificateRole::Appended => "Appended below the attested key",
        CertificateRole::AttestedKey => "Attested key",
        CertificateRole::AttestingKey => "The phone's attesting key",
        CertificateRole::Intermediate => "Intermediate",
        CertificateRole::Root => "Root",
    }
}

fn anchor(source: Source) -> String {
    let vendor = match source.vendor {
        Vendor::Apple => "Apple",
        Vendor::Google => "Google",
        Vendor::Operator => "operator",
    };
    let purpose = match source.purpose {
        Purpose::AndroidHardware => "Android keys in hardware",
        Purpose::AndroidSoftware => "Android keys in software, which prove nothing about a phone",
        Purpose::AppAttest => "Apple App Attest",
        Purpose::AppAttestReceipt => "Apple App Attest receipts",
    };
    format!("{vendor}, {purpose}")
}

fn draw_provisioning(lines: &mut Lines, report: &Report) {
    let said = match report.provisioning() {
        None => return,
        Some(Provisioning::Factory) => String::from("in the factory; expiry is not looked at, because the phone's keys cannot be replaced"),
        Some(Provisioning::Remote { certificates_issued: Some(count), .. }) => {
            format!("remotely; {count} certificates issued to the phone in thirty days; expiry counts")
        }
        Some(Provisioning::Remote { certificates_issued: None, .. }) => String::from("remotely; expiry counts"),
        Some(Provisioning::Unknown) => String::from("not said; expiry counts"),
    };
    lines.push("", &format!("Provisioned: {said}"));
    lines.push("", "");
}

/// Recursion is bounded: the tree has at most three levels, like the description it is made from.
fn draw_fields(lines: &mut Lines, fields: &[(String, Field)], margin: &str) {
    for (position, (name, field)) in fields.iter().enumerate() {
        let is_last = position.saturating_add(1) == fields.len();
        let branch = format!("{margin}{}", if is_last { "└─ " } else { "├─ " });
        let below = format!("{margin}{}", if is_last { "   " } else { "│  " });
        match field {
            Field::Group(inner) => {
                lines.push(&branch, name);
                draw_fields(lines, inner, &below);
            }
            Field::Flag(_) | Field::List(_) | Field::Text(_) => lines.push(&branch, &format!("{name}: {}", in_line(name, field))),
        }
    }
}

fn in_line(name: &str, field: &Field) -> String {
    match field {
        Field::Flag(true) => String::from("yes"),
        Field::Flag(false) => String::from("no"),
        Field::Group(fields) => {
            let parts: Vec<_> = fields.iter().map(|(name, field)| format!("{name} {}", in_line(name, field))).collect();
            parts.join(" ")
        }
        Field::List(fields) => {
            let parts: Vec<_> = fields.iter().map(|field| in_line(name, field)).collect();
            if parts.is_empty() { String::from("(none)") } else { parts.join(", ") }
        }
        Field::Text(text) if text.is_empty() => String::from("(empty)"),
        Field::Text(text) => meaning(name, text).map_or_else(|| text.clone(), |meaning| format!("{text} ({meaning})")),
    }
}

fn draw_verdict(lines: &mut Lines, verdict: &Verdict) {
    match verdict {
        Verdict::Accepted => lines.push("", "Verdict: accepted"),
        Verdict::AcceptedButForChallenge => {
            lines.push("", "Verdict: accepted, but no challenge was given to compare; it is in the key description")
        }
        Verdict::Refused(refusals) => {
            lines.push("", "Verdict: refused");
            for refusal in refusals {
                let mut line = String::new();
                // Writing into a string cannot fail.
                let _ = write!(line, "✗ {}: {refusal}", refusal.reason());
                lines.push("  ", &line);
            }
        }
    }
}

/// Position of the certificate that a refusal is about, when it is about one.
const fn concerns(refusal: &AttestRefusal) -> Option<usize> {
    match refusal {
        AttestRefusal::AnchorInside { index }
        | AttestRefusal::CertificateExpired { index, .. }
        | AttestRefusal::CertificateMalformed { index, .. }
        | AttestRefusal::CertificateNotYetValid { index, .. }
        | AttestRefusal::CertificateRepeated { index }
        | AttestRefusal::CertificateRevoked { index, .. }
        | AttestRefusal::CriticalExtensionUnknown { index, .. }
        | AttestRefusal::IssuerMismatch { index }
        | AttestRefusal::IssuerNotAllowed { index }
        | AttestRefusal::PathTooLong { index }
        | AttestRefusal::PemMalformed { index }
        | AttestRefusal::SignatureInvalid { index, .. } => Some(*index),
        AttestRefusal::AnchorUnknown { .. }
        | AttestRefusal::AppSignerUnknown { .. }
        | AttestRefusal::AppUnknown { .. }
        | AttestRefusal::AttestationMissing
        | AttestRefusal::AttestationNotHardware { .. }
        | AttestRefusal::AttestationStale { .. }
        | AttestRefusal::AttestationVersionTooOld { .. }
        | AttestRefusal::BootKeyUnknown { .. }
        | AttestRefusal::BootNotVerified { .. }
        | AttestRefusal::BootloaderUnlocked
        | AttestRefusal::ChainExtended { .. }
        | AttestRefusal::ChainTooLong
        | AttestRefusal::ChainTooShort { .. }
        | AttestRefusal::ChallengeMismatch
        | AttestRefusal::DescriptionMalformed(_)
        | AttestRefusal::KeyMintVersionTooOld { .. }
        | AttestRefusal::KeyNotGenerated
        | AttestRefusal::KeyNotHardware { .. }
        | AttestRefusal::KeyOpenToAllApplications
        | AttestRefusal::KeyPurposeWrong { .. }
        | AttestRefusal::KeyUnsupported { .. }
        | AttestRefusal::LengthWrong { .. }
        | AttestRefusal::PatchLevelTooOld { .. }
        | AttestRefusal::RollbackResistanceMissing
        | AttestRefusal::RootOfTrustMissing
        | AttestRefusal::SecurityLevelContradicted { .. }
        | AttestRefusal::SecurityLevelsDiffer { .. }
        | AttestRefusal::SecurityLevelWrong { .. }
        | AttestRefusal::StatusListMissing
        | AttestRefusal::StatusListStale { .. } => None,
    }
}
