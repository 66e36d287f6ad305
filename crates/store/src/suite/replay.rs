//! A proof counts once.

use std::sync::Arc;

use countersign_core::{DeviceId, ProofId, Seconds, Secret, UnixSeconds};
use countersign_proof::{
    dpop::{self, BoundProof, BoundTo, Expected, ProofToMake},
    jwk::{Algorithm, SigningKey},
    nonce::NonceKeys,
    target::Target,
    window::NonceRule,
};

use crate::{
    replay::SpendError,
    spender::Spender,
    suite::{race::race, samples::NOW, world::Fast},
};

/// Phone that makes proofs, and the server that it sends them to.
#[derive(Clone)]
pub(crate) struct Phone {
    key: Arc<SigningKey>,
    target: Target,
    device: DeviceId,
}

impl Phone {
    pub(crate) fn new() -> Self {
        let (key, _) = SigningKey::generate(Algorithm::EdDsa).expect("a key");
        let mut id = [0; 16];
        id.copy_from_slice(&key.public().thumbprint().as_bytes()[..16]);
        let target = Target::parse("https://api.example.com/pay").expect("a target");
        Self { key: Arc::new(key), target, device: DeviceId::from_random(id) }
    }

    /// Enrolled device whose proofs these are.
    const fn known(&self) -> Spender<'_> {
        Spender::Device(&self.device)
    }

    /// Makes the proof of that number at an instant. The same arguments give the same proof, as a captured one would be.
    pub(crate) fn proof(&self, number: usize, at: UnixSeconds) -> BoundProof {
        let nonces = NonceKeys::new(&Secret::new([1; 32]), None);
        let id = ProofId::parse(&format!("proof-{number}")).expect("an id");
        let made = ProofToMake { method: "POST", target: &self.target, token_hash: None, nonce: None, id: &id, issued_at: at };
        let text = dpop::make(&self.key, &made).expect("a proof");
        let nonces = NonceRule::Accepted(&nonces);
        let expected = Expected { method: "POST", target: &self.target, bound_to: BoundTo::TokenRequest, nonces };
        dpop::bind(dpop::read(&text).expect("a proof"), &expected, at).expect("a proof that fits")
    }
}

pub(crate) async fn a_proof_counts_once(fast: &Fast) {
    let phone = Phone::new();
    let spent = race(16, |_| {
        let (replay, proof) = (Arc::clone(&fast.replay), phone.proof(1, NOW));
        let phone = phone.clone();
        async move { replay.spend(proof, phone.known(), NOW).await.map(|fresh| *fresh.key()) }
    })
    .await;
    let fresh: Vec<_> = spent.iter().flatten().collect();
    assert_eq!(fresh, [phone.key.public().thumbprint()], "one wins, and it is the key that signed");
    assert_eq!(spent.iter().filter(|lost| **lost == Err(SpendError::AlreadySpent)).count(), 15);
    assert!(fast.replay.spend(phone.proof(2, NOW), phone.known(), NOW).await.is_ok(), "another proof");
    let other = Phone::new();
    assert!(fast.replay.spend(other.proof(1, NOW), other.known(), NOW).await.is_ok(), "another phone's proof of the same name");
}

pub(crate) async fn a_proof_is_remembered_through_its_last_second(fast: &Fast) {
    let phone = Phone::new();
    let end = phone.proof(0, NOW).remember_until();
    assert!(fast.replay.spend(phone.proof(0, NOW), phone.known(), NOW).await.is_ok());
    for now in [NOW, end.minus(Seconds(1)), end] {
        // Others come and go; they must not push it out.
        for number in 1..40 {
            drop(fast.replay.spend(phone.proof(number, now), phone.known(), now).await);
        }
        let again = fast.replay.spend(phone.proof(0, NOW), phone.known(), now).await;
        assert_eq!(again.map(drop), Err(SpendError::AlreadySpent), "{} seconds later", now.since(NOW).0);
    }
}

/// Checks that a proof whose use was forgotten with time does not count again when the clock is set back.
pub(crate) async fn whatever_the_clock_does_no_proof_counts_twice(fast: &Fast) {
    let phone = Phone::new();
    let (proof, end) = (phone.proof(0, NOW), phone.proof(0, NOW).remember_until());
    assert!(fast.replay.spend(proof, phone.known(), NOW).await.is_ok());
    let later = end.plus(Seconds(1));
    for number in 1..200 {
        assert!(fast.replay.spend(phone.proof(number, later), phone.known(), later).await.is_ok());
    }
    for now in [later, end, NOW, UnixSeconds(0), later, later.plus(Seconds(1000))] {
        assert!(fast.replay.spend(phone.proof(0, NOW), phone.known(), now).await.is_err(), "the clock says {now}");
    }
    let ahead = later.plus(Seconds(1));
    assert!(
        fast.replay.spend(phone.proof(1000, ahead), phone.known(), ahead).await.is_ok(),
        "the clock is right again, and so are its proofs"
    );
}

/// Fills the memory up; `room` is the largest number of proofs that fit.
pub(crate) async fn a_full_memory_refuses_and_forgets_nothing(fast: &Fast, room: usize) {
    let mut remembered = Vec::new();
    let mut refused = 0;
    for number in 0..room * 4 {
        // Each by a device of its own: one alone does not get all of it.
        let phone = Phone::new();
        match fast.replay.spend(phone.proof(number, NOW), phone.known(), NOW).await.map(drop) {
            Ok(()) => remembered.push((number, phone)),
            Err(why) => {
                assert_eq!(why, SpendError::Full);
                refused += 1;
            }
        }
    }
    assert!(remembered.len() <= room, "{} in the room of {room}", remembered.len());
    assert!(refused > 0 && !remembered.is_empty());
    for (number, phone) in &remembered {
        let again = fast.replay.spend(phone.proof(*number, NOW), phone.known(), NOW).await;
        assert_eq!(again.map(drop), Err(SpendError::AlreadySpent), "full, and still not replayed");
    }
    let phone = Phone::new();
    let later = phone.proof(0, NOW).remember_until().plus(Seconds(1));
    assert!(fast.replay.spend(phone.proof(room * 5, later), phone.known(), later).await.is_ok(), "time makes room");
}

/// Floods with proofs of keys that are nobody's; `room` is about the number of strangers' proofs that fit.
pub(crate) async fn nobodys_keys_refuse_no_device(fast: &Fast, room: usize) {
    let (phone, honest) = (Phone::new(), Phone::new());
    let stranger = async |phone: &Phone, number, at| fast.replay.spend(phone.proof(number, at), Spender::Stranger, at).await.map(drop);
    assert_eq!(stranger(&phone, 0, NOW).await, Ok(()));
    // Twenty seconds of a flood that fills the room in eight.
    for second in 1..=20_u16 {
        let at = NOW.plus(Seconds(second.into()));
        for number in 1..=room / 8 {
            assert_eq!(stranger(&Phone::new(), number, at).await, Ok(()), "strangers are not refused for their number");
        }
        let served = fast.replay.spend(honest.proof(second.into(), at), honest.known(), at).await;
        assert!(served.is_ok(), "a device is served throughout");
    }
    let again = stranger(&phone, 0, NOW).await;
    assert!(matches!(again, Err(SpendError::AlreadySpent | SpendError::CrowdedOut)), "and no proof counts twice: {again:?}");
}

/// Ten devices send as fast as they can; `room` is the number of proofs that fit.
pub(crate) async fn of_those_who_flood_something_is_left_for_others(fast: &Fast, room: usize) {
    let flooding: Vec<_> = (0..10).map(|_| Phone::new()).collect();
    let mut held = 0;
    for number in 0..room {
        for phone in &flooding {
            match fast.replay.spend(phone.proof(number, NOW), phone.known(), NOW).await.map(drop) {
                Ok(()) => held += 1,
                Err(why) => assert_eq!(why, SpendError::ShareUsed),
            }
        }
    }
    assert!(held > room / 2, "what is free may be used: {held}");
    for _ in 0..5 {
        let honest = Phone::new();
        for number in 0..10 {
            let served = fast.replay.spend(honest.proof(number, NOW), honest.known(), NOW).await;
            assert!(served.is_ok(), "the others are served: {served:?}");
        }
    }
}
