//! The architecture as tests: what ARCHITECTURE.md says of the house, checked against the house as it stands.
//!
//! Each failure names the file, the rule, and what to do instead.

#![expect(clippy::expect_used, clippy::panic, reason = "what fails here fails the test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Floor, crate, and what it may use of ours (ARCHITECTURE.md, "Rooms").
const ROOMS: &[(u8, &str, &[&str])] = &[
    (0, "core", &[]),
    (1, "proof", &["core"]),
    (1, "identity", &["core"]),
    (1, "policy", &["core"]),
    (1, "audit", &["core"]),
    (1, "risk", &["core"]),
    (2, "attest", &["core", "proof"]),
    (2, "store", &["core", "proof", "identity", "audit"]),
    (3, "gateway", &["core", "proof", "policy", "risk", "audit", "store"]),
    (3, "issuer", &["core", "proof", "attest", "identity", "audit", "store"]),
    (3, "monitor", &["core", "proof", "risk", "store"]),
    (
        4,
        "countersign",
        &["core", "proof", "attest", "identity", "policy", "audit", "risk", "store", "gateway", "issuer", "monitor", "example-bank"],
    ),
];

/// Rooms without async, I/O, clock or environment.
const PURE: &[&str] = &["core", "proof", "identity", "policy", "audit", "risk", "attest"];

/// What no pure room may reach, at any depth.
const WORLDLY: &[&str] = &["tokio", "hyper", "axum", "reqwest", "sqlx", "redis", "async-std", "mio"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace")
}

fn folder(room: &str) -> PathBuf {
    root().join("crates").join(room)
}

/// Every `.rs` file below `dir`, sorted.
fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![dir.to_path_buf()];
    while let Some(dir) = waiting.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The file without its tests, which stand last, and without comments.
fn product_code(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("a source file");
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).fold(String::new(), |out, line| out + line + "\n")
}

/// Names of ours that a manifest depends on, by section header.
fn edges(room: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(folder(room).join("Cargo.toml")).expect("a manifest");
    let section = text.split("[dependencies]").nth(1).unwrap_or_default().split("\n[").next().unwrap_or_default();
    section
        .lines()
        .filter_map(|line| line.strip_prefix("countersign-"))
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .map(String::from)
        .collect()
}

#[test]
fn imports_point_down_only() {
    for (_, room, allowed) in ROOMS {
        let allowed: BTreeSet<_> = allowed.iter().map(|s| (*s).to_owned()).collect();
        let beyond: Vec<_> = edges(room).difference(&allowed).cloned().collect();
        assert!(
            beyond.is_empty(),
            "crates/{room}/Cargo.toml: may not use {beyond:?}; say it through a word of `core`, or move the code down"
        );
    }
}

#[test]
fn every_room_is_in_the_table() {
    let listed: BTreeSet<_> = ROOMS.iter().map(|(_, room, _)| (*room).to_owned()).collect();
    let found: BTreeSet<_> = fs::read_dir(root().join("crates"))
        .expect("crates/")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(found, listed, "crates/ and the table of rooms differ; a new room is an architectural decision of its own commit");
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
fn pure_rooms_are_pure() {
    let banned = [
        ("async fn", "let the server await, and pass the result in"),
        (".await", "let the server await, and pass the result in"),
        ("std::fs", "take the text as an argument"),
        ("std::net", "take the bytes as an argument"),
        ("std::env", "take the value as an argument"),
        ("static mut", "hold no state"),
        ("LazyLock", "hold no global state; build it in the constructor"),
        ("OnceLock", "hold no global state; build it in the constructor"),
        ("tracing::", "return a reason; the server logs it"),
        ("thread_local!", "hold no state"),
    ];
    for room in PURE {
        for file in sources(&folder(room).join("src")) {
            let code = product_code(&file);
            for (word, instead) in banned {
                assert!(!code.contains(word), "{}: `{word}` in a pure room; {instead}", file.display());
            }
        }
    }
}

#[test]
fn the_world_is_read_in_one_place_each() {
    let windows = [("SystemTime::now", "crates/countersign/src/wire/"), ("rand::fill", "crates/countersign/src/wire/")];
    for (word, place) in windows {
        let mut places = Vec::new();
        for (_, room, _) in ROOMS {
            for file in sources(&folder(room).join("src")) {
                if product_code(&file).contains(word) {
                    places.push(file.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned());
                }
            }
        }
        assert!(
            places.len() == 1 && places.iter().all(|p| p.starts_with(place)),
            "`{word}` stands in {places:?}; ask `Clock` or `Entropy`, which {place} implements"
        );
    }
}

/// The paths that a text begins with, groups in braces taken apart: `a::{b, c::{d, e}}` is `a::b`, `a::c::d` and `a::c::e`.
fn paths(text: &str) -> Vec<String> {
    let head: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_' || *c == ':').collect();
    let Some(group) = text.get(head.len()..).and_then(|rest| rest.strip_prefix('{')) else { return vec![head] };
    let (mut depth, mut begin, mut found) = (0_u32, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                let inside = group.get(begin..at).unwrap_or_default().trim();
                found.extend(paths(inside).into_iter().filter(|path| !path.is_empty()).map(|path| format!("{head}{path}")));
                begin = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    found
}

#[test]
fn imports_are_read_whole() {
    let rows: &[(&str, &[&str])] = &[
        ("a::b;", &["a::b"]),
        ("{a, b::c};", &["a", "b::c"]),
        ("{\n    a::{self, b},\n    c::{d::{e, f}, g},\n};\nuse crate::h;", &["a::self", "a::b", "c::d::e", "c::d::f", "c::g"]),
        ("a::{b};", &["a::b"]),
    ];
    for (text, expected) in rows {
        assert_eq!(paths(text), *expected, "{text}");
    }
}

/// Files as nodes, `use crate::` (and `crate::a::b` paths) as edges, both by module path relative to `src`.
fn file_graph(room: &str) -> BTreeMap<String, BTreeSet<String>> {
    let src = folder(room).join("src");
    let module_of = |path: &Path| {
        let relative = path.strip_prefix(&src).expect("below src").with_extension("");
        let text = relative.to_string_lossy().replace('/', "::");
        text.strip_suffix("::mod").map_or(text.clone(), String::from)
    };
    let files = sources(&src);
    let modules: BTreeSet<_> = files.iter().map(|f| module_of(f)).collect();
    let mut graph = BTreeMap::new();
    for file in &files {
        let me = module_of(file);
        if matches!(me.as_str(), "lib" | "main") {
            continue;
        }
        let code = product_code(file);
        let mut out = BTreeSet::new();
        for (at, _) in code.match_indices("crate::") {
            let before = code.get(..at).unwrap_or_default().chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            for path in paths(code.get(at + 7..).unwrap_or_default()) {
                let mut parts: Vec<_> = path.split("::").filter(|p| !p.is_empty()).collect();
                while !parts.is_empty() {
                    let candidate = parts.join("::");
                    if modules.contains(&candidate) && candidate != me {
                        out.insert(candidate);
                        break;
                    }
                    parts.pop();
                }
            }
        }
        graph.insert(me, out);
    }
    graph
}

#[test]
fn no_circle_between_files() {
    for (_, room, _) in ROOMS {
        let mut graph = file_graph(room);
        // Take away what imports nothing that is left; what remains goes in circles.
        loop {
            let leaves: Vec<_> =
                graph.iter().filter(|(_, out)| out.iter().all(|m| !graph.contains_key(m))).map(|(m, _)| m.clone()).collect();
            if leaves.is_empty() {
                break;
            }
            for leaf in leaves {
                graph.remove(&leaf);
            }
        }
        assert!(
            graph.is_empty(),
            "crates/{room}: these files import each other in a circle: {graph:?}; move what both need into a file below both"
        );
    }
}

/// Variants of the enums in `code` whose name ends in one of `suffixes`.
fn variants(code: &str, suffixes: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for part in code.split("pub enum ").skip(1) {
        let name: String = part.chars().take_while(|c| c.is_alphanumeric()).collect();
        if !suffixes.iter().any(|s| name.ends_with(s)) {
            continue;
        }
        let Some(body) = part.split_once('{').map(|(_, body)| body) else { continue };
        let mut depth = 1_i32;
        let mut line_start = true;
        let mut word = String::new();
        for c in body.chars() {
            match c {
                '{' | '(' => depth += 1,
                '}' | ')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            if c == '\n' {
                line_start = true;
                continue;
            }
            if depth == 1 && line_start && (c.is_alphanumeric() || c == '_') {
                word.push(c);
            } else if !c.is_whitespace() || !word.is_empty() {
                if word.chars().next().is_some_and(char::is_uppercase) {
                    found.push((name.clone(), word.clone()));
                }
                word.clear();
                line_start = false;
            }
        }
    }
    found
}

#[test]
fn every_refusal_occurs_in_a_test() {
    let mut untested = Vec::new();
    for room in PURE {
        let mut tests = String::new();
        for file in sources(&folder(room)) {
            let text = fs::read_to_string(&file).expect("a source file");
            let is_test = file.components().any(|c| c.as_os_str() == "tests") || file.ends_with("tests.rs");
            if is_test {
                tests += &text;
            } else if let Some((_, rest)) = text.split_once("#[cfg(test)]\nmod ") {
                tests += rest;
            }
        }
        for file in sources(&folder(room).join("src")) {
            for (name, variant) in variants(&product_code(&file), &["Refusal", "Problem", "Fault"]) {
                if !tests.contains(&format!("::{variant}")) && !tests.contains(&format!("\n            {variant}")) {
                    untested.push(format!("{}: {name}::{variant}", file.strip_prefix(root()).expect("below the root").display()));
                }
            }
        }
    }
    assert!(untested.is_empty(), "no test expects these refusals; add a row with the one thing that is wrong:\n{}", untested.join("\n"));
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
    ("countersign/src/config/mod.rs: config::parse", "config"),
    ("gateway/src/framing.rs: scan", "request"),
    ("gateway/src/grpc.rs: Messages::take", "frames"),
    ("gateway/src/held/events.rs: Events::take", "frames"),
    ("gateway/src/held/frame.rs: FrameReader::frame", "frames"),
    ("gateway/src/path.rs: normal_path", "request"),
    ("gateway/src/receive.rs: parse_request", "request"),
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
    for file in sources(&root().join("fuzz/fuzz_targets")) {
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        assert!(listed.contains(&format!("name = \"{name}\"")), "fuzz/Cargo.toml does not list `{name}`, so it never runs");
    }
}

#[test]
fn the_map_names_every_room_and_no_ghost() {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    for (_, room, _) in ROOMS {
        assert!(map.contains(&format!("`crates/{room}`")), "ARCHITECTURE.md does not name `crates/{room}`");
    }
    for named in map.split('`').filter(|word| word.starts_with("crates/") || word.starts_with("docs/") || word.starts_with("scripts/")) {
        let path = named.split(['#', ' ', '*']).next().unwrap_or_default();
        assert!(root().join(path).exists(), "ARCHITECTURE.md names `{named}`, which does not exist");
    }
}

#[test]
fn every_reason_is_documented() {
    use countersign_core::{Reason, Told};
    let mut page = String::from(
        "# Reasons\n\nEvery refusal and limit has one stable code (law 7). Codes are API: added, deprecated, never renamed. The operator sees the\n\
         code in `countersign why`, the log and the metrics; the client is told only the class beside it. This page is generated: a test\n\
         compares it with `crates/core/src/reason.rs`.\n\n| code | told to the client as | what happened |\n|---|---|---|\n",
    );
    for reason in Reason::ALL {
        let _ = writeln!(page, "| `{}` | `{}` | {} |", reason.code(), reason.told().code(), reason.for_operator());
    }
    page += "\nA policy's `@reason` adds codes of your own; they are told as `policy`, or as `step_up` where the forbid is curable.\n\n\
             ## What the client is told\n\n| code | HTTP | retry | title | text |\n|---|---|---|---|---|\n";
    for told in Told::ALL {
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
    for floor in 0..=4_u8 {
        let rooms: Vec<_> = ROOMS.iter().filter(|(f, _, _)| *f == floor).collect();
        for (i, (_, room, _)) in rooms.iter().enumerate() {
            let x = 60 + (i * 2 + 1) * 900 / (rooms.len() * 2);
            place.insert(*room, (x, 500 - usize::from(floor) * 110));
        }
        let _ = writeln!(svg, "<text x=\"12\" y=\"{}\" fill=\"#667085\">{floor}</text>", 505 - usize::from(floor) * 110);
    }
    // What is reached through another room needs no arrow of its own.
    let deps: BTreeMap<_, _> = ROOMS.iter().map(|(_, room, _)| (*room, edges(room))).collect();
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
