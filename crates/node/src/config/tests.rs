//! Each key missing or wrong, and the one message for it.

use std::path::{Path, PathBuf};

use countersign_compliance::{AfterGrace, DailyLimit, OutageRule, PatchRule, Rollout, Rule, WhenAbsent};
use countersign_core::{AppFinding, BootState, Integrity, Platform, Seconds, SecurityLevel, Stage, UnixSeconds, WhenLimited};
use countersign_gateway::Protocol;
use countersign_policy::{OtherMembers, RequestHeaders, StreamKind};
use proptest::prelude::*;

use super::{Config, Dev, Listen, SignUp, model::StatusListSource, parse, settle};

const MINIMAL: &str = "public_url = \"https://api.example.com\"\nupstream   = \"http://127.0.0.1:8080\"\n[app.\"com.example.shop\"]\n";

const FULL: &str = r#"public_url = "https://api.example.com:7443"
upstream   = "https://api.internal:8443"
upstream_ca = "ca.pem"
listen     = "[::]:7443"
data       = "/var/lib/countersign"
policies   = "rules"

[app."com.example.shop"]
android = { package = "com.example.shop.android", cert_sha256 = ["AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB"] }
ios     = { team = "9CYHJNG644", bundle = "com.example.shop" }
sector  = "shop"
[login]
sign_up = "open"
session_hours = 12
origins = ["https://www.example.com"]
[device]
security_level_min = "strong_box"
boot_state = ["verified", "self_signed"]
require_locked = false
anchors = ["own.pem"]
status_list = "status.json"
status_list_age_max = "36h"
require_status_list = true
[tls]
cert = "chain.pem"
key = "key.pem"
[limits]
connections_max = 5
drain = "3s"
upstream_timeout = "9s"
body_max = 100
[metrics]
listen = "127.0.0.1:9100"
[[operation]]
match = "POST /v1/transfers/{id}"
action = "transfers.create"
resource = "Transfer"
id = "path.id"
owner = "token.sub"
body = { amount = "long /amount" }
body_max = 4096
"#;

fn read(text: &str) -> Result<Config, String> {
    parse(text, Path::new("/etc/csign/csign.toml")).map_err(|faults| faults.to_string().replace("/etc/csign/csign.toml", "csign.toml"))
}

#[test]
fn three_lines_are_enough() {
    let config = read(MINIMAL).expect("the minimum");
    assert_eq!(config.public.as_str(), "https://api.example.com");
    assert_eq!(config.data, PathBuf::from("/etc/csign/data"));
    assert_eq!(config.policies, PathBuf::from("/etc/csign/policies"));
    assert_eq!(config.listen_address(Dev::Off).to_string(), "[::]:443");
    assert_eq!(config.listen_address(Dev::On).to_string(), "127.0.0.1:443");
    assert_eq!(config.login.sign_up, SignUp::Invite);
    let enforced: Vec<_> = config
        .device
        .requirements
        .iter()
        .filter(|required| required.rollout == Rollout::all(Stage::Enforce))
        .map(|required| &required.rule)
        .collect();
    assert_eq!(
        enforced,
        [
            &Rule::SecurityLevel(SecurityLevel::TrustedEnvironment),
            &Rule::Boot { states: vec![BootState::Verified], keys: [].into() },
            &Rule::BootloaderLocked,
            &Rule::NotRevoked,
            &Rule::NoDevelopment,
        ]
    );
    let limited = config.device.requirements.iter().filter(|required| required.rollout == Rollout::all(Stage::Limit)).count();
    assert_eq!((limited, config.device.requirements.len()), (5, 10), "what the app says limits");
    assert_eq!((config.apps.len(), config.operations.len(), config.dev), (1, 0, Dev::Off));
}

/// How many devices a person may have, and how long one is new.
#[test]
fn devices_of_people_have_bounds() {
    let rows: &[(&str, Option<(u32, u64)>)] = &[
        ("", Some((20, 86_400))),
        ("[login]\ndevices_max = 1\ndevice_cool_down_hours = 0\n", Some((1, 0))),
        ("[login]\ndevices_max = 1000\ndevice_cool_down_hours = 720\n", Some((1000, 2_592_000))),
        ("[login]\ndevices_max = 0\n", None),
        ("[login]\ndevices_max = 1001\n", None),
        ("[login]\ndevice_cool_down_hours = 721\n", None),
    ];
    for (text, expected) in rows {
        let rules = read(&format!("{MINIMAL}{text}")).ok().map(|config| config.login.bindings);
        assert_eq!(rules.map(|rules| (rules.devices_max, rules.cool_down.0)), *expected, "{text}");
    }
}

#[test]
fn every_key_is_heeded() {
    let config = read(FULL).expect("all keys");
    let app = config.apps.first().expect("an app");
    assert_eq!((app.client.as_str(), app.package.as_str(), app.sector.as_str()), ("com.example.shop", "com.example.shop.android", "shop"));
    assert_eq!(app.signers, vec![[0xab; 32]]);
    assert_eq!(app.ios.as_ref().map(|ios| ios.team.as_str()), Some("9CYHJNG644"));
    assert!(matches!(config.listen, Listen::On { line: 4, .. }));
    assert_eq!(config.listen_address(Dev::Off).to_string(), "[::]:7443");
    assert_eq!(config.upstream.protocol, Protocol::Http1);
    assert_eq!(config.upstream.ca, Some(PathBuf::from("/etc/csign/ca.pem")));
    assert_eq!((config.data, config.policies), (PathBuf::from("/var/lib/countersign"), PathBuf::from("/etc/csign/rules")));
    assert_eq!((config.login.sign_up, config.login.session_life.whole, config.login.origins.len()), (SignUp::Open, Seconds(43_200), 1));
    let device = &config.device;
    let rules: Vec<_> = device.requirements.iter().map(|required| &required.rule).collect();
    assert!(rules.contains(&&Rule::Boot { states: vec![BootState::Verified, BootState::SelfSigned], keys: [].into() }));
    assert!(rules.contains(&&Rule::SecurityLevel(SecurityLevel::StrongBox)) && !rules.contains(&&Rule::BootloaderLocked));
    assert_eq!(device.status_list, StatusListSource::File(PathBuf::from("/etc/csign/status.json"), 21));
    assert_eq!((device.anchors.clone(), device.status_list_age_max), (vec![(PathBuf::from("/etc/csign/own.pem"), 20)], Seconds(129_600)));
    assert_eq!(config.tls.map(|tls| tls.certificate), Some(PathBuf::from("/etc/csign/chain.pem")));
    assert_eq!((config.bounds.connections_max, config.bounds.body_bytes_max), (5, 100));
    assert_eq!((config.bounds.drain_max.as_secs(), config.bounds.upstream_max.as_secs()), (3, 9));
    assert_eq!(config.metrics.listen.to_string(), "127.0.0.1:9100");
    let operation = config.operations.first().expect("an operation");
    assert_eq!((operation.pattern.as_str(), operation.line), ("POST /v1/transfers/{id}", 34));
    assert_eq!(operation.body, vec![("amount".to_owned(), "long /amount".to_owned())]);
    assert_eq!(operation.body_max, Some(4096));
}

#[test]
fn requirements_on_attested_keys_are_read() {
    use countersign_core::{Seconds, SecurityLevel};
    let none = read(MINIMAL).expect("the minimum").device.attested;
    assert_eq!((none.security_level_exact, none.attestation_version_min, none.keymint_version_min), (None, None, None));
    assert_eq!((none.rollback_resistance, none.age_max), (false, None));
    let more = "security_level_exact = \"strong_box\"\nattestation_version_min = 100\nkeymint_version_min = 41\n\
                require_rollback_resistance = true\nattestation_age_max = \"10m\"\n";
    let all =
        read(&FULL.replace("require_locked = false\n", &format!("require_locked = false\n{more}"))).expect("a config").device.attested;
    assert_eq!(all.security_level_exact, Some(SecurityLevel::StrongBox));
    assert_eq!((all.attestation_version_min, all.keymint_version_min), (Some(100), Some(41)));
    assert_eq!((all.rollback_resistance, all.age_max), (true, Some(Seconds(600))));
    for (line, said) in [
        ("security_level_exact = \"hsm\"", "`security_level_exact` cannot be `hsm`"),
        ("attestation_version_min = 0", "`attestation_version_min = 0` is out of range"),
        ("keymint_version_min = -1", "`keymint_version_min = -1` is out of range"),
        ("attestation_age_max = \"soon\"", "`attestation_age_max`"),
    ] {
        let refused = read(&FULL.replace("require_locked = false", &format!("require_locked = false\n{line}"))).expect_err(line);
        assert!(refused.contains(said), "{refused}");
    }
}

#[test]
fn what_stays_open_is_declared() {
    let operation = |stream: &str| {
        format!(
            "{MINIMAL}[limits]\nopen_connections_max = 7\njudged_every = \"5s\"\n[[operation]]\nmatch = \"GET /v1/live\"\naction = \"live\"\n{stream}\n"
        )
    };
    let config = read(&operation("stream = { kind = \"websocket\", message_bytes_max = 9, messages_per_second = 2 }")).expect("a stream");
    assert_eq!((config.bounds.open_connections_max, config.bounds.judged_every.as_secs()), (7, 5));
    let stream = config.operations.first().and_then(|operation| operation.stream).expect("a stream");
    assert_eq!((stream.kind, stream.message_bytes_max, stream.messages_per_second), (StreamKind::WebSocket, Some(9), Some(2)));
    for wrong in ["stream = { kind = \"socket\" }", "stream = { message_bytes_max = 9 }", "stream = { kind = \"events\", bytes = 9 }"] {
        assert!(read(&operation(wrong)).is_err(), "{wrong}");
    }
}

#[test]
fn grpc_is_not_spoken_in_http1() {
    let config = |protocol: &str| {
        let call = "[[operation]]\nmatch = \"POST /a.B/C\"\naction = \"c\"\nstream = { kind = \"grpc\" }\n";
        read(&format!("{protocol}{MINIMAL}{call}"))
    };
    assert_eq!(config("upstream_protocol = \"http2\"\n").expect("a call").upstream.protocol, Protocol::Http2);
    let full = FULL.replace("listen     =", "upstream_protocol = \"negotiated\"\nlisten     =");
    assert_eq!(read(&full).expect("a handshake").upstream.protocol, Protocol::Negotiated);
    let rows = [
        ("", "add `upstream_protocol = \"http2\"`"),
        ("upstream_protocol = \"negotiated\"\n", "write `http1` or `http2`"),
        ("upstream_protocol = \"quic\"\n", "it can be `http1`, `http2`, `negotiated`"),
    ];
    for (protocol, remedy) in rows {
        let faults = config(protocol).expect_err("a fault");
        assert!(faults.contains(remedy), "{faults}");
    }
}

#[test]
fn requirements_are_rolled_out_in_stages() {
    let text = format!(
        "{}{}",
        MINIMAL,
        r#"
[app."com.example.shop".require.app_version]
android = 310
ios = "3.1.0"
grace_until = "2026-12-01"
android_store = "https://play.google.com/store/apps/details?id=com.example.shop"
[device]
mode = "limit"
percent = 20
systems = ["GrapheneOS"]
allow_dev_tokens = true
[device.require.patch_level]
age_max = "180d"
mode = "enforce"
percent = 10
otherwise = "limit"
[device.require.integrity]
min = "device"
without_verdict = "pass"
mode = "observe"
[device.require.os_version]
android = "12"
ios = "16.4"
[device.require.screen_lock_missing]
mode = "limit"
[device.require.rooted]
mode = "enforce"
[[operation]]
match = "GET /v1/card"
action = "card.read"
when_limited = "refuse"
evidence_age_max = "1h"
"#
    );
    let config = read(&text).expect("a roll-out");
    let of = |kind: Rule| {
        config.device.requirements.iter().find(|required| required.rule.same_kind(&kind)).map(|required| (&required.rule, required.rollout))
    };
    let some = |stage, percent, otherwise| Rollout { stage, percent, otherwise };
    let general = some(Stage::Limit, 20, Stage::Observe);
    assert_eq!(of(Rule::BootloaderLocked), Some((&Rule::BootloaderLocked, general)));
    let patch = Rule::PatchLevel(PatchRule::AgeMax(Seconds(180 * 86_400)));
    assert_eq!(of(patch.clone()), Some((&patch, some(Stage::Enforce, 10, Stage::Limit))));
    let integrity = Rule::Integrity(Integrity::Device, WhenAbsent::Pass);
    assert_eq!(of(integrity.clone()), Some((&integrity, Rollout::all(Stage::Observe))));
    let os = Rule::OsVersion([(Platform::Android, 120_000), (Platform::Ios, 160_400)].into());
    assert_eq!(of(os.clone()), Some((&os, general)));
    let rooted = Rule::Without(AppFinding::Rooted);
    assert_eq!(of(rooted.clone()), Some((&rooted, Rollout::all(Stage::Enforce))), "an operator may believe the app");
    assert_eq!(of(Rule::NoDevelopment), None);
    let Some(Rule::AppVersion(releases)) = config.apps.first().and_then(|app| app.overrides.first()).map(|required| &required.rule) else {
        return assert_eq!(config.apps.len(), 0, "an app with a requirement of its own");
    };
    assert_eq!(releases.get(&Platform::Ios).map(|release| (release.min, release.min_text.as_str())), Some((3_001_000, "3.1.0")));
    assert_eq!(releases.get(&Platform::Android).and_then(|release| release.grace_until).map(|at| at.0), Some(1_796_083_200));
    let operation = config.operations.first().map(|operation| (operation.when_limited, operation.evidence_age_max));
    assert_eq!(operation, Some((Some(WhenLimited::Refuse), Some(Seconds(3600)))));
}

/// What people copy from the guides has to be understood.
#[test]
fn the_guides_examples_are_understood() {
    let guide = include_str!("../../../../docs/devices.md");
    let blocks: Vec<_> = guide.split("```toml\n").skip(1).filter_map(|rest| rest.split_once("```")).map(|(block, _)| block).collect();
    assert!(!blocks.is_empty());
    for block in blocks {
        assert_eq!(read(&format!("{MINIMAL}{block}")).map(|_| ()), Ok(()), "{block}");
    }
    for finding in AppFinding::ALL {
        assert!(guide.contains(&format!("`{}`", finding.as_str())), "docs/devices.md does not name `{}`", finding.as_str());
    }
}

#[test]
fn what_is_wrong_with_a_requirement_is_said() {
    let rows: &[(&str, &str)] = &[
        (
            "[device.require.patch_level]\n",
            "csign.toml:4: `patch_level` needs either `min` or `age_max`; write one of them, such as `age_max = \"180d\"`",
        ),
        ("[device.require.integrity]\n", "csign.toml:4: `min` is missing; add `min = \"basic\"`"),
        ("[device.require.risk_metric]\n", "csign.toml:4: `max` is missing; add `max = 5`"),
        ("[device.require.evidence_age]\n", "csign.toml:4: `max` is missing; add `max = \"24h\"`"),
        ("[device.require.app_access]\nnone_of = [\"known\"]\n", "csign.toml:5: `none_of` cannot hold `known`; it can hold"),
        ("[device.require.roted]\n", "csign.toml:4: unknown key `roted` in `device.require`; did you mean `rooted`?"),
        ("[device.require.rooted]\nmode = \"enforced\"\n", "csign.toml:5: `mode` cannot be `enforced`; did you mean `enforce`?"),
        ("[device.require.rooted]\notherwise = \"limit\"\n", "csign.toml:5: `otherwise` has no effect without `percent`"),
        ("[device.require.os_version]\nios = \"17.100\"\n", "csign.toml:5: `ios` cannot be `17.100`; write up to three numbers"),
        ("[device]\npercent = 101\n", "csign.toml:5: `percent = 101` is out of range; write it as a whole number from 0 to 100"),
    ];
    for (text, expected) in rows {
        let said = read(&format!("{MINIMAL}{text}")).expect_err("a fault");
        assert!(said.starts_with(expected), "{text}\n{said}");
    }
}

#[test]
fn every_fault_has_a_line_and_a_remedy() {
    // What is changed in the full example, and the message.
    let rows: &[(&str, &str, &str)] = &[
        (
            "public_url = \"https://api.example.com:7443\"\n",
            "",
            "csign.toml: `public_url` is missing; add `public_url = \"https://api.example.com\"`",
        ),
        (
            "public_url",
            "public_ur",
            "csign.toml: `public_url` is missing; add `public_url = \"https://api.example.com\"`\ncsign.toml:1: unknown key `public_ur`; did you mean `public_url`?",
        ),
        (
            "https://api.example.com:7443",
            "http://api.example.com:7443",
            "csign.toml:1: `public_url` does not begin with `https://`; phones connect with TLS; write `https://` and the host",
        ),
        (
            "https://api.example.com:7443",
            "https://api.example.com/v1",
            "csign.toml:1: `public_url` cannot be `https://api.example.com/v1`; it contains a path, query, fragment or password; write only scheme, host and port",
        ),
        ("\"https://api.example.com:7443\"", "7443", "csign.toml:1: `public_url = 7443` is a number; write it as a string in quotes"),
        (
            "\"https://api.internal:8443\"",
            "\"api\"",
            "csign.toml:2: `upstream` cannot be `api`; it is not a valid URL; write for example `https://api.example.com`",
        ),
        (
            "upstream_ca = \"ca.pem\"\n",
            "",
            "csign.toml:2: `upstream` is `https`, but there is no CA certificate to verify it with; set `upstream_ca` to the PEM file of its certificate authority, or use `http` on a private network",
        ),
        (
            "\"[::]:7443\"",
            "\"7443\"",
            "csign.toml:4: `listen` cannot be `7443`; write an address and a port, such as `127.0.0.1:7443` or `[::]:443`",
        ),
        (
            "com.example.shop\"]\n",
            "com example\"]\n",
            "csign.toml:8: an app cannot be called `com example`; an identifier can contain only letters, digits and `-_.:~`",
        ),
        (
            "package = \"com.example.shop.android\"",
            "package = \"a/b\"",
            "csign.toml:9: `package` cannot be `a/b`; an identifier can contain only letters, digits and `-_.:~`",
        ),
        (
            "cert_sha256 = [\"AB:",
            "cert_sha256 = [\"A:",
            "csign.toml:9: `cert_sha256` cannot hold `A:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB`; write the SHA-256 of the signing certificate as 64 hexadecimal digits",
        ),
        ("team = \"9CYHJNG644\", ", "", "csign.toml:10: `team` is missing in `ios`; add `team = \"9CYHJNG644\"`"),
        ("sign_up = \"open\"", "sign_up = \"opne\"", "csign.toml:13: `sign_up` cannot be `opne`; did you mean `open`?"),
        (
            "session_hours = 12",
            "session_hours = 0",
            "csign.toml:14: `session_hours = 0` is out of range; write it as a whole number from 1 to 87840",
        ),
        (
            "https://www.example.com",
            "http://www.example.com",
            "csign.toml:15: `origins` cannot hold `http://www.example.com`; passkeys need `https`; `http` is allowed only for `http://localhost`",
        ),
        (
            "strong_box",
            "hsm",
            "csign.toml:17: `security_level_min` cannot be `hsm`; it can be `software`, `strong_box`, `trusted_environment`",
        ),
        (
            "\"self_signed\"",
            "\"signed\"",
            "csign.toml:18: `boot_state` cannot hold `signed`; it can hold `verified`, `self_signed`, `unverified`, `failed`",
        ),
        ("require_locked = false", "require_locked = \"no\"", "csign.toml:19: `require_locked` is a string; write it as `true` or `false`"),
        ("[\"own.pem\"]", "\"own.pem\"", "csign.toml:20: `anchors` is a string; write it as a list of strings, `[\"...\"]`"),
        (
            "36h",
            "36",
            "csign.toml:22: `status_list_age_max` cannot be `36`; write a whole number and a unit, such as `90s`, `5m`, `12h` or `30d`",
        ),
        (
            "status_list = \"status.json\"\n",
            "",
            "csign.toml:22: `require_status_list = true` needs a `status_list`; add `status_list = \"status.json\"`",
        ),
        (
            "require_status_list = true",
            "require_status_list = false",
            "csign.toml:23: `status_list` and `require_status_list = false` contradict each other; remove one of them",
        ),
        ("key = \"key.pem\"\n", "", "csign.toml:24: `key` is missing in `[tls]`; add `key = \"privkey.pem\"`"),
        (
            "127.0.0.1:9100",
            "0.0.0.0:9100",
            "csign.toml:33: the metrics would be reachable from the network; add `token_file` or `networks = [\"10.0.0.0/24\"]`, or use a loopback address, such as `127.0.0.1:7442`",
        ),
        (
            "match = \"POST /v1/transfers/{id}\"\n",
            "",
            "csign.toml:34: `match` is missing in `[[operation]]`; add `match = \"GET /v1/accounts/{id}\"`",
        ),
        (
            "action = ",
            "acton = ",
            "csign.toml:34: `action` is missing in `[[operation]]`; add `action = \"accounts.read\"`\ncsign.toml:36: unknown key `acton` in `[[operation]]`; did you mean `action`?",
        ),
        ("\"long /amount\"", "5", "csign.toml:40: `amount = 5` is a number; write it as a string in quotes"),
        ("[limits]", "[limit]", "csign.toml:27: unknown key `limit`; did you mean `limits`?"),
        ("[limits]", "[limits", "csign.toml:27: this is not valid TOML: unclosed table, expected `]`; see https://toml.io for the syntax"),
    ];
    for (from, to, expected) in rows {
        let changed = FULL.replacen(from, to, 1);
        assert_ne!(changed, FULL, "{from}");
        assert_eq!(read(&changed).err().as_deref(), Some(*expected), "{from} -> {to}");
    }
    let nothing = "csign.toml: `public_url` is missing; add `public_url = \"https://api.example.com\"`\n\
                   csign.toml: `upstream` is missing; add `upstream = \"http://127.0.0.1:8080\"`\n\
                   csign.toml: no app is configured; add `[app.\"com.example.shop\"]` with your app's id";
    assert_eq!(read("").err().as_deref(), Some(nothing));
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let signed = MINIMAL.to_owned() + &format!("android = {{ cert_sha256 = [\"{}\"] }}\n", "ab".repeat(32));
    let listed = format!("{signed}[device]\nstatus_list = \"none\"\n");
    let listening = |address: &str| format!("listen = \"{address}\"\n{MINIMAL}");
    let certified = |text: &str| format!("{text}[tls]\ncert = \"c\"\nkey = \"k\"\n");
    let rows: &[(&str, String, Dev, Option<&str>)] = &[
        ("development, minimal", MINIMAL.to_owned(), Dev::On, None),
        ("production, whole", certified(&listed), Dev::Off, None),
        (
            "no certificate",
            listed.clone(),
            Dev::Off,
            Some("csign.toml: there is no certificate for `public_url`; add `[tls]` with `cert` and `key`, or use `--dev` for a test"),
        ),
        (
            "no signer",
            certified(MINIMAL),
            Dev::Off,
            Some(
                "csign.toml:3: the app `com.example.shop` has neither an Android signing certificate nor an `ios` section, so no phone can enrol; add `android = { cert_sha256 = [\"9F:2A:...\"] }`, or use `--dev` for a test",
            ),
        ),
        (
            "development, a certificate",
            certified(MINIMAL),
            Dev::On,
            Some("csign.toml:4: a development node makes its own certificate; remove `[tls]`, or run without `dev`"),
        ),
        ("development, on loopback", listening("[::1]:7443"), Dev::On, None),
        (
            "development, open",
            listening("0.0.0.0:7443"),
            Dev::On,
            Some(
                "csign.toml:1: a development node may listen only on loopback, not on `0.0.0.0:7443`; remove `listen`, or run without `dev`",
            ),
        ),
    ];
    for (name, text, dev, expected) in rows {
        let config = read(text).unwrap_or_else(|faults| panic!("{name}: {faults}"));
        let refused = settle(&config, *dev).err().map(|faults| faults.to_string().replace("/etc/csign/", ""));
        assert_eq!(refused.as_deref(), *expected, "{name}");
    }
}

/// Issue 11, section 9: a node that counts starts with a gap only where the config says so in words.
#[test]
fn gaps_are_said_in_words_or_refused() {
    let whole = |upstream: &str, device: &str| {
        let android = format!("android = {{ cert_sha256 = [\"{}\"] }}\n", "ab".repeat(32));
        format!(
            "public_url = \"https://api.example.com\"\n{upstream}[app.\"com.example.shop\"]\n{android}[tls]\ncert = \"c\"\nkey = \"k\"\n{device}"
        )
    };
    let to = |url: &str| format!("upstream = \"{url}\"\n");
    let (here, none) = (to("http://127.0.0.1:8080"), "[device]\nstatus_list = \"none\"\n");
    let plain = "is `http` and not on this machine";
    let feed = "[feeds.status_list]\nurl = \"http://127.0.0.1/status\"\n";
    let rows: &[(&str, String, Option<&str>)] = &[
        ("nothing said of a list", whole(&here, ""), Some("there is no revocation list")),
        ("a list", whole(&here, "[device]\nstatus_list = \"status.json\"\n"), None),
        ("a fetched list", whole(&here, feed), None),
        ("none, in words", whole(&here, none), None),
        ("none and a fetched list", whole(&here, &format!("{none}{feed}")), Some("contradict each other")),
        ("loopback of IPv6", whole(&to("http://[::1]:8080"), none), None),
        ("loopback of IPv4 in IPv6", whole(&to("http://[::ffff:127.0.0.1]:8080"), none), None),
        ("another loopback address", whole(&to("http://127.9.9.9:8080"), none), None),
        ("localhost", whole(&to("http://localhost:8080"), none), None),
        ("a name below localhost", whole(&to("http://api.localhost:8080"), none), Some(plain)),
        ("a name that may resolve to loopback", whole(&to("http://localhost.example.com:8080"), none), Some(plain)),
        ("a name of the local network", whole(&to("http://api:8080"), none), Some(plain)),
        ("every address", whole(&to("http://0.0.0.0:8080"), none), Some(plain)),
        ("a private address", whole(&to("http://10.0.0.5:8080"), none), Some(plain)),
        ("elsewhere, in words", whole(&format!("{}upstream_plain = true\n", to("http://10.0.0.5:8080")), none), None),
        ("elsewhere, the other word", whole(&format!("{}upstream_plain = false\n", to("http://10.0.0.5:8080")), none), Some(plain)),
    ];
    for (name, text, expected) in rows {
        let config = read(text).unwrap_or_else(|faults| panic!("{name}: {faults}"));
        let refused = settle(&config, Dev::Off).err().map(|faults| faults.to_string());
        assert_eq!(refused.is_some(), expected.is_some(), "{name}: {refused:?}");
        assert!(refused.unwrap_or_default().contains(expected.unwrap_or_default()), "{name}");
        if !name.contains("and a fetched list") {
            let development = read(&text.replace("[tls]\ncert = \"c\"\nkey = \"k\"\n", "")).expect("understood");
            assert!(settle(&development, Dev::On).is_ok(), "{name}: a development node may");
        }
    }
    let said = read(&whole(&format!("{}upstream_plain = true\n", to("https://api.internal")), none)).expect_err("a contradiction");
    assert!(said.contains("csign.toml:3: `upstream_plain = true` and an `https` upstream contradict each other"), "{said}");
}

/// A socket's path has a hundred bytes, more or less; what is deeper has a remedy and not the word `SUN_LEN`.
#[test]
fn a_socket_too_deep_has_a_remedy() {
    // The socket is made at `.admin.sock.new/s`, which is seven bytes longer than its place.
    let deep = |bytes: usize| format!("/{}", "d".repeat(bytes.saturating_sub("/admin.sock".len() + 1)));
    let door = |bytes: usize| format!("[doors.auth_request]\nlisten = \"unix:/{}\"\n", "s".repeat(bytes.saturating_sub(1)));
    let rows: &[(&str, String, bool)] = &[
        ("the last that fits", format!("data = \"{}\"\n{MINIMAL}", deep(100)), true),
        ("a byte more", format!("data = \"{}\"\n{MINIMAL}", deep(101)), false),
        ("much more", format!("data = \"{}\"\n{MINIMAL}", deep(400)), false),
        ("the door of another proxy", format!("{MINIMAL}{}", door(50)), true),
        ("the door of another proxy, deep", format!("{MINIMAL}{}", door(104)), false),
    ];
    for (name, text, taken) in rows {
        let said = settle(&read(text).expect("understood"), Dev::On).err().map(|faults| faults.to_string());
        assert_eq!(said.is_none(), *taken, "{name}: {said:?}");
        assert!(said.is_none_or(|said| said.contains("shorter path") && !said.contains("SUN_LEN")), "{name}");
    }
}

/// Health and metrics are for this machine, for named networks, and for whoever shows the token.
#[test]
fn metrics_are_for_whom_the_config_names() {
    let rows: &[(&str, &str, bool)] = &[
        ("loopback", "listen = \"127.0.0.1:1\"\n", true),
        ("loopback of IPv6", "listen = \"[::1]:1\"\n", true),
        ("every address", "listen = \"0.0.0.0:1\"\n", false),
        ("every address of IPv6", "listen = \"[::]:1\"\n", false),
        ("every address, a token", "listen = \"0.0.0.0:1\"\ntoken_file = \"metrics.token\"\n", true),
        ("every address of IPv6, a network", "listen = \"[::]:1\"\nnetworks = [\"10.0.0.0/8\"]\n", true),
        ("every address, no network", "listen = \"[::]:1\"\nnetworks = []\n", false),
        ("no network", "networks = [\"10.0.0.1/8\"]\n", false),
    ];
    for (name, text, taken) in rows {
        assert_eq!(read(&format!("{MINIMAL}[metrics]\n{text}")).is_ok(), *taken, "{name}");
    }
}

#[test]
fn what_is_asked_of_vendors_has_limits() {
    let first = UnixSeconds(1_796_083_200);
    let with = |keys: &str| read(&format!("{MINIMAL}[vendors]\n{keys}")).map(|config| config.vendors);
    let vendors = with("").expect("understood");
    assert_eq!((vendors.play_daily, vendors.app_attest_daily, vendors.outage.then), (10_000, None, AfterGrace::Refuse));
    let ramp = "app_attest_daily = 500\napp_attest_growth_percent = 50\napp_attest_from = \"2026-12-01\"\n";
    let vendors = with(&format!("play_daily = 50000\ngrace = \"6h\"\nthen = \"limit\"\n{ramp}")).expect("understood");
    assert_eq!((vendors.play_daily, vendors.outage), (50_000, OutageRule { grace: Seconds(21_600), then: AfterGrace::Limit }));
    assert_eq!(vendors.app_attest_daily, Some(DailyLimit::Ramp { first: 500, growth_percent: 50, from: first }));
    assert_eq!(with("app_attest_daily = 500\n").expect("understood").app_attest_daily, Some(DailyLimit::Even(500)));
    let said = with("app_attest_growth_percent = 50\n").expect_err("half a ramp").to_string();
    assert!(said.contains("`app_attest_daily`, `app_attest_growth_percent` and `app_attest_from` must be used together"), "{said}");
}

/// The examples of the documentation are what people copy.
#[test]
fn the_documented_examples_are_understood() {
    let page = include_str!("../../../../docs/configuration.md");
    let examples: Vec<_> = page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(examples.len(), 2);
    for example in &examples {
        read(example).unwrap_or_else(|faults| panic!("{faults}\n{example}"));
        assert!(example.lines().count() < 25, "the full example has under 25 lines");
    }
    let full = read(examples.last().copied().unwrap_or_default()).expect("the full example");
    assert!(settle(&full, Dev::Off).is_ok());
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC*") {
        let _ = read(&text);
    }

    #[test]
    fn no_change_of_a_right_text_panics(at in 0..FULL.len(), with in "\\PC{0,3}") {
        let changed: String = FULL.char_indices().flat_map(|(i, c)| if i == at { with.chars().collect() } else { vec![c] }).collect();
        if let Err(faults) = read(&changed) {
            prop_assert!(!faults.is_empty());
        }
    }
}

/// What an operation says of bodies and headers, and what it cannot say.
#[test]
fn bodies_are_closed_and_headers_pass_unless_the_operation_says_otherwise() {
    let operation = |more: &str| {
        let config = read(&format!("{MINIMAL}[[operation]]\nmatch = \"POST /a\"\naction = \"a\"\n{more}\n"))?;
        let operation = config.operations.first().expect("an operation").clone();
        Ok::<_, String>((operation.body, operation.body_others, operation.request_headers))
    };
    let amount = || vec![("amount".to_owned(), "long /amount".to_owned())];
    let declared = |names: &[&str]| RequestHeaders::Declared(names.iter().map(|name| (*name).to_owned()).collect());
    let rows = [
        ("nothing", "", Vec::new(), OtherMembers::Closed, RequestHeaders::Usual),
        ("a field", "body = { amount = \"long /amount\" }", amount(), OtherMembers::Closed, RequestHeaders::Usual),
        ("an open body", "body = { amount = \"long /amount\", open = true }", amount(), OtherMembers::Open, RequestHeaders::Usual),
        ("the same, dotted", "body.amount = \"long /amount\"\nbody.open = true", amount(), OtherMembers::Open, RequestHeaders::Usual),
        ("a closed body", "body = { amount = \"long /amount\", open = false }", amount(), OtherMembers::Closed, RequestHeaders::Usual),
        (
            "a field called open",
            "body = { open = \"bool /open\" }",
            vec![("open".to_owned(), "bool /open".to_owned())],
            OtherMembers::Closed,
            RequestHeaders::Usual,
        ),
        ("the usual headers", "request_headers = \"usual\"", Vec::new(), OtherMembers::Closed, RequestHeaders::Usual),
        ("no headers of its own", "request_headers = \"declared\"", Vec::new(), OtherMembers::Closed, declared(&[])),
        (
            "two headers",
            "request_headers = \"declared\"\nheaders = [\"X-App-Version\", \"Idempotency-Key\"]",
            Vec::new(),
            OtherMembers::Closed,
            declared(&["X-App-Version", "Idempotency-Key"]),
        ),
    ];
    for (name, more, body, others, headers) in rows {
        assert_eq!(operation(more), Ok((body, others, headers)), "{name}");
    }
    let refused = [
        ("headers = [\"X-App\"]", "csign.toml:4: `headers` has no effect; add `request_headers = \"declared\"`, or remove `headers`"),
        (
            "request_headers = \"declared\"\nheaders = [\"X-Forwarded-For\"]",
            "csign.toml:8: `headers` cannot hold `X-Forwarded-For`: an API could take it for the word of a proxy, so that no client may send it; remove it, or rename the header",
        ),
        (
            "request_headers = \"declared\"\nheaders = [\"x_app\"]",
            "csign.toml:8: `headers` cannot hold `x_app`: its name has other characters than letters, digits and hyphens; remove it, or rename the header",
        ),
        ("request_headers = \"all\"", "csign.toml:7: `request_headers` cannot be `all`; it can be `declared`, `usual`"),
        ("body = { amount = \"long /amount\", open = 1 }", "csign.toml:7: `open = 1` is a number; write it as a string in quotes"),
    ];
    for (more, expected) in refused {
        assert_eq!(operation(more).err().as_deref(), Some(expected), "{more}");
    }
}

#[test]
fn what_an_upstream_is_shown_has_two_files_and_needs_tls() {
    let with = |more: &str| read(&FULL.replace("upstream_ca = \"ca.pem\"\n", &format!("upstream_ca = \"ca.pem\"\n{more}")));
    let both = "upstream_cert = \"node.pem\"\nupstream_key = \"node.key\"\n";
    let identity = with(both).expect("both").upstream.identity.expect("an identity");
    assert_eq!((identity.certificate, identity.key), (PathBuf::from("/etc/csign/node.pem"), PathBuf::from("/etc/csign/node.key")));
    assert!(with("").expect("none").upstream.identity.is_none());
    let rows = [
        (
            "upstream_cert = \"node.pem\"\n",
            "csign.toml:4: `upstream_key` is missing; add `upstream_key = \"node.key\"`, the private key of `upstream_cert`",
        ),
        (
            "upstream_key = \"node.key\"\n",
            "csign.toml:4: `upstream_cert` is missing; add `upstream_cert = \"node.pem\"`, the certificate of `upstream_key`",
        ),
    ];
    for (more, expected) in rows {
        assert_eq!(with(more).err().as_deref(), Some(expected), "{more}");
    }
    let plain = MINIMAL.replace("[app", &format!("{both}[app"));
    let expected = "csign.toml:3: `upstream_cert` needs an `https` upstream; write `https://` in `upstream`, or remove it";
    assert_eq!(read(&plain).err().as_deref(), Some(expected));
}
