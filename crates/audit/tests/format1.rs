//! A log that the code before format 2 wrote: it is read, verified, opened and disclosed as before.

#![expect(clippy::expect_used, reason = "what fails outside of the test functions fails the test too")]

use std::{fs, path::PathBuf};

use countersign_audit::{
    CheckpointVerifier, EventKind, FactsRefusal, Line, PersonKey, PersonalName, Record, SealRefusal, Verifier, check, check_disclosure,
    disclose, open,
};
use countersign_core::{Outcome, Reason, Secret};

fn file(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format1").join(name);
    fs::read_to_string(path).expect("a file of the fixture")
}

fn log() -> String {
    file("log/log-00000000000000000000.txt")
}

fn entries() -> Vec<String> {
    let json = |line: &str| match Line::parse(line) {
        Ok(Line::Record { json, .. }) => Some(json.to_owned()),
        Ok(Line::Commit { .. } | Line::Header(_)) | Err(_) => None,
    };
    log().lines().filter_map(json).collect()
}

fn key(byte: u8) -> PersonKey {
    PersonKey::new(&Secret::new([byte; 32])).expect("a key")
}

#[test]
fn the_log_verifies() {
    let verifier = CheckpointVerifier::parse(file("log.pub").trim_end()).expect("a key");
    let mut whole = Verifier::new(&verifier, None);
    whole.segment("log");
    log().lines().for_each(|line| whole.line(line));
    let report = whole.finish();
    assert_eq!((report.committed, report.faults), (6, vec![]));
    let mut changed = Verifier::new(&verifier, None);
    changed.segment("log");
    log().lines().for_each(|line| changed.line(&line.replace("own_accounts", "any_accounts")));
    assert_eq!(changed.finish().faults.len(), 2, "both records that name the policy");
}

#[test]
fn entries_say_what_they_said() {
    let entries = entries();
    let read: Vec<_> = entries.iter().map(|json| Record::read(json).expect("an entry")).collect();
    let kinds: Vec<_> = read.iter().map(|record| record.event.kind()).collect();
    use EventKind::{ConfigActivated, DeviceAttested, DeviceEnrolled, Request, SessionChanged};
    assert_eq!(kinds, [ConfigActivated, DeviceEnrolled, DeviceAttested, Request, Request, SessionChanged]);
    let denied = read.get(4).expect("an entry");
    assert_eq!((denied.event.outcome, denied.event.reasons.as_slice()), (Outcome::Deny, &[Reason::NoPermit][..]));
    assert_eq!(denied.event.nearest().map(|name| name.as_str()), Some("own_accounts"));
    assert_eq!(denied.words().get("device.trust").map(String::as_str), Some("3"));
    assert_eq!(read.get(1).and_then(|record| record.event.client()).expect("an app").as_str(), "com.example.bank");
    // What people and programs are shown is what stands in the log, member by member.
    for (json, record) in entries.iter().zip(&read) {
        assert_eq!(serde_json::from_str::<serde_json::Value>(json).ok(), Some(record.document()));
    }
}

#[test]
fn fields_open_and_are_disclosed() {
    let entries = entries();
    let json = entries.get(3).expect("an entry");
    let fields = open(json, &key(7)).expect("opens");
    assert_eq!(fields.len(), 7);
    assert_eq!(open(json, &key(8)).err(), Some(SealRefusal::KeyMismatch));
    let record = Record::read(json).expect("an entry");
    let identity = record.open(&key(7)).expect("opens");
    assert_eq!(identity.user.as_ref().map(|user| user.as_str()), Some("u_alice"));
    assert_eq!(identity.fields(), fields);
    assert_eq!(record.facts(&identity), Err(FactsRefusal::NotDecided), "words are no facts");
    let shown = disclose(json, &key(7), &[PersonalName::Resource]).expect("opens");
    let resource = shown.first().expect("a field");
    assert_eq!(check_disclosure(json, resource).map(|field| field.value), Ok("a1".to_owned()));
    let mut other = resource.clone();
    other.field.value = "a2".to_owned();
    assert_eq!(check_disclosure(json, &other).err(), Some(SealRefusal::CommitmentMismatch));
    // The person of this entry was erased before it was written.
    assert_eq!(open(entries.get(4).expect("an entry"), &key(7)), Ok(vec![]));
}

#[test]
fn a_proof_of_then_still_holds() {
    let verifier = CheckpointVerifier::parse(file("log.pub").trim_end()).expect("a key");
    let checked = check(&file("proof.json"), &verifier).expect("holds");
    let shown: Vec<_> = checked.disclosed.iter().map(|field| (field.name.as_str(), field.value.as_str())).collect();
    assert_eq!((checked.seq, shown), (3, vec![("resource", "a1")]));
    assert!(check(&file("proof.json").replace("\"a1\"", "\"a2\""), &verifier).is_err());
}
