//! Enrolment by a development token: nothing is known of the phone but that somebody holds the token.

use std::net::IpAddr;

use countersign_compliance::Voucher;
use countersign_core::{ClientId, DevTokenId, DeviceId, EvidenceTier, Platform, Posture, Provenance, Reason, SecurityLevel, UnixSeconds};
use countersign_identity::{Build, DevTokenRefusal, DevTokenText, DevUse, TokenHash, admit};
use countersign_store::{DevTokenNoted, KeptDevToken};
use serde::Deserialize;

use crate::{
    evidence::{Claimant, Vouched},
    receive::Call,
    refusal::Refusal,
    state::Issuer,
};

/// Kind of the app's build, as the app states it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BuildWire {
    Debug,
    Release,
}

/// Token that a phone offers, with the facts that its rules look at.
pub(crate) struct Offer<'a> {
    pub token: &'a str,
    pub build: BuildWire,
    pub client: &'a ClientId,
    pub platform: Platform,
    pub address: IpAddr,
}

/// Token that admits the phone. Its use is not noted yet: only [`Admitted::spend`] can tell that there was a place left.
#[must_use]
pub(crate) struct Admitted<'a> {
    offer: Offer<'a>,
    hash: TokenHash,
    id: DevTokenId,
}

impl<'a> Offer<'a> {
    /// Puts together the token of the body and the address that the request came from.
    pub fn read(call: &Call, token: &'a str, build: BuildWire, client: &'a ClientId, platform: Platform) -> Result<Self, Refusal> {
        // SECURITY: a missing address is not taken for a private one.
        let address = call.address.ok_or_else(|| Refusal::because(Reason::Internal, "the listener told no address".to_owned()))?;
        Ok(Self { token, build, client, platform, address })
    }

    /// Asks the rule whether the token enrols this phone.
    pub(crate) async fn admit(self, issuer: &Issuer, claimant: &Claimant<'_>, now: UnixSeconds) -> Result<Admitted<'a>, Refusal> {
        let hash = DevTokenText::parse(self.token).ok_or(Reason::DevTokenUnknown)?.hash();
        let kept = issuer.stores.dev_tokens.find(&hash).await?;
        judge(kept.as_ref(), &self, claimant, now)?;
        let id = kept.ok_or(Reason::DevTokenUnknown)?.token.id;
        Ok(Admitted { offer: self, hash, id })
    }
}

impl Admitted<'_> {
    /// Identifier of the token, for the log.
    pub const fn id(&self) -> &DevTokenId {
        &self.id
    }

    /// Makes the posture that the token stands for: one of the app's developers uses the phone, and nothing else is known.
    pub(crate) fn vouched(&self, claimant: &Claimant<'_>, now: UnixSeconds) -> Result<Vouched, Refusal> {
        let posture = Posture {
            device: claimant.id.clone(),
            key: *claimant.key,
            platform: self.offer.platform,
            tier: EvidenceTier::SelfReported,
            by: Provenance::DevelopmentToken,
            established_at: now,
            security_level: SecurityLevel::Software,
            bootloader_locked: None,
            boot_state: None,
            boot_key: None,
            os_version: None,
            patch_level: None,
            app: Some(claimant.required.named_on(self.offer.platform)?.clone()),
            app_version: None,
            certificates: Vec::new(),
            verdict: None,
            report: None,
            risk_metric: None,
        };
        Ok(Vouched { posture, vouching: None, voucher: Voucher::Nothing })
    }

    /// Notes the use of the token, before the phone is enrolled.
    pub async fn spend(&self, issuer: &Issuer, claimant: &Claimant<'_>, now: UnixSeconds) -> Result<(), Refusal> {
        let noted = issuer.stores.dev_tokens.note_use(&self.id, &claimant.id, now).await?;
        match noted {
            DevTokenNoted::Noted => Ok(()),
            // Another request was faster: the last place was taken, or the token was revoked. The rule says which.
            DevTokenNoted::Refused => {
                let kept = issuer.stores.dev_tokens.find(&self.hash).await?;
                judge(kept.as_ref(), &self.offer, claimant, now)?;
                Err(refused(DevTokenRefusal::TooManyPhones, Some(&self.id)))
            }
        }
    }

    /// Cuts the phone off again if the token was revoked during its enrolment: a revocation cuts off only the phones that are enrolled by
    /// then.
    pub(crate) async fn confirm(&self, issuer: &Issuer, device: &DeviceId) -> Result<(), Refusal> {
        let kept = issuer.stores.dev_tokens.find(&self.hash).await?;
        if kept.is_some_and(|kept| kept.token.revoked_at.is_none()) {
            return Ok(());
        }
        issuer.stores.devices.revoke(device).await?;
        Err(refused(DevTokenRefusal::Revoked, Some(&self.id)))
    }
}

fn judge(kept: Option<&KeptDevToken>, offer: &Offer<'_>, claimant: &Claimant<'_>, now: UnixSeconds) -> Result<(), Refusal> {
    let phones = kept.map(|kept| kept.phones.as_slice()).unwrap_or_default();
    let asked = DevUse {
        client: offer.client.clone(),
        platform: offer.platform,
        build: match offer.build {
            BuildWire::Debug => Build::Debug,
            BuildWire::Release => Build::Release,
        },
        address: offer.address,
        phones_used: u32::try_from(phones.len()).unwrap_or(u32::MAX),
        known_phone: phones.contains(&claimant.id),
    };
    let token = kept.map(|kept| &kept.token);
    admit(token, &asked, now).map_err(|refusal| refused(refusal, token.map(|token| &token.id)))
}

/// Makes a refusal with the token's id, so that an operator sees which token is misused.
fn refused(refusal: DevTokenRefusal, id: Option<&DevTokenId>) -> Refusal {
    Refusal::because(refusal.reason(), id.map(ToString::to_string).unwrap_or_default())
}
