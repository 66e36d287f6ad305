//! States survive a restart, and damage is found.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use crate::town::{DAY, HOUR, START, home, login, monitor, phone, town};
use countersign_core::UnixSeconds;
use countersign_risk::{
    fingerprint::Salt,
    frames::{Frame, FrameRefusal, read, read_all, write},
    login::LoginRule,
    monitor::LoginMonitor,
    population::Population,
    profile::Profile,
};

const SALT: Salt = Salt(7);

fn frames() -> Vec<Vec<u8>> {
    let mut monitor = monitor();
    town(&mut monitor, 3);
    monitor.frames().collect()
}

fn restore(frames: &[Vec<u8>], salt: Salt) -> Result<LoginMonitor, FrameRefusal> {
    LoginMonitor::restore(LoginRule::default(), salt, 10_000, frames.iter().map(Vec::as_slice))
}

#[test]
fn a_restart_changes_no_score() {
    let mut before = monitor();
    town(&mut before, 3);
    let frames: Vec<Vec<u8>> = before.frames().collect();
    let mut after = restore(&frames, SALT).unwrap();
    for n in 0..80_u64 {
        let machine = phone(&format!("p{n}"));
        let at = UnixSeconds(START + 60 * DAY + n * HOUR);
        let login = login(&machine, &home(n + 1));
        let person = format!("u{n}");
        assert_eq!(before.assess(&person, &login, at), after.assess(&person, &login, at), "{person}");
    }
    assert_eq!(after.population(), before.population());
    let sizes: Vec<usize> = after.people().iter().map(|(_, profile)| profile.bytes()).collect();
    assert!(sizes.iter().all(|bytes| *bytes <= 2048), "{:?}", sizes.iter().max());
}

#[test]
fn every_refusal() {
    let good = frames();
    let (first, end) = (good.first().unwrap(), good.last().unwrap());
    let rows: Vec<(&str, Vec<Vec<u8>>, Salt, FrameRefusal)> = vec![
        ("nothing", vec![], SALT, FrameRefusal::EndMissing),
        ("cut off after whole frames", good.iter().take(10).cloned().collect(), SALT, FrameRefusal::EndMissing),
        (
            "a person lost",
            good.iter().enumerate().filter(|(i, _)| *i != 5).map(|(_, f)| f.clone()).collect(),
            SALT,
            FrameRefusal::EndMissing,
        ),
        ("no population", good.iter().skip(1).cloned().collect(), SALT, FrameRefusal::FrameUnexpected),
        ("two populations", vec![first.clone(), first.clone(), end.clone()], SALT, FrameRefusal::FrameUnexpected),
        ("a frame after the end", good.iter().chain([end]).cloned().collect(), SALT, FrameRefusal::FrameUnexpected),
        ("a frame of three bytes", vec![vec![1, 2, 3]], SALT, FrameRefusal::LengthMismatch),
        ("another salt", good.clone(), Salt(8), FrameRefusal::SaltMismatch),
        ("a flipped bit", vec![flipped(first, 100)], SALT, FrameRefusal::ChecksumMismatch),
        ("another version", vec![resealed(first, 4, 2)], SALT, FrameRefusal::VersionUnknown),
        ("an unknown kind of frame", vec![resealed(first, 14, 9)], SALT, FrameRefusal::FrameUnexpected),
        ("a negative count", vec![resealed(first, 24, 0xbf)], SALT, FrameRefusal::ValueImpossible),
        ("a byte too many", vec![with_a_byte_more(first)], SALT, FrameRefusal::LengthMismatch),
    ];
    for (name, frames, salt, refusal) in rows {
        assert_eq!(read_all(frames.iter().map(Vec::as_slice), salt).err(), Some(refusal), "{name}");
        assert!(restore(&frames, salt).is_err(), "{name}");
    }
    assert!(restore(&good, SALT).is_ok());
}

fn flipped(frame: &[u8], at: usize) -> Vec<u8> {
    let mut frame = frame.to_vec();
    *frame.get_mut(at).unwrap() ^= 1;
    frame
}

/// The frame with another byte and a checksum that fits again: what a forger would do.
fn resealed(frame: &[u8], at: usize, byte: u8) -> Vec<u8> {
    let mut body = frame.split_last_chunk::<8>().unwrap().0.to_vec();
    *body.get_mut(at).unwrap() = byte;
    seal(body)
}

fn with_a_byte_more(frame: &[u8]) -> Vec<u8> {
    let mut body = frame.split_last_chunk::<8>().unwrap().0.to_vec();
    body.push(0);
    seal(body)
}

fn seal(mut body: Vec<u8>) -> Vec<u8> {
    let sum = Salt(1).long(countersign_risk::fingerprint::Field::Subject, &body);
    body.extend(sum.to_le_bytes());
    body
}

#[test]
fn any_changed_byte_is_found() {
    let frame = frames().remove(3);
    for at in 0..frame.len() {
        assert!(read(&flipped(&frame, at), SALT).is_err(), "byte {at}");
    }
    for length in 0..frame.len() {
        assert!(read(frame.get(..length).unwrap(), SALT).is_err(), "{length} bytes");
    }
}

#[test]
fn states_of_two_nodes_join_in_any_order_and_as_often_as_one_likes() {
    let (mut one, mut other) = (monitor(), monitor());
    town(&mut one, 3);
    town(&mut other, 4);
    let people = |monitor: &LoginMonitor| monitor.people().iter().map(|(key, profile)| (key, profile.clone())).collect::<Vec<_>>();
    let (theirs, ours) = (people(&other), people(&one));
    let (their_town, our_town) = (other.population().clone(), one.population().clone());
    one.join(&their_town, theirs.clone());
    other.join(&our_town, ours);
    assert_eq!(one.population(), other.population());
    let once = people(&one);
    one.join(&their_town, theirs);
    assert_eq!(people(&one), once);
}

proptest::proptest! {
    #[test]
    fn reading_never_panics(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..2000)) {
        let _ = read(&bytes, SALT);
        let _ = read(&seal(bytes), SALT);
    }

    #[test]
    fn a_resealed_frame_is_read_or_refused(at in 14_usize..900, byte in proptest::num::u8::ANY) {
        let profile = Frame::Person { key: 1, profile: Box::new(Profile::default()) };
        let population = Frame::Population { population: Box::new(Population::default()) };
        for frame in [write(&profile, SALT), write(&population, SALT)] {
            if at + 8 < frame.len() {
                let _ = read(&resealed(&frame, at, byte), SALT);
            }
        }
    }
}
