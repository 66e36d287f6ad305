//! Tests of the promise about the bindings of people to devices.

use countersign_core::{Acr, Seconds, UnixSeconds};
use countersign_identity::{Binding, BindingRefusal, BindingRules, BindingState, OpenedBy, PasskeyPlace};

use crate::{
    bindings::BindError,
    suite::{
        race::race,
        samples::{NOW, device, user},
        world::Home,
    },
};

const RULES: BindingRules = BindingRules { devices_max: 2, cool_down: Seconds(100) };

/// Binding of the person of one number to the device of another.
fn binding(person: u16, phone: u16) -> Binding {
    Binding {
        user: user(person).id,
        device: device(phone).posture.device,
        acr: Acr::PhishingResistant,
        opened_by: Some(OpenedBy { credential: [7; 32], place: PasskeyPlace::Copyable }),
        bound_at: NOW.plus(Seconds(phone.into())),
        seen_on: UnixSeconds(86_400),
        state: BindingState::Active,
    }
}

pub(crate) async fn what_was_bound_is_found_after_a_restart(home: &dyn Home) {
    let truth = home.open().await;
    truth.settle(1).await;
    truth.settle(2).await;
    assert_eq!(truth.bindings.bind(binding(1, 1), RULES).await, Ok(binding(1, 1)));
    assert_eq!(truth.bindings.bind(binding(1, 2), RULES).await, Ok(binding(1, 2)));
    assert_eq!(truth.bindings.bind(binding(2, 1), RULES).await, Ok(binding(2, 1)), "two people on one phone");
    let later = Binding { bound_at: NOW.plus(Seconds(999)), ..binding(1, 1) };
    assert_eq!(truth.bindings.bind(later, RULES).await, Ok(binding(1, 1)), "the first time counts");
    let day = UnixSeconds(2 * 86_400);
    let seen = Binding { seen_on: day, ..binding(1, 1) };
    assert_eq!(truth.bindings.seen(&seen.user, &seen.device, day).await, Ok(Some(seen.clone())));
    assert_eq!(truth.bindings.seen(&seen.user, &seen.device, UnixSeconds(0)).await, Ok(Some(seen.clone())), "no day back");
    assert_eq!(truth.bindings.seen(&user(2).id, &device(2).posture.device, day).await, Ok(None));
    let truth = home.open().await;
    assert_eq!(truth.bindings.of_user(&user(1).id, 9).await, Ok(vec![binding(1, 2), seen.clone()]), "newest first");
    assert_eq!(truth.bindings.of_user(&user(1).id, 1).await, Ok(vec![binding(1, 2)]));
    assert_eq!(truth.bindings.of_device(&device(1).posture.device, 9).await.map(|found| found.len()), Ok(2));
    assert_eq!(truth.bindings.of_user(&user(3).id, 9).await, Ok(vec![]));
}

pub(crate) async fn of_racing_sign_ins_one_takes_the_last_place(home: &dyn Home) {
    let truth = home.open().await;
    for number in 1..=9 {
        truth.settle(number).await;
    }
    assert!(truth.bindings.bind(binding(1, 1), RULES).await.is_ok());
    let bound = race(8, |number| {
        let (bindings, phone) = (std::sync::Arc::clone(&truth.bindings), u16::try_from(number + 2).expect("a number"));
        async move { bindings.bind(binding(1, phone), RULES).await }
    })
    .await;
    assert_eq!(bound.iter().filter(|bound| bound.is_ok()).count(), 1);
    assert!(bound.iter().all(|bound| bound.is_ok() || *bound == Err(BindError::Refused(BindingRefusal::TooMany))), "{bound:?}");
    assert_eq!(truth.bindings.of_user(&user(1).id, 99).await.map(|found| found.len()), Ok(2));
}

pub(crate) async fn cut_is_for_good_and_for_one_person(home: &dyn Home) {
    let truth = home.open().await;
    truth.settle(1).await;
    truth.settle(2).await;
    let (one, other) = (binding(1, 1), binding(2, 1));
    for binding in [&one, &other] {
        assert_eq!(truth.bindings.bind(binding.clone(), RULES).await, Ok(binding.clone()));
    }
    let (removed, disowned) = (BindingState::Removed { at: NOW }, BindingState::Disowned { at: NOW.plus(Seconds(1)) });
    let expected = |state| Ok(Some(Binding { state, ..one.clone() }));
    assert_eq!(truth.bindings.cut(&one.user, &one.device, removed).await, expected(removed));
    assert_eq!(truth.bindings.cut(&one.user, &one.device, BindingState::Removed { at: UnixSeconds(5) }).await, expected(removed));
    assert_eq!(truth.bindings.cut(&one.user, &one.device, disowned).await, expected(disowned), "worse news count");
    assert_eq!(truth.bindings.cut(&one.user, &one.device, removed).await, expected(disowned), "better ones do not");
    assert_eq!(truth.bindings.bind(one.clone(), RULES).await, Err(BindError::Refused(BindingRefusal::Revoked)));
    assert_eq!(truth.bindings.cut(&user(2).id, &device(2).posture.device, removed).await, Ok(None));
    let truth = home.open().await;
    assert_eq!(truth.bindings.seen(&one.user, &one.device, UnixSeconds(9 * 86_400)).await, expected(disowned), "after a restart");
    assert_eq!(truth.bindings.of_user(&other.user, 9).await, Ok(vec![other]), "the other person stays");
}
