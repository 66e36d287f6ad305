//! All devices with those who use them, and what becomes of their requests.
//!
//! A device is judged as the gateway judges it: by what is required of the devices of the app of the session, for the share of the
//! session's person. Devices on which nobody is signed in are judged as at enrolment: by the app that enrolled them, for nobody.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use countersign_compliance::{Apps, Bucket, Judgement, Revocations, Use};
use countersign_core::{ClientId, DeviceId, UnixSeconds};
use countersign_store::{Device, Devices, Presence, Sessions, Unavailable};

/// Devices, and people on them, that are in memory at a time.
const PAGE: u32 = 500;

/// A device, and through which apps people of which shares use it. At most a hundred for each app.
#[derive(Clone, Debug)]
pub struct Met {
    /// The device.
    pub device: Device,
    /// Those who are signed in.
    pub people: BTreeSet<(ClientId, Bucket)>,
}

impl Met {
    /// What becomes of the requests from the device; of those through `app` only, where one is given. `None`: there are none.
    #[must_use]
    pub fn judge(&self, apps: &Apps, app: Option<&ClientId>, revocations: &Revocations, now: UnixSeconds) -> Option<Judgement> {
        let posture = &self.device.posture;
        let uses: Vec<_> = if self.people.is_empty() {
            let enroller = apps.enroller(posture);
            if app.is_some() && app != enroller.map(|(client, _)| client) {
                return None;
            }
            vec![Use { requirements: enroller.map(|(_, app)| &app.requirements), bucket: None }]
        } else {
            let through = self.people.iter().filter(|(client, _)| app.is_none_or(|app| app == client));
            let requirements = |client| apps.of(client).ok().map(|app| &app.requirements);
            through.map(|(client, bucket)| Use { requirements: requirements(client), bucket: Some(*bucket) }).collect()
        };
        (!uses.is_empty()).then(|| Judgement::of(posture, &uses, revocations, now))
    }
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
    async fn on(&mut self, device: &DeviceId) -> Result<BTreeSet<(ClientId, Bucket)>, Unavailable> {
        let mut found = BTreeSet::new();
        loop {
            // Whoever came to an earlier device after that one was met is not counted.
            while let Some(one) = self.page.pop_front_if(|one| one.device <= *device) {
                if one.device == *device {
                    found.insert((one.client, Bucket::of(&one.user)));
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
