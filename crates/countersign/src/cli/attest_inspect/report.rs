//! The SDK's signed report: what an app says of itself and of its phone.

use anyhow::{Result, anyhow};
use countersign_attest::{
    android::Field,
    apple::AppleApp,
    report::{REPORT_TYPE, ReportRefusal, Said, claims, read},
};
use countersign_codec::base64url;
use countersign_core::{
    AppFinding, AppReport, CoarsePlace, DeviceId, EvidenceTier, Platform, Posture, Provenance, SecurityLevel, Thumbprint, UnixSeconds,
};
use countersign_proof::{
    jwk::PublicKey,
    jws::{Jws, Type},
};

use crate::cli::attest_inspect::{
    asked::InspectArgs,
    explain::{Judged, Sheet, Told, bytes, known, text},
};

/// A report: its header, its claims, and whether the key signed it.
pub fn explain(jws: &str, args: &InspectArgs) -> Result<Told> {
    let unreadable = |why: ReportRefusal| anyhow!("`{}` looks like a posture report but cannot be read: {why}", args.file.display());
    let parsed = Jws::read(jws, Type::Is(REPORT_TYPE)).map_err(|why| unreadable(ReportRefusal::Jws(why)))?;
    let payload = jws.split('.').nth(1).and_then(|payload| base64url::decode(payload).ok()).unwrap_or_default();
    let Said { report, place } = claims(&payload, args.now()).map_err(unreadable)?;
    let own_key = parsed.jwk().and_then(|jwk| PublicKey::from_jwk(jwk).ok());
    let mut sheet = Sheet::new("posture_report", "posture report: statements of an app about its phone; they can only lower trust");
    let signed_by = own_key.as_ref().map_or_else(|| text("not named"), |key| bytes(key.thumbprint().as_bytes()));
    sheet.part(
        "header",
        "header",
        vec![("typ", text(REPORT_TYPE)), ("alg", text(parsed.algorithm().as_str())), ("key", parsed.key_id().map_or(signed_by, text))],
    );
    sheet.part("says", "statements of the app", said(&report, place, &payload));
    let judged = match args.key()? {
        None => Judged::Unjudged("give the device key with `--key FILE`"),
        Some(key) => {
            let refusal = read(jws, &key, args.now()).err();
            let refusals = refusal.map(|why| (why.reason(), why.to_string())).into_iter().collect();
            Judged::by(refusals, "valid: signed by the device key; the truth of the statements cannot be verified")
        }
    };
    let posture = match judged {
        Judged::Accepted(_) | Judged::Unjudged(_) => Some(posture(report, args)?),
        Judged::Refused(_) => None,
    };
    sheet.verdict("report", judged);
    Ok(sheet.told(posture))
}

fn said(report: &AppReport, place: Option<CoarsePlace>, payload: &[u8]) -> Vec<(&'static str, Field)> {
    let findings: Vec<_> = report.findings.iter().map(|found| text(format!("{}: {}", found.as_str(), meaning(*found)))).collect();
    let findings = if findings.is_empty() { text("nothing found") } else { Field::List(findings) };
    let claimed: Option<u64> =
        serde_json::from_slice::<serde_json::Value>(payload).ok().and_then(|claims| claims.get("iat").and_then(serde_json::Value::as_u64));
    vec![
        ("findings", findings),
        ("os_version", known(report.os_version.map(|number| format!("{number} (MMmmss)")))),
        ("app_version", known(report.app_version)),
        ("installer", known(report.installer.as_deref())),
        ("place", known(place.map(|place| format!("{:.1} N {:.1} E", place.degrees().0, place.degrees().1)))),
        ("at", known(claimed.map(|at| format!("{}, by the phone's clock (not used)", crate::cli::when::instant(UnixSeconds(at)))))),
    ]
}

const fn meaning(finding: AppFinding) -> &'static str {
    match finding {
        AppFinding::AccessibilityAbuse => "an accessibility service reads or controls other apps",
        AppFinding::Debugger => "a debugger is attached, or the app can be debugged",
        AppFinding::Emulator => "the phone is an emulator",
        AppFinding::Hooked => "foreign code runs inside the app",
        AppFinding::Rooted => "the phone is rooted or jailbroken",
        AppFinding::ScreenLockMissing => "the phone has no screen lock",
        AppFinding::SideloadedApps => "apps from outside the platform's store are installed",
        AppFinding::Tampered => "the app was modified, or was not installed from a store",
        AppFinding::Vpn => "traffic goes through a VPN",
    }
}

/// A device of which nothing is known but this.
fn posture(report: AppReport, args: &InspectArgs) -> Result<Posture> {
    let ios = args.app.as_deref().is_some_and(|app| AppleApp::parse(app).is_ok());
    Ok(Posture {
        device: DeviceId::parse("inspected")?,
        key: Thumbprint::from_bytes([0; 32]),
        platform: if ios { Platform::Ios } else { Platform::Android },
        tier: EvidenceTier::SelfReported,
        by: Provenance::AppReport,
        established_at: args.now(),
        security_level: SecurityLevel::Software,
        bootloader_locked: None,
        boot_state: None,
        boot_key: None,
        os_version: None,
        patch_level: None,
        app: None,
        app_version: None,
        certificates: Vec::new(),
        verdict: None,
        report: Some(report),
        risk_metric: None,
    })
}
