//! `countersign attest inspect`: draws a chain, says what each certificate is, what the phone says, and how we judge it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, bail};
use base64::{Engine, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE_NO_PAD};
use clap::Args;
use countersign_attest::{
    anchors::{Anchors, Purpose},
    android::{
        ATTESTATION_EXTENSION, AppRule, AttestRefusal, Chain, Evidence, Field, KeyDescription, Provisioning, RawChain, Requirements,
        StatusRule, Trust, description_fields, verify,
    },
    x509::Certificate,
};
use countersign_core::{Clock, UnixSeconds};
use serde_json::{Value, json};

use crate::{
    cli::{
        output::{Exit, Output, say, say_json},
        when,
    },
    wire::{SystemClock, trust},
};

/// The chain, and by what it is judged.
#[derive(Args, Debug)]
pub struct InspectArgs {
    /// The chain: PEM blocks, or a JSON list of certificates in base64; leaf first.
    file: PathBuf,
    /// Judge as of this time, in seconds since 1970, instead of now.
    #[arg(long, value_name = "SECONDS")]
    at: Option<u64>,
    /// The challenge that the chain should answer, in base64. Without it the chain's own is taken, and nothing is said about it.
    #[arg(long, value_name = "BASE64")]
    challenge: Option<String>,
    /// Trust the PEM files of this directory instead of Google's roots.
    #[arg(long, value_name = "DIR")]
    anchors: Option<PathBuf>,
}

/// Everything that is said about a chain.
struct Inspection {
    chain: Chain,
    description: Option<KeyDescription>,
    anchors: Anchors,
    /// Whether the chain holds and answers its challenge, whatever the phone is like.
    holds: Result<Evidence, AttestRefusal>,
    /// Whether the phone is in order besides, for any app.
    in_order: Result<Evidence, AttestRefusal>,
}

/// Explains the chain; the exit status is that of the strict judgement.
pub fn run(args: &InspectArgs, output: Output) -> Result<Exit> {
    let inspection = inspect(args)?;
    match output {
        Output::Json => say_json(&inspection.document()),
        Output::Text => say(inspection.drawing()),
    }
    Ok(if inspection.in_order.is_ok() { Exit::Fine } else { Exit::No })
}

fn inspect(args: &InspectArgs) -> Result<Inspection> {
    let chain = Chain::parse(&raw_chain(&args.file)?)
        .map_err(|why| anyhow!("`{}` is no chain that can be judged: {why} ({})", args.file.display(), why.reason()))?;
    let anchors = match &args.anchors {
        None => Anchors::google().context("reading the anchors that are shipped")?,
        Some(directory) => anchors_of(directory)?,
    };
    let now = args.at.map_or_else(|| SystemClock.now().seconds(), UnixSeconds);
    // The attestation nearest to the root is the one that the hardware vouches for.
    let content = chain.iter().rev().find_map(|(_, certificate)| certificate.extension(ATTESTATION_EXTENSION));
    let description = content.and_then(|content| KeyDescription::parse(content).ok());
    let challenge = match (&args.challenge, &description) {
        (Some(text), _) => decode(text).context("`--challenge` is not base64")?,
        (None, Some(description)) => description.challenge.clone(),
        (None, None) => Vec::new(),
    };
    let trust = Trust { anchors, status: StatusRule::NotAsked };
    let holds = verify(&chain, &trust, &Requirements::observe(), &challenge, now);
    let in_order = verify(&chain, &trust, &Requirements { app: AppRule::Any, ..Requirements::enforce(Vec::new()) }, &challenge, now);
    Ok(Inspection { chain, description, anchors: trust.anchors, holds, in_order })
}

fn raw_chain(file: &Path) -> Result<RawChain> {
    let text = fs::read_to_string(file).with_context(|| format!("reading `{}`", file.display()))?;
    let raw = if text.trim_start().starts_with('[') {
        let texts: Vec<String> =
            serde_json::from_str(&text).with_context(|| format!("`{}` is not a JSON list of texts", file.display()))?;
        RawChain::from_der_list(texts.iter().map(|text| decode(text)).collect::<Result<_>>()?)
    } else {
        RawChain::from_pem(&text)
    };
    raw.map_err(|why| anyhow!("`{}` holds no chain: {why}", file.display()))
}

fn decode(text: &str) -> Result<Vec<u8>> {
    STANDARD.decode(text).or_else(|_| URL_SAFE_NO_PAD.decode(text)).context("not base64")
}

fn anchors_of(directory: &Path) -> Result<Anchors> {
    let mut all = Anchors::none();
    let entries = fs::read_dir(directory).with_context(|| format!("reading `{}`", directory.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "pem") {
            all = all.and(trust::anchors(&path, Purpose::AndroidHardware).map_err(|why| anyhow!("`{}`: {why}", path.display()))?);
        }
    }
    if all.iter().next().is_none() {
        bail!("`{}` holds no PEM file with a certificate", directory.display());
    }
    Ok(all)
}

impl Inspection {
    fn drawing(&self) -> String {
        let mut out = String::from("chain, leaf first\n");
        let count = self.chain.iter().len();
        for (index, certificate) in self.chain.iter() {
            let last = index.saturating_add(1) == count;
            let (branch, stem) = if last { ("└─", "  ") } else { ("├─", "│ ") };
            out += &format!("  {branch} {index}  {}\n", certificate.subject());
            out += &format!("  {stem}    {}\n", self.role(index, certificate));
            out += &format!(
                "  {stem}    {}, serial {}, {} to {}\n",
                certificate.key().kind(),
                certificate.serial(),
                when::day(certificate.not_before()),
                when::day(certificate.not_after())
            );
        }
        out += &format!("\nprovisioning  {}\n", self.provisioning());
        match &self.description {
            None => out += "\nno attestation that can be read\n",
            Some(description) => {
                out += "\nwhat the phone says of the key\n";
                draw(&description_fields(description), 1, &mut out);
            }
        }
        out += &format!("\nthe chain     {}\n", verdict(&self.holds, "holds: every signature leads to a trust anchor"));
        out += &format!("the phone     {}", verdict(&self.in_order, "is in order: hardware key, verified system, locked bootloader"));
        out
    }

    fn document(&self) -> Value {
        let certificates: Vec<_> = self
            .chain
            .iter()
            .map(|(index, certificate)| {
                json!({
                    "index": index, "subject": certificate.subject().to_string(), "issuer": certificate.issuer().to_string(),
                    "serial": certificate.serial(), "key": certificate.key().kind().to_string(), "sha256": hex::encode(certificate.fingerprint()),
                    "not_before": certificate.not_before().0, "not_after": certificate.not_after().0, "role": self.role(index, certificate),
                })
            })
            .collect();
        json!({
            "certificates": certificates, "provisioning": self.provisioning(),
            "description": self.description.as_ref().map(|description| document(&description_fields(description))),
            "chain": verdict_document(&self.holds), "phone": verdict_document(&self.in_order),
        })
    }

    /// What a certificate of the chain is for.
    fn role(&self, index: usize, certificate: &Certificate) -> String {
        let count = self.chain.iter().len();
        if let Some(anchor) = self.anchors.find(certificate.key()) {
            return format!("trust anchor of {:?}", anchor.source().vendor);
        }
        let attests = certificate.extension(ATTESTATION_EXTENSION).is_some();
        match (index, attests) {
            (0, true) => "the attested key; carries the attestation".to_owned(),
            (0, false) => "appended: not what the hardware attested".to_owned(),
            (_, true) => "carries an attestation, and something was appended below it".to_owned(),
            _ if index.saturating_add(1) == count => "the end of the chain; no trust anchor of ours".to_owned(),
            (1, false) => "signs the phone's attestations".to_owned(),
            (_, false) => "an intermediate of the phone's maker or of Google".to_owned(),
        }
    }

    fn provisioning(&self) -> String {
        match self.chain.provisioning() {
            Provisioning::Factory => "in the factory: its certificates count beyond their expiry".to_owned(),
            Provisioning::Remote { certificates_issued: Some(count), .. } => {
                format!("remote: {count} certificates in the last thirty days")
            }
            Provisioning::Remote { certificates_issued: None, .. } => "remote".to_owned(),
            Provisioning::Unknown => "unknown".to_owned(),
        }
    }
}

fn verdict(judged: &Result<Evidence, AttestRefusal>, good: &str) -> String {
    match judged {
        Ok(_) => good.to_owned(),
        Err(refusal) => format!("REFUSED {}: {refusal}", refusal.reason()),
    }
}

fn verdict_document(judged: &Result<Evidence, AttestRefusal>) -> Value {
    match judged {
        Ok(_) => json!({ "verdict": "accepted" }),
        Err(refusal) => json!({ "verdict": "refused", "reason": refusal.reason().code(), "why": refusal.to_string() }),
    }
}

fn draw(field: &Field, depth: usize, out: &mut String) {
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
        Field::Text(text) => text.clone(),
        Field::Group(_) | Field::List(_) => String::new(),
    }
}

fn document(field: &Field) -> Value {
    match field {
        Field::Flag(flag) => json!(flag),
        Field::Text(text) => json!(text),
        Field::List(fields) => fields.iter().map(document).collect(),
        Field::Group(fields) => Value::Object(fields.iter().map(|(name, field)| (name.clone(), document(field))).collect()),
    }
}
