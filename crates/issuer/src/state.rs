//! What the issuer is made of: its promises, keys and settings. Wired together once, in the binary.

use std::{collections::BTreeMap, fmt, sync::Arc};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use aws_lc_rs::hmac;
use countersign_access::Access;
use countersign_attest::{
    anchors::Anchors,
    android::{Requirements as KeyRequirements, Trust},
    apple, play,
};
use countersign_codec::base64url;
use countersign_compliance::{Apps, Revocations};
use countersign_core::{
    AppId, ClientId, Clock, ContractViolation, DecisionId, DeviceId, Entropy, GrantId, Limits, PairwiseId, ProofId, RiskBar, Seconds,
    Secret, SessionId, SignalSink, UnixMillis, UserId, Watch,
};
use countersign_identity::{BindingRules, PairwiseKey, RelyingParty, Sector};
use countersign_proof::{key_set::KeyRing, target::Origin};
use countersign_store::{Bindings, Challenges, DevTokens, Devices, Grants, Recorder, ReplayMemory, Sessions, Subjects};

use crate::{anonymous_log_budget::AnonymousLogBudget, prompts::Prompts, vendor_quota::VendorQuota};

/// The promises about state that the issuer relies on.
#[derive(Clone)]
pub struct Stores {
    /// Who signs in on which devices.
    pub bindings: Arc<dyn Bindings>,
    /// Challenges that count once.
    pub challenges: Arc<dyn Challenges>,
    /// Development tokens.
    pub dev_tokens: Arc<dyn DevTokens>,
    /// Devices and their posture.
    pub devices: Arc<dyn Devices>,
    /// Codes and refresh families.
    pub grants: Arc<dyn Grants>,
    /// The log, before the effect.
    pub recorder: Arc<dyn Recorder>,
    /// Proofs that count once.
    pub replay: Arc<dyn ReplayMemory>,
    /// Sessions and their state.
    pub sessions: Arc<dyn Sessions>,
    /// People and their passkeys.
    pub subjects: Arc<dyn Subjects>,
}

/// The windows on the world.
#[derive(Clone)]
pub struct World {
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Unpredictable bytes.
    pub entropy: Arc<dyn Entropy>,
    /// Where signals go.
    pub signals: Arc<dyn SignalSink>,
    /// Says how logins look beside what is usual.
    pub watch: Arc<dyn Watch>,
}

/// The keys. Rings are swapped whole when a key takes its turn, here and in the gateway at once.
pub struct IssuerKeys {
    /// Sign access tokens.
    pub access: Arc<ArcSwap<KeyRing>>,
    /// Sign statements to upstreams; only published here.
    pub statements: Arc<ArcSwap<KeyRing>>,
    /// Makes refresh tokens, the same on every node.
    pub refresh: RefreshKey,
    /// Makes pairwise subjects, the same on every node.
    pub pairwise: PairwiseKey,
}

/// The key from which refresh tokens are made.
///
/// A token is a function of its family's name, so an answer that was lost can be given again although only the token's hash
/// is stored.
pub struct RefreshKey(hmac::Key);

impl RefreshKey {
    /// Takes the key's bytes in.
    #[must_use]
    pub fn new(bytes: &Secret<[u8; 32]>) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes.expose()))
    }

    /// The refresh token of a family: `csr_` and 256 bits that nobody without the key can guess.
    #[must_use]
    pub fn token(&self, family: &GrantId) -> Secret<String> {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(b"countersign refresh 1");
        context.update(family.as_str().as_bytes());
        Secret::new(format!("csr_{}", base64url::encode(context.sign())))
    }
}

/// Who may make an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignUp {
    /// Whoever holds an invitation.
    Invite,
    /// Everybody.
    Open,
}

/// An app that may use this issuer: how its evidence is read. What it requires of its phones stands in the registry of apps.
pub struct App {
    /// In which sector its people have one name.
    pub sector: Sector,
    /// What makes a key on Android one of its device keys.
    pub android: KeyRequirements,
    /// What makes a key of App Attest one of its keys; `None` when it is no app on iOS.
    pub ios: Option<apple::Requirements>,
    /// How verdicts of Google Play about it are read; `None` when none are taken.
    pub play: Option<PlayApp>,
    /// How many keys of App Attest are taken in a day.
    pub app_attest_quota: VendorQuota,
}

/// A vendor gave no answer that could be used. No fault of the phone that asked, nor of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VendorSilent {
    /// What the vendor was asked for, for the operator's log; holds no secret and nothing personal.
    pub what: String,
}

impl VendorSilent {
    /// Says what the vendor was asked for, and what came instead.
    #[must_use]
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into() }
    }
}

impl fmt::Display for VendorSilent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the vendor gave no answer: {}", self.what)
    }
}

impl std::error::Error for VendorSilent {}

/// Asks Google what a token says, for apps whose keys stay with Google.
#[async_trait]
pub trait DecodesPlay: Send + Sync {
    /// The body of Google's answer (`{"tokenPayloadExternal": {...}}`); an empty one when the token is none of Google's.
    ///
    /// # Errors
    /// When Google does not answer: nobody's fault, and no reason to distrust a phone.
    async fn decode(&self, package: &AppId, token: &str) -> Result<String, VendorSilent>;
}

/// Who reads tokens of Play Integrity.
pub enum PlayReader {
    /// Google.
    Google(Arc<dyn DecodesPlay>),
    /// We, with the keys of the Play Console.
    Ours(Box<play::DecryptionKeys>),
}

/// How verdicts of Google Play about an app are read.
pub struct PlayApp {
    /// The app's package.
    pub package: AppId,
    /// Who reads them.
    pub reader: PlayReader,
    /// What makes a verdict one about this app, now; the rest is judged from the posture.
    pub requirements: play::Requirements,
    /// How many Google is asked to read in a day.
    pub quota: VendorQuota,
}

/// Whom we believe about phones.
#[derive(Clone, Debug)]
pub struct DeviceTrust {
    /// Android Key Attestation: anchors, and what is asked of the revocation list.
    pub android: Trust,
    /// App Attest.
    pub apple: Anchors,
    /// App Attest's receipts.
    pub receipts: Anchors,
}

/// The settings.
pub struct IssuerConfig {
    /// Where the world reaches us: OAuth's issuer, the tokens' audience, and the origin of every proof's `htu`.
    pub public_origin: Origin,
    /// The apps, by their client id.
    pub apps: BTreeMap<ClientId, App>,
    /// Who asks for passkeys, and from where they are accepted.
    pub passkeys: RelyingParty,
    /// Who may make an account.
    pub sign_up: SignUp,
    /// On how many devices a person may be, and how long one is new.
    pub bindings: BindingRules,
    /// How long a session lives at most.
    pub session_life: Seconds,
    /// From which score of a login on what is asked.
    pub risk: RiskBar,
    /// How long an access token lives; [`Limits::ACCESS_TOKEN_LIFE`] is the most.
    pub access_token_life: Seconds,
}

/// The authorization server.
pub struct Issuer {
    /// What it relies on.
    pub stores: Stores,
    /// What it sees of the world.
    pub world: World,
    /// Says who asks; the gateway's as well.
    pub access: Arc<Access>,
    /// Its keys.
    pub keys: IssuerKeys,
    /// Its settings.
    pub config: IssuerConfig,
    /// The registry of apps, the same that requests are judged by; replaced whole when the data changes that it rests on, such as
    /// boot keys.
    pub apps: Arc<ArcSwap<Apps>>,
    /// Whom it believes about phones; replaced whole when anchors or status lists change.
    pub trust: Arc<ArcSwap<DeviceTrust>>,
    /// The certificates of enrolled devices that were revoked since.
    pub revocations: Arc<ArcSwap<Revocations>>,
    /// The prompts that were not answered yet.
    pub prompts: Prompts,
    /// How much of the log strangers have taken.
    pub anonymous_log_budget: AnonymousLogBudget,
}

impl Issuer {
    /// The app of this client id.
    #[must_use]
    pub fn app(&self, client: &ClientId) -> Option<&App> {
        self.config.apps.get(client)
    }

    /// The registry of apps as it is now. Who asks more than once of it holds it, so that one request meets one version.
    #[must_use]
    pub fn apps(&self) -> Arc<Apps> {
        self.apps.load_full()
    }

    /// The life of an access token, never more than the limit.
    #[must_use]
    pub fn access_token_life(&self) -> Seconds {
        self.config.access_token_life.min(Limits::ACCESS_TOKEN_LIFE)
    }

    pub(crate) fn now(&self) -> UnixMillis {
        self.world.clock.now()
    }

    pub(crate) fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.world.entropy.fill(&mut bytes);
        bytes
    }

    pub(crate) fn new_decision_id(&self) -> DecisionId {
        DecisionId::from_random(self.random())
    }

    pub(crate) fn new_device_id(&self) -> DeviceId {
        DeviceId::from_random(self.random())
    }

    pub(crate) fn new_family_id(&self) -> GrantId {
        GrantId::from_random(self.random())
    }

    pub(crate) fn new_session_id(&self) -> SessionId {
        SessionId::from_random(self.random())
    }

    /// A `jti`: 128 unpredictable bits.
    pub(crate) fn new_token_id(&self) -> Result<ProofId, ContractViolation> {
        ProofId::parse(&base64url::encode(self.random::<16>())).map_err(|_| ContractViolation("base64url is an identifier"))
    }

    /// An authorization code: `csc_` and 256 unpredictable bits.
    pub(crate) fn new_code(&self) -> Secret<String> {
        Secret::new(format!("csc_{}", base64url::encode(self.random::<32>())))
    }

    pub(crate) fn subject(&self, user: &UserId, app: &App) -> Result<PairwiseId, ContractViolation> {
        self.keys.pairwise.name(user, &app.sector)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_token_is_a_function_of_its_family() {
        let key = RefreshKey::new(&Secret::new([1; 32]));
        let family = |byte: u8| GrantId::from_random([byte; 16]);
        assert!(key.token(&family(1)) == key.token(&family(1)));
        assert!(key.token(&family(1)) != key.token(&family(2)));
        assert!(key.token(&family(1)) != RefreshKey::new(&Secret::new([2; 32])).token(&family(1)));
        let token = key.token(&family(1));
        assert_eq!((token.expose().get(..4), token.expose().len()), (Some("csr_"), 47));
    }
}
