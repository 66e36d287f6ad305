//! The issuer's settings, made from the sections of the config that concern it, and from the keys that they name.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use arc_swap::ArcSwap;
use countersign_attest::{
    apple::{self, AppleApp, Environment},
    play::{self, DecryptionKeys},
};
use countersign_compliance::{Apps, DailyLimit, Quota, Revocations};
use countersign_core::{Clock, Limits, RiskBar, Secret};
use countersign_gateway::Origin as PublicOrigin;
use countersign_identity::{PasskeyOrigin, RelyingParty, Sector};
use countersign_issuer::{App, IssuerConfig, PlayApp, PlayReader, SignUp, VendorQuota};
use countersign_outbound::{Caller, Silence};
use countersign_proof::target::Origin;
use serde::Deserialize;

use crate::{
    config::{self, DeviceRules, Faults, IosApp, Login, PlaySource, Vendors},
    files,
    settings::{devices, google::Google},
};

/// What the issuer's settings are made of: the sections of the config that concern it, and what the node lends it.
pub struct IssuerSections<'a> {
    /// The file of the config, which faults name.
    pub file: &'a Path,
    /// The origin that clients use.
    pub public: &'a PublicOrigin,
    /// The apps.
    pub apps: &'a [config::App],
    /// Sign-in.
    pub login: &'a Login,
    /// Rules for devices, of which those on the attestation of an Android phone's key are read here.
    pub device: &'a DeviceRules,
    /// Whether App Attest's development environment is taken as well.
    pub apple_development: bool,
    /// How vendors are asked.
    pub vendors: &'a Vendors,
    /// From which score on what is asked at a login.
    pub risk: RiskBar,
    /// The registry of apps: what is required of their devices.
    pub registry: &'a Apps,
    /// Signers beyond each app's own: those of simulated phones, on a development node.
    pub simulated: &'a [[u8; 32]],
    /// The client that asks vendors.
    pub caller: &'a Caller,
    /// The time of day.
    pub clock: &'a Arc<dyn Clock>,
    /// Where the outage of a vendor is noted.
    pub revocations: &'a Arc<ArcSwap<Revocations>>,
}

impl IssuerSections<'_> {
    /// The issuer's settings.
    ///
    /// # Errors
    /// When public URL and origins make no relying party for passkeys, or an app's keys cannot be read.
    pub fn read(&self) -> Result<IssuerConfig, Faults> {
        let fault = |what: &str, remedy: String| Faults::of_file(self.file, what, &remedy);
        let public_origin = Origin::parse(self.public.as_str())
            .map_err(|why| fault("`public_url` cannot be used for proofs of possession", why.to_string()))?;
        let apps = self.apps.iter().map(|app| Ok((app.client.clone(), self.app(app)?)));
        Ok(IssuerConfig {
            public_origin,
            apps: apps.collect::<Result<BTreeMap<_, _>, Faults>>()?,
            passkeys: self.relying_party().map_err(|why| fault("passkeys cannot be used with these origins", why))?,
            sign_up: match self.login.sign_up {
                config::SignUp::Invite => SignUp::Invite,
                config::SignUp::Open => SignUp::Open,
            },
            bindings: self.login.bindings,
            session_life: self.login.session_life,
            risk: self.risk,
            access_token_life: Limits::ACCESS_TOKEN_LIFE,
        })
    }

    fn app(&self, app: &config::App) -> Result<App, Faults> {
        let required = self.registry.of(&app.client).map(|app| &app.requirements).map_err(|_| {
            let what = format!("the app `{}` is not in the registry of apps", app.client.as_str());
            Faults::of_file(self.file, &what, "this is a bug in Countersign; please report it")
        })?;
        Ok(App {
            sector: Sector(app.sector.clone()),
            android: devices::key_requirements(app, required, self.device, self.simulated),
            ios: app.ios.as_ref().map(|ios| self.ios_app(app, ios)).transpose()?,
            play: app.play.as_ref().map(|source| self.play_app(app, source)).transpose()?,
            app_attest_quota: VendorQuota::app_attest(self.vendors.app_attest_daily.map(Quota::new)),
        })
    }

    /// What makes a key of App Attest one of the app's.
    fn ios_app(&self, app: &config::App, ios: &IosApp) -> Result<apple::Requirements, Faults> {
        let named = AppleApp::parse(&format!("{}.{}", ios.team, ios.bundle)).map_err(|why| {
            Faults::at(self.file, app.line, format!("`ios` of `{}` is not a valid Apple app id", app.client), why.to_string())
        })?;
        let mut environments = vec![Environment::Production];
        if self.apple_development {
            environments.push(Environment::Development);
        }
        Ok(apple::Requirements { apps: vec![named], environments })
    }

    /// How verdicts of Google Play about the app are read, about its package and signers, for a fresh challenge.
    fn play_app(&self, app: &config::App, source: &PlaySource) -> Result<PlayApp, Faults> {
        let (PlaySource::Keys(file, line) | PlaySource::ServiceAccount(file, line)) = source;
        let unusable = |why: String| Faults::at(self.file, *line, format!("`{}` cannot be used for Play Integrity", file.display()), why);
        let text = Secret::new(files::read_text(file).map_err(|e| unusable(format!("give a readable file ({e})")))?);
        let reader = match source {
            PlaySource::Keys(..) => {
                let PlayKeys { decryption, verification } = serde_json::from_str(text.expose()).map_err(|e| {
                    unusable(format!("write `{{\"decryption\": \"...\", \"verification\": \"...\"}}` as the Play Console shows them ({e})"))
                })?;
                let keys = DecryptionKeys::parse(&Secret::new(decryption), &verification).map_err(|why| unusable(why.to_string()))?;
                PlayReader::Ours(Box::new(keys))
            }
            PlaySource::ServiceAccount(..) => {
                let silence = Silence::new(Arc::clone(self.revocations), self.vendors.outage);
                let endpoint = self.vendors.play_endpoint.clone();
                let google = Google::new(self.caller.clone(), silence, endpoint, &text, Arc::clone(self.clock));
                PlayReader::Google(Arc::new(google.map_err(|why| unusable(why.to_string()))?))
            }
        };
        let signers = app.signers.iter().chain(self.simulated).copied().collect();
        let requirements = play::Requirements {
            app: play::AppRule::OneOf(vec![play::App { package: app.package.clone(), signers, version_min: 0 }]),
            age_max: Limits::CHALLENGE_LIFE,
            testing: play::TestingRule::Refused,
            ..play::Requirements::observe()
        };
        let quota = VendorQuota::play(Some(Quota::new(DailyLimit::Even(self.vendors.play_daily))));
        Ok(PlayApp { package: app.package.clone(), reader, requirements, quota })
    }

    /// Passkeys belong to the public host. They are taken from its own origin, from every Android app that is named by its
    /// signer, and from the origins that the config adds.
    fn relying_party(&self) -> Result<RelyingParty, String> {
        let mut origins = vec![PasskeyOrigin::parse(self.public.as_str()).map_err(|why| format!("`{}`: {why}", self.public.as_str()))?];
        for signer in self.apps.iter().flat_map(|app| &app.signers) {
            origins.push(PasskeyOrigin::of_android_app(signer).map_err(|why| why.to_string())?);
        }
        for origin in &self.login.origins {
            if !origins.contains(origin) {
                origins.push(origin.clone());
            }
        }
        RelyingParty::new(self.public.host(), &origins).map_err(|why| why.to_string())
    }
}

/// The keys of the Play Console as a file keeps them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlayKeys {
    decryption: String,
    verification: String,
}
