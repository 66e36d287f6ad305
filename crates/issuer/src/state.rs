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
    AppId, ClientId, ContractViolation, DecisionId, DeviceId, GrantId, Limits, PairwiseId, ProofId, RiskBar, Seconds, Secret, SessionId,
    UnixMillis, UserId,
};
use countersign_identity::{BindingRules, PairwiseKey, RelyingParty, Sector, SessionLife};
use countersign_proof::{key_set::KeyRing, target::Origin};
use countersign_store::{Bindings, Challenges, DevTokens, Devices, Grants, Recorder, ReplayMemory, Sessions, Subjects};

use crate::{
    allowances::Allowances, challenger::Challenger, named_keys::NamedKeys, prompts::Prompts, vendor_quota::VendorQuota, world::World,
};

/// Promises about state that the issuer relies on.
#[derive(Clone)]
pub struct Stores {
    /// Bindings of people to devices.
    pub bindings: Arc<dyn Bindings>,
    /// Memory of the challenges that were answered.
    pub challenges: Arc<dyn Challenges>,
    /// Development tokens and their use.
    pub dev_tokens: Arc<dyn DevTokens>,
    /// Devices and their posture.
    pub devices: Arc<dyn Devices>,
    /// Codes and refresh families.
    pub grants: Arc<dyn Grants>,
    /// Audit log, which is written before the effect.
    pub recorder: Arc<dyn Recorder>,
    /// Memory of used proofs.
    pub replay: Arc<dyn ReplayMemory>,
    /// Sessions and their state.
    pub sessions: Arc<dyn Sessions>,
    /// Accounts of people and their passkeys.
    pub subjects: Arc<dyn Subjects>,
}

/// Keys of the issuer. A ring is replaced whole when a key takes its turn, here and in the gateway at once.
pub struct IssuerKeys {
    /// Keys that sign access tokens.
    pub access: Arc<ArcSwap<KeyRing>>,
    /// Keys that sign statements to upstreams; here they are only published.
    pub statements: Arc<ArcSwap<KeyRing>>,
    /// Key that makes refresh tokens, the same on every node.
    pub refresh: RefreshKey,
    /// Key that makes pairwise subjects, the same on every node.
    pub pairwise: PairwiseKey,
}

/// Key from which refresh tokens are made.
///
/// A token is computed from its family's id, so that an answer that was lost can be given again although only the token's hash is stored.
pub struct RefreshKey(hmac::Key);

impl RefreshKey {
    /// Makes the key from its 32 bytes.
    #[must_use]
    pub fn new(bytes: &Secret<[u8; 32]>) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes.expose()))
    }

    /// Computes the refresh token of a family: `csr_` and 256 bits that nobody without the key can guess.
    #[must_use]
    pub fn token(&self, family: &GrantId) -> Secret<String> {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(b"countersign refresh 1");
        context.update(family.as_str().as_bytes());
        Secret::new(format!("csr_{}", base64url::encode(context.sign())))
    }
}

/// People who may make an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignUp {
    /// People who hold an invitation.
    Invite,
    /// Everybody, with or without an invitation.
    Open,
}

/// App that may use this issuer, with the rules for reading its evidence. Its requirements for phones stand in the registry of apps.
pub struct App {
    /// Sector in which the app's people have one pairwise subject.
    pub sector: Sector,
    /// Rules by which a key on Android is one of the app's device keys.
    pub android: KeyRequirements,
    /// Rules by which a key of App Attest is one of the app's keys; `None` when there is no app on iOS.
    pub ios: Option<apple::Requirements>,
    /// Reading of Google Play's verdicts about the app; `None` when none are taken.
    pub play: Option<PlayApp>,
    /// Quota of App Attest keys that are taken in a day.
    pub app_attest_quota: VendorQuota,
}

/// Missing answer of a vendor, or one that cannot be used. Neither the phone that asked nor the store is at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VendorSilent {
    /// Question to the vendor, for the operator's log; holds no secret and nothing personal.
    pub what: String,
}

impl VendorSilent {
    /// Makes a fault from the question to the vendor and what came instead.
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

/// Client that asks Google to decode a token, for apps whose keys stay with Google.
#[async_trait]
pub trait DecodesPlay: Send + Sync {
    /// Returns the body of Google's answer (`{"tokenPayloadExternal": {...}}`); an empty one when Google did not issue the token.
    ///
    /// # Errors
    /// [`VendorSilent`] when Google does not answer: nobody's fault, and no reason to distrust a phone.
    async fn decode(&self, package: &AppId, token: &str) -> Result<String, VendorSilent>;
}

/// Reader of Play Integrity's tokens.
pub enum PlayReader {
    /// Google decodes the tokens.
    Google(Arc<dyn DecodesPlay>),
    /// This server decodes the tokens, with the keys of the Play Console.
    Ours(Box<play::DecryptionKeys>),
}

/// Rules for reading Google Play's verdicts about an app.
pub struct PlayApp {
    /// Package of the app.
    pub package: AppId,
    /// Reader of the tokens.
    pub reader: PlayReader,
    /// Rules by which a verdict is about this app, and fresh; everything else is judged from the posture.
    pub requirements: play::Requirements,
    /// Quota of tokens that Google is asked to decode in a day.
    pub quota: VendorQuota,
}

/// Trust in statements about phones.
#[derive(Clone, Debug)]
pub struct DeviceTrust {
    /// Android Key Attestation: anchors, and the use of the revocation list.
    pub android: Trust,
    /// Roots of App Attest.
    pub apple: Anchors,
    /// Roots of App Attest's receipts.
    pub receipts: Anchors,
}

/// Settings of the issuer.
pub struct IssuerConfig {
    /// Public origin of this server: OAuth's issuer, the tokens' audience, and the origin of every proof's `htu`.
    pub public_origin: Origin,
    /// Apps by their client ids.
    pub apps: BTreeMap<ClientId, App>,
    /// Relying party of the passkeys: its id, and the origins from which they are accepted.
    pub passkeys: RelyingParty,
    /// People who may make an account.
    pub sign_up: SignUp,
    /// Bounds on the devices of a person, and the time for which a device is new.
    pub bindings: BindingRules,
    /// Life of sessions, in all and without use.
    pub session_life: SessionLife,
    /// Scores of a login from which on more is asked, or the login is refused.
    pub risk: RiskBar,
    /// Life of an access token, at most [`Limits::ACCESS_TOKEN_LIFE`].
    pub access_token_life: Seconds,
}

/// Authorization server with all its parts.
pub struct Issuer {
    /// Promises about state.
    pub stores: Stores,
    /// Time, randomness, and listeners.
    pub world: World,
    /// Says who asks; the gateway's as well.
    pub access: Arc<Access>,
    /// Keys of the issuer.
    pub keys: IssuerKeys,
    /// Settings of the issuer.
    pub config: IssuerConfig,
    /// Registry of apps, the same that requests are judged by. It is replaced whole when the data changes that it rests on, such as boot
    /// keys.
    pub apps: Arc<ArcSwap<Apps>>,
    /// Trust in statements about phones; replaced whole when anchors or status lists change.
    pub trust: Arc<ArcSwap<DeviceTrust>>,
    /// Certificates of enrolled devices that were revoked since.
    pub revocations: Arc<ArcSwap<Revocations>>,
    /// Maker and reader of challenges.
    pub challenger: Challenger,
    /// Request keys to which tokens of a session were given.
    pub named_keys: NamedKeys,
    /// Prompts that were not answered yet.
    pub prompts: Prompts,
    /// Shares of everybody at the doors.
    pub allowances: Allowances,
}

impl Issuer {
    /// Finds the app of this client id.
    #[must_use]
    pub fn app(&self, client: &ClientId) -> Option<&App> {
        self.config.apps.get(client)
    }

    /// Returns the current registry of apps. A caller that asks it more than once keeps it, so that one request meets one version.
    #[must_use]
    pub fn apps(&self) -> Arc<Apps> {
        self.apps.load_full()
    }

    /// Life of an access token as configured, and never more than the limit.
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

    /// Makes the id (`jti`) of an access token: 128 unpredictable bits.
    pub(crate) fn new_token_id(&self) -> Result<ProofId, ContractViolation> {
        ProofId::parse(&base64url::encode(self.random::<16>())).map_err(|_| ContractViolation("base64url is an identifier"))
    }

    /// Makes an authorization code: `csc_` and 256 unpredictable bits.
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
