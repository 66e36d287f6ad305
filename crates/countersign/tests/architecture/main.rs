//! The architecture as tests: what ARCHITECTURE.md says of the house, checked against the house as it stands.
//!
//! Each failure names the file, the rule, and what to do instead. The checks are functions over a tree of files (`architecture/`), so that
//! they are tested themselves: `architecture/planted.rs` plants violations into a small house and expects each to be found. What there
//! was before a check was made stands in `architecture/known/`, lists that may only become shorter.
//!
//! `cargo test -p countersign --test architecture -- --ignored figures --nocapture` prints the figures of the house.

#![expect(clippy::expect_used, clippy::panic, reason = "what fails here fails the test")]
#![expect(clippy::wildcard_enum_match_arm, reason = "kinds of syntax are many and not ours; those that are not named hold nothing to read")]

mod checks;
mod circles;
mod code;
mod figures;
mod planted;
mod tree;
mod workspace;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use checks::{List, Rules, edges};
use tree::{Tree, product_text};
use workspace::Workspace;

/// Crate, and what it may use of ours (ARCHITECTURE.md, "Rooms").
const ROOMS: &[(&str, &[&str])] = &[
    ("codec", &[]),
    ("core", &[]),
    ("compliance", &["core"]),
    ("proof", &["codec", "core"]),
    ("identity", &["codec", "core"]),
    ("policy", &["codec", "core"]),
    ("audit", &["codec", "core"]),
    ("risk", &["core"]),
    ("attest", &["codec", "compliance", "core", "proof"]),
    ("store", &["core", "proof", "identity", "audit"]),
    ("access", &["codec", "compliance", "core", "proof", "store"]),
    ("gateway", &["access", "codec", "compliance", "core", "proof", "policy", "risk", "audit", "store"]),
    ("issuer", &["access", "codec", "compliance", "core", "proof", "attest", "identity", "audit", "store"]),
    ("outbound", &["compliance", "core"]),
    ("monitor", &["codec", "core", "proof", "risk", "store", "outbound"]),
    ("feeds", &["codec", "compliance", "core", "attest", "outbound"]),
    ("notify", &["codec", "core", "store", "outbound"]),
    ("evaluate", &["core", "risk"]),
    (
        "node",
        &[
            "access",
            "codec",
            "compliance",
            "core",
            "proof",
            "attest",
            "identity",
            "policy",
            "audit",
            "risk",
            "store",
            "outbound",
            "gateway",
            "issuer",
            "monitor",
            "feeds",
            "notify",
        ],
    ),
    (
        "demo",
        &["codec", "compliance", "core", "proof", "attest", "audit", "store", "outbound", "gateway", "node", "policy", "example-bank"],
    ),
    (
        "countersign",
        &[
            "access",
            "codec",
            "compliance",
            "core",
            "proof",
            "attest",
            "identity",
            "policy",
            "audit",
            "risk",
            "store",
            "outbound",
            "gateway",
            "evaluate",
            "node",
            "demo",
        ],
    ),
];

/// Rooms without async, I/O, clock or environment.
const PURE: &[&str] = &["codec", "core", "compliance", "proof", "identity", "policy", "audit", "risk", "attest"];

/// The floors from below, each with its rooms (DESIGN.md, "Rooms of the house"); those that are not built yet have their place already.
/// The demo stands half a floor below the binary that carries it.
const FLOORS: &[(&str, &[&str])] = &[
    ("0", &["codec", "core"]),
    ("1", &["audit", "compliance", "identity", "policy", "proof", "risk"]),
    ("2", &["attest", "client", "store"]),
    ("2 1/2", &["access", "outbound"]),
    ("3", &["evaluate", "feeds", "gateway", "issuer", "monitor", "notify", "privacy"]),
    ("4", &["node"]),
    ("4 1/2", &["demo"]),
    ("5", &["countersign"]),
];

const RULES: Rules<'static> = Rules { rooms: ROOMS, floors: FLOORS, pure: PURE };

/// What no pure room may reach, at any depth.
const WORLDLY: &[&str] = &["tokio", "hyper", "axum", "reqwest", "sqlx", "redis", "async-std", "mio"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace")
}

/// The workspace, read once for all tests.
fn workspace() -> &'static (Tree, Workspace) {
    static READ: OnceLock<(Tree, Workspace)> = OnceLock::new();
    READ.get_or_init(|| {
        let tree = Tree::read(&root());
        let code = Workspace::read(&tree);
        (tree, code)
    })
}

/// Fails with the findings, if there are any.
fn none_of(findings: &[String]) {
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

/// Fails when a list differs from the committed one, and leaves the new one where it can be copied from.
fn as_listed(name: &str) {
    let (tree, code) = workspace();
    let list: List = checks::lists(tree, code).into_iter().find(|list| list.name == name).expect("a list of this name");
    let findings = list.findings(tree);
    if !findings.is_empty() {
        let fresh = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.txt"));
        let text = list.found.iter().fold(String::new(), |text, line| text + line + "\n");
        fs::write(&fresh, text).expect("the new list is written");
        panic!("{}\nto take lines out of the list: cp {} {}", findings.join("\n"), fresh.display(), list.path());
    }
}

#[test]
fn every_room_has_its_place() {
    none_of(&checks::rooms(&workspace().0, &RULES));
}

#[test]
fn imports_point_down_only() {
    none_of(&checks::imports_point_down(&workspace().0, &RULES));
}

#[test]
fn pure_rooms_are_pure() {
    none_of(&checks::pure_rooms(&workspace().0, &RULES));
}

#[test]
fn every_refusal_occurs_in_a_test() {
    none_of(&checks::refusals(&workspace().0, &RULES));
}

#[test]
fn no_circle_between_files_or_folders() {
    as_listed("circles");
}

#[test]
fn doc_comments_are_no_riddles() {
    as_listed("docs");
}

#[test]
fn limits_stand_together() {
    as_listed("limits");
}

#[test]
fn what_is_public_is_used() {
    as_listed("public");
}

#[test]
fn no_parameter_is_a_tuple() {
    as_listed("tuples");
}

#[test]
fn pure_rooms_cannot_reach_the_world() {
    for room in PURE {
        let package = format!("countersign-{room}");
        let output = Command::new(env!("CARGO"))
            .args(["tree", "--package", &package, "--edges", "normal", "--prefix", "none", "--format", "{p}", "--offline"])
            .current_dir(root())
            .output()
            .expect("cargo tree");
        assert!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
        let tree = String::from_utf8_lossy(&output.stdout).into_owned();
        let reached: BTreeSet<_> = tree.lines().filter_map(|line| line.split(' ').next()).filter(|name| WORLDLY.contains(name)).collect();
        assert!(reached.is_empty(), "crates/{room}: reaches {reached:?}; a pure room gets bytes and `now`, the server does the I/O");
    }
}

#[test]
fn the_world_is_read_in_one_place_each() {
    let windows = [("SystemTime::now", "crates/node/src/assembly/"), ("rand::fill", "crates/node/src/assembly/")];
    for (word, place) in windows {
        let mut places = Vec::new();
        for (room, _) in ROOMS {
            for (path, text) in workspace().0.sources(room) {
                if product_text(text).contains(word) {
                    places.push(path.to_owned());
                }
            }
        }
        assert!(
            places.len() == 1 && places.iter().all(|p| p.starts_with(place)),
            "`{word}` stands in {places:?}; ask `Clock` or `Entropy`, which {place} implements"
        );
    }
}

/// Every door that takes bytes from outside, and the fuzz target that knocks at it.
const PARSERS: &[(&str, &str)] = &[
    ("attest/src/x509.rs: Certificate::parse", "certificate"),
    ("attest/src/android/key_description.rs: KeyDescription::parse", "key_description"),
    ("attest/src/android/chain.rs: chain_from_pem", "chain"),
    ("attest/src/android/chain.rs: RawChain::from_pem", "chain"),
    ("attest/src/android/revocation.rs: StatusList::parse", "attest_files"),
    ("attest/src/anchors.rs: Anchors::parse", "attest_files"),
    ("attest/src/cases.rs: cases::parse", "attest_files"),
    ("attest/src/apple/attestation.rs: Attestation::parse", "app_attest"),
    ("attest/src/apple/assertion.rs: verify_assertion", "app_attest"),
    ("attest/src/apple/assertion.rs: assertion_facts", "app_attest"),
    ("attest/src/apple/inspect.rs: attestation_refusals", "app_attest"),
    ("attest/src/apple/receipt/inspect.rs: receipt_facts", "receipt"),
    ("attest/src/apple/cases.rs: cases::parse", "app_attest"),
    ("attest/src/apple/app.rs: AppleApp::parse", "app_attest"),
    ("attest/src/apple/receipt/verify.rs: verify_receipt", "receipt"),
    ("attest/src/play/token.rs: decrypt_and_verify", "play"),
    ("attest/src/play/payload.rs: Verdict::parse", "play"),
    ("attest/src/play/payload.rs: Verdict::from_decoded", "play"),
    ("attest/src/play/keys.rs: DecryptionKeys::parse", "play"),
    ("attest/src/boot_keys.rs: BootKeys::parse", "attest_files"),
    ("attest/src/report.rs: report::read", "report"),
    ("attest/src/report.rs: claims", "report"),
    ("audit/src/line.rs: Line::parse", "log"),
    ("audit/src/checkpoint.rs: CheckpointVerifier::parse", "log"),
    ("audit/src/checkpoint.rs: open_note", "log"),
    ("audit/src/proof_file.rs: check", "log"),
    ("audit/src/glance.rs: Glance::read", "log"),
    ("audit/src/record.rs: Record::read", "log"),
    ("audit/src/record.rs: Record::open", "log"),
    ("codec/src/base64url.rs: base64url::decode", "codec"),
    ("codec/src/calendar.rs: read_imf_fixdate", "codec"),
    ("codec/src/calendar.rs: read_rfc3339", "codec"),
    ("codec/src/json.rs: json::document", "codec"),
    ("codec/src/json.rs: json::parse", "codec"),
    ("codec/src/json.rs: Object::from_bytes", "codec"),
    ("node/src/config/mod.rs: config::parse", "config"),
    ("gateway/src/framing.rs: scan", "request"),
    ("gateway/src/grpc.rs: Messages::take", "frames"),
    ("gateway/src/streams/events.rs: Events::take", "frames"),
    ("gateway/src/streams/frame.rs: FrameReader::frame", "frames"),
    ("gateway/src/path.rs: normal_path", "request"),
    ("gateway/src/proxies.rs: client", "proxied"),
    ("gateway/src/proxy_protocol.rs: read_proxy_header", "proxied"),
    ("gateway/src/receive.rs: parse_request", "request"),
    ("gateway/src/receive.rs: Received::credentials", "request"),
    ("identity/src/dev_kit.rs: DevKit::parse", "dev_kit"),
    ("identity/src/passkey.rs: LoginCredential::parse", "doors"),
    ("issuer/src/form.rs: Form::parse", "doors"),
    ("issuer/src/json.rs: parse_json", "doors"),
    ("monitor/src/ssf/event.rs: Event::parse", "set"),
    ("monitor/src/ssf/outbox.rs: PollAsk::parse", "set"),
    ("monitor/src/ssf/subject.rs: SubjectId::parse", "set"),
    ("policy/src/json.rs: strict", "json"),
    ("policy/src/mask.rs: mask", "json"),
    ("policy/src/router.rs: Operations::new", "operations"),
    ("policy/src/router.rs: find", "operations"),
    ("policy/src/load.rs: Policies::load", "policies"),
    ("policy/src/rule_set.rs: RuleSet::parse", "policies"),
    ("policy/src/cases.rs: run", "policies"),
    ("proof/src/access_token.rs: verify", "access_token"),
    ("proof/src/delegation.rs: delegation::read", "delegation"),
    ("proof/src/dpop.rs: dpop::read", "proof"),
    ("proof/src/jwk.rs: PublicKey::from_jwk", "jwk"),
    ("proof/src/jws.rs: Jws::read", "jwk"),
    ("proof/src/key_set.rs: KeySet::from_jwks", "jwk"),
    ("proof/src/nonce.rs: check", "nonce"),
    ("proof/src/set.rs: set::read", "set"),
    ("proof/src/set.rs: SetKeys::from_jwks", "set"),
    ("proof/src/target.rs: Target::parse", "target"),
    ("risk/src/lists.rs: add_prefixes", "lists"),
    ("risk/src/lists.rs: add_systems", "lists"),
];

#[test]
fn every_parser_of_outside_bytes_is_fuzzed() {
    for (door, target) in PARSERS {
        let (file, function) = door.split_once(": ").expect("file and function");
        assert!(root().join("crates").join(file).is_file(), "{file} is gone; the table of parsers names it");
        let path = root().join("fuzz/fuzz_targets").join(format!("{target}.rs"));
        let text = fs::read_to_string(&path).unwrap_or_default();
        let name = function.rsplit("::").next().unwrap_or_default();
        assert!(text.contains(name), "{}: does not call `{function}`", path.display());
    }
    let listed = fs::read_to_string(root().join("fuzz/Cargo.toml")).expect("fuzz/Cargo.toml");
    let targets = workspace().0.files().filter_map(|(path, _)| path.strip_prefix("fuzz/fuzz_targets/")?.strip_suffix(".rs"));
    for name in targets {
        assert!(listed.contains(&format!("name = \"{name}\"")), "fuzz/Cargo.toml does not list `{name}`, so it never runs");
    }
}

#[test]
fn the_map_names_every_room_and_no_ghost() {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    for (room, _) in ROOMS {
        assert!(map.contains(&format!("`crates/{room}`")), "ARCHITECTURE.md does not name `crates/{room}`");
    }
    for named in map.split('`').filter(|word| word.starts_with("crates/") || word.starts_with("docs/") || word.starts_with("scripts/")) {
        let path = named.split(['#', ' ', '*']).next().unwrap_or_default();
        assert!(root().join(path).exists(), "ARCHITECTURE.md names `{named}`, which does not exist");
    }
}

#[test]
fn every_reason_is_documented() {
    use countersign_core::{PublicReason, Reason};
    let mut page = String::from(
        "# Reasons\n\nEvery refusal and limit has one stable code (law 7). Codes are API: added, deprecated, never renamed. The operator sees the\n\
         code in `countersign why`, the log and the metrics; the client receives only the response code beside it. This page is generated: a test\n\
         compares it with `crates/core/src/reason.rs`.\n\n| code | response code for the client | what happened |\n|---|---|---|\n",
    );
    for reason in Reason::ALL {
        let _ = writeln!(page, "| `{}` | `{}` | {} |", reason.code(), reason.public().code(), reason.for_operator());
    }
    page += "\nYour own policies can add codes with `@reason`; the client then receives `policy`, or `step_up` if the `forbid` can be satisfied by it.\n\n\
             ## What the client receives\n\n| code | HTTP | retry | title | text |\n|---|---|---|---|---|\n";
    for told in PublicReason::ALL {
        let _ = writeln!(
            page,
            "| `{}` | {} | `{}` | {} | {} |",
            told.code(),
            told.status(),
            told.retry().as_str(),
            told.title(),
            told.for_person()
        );
    }
    same("docs/reasons.md", &page);
}

#[test]
fn the_picture_of_the_house_is_true() {
    let mut svg = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 960 560\" font-family=\"sans-serif\" font-size=\"15\" role=\"img\" \
         aria-label=\"The crates of Countersign on five floors; every arrow points down\">\n<rect width=\"960\" height=\"560\" fill=\"#ffffff\"/>\n",
    );
    let mut place = BTreeMap::new();
    let there: BTreeSet<_> = ROOMS.iter().map(|(room, _)| *room).collect();
    let floors = FLOORS.iter().map(|(name, rooms)| (name, rooms.iter().filter(|room| there.contains(*room)).collect::<Vec<_>>()));
    let floors: Vec<_> = floors.filter(|(_, rooms)| !rooms.is_empty()).collect();
    for (at, (floor, rooms)) in floors.iter().enumerate() {
        let y = 500 - at * 440 / (floors.len() - 1).max(1);
        for (i, room) in rooms.iter().enumerate() {
            let x = 60 + (i * 2 + 1) * 900 / (rooms.len() * 2);
            place.insert(**room, (x, y));
        }
        let _ = writeln!(svg, "<text x=\"6\" y=\"{}\" fill=\"#667085\">{floor}</text>", y + 5);
    }
    // What is reached through another room needs no arrow of its own.
    let deps: BTreeMap<_, _> = ROOMS.iter().map(|(room, _)| (*room, edges(&workspace().0, room))).collect();
    for (room, below) in &deps {
        for to in below {
            let indirect = below.iter().any(|other| other != to && deps.get(other.as_str()).is_some_and(|d| d.contains(to)));
            let (Some((x1, y1)), Some((x2, y2)), false) = (place.get(room), place.get(to.as_str()), indirect) else { continue };
            let _ = writeln!(
                svg,
                "<line x1=\"{x1}\" y1=\"{}\" x2=\"{x2}\" y2=\"{}\" stroke=\"#98a2b3\" stroke-width=\"1.4\"/>",
                y1 + 20,
                y2 - 20
            );
        }
    }
    for (room, (x, y)) in &place {
        let fill = if PURE.contains(room) { "#e6f4ea" } else { "#e8f0fe" };
        let _ = writeln!(
            svg,
            "<rect x=\"{}\" y=\"{}\" width=\"124\" height=\"40\" rx=\"8\" fill=\"{fill}\" stroke=\"#475467\"/>",
            x - 62,
            y - 20
        );
        let _ = writeln!(svg, "<text x=\"{x}\" y=\"{}\" text-anchor=\"middle\" fill=\"#101828\">{room}</text>", y + 5);
    }
    svg += "<text x=\"60\" y=\"545\" fill=\"#667085\">green: pure (no I/O, no clock, no async)   blue: with I/O   lines: imports, downwards only; indirect ones left out</text>\n</svg>\n";
    same("docs/house.svg", &svg);
}

/// Compares a generated page with the committed one, and leaves the new one where it can be copied from.
fn same(path: &str, generated: &str) {
    let committed = fs::read_to_string(root().join(path)).unwrap_or_default();
    if committed != generated {
        let fresh = root().join("target").join(path.replace('/', "-"));
        fs::write(&fresh, generated).expect("target/ is writable");
        panic!(
            "{path} is not what the code says; look at the difference, then: cp {} {path}",
            fresh.strip_prefix(root()).expect("below the root").display()
        );
    }
}
