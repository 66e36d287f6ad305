//! A chain of Android Key Attestation: drawn, what each certificate is, what the phone says, and how we judge it.

use anyhow::{Context, Result, anyhow};
use countersign_attest::{
    anchors::{Anchors, Purpose},
    android::{
        ATTESTATION_EXTENSION, App, AppRule, AttestRefusal, Chain, Evidence, KeyDescription, Provisioning, RawChain, Requirements,
        StatusRule, Trust, description_fields, verify,
    },
    x509::Certificate,
};
use countersign_core::{AppId, DeviceId, Posture, Thumbprint, UnixSeconds};
use serde_json::{Map, Value, json};

use crate::cli::{
    attest_inspect::{
        asked::{InspectArgs, base64},
        explain::{Told, certificates_document, certificates_drawing, document, draw},
    },
    output::Exit,
};

/// Everything that is said about a chain.
struct Inspection {
    chain: Chain,
    description: Option<KeyDescription>,
    anchors: Anchors,
    /// Whether the chain holds and answers its challenge, whatever the phone is like.
    holds: Result<Evidence, AttestRefusal>,
    /// Whether the phone is in order besides, for the app that is asked for or any.
    in_order: Result<Evidence, AttestRefusal>,
}

/// Explains the chain; the exit status is that of the strict judgement.
pub fn explain(text: &str, args: &InspectArgs) -> Result<Told> {
    let inspection = inspect(text, args)?;
    let exit = if inspection.in_order.is_ok() { Exit::Fine } else { Exit::No };
    let posture = inspection.holds.as_ref().ok().map(|evidence| posture(evidence, args.now())).transpose()?;
    Ok(Told { text: inspection.drawing(), document: inspection.document(), exit, posture })
}

fn inspect(text: &str, args: &InspectArgs) -> Result<Inspection> {
    let chain = Chain::parse(&raw_chain(text, args)?)
        .map_err(|why| anyhow!("`{}` is not a chain that can be checked: {why} ({})", args.file.display(), why.reason()))?;
    let now = args.now();
    // The attestation nearest to the root is the one that the hardware vouches for.
    let content = chain.iter().rev().find_map(|(_, certificate)| certificate.extension(ATTESTATION_EXTENSION));
    let description = content.and_then(|content| KeyDescription::parse(content).ok());
    let challenge = match (args.challenge_bytes()?, &description) {
        (Some(bytes), _) => bytes,
        (None, Some(description)) => description.challenge.clone(),
        (None, None) => Vec::new(),
    };
    let trust = Trust { anchors: args.anchors(Purpose::AndroidHardware)?, status: StatusRule::NotAsked };
    let strict = Requirements { app: app_rule(args, description.as_ref())?, ..Requirements::enforce(Vec::new()) };
    let holds = verify(&chain, &trust, &Requirements::observe(), &challenge, now);
    let in_order = verify(&chain, &trust, &strict, &challenge, now);
    Ok(Inspection { chain, description, anchors: trust.anchors, holds, in_order })
}

/// The app of `--app`, by whomever it is signed; who signed it is on the page.
fn app_rule(args: &InspectArgs, description: Option<&KeyDescription>) -> Result<AppRule> {
    let Some(package) = &args.app else { return Ok(AppRule::Any) };
    let package = AppId::parse(package).with_context(|| format!("`--app {package}` is not a package name"))?;
    let signers = description.and_then(KeyDescription::application_id).map(|app| app.signers.as_slice()).unwrap_or_default();
    let signers = signers.iter().filter_map(|signer| signer.as_slice().try_into().ok()).collect();
    Ok(AppRule::OneOf(vec![App { package, signers }]))
}

fn raw_chain(text: &str, args: &InspectArgs) -> Result<RawChain> {
    let file = args.file.display();
    let raw = if text.trim_start().starts_with('[') {
        let texts: Vec<String> = serde_json::from_str(text).with_context(|| format!("`{file}` is not a JSON list of strings"))?;
        RawChain::from_der_list(texts.iter().map(|text| base64(text)).collect::<Result<_>>()?)
    } else {
        RawChain::from_pem(text)
    };
    raw.map_err(|why| anyhow!("`{file}` contains no certificate chain: {why}"))
}

/// What the chain proves of a device whose key it attests.
fn posture(evidence: &Evidence, now: UnixSeconds) -> Result<Posture> {
    let key = evidence.device_key().map_or(Thumbprint::from_bytes([0; 32]), |key| *key.thumbprint());
    Ok(evidence.posture(DeviceId::parse("inspected")?, key, now))
}

impl Inspection {
    fn drawing(&self) -> String {
        let mut out = format!("chain, leaf first\n{}", certificates_drawing(&self.certificates()));
        out += &format!("\nprovisioning  {}\n", self.provisioning());
        match &self.description {
            None => out += "\nno readable attestation\n",
            Some(description) => {
                out += "\nattestation of the key\n";
                draw(&description_fields(description), 1, &mut out);
            }
        }
        out += &format!("\nthe chain     {}\n", verdict(&self.holds, "valid: all signatures lead to a trust anchor"));
        out += &format!("the phone     {}", verdict(&self.in_order, "accepted: hardware key, verified system, locked bootloader"));
        out
    }

    fn document(&self) -> Map<String, Value> {
        Map::from_iter([
            ("kind".to_owned(), json!("android_key_attestation")),
            ("certificates".to_owned(), certificates_document(&self.certificates())),
            ("provisioning".to_owned(), json!(self.provisioning())),
            ("description".to_owned(), json!(self.description.as_ref().map(|description| document(&description_fields(description))))),
            ("chain".to_owned(), verdict_document(&self.holds)),
            ("phone".to_owned(), verdict_document(&self.in_order)),
        ])
    }

    fn certificates(&self) -> Vec<(&Certificate, String)> {
        self.chain.iter().map(|(index, certificate)| (certificate, self.role(index, certificate))).collect()
    }

    /// What a certificate of the chain is for.
    fn role(&self, index: usize, certificate: &Certificate) -> String {
        let count = self.chain.iter().len();
        if let Some(anchor) = self.anchors.find(certificate.key()) {
            return format!("trust anchor of {:?}", anchor.source().vendor);
        }
        let attests = certificate.extension(ATTESTATION_EXTENSION).is_some();
        match (index, attests) {
            (0, true) => "the attested key, with the attestation".to_owned(),
            (0, false) => "appended: not attested by the hardware".to_owned(),
            (_, true) => "contains an attestation, and a certificate was appended after it".to_owned(),
            _ if index.saturating_add(1) == count => "the end of the chain; not one of our trust anchors".to_owned(),
            (1, false) => "signs the phone's attestations".to_owned(),
            (_, false) => "intermediate certificate of the phone's manufacturer or Google".to_owned(),
        }
    }

    fn provisioning(&self) -> String {
        match self.chain.provisioning() {
            Provisioning::Factory => "factory: its certificates are accepted after their expiry date".to_owned(),
            Provisioning::Remote { certificates_issued: Some(count), .. } => {
                format!("remote: {count} certificates issued in the last 30 days")
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
