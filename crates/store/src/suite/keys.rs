//! Tests of the promises about the node's own keys and the keys that seal people's fields.

use std::sync::Arc;

use countersign_core::{KeyId, Seconds, Secret};

use crate::{
    keys::{KeyPurpose, Keys, StoredKey},
    suite::{
        race::{abandon, departures, race},
        samples::{NOW, bytes, user},
        world::Home,
    },
};

const PURPOSES: [KeyPurpose; 5] =
    [KeyPurpose::AccessToken, KeyPurpose::Checkpoint, KeyPurpose::Pairwise, KeyPurpose::Refresh, KeyPurpose::Statement];

fn key(id: &str, age: u64) -> StoredKey {
    let secret = Secret::new(format!("secret of {id}").into_bytes());
    StoredKey { id: KeyId::parse(id).expect("an id"), secret, created_at: NOW.minus(Seconds(age)) }
}

async fn ids(keys: &dyn Keys, purpose: KeyPurpose) -> Vec<String> {
    let listed = keys.list(purpose).await.expect("a list");
    for key in &listed {
        assert_eq!(key.secret.expose(), format!("secret of {}", key.id).as_bytes(), "the key of its name");
    }
    listed.iter().map(|key| key.id.as_str().to_owned()).collect()
}

pub(crate) async fn our_keys_are_kept_by_purpose(home: &dyn Home) {
    let keys = home.open().await.keys;
    for purpose in PURPOSES {
        assert_eq!(ids(&*keys, purpose).await, [""; 0], "{purpose:?}");
        for (id, age) in [("middle", 5), ("oldest", 9), ("newest", 1), ("as old as the newest", 1)] {
            assert_eq!(keys.add(purpose, key(&id.replace(' ', "-"), age)).await, Ok(()), "{purpose:?}");
        }
        assert!(keys.add(purpose, key("middle", 5)).await.is_err(), "one name is one key");
    }
    let keys = home.open().await.keys;
    let middle = KeyId::parse("middle").expect("an id");
    for purpose in PURPOSES {
        assert_eq!(ids(&*keys, purpose).await, ["oldest", "middle", "newest", "as-old-as-the-newest"], "{purpose:?}");
        assert_eq!(keys.remove(purpose, &middle).await, Ok(()));
        assert_eq!(keys.remove(purpose, &middle).await, Ok(()), "what is gone is gone");
    }
    let keys = home.open().await.keys;
    for purpose in PURPOSES {
        assert_eq!(ids(&*keys, purpose).await, ["oldest", "newest", "as-old-as-the-newest"], "{purpose:?}");
    }
}

pub(crate) async fn racing_callers_get_one_key(home: &dyn Home) {
    let keys = home.open().await.subject_keys;
    assert_eq!(keys.find(&user(1).id).await, Ok(None));
    let given = race(16, |task| {
        let keys = Arc::clone(&keys);
        let fresh = Secret::new(bytes(u16::try_from(task).expect("few")));
        async move { keys.key(&user(1).id, fresh).await.expect("an answer").expect("a key") }
    })
    .await;
    let first = given.first().expect("sixteen");
    assert!(given.iter().all(|key| key == first), "two keys for one person");
    let keys = home.open().await.subject_keys;
    assert_eq!(keys.find(&user(1).id).await, Ok(Some(first.clone())));
    assert_eq!(keys.key(&user(1).id, Secret::new([99; 32])).await, Ok(Some(first.clone())));
    assert_eq!(keys.key(&user(2).id, Secret::new([99; 32])).await, Ok(Some(Secret::new([99; 32]))), "another person, another key");
}

/// Checks that a person who was erased stays erased: asked again, after a restart, in a race with a caller who still wants the key, and
/// before there ever was one.
pub(crate) async fn destroyed_is_for_good(home: &dyn Home) {
    let keys = home.open().await.subject_keys;
    assert!(keys.key(&user(1).id, Secret::new([1; 32])).await.is_ok());
    for number in [1, 2] {
        assert_eq!(keys.destroy(&user(number).id).await, Ok(()));
        assert_eq!(keys.destroy(&user(number).id).await, Ok(()), "destroying what is destroyed changes nothing");
    }
    race(12, |task| {
        let keys = Arc::clone(&keys);
        async move {
            if task == 5 {
                assert_eq!(keys.destroy(&user(3).id).await, Ok(()));
            } else {
                drop(keys.key(&user(3).id, Secret::new([3; 32])).await);
            }
        }
    })
    .await;
    assert!(keys.key(&user(4).id, Secret::new([4; 32])).await.is_ok());
    for (_, polls) in departures() {
        abandon(keys.destroy(&user(4).id), polls).await;
    }
    assert_eq!(keys.destroy(&user(4).id).await, Ok(()), "asked again until it was acknowledged");
    for _ in 0..2 {
        let keys = home.open().await.subject_keys;
        for number in 1..=4 {
            assert_eq!(keys.find(&user(number).id).await, Ok(None), "{number}");
            assert_eq!(keys.key(&user(number).id, Secret::new([9; 32])).await, Ok(None), "{number}");
        }
    }
}
