//! Reports of the SDK about its phone: signed, with a version, in a vocabulary that each version fixes.
//!
//! A report is a compact JWS of the type `csign-report+jwt`, signed by the device key (ES256). Its claims are
//! `{"v":1,"iat":..,"findings":[..]}`, with `os_version` (`MMmmss`), `app_version` and `installer` where the platform tells them, and
//! `place` (tenths of a degree north and east) where the person lets the app share it.
//!
//! The signature proves that the app on this phone sent the report, not that the report is true. A report can therefore lower trust and
//! never raise it (law 2 of the design).

use std::{collections::BTreeSet, fmt};

use countersign_core::{AppFinding, AppReport, CoarsePlace, Limits, Reason, UnixSeconds};
use countersign_proof::{
    jwk::PublicKey,
    jws::{Jws, JwsRefusal, Type},
    numeric_date::NumericDate,
};
use serde::Deserialize;

/// Media type of a report, the `typ` in its header.
pub const REPORT_TYPE: &str = "csign-report+jwt";

/// Reason why a report is refused. Alphabetical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReportRefusal {
    /// The claims are not those of version 1; with the parser's message.
    ClaimsMalformed(String),
    /// A finding is not in the vocabulary of version 1.
    FindingUnknown(String),
    /// The installer's name is empty, too long, or not printable ASCII.
    InstallerMalformed,
    /// The text is not an acceptable JWS.
    Jws(JwsRefusal),
    /// The place lies outside of the range of latitudes and longitudes.
    PlaceMalformed,
    /// The device key did not sign the report.
    SignatureInvalid,
    /// The version is unknown, so the meaning of the claims is unknown as well.
    VersionUnknown(u32),
}

impl ReportRefusal {
    /// Stable reason code of the refusal; the same for all, because the client can change nothing about it.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::ClaimsMalformed(_)
            | Self::FindingUnknown(_)
            | Self::InstallerMalformed
            | Self::Jws(_)
            | Self::PlaceMalformed
            | Self::SignatureInvalid
            | Self::VersionUnknown(_) => Reason::ReportInvalid,
        }
    }
}

impl fmt::Display for ReportRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClaimsMalformed(why) => write!(f, "the report's claims cannot be parsed: {why}"),
            Self::FindingUnknown(word) => write!(f, "`{word}` is not a finding of report version 1"),
            Self::InstallerMalformed => f.write_str("the installer's name is empty, too long, or not printable ASCII"),
            Self::Jws(why) => write!(f, "the report is not an acceptable JWS: {why:?}"),
            Self::PlaceMalformed => f.write_str("the report's place is not on earth"),
            Self::SignatureInvalid => f.write_str("the device key did not sign the report"),
            Self::VersionUnknown(version) => write!(f, "version {version} of the report is unknown"),
        }
    }
}

impl std::error::Error for ReportRefusal {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireReport {
    #[serde(rename = "v")]
    _v: u32,
    #[serde(rename = "iat")]
    _iat: NumericDate,
    findings: Vec<String>,
    os_version: Option<u64>,
    app_version: Option<u64>,
    installer: Option<String>,
    place: Option<[i16; 2]>,
}

/// Content of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Findings about the phone, to be stored with its posture.
    pub report: AppReport,
    /// Position of the phone. It must not be stored.
    pub place: Option<CoarsePlace>,
}

#[derive(Deserialize)]
struct WireVersion {
    v: u32,
}

/// Parses a report and checks that `device_key` signed it. The report counts from `now`; the phone's clock is not trusted.
///
/// # Errors
/// The first rule that is broken.
pub fn read(text: &str, device_key: &PublicKey, now: UnixSeconds) -> Result<Said, ReportRefusal> {
    let jws = Jws::read(text, Type::Is(REPORT_TYPE)).map_err(ReportRefusal::Jws)?;
    let payload = jws.verify(device_key).map_err(|_| ReportRefusal::SignatureInvalid)?;
    claims(payload.as_bytes(), now)
}

/// Parses the claims alone, for somebody who inspects a report without its key.
///
/// # Errors
/// The first rule that is broken, as in [`read`].
pub fn claims(payload: &[u8], now: UnixSeconds) -> Result<Said, ReportRefusal> {
    let malformed = |why: serde_json::Error| ReportRefusal::ClaimsMalformed(why.to_string());
    // The version is read first and alone, since the members of another version would be unknown to the strict parser.
    let WireVersion { v } = serde_json::from_slice(payload).map_err(malformed)?;
    if v != 1 {
        return Err(ReportRefusal::VersionUnknown(v));
    }
    let wire: WireReport = serde_json::from_slice(payload).map_err(malformed)?;
    let mut findings = BTreeSet::new();
    for word in wire.findings {
        // An unknown finding refuses the whole report. To drop it would hide something that the phone admitted.
        findings.insert(AppFinding::parse(&word).ok_or(ReportRefusal::FindingUnknown(word))?);
    }
    let named = |name: &String| (1..=Limits::INSTALLER_BYTES_MAX).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic());
    if !wire.installer.as_ref().is_none_or(named) {
        return Err(ReportRefusal::InstallerMalformed);
    }
    let on_earth = |[north, east]: [i16; 2]| CoarsePlace::from_tenths(north, east).ok_or(ReportRefusal::PlaceMalformed);
    let place = wire.place.map(on_earth).transpose()?;
    let report = AppReport { at: now, findings, os_version: wire.os_version, app_version: wire.app_version, installer: wire.installer };
    Ok(Said { report, place })
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_proof::{
        jwk::{Algorithm, SigningKey},
        jws::{self, HeaderToSign, NamedBy},
    };

    const NOW: UnixSeconds = UnixSeconds(1_793_491_200);

    #[test]
    fn reports_are_read_strictly() {
        let (key, _) = SigningKey::generate(Algorithm::Es256).expect("a key");
        let (other, _) = SigningKey::generate(Algorithm::Es256).expect("a key");
        let signed = |key: &SigningKey, typ: &str, claims: &str| {
            jws::sign(key, HeaderToSign { typ, key: NamedBy::Nothing }, claims.as_bytes()).expect("a report")
        };
        let honest = r#"{"v":1,"iat":1,"findings":["rooted","vpn","rooted"],"os_version":170501,"app_version":3001000,"installer":"com.android.vending"}"#;
        let with = |from: &str, to: &str| signed(&key, REPORT_TYPE, &honest.replace(from, to));
        let long = "x".repeat(129);
        let rows: Vec<(&str, String, Result<usize, ReportRefusal>)> = vec![
            ("as the SDK writes it", signed(&key, REPORT_TYPE, honest), Ok(2)),
            ("nothing found", signed(&key, REPORT_TYPE, r#"{"v":1,"iat":1,"findings":[]}"#), Ok(0)),
            ("with a place", with("\"v\":1", "\"v\":1,\"place\":[525,134]"), Ok(2)),
            ("a place beyond a pole", with("\"v\":1", "\"v\":1,\"place\":[901,134]"), Err(ReportRefusal::PlaceMalformed)),
            ("another key", signed(&other, REPORT_TYPE, honest), Err(ReportRefusal::SignatureInvalid)),
            ("another type", signed(&key, "dpop+jwt", honest), Err(ReportRefusal::Jws(JwsRefusal::TypeWrong))),
            ("a version to come", with("\"v\":1", "\"v\":2"), Err(ReportRefusal::VersionUnknown(2))),
            ("a finding to come", with("\"vpn\"", "\"mitm\""), Err(ReportRefusal::FindingUnknown("mitm".to_owned()))),
            ("an installer without a name", with("com.android.vending", ""), Err(ReportRefusal::InstallerMalformed)),
            ("an installer with a long name", with("com.android.vending", &long), Err(ReportRefusal::InstallerMalformed)),
            ("an installer with a line break", with("com.android.vending", "a\\nb"), Err(ReportRefusal::InstallerMalformed)),
        ];
        for (name, text, expected) in rows {
            let read = read(&text, key.public(), NOW);
            assert_eq!(read.as_ref().map(|said| said.report.findings.len()), expected.as_ref().map(|count| *count), "{name}");
            assert!(read.is_err() || read.is_ok_and(|said| said.report.at == NOW), "{name}");
        }
        let malformed = [
            honest.replace("\"iat\":1", "\"iat\":1,\"more\":1"),
            honest.replace("\"iat\":1", "\"iat\":1,\"iat\":2"),
            honest.replace("\"v\":1", "\"v\":1,\"v\":1"),
            honest.replace("170501", "-1"),
            // Nobody can say more exactly where they are.
            honest.replace("\"v\":1", "\"v\":1,\"place\":[52.52,13.40]"),
            honest.replace("\"v\":1", "\"v\":1,\"place\":[525,134,9]"),
            "[]".to_owned(),
            String::new(),
        ];
        for claims in malformed {
            assert!(
                matches!(read(&signed(&key, REPORT_TYPE, &claims), key.public(), NOW), Err(ReportRefusal::ClaimsMalformed(_))),
                "{claims}"
            );
        }
    }
}
