//! Prompts that were shown and not answered: the measure of pestering.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use countersign_core::{DeviceId, Limits, LoginOutcome, UnixSeconds};

/// Prompts that are remembered at a time; beyond, all are forgotten.
const PROMPTS_MAX: usize = 10_000;

/// The prompts that people were shown and have not answered yet. A prompt that is followed by another one was refused, or
/// pestered for.
#[derive(Debug, Default)]
pub struct Prompts(Mutex<HashMap<DeviceId, UnixSeconds>>);

impl Prompts {
    /// Notes that a device shows a prompt. What it says of the prompt before it.
    pub fn shown(&self, device: &DeviceId, now: UnixSeconds) -> LoginOutcome {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= PROMPTS_MAX {
            open.retain(|_, at| now.since(*at) <= Limits::CHALLENGE_LIFE);
        }
        if open.len() >= PROMPTS_MAX {
            open.clear();
        }
        match open.insert(device.clone(), now) {
            Some(_) => LoginOutcome::PromptRefused,
            None => LoginOutcome::Asked,
        }
    }

    /// Notes that the prompt was answered.
    pub fn answered(&self, device: &DeviceId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(device);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_that_is_followed_by_another_was_not_answered() {
        let (prompts, phone, other) = (Prompts::default(), DeviceId::from_random([1; 16]), DeviceId::from_random([2; 16]));
        let now = UnixSeconds(1_000);
        assert_eq!(prompts.shown(&phone, now), LoginOutcome::Asked);
        assert_eq!(prompts.shown(&other, now), LoginOutcome::Asked);
        assert_eq!(prompts.shown(&phone, now), LoginOutcome::PromptRefused);
        prompts.answered(&phone);
        assert_eq!(prompts.shown(&phone, now), LoginOutcome::Asked);
    }

    #[test]
    fn prompts_are_bounded() {
        let prompts = Prompts::default();
        for n in 0..20_000_u32 {
            let mut name = [0; 16];
            name[..4].copy_from_slice(&n.to_be_bytes());
            prompts.shown(&DeviceId::from_random(name), UnixSeconds(1));
        }
        assert!(prompts.0.lock().expect("a lock").len() <= PROMPTS_MAX);
    }
}
