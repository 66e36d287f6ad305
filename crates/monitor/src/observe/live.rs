//! The observer of live traffic, through which every request passes.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use countersign_core::{
    Action, AnswerSeen, CoarsePlace, DeviceId, Limits, LoginDevice, LoginSeen, Observer, PublicReason, Reason, RequestSeen, RiskReason,
    RiskView, Seconds, SessionId, Signal, SignalKind, SignalSink, UnixMillis, UnixSeconds, UserId,
};
use countersign_risk::{
    Operation,
    credentials::{CredentialRule, Source},
    fingerprint::{Field, Salt},
    geo::Position,
    login::{DeviceName, Login, LoginRule},
    maths::{floor_index, within},
    network::{Asn, site},
    subjects::Subjects,
    usage::{Ending, UseEvidence, UseObservation, UseRule},
};

use crate::observe::{
    logins::{LoginObservation, Logins},
    places::{Place, Places},
    requests::Requests,
};

/// Time for which the place of a site is cached. It is short because the maps are replaced while a node runs.
const SITE_LIFE: Seconds = Seconds(60);

/// Time for which the place that a phone reported is used.
const PHONE_PLACE_LIFE: Seconds = Seconds(3600);

/// Configuration of the observer.
#[derive(Clone)]
pub struct ObserverConfig {
    /// Secret from which the fingerprints of everything remembered are made.
    pub salt: Salt,
    /// Greatest number of people remembered at a time; the least recently seen is dropped first.
    pub people_max: usize,
    /// Account names that belong to nobody; any use of one is an alarm.
    pub honey_accounts: BTreeSet<String>,
    /// Actions that no app performs; any use of one is an alarm.
    pub honey_operations: BTreeSet<Action>,
    /// Rule by which requests are judged.
    pub requests: UseRule,
    /// Rule by which logins are judged.
    pub logins: LoginRule,
    /// Thresholds beyond which attempts count as guessing.
    pub credentials: CredentialRule,
}

impl ObserverConfig {
    /// The shipped configuration, for at most `people_max` people.
    #[must_use]
    pub fn shipped(salt: Salt, people_max: usize) -> Self {
        Self {
            salt,
            people_max,
            honey_accounts: BTreeSet::new(),
            honey_operations: BTreeSet::new(),
            requests: UseRule::default(),
            logins: LoginRule::default(),
            credentials: CredentialRule::default(),
        }
    }
}

/// The observer of live traffic.
pub struct LiveObserver {
    pub(super) config: ObserverConfig,
    pub(super) requests: Requests,
    pub(super) logins: Mutex<Logins>,
    places: Arc<dyn Places>,
    phones: Mutex<Subjects<Option<(Position, UnixSeconds)>>>,
    sites: Mutex<HashMap<[u8; 8], (Place, UnixSeconds)>>,
    signals: Arc<dyn SignalSink>,
}

impl LiveObserver {
    /// An observer that knows nobody yet.
    #[must_use]
    pub fn new(config: ObserverConfig, places: Arc<dyn Places>, signals: Arc<dyn SignalSink>) -> Self {
        let requests = Requests::new(config.requests, config.people_max);
        let logins = Logins::new(config.logins, config.credentials, config.salt, config.people_max);
        let phones = Mutex::new(Subjects::new(Limits::REPORTED_PLACES_MAX));
        Self { config, requests, logins: Mutex::new(logins), places, phones, sites: Mutex::default(), signals }
    }

    /// Number of people observed, and the memory of their habits in bytes.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        self.requests.size()
    }

    fn place(&self, address: IpAddr, now: UnixSeconds) -> Place {
        let site = site(address);
        let mut sites = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((place, until)) = sites.get(&site)
            && now < *until
        {
            return place.clone();
        }
        let place = self.places.locate(address);
        if sites.len() >= Limits::SITES_CACHED_MAX {
            // Emptied as a whole, which is simple: entries live for a minute only.
            sites.clear();
        }
        sites.insert(site, (place.clone(), now.plus(SITE_LIFE)));
        place
    }

    fn phone(&self, device: &DeviceId, now: UnixSeconds) -> Option<(Position, UnixSeconds)> {
        let phones = self.phones.lock().unwrap_or_else(PoisonError::into_inner);
        // Hardly any app shares the place, and then no request should pay for the hash.
        if phones.is_empty() {
            return None;
        }
        let said = phones.peek(self.key(device.as_str())).copied().flatten();
        said.filter(|(_, at)| now.age_of(*at, Limits::CLOCK_AHEAD_MAX) <= PHONE_PLACE_LIFE)
    }

    fn key(&self, text: &str) -> u64 {
        self.config.salt.long(Field::Subject, text.as_bytes())
    }

    fn observation(&self, seen: &RequestSeen<'_>) -> UseObservation {
        let (salt, now) = (self.config.salt, seen.at.seconds());
        let place = self.place(seen.address, now);
        UseObservation {
            at: now,
            session: self.key(seen.session.as_str()),
            operation: Operation::named(seen.action.as_str()),
            object: seen.object,
            prefix: salt.fingerprint(Field::Prefix, &site(seen.address)),
            network: place.network.map(|Asn(number)| salt.fingerprint(Field::Network, &number.to_le_bytes())),
            country: place.country.as_ref().map(|code| salt.fingerprint(Field::Country, code.as_bytes())),
            kind: place.kind,
            position: place.position,
            phone: self.phone(seen.device, now),
            ending: seen.refused.map_or(Ending::Good, ending),
        }
    }

    fn signal(&self, kind: SignalKind, whose: Whose<'_>, view: RiskView, at: UnixMillis) {
        self.signals.emit(Signal {
            kind,
            reason: Reason::RiskRaised,
            session: whose.session.cloned(),
            device: whose.device.cloned(),
            user: whose.user.cloned(),
            view,
            at,
        });
    }
}

/// Subject of a signal.
#[derive(Clone, Copy, Default)]
struct Whose<'a> {
    user: Option<&'a UserId>,
    session: Option<&'a SessionId>,
    device: Option<&'a DeviceId>,
}

/// Outcome of a refused request for scoring. A refusal that the person can cure does not count against them.
fn ending(reason: &Reason) -> Ending {
    if matches!(reason.public(), PublicReason::NotPermitted | PublicReason::RequestInvalid) { Ending::Refused } else { Ending::Good }
}

impl Observer for LiveObserver {
    fn request(&self, seen: &RequestSeen<'_>) -> RiskView {
        let whose = Whose { user: Some(seen.user), session: Some(seen.session), device: Some(seen.device) };
        if self.config.honey_operations.contains(seen.action) {
            self.signal(SignalKind::HoneyOperation, whose, RiskView::default(), seen.at);
        }
        let Some(looked) = self.requests.observe(self.key(seen.user.as_str()), &self.observation(seen)) else { return RiskView::default() };
        let score = looked.assessment.score.points();
        // A score far below the threshold gets no reasons, which saves memory on almost every request.
        let reasons = if score >= 20 { reasons_of_use(&looked.assessment.evidence) } else { Vec::new() };
        let view = RiskView { score, reasons };
        if let Some(kind) = looked.crossed {
            self.signal(kind, whose, view.clone(), seen.at);
        }
        view
    }

    fn answered(&self, seen: &AnswerSeen<'_>) {
        let ending = seen.refused.map_or(Ending::Good, ending);
        self.requests.answered(self.key(seen.user.as_str()), seen.bytes_out, ending, seen.at.seconds());
    }

    fn login(&self, seen: &LoginSeen<'_>) -> RiskView {
        let (salt, now) = (self.config.salt, seen.at.seconds());
        let place = self.place(seen.address, now);
        let device = match seen.device {
            LoginDevice::Attested(name) => DeviceName::Attested(name),
            LoginDevice::Claimed(name) => DeviceName::Claimed(name),
            LoginDevice::Unnamed => DeviceName::Unnamed,
        };
        let named = match seen.device {
            LoginDevice::Attested(name) | LoginDevice::Claimed(name) => Some(salt.fingerprint(Field::Device, name.as_bytes())),
            LoginDevice::Unnamed => None,
        };
        let observation = LoginObservation {
            account: seen.account,
            session: seen.session.map(|session| self.key(session.as_str())),
            source: Source {
                account: self.key(seen.account),
                device: named,
                prefix: salt.fingerprint(Field::Prefix, &site(seen.address)),
                network: place.network.map(|Asn(number)| salt.fingerprint(Field::Network, &number.to_le_bytes())),
            },
            login: Login {
                address: seen.address,
                network: place.network,
                country: place.country.as_deref(),
                kind: place.kind,
                position: place.position,
                device,
                os: seen.os,
                client: seen.app,
                form: seen.form,
                round_trip_ms: seen.round_trip_ms,
            },
            factor: seen.factor,
            outcome: seen.outcome,
            at: now,
        };
        let looked = self.logins.lock().unwrap_or_else(PoisonError::into_inner).observe(&observation);
        let reasons = looked
            .reasons
            .iter()
            .map(|part| RiskReason { name: part.feature.as_str().into(), weight_tenths: tenths(part.weight) })
            .collect();
        let view = RiskView { score: looked.score, reasons };
        let whose = Whose { user: seen.user, session: seen.session, device: seen.installation };
        if self.config.honey_accounts.contains(seen.account) {
            self.signal(SignalKind::HoneyAccount, whose, RiskView::default(), seen.at);
        }
        for kind in looked.crossed {
            // Guessing at an account comes from a stranger's phone, so the signal is not about that phone's sessions. Prompts and unusual
            // logins
            // are about the person's own.
            let whose = if kind == SignalKind::MfaFatigue || kind == SignalKind::UnusualLogin { whose } else { Whose::default() };
            self.signal(kind, whose, view.clone(), seen.at);
        }
        view
    }

    fn stepped_up(&self, user: &UserId, session: &SessionId, at: UnixMillis) {
        let session = self.key(session.as_str());
        self.requests.vouch(self.key(user.as_str()), session, at.seconds());
        self.logins.lock().unwrap_or_else(PoisonError::into_inner).vouch(session);
    }

    fn located(&self, device: &DeviceId, place: CoarsePlace, at: UnixMillis) {
        let (north, east) = place.degrees();
        let position = Position::new(north, east, CoarsePlace::RADIUS_KM).ok();
        let mut phones = self.phones.lock().unwrap_or_else(PoisonError::into_inner);
        phones.insert(self.key(device.as_str()), position.map(|position| (position, at.seconds())));
    }
}

/// Features that speak against the person, heaviest first.
fn reasons_of_use(evidence: &UseEvidence) -> Vec<RiskReason> {
    let mut against: Vec<_> = evidence.contributions().filter(|(_, weight)| *weight > 0.0).collect();
    against.sort_by(|(a, heavy), (b, light)| light.total_cmp(heavy).then(a.cmp(b)));
    against.into_iter().map(|(feature, weight)| RiskReason { name: feature.as_str().into(), weight_tenths: tenths(weight) }).collect()
}

/// Weight in tenths of a nat, at most 250. Evidence is a few nats; anything larger, or not a number, is cut to the range.
fn tenths(weight: f64) -> i32 {
    let size = i32::from(floor_index(within(weight.abs() * 10.0, 0.0, 250.0), 250));
    if weight < 0.0 { size.saturating_neg() } else { size }
}
