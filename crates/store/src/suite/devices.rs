//! What is known about a device.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use countersign_core::{
    AppAccess, AppFinding, AppReport, BootKey, BootState, CounterRefusal, CounterWindow, DeviceId, EvidenceTier, Integrity, Licensing,
    Platform, PlayProtect, Posture, Provenance, Recognition, RiskMetric, SecurityLevel, SerialDigest, Thumbprint, UnixSeconds,
    VendorVerdict,
};

use crate::{
    devices::{ChangeError, Device, DeviceChange, DeviceState, Devices, PostureError, VouchingKey},
    suite::{
        race::{abandon, departures, race},
        samples::device,
        world::Home,
    },
};

async fn posture(devices: &dyn Devices, id: &DeviceId) -> Result<Posture, PostureError> {
    devices.posture(id).await.map(|live| live.into_posture())
}

/// Asks for the posture by the device's key.
async fn posture_by_key(devices: &dyn Devices, key: &Thumbprint) -> Result<Posture, PostureError> {
    devices.posture_by_key(key).await.map(|live| live.into_posture())
}

/// Device of which little is known; each number makes another kind.
fn odd_device(number: u16) -> Device {
    let (platform, security_level, bootloader_locked) = match number % 3 {
        0 => (Platform::Android, SecurityLevel::Software, None),
        1 => (Platform::Ios, SecurityLevel::TrustedEnvironment, Some(false)),
        _ => (Platform::Android, SecurityLevel::StrongBox, Some(true)),
    };
    let (tier, boot_state) = match number % 4 {
        0 => (EvidenceTier::None, None),
        1 => (EvidenceTier::SelfReported, Some(BootState::Failed)),
        2 => (EvidenceTier::Platform, Some(BootState::SelfSigned)),
        _ => (EvidenceTier::Hardware, Some(BootState::Unverified)),
    };
    let (by, boot_key) = match number % 4 {
        0 => (Provenance::AndroidKeyAttestation, BootKey::new(vec![7; 32])),
        1 => (Provenance::AppAttest, None),
        2 => (Provenance::DevelopmentToken, BootKey::new(vec![8])),
        _ => (Provenance::PlayIntegrity, None),
    };
    let vouching = (number % 2 == 1).then(|| VouchingKey {
        jwk: format!("{{\"vouching\":{number}}}"),
        counters: CounterWindow::from_parts(u32::MAX, u128::MAX - u128::from(number)),
        receipt: (number % 4 == 1).then(|| vec![1, 2, 3]),
    });
    let certificates = (0..u8::try_from(number % 3).unwrap_or(0)).map(|n| SerialDigest([n; 16])).collect();
    let risk_metric = (number % 3 == 1).then_some(RiskMetric { count: u32::MAX, at: UnixSeconds(5) });
    let verdict = (number % 5 == 1).then(verdict);
    let report = (number % 5 == 2).then(|| report(9, AppFinding::ALL));
    let little = Posture { os_version: None, patch_level: None, app: None, app_version: None, ..device(number).posture };
    let little = Posture { by, boot_key, certificates, verdict, report, risk_metric, ..little };
    Device { posture: Posture { platform, tier, security_level, bootloader_locked, boot_state, ..little }, vouching, ..device(number) }
}

fn verdict() -> VendorVerdict {
    VendorVerdict {
        at: UnixSeconds(7),
        integrity: Integrity::Strong,
        recognition: Some(Recognition::Unrecognized),
        licensing: Some(Licensing::Unevaluated),
        play_protect: Some(PlayProtect::MediumRisk),
        app_access: AppAccess::ALL.iter().copied().collect(),
        recent_activity: Some(4),
        sdk_version: Some(36),
        recall: Some([true, false, true]),
        testing: true,
    }
}

fn report(at: u64, findings: &[AppFinding]) -> AppReport {
    let findings = findings.iter().copied().collect();
    AppReport { at: UnixSeconds(at), findings, os_version: Some(1), app_version: None, installer: Some("com.android.vending".to_owned()) }
}

pub(crate) async fn a_change_is_kept_and_answered(home: &dyn Home) {
    let devices = home.open().await.devices;
    let first = Device { vouching: Some(VouchingKey { jwk: "{}".to_owned(), counters: CounterWindow::FRESH, receipt: None }), ..device(1) };
    assert!(devices.enrol(first.clone()).await.is_ok());
    let id = first.posture.device.clone();
    let later =
        Posture { established_at: UnixSeconds(first.posture.established_at.0 + 60), os_version: Some(170_000), ..first.posture.clone() };
    let changes = [
        DeviceChange::Name("Ana's phone".to_owned()),
        DeviceChange::Report(report(9, &[AppFinding::Rooted])),
        DeviceChange::Verdict(verdict()),
        DeviceChange::RiskMetric(RiskMetric { count: 3, at: UnixSeconds(8) }, vec![4]),
        DeviceChange::Evidence(Box::new(later), Some(5)),
    ];
    let mut expected = first;
    for change in changes {
        expected = change.clone().apply(expected).expect("a change");
        assert_eq!(devices.change(&id, change).await.as_ref(), Ok(&expected));
        assert_eq!(posture(&*devices, &id).await.as_ref(), Ok(&expected.posture));
    }
    let devices = home.open().await.devices;
    assert_eq!(devices.find(&id).await, Ok(Some(expected.clone())));
    let again = DeviceChange::Evidence(Box::new(expected.posture.clone()), Some(5));
    assert_eq!(devices.change(&id, again).await, Err(ChangeError::Counter(CounterRefusal::Repeated)));
    assert_eq!(devices.find(&id).await, Ok(Some(expected)), "what is refused changes nothing");
    assert_eq!(devices.change(&device(99).posture.device, DeviceChange::Name(String::new())).await, Err(ChangeError::Unknown));
}

/// Sends assertions that overtake each other, each sent twice, with reports between them.
pub(crate) async fn racing_changes_are_all_there(home: &dyn Home) {
    const COUNTERS: u32 = 8;
    let devices = home.open().await.devices;
    let first = Device { vouching: Some(VouchingKey { jwk: "{}".to_owned(), counters: CounterWindow::FRESH, receipt: None }), ..device(1) };
    assert!(devices.enrol(first.clone()).await.is_ok());
    let id = first.posture.device.clone();
    let results = race(24, |task| {
        let (devices, id, evidence) = (Arc::clone(&devices), id.clone(), first.posture.clone());
        async move {
            let counter = u32::try_from(task).unwrap_or(0) % COUNTERS + 1;
            let finding = AppFinding::ALL.get(task % COUNTERS as usize).copied().unwrap_or(AppFinding::Rooted);
            match task / COUNTERS as usize {
                2 => devices.change(&id, DeviceChange::Report(report(9, &[finding]))).await.is_ok(),
                _ => devices
                    .change(&id, DeviceChange::Evidence(Box::new(Posture { established_at: UnixSeconds(0), ..evidence }), Some(counter)))
                    .await
                    .is_ok(),
            }
        }
    })
    .await;
    assert_eq!(results.iter().filter(|passed| **passed).count(), 16, "each counter once, and every report: {results:?}");
    let found = devices.find(&id).await.expect("an answer").expect("the device");
    assert_eq!(found.posture.report.map(|report| report.findings.len()), Some(8));
    assert_eq!(found.vouching.map(|vouching| vouching.counters), Some(CounterWindow::from_parts(8, 0x1ff)));
}

pub(crate) async fn what_was_enrolled_is_found_after_a_restart(home: &dyn Home) {
    let devices = home.open().await.devices;
    let enrolled: Vec<Device> = (0..13).map(|number| if number == 12 { device(number) } else { odd_device(number) }).collect();
    for device in &enrolled {
        assert_eq!(devices.enrol(device.clone()).await.as_ref(), Ok(device));
    }
    let devices = home.open().await.devices;
    for device in enrolled {
        let (id, key) = (&device.posture.device, &device.posture.key);
        assert_eq!(devices.find(id).await, Ok(Some(device.clone())));
        assert_eq!(devices.find_by_key(key).await, Ok(Some(device.clone())));
        assert_eq!(posture(&*devices, id).await, Ok(device.posture.clone()));
        assert_eq!(posture_by_key(&*devices, key).await, Ok(device.posture.clone()));
    }
    let stranger = device(99).posture;
    assert_eq!(devices.find(&stranger.device).await, Ok(None));
    assert_eq!(devices.find_by_key(&stranger.key).await, Ok(None));
    assert_eq!(posture(&*devices, &stranger.device).await, Err(PostureError::Unknown));
    assert_eq!(posture_by_key(&*devices, &stranger.key).await, Err(PostureError::Unknown));
    assert_eq!(devices.revoke(&stranger.device).await, Ok(None));
}

pub(crate) async fn one_key_never_names_two_devices(home: &dyn Home) {
    let devices = home.open().await.devices;
    let enrolled = race(16, |task| {
        let (devices, mut new) = (Arc::clone(&devices), device(1));
        new.posture.device = device(u16::try_from(task).expect("few")).posture.device;
        async move { devices.enrol(new).await.expect("an answer").posture.device }
    })
    .await;
    let first = enrolled.first().expect("sixteen");
    assert!(enrolled.iter().all(|id| id == first), "several ids for one key: {enrolled:?}");
    assert_eq!(devices.list(100).await.map(|all| all.len()), Ok(1));
}

pub(crate) async fn a_device_enrolled_again_keeps_its_id(home: &dyn Home) {
    let devices = home.open().await.devices;
    assert!(devices.enrol(device(1)).await.is_ok());
    assert!(posture(&*devices, &device(1).posture.device).await.is_ok(), "at hand");
    let mut again = odd_device(1);
    again.posture.device = device(2).posture.device;
    again.posture.established_at = device(9).posture.established_at;
    again.name = "Pixel 12".to_owned();
    let posture_now = Posture { device: device(1).posture.device, ..again.posture.clone() };
    let expected = Device { posture: posture_now, name: device(1).name, ..again.clone() };
    assert_eq!(devices.enrol(again.clone()).await.as_ref(), Ok(&expected));
    assert_eq!(posture(&*devices, &device(1).posture.device).await, Ok(expected.posture.clone()), "the new posture counts at once");
    assert_eq!(posture(&*devices, &again.posture.device).await, Err(PostureError::Unknown), "the second id names nothing");
    assert_eq!(home.open().await.devices.find(&device(1).posture.device).await, Ok(Some(expected)));
}

pub(crate) async fn revoked_is_final(home: &dyn Home) {
    let devices = home.open().await.devices;
    let id = device(1).posture.device;
    assert!(devices.enrol(device(1)).await.is_ok());
    assert!(posture(&*devices, &id).await.is_ok(), "at hand");
    let revoked = Device { state: DeviceState::Revoked, ..device(1) };
    assert_eq!(devices.revoke(&id).await, Ok(Some(revoked.clone())));
    assert_eq!(posture(&*devices, &id).await, Err(PostureError::Revoked));
    assert_eq!(posture_by_key(&*devices, &device(1).posture.key).await, Err(PostureError::Revoked));
    assert_eq!(devices.revoke(&id).await, Ok(Some(revoked.clone())), "revoking what is revoked changes nothing");
    assert_eq!(devices.enrol(device(1)).await, Ok(revoked.clone()), "nor does enrolling it");
    let devices = home.open().await.devices;
    assert_eq!(posture(&*devices, &id).await, Err(PostureError::Revoked));
    assert_eq!(devices.enrol(device(1)).await, Ok(revoked));
    assert_eq!(posture(&*devices, &id).await, Err(PostureError::Revoked));
}

/// Lets readers that find nothing in memory, and a phone that enrols again, race with a revocation.
pub(crate) async fn a_race_leaves_nothing_stale(home: &dyn Home) {
    const DEVICES: u16 = 24;
    let devices = home.open().await.devices;
    for number in 0..DEVICES {
        assert!(devices.enrol(device(number)).await.is_ok());
    }
    let devices = home.open().await.devices;
    for number in 0..DEVICES {
        let (id, revoked) = (device(number).posture.device, Arc::new(AtomicBool::new(false)));
        race(12, |task| {
            let (devices, id, revoked) = (Arc::clone(&devices), id.clone(), Arc::clone(&revoked));
            async move {
                match task {
                    5 => {
                        assert!(devices.revoke(&id).await.is_ok());
                        revoked.store(true, Ordering::SeqCst);
                    }
                    6 => assert!(devices.enrol(device(number)).await.is_ok()),
                    _ => {}
                }
                for _ in 0..20 {
                    let must_be_refused = revoked.load(Ordering::SeqCst);
                    let answer = devices.posture(&id).await;
                    assert!(answer.is_err() || !must_be_refused, "it may act although it was revoked before the question");
                }
            }
        })
        .await;
        assert_eq!(posture(&*devices, &id).await, Err(PostureError::Revoked));
    }
}

/// Drops callers while a device is revoked, or enrolled again with a worse posture.
pub(crate) async fn an_abandoned_change_leaves_nothing_stale(home: &dyn Home) {
    let devices = home.open().await.devices;
    let (mut answers, mut done) = (Vec::new(), 0);
    for (number, polls) in departures() {
        let (first, second) = (device(number), device(1000 + number));
        for device in [&first, &second] {
            assert!(devices.enrol(device.clone()).await.is_ok());
            assert!(posture(&*devices, &device.posture.device).await.is_ok(), "at hand");
        }
        done += abandon(devices.revoke(&first.posture.device), polls).await.iter().count();
        drop(posture(&*devices, &first.posture.device).await);
        done += abandon(devices.enrol(odd_device(1000 + number)), polls).await.iter().count();
        drop(posture(&*devices, &second.posture.device).await);
        // What was abandoned has come to its end when a later change is acknowledged.
        assert!(devices.enrol(device(2000 + number)).await.is_ok());
        for device in [first, second] {
            answers.push((device.posture.device.clone(), posture(&*devices, &device.posture.device).await));
        }
    }
    assert!((1..answers.len()).contains(&done), "{done} of {} were done: none was abandoned, or all", answers.len());
    let devices = home.open().await.devices;
    for (id, answer) in answers {
        assert_eq!(posture(&*devices, &id).await, answer, "what was answered before the restart is not what is kept");
    }
}

pub(crate) async fn lists_are_newest_first(home: &dyn Home) {
    let devices = home.open().await.devices;
    for number in [2, 3, 1] {
        assert!(devices.enrol(device(number)).await.is_ok());
    }
    let all = [device(3), device(2), device(1)];
    for (count_max, expected) in [(10, &all[..]), (3, &all[..]), (2, &all[..2]), (0, &[])] {
        assert_eq!(devices.list(count_max).await.as_deref(), Ok(expected), "at most {count_max}");
    }
    assert!(devices.revoke(&device(3).posture.device).await.is_ok());
    let newest = devices.list(1).await.expect("a list");
    assert_eq!(newest.first().map(|device| device.state), Some(DeviceState::Revoked), "the list is as new as the answer");
}

/// Walks in pages of every size, while devices come and go between two pages.
pub(crate) async fn a_walk_meets_every_device_once(home: &dyn Home) {
    const DEVICES: u16 = 13;
    let devices = home.open().await.devices;
    assert_eq!(devices.walk(None, 10).await, Ok(Vec::new()));
    let mut expected: Vec<Device> = (0..DEVICES).map(odd_device).collect();
    for device in expected.iter().rev() {
        assert!(devices.enrol(device.clone()).await.is_ok());
    }
    let revoked = devices.revoke(&device(4).posture.device).await.expect("an answer").expect("the device");
    expected.iter_mut().filter(|device| device.posture.device == revoked.posture.device).for_each(|device| *device = revoked.clone());
    expected.sort_by(|a, b| a.posture.device.as_str().cmp(b.posture.device.as_str()));
    for count_max in [1, 5, 12, 13, 14] {
        let (mut met, mut after) = (Vec::new(), None);
        loop {
            let page = devices.walk(after.as_ref(), count_max).await.expect("a page");
            assert!(page.len() <= count_max as usize, "at most {count_max}");
            let Some(last) = page.last() else { break };
            after = Some(last.posture.device.clone());
            met.extend(page);
        }
        assert_eq!(met, expected, "by {count_max}");
    }
    let half = devices.walk(None, 6).await.expect("a page");
    assert!(devices.enrol(device(99)).await.is_ok());
    let rest = devices.walk(half.last().map(|device| &device.posture.device), 100).await.expect("a page");
    let met: Vec<_> = half.into_iter().chain(rest).filter(|met| met.posture.device != device(99).posture.device).collect();
    assert_eq!(met, expected, "one that comes meanwhile changes nothing for the others");
    assert_eq!(devices.walk(None, 0).await, Ok(Vec::new()));
}
