//! The issuer, put together from config, keys and promises.

use std::{collections::BTreeMap, fs, sync::Arc};

use arc_swap::ArcSwap;
use countersign_attest::{
    apple::{self, AppleApp, Environment},
    play::{self, DecryptionKeys},
};
use countersign_compliance::{Apps, DailyLimit, Quota, Revocations};
use countersign_core::{Clock, Limits, Secret};
use countersign_identity::{PasskeyOrigin, RelyingParty, Sector};
use countersign_issuer::{App, IssuerConfig, PlayApp, PlayReader, SignUp, VendorQuota};
use countersign_outbound::{Caller, Silence, trust};
use countersign_proof::target::Origin;
use serde::Deserialize;

use crate::{
    config::{self, Config, Fault, Faults, IosApp, PlaySource},
    settings::{devices, google::Google},
};

/// The issuer's settings. `also` are signers beyond each app's own: those of simulated phones on a development node.
///
/// # Errors
/// When public URL and origins make no relying party for passkeys.
pub fn settings(
    config: &Config,
    also: &[[u8; 32]],
    registry: &Apps,
    clock: &Arc<dyn Clock>,
    world: &Arc<ArcSwap<Revocations>>,
) -> Result<IssuerConfig, Faults> {
    let fault = |what: String, remedy: String| Faults::one(Fault { file: config.file.clone(), line: None, what, remedy });
    let public_origin = Origin::parse(config.public.as_str())
        .map_err(|why| fault("`public_url` cannot be used for proofs of possession".to_owned(), why.to_string()))?;
    let apps = config.apps.iter().map(|app| {
        let required = registry.of(&app.client).map(|app| &app.requirements).map_err(|_| {
            let what = format!("the app `{}` is not in the registry of apps", app.client.as_str());
            fault(what, "this is a bug in Countersign; please report it".to_owned())
        })?;
        let settings = App {
            sector: Sector(app.sector.clone()),
            android: devices::key_requirements(app, required, also),
            ios: app.ios.as_ref().map(|ios| ios_app(config, app, ios)).transpose()?,
            play: app.play.as_ref().map(|source| play_app((config, clock, world), app, source, also)).transpose()?,
            app_attest_quota: VendorQuota::app_attest(config.vendors.app_attest_daily.map(Quota::new)),
        };
        Ok((app.client.clone(), settings))
    });
    Ok(IssuerConfig {
        public_origin,
        apps: apps.collect::<Result<BTreeMap<_, _>, Faults>>()?,
        passkeys: relying_party(config).map_err(|why| fault("passkeys cannot be used with these origins".to_owned(), why))?,
        sign_up: match config.login.sign_up {
            config::SignUp::Invite => SignUp::Invite,
            config::SignUp::Open => SignUp::Open,
        },
        bindings: config.login.bindings,
        session_life: config.login.session_life,
        risk: config.monitor.risk,
        access_token_life: Limits::ACCESS_TOKEN_LIFE,
    })
}

/// What makes a key of App Attest one of the app's.
fn ios_app(config: &Config, app: &config::App, ios: &IosApp) -> Result<apple::Requirements, Faults> {
    let named = AppleApp::parse(&format!("{}.{}", ios.team, ios.bundle)).map_err(|why| {
        let what = format!("`ios` of `{}` is not a valid Apple app id", app.client);
        Faults::one(Fault { file: config.file.clone(), line: Some(app.line), what, remedy: why.to_string() })
    })?;
    let mut environments = vec![Environment::Production];
    if config.device.apple_development {
        environments.push(Environment::Development);
    }
    Ok(apple::Requirements { apps: vec![named], environments })
}

/// The keys of the Play Console as a file keeps them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlayKeys {
    decryption: String,
    verification: String,
}

/// How verdicts of Google Play about the app are read, about its package and signers, for a fresh challenge.
fn play_app(
    (config, clock, world): (&Config, &Arc<dyn Clock>, &Arc<ArcSwap<Revocations>>),
    app: &config::App,
    source: &PlaySource,
    also: &[[u8; 32]],
) -> Result<PlayApp, Faults> {
    let (PlaySource::Keys(file, line) | PlaySource::ServiceAccount(file, line)) = source;
    let unusable = |why: String| {
        let what = format!("`{}` cannot be used for Play Integrity", file.display());
        Faults::one(Fault { file: config.file.clone(), line: Some(*line), what, remedy: why })
    };
    let text = Secret::new(fs::read_to_string(file).map_err(|e| unusable(format!("give a readable file ({e})")))?);
    let reader = match source {
        PlaySource::Keys(..) => {
            let PlayKeys { decryption, verification } = serde_json::from_str(text.expose()).map_err(|e| {
                unusable(format!(
                    "write `{{\"decryption\": \"...\", \"verification\": \"...\"}}` with the values from the Play Console ({e})"
                ))
            })?;
            let keys = DecryptionKeys::parse(&Secret::new(decryption), &verification).map_err(|why| unusable(why.to_string()))?;
            PlayReader::Ours(Box::new(keys))
        }
        PlaySource::ServiceAccount(..) => {
            let silence = Silence::new(Arc::clone(world), config.vendors.outage);
            let google = Google::new((caller(config)?, silence), config.vendors.play_endpoint.clone(), &text, Arc::clone(clock));
            PlayReader::Google(Arc::new(google.map_err(|why| unusable(why.to_string()))?))
        }
    };
    let signers = app.signers.iter().chain(also).copied().collect();
    let requirements = play::Requirements {
        app: play::AppRule::OneOf(vec![play::App { package: app.package.clone(), signers, version_min: 0 }]),
        age_max: Limits::CHALLENGE_LIFE,
        testing: play::TestingRule::Refused,
        ..play::Requirements::observe()
    };
    let quota = VendorQuota::play(Some(Quota::new(DailyLimit::Even(config.vendors.play_daily))));
    Ok(PlayApp { package: app.package.clone(), reader, requirements, quota })
}

/// Asks others than phones, by the authorities of the config.
///
/// # Errors
/// When these cannot be read.
pub fn caller(config: &Config) -> Result<Caller, Faults> {
    let trust = config.vendors.ca.as_ref().map(|(file, line)| {
        trust(file).map(Arc::new).map_err(|why| {
            let what = format!("`vendors.ca` cannot be `{}`", file.display());
            Faults::one(Fault { file: config.file.clone(), line: Some(*line), what, remedy: why })
        })
    });
    Ok(Caller::new(trust.transpose()?))
}

/// Passkeys belong to the public host. They are taken from its own origin, from every Android app that is named by its
/// signer, and from the origins that the config adds.
fn relying_party(config: &Config) -> Result<RelyingParty, String> {
    let mut origins = vec![PasskeyOrigin::parse(config.public.as_str()).map_err(|why| format!("`{}`: {why}", config.public.as_str()))?];
    for signer in config.apps.iter().flat_map(|app| &app.signers) {
        origins.push(PasskeyOrigin::of_android_app(signer).map_err(|why| why.to_string())?);
    }
    for origin in &config.login.origins {
        if !origins.contains(origin) {
            origins.push(origin.clone());
        }
    }
    RelyingParty::new(config.public.host(), &origins).map_err(|why| why.to_string())
}
