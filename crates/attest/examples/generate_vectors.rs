//! Makes the vectors in `tests/vectors` again: `cargo run -p countersign-attest --example generate_vectors`.
//!
//! The keys are new each time and are not kept. The expected results are written here and not taken from our own verifier.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a developer's tool, which stops where it cannot go on")]

use std::{fs, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use countersign_attest::android::{ApplicationId, Origin, Package, Tag, Value};
use countersign_core::{BootState, SecurityLevel};
use rcgen::{BasicConstraints, IsCa, KeyUsagePurpose, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};
use serde_json::{Value as Json, json};

#[path = "../tests/ca/mod.rs"]
mod ca;

use ca::{
    BORN, Blueprint, CHALLENGE, EXPIRES, Made, NOW, Phone, append, extension, hardware_with, honest, make, pem, root_of_trust,
    software_with,
};

/// Collector of cases, which writes their files.
struct Writer<'a> {
    folder: &'a Path,
    cases: Vec<Json>,
}

impl Writer<'_> {
    fn add(&mut self, id: &str, phone: &Phone, change: impl FnOnce(&mut Json)) {
        fs::write(self.folder.join(format!("chains/{id}.pem")), pem(&phone.ders)).expect("a chain is written");
        fs::write(self.folder.join(format!("anchors/{id}.pem")), &phone.root_pem).expect("an anchor is written");
        self.case(id, id, change);
    }

    /// Adds a case over the files of another one.
    fn case(&mut self, id: &str, files: &str, change: impl FnOnce(&mut Json)) {
        let mut case = json!({
            "id": id,
            "chain": format!("chains/{files}.pem"),
            "at": NOW,
            "challenge_b64": STANDARD.encode(CHALLENGE),
            "anchors": [files],
            "requirements": strict(),
            "expect": { "verdict": "accepted" },
        });
        change(&mut case);
        self.cases.push(case);
    }

    /// Adds a chain with one broken part, and the code that it must give.
    fn broken(&mut self, id: &str, code: &str, phone: &Phone) {
        self.add(id, phone, |case| refused(case, code));
    }

    /// Adds a chain from an honest blueprint with one change, and the code that it must give.
    fn changed(&mut self, id: &str, code: &str, change: impl FnOnce(&mut Blueprint)) {
        let mut blueprint = honest(Made::Factory);
        change(&mut blueprint);
        self.broken(id, code, &make(&blueprint));
    }

    /// Adds an honest chain that is judged by other requirements, and the code that it must give.
    fn judged(&mut self, id: &str, code: &str, files: &str, change: impl FnOnce(&mut Json)) {
        self.case(id, files, |case| {
            change(case);
            refused(case, code);
        });
    }
}

fn refused(case: &mut Json, code: &str) {
    case["expect"] = json!({ "verdict": "refused", "reason_any": [code] });
}

fn strict() -> Json {
    json!({
        "security_level_min": "TRUSTED_ENVIRONMENT",
        "boot_state": ["VERIFIED"],
        "require_locked": true,
        "require_root_of_trust": true,
        "apps": [{ "package": ca::PACKAGE, "signers_b64": [STANDARD.encode(ca::SIGNER)] }],
        "require_own_application": true,
        "require_p256": true,
        "require_generated": true,
        "require_sign_only": true,
    })
}

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    for name in ["chains", "anchors"] {
        let _ = fs::remove_dir_all(folder.join(name));
        fs::create_dir_all(folder.join(name)).expect("a folder");
    }
    let mut writer = Writer { folder: &folder, cases: Vec::new() };
    honest_phones(&mut writer);
    broken_chains(&mut writer);
    times_and_lists(&mut writer);
    weak_phones(&mut writer);
    wrong_keys(&mut writer);
    let json = serde_json::to_string_pretty(&writer.cases).expect("cases as JSON");
    fs::write(folder.join("cases.json"), json + "\n").expect("the cases are written");
}

fn honest_phones(writer: &mut Writer<'_>) {
    writer.add("factory", &make(&honest(Made::Factory)), |case| {
        case["expect"]["description"] = json!({
            "attestationVersion": "300",
            "attestationSecurityLevel": "TRUSTED_ENVIRONMENT",
            "attestationChallenge": STANDARD.encode(CHALLENGE),
            "softwareEnforced": { "attestationApplicationId": { "packages": [{ "name": ca::PACKAGE, "version": "42" }] } },
            "hardwareEnforced": {
                "purposes": ["2"],
                "origin": "GENERATED",
                "noAuthRequired": true,
                "rootOfTrust": { "deviceLocked": true, "verifiedBootState": "VERIFIED" },
                "osVersion": "150000",
                "osPatchLevel": "202506",
            },
        });
    });
    writer.add("remote", &make(&honest(Made::Remote)), |_| {});
    writer.add("software", &make(&honest(Made::Software)), |case| {
        case["requirements"] = json!({
            "security_level_min": "SOFTWARE", "boot_state": [], "require_locked": false, "require_root_of_trust": false,
        });
    });
    writer.judged("software_enforced", "key_not_hardware", "software", |_| {});
}

fn broken_chains(writer: &mut Writer<'_>) {
    let fresh = || make(&honest(Made::Factory));
    let (mut swapped, other) = (fresh(), fresh());
    swapped.ders[0] = other.ders[0].clone();
    writer.broken("another_phones_leaf", "chain_signature_invalid", &swapped);
    let mut cut = fresh();
    cut.ders.remove(2);
    writer.broken("intermediate_left_out", "chain_broken", &cut);
    let mut short = fresh();
    short.ders.truncate(2);
    writer.broken("root_left_out", "chain_broken", &short);
    let mut twice = fresh();
    twice.ders.insert(1, twice.ders[0].clone());
    writer.broken("leaf_twice", "chain_broken", &twice);
    let mut long = fresh();
    long.ders = (0..11).map(|_| long.ders[0].clone()).collect();
    writer.broken("eleven_certificates", "chain_broken", &long);
    let mut trailing = fresh();
    trailing.ders[1].push(0);
    writer.broken("trailing_bytes", "certificate_malformed", &trailing);
    let mut appended = fresh();
    appended.ders = append(&appended, Some(countersign_attest::android::encode(&ca::description(Made::Factory)).expect("a description")));
    writer.broken("key_appended", "chain_extended", &appended);
    let mut plain = fresh();
    plain.ders = append(&plain, None);
    writer.broken("plain_key_appended", "chain_extended", &plain);
    let mut foreign = fresh();
    foreign.root_pem = fresh().root_pem;
    writer.broken("anchor_of_the_same_name", "anchor_unknown", &foreign);
    writer.judged("no_anchor", "anchor_unknown", "factory", |case| case["anchors"] = json!([]));
    writer.changed("issuer_no_authority", "chain_broken", |b| b.intermediate_ca = IsCa::ExplicitNoCa);
    writer.changed("issuer_without_cert_sign", "chain_broken", |b| b.intermediate_usages = vec![KeyUsagePurpose::DigitalSignature]);
    writer.changed("path_too_long", "chain_broken", |b| b.intermediate_ca = IsCa::Ca(BasicConstraints::Constrained(0)));
    writer.changed("algorithm_not_taken", "chain_signature_invalid", |b| b.intermediate_algorithm = &PKCS_ED25519);
    writer.changed("unknown_restriction", "certificate_malformed", |b| {
        b.intermediate_extensions = vec![extension(&[2, 5, 29, 30], &[0x30, 0], true)];
    });
    writer.changed("no_description", "description_malformed", |b| b.extension = Some(vec![]));
    writer.changed("version_of_the_future", "description_malformed", |b| b.description.attestation_version = 600);
    writer.judged("another_challenge", "challenge_mismatch", "factory", |case| case["challenge_b64"] = json!("YW5vdGhlcg=="));
    writer.judged("no_challenge", "challenge_mismatch", "factory", |case| case["challenge_b64"] = json!(null));
}

fn times_and_lists(writer: &mut Writer<'_>) {
    writer.case("remote_last_second", "remote", |case| case["at"] = json!(EXPIRES));
    writer.judged("remote_expired", "certificate_expired", "remote", |case| case["at"] = json!(EXPIRES + 1));
    writer.case("factory_expired", "factory", |case| case["at"] = json!(EXPIRES + 1));
    writer.case("factory_first_second", "factory", |case| case["at"] = json!(BORN));
    writer.judged("factory_too_early", "certificate_not_yet_valid", "factory", |case| case["at"] = json!(BORN - 1));
    let listed = |serial: &str, status: &str| json!({ "entries": { serial: { "status": status } } });
    writer.case("others_revoked", "factory", |case| case["status_list"] = listed("c4", "REVOKED"));
    for (id, serial, status) in [
        ("attesting_key_revoked", "c3", "REVOKED"),
        ("attesting_key_suspended", "c3", "SUSPENDED"),
        ("intermediate_revoked", "b2", "REVOKED"),
        ("root_revoked", "a1", "REVOKED"),
    ] {
        writer.judged(id, "certificate_revoked", "factory", |case| case["status_list"] = listed(serial, status));
    }
    writer.case("list_just_fresh", "factory", |case| {
        case["status_list"] = listed("c4", "REVOKED");
        case["status"] = json!({ "fetched_at": NOW - 60, "age_max": 60 });
    });
    writer.judged("list_stale", "status_list_stale", "factory", |case| {
        case["status_list"] = listed("c4", "REVOKED");
        case["status"] = json!({ "fetched_at": NOW - 61, "age_max": 60 });
    });
    writer.judged("list_missing", "status_list_missing", "factory", |case| case["status"] = json!({ "fetched_at": NOW, "age_max": 60 }));
}

fn weak_phones(writer: &mut Writer<'_>) {
    let root = |change: fn(&mut countersign_attest::android::RootOfTrust)| {
        let mut root = root_of_trust();
        change(&mut root);
        hardware_with(Tag::RootOfTrust, Some(Value::RootOfTrust(root)))
    };
    writer.changed("unlocked", "bootloader_unlocked", |b| b.description.hardware_enforced = root(|r| r.device_locked = false));
    writer.changed("not_verified", "boot_not_verified", |b| {
        b.description.hardware_enforced = root(|r| r.verified_boot_state = BootState::Unverified);
    });
    writer.changed("owners_system", "boot_not_verified", |b| {
        b.description.hardware_enforced = root(|r| r.verified_boot_state = BootState::SelfSigned);
    });
    let self_signed = |keys: Json| {
        move |case: &mut Json| {
            case["requirements"]["boot_state"] = json!(["VERIFIED", "SELF_SIGNED"]);
            case["requirements"]["boot_keys_b64"] = keys;
        }
    };
    writer.case("owners_system_known", "owners_system", self_signed(json!([STANDARD.encode([9; 32])])));
    writer.judged("owners_system_unknown", "boot_not_verified", "owners_system", self_signed(json!([STANDARD.encode([1; 32])])));
    writer
        .changed("no_root_of_trust", "root_of_trust_missing", |b| b.description.hardware_enforced = hardware_with(Tag::RootOfTrust, None));
    writer.changed("attested_by_software", "key_not_hardware", |b| b.description.attestation_security_level = SecurityLevel::Software);
    writer.changed("key_in_software", "key_not_hardware", |b| b.description.key_mint_security_level = SecurityLevel::Software);
    writer.case("patched_enough", "factory", |case| case["requirements"]["patch_level_min"] = json!(202_506));
    writer.judged("patches_too_old", "patch_level_too_old", "factory", |case| case["requirements"]["patch_level_min"] = json!(202_507));
}

fn wrong_keys(writer: &mut Writer<'_>) {
    writer.changed("signs_and_decrypts", "key_purpose_wrong", |b| {
        b.description.hardware_enforced = hardware_with(Tag::Purpose, Some(Value::Integers(vec![1, 2])));
    });
    writer.changed("imported", "key_not_generated", |b| {
        b.description.hardware_enforced = hardware_with(Tag::Origin, Some(Value::Origin(Origin::Imported)));
    });
    writer.changed("open_to_all_applications", "key_open_to_all_applications", |b| {
        b.description.software_enforced = software_with(Tag::AllApplications, Some(Value::Present));
    });
    writer.changed("key_on_p384", "key_unsupported", |b| b.leaf_algorithm = &PKCS_ECDSA_P384_SHA384);
    let app = |name: &str, signer: u8| {
        let app = ApplicationId { packages: vec![Package { name: name.into(), version: 1 }], signers: vec![vec![signer; 32]] };
        software_with(Tag::AttestationApplicationId, Some(Value::Application(app)))
    };
    writer.changed("another_app", "app_unknown", |b| b.description.software_enforced = app("com.example.game", 7));
    writer.changed("repackaged_app", "app_signer_unknown", |b| b.description.software_enforced = app(ca::PACKAGE, 8));
}
