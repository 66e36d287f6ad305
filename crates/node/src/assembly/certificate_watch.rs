//! Our own certificate is watched: an operator hears of its end, and of a name that it lacks, before phones do.

use countersign_core::{Seconds, UnixSeconds};
use countersign_gateway::{Certificates, Naming};
use x509_cert::{Certificate, der::Decode};

const DAY: u64 = 86_400;

/// News of the certificate that an operator should know. Ordered by urgency: the greatest of several counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Urgency {
    /// It ends in more than thirty days.
    Fine,
    /// It ends within thirty days.
    Month,
    /// It ends within seven days.
    Week,
    /// It does not count any more, or does not count yet.
    NotValid,
    /// It does not name the host of `public_url`, so that no phone takes it.
    NotNamed,
}

/// Result of a look at the certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The most urgent news.
    pub urgency: Urgency,
    /// Time until the first certificate of the chain ends.
    pub left: Seconds,
    /// Answer to the question if it names the host.
    pub naming: Naming,
}

/// Looks at the certificate that phones see. `None` when a certificate of the chain cannot be parsed, which rustls would not show.
pub fn look(certificates: &Certificates, host: &str, now: UnixSeconds) -> Option<Finding> {
    let mut ends = Vec::new();
    let mut begins = Vec::new();
    for der in certificates.chain() {
        let certificate = Certificate::from_der(&der).ok()?;
        let validity = certificate.tbs_certificate().validity();
        begins.push(UnixSeconds(validity.not_before.to_unix_duration().as_secs()));
        ends.push(UnixSeconds(validity.not_after.to_unix_duration().as_secs()));
    }
    let (begin, end) = (begins.into_iter().max()?, ends.into_iter().min()?);
    Some(judge(begin, end, certificates.naming(host), now))
}

fn judge(begin: UnixSeconds, end: UnixSeconds, naming: Naming, now: UnixSeconds) -> Finding {
    let left = end.since(now);
    let urgency = match naming {
        Naming::Misses => Urgency::NotNamed,
        Naming::Names if now < begin || now > end => Urgency::NotValid,
        Naming::Names if left.0 <= 7 * DAY => Urgency::Week,
        Naming::Names if left.0 <= 30 * DAY => Urgency::Month,
        Naming::Names => Urgency::Fine,
    };
    Finding { urgency, left, naming }
}

/// Warns of what was found.
pub fn warn(finding: Finding, host: &str) {
    let days = finding.left.0 / DAY;
    match finding.urgency {
        Urgency::Fine => {}
        Urgency::Month => tracing::warn!(days, "the TLS certificate ends within 30 days; replace the files of `tls` and send SIGHUP"),
        Urgency::Week => tracing::error!(days, "the TLS certificate ends within 7 days; replace the files of `tls` and send SIGHUP"),
        Urgency::NotValid => {
            tracing::error!("the TLS certificate is not valid now, and no phone accepts it; replace the files of `tls` and send SIGHUP")
        }
        Urgency::NotNamed => tracing::error!(
            host,
            "the TLS certificate does not name the host of `public_url`, and no phone accepts it; get one that names it, and send SIGHUP"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};
    use rustls_pki_types::PrivateKeyDer;

    /// First of December 2026 at midnight in UTC.
    const NOW: u64 = 1_796_083_200;

    #[test]
    fn an_operator_is_told_before_phones_are() {
        let rows: &[(&str, &str, u64, Urgency)] = &[
            ("half a year left", "api.example.com", NOW - 180 * DAY, Urgency::Fine),
            ("31 days left", "api.example.com", NOW - 31 * DAY, Urgency::Fine),
            ("30 days left", "api.example.com", NOW - 30 * DAY, Urgency::Month),
            ("8 days left", "api.example.com", NOW - 8 * DAY, Urgency::Month),
            ("7 days left", "api.example.com", NOW - 7 * DAY, Urgency::Week),
            ("the last second", "api.example.com", NOW, Urgency::Week),
            ("one second late", "api.example.com", NOW + 1, Urgency::NotValid),
            ("not yet", "api.example.com", NOW - 1_000 * DAY, Urgency::NotValid),
            ("another host", "www.example.com", NOW - 180 * DAY, Urgency::NotNamed),
            ("an address that it does not name", "192.0.2.1", NOW - 180 * DAY, Urgency::NotNamed),
            ("no name at all", "a b", NOW - 180 * DAY, Urgency::NotNamed),
        ];
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec!["api.example.com".to_owned()]).expect("parameters");
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(2026, 12, 1);
        let leaf = params.self_signed(&key).expect("a certificate");
        let der = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let certificates = Certificates::new(vec![leaf.der().clone()], der).expect("a pair");
        for (name, host, now, expected) in rows {
            let found = look(&certificates, host, UnixSeconds(*now)).expect("it parses");
            assert_eq!(found.urgency, *expected, "{name}");
        }
    }
}
