//! What goes over the admin socket, in both directions. The command line reads what the node writes, so that one type says it.

use countersign_store::{ActionTaken, Incident};
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

/// Something that is fetched.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FeedView {
    /// Its name in the config.
    pub name: String,
    /// From where.
    pub url: String,
    /// The version in use; `None` for what is shipped, or the operator's file.
    pub version: Option<String>,
    /// Entries in it.
    pub entries: Option<usize>,
    /// Seconds since 1970 at which its source said last that it is the newest.
    pub confirmed_at: Option<u64>,
    /// The version before it.
    pub previous: Option<String>,
    /// What the last look came to: `taken`, `kept`, or why nothing was taken.
    pub last: Option<String>,
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

/// Place of a backup that is to be written, or was.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BackupAsk {
    /// A directory that is made, by its whole path.
    pub directory: String,
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

/// Something that the monitor noticed.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct IncidentView {
    /// Its name.
    pub id: String,
    /// What was noticed.
    pub kind: String,
    /// `open`, `fine` or `closed`.
    pub state: String,
    /// About whom.
    pub user: Option<String>,
    /// About which device.
    pub device: Option<String>,
    /// About which session.
    pub session: Option<String>,
    /// Seconds since 1970 at which it was first noticed.
    pub first_at: u64,
    /// The same for the last time.
    pub last_at: u64,
    /// How often.
    pub count: u64,
    /// The highest score; 0 where there was none.
    pub score: u8,
    /// The sessions that were changed.
    pub deeds: Vec<DeedView>,
    /// What happened, oldest first.
    pub timeline: Vec<MomentView>,
}

/// A session that was changed because of an incident.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DeedView {
    /// Which.
    pub session: String,
    /// Its state before.
    pub from: String,
    /// Its state since.
    pub to: String,
    /// The number under which the log has it.
    pub decision: String,
}

/// A line of a timeline.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MomentView {
    /// Milliseconds since 1970.
    pub at_ms: u64,
    /// What happened.
    pub what: String,
}

impl IncidentView {
    /// The incident as it goes over the wire.
    #[must_use]
    pub fn of(incident: &Incident) -> Self {
        let deed = |deed: &ActionTaken| DeedView {
            session: deed.session.to_string(),
            from: deed.from.as_str().to_owned(),
            to: deed.to.as_str().to_owned(),
            decision: deed.decision.to_string(),
        };
        Self {
            id: incident.id.to_string(),
            kind: incident.kind.as_str().to_owned(),
            state: incident.state.as_str().to_owned(),
            user: incident.user.as_ref().map(ToString::to_string),
            device: incident.device.as_ref().map(ToString::to_string),
            session: incident.session.as_ref().map(ToString::to_string),
            first_at: incident.first_at.seconds().0,
            last_at: incident.last_at.seconds().0,
            count: incident.count,
            score: incident.score,
            deeds: incident.deeds.iter().map(deed).collect(),
            timeline: incident.timeline.iter().map(|moment| MomentView { at_ms: moment.at.0, what: moment.what.clone() }).collect(),
        }
    }
}

/// How mails about incidents go.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MailView {
    /// Which server takes them.
    pub server: String,
    /// Who is written to.
    pub to: Vec<String>,
    /// Mails that the server took since the node started.
    pub delivered: u64,
    /// Mails that wait.
    pub waiting: usize,
    /// Mails that were refused, or tried often enough.
    pub given_up: u64,
    /// Changes that found no room.
    pub dropped: u64,
    /// Seconds since 1970 at which the last was taken.
    pub last_delivered: Option<u64>,
    /// The same for the last attempt that failed.
    pub last_failure: Option<u64>,
    /// Why it did.
    pub failure: Option<String>,
}

/// What is not to be reacted to.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Suppress {
    /// Of which kind.
    pub kind: String,
    /// Only about this person.
    pub user: Option<String>,
    /// For how many hours.
    pub hours: u64,
}

/// What is not reacted to, and until when.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Suppressed {
    /// Of which kind.
    pub kind: String,
    /// Only about this person.
    pub user: Option<String>,
    /// Seconds since 1970.
    pub until: u64,
}

/// What is asked about all devices.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ReportAsk {
    /// Only devices that are used through this app.
    pub app: Option<String>,
    /// Lines of each breakdown.
    pub top: usize,
    /// What to judge by instead of what is in force.
    pub what_if: Option<WhatIf>,
}

/// Another configuration.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct WhatIf {
    /// Its file, by its whole path; what it names is looked for beside it.
    pub file: String,
    /// Its text.
    pub text: String,
}

/// How many devices, by the worst that what they lack does to them.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OutcomesView {
    /// All of them.
    pub devices: u64,
    /// Those that lack nothing.
    pub passed: u64,
    /// Those of which it is only counted.
    pub observed: u64,
    /// Those that are limited.
    pub limited: u64,
    /// Those that are refused.
    pub refused: u64,
}

/// A line of a breakdown.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GroupView {
    /// What these devices have in common; `None` where it is not known.
    pub name: Option<String>,
    /// `android` or `ios`, where names mean something else on each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// What becomes of them.
    pub outcomes: OutcomesView,
}

/// All devices by one question, the most affected first.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BreakdownView {
    /// The lines.
    pub groups: Vec<GroupView>,
    /// The sum of all that have no line of their own.
    pub others: OutcomesView,
}

/// Evidence that was refused at the doors, so that no device stands for it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DoorsView {
    /// Seconds since 1970 from which on the log was read.
    pub since: u64,
    /// How often evidence was accepted.
    pub accepted: u64,
    /// How often it was refused.
    pub refused: u64,
    /// By what was done and why it was refused, the most frequent first.
    pub groups: Vec<DoorView>,
    /// The sum of all that have no line of their own.
    pub others: u64,
}

/// How often evidence was refused for one reason.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DoorView {
    /// `device_enrolled` or `device_attested`.
    pub event: String,
    /// Why.
    pub reason: String,
    /// How often.
    pub count: u64,
}

/// What becomes of all devices.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ReportView {
    /// Seconds since 1970.
    pub at: u64,
    /// The app that it is about, where it is about one.
    pub app: Option<String>,
    /// The file that was judged by instead of what is in force.
    pub what_if: Option<String>,
    /// What is in force now does this.
    pub today: OutcomesView,
    /// What was judged by does this; the same as `today` where that is what is in force.
    pub forecast: OutcomesView,
    /// And this, if each of its requirements were enforced for everybody.
    pub enforced: OutcomesView,
    /// Devices that would be worse off than today.
    pub worse: u64,
    /// Devices that would be better off than today.
    pub better: u64,
    /// Devices on which nobody is signed in, by what holds before it is known who asks. They are in no other figure.
    pub nobodys: OutcomesView,
    /// The same, if each requirement were enforced.
    pub nobodys_enforced: OutcomesView,
    /// Devices that were cut off for good. They are in no other figure.
    pub revoked: u64,
    /// By reason; a device is in as many groups as it has reasons.
    pub by_reason: BreakdownView,
    /// By platform.
    pub by_platform: BreakdownView,
    /// By model, as apps say it.
    pub by_model: BreakdownView,
    /// By platform and the first number of the system's version.
    pub by_os_version: BreakdownView,
    /// By platform and the app's version.
    pub by_app_version: BreakdownView,
    /// What was refused before it became a device.
    pub doors: DoorsView,
}
