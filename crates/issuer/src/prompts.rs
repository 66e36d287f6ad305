//! Prompts that were shown and not answered: the measure of pestering.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
};

use countersign_core::{DeviceId, Limits, LoginOutcome, UnixSeconds};

/// Prompts that people were shown and have not answered yet. A prompt that is followed by another one was refused, or was itself pestering.
#[derive(Debug, Default)]
pub struct Prompts(Mutex<Open>);

/// Same prompts twice: by device, and by age.
#[derive(Debug, Default)]
struct Open {
    shown_at: HashMap<DeviceId, UnixSeconds>,
    by_age: BTreeSet<(UnixSeconds, DeviceId)>,
}

impl Open {
    fn remove(&mut self, device: &DeviceId) -> Option<UnixSeconds> {
        let at = self.shown_at.remove(device)?;
        self.by_age.remove(&(at, device.clone()));
        Some(at)
    }

    fn insert(&mut self, device: &DeviceId, now: UnixSeconds) {
        self.shown_at.insert(device.clone(), now);
        self.by_age.insert((now, device.clone()));
    }
}

impl Prompts {
    /// Notes that a device shows a prompt, and returns the outcome of the prompt before it.
    pub fn shown(&self, device: &DeviceId, now: UnixSeconds) -> LoginOutcome {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = open.remove(device);
        // SECURITY: only the oldest is forgotten. Forgetting all would let a client that fills the memory erase the refusals of others.
        while open.shown_at.len() >= Limits::PROMPTS_MAX {
            let Some((_, oldest)) = open.by_age.pop_first() else { break };
            open.shown_at.remove(&oldest);
        }
        open.insert(device, now);
        match before {
            Some(_) => LoginOutcome::PromptRefused,
            None => LoginOutcome::Asked,
        }
    }

    /// Notes that the device's prompt was answered.
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
        for n in 0..20_000 {
            prompts.shown(&phone(n), UnixSeconds(1));
        }
        let open = prompts.0.lock().expect("a lock");
        assert_eq!((open.shown_at.len(), open.by_age.len()), (Limits::PROMPTS_MAX, Limits::PROMPTS_MAX));
    }

    #[test]
    fn whoever_fills_the_memory_takes_back_only_what_is_oldest() {
        let (prompts, most) = (Prompts::default(), u32::try_from(Limits::PROMPTS_MAX).expect("a count"));
        for n in 0..most {
            prompts.shown(&phone(n), UnixSeconds(u64::from(n)));
        }
        let now = UnixSeconds(u64::from(most));
        assert_eq!(prompts.shown(&phone(most), now), LoginOutcome::Asked);
        assert_eq!(prompts.shown(&phone(1), now), LoginOutcome::PromptRefused, "the second oldest is remembered");
        assert_eq!(prompts.shown(&phone(most - 1), now), LoginOutcome::PromptRefused, "the newest is remembered");
        assert_eq!(prompts.shown(&phone(0), now), LoginOutcome::Asked, "the oldest made room");
        assert_eq!(prompts.shown(&phone(2), now), LoginOutcome::Asked, "and by coming back took the place of the next");
        assert_eq!(prompts.shown(&phone(1), now), LoginOutcome::PromptRefused, "a prompt that was shown again is young again");
    }

    fn phone(n: u32) -> DeviceId {
        let mut name = [0; 16];
        name[..4].copy_from_slice(&n.to_be_bytes());
        DeviceId::from_random(name)
    }
}
