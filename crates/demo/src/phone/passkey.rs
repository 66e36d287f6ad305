//! A soft authenticator: the passkey that a person would keep in their phone, by a WebAuthn client that we did not write.

use anyhow::{Context, Result, anyhow};
use passkey::{
    authenticator::{Authenticator, UiHint, UserCheck, UserValidationMethod},
    client::{Client, DefaultClientData},
    crypto::aws_lc_rs::AwsLcRsBackend,
    types::{
        Passkey,
        ctap2::{Aaguid, Ctap2Error},
        webauthn::{CredentialCreationOptions, CredentialRequestOptions},
    },
};
use serde_json::json;
use url::Url;

/// A person who always has a finger at hand.
struct WillingPerson;

#[async_trait::async_trait]
impl UserValidationMethod for WillingPerson {
    type PasskeyItem = Passkey;

    async fn check_user<'a>(&self, _: UiHint<'a, Passkey>, _: bool, _: bool) -> Result<UserCheck, Ctap2Error> {
        Ok(UserCheck { presence: true, verification: true })
    }

    fn is_verification_enabled(&self) -> Option<bool> {
        Some(true)
    }

    fn is_presence_enabled(&self) -> bool {
        true
    }
}

/// One person's passkeys for one site.
#[derive(Clone, Default)]
pub struct SoftAuthenticator {
    kept: Option<Passkey>,
}

impl SoftAuthenticator {
    /// Answers `options` of a registration (WebAuthn level 3 section 7.1) and keeps the new passkey.
    ///
    /// # Errors
    /// When the options are none that the WebAuthn client accepts.
    pub async fn register(&mut self, origin: &Url, options: serde_json::Value) -> Result<serde_json::Value> {
        let options: CredentialCreationOptions =
            serde_json::from_value(json!({ "publicKey": options })).context("reading the creation options")?;
        let mut client = Client::new(self.authenticator()).allows_insecure_localhost(true);
        let made = client
            .register(origin, options, DefaultClientData)
            .await
            .map_err(|e| anyhow!("the authenticator refused to register: {e:?}"))?;
        self.kept.clone_from(client.authenticator().store());
        Ok(serde_json::to_value(made)?)
    }

    /// Answers `options` of a login (WebAuthn level 3 section 7.2).
    ///
    /// # Errors
    /// When there is no passkey for this site, or the WebAuthn client refuses the options.
    pub async fn log_in(&mut self, origin: &Url, options: serde_json::Value) -> Result<serde_json::Value> {
        let options: CredentialRequestOptions =
            serde_json::from_value(json!({ "publicKey": options })).context("reading the request options")?;
        let mut client = Client::new(self.authenticator()).allows_insecure_localhost(true);
        let made = client
            .authenticate(origin, options, DefaultClientData)
            .await
            .map_err(|e| anyhow!("the authenticator refused to log in: {e:?}"))?;
        self.kept.clone_from(client.authenticator().store());
        Ok(serde_json::to_value(made)?)
    }

    fn authenticator(&self) -> Authenticator<Option<Passkey>, WillingPerson, AwsLcRsBackend> {
        Authenticator::new(Aaguid::new_empty(), self.kept.clone(), WillingPerson, AwsLcRsBackend)
    }
}
