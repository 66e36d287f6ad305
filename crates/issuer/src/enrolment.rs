//! Body of an enrolment: which members there are, and which of them go together.

use countersign_core::Reason;
use serde::Deserialize;

use crate::{
    development::BuildWire,
    evidence::{EvidenceWire, PlatformWire},
    refusal::Refusal,
};

/// Body of an enrolment, by platform: the members of its vendor's evidence, or a development token instead. Members of the other
/// platform may only be `null`, since some clients write every member that they know.
#[derive(Debug, Deserialize)]
#[serde(tag = "platform", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum EnrolmentWire {
    Android {
        client_id: String,
        challenge: String,
        name: Option<String>,
        model: Option<String>,
        chain: Option<Vec<String>>,
        /// Token of Play Integrity, in addition to the chain.
        integrity: Option<String>,
        dev_token: Option<String>,
        build: Option<BuildWire>,
        #[serde(default)]
        key_id: (),
        #[serde(default)]
        attestation: (),
    },
    Ios {
        client_id: String,
        challenge: String,
        name: Option<String>,
        model: Option<String>,
        key_id: Option<String>,
        attestation: Option<String>,
        integrity: Option<String>,
        dev_token: Option<String>,
        build: Option<BuildWire>,
        #[serde(default)]
        chain: (),
    },
}

/// Enrolment whose members go together.
pub(crate) struct Enrolment {
    pub client_id: String,
    pub challenge: String,
    pub name: Option<String>,
    pub model: Option<String>,
    pub platform: PlatformWire,
    pub voucher: Voucher,
    /// Token of Play Integrity, in addition to the evidence.
    pub integrity: Option<String>,
}

/// Proof that comes with an enrolment and vouches for the phone.
pub(crate) enum Voucher {
    /// Development token of an emulator or test machine, and the kind of the app's build.
    DevToken { token: String, build: BuildWire },
    /// Evidence of the phone's hardware.
    Evidence(EvidenceWire),
}

impl Voucher {
    /// Takes the voucher that came; neither and both are refused. A verdict of Play Integrity comes with evidence only.
    fn only(
        evidence: Option<EvidenceWire>,
        integrity: Option<&String>,
        dev_token: Option<String>,
        build: Option<BuildWire>,
    ) -> Result<Self, Refusal> {
        match (evidence, integrity, dev_token, build) {
            (Some(evidence), None | Some(_), None, None) => Ok(Self::Evidence(evidence)),
            (None, None, Some(token), Some(build)) => Ok(Self::DevToken { token, build }),
            (None | Some(_), None | Some(_), None | Some(_), None | Some(_)) => Err(Reason::BodyFieldInvalid.into()),
        }
    }
}

impl EnrolmentWire {
    /// Puts the members together, or refuses a combination that has no meaning.
    pub fn read(self) -> Result<Enrolment, Refusal> {
        match self {
            Self::Android { client_id, challenge, name, model, chain, integrity, dev_token, build, key_id: (), attestation: () } => {
                let evidence = chain.map(|chain| EvidenceWire::Android { chain });
                let voucher = Voucher::only(evidence, integrity.as_ref(), dev_token, build)?;
                Ok(Enrolment { client_id, challenge, name, model, platform: PlatformWire::Android, voucher, integrity })
            }
            Self::Ios { client_id, challenge, name, model, key_id, attestation, integrity, dev_token, build, chain: () } => {
                let evidence = match (key_id, attestation) {
                    (Some(key_id), Some(attestation)) => Some(EvidenceWire::Apple { key_id, attestation }),
                    (None, None) => None,
                    (None, Some(_)) | (Some(_), None) => return Err(Reason::BodyFieldInvalid.into()),
                };
                let voucher = Voucher::only(evidence, integrity.as_ref(), dev_token, build)?;
                Ok(Enrolment { client_id, challenge, name, model, platform: PlatformWire::Ios, voucher, integrity })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;
    use serde_json::{Value, json};

    #[test]
    fn members_go_together_or_are_refused() {
        let android = json!({ "platform": "android", "chain": ["AAAA"] });
        let ios = json!({ "platform": "ios", "key_id": "AA==", "attestation": "AA==" });
        let emulator = json!({ "platform": "android", "dev_token": "csdev1_x", "build": "debug" });
        let rows: &[(&str, &Value, Value, Result<&str, Reason>)] = &[
            ("Android", &android, json!({}), Ok("chain")),
            ("Android, with Play Integrity", &android, json!({ "integrity": "x" }), Ok("chain")),
            (
                "Android, every other member null",
                &android,
                nulls(&["integrity", "key_id", "attestation", "dev_token", "build"]),
                Ok("chain"),
            ),
            ("Android, without evidence", &android, json!({ "chain": null }), Err(Reason::BodyFieldInvalid)),
            ("Android, with a key of iOS", &android, json!({ "key_id": "AA==" }), Err(Reason::BodyFieldInvalid)),
            ("Android, with an attestation of iOS", &android, json!({ "attestation": "AA==" }), Err(Reason::BodyFieldInvalid)),
            ("iOS", &ios, json!({}), Ok("app_attest")),
            ("iOS, every other member null", &ios, nulls(&["integrity", "chain", "dev_token", "build"]), Ok("app_attest")),
            ("iOS, without the key's name", &ios, json!({ "key_id": null }), Err(Reason::BodyFieldInvalid)),
            ("iOS, without the attestation", &ios, json!({ "attestation": null }), Err(Reason::BodyFieldInvalid)),
            ("iOS, with a chain", &ios, json!({ "chain": [] }), Err(Reason::BodyFieldInvalid)),
            ("a development token", &emulator, json!({}), Ok("dev_token")),
            ("a development token for iOS", &emulator, json!({ "platform": "ios" }), Ok("dev_token")),
            ("a development token, without the build", &emulator, json!({ "build": null }), Err(Reason::BodyFieldInvalid)),
            ("a build alone", &emulator, json!({ "dev_token": null }), Err(Reason::BodyFieldInvalid)),
            ("a development token and evidence", &emulator, json!({ "chain": [] }), Err(Reason::BodyFieldInvalid)),
            ("a development token and a verdict", &emulator, json!({ "integrity": "x" }), Err(Reason::BodyFieldInvalid)),
            ("an unknown member", &android, json!({ "more": null }), Err(Reason::BodyFieldInvalid)),
            ("an unknown member of iOS", &ios, json!({ "more": null }), Err(Reason::BodyFieldInvalid)),
            ("an unknown platform", &android, json!({ "platform": "bsd" }), Err(Reason::BodyFieldInvalid)),
            ("no platform", &android, json!({ "platform": null }), Err(Reason::BodyFieldInvalid)),
            ("no challenge", &android, json!({ "challenge": null }), Err(Reason::BodyFieldInvalid)),
            ("an unknown build", &emulator, json!({ "build": "profile" }), Err(Reason::BodyFieldInvalid)),
        ];
        for (name, members, twist, expected) in rows {
            let mut body = json!({ "client_id": "org.example.shop", "challenge": "AA" });
            for more in [*members, twist] {
                body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            }
            let read = json::parse::<EnrolmentWire>(body.to_string().as_bytes()).map_err(Refusal::from).and_then(EnrolmentWire::read);
            let got = read.map(|enrolment| match enrolment.voucher {
                Voucher::DevToken { .. } => "dev_token",
                Voucher::Evidence(EvidenceWire::Android { .. }) => "chain",
                Voucher::Evidence(EvidenceWire::Apple { .. }) => "app_attest",
            });
            assert_eq!(got.map_err(|refusal| refusal.reason), *expected, "{name}");
        }
    }

    fn nulls(names: &[&str]) -> Value {
        names.iter().map(|name| ((*name).to_owned(), Value::Null)).collect::<serde_json::Map<_, _>>().into()
    }
}
