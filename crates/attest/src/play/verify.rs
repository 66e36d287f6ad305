//! The judgement of a verdict, in one function that stops at the first rule that is broken and one that tells all of them.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use countersign_core::{Seconds, UnixSeconds};

use crate::play::refusal::PlayRefusal;
use crate::play::requirements::Requirements;
use crate::play::verdict::Verdict;

/// How far ahead of us Google's clock may be.
const SKEW_MAX: Seconds = Seconds(60);

/// Judges a verdict: whether it answers the request that `binding` stands for (a request hash, or a nonce without padding; see
/// [`super::request_hash`]), whether it is fresh, and whether app and phone are as required.
///
/// That nobody uses a verdict twice is up to whoever issued the challenge in `binding`.
///
/// # Errors
/// The first rule that is broken, in the order of [`refusals`].
pub fn verify(verdict: &Verdict, binding: &[u8], requirements: &Requirements, now: UnixSeconds) -> Result<(), PlayRefusal> {
    refusals(verdict, binding, requirements, now).into_iter().next().map_or(Ok(()), Err)
}

/// All rules that a verdict breaks, the ones that [`verify`] passed over included: for a report, and for trying out requirements
/// before they are enforced. None are broken when it is empty.
#[must_use]
pub fn refusals(verdict: &Verdict, binding: &[u8], requirements: &Requirements, now: UnixSeconds) -> Vec<PlayRefusal> {
    let request = [answers(verdict, binding), not_ahead(verdict, now), fresh(verdict, requirements.age_max, now)];
    request.into_iter().chain(requirements.answers(verdict)).filter_map(Result::err).collect()
}

/// The verdict was asked for with this hash or nonce; compared in constant time.
fn answers(verdict: &Verdict, binding: &[u8]) -> Result<(), PlayRefusal> {
    // SECURITY: an app that asks without a nonce gets a verdict that fits every request. It answers nothing, not even no question.
    if binding.is_empty() {
        return Err(PlayRefusal::RequestMismatch);
    }
    verify_slices_are_equal(verdict.request.binding.text().as_bytes(), binding).map_err(|_| PlayRefusal::RequestMismatch)
}

const fn not_ahead(verdict: &Verdict, now: UnixSeconds) -> Result<(), PlayRefusal> {
    let at = verdict.request.at.seconds();
    if at.0 > now.plus(SKEW_MAX).0 { Err(PlayRefusal::VerdictTooEarly { at }) } else { Ok(()) }
}

const fn fresh(verdict: &Verdict, age_max: Seconds, now: UnixSeconds) -> Result<(), PlayRefusal> {
    let at = verdict.request.at.seconds();
    if now.since(at).0 > age_max.0 { Err(PlayRefusal::VerdictTooOld { at }) } else { Ok(()) }
}
