//! Forecast of who would be refused and why: the requirements' judgement of a whole fleet, counted.
//!
//! Devices are counted in groups that an operator asks for; no device and no person can be recognised in a [`Forecast`].

use std::collections::BTreeMap;

use countersign_core::{Limits, Platform, Posture, Reason, Stage};

use crate::judgement::{Judgement, UsedBy};

/// Numbers of devices, each device counted at the most severe stage among the requirements that it does not meet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// Devices counted, with and without unmet requirements.
    pub devices: u64,
    /// Devices whose most severe stage is [`Stage::Enforce`].
    pub refused: u64,
    /// Devices whose most severe stage is [`Stage::Limit`].
    pub limited: u64,
    /// Devices whose most severe stage is [`Stage::Observe`]: they are counted, and nothing else happens to them.
    pub observed: u64,
}

impl Outcomes {
    /// Number of devices that do not meet some requirement, at whatever stage.
    #[must_use]
    pub const fn lacking(&self) -> u64 {
        self.refused.saturating_add(self.limited).saturating_add(self.observed)
    }

    /// Number of devices that meet every requirement.
    #[must_use]
    pub const fn clean(&self) -> u64 {
        self.devices.saturating_sub(self.lacking())
    }

    /// Counts a device at its most severe stage; `None` for a device that meets every requirement.
    pub fn count(&mut self, stage: Option<Stage>) {
        self.devices = self.devices.saturating_add(1);
        let of_stage = match stage {
            None => return,
            Some(Stage::Observe) => &mut self.observed,
            Some(Stage::Limit) => &mut self.limited,
            Some(Stage::Enforce) => &mut self.refused,
        };
        *of_stage = of_stage.saturating_add(1);
    }

    const fn and(self, other: Self) -> Self {
        Self {
            devices: self.devices.saturating_add(other.devices),
            refused: self.refused.saturating_add(other.refused),
            limited: self.limited.saturating_add(other.limited),
            observed: self.observed.saturating_add(other.observed),
        }
    }
}

/// Groups of a fleet by one question. Those with most refused devices come first, then those with most limited, most observed and most
/// devices; groups with equal numbers keep their own order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breakdown<K> {
    /// Groups that have a line of their own, with their numbers.
    pub groups: Vec<(K, Outcomes)>,
    /// Sum of all groups that have no line of their own. A device that is in several groups counts in each.
    pub others: Outcomes,
}

/// Breakdown while it is being counted.
#[derive(Clone, Debug)]
struct Groups<K> {
    held: BTreeMap<K, Outcomes>,
    beyond: Outcomes,
}

impl<K> Default for Groups<K> {
    fn default() -> Self {
        Self { held: BTreeMap::new(), beyond: Outcomes::default() }
    }
}

impl<K: Ord> Groups<K> {
    fn count(&mut self, group: K, stage: Option<Stage>) {
        // Groups that are held already go on counting; only a new group finds no room.
        let full = self.held.len() >= Limits::FORECAST_GROUPS_HELD_MAX;
        match self.held.get_mut(&group) {
            Some(outcomes) => outcomes.count(stage),
            None if full => self.beyond.count(stage),
            None => self.held.entry(group).or_default().count(stage),
        }
    }

    fn breakdown(self, groups_max: usize) -> Breakdown<K> {
        let mut groups: Vec<_> = self.held.into_iter().collect();
        let weight = |outcomes: &Outcomes| (outcomes.refused, outcomes.limited, outcomes.observed, outcomes.devices);
        groups.sort_by_key(|(_, outcomes)| std::cmp::Reverse(weight(outcomes)));
        // The sort is stable and the map is in the order of its keys, so that two reports of one fleet agree.
        let rest = groups.split_off(groups.len().min(groups_max).min(Limits::FORECAST_GROUPS_MAX));
        Breakdown { groups, others: rest.iter().fold(self.beyond, |sum, (_, outcomes)| sum.and(*outcomes)) }
    }
}

/// Forecast of what the requirements do to a fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// Devices on which somebody is signed in, judged as far as each requirement has been rolled out.
    pub in_force: Outcomes,
    /// The same devices, judged as if each requirement were enforced for everybody; a requirement in its grace period stays observed.
    pub enforced: Outcomes,
    /// Devices on which nobody is signed in, judged as before a person is known. They are in no breakdown.
    pub nobodys: Outcomes,
    /// Devices on which nobody is signed in, judged as if each requirement were enforced.
    pub nobodys_enforced: Outcomes,
    /// Devices with an unmet requirement by the reason for it. A device is in as many groups as it has reasons.
    pub by_reason: Breakdown<Reason>,
    /// Devices by their platform.
    pub by_platform: Breakdown<Platform>,
    /// Devices by model, as apps state it; `None` for devices whose model is not known.
    pub by_model: Breakdown<Option<String>>,
    /// Devices by platform and by the first number of the system's version; `None` for devices whose version is not known.
    pub by_system: Breakdown<(Platform, Option<u64>)>,
    /// Devices by platform and by the app's version in the form of [`Posture::app_version`]; `None` for devices whose version is not known.
    pub by_app_version: Breakdown<(Platform, Option<u64>)>,
}

/// Counter of a fleet, which takes one device at a time, so that no fleet has to fit into memory.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    in_force: Outcomes,
    enforced: Outcomes,
    nobodys: Outcomes,
    nobodys_enforced: Outcomes,
    by_reason: Groups<Reason>,
    by_platform: Groups<Platform>,
    by_model: Groups<Option<String>>,
    by_system: Groups<(Platform, Option<u64>)>,
    by_app_version: Groups<(Platform, Option<u64>)>,
}

impl Survey {
    /// Counts a device by its posture, by the model that its app states, and by the judgement of its requests.
    pub fn count(&mut self, posture: &Posture, model: Option<&str>, judgement: &Judgement) {
        let stage = judgement.stage();
        match judgement.by {
            UsedBy::Nobody => {
                // Such devices would be judged by the milder stage of a rollout, so in one sum with the others they would hide what people
                // meet.
                self.nobodys.count(stage);
                self.nobodys_enforced.count(judgement.enforced);
                return;
            }
            UsedBy::Somebody => {
                self.in_force.count(stage);
                self.enforced.count(judgement.enforced);
            }
        }
        for (reason, stage) in &judgement.reasons {
            self.by_reason.count(reason.clone(), Some(*stage));
        }
        // A version is `MMmmss` (two digits for each part), so that this leaves its first part.
        let system = posture.os_version_known().map(|version| version.value / 10_000);
        let app_version = posture.app_version_known().map(|version| version.value);
        self.by_platform.count(posture.platform, stage);
        self.by_model.count(model.map(str::to_owned), stage);
        self.by_system.count((posture.platform, system), stage);
        self.by_app_version.count((posture.platform, app_version), stage);
    }

    /// Makes the forecast of all devices counted, with at most `groups_max` lines a breakdown, and never more than
    /// [`Limits::FORECAST_GROUPS_MAX`].
    #[must_use]
    pub fn forecast(self, groups_max: usize) -> Forecast {
        Forecast {
            in_force: self.in_force,
            enforced: self.enforced,
            nobodys: self.nobodys,
            nobodys_enforced: self.nobodys_enforced,
            by_reason: self.by_reason.breakdown(groups_max),
            by_platform: self.by_platform.breakdown(groups_max),
            by_model: self.by_model.breakdown(groups_max),
            by_system: self.by_system.breakdown(groups_max),
            by_app_version: self.by_app_version.breakdown(groups_max),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        judgement::Use,
        requirement::{AppRelease, Bucket, Requirement, Requirements, Revocations, Rollout, Rule},
    };
    use countersign_core::{
        AppFinding, AppReport, BootState, DeviceId, EvidenceTier, Provenance, Seconds, SecurityLevel, Thumbprint, UnixSeconds, UserId,
    };

    const NOW: UnixSeconds = UnixSeconds(1_793_491_200);
    use Stage::{Enforce, Limit, Observe};

    fn sound() -> Posture {
        Posture {
            device: DeviceId::from_random([1; 16]),
            key: Thumbprint::from_bytes([2; 32]),
            platform: Platform::Android,
            tier: EvidenceTier::Hardware,
            by: Provenance::AndroidKeyAttestation,
            established_at: NOW,
            security_level: SecurityLevel::TrustedEnvironment,
            bootloader_locked: Some(true),
            boot_state: Some(BootState::Verified),
            boot_key: None,
            os_version: Some(140_000),
            patch_level: None,
            app: None,
            app_version: Some(310),
            certificates: Vec::new(),
            verdict: None,
            report: None,
            risk_metric: None,
        }
    }

    fn soft() -> Posture {
        Posture { security_level: SecurityLevel::Software, ..sound() }
    }

    fn rooted() -> Posture {
        let findings = [AppFinding::Rooted].into();
        sound().with_report(AppReport { at: NOW, findings, os_version: None, app_version: None, installer: None })
    }

    fn requirements(hardware: Rollout, unrooted: Rollout) -> Requirements {
        Requirements(vec![
            Requirement { rule: Rule::SecurityLevel(SecurityLevel::TrustedEnvironment), rollout: hardware },
            Requirement { rule: Rule::Without(AppFinding::Rooted), rollout: unrooted },
        ])
    }

    /// A share below ten of a hundred, and one above.
    fn buckets() -> (Bucket, Bucket) {
        let rollout = Rollout { stage: Enforce, percent: 10, otherwise: Observe };
        let all: Vec<_> = (0..200_u8).map(|n| Bucket::of(&UserId::from_random([n; 16]))).collect();
        let one = |stage| *all.iter().find(|bucket| rollout.stage_for(Some(**bucket)) == stage).expect("of two hundred");
        (one(Enforce), one(Observe))
    }

    /// A device, what its app says it is, and who uses it.
    type Surveyed<'a> = (&'a Posture, Option<&'a str>, &'a [Use<'a>]);

    fn forecast<'a>(fleet: impl IntoIterator<Item = Surveyed<'a>>, now: UnixSeconds) -> Forecast {
        let mut survey = Survey::default();
        for (posture, model, uses) in fleet {
            survey.count(posture, model, &Judgement::of(posture, uses, &Revocations::default(), now));
        }
        survey.forecast(Limits::FORECAST_GROUPS_MAX)
    }

    fn one(stage: Option<Stage>) -> Outcomes {
        let mut outcomes = Outcomes::default();
        outcomes.count(stage);
        outcomes
    }

    fn outcomes(refused: u64, limited: u64, observed: u64, clean: u64) -> Outcomes {
        Outcomes { devices: refused + limited + observed + clean, refused, limited, observed }
    }

    #[test]
    fn the_worst_of_all_uses_counts() {
        let (reached, other) = buckets();
        let staged = requirements(Rollout { stage: Enforce, percent: 10, otherwise: Limit }, Rollout::all(Observe));
        let watched = requirements(Rollout::all(Observe), Rollout::all(Observe));
        let by = |bucket| Use { requirements: Some(&staged), bucket };
        let through_another = Use { requirements: Some(&watched), bucket: Some(reached) };
        let unknown = Use { requirements: None, bucket: Some(other) };
        let rows: Vec<(&str, Posture, Vec<Use<'_>>, Option<Stage>, Vec<(Reason, Stage)>, Option<Stage>)> = vec![
            ("sound", sound(), vec![by(Some(reached))], None, vec![], None),
            ("reached", soft(), vec![by(Some(reached))], Some(Enforce), vec![(Reason::KeyNotHardware, Enforce)], Some(Enforce)),
            ("not reached", soft(), vec![by(Some(other))], Some(Limit), vec![(Reason::KeyNotHardware, Limit)], Some(Enforce)),
            (
                "the second is reached",
                soft(),
                vec![by(Some(other)), by(Some(reached))],
                Some(Enforce),
                vec![(Reason::KeyNotHardware, Enforce)],
                Some(Enforce),
            ),
            (
                "the first is reached",
                soft(),
                vec![by(Some(reached)), by(Some(other))],
                Some(Enforce),
                vec![(Reason::KeyNotHardware, Enforce)],
                Some(Enforce),
            ),
            ("another app asks less", soft(), vec![through_another], Some(Observe), vec![(Reason::KeyNotHardware, Observe)], Some(Enforce)),
            (
                "two things",
                Posture { security_level: SecurityLevel::Software, ..rooted() },
                vec![by(Some(other))],
                Some(Limit),
                vec![(Reason::KeyNotHardware, Limit), (Reason::Rooted, Observe)],
                Some(Enforce),
            ),
            ("an app that is gone", sound(), vec![unknown], Some(Enforce), vec![(Reason::ClientUnknown, Enforce)], Some(Enforce)),
        ];
        for (name, posture, uses, stage, reasons, enforced) in rows {
            let forecast = forecast([(&posture, None, uses.as_slice())], NOW);
            assert_eq!(forecast.in_force, one(stage), "{name}");
            assert_eq!(forecast.enforced, one(enforced), "{name}: enforced");
            let mut expected: Vec<_> = reasons.into_iter().map(|(reason, stage)| (reason, one(Some(stage)))).collect();
            let mut got = forecast.by_reason.groups;
            expected.sort_by(|(a, _), (b, _)| a.cmp(b));
            got.sort_by(|(a, _), (b, _)| a.cmp(b));
            assert_eq!(got, expected, "{name}: reasons");
            assert_eq!((forecast.nobodys, forecast.nobodys_enforced), (outcomes(0, 0, 0, 0), outcomes(0, 0, 0, 0)), "{name}: somebody's");
            assert_eq!(forecast.by_platform.groups, [(Platform::Android, one(stage))], "{name}: platform");
            assert_eq!(forecast.by_model.groups, [(None, one(stage))], "{name}: model");
            assert_eq!(forecast.by_system.groups, [((Platform::Android, Some(14)), one(stage))], "{name}: system");
            assert_eq!(forecast.by_app_version.groups, [((Platform::Android, Some(310)), one(stage))], "{name}: app");
        }
    }

    #[test]
    fn one_reason_of_two_rules_counts_once() {
        let both = Requirements(vec![
            Requirement { rule: Rule::BootloaderLocked, rollout: Rollout::all(Observe) },
            Requirement { rule: Rule::Boot { states: vec![BootState::Verified], keys: [].into() }, rollout: Rollout::all(Limit) },
        ]);
        let bare = Posture { bootloader_locked: None, boot_state: None, ..sound() };
        let uses = [Use { requirements: Some(&both), bucket: Some(buckets().0) }];
        let forecast = forecast([(&bare, None, uses.as_slice())], NOW);
        assert_eq!(forecast.by_reason.groups, [(Reason::RootOfTrustMissing, outcomes(0, 1, 0, 0))]);
    }

    #[test]
    fn grace_outlives_enforcement() {
        let until = NOW.plus(Seconds(60));
        let release = AppRelease { min: 311, min_text: "3.1.1".to_owned(), grace_until: Some(until), store: None };
        let rule = Rule::AppVersion([(Platform::Android, release)].into());
        let all = Requirements(vec![Requirement { rule, rollout: Rollout::all(Limit) }]);
        let uses = [Use { requirements: Some(&all), bucket: Some(buckets().0) }];
        let posture = sound();
        let rows = [
            ("the last second of grace", NOW.plus(Seconds(59)), outcomes(0, 0, 1, 0), outcomes(0, 0, 1, 0)),
            ("after it", until, outcomes(0, 1, 0, 0), outcomes(1, 0, 0, 0)),
        ];
        for (name, now, in_force, enforced) in rows {
            let forecast = forecast([(&posture, None, uses.as_slice())], now);
            assert_eq!((forecast.in_force, forecast.enforced), (in_force, enforced), "{name}");
        }
    }

    #[test]
    fn breakdowns_have_bounds_and_an_order() {
        let all = requirements(Rollout::all(Enforce), Rollout::all(Observe));
        let uses = [Use { requirements: Some(&all), bucket: Some(buckets().0) }];
        let (sound, soft, rooted) = (sound(), soft(), rooted());
        let models: Vec<_> = (0..Limits::FORECAST_GROUPS_MAX + 2).map(|n| format!("model {n:02}")).collect();
        let named = |posture, model| (posture, Some(model), uses.as_slice());
        let mut fleet: Vec<_> = models.iter().map(|model| named(&sound, model.as_str())).collect();
        fleet.extend([named(&sound, "model 51"), named(&rooted, "model 51"), named(&soft, "model 51"), named(&rooted, "model 30")]);
        let counted = forecast(fleet.iter().copied(), NOW);
        assert_eq!(counted.in_force, outcomes(1, 0, 2, 53));
        let groups: Vec<_> = counted.by_model.groups.iter().map(|(model, _)| model.as_deref().expect("a model")).collect();
        assert_eq!(groups.get(..4), Some(&["model 51", "model 30", "model 00", "model 01"][..]), "most refused, then most observed");
        assert_eq!(counted.by_model.groups.first().map(|(_, o)| *o), Some(outcomes(1, 0, 1, 2)));
        assert_eq!((groups.len(), counted.by_model.others), (Limits::FORECAST_GROUPS_MAX, outcomes(0, 0, 0, 2)));
        let sum = counted.by_model.groups.iter().fold(counted.by_model.others, |sum, (_, outcomes)| sum.and(*outcomes));
        assert_eq!(sum, counted.in_force, "every device is in one group");
        fleet.reverse();
        assert_eq!(forecast(fleet, NOW), counted, "in whatever order the devices come");
        assert_eq!((counted.in_force.lacking(), counted.in_force.clean()), (3, 53));
    }

    #[test]
    fn as_many_lines_as_are_asked_for() {
        let uses = [Use { requirements: Some(&Requirements::default()), bucket: Some(buckets().0) }];
        let posture = sound();
        let judgement = Judgement::of(&posture, &uses, &Revocations::default(), NOW);
        for (models, groups_max, lines, others) in
            [(3, 3, 3, 0), (3, 2, 2, 1), (3, 0, 0, 3), (Limits::FORECAST_GROUPS_MAX + 1, usize::MAX, Limits::FORECAST_GROUPS_MAX, 1)]
        {
            let mut survey = Survey::default();
            (0..models).for_each(|model| survey.count(&posture, Some(&model.to_string()), &judgement));
            let by_model = survey.forecast(groups_max).by_model;
            assert_eq!((by_model.groups.len(), by_model.others), (lines, outcomes(0, 0, 0, others)), "{models} models, {groups_max} lines");
        }
    }

    #[test]
    fn whatever_apps_say_memory_is_bounded() {
        let mut groups = Groups::default();
        for n in 0..Limits::FORECAST_GROUPS_HELD_MAX + 5 {
            groups.count(n, None);
        }
        groups.count(0, Some(Limit));
        groups.count(Limits::FORECAST_GROUPS_HELD_MAX, Some(Enforce));
        assert_eq!(groups.held.len(), Limits::FORECAST_GROUPS_HELD_MAX);
        assert_eq!(groups.beyond, outcomes(1, 0, 0, 5));
        let breakdown = groups.breakdown(1);
        assert_eq!(breakdown.groups, [(0, outcomes(0, 1, 0, 1))], "what is held is counted on");
        assert_eq!(breakdown.others.devices, u64::try_from(Limits::FORECAST_GROUPS_HELD_MAX).expect("a number") + 5);
    }

    #[test]
    fn nobodys_devices_are_counted_apart() {
        let (reached, _) = buckets();
        let staged = requirements(Rollout { stage: Enforce, percent: 10, otherwise: Limit }, Rollout::all(Observe));
        let by = |bucket| Use { requirements: Some(&staged), bucket };
        let gone = Use { requirements: None, bucket: None };
        let (sound, soft) = (sound(), soft());
        let (out, both, lost) = ([by(None)], [by(None), by(Some(reached))], [gone]);
        let rows: [(&str, &Posture, &[Use<'_>], UsedBy, Option<Stage>, Option<Stage>); 5] = [
            ("through nothing", &soft, &[], UsedBy::Nobody, None, None),
            ("nobody signed in", &soft, &out, UsedBy::Nobody, Some(Limit), Some(Enforce)),
            ("a sound one", &sound, &out, UsedBy::Nobody, None, None),
            ("of an app that is gone", &sound, &lost, UsedBy::Nobody, Some(Enforce), Some(Enforce)),
            ("somebody is signed in", &soft, &both, UsedBy::Somebody, Some(Enforce), Some(Enforce)),
        ];
        for (name, posture, uses, by, stage, enforced) in rows {
            let judgement = Judgement::of(posture, uses, &Revocations::default(), NOW);
            assert_eq!((judgement.by, judgement.stage(), judgement.enforced), (by, stage, enforced), "{name}");
            let counted = forecast([(posture, None, uses)], NOW);
            let (nobodys, somebodys) = ((counted.nobodys, counted.nobodys_enforced), (counted.in_force, counted.enforced));
            let (full, empty) = match by {
                UsedBy::Nobody => (nobodys, somebodys),
                UsedBy::Somebody => (somebodys, nobodys),
            };
            assert_eq!(full, (one(stage), one(enforced)), "{name}");
            assert_eq!(empty, (outcomes(0, 0, 0, 0), outcomes(0, 0, 0, 0)), "{name}");
            assert_eq!(counted.by_model.groups.len(), usize::from(by == UsedBy::Somebody), "{name}");
        }
    }
}
