//! The registry of apps: which names an app has, what it requires of its phones, and so which app a posture belongs to.
//!
//! The registry stands once in a node. Requests, the doors where phones enrol, reports and what-ifs ask this one value, so that no
//! two of them know different requirements of one app.

use std::collections::BTreeMap;

use countersign_core::{AppId, ClientId, Platform, Posture, Reason, Stage, UnixSeconds, Unmet};

use crate::requirement::{Bucket, Requirement, Requirements, Revocations, Rule};

/// An app by its names on each platform, and what it requires of its phones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// The package on Android.
    pub package: AppId,
    /// The bundle id on iOS; `None` when there is no such app.
    pub bundle: Option<AppId>,
    /// Requirements of the app for its phones, in stages.
    pub requirements: Requirements,
}

/// Registry of all apps, by their client ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Apps(BTreeMap<ClientId, App>);

impl Apps {
    /// Returns the app with this client id.
    ///
    /// # Errors
    /// [`Reason::ClientUnknown`] when no app has it.
    pub fn of(&self, client: &ClientId) -> Result<&App, Reason> {
        self.0.get(client).ok_or(Reason::ClientUnknown)
    }

    /// Lists all client ids, in alphabetical order.
    pub fn clients(&self) -> impl Iterator<Item = &ClientId> {
        self.0.keys()
    }

    /// Finds the app that enrolled a phone; `None` when no app of this registry did.
    #[must_use]
    pub fn enroller(&self, posture: &Posture) -> Option<(&ClientId, &App)> {
        self.0.iter().find(|(_, app)| app.enrolled(posture).is_ok())
    }
}

impl FromIterator<(ClientId, App)> for Apps {
    fn from_iter<T: IntoIterator<Item = (ClientId, App)>>(apps: T) -> Self {
        Self(apps.into_iter().collect())
    }
}

impl App {
    /// Returns the name of the app on a platform: the package on Android, the bundle id on iOS.
    ///
    /// # Errors
    /// [`Reason::AppUnknown`] where there is no such app on that platform.
    pub fn named_on(&self, platform: Platform) -> Result<&AppId, Reason> {
        match platform {
            Platform::Android => Ok(&self.package),
            Platform::Ios => self.bundle.as_ref().ok_or(Reason::AppUnknown),
        }
    }

    /// Checks that this app enrolled a phone. A device is one installation of one app: a proof to one app is no proof to another, which may
    /// ask for more.
    ///
    /// # Errors
    /// [`Reason::AppUnknown`] when another app enrolled the phone, and for a posture that names no app.
    pub fn enrolled(&self, posture: &Posture) -> Result<(), Reason> {
        match &posture.app {
            // SECURITY: the platform decides which name counts, so a package on Android cannot pass for a bundle id on iOS of the same
            // text.
            Some(named) if self.named_on(posture.platform)? == named => Ok(()),
            Some(_) | None => Err(Reason::AppUnknown),
        }
    }

    /// Checks that this app may have enrolled a phone: evidence that names no app may be of every app of its platform. Meant for what-ifs
    /// about such evidence; a request needs [`Self::enrolled`].
    ///
    /// # Errors
    /// [`Reason::AppUnknown`] when the evidence names another app, or when this app does not exist on the platform.
    pub fn may_have_enrolled(&self, posture: &Posture) -> Result<(), Reason> {
        match &posture.app {
            Some(_) => self.enrolled(posture),
            None => self.named_on(posture.platform).map(|_| ()),
        }
    }

    /// Lists the requirements that an enrolling phone does not meet, when none of them refuses it. No person is known yet, so only a
    /// requirement that is enforced for everybody refuses.
    ///
    /// # Errors
    /// The first unmet requirement whose stage is [`Stage::Enforce`].
    pub fn met_by(&self, posture: &Posture, revocations: &Revocations, now: UnixSeconds) -> Result<Vec<Unmet>, Unmet> {
        let unmet = self.unmet(posture, revocations, None, now);
        // The order of the requirements decides which refusal the phone hears of.
        match unmet.iter().find(|unmet| unmet.stage == Stage::Enforce) {
            Some(unmet) => Err(unmet.clone()),
            None => Ok(unmet),
        }
    }

    /// Lists the requirements that a phone does not meet, with their stages for a person of this share, or, when `share` is `None`, for
    /// nobody in particular.
    #[must_use]
    pub fn unmet(&self, posture: &Posture, revocations: &Revocations, bucket: Option<Bucket>, now: UnixSeconds) -> Vec<Unmet> {
        self.requirements.unmet(posture, revocations, bucket, now)
    }

    /// Stage that the app's rules give to phones that a development token enrolled; `None` when no rule is about such phones.
    #[must_use]
    pub fn development_refused(&self) -> Option<Stage> {
        let Requirement { rollout, .. } = self.requirements.0.iter().find(|requirement| requirement.rule == Rule::NoDevelopment)?;
        Some(rollout.stage_for(None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requirement::Rollout;
    use countersign_core::{DeviceId, EvidenceTier, Provenance, SecurityLevel, Thumbprint};

    const NOW: UnixSeconds = UnixSeconds(1_793_491_200);

    fn named(name: &str) -> AppId {
        AppId::parse(name).expect("an app")
    }

    fn client(name: &str) -> ClientId {
        ClientId::parse(name).expect("a client")
    }

    fn posture(platform: Platform, app: Option<&str>) -> Posture {
        Posture {
            device: DeviceId::from_random([1; 16]),
            key: Thumbprint::from_bytes([2; 32]),
            platform,
            tier: EvidenceTier::Hardware,
            by: Provenance::AndroidKeyAttestation,
            established_at: NOW,
            security_level: SecurityLevel::TrustedEnvironment,
            bootloader_locked: None,
            boot_state: None,
            boot_key: None,
            os_version: None,
            patch_level: None,
            app: app.map(named),
            app_version: None,
            certificates: Vec::new(),
            verdict: None,
            report: None,
            risk_metric: None,
        }
    }

    fn app(package: &str, bundle: Option<&str>, requirements: Vec<Requirement>) -> App {
        App { package: named(package), bundle: bundle.map(named), requirements: Requirements(requirements) }
    }

    #[test]
    fn a_phone_belongs_to_the_app_that_enrolled_it() {
        let apps: Apps =
            [(client("bank"), app("a.bank", Some("i.bank"), vec![])), (client("shop"), app("a.shop", None, vec![]))].into_iter().collect();
        let (unknown, android, ios) = (Err(Reason::AppUnknown), Platform::Android, Platform::Ios);
        let rows: &[(&str, &str, Posture, Result<(), Reason>, Option<&str>)] = &[
            ("its package", "bank", posture(android, Some("a.bank")), Ok(()), Some("bank")),
            ("its bundle", "bank", posture(ios, Some("i.bank")), Ok(()), Some("bank")),
            ("the other app's", "bank", posture(android, Some("a.shop")), unknown.clone(), Some("shop")),
            ("its bundle on the other platform", "bank", posture(android, Some("i.bank")), unknown.clone(), None),
            ("its package on the other platform", "bank", posture(ios, Some("a.bank")), unknown.clone(), None),
            ("a platform without the app", "shop", posture(ios, Some("a.shop")), unknown.clone(), None),
            ("nobody's", "bank", posture(android, Some("a.thief")), unknown.clone(), None),
            ("no app is named", "bank", posture(android, None), unknown.clone(), None),
        ];
        for (name, of, posture, enrolled, enroller) in rows {
            assert_eq!(apps.of(&client(of)).expect("an app").enrolled(posture), *enrolled, "{name}");
            assert_eq!(apps.enroller(posture).map(|(client, _)| client.as_str()), *enroller, "{name}");
        }
        assert_eq!(apps.of(&client("none")), Err(Reason::ClientUnknown));
        assert_eq!(apps.clients().map(ClientId::as_str).collect::<Vec<_>>(), ["bank", "shop"]);
    }

    #[test]
    fn evidence_without_a_name_may_be_of_every_app_of_its_platform() {
        let shop = app("a.shop", None, vec![]);
        let rows = [
            ("its package", posture(Platform::Android, Some("a.shop")), Ok(())),
            ("no name", posture(Platform::Android, None), Ok(())),
            ("another name", posture(Platform::Android, Some("a.bank")), Err(Reason::AppUnknown)),
            ("no name on a platform without the app", posture(Platform::Ios, None), Err(Reason::AppUnknown)),
        ];
        for (name, posture, expected) in rows {
            assert_eq!(shop.may_have_enrolled(&posture), expected, "{name}");
        }
    }

    #[test]
    fn what_holds_for_everybody_refuses() {
        let requirement = |stage| Requirement {
            rule: Rule::SecurityLevel(SecurityLevel::StrongBox),
            rollout: Rollout { stage, percent: 50, otherwise: Stage::Limit },
        };
        let (found, none) = (posture(Platform::Android, Some("a.shop")), Revocations::default());
        let unmet = |stage| Unmet { reason: Reason::KeyNotHardware, stage, update: None };
        let rows = [
            ("half of the people", requirement(Stage::Enforce), Ok(vec![unmet(Stage::Limit)])),
            ("everybody", Requirement { rollout: Rollout::all(Stage::Enforce), ..requirement(Stage::Enforce) }, Err(unmet(Stage::Enforce))),
        ];
        for (name, required, expected) in rows {
            assert_eq!(app("a.shop", None, vec![required]).met_by(&found, &none, NOW), expected, "{name}");
        }
    }

    #[test]
    fn development_is_refused_where_that_is_required() {
        let no_development = |rollout| Requirement { rule: Rule::NoDevelopment, rollout };
        assert_eq!(app("a.shop", None, vec![]).development_refused(), None);
        let enforced = app("a.shop", None, vec![no_development(Rollout::all(Stage::Enforce))]);
        assert_eq!(enforced.development_refused(), Some(Stage::Enforce));
    }
}
