//! What an operator does with development tokens: make, look, revoke.

use countersign_audit::{Actor, DevTokenCreated, DevTokenRevoked, FromNetworks, Identity, Recorded};
use countersign_core::{ClientId, DevTokenId, Limits, OperatorName, Platform, Provenance, Seconds, Stage, UnixSeconds};
use countersign_identity::{DevToken, DevTokenText, Networks};
use countersign_store::{DeviceState, KeptDevToken};

use crate::admin::{
    service::{Act, ActRefusal, AdminService},
    wire::{DevTokenAsk, DevTokenView},
};

/// Rows of a list.
const ROWS_MAX: u32 = 1000;

/// Tokens among which one is looked for by its name.
const TOKENS_MAX: u32 = 100_000;

/// A token that was just made. Its text is nowhere else.
pub struct Made {
    /// The text.
    pub text: DevTokenText,
    /// What is kept of it.
    pub token: DevToken,
    /// What the app requires of devices that such a token enrolls; `None` where it takes them.
    pub refused_at: Option<Stage>,
}

/// A token that was ended.
pub struct Ended {
    /// Devices that it had enrolled, and that are cut off with it.
    pub devices: usize,
    /// The change.
    pub act: Act,
}

impl AdminService {
    /// Makes a development token.
    ///
    /// # Errors
    /// When app, platform, life, phones or label cannot be, or by our fault.
    pub async fn make_dev_token(&self, ask: &DevTokenAsk, by: &OperatorName) -> Result<Made, ActRefusal> {
        let invalid = |text: String| Err(ActRefusal::Invalid(text));
        let apps = self.apps.load_full();
        let found = ClientId::parse(&ask.app).ok().and_then(|client| Some((apps.of(&client).ok()?.development_refused(), client)));
        let Some((refused_at, client)) = found else {
            let apps: Vec<_> = apps.clients().map(ClientId::as_str).collect();
            return invalid(format!("`{}` is not an app of this node; it has {}", ask.app, apps.join(", ")));
        };
        let platform = match ask.platform.as_deref() {
            None => None,
            Some("android") => Some(Platform::Android),
            Some("ios") => Some(Platform::Ios),
            Some(other) => return invalid(format!("`{other}` is not a platform; give `android` or `ios`, or neither for both")),
        };
        if !(1..=Limits::DEV_TOKEN_LIFE_MAX.0).contains(&ask.life_seconds) {
            let days = Limits::DEV_TOKEN_LIFE_MAX.0 / 86_400;
            return invalid(format!("a development token cannot be valid for {} seconds; give at most {days} days", ask.life_seconds));
        }
        if !(1..=Limits::DEV_TOKEN_PHONES_MAX).contains(&ask.phones) {
            return invalid(format!("a development token cannot enrol {} phones; give 1 to {}", ask.phones, Limits::DEV_TOKEN_PHONES_MAX));
        }
        if ask.label.len() > Limits::NAME_BYTES_MAX || ask.label.chars().any(char::is_control) {
            return invalid(format!("a label can have at most {} bytes and no line breaks", Limits::NAME_BYTES_MAX));
        }
        let text = DevTokenText::from_random(&countersign_core::Secret::new(self.random()));
        let created_at = self.clock.now().seconds();
        let token = DevToken {
            id: DevTokenId::from_random(self.random()),
            hash: text.hash(),
            client: client.clone(),
            platform,
            expires_at: created_at.plus(Seconds(ask.life_seconds)),
            phones_max: ask.phones,
            networks: if ask.any_network { Networks::Any } else { Networks::Private },
            label: ask.label.clone(),
            created_at,
            revoked_at: None,
        };
        let made = DevTokenCreated {
            by: Actor::Operator(by.clone()),
            dev_token: token.id.clone(),
            client: client.clone(),
            platform,
            networks: match token.networks {
                Networks::Any => FromNetworks::Any,
                Networks::Private => FromNetworks::Private,
            },
            expires_at: token.expires_at,
            phones_max: token.phones_max,
        };
        self.record(Recorded::DevTokenCreated(made), None, Identity::default()).await?;
        self.stores.dev_tokens.create(token.clone()).await?;
        Ok(Made { text, token, refused_at })
    }

    /// The newest development tokens.
    ///
    /// # Errors
    /// Our fault only.
    pub async fn dev_tokens(&self) -> Result<Vec<KeptDevToken>, ActRefusal> {
        Ok(self.stores.dev_tokens.list(ROWS_MAX).await?)
    }

    /// Ends a development token for good, and cuts off the devices that are what they are by it.
    ///
    /// # Errors
    /// When there is none, or by our fault; then it is done again.
    pub async fn revoke_dev_token(&self, id: &str, by: &OperatorName) -> Result<Ended, ActRefusal> {
        let all = self.stores.dev_tokens.list(TOKENS_MAX).await?;
        let Some(known) = all.iter().find(|kept| kept.token.id.as_str() == id) else {
            return Err(ActRefusal::NotFound(format!("there is no development token `{id}`; see `countersign dev-token list`")));
        };
        let revoked =
            DevTokenRevoked { by: Actor::Operator(by.clone()), dev_token: known.token.id.clone(), client: known.token.client.clone() };
        let decision = self.record(Recorded::DevTokenRevoked(revoked), None, Identity::default()).await?;
        let revoked = self.stores.dev_tokens.revoke(&known.token.id, self.clock.now().seconds()).await?;
        let mut ended = Ended { devices: 0, act: Act { decision, sessions_ended: 0 } };
        for phone in revoked.into_iter().flat_map(|kept| kept.phones) {
            let Some(device) = self.stores.devices.find(&phone).await? else { continue };
            // One that proved itself by its hardware since then owes the token nothing.
            if device.state == DeviceState::Active && device.posture.by == Provenance::DevelopmentToken {
                let cut_off = self.revoke_device(phone.as_str(), by).await?;
                ended.devices = ended.devices.saturating_add(1);
                ended.act.sessions_ended = ended.act.sessions_ended.saturating_add(cut_off.sessions_ended);
            }
        }
        Ok(ended)
    }
}

/// What a listing says of a token.
pub fn view(kept: &KeptDevToken, now: UnixSeconds) -> DevTokenView {
    let token = &kept.token;
    let state = match token.revoked_at {
        Some(_) => "revoked",
        None if token.expires_at < now => "expired",
        None => "active",
    };
    DevTokenView {
        id: token.id.to_string(),
        app: token.client.to_string(),
        platform: token.platform.map(|platform| platform_word(Some(platform)).to_owned()),
        networks: networks_word(token.networks).to_owned(),
        phones: kept.phones.iter().map(ToString::to_string).collect(),
        phones_max: token.phones_max,
        label: token.label.clone(),
        state: state.to_owned(),
        created_at: token.created_at.0,
        expires_at: token.expires_at.0,
        last_used_at: kept.last_used_at.map(|at| at.0),
    }
}

const fn platform_word(platform: Option<Platform>) -> &'static str {
    match platform {
        None => "both",
        Some(Platform::Android) => "android",
        Some(Platform::Ios) => "ios",
    }
}

const fn networks_word(networks: Networks) -> &'static str {
    match networks {
        Networks::Any => "any",
        Networks::Private => "private",
    }
}
