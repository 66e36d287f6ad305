//! What App Attest gives an app: the attestation of a key, its assertions, and Apple's receipts.

use anyhow::{Context, Result, anyhow};
use countersign_attest::{
    anchors::{Anchors, Purpose},
    android::Field,
    apple::{
        AppleApp, AppleRefusal, Asked, Attestation, Environment, Launch, ReceiptAge, ReceiptEnvironment, ReceiptKind, ReceiptOf,
        ReceiptRefusal, assertion_facts, attestation_refusals, os_version, receipt_facts, verify_assertion, verify_receipt,
    },
    x509::Certificate,
};
use countersign_codec::sha256;
use countersign_core::{DeviceId, EvidenceTier, Posture, Reason, RiskMetric, SecurityLevel, Thumbprint};

use crate::cli::{
    attest_inspect::{
        asked::InspectArgs,
        explain::{Judged, Sheet, Told, bytes, known, text},
    },
    when,
};

/// An attestation: once per key, from `attestKey`.
pub fn attestation(content: &[u8], args: &InspectArgs) -> Result<Told> {
    let attestation = Attestation::parse(content).map_err(|why| unreadable(args, "attestation", &why))?;
    let (facts, anchors, now) = (attestation.facts(), args.anchors(Purpose::AppAttest)?, args.now());
    let (app, hash) = (app(args)?, args.client_data_hash()?);
    let mut sheet = Sheet::new("app_attest_attestation", "App Attest attestation: Apple's statement about a new key of an app");
    sheet.certificates(
        "certificates, that of the attested key first; Apple does not send its root",
        &roles(attestation.certificates(), &anchors),
    );
    let environment = Environment::from_aaguid(facts.aaguid);
    let mut fields = vec![
        ("app", app_field(app.as_ref(), &facts.rp_id_hash)),
        ("key_id", bytes(&facts.credential_id)),
        ("environment", environment.map_or_else(|| text(format!("unknown, {}", hex::encode(facts.aaguid))), environment_field)),
        ("counter", text(facts.counter)),
        ("nonce", facts.nonce.map_or_else(|| text("missing"), |nonce| bytes(&nonce))),
        ("system_version", known(facts.system_version.as_deref())),
        ("receipt", text(format!("{} bytes; inspect the receipt as separate evidence", attestation.receipt().len()))),
    ];
    fields.extend(launch(&facts.launch));
    sheet.part("says", "statements of the phone and of Apple about the key", fields);
    let refusals = |environments: &[Environment]| {
        let asked = Asked { client_data_hash: hash.as_ref(), app: app.as_ref(), environments };
        named(&attestation_refusals(&attestation, &asked, &anchors, now))
    };
    let holds = Judged::by(
        refusals(&Environment::ALL),
        match hash {
            Some(_) => "valid: Apple attests the key, for these client data",
            None => "valid: Apple attests the key; the client data were not checked",
        },
    );
    let posture = match holds {
        Judged::Accepted(_) => {
            Some(Posture { os_version: facts.system_version.as_deref().and_then(os_version), ..posture(app.as_ref(), args)? })
        }
        Judged::Unjudged(_) | Judged::Refused(_) => None,
    };
    sheet.verdict("attestation", holds);
    sheet.verdict("app", Judged::by(refusals(&[Environment::Production]), app_good(app.as_ref())));
    Ok(sheet.told(posture))
}

/// An assertion: one signature of an attested key, from `generateAssertion`.
pub fn assertion(content: &[u8], args: &InspectArgs) -> Result<Told> {
    let facts = assertion_facts(content).map_err(|why| unreadable(args, "assertion", &why))?;
    let app = app(args)?;
    let mut sheet = Sheet::new("app_attest_assertion", "App Attest assertion: a signature of an attested key over a request");
    let mut fields = vec![("app", app_field(app.as_ref(), &facts.rp_id_hash)), ("counter", text(facts.counter))];
    fields.extend(launch(&facts.launch));
    sheet.part("says", "statements of the phone", fields);
    let judged = match (args.key()?, &app, args.client_data_hash()?) {
        (Some(key), Some(app), Some(hash)) => {
            let refusal = verify_assertion(content, &key, app, &hash).err();
            Judged::by(
                named(refusal.as_slice()),
                "valid: the key signed these client data for this app; the server must also check that the counter has increased",
            )
        }
        (None, _, _) => Judged::Unjudged("give the attested key with `--key FILE`"),
        (Some(_), None, _) => Judged::Unjudged("give the expected app with `--app TEAM.bundle`"),
        (Some(_), Some(_), None) => Judged::Unjudged("give the signed client data with `--challenge BASE64`"),
    };
    let posture = match judged {
        Judged::Accepted(_) => Some(posture(app.as_ref(), args)?),
        Judged::Unjudged(_) | Judged::Refused(_) => None,
    };
    sheet.verdict("assertion", judged);
    Ok(sheet.told(posture))
}

/// A receipt: Apple's record of an attestation, and of how many there were lately.
pub fn receipt(content: &[u8], args: &InspectArgs) -> Result<Told> {
    let facts = receipt_facts(content).map_err(|why| unreadable(args, "receipt", &why))?;
    let (anchors, now, app) = (args.anchors(Purpose::AppAttestReceipt)?, args.now(), app(args)?);
    let mut sheet = Sheet::new("app_attest_receipt", "App Attest receipt: Apple's record of an attestation");
    let certificates: Vec<_> = facts.certificates.iter().collect();
    sheet.certificates("certificates, in the order of the file", &in_receipt(&certificates, &anchors));
    let count = facts.risk_metric.map(|count| format!("{count} keys attested on this phone for this app in 30 days"));
    sheet.part(
        "says",
        "statements of Apple",
        vec![
            ("app", text(&facts.app_id)),
            ("kind", text(kind_in_words(facts.kind))),
            ("environment", known(facts.environment.map(receipt_environment))),
            ("risk_metric", known(count)),
            ("created_at", text(when::instant(facts.created_at.seconds()))),
            ("next_not_before", known(facts.not_before.map(|at| when::instant(at.seconds())))),
            ("expires_at", text(when::instant(facts.expires_at.seconds()))),
            ("client_data_hash", client_hash(facts.kind, facts.client_hash.as_deref())),
            ("key_sha256", bytes(&sha256(&[&facts.key_spki]))),
            ("fields_not_read", text(facts.fields_unknown)),
        ],
    );
    let app_id = app.as_ref().map_or_else(|| facts.app_id.clone(), ToString::to_string);
    let expected = ReceiptOf { app_id: &app_id, key_spki: &facts.key_spki, age: ReceiptAge::Any };
    let verified = verify_receipt(content, &expected, &anchors, now);
    let posture = match &verified {
        Ok(receipt) => {
            let risk_metric = receipt.risk_metric().map(|count| RiskMetric { count, at: receipt.created_at().seconds() });
            // It counts keys; that this phone holds one of them is not what it says.
            Some(Posture { risk_metric, tier: EvidenceTier::None, security_level: SecurityLevel::Software, ..posture(app.as_ref(), args)? })
        }
        Err(_) => None,
    };
    let refusals = verified.err().map(|why: ReceiptRefusal| (why.reason(), why.to_string())).into_iter().collect();
    sheet
        .verdict("receipt", Judged::by(refusals, "valid: Apple signed it, and it has not expired; it was not checked against a known key"));
    Ok(sheet.told(posture))
}

fn unreadable(args: &InspectArgs, what: &str, why: &dyn std::error::Error) -> anyhow::Error {
    anyhow!("`{}` looks like an App Attest {what} but cannot be read: {why}", args.file.display())
}

fn named(refusals: &[AppleRefusal]) -> Vec<(Reason, String)> {
    refusals.iter().map(|refusal| (refusal.reason(), refusal.to_string())).collect()
}

fn app(args: &InspectArgs) -> Result<Option<AppleApp>> {
    args.app.as_deref().map(|text| AppleApp::parse(text).with_context(|| format!("`--app {text}`"))).transpose()
}

/// Evidence holds no app's name, only the hash of one.
fn app_field(app: Option<&AppleApp>, rp_id_hash: &[u8; 32]) -> Field {
    let hash = hex::encode(rp_id_hash);
    text(match app {
        Some(app) if app.rp_id_hash() == *rp_id_hash => format!("{app} (SHA-256 {hash})"),
        Some(app) => format!("not {app} (SHA-256 {hash})"),
        None => format!("SHA-256 of its App ID {hash}"),
    })
}

const fn app_good(app: Option<&AppleApp>) -> &'static str {
    match app {
        Some(_) => "accepted: the expected app, as distributed by Apple",
        None => "accepted: an app distributed by Apple; its id was not checked",
    }
}

fn environment_field(environment: Environment) -> Field {
    text(match environment {
        Environment::Development => "development: a build started from Xcode",
        Environment::Production => "production: App Store, TestFlight or enterprise distribution",
    })
}

const fn receipt_environment(environment: ReceiptEnvironment) -> &'static str {
    match environment {
        ReceiptEnvironment::Other => "unknown",
        ReceiptEnvironment::Production => "production",
        ReceiptEnvironment::Sandbox => "sandbox, for apps in development",
    }
}

const fn kind_in_words(kind: ReceiptKind) -> &'static str {
    match kind {
        ReceiptKind::Attest => "first receipt, made with the attestation; it has no risk metric yet",
        ReceiptKind::Receipt => "later receipt, requested from Apple",
    }
}

/// On later receipts Apple writes the hash as if it were text.
fn client_hash(kind: ReceiptKind, hash: Option<&[u8]>) -> Field {
    match (kind, hash) {
        (_, None) => text("not given"),
        (ReceiptKind::Attest, Some(hash)) => bytes(hash),
        (ReceiptKind::Receipt, Some(_)) => text("written by Apple in a form that cannot be read back"),
    }
}

/// What iOS says of the app's launch, where it says something.
fn launch(launch: &Launch) -> Vec<(&'static str, Field)> {
    let category = launch.validation_category().map(|number| match number {
        2 => "2, TestFlight".to_owned(),
        3 => "3, development".to_owned(),
        4 => "4, the App Store".to_owned(),
        other => format!("{other}, unknown"),
    });
    let unknown = (!launch.unknown().is_empty()).then(|| format!("{}; passed over", launch.unknown().join(", ")));
    let fields = [
        ("bundle_version", launch.bundle_version().map(str::to_owned)),
        ("validation_category", category),
        ("unknown_extensions", unknown),
    ];
    fields.into_iter().filter_map(|(name, value)| value.map(|value| (name, text(value)))).collect()
}

fn roles<'a>(certificates: &'a [Certificate], anchors: &Anchors) -> Vec<(&'a Certificate, String)> {
    let role = |(index, certificate): (usize, &'a Certificate)| {
        let role = match (index, anchor_above(certificate, anchors)) {
            (0, _) => "the attested key".to_owned(),
            (_, Some(anchor)) => format!("issued by the trust anchor {anchor}"),
            (_, None) => "claims to be a certificate authority of Apple".to_owned(),
        };
        (certificate, role)
    };
    certificates.iter().enumerate().map(role).collect()
}

fn in_receipt<'a>(certificates: &[&'a Certificate], anchors: &Anchors) -> Vec<(&'a Certificate, String)> {
    let role = |certificate: &&'a Certificate| {
        let issues = certificates.iter().any(|other| other.der() != certificate.der() && other.names_as_issuer(certificate));
        let role = match (anchors.find(certificate.key()), anchor_above(certificate, anchors), issues) {
            (Some(_), _, _) => "one of our trust anchors".to_owned(),
            (None, Some(anchor), _) => format!("issued by the trust anchor {anchor}"),
            (None, None, true) => "claims to be a certificate authority of Apple".to_owned(),
            (None, None, false) => "signed the receipt".to_owned(),
        };
        (*certificate, role)
    };
    certificates.iter().map(role).collect()
}

/// The anchor whose key signed this certificate.
fn anchor_above(certificate: &Certificate, anchors: &Anchors) -> Option<String> {
    let signed = anchors
        .iter()
        .find(|anchor| certificate.names_as_issuer(anchor.certificate()) && certificate.verify_signature_of(anchor.key()).is_ok());
    signed.map(|anchor| anchor.certificate().subject().to_string())
}

/// The posture of an iPhone that is none of this node's.
fn posture(app: Option<&AppleApp>, args: &InspectArgs) -> Result<Posture> {
    let device = DeviceId::parse("inspected")?;
    let shown = countersign_attest::apple::posture(device, Thumbprint::from_bytes([0; 32]), args.now());
    Ok(Posture { app: app.map(|app| app.bundle().clone()), ..shown })
}
