//! What goes over the admin socket, in both directions. The command line reads what the node writes, so that one type says it.

use serde::{Deserialize, Serialize};

/// The node itself.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Status {
    /// Version of the program.
    pub version: String,
    /// Its process.
    pub process: u32,
    /// The origin that clients use.
    pub public_url: String,
    /// Seconds since 1970 at which it was started.
    pub started_at: u64,
    /// Whether it is a development node.
    pub dev: bool,
}

/// A person.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct UserView {
    /// The id that only we know.
    pub id: String,
    /// The account's name.
    pub name: String,
    /// Groups of permissions.
    pub roles: Vec<String>,
    /// `active` or `closed`.
    pub state: String,
    /// Seconds since 1970.
    pub created_at: u64,
    /// Registered passkeys; `None` in lists.
    pub passkeys: Option<usize>,
}

/// A device.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceView {
    /// Its id.
    pub id: String,
    /// What its person calls it.
    pub name: String,
    /// `active` or `revoked`.
    pub state: String,
    /// From 0 (nothing proved) to 3.
    pub trust: u8,
    /// How strong that is which vouches.
    pub tier: String,
    /// What vouches; `development_token` marks a device of a developer's.
    pub vouched_by: String,
    /// Where its key lives.
    pub security_level: String,
    /// What the bootloader verified.
    pub boot_state: Option<String>,
    /// Whether the bootloader is locked.
    pub bootloader_locked: Option<bool>,
    /// `YYYY-MM`.
    pub patch_level: Option<String>,
    /// The app that holds the key.
    pub app: Option<String>,
    /// Thumbprint of the device key.
    pub key: String,
    /// Seconds since 1970.
    pub enrolled_at: u64,
    /// Seconds since 1970 at which the evidence was verified.
    pub established_at: u64,
}

/// A session.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SessionView {
    /// Its id.
    pub id: String,
    /// Whose.
    pub user: String,
    /// On which device.
    pub device: String,
    /// Through which app.
    pub client: String,
    /// `active`, `limited`, `challenged` or `revoked`.
    pub state: String,
    /// How strongly the person was authenticated.
    pub acr: String,
    /// Seconds since 1970.
    pub auth_time: u64,
    /// Seconds since 1970.
    pub created_at: u64,
    /// Seconds since 1970.
    pub expires_at: u64,
}

/// Whom to invite.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Invite {
    /// The name that the account will have.
    pub name: String,
    /// The roles that it will have.
    pub roles: Vec<String>,
    /// Hours after which the invitation lapses.
    pub hours: u64,
}

/// An invitation. Shown once; only a hash is kept.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Invited {
    /// The code that the person types or scans.
    pub code: String,
    /// Seconds since 1970.
    pub expires_at: u64,
}

/// For what a development token is.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DevTokenAsk {
    /// The app that it enrols.
    pub app: String,
    /// `android` or `ios`; `None` for both.
    pub platform: Option<String>,
    /// For how long it enrols.
    pub life_seconds: u64,
    /// Phones that it enrols at most.
    pub phones: u32,
    /// Whether it is taken from every network, or from private ones alone.
    pub any_network: bool,
    /// A note for people.
    pub label: String,
}

/// A development token. Shown once; only a hash is kept.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DevTokenMade {
    /// The secret.
    pub token: String,
    /// Its name, which is none.
    pub id: String,
    /// Seconds since 1970.
    pub expires_at: u64,
    /// What the app does with devices that it enrols: `take`, `observe`, `limit` or `enforce`, which is to refuse.
    pub development: String,
}

/// A development token in a list.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DevTokenView {
    /// Its name.
    pub id: String,
    /// The app that it enrols.
    pub app: String,
    /// `android` or `ios`; `None` for both.
    pub platform: Option<String>,
    /// `private` or `any`.
    pub networks: String,
    /// The devices that it enrolled.
    pub phones: Vec<String>,
    /// How many it enrols at most.
    pub phones_max: u32,
    /// A note for people.
    pub label: String,
    /// `active`, `expired` or `revoked`.
    pub state: String,
    /// Seconds since 1970.
    pub created_at: u64,
    /// Seconds since 1970.
    pub expires_at: u64,
    /// Seconds since 1970.
    pub last_used_at: Option<u64>,
}

/// A development token that was revoked.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DevTokenEnded {
    /// The number under which the log has it.
    pub decision: String,
    /// Devices that were cut off with it.
    pub devices_revoked: usize,
    /// Sessions that ended with it.
    pub sessions_ended: usize,
}

/// A change that was made.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Changed {
    /// The number under which the log has it.
    pub decision: String,
    /// Sessions that ended with it.
    pub sessions_ended: usize,
}

/// A record of the log.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RecordView {
    /// Its number.
    pub seq: u64,
    /// The entry, as hashed.
    pub entry: serde_json::Value,
}

/// A signed checkpoint.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointView {
    /// Records under it.
    pub size: u64,
    /// The note, as C2SP writes it.
    pub note: String,
}

/// What the node will not do.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    /// Why, and what to do.
    pub error: String,
}
