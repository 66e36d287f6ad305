//! Who would be refused and why: the requirements' judgement of a whole fleet, counted.
//!
//! Each device is judged by what judges its requests ([`Requirements::lacks`]), so that a forecast and the enforcement cannot
//! differ. Counted is what an operator groups by; no device and no person can be recognised in a [`Forecast`].

use std::collections::BTreeMap;

use crate::{
    posture::{Platform, Posture},
    reason::Reason,
    requirement::{Lack, Requirements, Revocations, Share, Stage, worst},
    time::UnixSeconds,
};

/// Groups of a breakdown that have a line of their own.
pub const GROUPS_MAX: usize = 50;

/// Someone's requests from a device through an app.
#[derive(Clone, Copy, Debug)]
pub struct Use<'a> {
    /// What is required of the app's devices. `None`: the app is not configured, and all of its requests are refused.
    pub requirements: Option<&'a Requirements>,
    /// To which share the person belongs; `None` while nobody is signed in.
    pub share: Option<Share>,
}

/// A device and those who use it.
#[derive(Clone, Copy, Debug)]
pub struct Surveyed<'a> {
    /// What is known of it.
    pub posture: &'a Posture,
    /// What its app says it is.
    pub model: Option<&'a str>,
    /// Everybody's use of it; the worst counts.
    pub uses: &'a [Use<'a>],
}

/// How many devices, by the worst that what they lack does to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// All of them.
    pub devices: u64,
    /// Those that are refused.
    pub refused: u64,
    /// Those that are limited.
    pub limited: u64,
    /// Those of which it is only counted.
    pub observed: u64,
}

impl Outcomes {
    /// Those that lack something, at whatever stage.
    #[must_use]
    pub const fn lacking(&self) -> u64 {
        self.refused.saturating_add(self.limited).saturating_add(self.observed)
    }

    /// Those that lack nothing.
    #[must_use]
    pub const fn clean(&self) -> u64 {
        self.devices.saturating_sub(self.lacking())
    }

    fn count(&mut self, stage: Option<Stage>) {
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

/// The groups of a fleet by one question: at most [`GROUPS_MAX`], those with most refused, then most limited, then most observed,
/// then most devices first, and what is the same in all of these in the groups' own order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breakdown<K> {
    /// The groups.
    pub groups: Vec<(K, Outcomes)>,
    /// How many groups have no line of their own.
    pub other_groups: u64,
    /// Their sum. A device that is in several groups counts in each.
    pub other: Outcomes,
}

impl<K: Ord> Breakdown<K> {
    fn of(groups: BTreeMap<K, Outcomes>) -> Self {
        let mut groups: Vec<_> = groups.into_iter().collect();
        let weight = |outcomes: &Outcomes| (outcomes.refused, outcomes.limited, outcomes.observed, outcomes.devices);
        groups.sort_by_key(|(_, outcomes)| std::cmp::Reverse(weight(outcomes)));
        let rest = groups.split_off(groups.len().min(GROUPS_MAX));
        let other = rest.iter().fold(Outcomes::default(), |sum, (_, outcomes)| sum.and(*outcomes));
        Self { groups, other_groups: u64::try_from(rest.len()).unwrap_or(u64::MAX), other }
    }
}

/// What becomes of a fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// As far as each requirement has been rolled out.
    pub in_force: Outcomes,
    /// If each were enforced for everybody; what is in grace stays so.
    pub enforced: Outcomes,
    /// By reason, those that lack something for it. A device is in as many groups as it has reasons.
    pub by_reason: Breakdown<Reason>,
    /// By model, as apps say it. All devices.
    pub by_model: Breakdown<Option<String>>,
    /// By platform and the first number of the system's version. All devices.
    pub by_system: Breakdown<(Platform, Option<u64>)>,
    /// By platform and the app's version, as [`Posture::app_version`]. All devices.
    pub by_app_version: Breakdown<(Platform, Option<u64>)>,
}

/// Counts a fleet, a device at a time, so that no fleet need fit into memory.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    in_force: Outcomes,
    enforced: Outcomes,
    by_reason: BTreeMap<Reason, Outcomes>,
    by_model: BTreeMap<Option<String>, Outcomes>,
    by_system: BTreeMap<(Platform, Option<u64>), Outcomes>,
    by_app_version: BTreeMap<(Platform, Option<u64>), Outcomes>,
}

impl Survey {
    /// Counts a device.
    pub fn add(&mut self, device: &Surveyed<'_>, revocations: &Revocations, now: UnixSeconds) {
        let posture = device.posture;
        let mut stages: BTreeMap<Reason, Stage> = BTreeMap::new();
        let mut enforced = None;
        for Use { requirements, share } in device.uses {
            let lacks = match requirements {
                Some(requirements) => {
                    enforced = enforced.max(worst(&requirements.lacks_enforced(posture, revocations, now)));
                    requirements.lacks(posture, revocations, *share, now)
                }
                None => {
                    enforced = Some(Stage::Enforce);
                    vec![Lack { reason: Reason::ClientUnknown, stage: Stage::Enforce, update: None }]
                }
            };
            for lack in lacks {
                let stage = stages.entry(lack.reason).or_insert(lack.stage);
                *stage = lack.stage.max(*stage);
            }
        }
        let stage = stages.values().max().copied();
        self.in_force.count(stage);
        self.enforced.count(enforced);
        for (reason, stage) in stages {
            self.by_reason.entry(reason).or_default().count(Some(stage));
        }
        let system = posture.os_version_known().map(|version| version.value / 10_000);
        let app_version = posture.app_version_known().map(|version| version.value);
        self.by_model.entry(device.model.map(str::to_owned)).or_default().count(stage);
        self.by_system.entry((posture.platform, system)).or_default().count(stage);
        self.by_app_version.entry((posture.platform, app_version)).or_default().count(stage);
    }

    /// What was counted.
    #[must_use]
    pub fn forecast(self) -> Forecast {
        Forecast {
            in_force: self.in_force,
            enforced: self.enforced,
            by_reason: Breakdown::of(self.by_reason),
            by_model: Breakdown::of(self.by_model),
            by_system: Breakdown::of(self.by_system),
            by_app_version: Breakdown::of(self.by_app_version),
        }
    }
}

impl Forecast {
    /// Judges all of `fleet`.
    #[must_use]
    pub fn of<'a>(fleet: impl IntoIterator<Item = Surveyed<'a>>, revocations: &Revocations, now: UnixSeconds) -> Self {
        let mut survey = Survey::default();
        for device in fleet {
            survey.add(&device, revocations, now);
        }
        survey.forecast()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        app_report::{AppFinding, AppReport},
        id::{DeviceId, Thumbprint, UserId},
        posture::{BootState, EvidenceTier, Provenance, SecurityLevel},
        requirement::{AppRelease, Requirement, Rollout, Rule},
        time::Seconds,
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
    fn shares() -> (Share, Share) {
        let rollout = Rollout { stage: Enforce, percent: 10, otherwise: Observe };
        let all: Vec<_> = (0..200_u8).map(|n| Share::of(&UserId::from_random([n; 16]))).collect();
        let one = |stage| *all.iter().find(|share| rollout.stage_for(Some(**share)) == stage).expect("of two hundred");
        (one(Enforce), one(Observe))
    }

    fn outcomes(refused: u64, limited: u64, observed: u64, clean: u64) -> Outcomes {
        Outcomes { devices: refused + limited + observed + clean, refused, limited, observed }
    }

    #[test]
    fn the_worst_of_all_uses_counts() {
        let (reached, other) = shares();
        let staged = requirements(Rollout { stage: Enforce, percent: 10, otherwise: Limit }, Rollout::all(Observe));
        let watched = requirements(Rollout::all(Observe), Rollout::all(Observe));
        let by = |share| Use { requirements: Some(&staged), share };
        let through_another = Use { requirements: Some(&watched), share: Some(reached) };
        let unknown = Use { requirements: None, share: Some(other) };
        let rows: Vec<(&str, Posture, Vec<Use<'_>>, Option<Stage>, Vec<(Reason, Stage)>, Option<Stage>)> = vec![
            ("sound", sound(), vec![by(Some(reached))], None, vec![], None),
            ("used by nobody, through nothing", soft(), vec![], None, vec![], None),
            ("reached", soft(), vec![by(Some(reached))], Some(Enforce), vec![(Reason::KeyNotHardware, Enforce)], Some(Enforce)),
            ("not reached", soft(), vec![by(Some(other))], Some(Limit), vec![(Reason::KeyNotHardware, Limit)], Some(Enforce)),
            ("nobody signed in", soft(), vec![by(None)], Some(Limit), vec![(Reason::KeyNotHardware, Limit)], Some(Enforce)),
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
            let forecast = Forecast::of([Surveyed { posture: &posture, model: None, uses: &uses }], &Revocations::default(), NOW);
            let one = |stage| {
                let mut outcomes = Outcomes::default();
                outcomes.count(stage);
                outcomes
            };
            assert_eq!(forecast.in_force, one(stage), "{name}");
            assert_eq!(forecast.enforced, one(enforced), "{name}: enforced");
            let mut expected: Vec<_> = reasons.into_iter().map(|(reason, stage)| (reason, one(Some(stage)))).collect();
            let mut got = forecast.by_reason.groups;
            expected.sort_by(|(a, _), (b, _)| a.cmp(b));
            got.sort_by(|(a, _), (b, _)| a.cmp(b));
            assert_eq!(got, expected, "{name}: reasons");
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
        let uses = [Use { requirements: Some(&both), share: None }];
        let forecast = Forecast::of([Surveyed { posture: &bare, model: None, uses: &uses }], &Revocations::default(), NOW);
        assert_eq!(forecast.by_reason.groups, [(Reason::RootOfTrustMissing, outcomes(0, 1, 0, 0))]);
    }

    #[test]
    fn grace_outlives_enforcement() {
        let until = NOW.plus(Seconds(60));
        let release = AppRelease { min: 311, min_text: "3.1.1".to_owned(), grace_until: Some(until), store: None };
        let rule = Rule::AppVersion([(Platform::Android, release)].into());
        let all = Requirements(vec![Requirement { rule, rollout: Rollout::all(Limit) }]);
        let uses = [Use { requirements: Some(&all), share: None }];
        let posture = sound();
        let rows = [
            ("the last second of grace", NOW.plus(Seconds(59)), outcomes(0, 0, 1, 0), outcomes(0, 0, 1, 0)),
            ("after it", until, outcomes(0, 1, 0, 0), outcomes(1, 0, 0, 0)),
        ];
        for (name, now, in_force, enforced) in rows {
            let forecast = Forecast::of([Surveyed { posture: &posture, model: None, uses: &uses }], &Revocations::default(), now);
            assert_eq!((forecast.in_force, forecast.enforced), (in_force, enforced), "{name}");
        }
    }

    #[test]
    fn breakdowns_have_bounds_and_an_order() {
        let all = requirements(Rollout::all(Enforce), Rollout::all(Observe));
        let uses = [Use { requirements: Some(&all), share: None }];
        let (sound, soft, rooted) = (sound(), soft(), rooted());
        let models: Vec<_> = (0..GROUPS_MAX + 2).map(|n| format!("model {n:02}")).collect();
        let named = |posture, model| Surveyed { posture, model: Some(model), uses: &uses };
        let mut fleet: Vec<_> = models.iter().map(|model| named(&sound, model.as_str())).collect();
        fleet.extend([named(&sound, "model 51"), named(&rooted, "model 51"), named(&soft, "model 51"), named(&rooted, "model 30")]);
        let forecast = Forecast::of(fleet.iter().copied(), &Revocations::default(), NOW);
        assert_eq!(forecast.in_force, outcomes(1, 0, 2, 53));
        let groups: Vec<_> = forecast.by_model.groups.iter().map(|(model, _)| model.as_deref().expect("a model")).collect();
        assert_eq!(groups.get(..4), Some(&["model 51", "model 30", "model 00", "model 01"][..]), "most refused, then most observed");
        assert_eq!(forecast.by_model.groups.first().map(|(_, o)| *o), Some(outcomes(1, 0, 1, 2)));
        assert_eq!((groups.len(), forecast.by_model.other_groups), (GROUPS_MAX, 2));
        assert_eq!(forecast.by_model.other, outcomes(0, 0, 0, 2));
        let sum = forecast.by_model.groups.iter().fold(forecast.by_model.other, |sum, (_, outcomes)| sum.and(*outcomes));
        assert_eq!(sum, forecast.in_force, "every device is in one group");
        fleet.reverse();
        assert_eq!(Forecast::of(fleet, &Revocations::default(), NOW), forecast, "in whatever order the devices come");
        assert_eq!((forecast.in_force.lacking(), forecast.in_force.clean()), (3, 53));
    }

    #[test]
    fn exactly_as_many_groups_as_fit_leave_no_other() {
        let uses = [];
        let posture = sound();
        let models: Vec<_> = (0..GROUPS_MAX).map(|n| n.to_string()).collect();
        let fleet = models.iter().map(|model| Surveyed { posture: &posture, model: Some(model), uses: &uses });
        let forecast = Forecast::of(fleet, &Revocations::default(), NOW);
        assert_eq!((forecast.by_model.groups.len(), forecast.by_model.other_groups), (GROUPS_MAX, 0));
        assert_eq!(forecast.by_model.other, Outcomes::default());
    }
}
