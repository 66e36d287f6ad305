//! Development tokens, and the phones that each enrolled.

use std::sync::Arc;

use countersign_core::{DeviceId, Seconds, UnixSeconds};
use countersign_identity::DevToken;

use crate::{
    dev_tokens::{DevTokenNoted, KeptDevToken},
    suite::{
        race::race,
        samples::{NOW, dev_token, device, hash},
        world::Home,
    },
};

/// Phone of the given number.
fn phone(number: u16) -> DeviceId {
    device(number).posture.device
}

/// Development token that was never used.
fn unused(number: u16) -> KeptDevToken {
    KeptDevToken { token: dev_token(number), phones: Vec::new(), last_used_at: None }
}

pub(crate) async fn what_was_made_is_found_after_a_restart(home: &dyn Home) {
    let tokens = home.open().await.dev_tokens;
    for number in 1..=6 {
        assert_eq!(tokens.create(dev_token(number)).await, Ok(()));
    }
    assert!(tokens.create(DevToken { hash: hash(9), ..dev_token(1) }).await.is_err(), "a second token of one id");
    assert!(tokens.create(DevToken { id: dev_token(9).id, ..dev_token(1) }).await.is_err(), "a second token of one hash");
    let earlier = NOW.minus(Seconds(5));
    for (number, at) in [(2, NOW), (1, earlier)] {
        assert_eq!(tokens.note_use(&dev_token(1).id, &phone(number), at).await, Ok(DevTokenNoted::Noted));
    }
    let tokens = home.open().await.dev_tokens;
    let mut phones = vec![phone(1), phone(2)];
    phones.sort_unstable();
    let used = KeptDevToken { phones, last_used_at: Some(NOW), ..unused(1) };
    assert_eq!(tokens.find(&hash(1)).await, Ok(Some(used)));
    for number in 2..=6 {
        assert_eq!(tokens.find(&hash(number)).await, Ok(Some(unused(number))), "its own phones only");
    }
    assert_eq!(tokens.find(&hash(9)).await, Ok(None));
}

pub(crate) async fn racing_phones_share_the_places(home: &dyn Home) {
    let tokens = home.open().await.dev_tokens;
    assert_eq!(tokens.create(dev_token(1)).await, Ok(()));
    // Each of eight phones comes twice, for three places.
    let noted = race(16, |task| {
        let (tokens, number) = (Arc::clone(&tokens), u16::try_from(task / 2).expect("few"));
        async move { (number, tokens.note_use(&dev_token(1).id, &phone(number), NOW).await.expect("an answer")) }
    })
    .await;
    let mut winners: Vec<_> = noted.iter().filter(|(_, noted)| *noted == DevTokenNoted::Noted).map(|(number, _)| phone(*number)).collect();
    assert_eq!(winners.len(), 6, "both calls of three phones: {noted:?}");
    winners.sort_unstable();
    winners.dedup();
    let tokens = home.open().await.dev_tokens;
    let kept = tokens.find(&hash(1)).await.expect("an answer").expect("a token");
    assert_eq!((kept.phones.len(), &kept.phones), (3, &winners));
    assert_eq!(tokens.note_use(&dev_token(1).id, &phone(99), NOW).await, Ok(DevTokenNoted::Refused), "a fourth phone");
    for known in &winners {
        assert_eq!(tokens.note_use(&dev_token(1).id, known, NOW).await, Ok(DevTokenNoted::Noted), "a phone that counts already");
    }
}

pub(crate) async fn a_use_is_noted_in_its_time(home: &dyn Home) {
    let tokens = home.open().await.dev_tokens;
    assert_eq!(tokens.create(dev_token(1)).await, Ok(()));
    assert_eq!(tokens.create(DevToken { phones_max: 0, ..dev_token(2) }).await, Ok(()));
    let rows: &[(&str, u16, u64, DevTokenNoted)] = &[
        ("in its last second", 1, NOW.0, DevTokenNoted::Noted),
        ("one second late", 1, NOW.0 + 1, DevTokenNoted::Refused),
        ("at the end of time", 1, u64::MAX, DevTokenNoted::Refused),
        ("for no phone", 2, NOW.0, DevTokenNoted::Refused),
        ("never made", 9, NOW.0, DevTokenNoted::Refused),
    ];
    for (name, number, now, expected) in rows {
        let noted = tokens.note_use(&dev_token(*number).id, &phone(1), UnixSeconds(*now)).await;
        assert_eq!(noted, Ok(*expected), "{name}");
    }
    assert_eq!(tokens.find(&hash(1)).await.map(|kept| kept.and_then(|kept| kept.last_used_at)), Ok(Some(NOW)), "what counted");
}

pub(crate) async fn revoked_is_final(home: &dyn Home) {
    let tokens = home.open().await.dev_tokens;
    assert_eq!(tokens.create(dev_token(1)).await, Ok(()));
    assert_eq!(tokens.note_use(&dev_token(1).id, &phone(1), NOW).await, Ok(DevTokenNoted::Noted));
    let token = DevToken { revoked_at: Some(NOW), ..dev_token(1) };
    let revoked = KeptDevToken { token, phones: vec![phone(1)], last_used_at: Some(NOW) };
    assert_eq!(tokens.revoke(&dev_token(1).id, NOW).await, Ok(Some(revoked.clone())));
    let tokens = home.open().await.dev_tokens;
    for number in [1, 2] {
        assert_eq!(tokens.note_use(&dev_token(1).id, &phone(number), NOW).await, Ok(DevTokenNoted::Refused));
    }
    assert_eq!(tokens.revoke(&dev_token(1).id, NOW.plus(Seconds(9))).await, Ok(Some(revoked.clone())), "the first instant stays");
    assert_eq!(tokens.find(&hash(1)).await, Ok(Some(revoked)));
    assert_eq!(tokens.revoke(&dev_token(9).id, NOW).await, Ok(None));
}

/// Checks that every noted phone is among those that the revocation names, so that each can be cut off.
pub(crate) async fn of_revocation_and_use_one_comes_first(home: &dyn Home) {
    let tokens = home.open().await.dev_tokens;
    for number in 1..=16 {
        assert_eq!(tokens.create(dev_token(number)).await, Ok(()));
        let both = race(2, |task| {
            let tokens = Arc::clone(&tokens);
            async move {
                if task == 0 {
                    let noted = tokens.note_use(&dev_token(number).id, &phone(1), NOW).await.expect("an answer");
                    vec![phone(1)].into_iter().filter(|_| noted == DevTokenNoted::Noted).collect::<Vec<_>>()
                } else {
                    tokens.revoke(&dev_token(number).id, NOW).await.expect("an answer").expect("a token").phones
                }
            }
        })
        .await;
        assert!(both.windows(2).all(|pair| pair.first() == pair.last()), "{both:?}");
    }
}

pub(crate) async fn lists_are_newest_first(home: &dyn Home) {
    let tokens = home.open().await.dev_tokens;
    for number in [2, 3, 1] {
        assert_eq!(tokens.create(dev_token(number)).await, Ok(()));
    }
    let all = [unused(3), unused(2), unused(1)];
    for (count_max, expected) in [(10, &all[..]), (3, &all[..]), (2, &all[..2]), (0, &[])] {
        assert_eq!(tokens.list(count_max).await.as_deref(), Ok(expected), "at most {count_max}");
    }
}
