//! What counts where the operator says nothing. Every default of the configuration stands here, and docs/configuration.md shows them:
//! a test compares its table with this file.
//!
//! Where a value has one meaning in the whole product, such as a limit that no installation changes, it is named here and stands in the
//! room that it belongs to.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use countersign_compliance::{AfterGrace, OutageRule, WhenAbsent};
use countersign_core::{AppFinding, BootState, Limits, RiskBar, Seconds, SecurityLevel, Stage};
use countersign_gateway::{ForwardedBy, Protocol};
use countersign_identity::{BindingRules, SessionLife};
use countersign_monitor::{
    geography::ListOf,
    react::{Mode, ReactRules, Reaction},
    ssf::SignalSubject,
};

use crate::config::model::{Bounds, DataReaders, Dev, MailTls, PlainUpstream, SignUp, WhenStale};

/// A day.
const DAY: u64 = 86_400;

// --- the top of the file ---

/// What is spoken to the upstream.
pub const UPSTREAM_PROTOCOL: Protocol = Protocol::Http1;

/// Where an upstream may be that is reached without TLS.
pub(crate) const PLAIN_UPSTREAM: PlainUpstream = PlainUpstream::OnThisMachine;

/// Readers of the data directory.
pub(crate) const DATA_READERS: DataReaders = DataReaders::OwnerOnly;
/// Header in which the operator's proxies name the client, where there are any.
pub(crate) const FORWARDED_BY: ForwardedBy = ForwardedBy::XForwardedFor;

/// The data directory, beside the file.
pub const DATA: &str = "data";

/// The directory of policies, beside the file.
pub const POLICIES: &str = "policies";

/// Whether it is a development node.
pub const DEV: Dev = Dev::Off;

// --- [login] ---

/// Who may make an account.
pub const SIGN_UP: SignUp = SignUp::Invite;

/// On how many devices a person may be signed in, and how long a device is new to a person who has others.
pub const BINDINGS: BindingRules = BindingRules { devices_max: 20, cool_down: Seconds(DAY) };

/// Longest life of a session: a month, after which the passkey is shown again.
/// Without use it ends after a week: a phone in a drawer keeps nobody signed in.
pub const SESSION_LIFE: SessionLife = SessionLife { whole: Seconds(30 * DAY), idle: Seconds(7 * DAY) };

// --- [device] ---

/// Where a device key has to live.
pub const SECURITY_LEVEL_MIN: SecurityLevel = SecurityLevel::TrustedEnvironment;

/// What the bootloader may have verified.
pub const BOOT_STATES: [BootState; 1] = [BootState::Verified];

/// Whether the bootloader has to be locked.
pub const REQUIRE_LOCKED: bool = true;

/// Requirement that the hardware states that a deleted key is gone for good.
pub(crate) const REQUIRE_ROLLBACK_RESISTANCE: bool = false;

/// Whether devices of development tokens are taken.
pub const ALLOW_DEV_TOKENS: bool = false;

/// Whether App Attest's development environment is taken.
pub const APPLE_DEVELOPMENT: bool = false;

/// The stage of every requirement that has none of its own.
pub const STAGE: Stage = Stage::Enforce;

/// The stage for those people whom a roll-out has not reached yet.
pub const STAGE_OTHERWISE: Stage = Stage::Observe;

/// What is always required of phones, each at the stage of `device.mode`, in the order in which it is asked.
pub const REQUIRED: [&str; 5] = ["security_level", "boot", "bootloader_locked", "not_revoked", "no_development"];

/// What the app may not find. Claims are easily made, so these limit and do not refuse.
pub const FINDINGS: [AppFinding; 5] =
    [AppFinding::Debugger, AppFinding::Emulator, AppFinding::Hooked, AppFinding::Rooted, AppFinding::Tampered];

/// What a phone without the vendor's verdict does to a requirement about verdicts.
pub const WITHOUT_VERDICT: WhenAbsent = WhenAbsent::Unmet;

/// What an iPhone without a count does to the requirement on its risk metric: Apple gives one only from the second receipt on.
pub const WITHOUT_COUNT: WhenAbsent = WhenAbsent::Pass;

/// How old a revocation list may be. Google asks to look daily; a week bridges an outage.
pub const STATUS_LIST_AGE_MAX: Seconds = Seconds(7 * DAY);

/// How much older the list may be while its vendor is down.
pub const STATUS_LIST_GRACE: Seconds = Seconds(0);

/// What happens after that.
pub const STATUS_LIST_THEN: WhenStale = WhenStale::Refuse;

// --- [feeds.NAME] ---

/// The time between two looks; Google asks to look daily.
pub const FEED_EVERY: Seconds = Seconds(DAY);

/// The age from which is warned: two looks were missed. A feed that is looked at less often is given three times its own time.
pub const FEED_WARN_AFTER: Seconds = Seconds(3 * DAY);

// --- [vendors] ---

/// Where Google decodes tokens of Play Integrity.
pub const PLAY_ENDPOINT: &str = "https://playintegrity.googleapis.com";

/// What happens while Google does not decode tokens.
pub const OUTAGE: OutageRule = OutageRule { grace: Seconds(0), then: AfterGrace::Refuse };

/// What Google decodes in a day unless it is asked for more.
pub const PLAY_DAILY: u64 = 10_000;

// --- [geography] ---

/// What stands in each line of a list.
pub const LIST_OF: ListOf = ListOf::Prefixes;

// --- [monitor] ---

/// Whether signals lead to anything.
pub const MONITOR_MODE: Mode = Mode::Enforce;

/// From which score on what is asked.
pub const RISK: RiskBar = RiskBar::SHIPPED;

/// Signals about the same within this time are one incident.
pub const TOGETHER: Seconds = ReactRules::TOGETHER;

/// How long a session stays limited when nobody confirms and nobody objects.
pub const LIMITED_FOR: Seconds = ReactRules::LIMITED_FOR;

/// People whose habits are remembered at a time.
pub const PEOPLE_MAX: usize = 100_000;

/// How the way to the mail server is protected.
pub const MAIL_TLS: MailTls = MailTls::StartTls;

/// Mails are about incidents whose rule does this or more.
pub const MAIL_MIN_SEVERITY: Reaction = Reaction::Alert;

/// How long an incident is waited for before its first mail, which then says what was done.
pub const MAIL_HOLD: Seconds = Seconds(30);

// --- [[signals.transmit]] ---

/// Under which name people are told of.
pub const SIGNAL_SUBJECT: SignalSubject = SignalSubject::OurName;

// --- [doors.auth_request] ---

/// Who may open the socket at which another proxy asks: this user alone.
pub const SOCKET_MODE: u32 = 0o600;

// --- [admin] ---

/// Mode of the admin socket, which only the user of the node may open.
pub(crate) const ADMIN_SOCKET_MODE: u32 = 0o600;

// --- [limits], [metrics] ---

/// Bounds that differ between installations.
pub const BOUNDS: Bounds = Bounds {
    connections_max: 10_000,
    drain_max: Duration::from_secs(25),
    upstream_max: Duration::from_secs(30),
    body_bytes_max: Limits::STREAMED_BODY_BYTES_MAX,
    open_connections_max: 10_000,
    judged_every: Duration::from_secs(30),
    // With summaries, this is less than 50 MB of log a day under any flood.
    stranger_records_per_minute: 10,
};

/// Where metrics and health are served: on loopback, so that nobody outside reads them.
pub const METRICS_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7442);

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    /// The span as people write it, in the largest unit below two days that is exact: `24h` rather than `1d`.
    fn span(Seconds(seconds): Seconds) -> String {
        match seconds {
            0 => "`0s`".to_owned(),
            days if days % DAY == 0 && days > DAY => format!("`{}d`", days / DAY),
            hours if hours % 3600 == 0 => format!("`{}h`", hours / 3600),
            minutes if minutes % 60 == 0 => format!("`{}m`", minutes / 60),
            seconds => format!("`{seconds}s`"),
        }
    }

    fn seconds(duration: Duration) -> String {
        span(Seconds(duration.as_secs()))
    }

    fn word(word: &str) -> String {
        format!("`{word}`")
    }

    fn text(words: &str) -> String {
        words.to_owned()
    }

    /// Each row of the guide's table, by its keys, and what counts without them.
    fn rows() -> Vec<(&'static str, String)> {
        let score = |score: Option<u8>| score.map_or_else(|| "never".to_owned(), |score| format!("`{score}`"));
        let boot = BOOT_STATES.map(|state| match state {
            BootState::Failed => "\"failed\"",
            BootState::SelfSigned => "\"self_signed\"",
            BootState::Unverified => "\"unverified\"",
            BootState::Verified => "\"verified\"",
        });
        let level = match SECURITY_LEVEL_MIN {
            SecurityLevel::Software => "software",
            SecurityLevel::StrongBox => "strong_box",
            SecurityLevel::TrustedEnvironment => "trusted_environment",
        };
        let sign_up = match SIGN_UP {
            SignUp::Invite => "invite",
            SignUp::Open => "open",
        };
        let stale = match STATUS_LIST_THEN {
            WhenStale::Limit => "limit",
            WhenStale::Refuse => "refuse",
        };
        let after_grace = match OUTAGE.then {
            AfterGrace::Limit => "limit",
            AfterGrace::Refuse => "refuse",
        };
        let tls = match MAIL_TLS {
            MailTls::Implicit => "implicit",
            MailTls::None => "none",
            MailTls::StartTls => "starttls",
        };
        vec![
            ("`public_url`", text("required")),
            ("`upstream`", text("required")),
            ("`upstream_ca`", text("required for `https`")),
            ("`upstream_cert`, `upstream_key`", text("the node shows no certificate")),
            ("`upstream_protocol`", word(UPSTREAM_PROTOCOL.as_str())),
            ("`upstream_plain`", word(&(PLAIN_UPSTREAM == PlainUpstream::Anywhere).to_string())),
            ("`listen`", text("the port of `public_url`, on every address of IPv4 and IPv6; loopback with `--dev`")),
            ("`listen.address`", text("the same, in a section `[listen]`")),
            ("`listen.proxies`", text("none")),
            ("`listen.forwarded`", word(FORWARDED_BY.as_str())),
            ("`data`", word(DATA)),
            ("`data_shared`", word(&(DATA_READERS == DataReaders::Shared).to_string())),
            ("`policies`", word(POLICIES)),
            ("`dev`", word(&(DEV == Dev::On).to_string())),
            ("`[app.\"ID\"]`", text("at least one")),
            ("`android.package`", text("the app's id")),
            ("`android.cert_sha256`", text("no Android phone can enrol, outside of `--dev`")),
            ("`android.play_keys`", text("verdicts of Play Integrity are not taken")),
            ("`android.play_service_account`", text("")),
            ("`ios.team`, `ios.bundle`", text("no iPhone can enrol")),
            ("`require.NAME`", text("")),
            ("`sector`", text("the app's id")),
            ("`login.sign_up`", word(sign_up)),
            ("`login.device_cool_down_hours`", (BINDINGS.cool_down.0 / 3600).to_string()),
            ("`login.devices_max`", BINDINGS.devices_max.to_string()),
            ("`login.session_hours`", (SESSION_LIFE.whole.0 / 3600).to_string()),
            ("`login.session_idle_hours`", (SESSION_LIFE.idle.0 / 3600).to_string()),
            ("`login.origins`", text("")),
            ("`device.security_level_min`", word(level)),
            ("`device.boot_state`", word(&format!("[{}]", boot.join(", ")))),
            ("`device.require_locked`", word(&REQUIRE_LOCKED.to_string())),
            ("`device.security_level_exact`", text("every level from the minimum on")),
            ("`device.attestation_version_min`", text("all")),
            ("`device.keymint_version_min`", text("all")),
            ("`device.require_rollback_resistance`", word(&REQUIRE_ROLLBACK_RESISTANCE.to_string())),
            ("`device.attestation_age_max`", text("every age")),
            ("`device.mode`", word(STAGE.as_str())),
            ("`device.percent`, `device.otherwise`", format!("everybody; `{}`", STAGE_OTHERWISE.as_str())),
            ("`device.require.NAME`", text("")),
            ("`device.systems`", text("none")),
            ("`device.boot_keys`", text("")),
            ("`device.allow_dev_tokens`", word(&ALLOW_DEV_TOKENS.to_string())),
            ("`device.apple_anchors`", text("Apple's roots alone")),
            ("`device.apple_development`", word(&APPLE_DEVELOPMENT.to_string())),
            ("`device.anchors`", text("Google's roots alone")),
            ("`device.status_list`", text("required for Android apps, outside of `--dev`")),
            ("`device.status_list_age_max`", span(STATUS_LIST_AGE_MAX)),
            ("`device.status_list_grace`", span(STATUS_LIST_GRACE)),
            ("`device.status_list_then`", word(stale)),
            ("`device.require_status_list`", text("")),
            ("`feeds.NAME.url`", text("nothing is fetched")),
            ("`feeds.NAME.every`", span(FEED_EVERY)),
            ("`feeds.NAME.warn_after`", format!("{}, or three times `every` if that is longer", span(FEED_WARN_AFTER))),
            ("`vendors.ca`", text("vendors over `https` cannot be asked")),
            ("`vendors.play_endpoint`", text("Google's")),
            ("`vendors.grace`", span(OUTAGE.grace)),
            ("`vendors.then`", word(after_grace)),
            ("`vendors.play_daily`", word(&PLAY_DAILY.to_string())),
            ("`vendors.app_attest_daily`", text("all")),
            ("`vendors.app_attest_growth_percent`, `vendors.app_attest_from`", text("every day the same")),
            ("`geography.databases`", text("every place is unknown, never risky")),
            ("`geography.places`", text("")),
            ("`[[geography.list]]`", text("")),
            ("`monitor.mode`", word(MONITOR_MODE.as_str())),
            ("`monitor.step_up_at`, `monitor.deny_at`", format!("{}, {}", score(RISK.step_up_at), score(RISK.deny_at))),
            ("`monitor.together`", span(TOGETHER)),
            ("`monitor.limited_for`", span(LIMITED_FOR)),
            ("`monitor.people_max`", word(&PEOPLE_MAX.to_string())),
            ("`monitor.honey_accounts`, `monitor.honey_operations`", text("none")),
            ("`monitor.rule.KIND`", text("as shipped")),
            ("`monitor.email`", format!("nobody; `{tls}` on {}, `{}`, {}", MAIL_TLS.port(), MAIL_MIN_SEVERITY.as_str(), span(MAIL_HOLD))),
            ("`monitor.webhook`", text("nobody")),
            ("`[[signals.receive]]`", text("nobody")),
            ("`[[signals.transmit]]`", text("nobody")),
            ("`tls.cert`, `tls.key`", text("required, outside of `--dev`")),
            ("`[[operation]]`", text("two built-in ones, `read` and `write`; said at every start")),
            ("`limits.connections_max`", BOUNDS.connections_max.to_string()),
            ("`limits.body_max`", BOUNDS.body_bytes_max.to_string()),
            ("`limits.open_connections_max`", BOUNDS.open_connections_max.to_string()),
            ("`limits.judged_every`", seconds(BOUNDS.judged_every)),
            ("`limits.stranger_records_per_minute`", BOUNDS.stranger_records_per_minute.to_string()),
            ("`limits.drain`", seconds(BOUNDS.drain_max)),
            ("`limits.upstream_timeout`", seconds(BOUNDS.upstream_max)),
            ("`doors.auth_request.listen`", text("nobody asks")),
            ("`doors.auth_request.mode`", word(&format!("{SOCKET_MODE:04o}"))),
            ("`admin.socket`", text("`admin.sock` in the data directory")),
            ("`admin.mode`", word(&format!("{ADMIN_SOCKET_MODE:04o}"))),
            ("`admin.operators`", text("whoever may open the socket, named `uid:N`")),
            ("`metrics.listen`", word(&METRICS_LISTEN.to_string())),
            ("`metrics.token_file`", text("")),
            ("`metrics.networks`", text("nobody but this machine")),
        ]
    }

    /// The last column of the table is written here; what a key means is written in the guide.
    #[test]
    fn the_guides_table_shows_the_defaults() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let page = fs::read_to_string(root.join("docs/configuration.md")).expect("the guide");
        let rows = rows();
        let (mut fresh, mut shown, mut inside) = (String::new(), Vec::new(), false);
        for line in page.lines() {
            inside = match line {
                "| key | meaning | without it |" => true,
                "" => false,
                _ => inside,
            };
            let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            match (cells.as_slice(), inside) {
                ([key, meaning, ..], true) if key.starts_with('`') => {
                    let (_, without) = rows.iter().find(|(known, _)| known == key).unwrap_or_else(|| panic!("{key} has no row here"));
                    shown.push((*key).to_owned());
                    let without = if without.is_empty() { String::new() } else { format!("{without} ") };
                    fresh += &format!("| {key} | {meaning} | {without}|\n");
                }
                _ => fresh += &format!("{line}\n"),
            }
        }
        assert_eq!(shown, rows.iter().map(|(key, _)| (*key).to_owned()).collect::<Vec<_>>(), "the rows of the guide, and those here");
        if fresh != page {
            fs::write(root.join("target/docs-configuration.md"), fresh).expect("target/ is writable");
            panic!(
                "docs/configuration.md shows other defaults; look at the difference, then: cp target/docs-configuration.md docs/configuration.md"
            );
        }
    }
}
