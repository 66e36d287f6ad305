//! Suite that holds every backend to the promises, and stores that fail for the tests of their users.
//!
//! Only with the feature `suite`, for tests. [`truth`] holds a backend to what must outlive the process, [`fast`] to what must
//! be quick: races, restarts, boundaries on both sides, callers who go away in the middle. [`FailNth`] makes the n-th call to
//! the stores fail, so that a test can go through every n. Nothing here measures, and nothing tests rules: those are pure and
//! live in `identity` and `proof`.

#![expect(clippy::expect_used, reason = "what fails here fails the test")]

mod bindings;
mod challenges;
mod counters;
mod dev_tokens;
mod devices;
mod ending;
mod fail_nth;
mod grants;
mod incidents;
mod keys;
mod race;
mod replay;
mod samples;
mod sessions;
mod subjects;
mod world;

pub use fail_nth::{FailNth, Faults, Lost};
pub use race::race;
#[cfg(test)]
pub(crate) use replay::Phone;
pub use samples::{NOW, code, dev_token, device, family, passkey, session, user};
pub use world::{Fast, Home, Truth};

/// Holds a backend to every promise about state that must outlive the process. `fresh` makes an empty home.
///
/// # Panics
/// At the first promise that is broken; the message says which.
pub async fn truth<H: Home>(fresh: impl AsyncFn() -> H) {
    sessions::what_was_opened_is_found_after_a_restart(&fresh().await).await;
    sessions::state_and_time_decide(&fresh().await).await;
    sessions::an_end_is_put_off_and_never_brought_forward(&fresh().await).await;
    sessions::revoked_is_final(&fresh().await).await;
    sessions::of_racing_revocations_one_revokes(&fresh().await).await;
    sessions::a_race_leaves_nothing_stale(&fresh().await).await;
    sessions::an_abandoned_change_leaves_nothing_stale(&fresh().await).await;
    sessions::an_authentication_is_noted_and_nothing_else(&fresh().await).await;
    sessions::lists_are_newest_first_and_fit(&fresh().await).await;
    sessions::a_walk_meets_everybody_who_is_signed_in_once(&fresh().await).await;
    ending::an_end_takes_what_it_says_with_its_families(&fresh().await).await;
    ending::of_racing_ends_each_session_ends_once(&fresh().await).await;
    ending::an_abandoned_end_leaves_nothing_half(&fresh().await).await;
    ending::a_lost_end_is_made_good_by_a_retry(&fresh().await).await;
    ending::once_ended_nothing_refreshes(&fresh().await).await;
    ending::a_family_of_a_session_that_ended_does_not_live(&fresh().await).await;
    bindings::what_was_bound_is_found_after_a_restart(&fresh().await).await;
    bindings::of_racing_sign_ins_one_takes_the_last_place(&fresh().await).await;
    bindings::cut_is_for_good_and_for_one_person(&fresh().await).await;
    dev_tokens::what_was_made_is_found_after_a_restart(&fresh().await).await;
    dev_tokens::racing_phones_share_the_places(&fresh().await).await;
    dev_tokens::a_use_is_noted_in_its_time(&fresh().await).await;
    dev_tokens::revoked_is_final(&fresh().await).await;
    dev_tokens::of_revocation_and_use_one_comes_first(&fresh().await).await;
    dev_tokens::lists_are_newest_first(&fresh().await).await;
    devices::what_was_enrolled_is_found_after_a_restart(&fresh().await).await;
    devices::one_key_never_names_two_devices(&fresh().await).await;
    devices::a_device_enrolled_again_keeps_its_id(&fresh().await).await;
    devices::a_change_is_kept_and_answered(&fresh().await).await;
    devices::racing_changes_are_all_there(&fresh().await).await;
    devices::revoked_is_final(&fresh().await).await;
    devices::a_race_leaves_nothing_stale(&fresh().await).await;
    devices::an_abandoned_change_leaves_nothing_stale(&fresh().await).await;
    devices::lists_are_newest_first(&fresh().await).await;
    devices::a_walk_meets_every_device_once(&fresh().await).await;
    subjects::what_was_made_is_found_after_a_restart(&fresh().await).await;
    subjects::an_account_comes_with_its_passkey_or_not_at_all(&fresh().await).await;
    subjects::a_closed_account_is_never_remembered_as_active(&fresh().await).await;
    subjects::of_racing_accounts_one_is_made(&fresh().await).await;
    subjects::a_counter_is_used_once(&fresh().await).await;
    subjects::an_invitation_is_taken_once_in_its_time(&fresh().await).await;
    subjects::lists_are_newest_first(&fresh().await).await;
    grants::a_code_is_redeemed_once(&fresh().await).await;
    grants::a_code_and_its_family_go_together(&fresh().await).await;
    grants::what_was_revoked_stays_revoked(&fresh().await).await;
    grants::a_refresh_answered_twice_is_answered_the_same(&fresh().await).await;
    incidents::what_was_noticed_is_found_after_a_restart(&fresh().await).await;
    incidents::suppressions_hold_for_their_time(&fresh().await).await;
    keys::our_keys_are_kept_by_purpose(&fresh().await).await;
    keys::racing_callers_get_one_key(&fresh().await).await;
    keys::destroyed_is_for_good(&fresh().await).await;
}

/// Holds a backend to the promises about state that need not outlive the process. `fresh` makes it empty, with room for the given number of
/// each kind.
///
/// # Panics
/// At the first promise that is broken; the message says which.
pub async fn fast(fresh: impl Fn(usize) -> Fast) {
    challenges::a_challenge_counts_once(&fresh(100)).await;
    challenges::a_flood_shortens_its_own_time_only(&fresh(160), 160).await;
    challenges::a_device_has_its_share_of_challenges(&fresh(10_000)).await;
    counters::a_burst_and_then_one_at_a_time(&fresh(100)).await;
    counters::racing_requests_share_one_rate(&fresh(100)).await;
    replay::a_proof_counts_once(&fresh(1000)).await;
    replay::a_proof_is_remembered_through_its_last_second(&fresh(1000)).await;
    replay::whatever_the_clock_does_no_proof_counts_twice(&fresh(1000)).await;
    replay::a_full_memory_refuses_and_forgets_nothing(&fresh(32), 32).await;
    replay::nobodys_keys_refuse_no_device(&fresh(640), 640).await;
    replay::of_those_who_flood_something_is_left_for_others(&fresh(400), 400).await;
}
