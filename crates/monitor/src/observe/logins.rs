//! Scoring of logins: how unusual each is for its person, and whether somebody is guessing secrets or sending prompt after prompt.

use countersign_core::{Limits, LoginFactor, LoginOutcome, SignalKind, UnixSeconds};
use countersign_risk::{
    credentials::{CredentialRule, Credentials, Source, Try},
    evidence::{Contribution, Feature, Score},
    fingerprint::Salt,
    frames::FrameRefusal,
    login::{Assessment, Login, LoginRule, Settled, Verdict},
    monitor::LoginMonitor,
    subjects::Subjects,
};

use crate::observe::alarms::Alarms;

/// Weight in nats from which guessing and prompt fatigue are certain enough to stop the login.
const CERTAIN: f64 = 3.0;

/// Weight in nats from which everybody's failures count as a wave.
const WAVE: f64 = 0.7;

/// One login, prepared for scoring.
pub(crate) struct LoginObservation<'a> {
    /// Name of the account.
    pub account: &'a str,
    /// Keyed hash of the session that was opened, when one was.
    pub session: Option<u64>,
    /// Origin of the login, as counts are kept of it.
    pub source: Source,
    /// All other values of the login.
    pub login: Login<'a>,
    /// Factor that was shown, or is asked for.
    pub factor: LoginFactor,
    /// Outcome of the login.
    pub outcome: LoginOutcome,
    /// Time of the login.
    pub at: UnixSeconds,
}

/// Score of a login.
pub struct Looked {
    /// Score from 0 to 100.
    pub score: u8,
    /// Parts of the score, heaviest first.
    pub reasons: Vec<Contribution>,
    /// Kinds of signals whose thresholds were crossed.
    pub crossed: Vec<SignalKind>,
}

/// Tells whether a login failed.
const fn failed(outcome: LoginOutcome) -> bool {
    match outcome {
        LoginOutcome::Failed | LoginOutcome::Strayed => true,
        LoginOutcome::Asked
        | LoginOutcome::Passed
        | LoginOutcome::PromptRefused
        | LoginOutcome::StepUpFailed
        | LoginOutcome::StepUpPassed => false,
    }
}

/// Tells whether prompts count for a login: those of a code or password always, those of a passkey while one is asked for. A passkey that
/// verified was not pestered out of anybody else.
const fn prompting(observation: &LoginObservation<'_>) -> bool {
    match (observation.factor, observation.outcome) {
        (LoginFactor::Guessable, _) | (LoginFactor::Passkey, LoginOutcome::Asked | LoginOutcome::PromptRefused) => true,
        (
            LoginFactor::Passkey,
            LoginOutcome::Failed | LoginOutcome::Passed | LoginOutcome::StepUpFailed | LoginOutcome::StepUpPassed | LoginOutcome::Strayed,
        ) => false,
    }
}

/// State of everything about logins.
pub(crate) struct Logins {
    monitor: LoginMonitor,
    credentials: Credentials,
    rule: CredentialRule,
    alarms: Subjects<Alarms>,
    unconfirmed: Subjects<Option<Unconfirmed>>,
}

/// An unusual login that was allowed.
#[derive(Clone)]
struct Unconfirmed {
    account: u64,
    assessed: Assessment,
}

impl Logins {
    /// Scoring without any history.
    pub fn new(rule: LoginRule, credentials: CredentialRule, salt: Salt, people_max: usize) -> Self {
        let monitor = LoginMonitor::new(rule, salt, people_max);
        Self {
            monitor,
            credentials: Credentials::default(),
            rule: credentials,
            alarms: Subjects::new(Limits::ALARMS_MAX),
            unconfirmed: Subjects::new(Limits::UNCONFIRMED_SESSIONS_MAX),
        }
    }

    /// Scores a login and learns from its outcome.
    pub fn observe(&mut self, observation: &LoginObservation<'_>) -> Looked {
        let assessed = self.monitor.assess(observation.account, &observation.login, observation.at);
        // SECURITY: a stranger's attempts at an account must not lock its person out on a phone that is known to be theirs.
        let own_device = assessed.evidence.contributions().iter().any(|part| part.feature == Feature::Device && part.weight < 0.0);
        match observation.outcome {
            LoginOutcome::Failed => self.credentials.failed(&self.rule, &observation.source, observation.at),
            LoginOutcome::Strayed => self.credentials.strayed(&self.rule, &observation.source, observation.at),
            LoginOutcome::PromptRefused => self.credentials.count(&observation.source, Try::PromptRefused, observation.at),
            LoginOutcome::Asked | LoginOutcome::Passed | LoginOutcome::StepUpFailed | LoginOutcome::StepUpPassed => {}
        }
        let tries = self.credentials.weigh(&self.rule, &observation.source, observation.at);
        let heavy = |feature: Feature, least: f64| tries.contributions().iter().any(|part| part.feature == feature && part.weight >= least);
        // SECURITY: nobody guesses a passkey, so that the failures of strangers neither stop nor colour a login by one. They are signalled
        // with the failure itself, whose visitor is the one who failed.
        let guessing = observation.factor == LoginFactor::Guessable || failed(observation.outcome);
        let found = [
            (heavy(Feature::BruteForce, CERTAIN) && !own_device && guessing, SignalKind::BruteForce),
            (heavy(Feature::PromptFatigue, CERTAIN) && !own_device && prompting(observation), SignalKind::MfaFatigue),
            (heavy(Feature::Spraying, CERTAIN) && !own_device && guessing, SignalKind::PasswordSpraying),
        ];
        let stopped = found.iter().any(|(found, _)| *found);
        let mut crossed: Vec<_> = found.into_iter().filter(|(found, _)| *found).map(|(_, kind)| kind).collect();
        if heavy(Feature::Stuffing, WAVE) && guessing {
            crossed.push(SignalKind::CredentialStuffing);
        }
        let mut reasons = if guessing || stopped { tries.reasons() } else { Vec::new() };
        // Guessing that is certain gets the greatest score, so that every threshold stops it.
        let mut score = if stopped { 100 } else { 0 };
        let opened = matches!(observation.outcome, LoginOutcome::Passed);
        if opened {
            self.credentials.count(&observation.source, Try::Succeeded, observation.at);
            score = score.max(assessed.score.points());
            reasons.extend(assessed.evidence.reasons());
            if assessed.score >= Score::STEP_UP && assessed.verdict == Verdict::StepUp {
                crossed.push(SignalKind::UnusualLogin);
            }
        }
        let settled = match observation.outcome {
            LoginOutcome::Passed => Some(Settled::Allowed),
            LoginOutcome::StepUpFailed => Some(Settled::StepUpFailed),
            LoginOutcome::StepUpPassed => Some(Settled::StepUpPassed),
            // Nobody got in, so nothing about the person is learned.
            LoginOutcome::Asked | LoginOutcome::Failed | LoginOutcome::PromptRefused | LoginOutcome::Strayed => None,
        };
        if let Some(settled) = settled {
            self.monitor.settle(observation.account, &assessed, settled);
        }
        if opened
            && assessed.verdict != Verdict::Usual
            && let Some(session) = observation.session
        {
            self.unconfirmed.insert(session, Some(Unconfirmed { account: observation.source.account, assessed }));
        }
        crossed.retain(|kind| self.raise(*kind, observation));
        Looked { score, reasons, crossed }
    }

    /// Raises an alarm unless it was raised lately. A wave is signalled once for everybody, spraying once for its site, other kinds once
    /// for an account.
    fn raise(&mut self, kind: SignalKind, observation: &LoginObservation<'_>) -> bool {
        let key = if kind == SignalKind::CredentialStuffing {
            0
        } else if kind == SignalKind::PasswordSpraying {
            u64::from(observation.source.prefix.0)
        } else {
            observation.source.account
        };
        if self.alarms.get_mut(key).is_none() {
            self.alarms.insert(key, Alarms::default());
        }
        self.alarms.get_mut(key).is_some_and(|alarms| alarms.raise(kind, observation.at))
    }

    /// Learns the login that opened `session` as the person's own, because they passed a step-up.
    pub(crate) fn vouch(&mut self, session: u64) {
        if let Some(Some(Unconfirmed { account, assessed })) = self.unconfirmed.remove(session) {
            self.monitor.settle_key(account, &assessed, Settled::StepUpPassed);
        }
    }

    /// First frame of a snapshot, with the keys of the people whose frames follow.
    pub(crate) fn first_frame(&self) -> (Vec<u8>, Vec<u64>) {
        (self.monitor.first_frame(), self.monitor.people().keys())
    }

    /// Frames of those of `people` who are held.
    pub(crate) fn person_frames(&self, people: &[u64]) -> Vec<Vec<u8>> {
        people.iter().filter_map(|key| self.monitor.person_frame(*key)).collect()
    }

    /// Last frame of a snapshot with so many people.
    pub(crate) fn last_frame(&self, people: usize) -> Vec<u8> {
        self.monitor.last_frame(u64::try_from(people).unwrap_or(u64::MAX))
    }

    /// Parses frames into states, for [`Self::join`].
    pub fn read<'a>(
        &self,
        salt: Salt,
        people_max: usize,
        frames: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<LoginMonitor, FrameRefusal> {
        LoginMonitor::restore(*self.monitor.rule(), salt, people_max, frames)
    }

    /// Merges states that were read into those held.
    pub fn join(&mut self, monitor: LoginMonitor) {
        if self.monitor.people().is_empty() {
            self.monitor = monitor;
        } else {
            let people = monitor.people().iter().map(|(key, profile)| (key, profile.clone()));
            self.monitor.join(monitor.population(), people);
        }
    }
}
