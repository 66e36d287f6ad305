//! All devices with those who use them, and what becomes of their requests.
//!
//! A device is judged as the gateway judges it: by what is required of the devices of the app of the session, for the share of the
//! session's person. Devices on which nobody is signed in are judged as at enrolment: by the app that enrolled them, for nobody.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

use countersign_compliance::{Judgement, Requirements, Revocations, Share, Use};
use countersign_core::{AppId, ClientId, DeviceId, Platform, Posture, UnixSeconds};
use countersign_store::{Device, Devices, Presence, Sessions, Unavailable};

use crate::{
    config::{App, Config, Faults},
    wire::devices,
};

/// Devices, and people on them, that are in memory at a time.
const PAGE: u32 = 500;

/// What is required of the devices of each app, and which app enrols which.
#[derive(Clone, Debug)]
pub struct Rulebook {
    requirements: HashMap<ClientId, Requirements>,
    apps: Vec<Enroller>,
}

/// An app by all its names.
#[derive(Clone, Debug)]
struct Enroller {
    client: ClientId,
    package: AppId,
    bundle: Option<String>,
}

impl Rulebook {
    /// What is required of the devices of these apps.
    #[must_use]
    pub fn new(requirements: HashMap<ClientId, Requirements>, apps: &[App]) -> Self {
        let enroller = |app: &App| Enroller {
            client: app.client.clone(),
            package: app.package.clone(),
            bundle: app.ios.as_ref().map(|ios| ios.bundle.clone()),
        };
        Self { requirements, apps: apps.iter().map(enroller).collect() }
    }

    /// What a configuration requires, whether or not a node runs by it.
    ///
    /// # Errors
    /// Each file of boot keys that is missing or is not what it should be.
    pub fn of(config: &Config) -> Result<Self, Faults> {
        Ok(Self::new(devices::requirements(config)?, &config.apps))
    }

    /// Whether there is an app of this name.
    #[must_use]
    pub fn knows(&self, app: &ClientId) -> bool {
        self.requirements.contains_key(app)
    }

    /// What becomes of the requests from a device; of those through `app` only, where one is given. `None`: there are none.
    #[must_use]
    pub fn judge(&self, met: &Met, app: Option<&ClientId>, revocations: &Revocations, now: UnixSeconds) -> Option<Judgement> {
        let posture = &met.device.posture;
        let uses: Vec<_> = if met.people.is_empty() {
            let client = self.enroller(posture);
            if app.is_some() && app != client {
                return None;
            }
            vec![Use { requirements: client.and_then(|client| self.requirements.get(client)), share: None }]
        } else {
            let through = met.people.iter().filter(|(client, _)| app.is_none_or(|app| app == client));
            through.map(|(client, share)| Use { requirements: self.requirements.get(client), share: Some(*share) }).collect()
        };
        (!uses.is_empty()).then(|| Judgement::of(posture, &uses, revocations, now))
    }

    /// The app that enrolled a device.
    fn enroller(&self, posture: &Posture) -> Option<&ClientId> {
        let named = posture.app.as_ref()?.as_str();
        let fits = |app: &&Enroller| match posture.platform {
            Platform::Android => app.package.as_str() == named,
            Platform::Ios => app.bundle.as_deref() == Some(named),
        };
        self.apps.iter().find(fits).map(|app| &app.client)
    }
}

/// A device, and through which apps people of which shares use it. At most a hundred for each app.
#[derive(Clone, Debug)]
pub struct Met {
    /// The device.
    pub device: Device,
    /// Those who are signed in.
    pub people: BTreeSet<(ClientId, Share)>,
}

/// Where devices and people are found.
pub struct Fleet {
    /// Devices.
    pub devices: Arc<dyn Devices>,
    /// Who is signed in.
    pub sessions: Arc<dyn Sessions>,
}

impl Fleet {
    /// Meets every device once, in the order of their ids, a page in memory at a time.
    ///
    /// # Errors
    /// Our fault only.
    pub async fn walk(&self, now: UnixSeconds, mut meet: impl FnMut(&Met)) -> Result<(), Unavailable> {
        let mut people = People { sessions: &*self.sessions, now, page: VecDeque::new(), rest: Rest::After(None) };
        let mut after: Option<DeviceId> = None;
        loop {
            let page = self.devices.walk(after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.posture.device.clone());
            for device in page {
                let people = people.on(&device.posture.device).await?;
                meet(&Met { device, people });
            }
        }
    }
}

/// Who is signed in, read along with the devices: both come in the order of the devices' ids.
struct People<'a> {
    sessions: &'a dyn Sessions,
    now: UnixSeconds,
    page: VecDeque<Presence>,
    rest: Rest,
}

/// What has not been read yet.
enum Rest {
    /// Those after this one.
    After(Option<Presence>),
    /// Nobody.
    Nobody,
}

impl People<'_> {
    /// Those on a device. Devices are asked for in order.
    async fn on(&mut self, device: &DeviceId) -> Result<BTreeSet<(ClientId, Share)>, Unavailable> {
        let mut found = BTreeSet::new();
        loop {
            // Whoever came to an earlier device after that one was met is not counted.
            while let Some(one) = self.page.pop_front_if(|one| one.device <= *device) {
                if one.device == *device {
                    found.insert((one.client, Share::of(&one.user)));
                }
            }
            let Rest::After(last) = &self.rest else { return Ok(found) };
            if !self.page.is_empty() {
                return Ok(found);
            }
            self.page = self.sessions.walk(last.as_ref(), PAGE, self.now).await?.into();
            self.rest = self.page.back().map_or(Rest::Nobody, |last| Rest::After(Some(last.clone())));
        }
    }
}
