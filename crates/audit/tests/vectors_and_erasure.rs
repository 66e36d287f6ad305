//! Published inclusion and consistency proofs, good and bad (transparency-dev/merkle), and what erasure leaves behind.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a test that reads files says what it misses, and stops there")]

use std::{fs, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use countersign_audit::{Hash, verify_consistency, verify_inclusion};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inclusion {
    leaf_idx: u64,
    tree_size: u64,
    root: Option<String>,
    leaf_hash: Option<String>,
    proof: Option<Vec<String>>,
    want_err: bool,
}

#[derive(Deserialize)]
struct Consistency {
    size1: u64,
    size2: u64,
    root1: Option<String>,
    root2: Option<String>,
    proof: Option<Vec<String>>,
    #[serde(rename = "wantErr")]
    want_err: bool,
}

/// Good proofs that are refused here, each with its reason; an entry that no longer applies fails the test.
const STRICTER: &[(&str, &str)] = &[("sizes-are-equal-one-and-proof-is-empty.json", "its roots are texts; a root of ours has 32 bytes")];

fn hash(text: &Option<String>) -> Option<Hash> {
    STANDARD.decode(text.as_ref()?).ok()?.try_into().ok().map(Hash)
}

fn path(texts: &Option<Vec<String>>) -> Option<Vec<Hash>> {
    texts.iter().flatten().map(|text| hash(&Some(text.clone()))).collect()
}

fn files(folder: &str) -> Vec<std::path::PathBuf> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/merkle")).join(folder);
    if !root.is_dir() {
        println!("skipped: shared/ is not beside the checkout");
        return Vec::new();
    }
    let (mut waiting, mut found) = (vec![root], Vec::new());
    while let Some(dir) = waiting.pop() {
        for entry in fs::read_dir(dir).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                waiting.push(path)
            } else if path.extension().is_some_and(|e| e == "json") {
                found.push(path)
            }
        }
    }
    assert!(found.len() > 20, "only {} vectors in {folder}", found.len());
    found
}

#[test]
fn inclusion() {
    for file in files("inclusion") {
        let case: Inclusion = serde_json::from_slice(&fs::read(&file).expect("a file")).expect("a case");
        let parsed = hash(&case.leaf_hash).zip(hash(&case.root)).zip(path(&case.proof));
        let holds = parsed.is_some_and(|((leaf, root), path)| verify_inclusion(leaf, case.leaf_idx, case.tree_size, &path, root).is_ok());
        let stricter = STRICTER.iter().any(|(name, _)| file.ends_with(name));
        assert_eq!(holds, !case.want_err && !stricter, "{}", file.display());
    }
}

#[test]
fn consistency() {
    for file in files("consistency") {
        let case: Consistency = serde_json::from_slice(&fs::read(&file).expect("a file")).expect("a case");
        let parsed = hash(&case.root1).zip(hash(&case.root2)).zip(path(&case.proof));
        let holds = parsed.is_some_and(|((a, b), path)| verify_consistency((case.size1, a), (case.size2, b), &path).is_ok());
        let stricter = STRICTER.iter().any(|(name, _)| file.ends_with(name));
        assert_eq!(holds, !case.want_err && !stricter, "{}", file.display());
    }
}

/// Five thousand records of five people; one is erased (EXPERIENCE: a log that stays provable after erasure).
#[test]
fn erasing_a_person_changes_no_proof_and_leaves_nothing_to_read_or_guess() {
    use countersign_audit::{
        Disclosure, Entry, Event, Identity, PersonKey, PersonalField, PersonalName, Recorded, SealBytes, check_disclosure, disclose,
        inclusion_proof, leaf_hash, open, root, seal,
    };
    use countersign_core::{DecisionId, Secret, UnixMillis};
    let keys: Vec<_> = (0..5_u8).map(|n| PersonKey::new(&Secret::new([n; 32])).expect("a key")).collect();
    let mut records = Vec::new();
    for n in 0..5_000_u32 {
        let mut bytes = [0; SealBytes::LENGTH];
        bytes.iter_mut().zip(leaf_hash(&n.to_be_bytes()).0.iter().cycle()).for_each(|(to, from)| *to = *from);
        let entry = Entry {
            at: UnixMillis(u64::from(n)),
            decision: DecisionId::from_random(u64::from(n).to_be_bytes()),
            event: Event::allowed(Recorded::Request(Box::default())),
            person: None,
            identity: Identity { address: Some(format!("203.0.{}.0", n % 5)), ..Identity::default() },
        };
        let key = keys.get(usize::try_from(n % 5).expect("small")).expect("a key");
        records.push(seal(&entry, Some(key), &SealBytes::new(&bytes)).expect("sealed"));
    }
    let leaves: Vec<_> = records.iter().map(|json| leaf_hash(json.as_bytes())).collect();
    let whole = root(&leaves);
    let index = 1_003;
    let record = records.get(index).expect("a record of the erased person");
    // What an attacker would have to know: read while the key exists.
    let remembered = disclose(record, keys.get(3).expect("a key"), &[PersonalName::Address]).expect("opens").pop().expect("a field");
    // Erasure destroys key 3; nothing of the log is touched, so every proof stays what it was.
    let kept: Vec<_> = keys.into_iter().enumerate().filter(|(n, _)| *n != 3).map(|(_, key)| key).collect();
    let proof = inclusion_proof(&leaves, index).expect("a leaf");
    let leaf = leaf_hash(record.as_bytes());
    assert!(verify_inclusion(leaf, 1_003, 5_000, &proof, whole).is_ok());
    assert_eq!(proof.len(), 13);
    assert_eq!(root(&records.iter().map(|json| leaf_hash(json.as_bytes())).collect::<Vec<_>>()), whole);
    assert!(kept.iter().all(|key| open(record, key).is_err()), "another person's key opens it");
    // Whoever tries every /24 needs the salt, which is in the box: with it the right one shows, without it none does.
    let fits = |salt: [u8; 16]| {
        let field = |n: u8| PersonalField { name: PersonalName::Address, value: format!("203.0.{n}.0") };
        (0..=255_u8)
            .filter(|n| check_disclosure(record, &Disclosure { field: field(*n), salt, place: remembered.place.clone() }).is_ok())
            .collect::<Vec<_>>()
    };
    assert_eq!(fits(remembered.salt), [3], "the attack itself works");
    let others = records.iter().zip(0..5_000_u32).filter(|(_, n)| n % 5 == 0).take(100);
    let known = others.filter_map(|(record, _)| disclose(record, kept.first()?, &[PersonalName::Address]).ok()?.pop());
    let guesses: Vec<_> = known.map(|other| other.salt).chain([[0; 16], [255; 16]]).collect();
    assert_eq!(guesses.len(), 102);
    assert!(guesses.into_iter().all(|salt| fits(salt).is_empty()), "a commitment was guessed back");
    assert!(!record.contains("203.0."));
}
