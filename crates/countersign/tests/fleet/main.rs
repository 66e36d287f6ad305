//! Ten thousand phones with known defects, in a real store: the report says what they were made with, and a forecast is what the
//! gateway's rules and the decision function do to each of them.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "what fails in a helper fails the test")]

mod phones;
mod stages;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    path::Path,
    process::Command,
    sync::Arc,
    time::Duration,
};

use countersign_attest::android::StatusList;
use countersign_audit::{AtEndpoint, DeviceAttested, DeviceEnrolled, DeviceRevoked, Entry, Event, Identity, Recorded};
use countersign_compliance::Revocations;
use countersign_core::{
    ClientId, Clock, DecisionId, DeviceId, Facts, OperationRules, Outcome, PairwiseId, Platform, Reason, RequestFacts, ResourceFacts,
    RiskFacts, Seconds, Session, Stage, UnixMillis, Unmet, WhenLimited,
};
use countersign_gateway::Rules;
use countersign_node::{
    Options, OsEntropy, RunningNode,
    admin::{
        fleet::{Fleet, Met},
        wire::{BreakdownView, OutcomesView, ReportView},
    },
    config::{self, Dev},
    settings::{devices, fetched::Fetched, rules},
};
use countersign_store::{DeviceState, Devices, Sessions, Subjects, sqlite::Sqlite};
use tempfile::TempDir;

use crate::{
    phones::{Dice, NOW, Phone, people, phone},
    stages::{SHOP, Set},
};

const PHONES: usize = 10_000;
const PEOPLE: usize = 600;
const SEED: u64 = 0x00c0_ffee;
const STATUS: &str = r#"{"entries":{"c0ffee":{"status":"REVOKED"}}}"#;

/// It stands still, so that nothing grows old while the tests run.
struct Still;

impl Clock for Still {
    fn now(&self) -> UnixMillis {
        UnixMillis(NOW.0 * 1000)
    }
}

fn revocations() -> Revocations {
    StatusList::parse(STATUS, NOW).expect("a list").revocations()
}

/// The fleet, in a store and as it was made, and a configuration for each set of requirements.
async fn made() -> (TempDir, Vec<Phone>) {
    // Each change is a commit, and each commit waits for the disk; in memory it need not.
    let memory = Some(Path::new("/dev/shm")).filter(|memory| memory.is_dir());
    let home = memory.map_or_else(tempfile::tempdir, tempfile::tempdir_in).expect("a directory");
    fs::create_dir(home.path().join("data")).expect("a directory");
    fs::create_dir(home.path().join("policies")).expect("a directory");
    fs::write(home.path().join("policies/all.cedar"), "@id(\"all\") permit (principal, action, resource);").expect("written");
    fs::write(home.path().join("status.json"), STATUS).expect("written");
    let port = countersign_demo::free_port().expect("a port");
    for set in Set::ALL {
        fs::write(home.path().join(file(set)), set.config(port)).expect("written");
    }
    let mut dice = Dice(SEED);
    let revoked = *revocations().revoked.iter().next().expect("one");
    let people = people(&mut dice, PEOPLE);
    let phones: Vec<_> = (0..PHONES).map(|_| phone(&mut dice, &people, revoked)).collect();
    let store = Sqlite::open(&home.path().join("data")).await.expect("a store");
    for (user, passkey) in people {
        store.create(user, passkey).await.expect("made");
    }
    for phone in &phones {
        store.enrol(phone.device.clone()).await.expect("enrolled");
        if phone.device.state == DeviceState::Revoked {
            store.revoke(&phone.device.posture.device).await.expect("revoked");
        }
        for session in &phone.sessions {
            store.open(session.clone()).await.expect("opened");
        }
    }
    store.close().await;
    (home, phones)
}

const fn file(set: Set) -> &'static str {
    match set {
        Set::AllEnforce => "enforce.toml",
        Set::AllObserve => "observe.toml",
        Set::Mixed => "mixed.toml",
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_on_ten_thousand_phones_is_right() {
    let (home, phones) = made().await;
    each_phone_as_it_is_treated(home.path(), &phones, Decide::EachListOfLacks).await;
    let config = config::load(&home.path().join(file(Set::Mixed))).expect("a config");
    let options = Options { clock: Arc::new(Still), entropy: Arc::new(OsEntropy), dev: Dev::On, simulated_signers: Vec::new() };
    let node = countersign_node::start(config, options).await.expect("a node");
    the_sums_as_they_were_made(home.path(), &phones);
    the_others_are_the_rest(home.path());
    knock(&node).await;
    what_people_and_programs_read(home.path());
    node.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "half a minute without optimisation; the test above differs in how often the same is decided"]
async fn a_forecast_is_what_every_single_request_meets() {
    let (home, phones) = made().await;
    each_phone_as_it_is_treated(home.path(), &phones, Decide::EachRequest).await;
}

/// How often the decision function is asked, which takes its time without optimisation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Decide {
    /// Once for what several phones lack alike: the policies look at nothing else of a phone.
    EachListOfLacks,
    /// For each request from each phone.
    EachRequest,
}

/// The forecast for each phone: as it was made, and as the gateway and the policies treat each request from it.
async fn each_phone_as_it_is_treated(home: &Path, phones: &[Phone], decide: Decide) {
    let store = Arc::new(Sqlite::open(&home.join("data")).await.expect("a store"));
    let fleet = Fleet { devices: Arc::clone(&store) as Arc<dyn Devices>, sessions: Arc::clone(&store) as Arc<dyn Sessions> };
    let revocations = revocations();
    let by_id: HashMap<&DeviceId, &Phone> = phones.iter().map(|phone| (&phone.device.posture.device, phone)).collect();
    let sets = Set::ALL.map(|set| {
        let config = config::load(&home.join(file(set))).expect("a config");
        let fetched = Fetched { data: &config.data, feeds: &config.feeds };
        let apps = Arc::new(devices::apps(&config.file, &config.apps, &config.device, &fetched).expect("requirements"));
        let rules = rules::rules(&config.file, &config.operations, &config.policies).expect("rules");
        (set, Arc::clone(&apps), rules.into_gateway(config.monitor.risk, apps))
    });
    let (mut met_once, mut decided) = (BTreeSet::new(), BTreeSet::new());
    let meet = |met: &Met| {
        let phone = by_id[&met.device.posture.device];
        assert!(met_once.insert(met.device.posture.device.clone()), "once");
        assert_eq!(met.device, phone.device, "as it was enrolled");
        for (set, apps, rules) in &sets {
            let forecast = met.judge(apps, None, &revocations, NOW).expect("a judgement");
            let forecast_is: BTreeMap<_, _> = forecast.reasons.iter().map(|(reason, stage)| (reason.code().to_owned(), *stage)).collect();
            let fate = phone.fate(*set);
            assert_eq!((&forecast_is, forecast.enforced), (&fate.reasons, fate.enforced), "{set:?}: {:?}", phone.defects);
            let mut treated = BTreeMap::new();
            for session in phone.open() {
                let unmet =
                    countersign_access::unmet(apps, session, &phone.device.posture, &revocations, NOW).map_err(|refusal| refusal.reason());
                if let Ok(unmet) = &unmet {
                    let kind: Vec<_> = unmet.iter().map(|unmet| (unmet.reason.clone(), unmet.stage)).collect();
                    if decided.insert(kind) || decide == Decide::EachRequest {
                        the_decision_is_by_the_worst(rules, session, phone, unmet);
                    }
                }
                let client_unknown = |reason| vec![Unmet { reason, stage: Stage::Enforce, update: None }];
                for Unmet { reason, stage, .. } in unmet.unwrap_or_else(client_unknown) {
                    let worst = treated.entry(reason).or_insert(stage);
                    *worst = stage.max(*worst);
                }
            }
            if phone.open().next().is_some() {
                assert_eq!(forecast.reasons, treated, "{set:?}: {:?}", phone.defects);
            }
        }
    };
    fleet.walk(NOW, meet).await.expect("a walk");
    assert_eq!(met_once.len(), phones.len());
    store.close().await;
}

/// What a request meets at step 9 of the way, when its device lacks this at step 6.
fn the_decision_is_by_the_worst(rules: &Rules, session: &Session, phone: &Phone, unmet: &[Unmet]) {
    let facts = Facts {
        subject: PairwiseId::parse("p_1").expect("an id"),
        session: session.clone(),
        posture: phone.device.posture.clone(),
        unmet: unmet.to_vec(),
        risk: RiskFacts::default(),
        request: RequestFacts {
            action: countersign_core::Action::parse("read").expect("an id"),
            method: "GET".to_owned(),
            rules: OperationRules { when_limited: WhenLimited::Allow, evidence_age_max: None },
            fields: BTreeMap::new(),
        },
        resource: ResourceFacts { kind: "Api".to_owned(), id: "/".to_owned(), owner: None },
        now: NOW,
    };
    let decision = rules.policies.decide(&facts);
    let expected = match unmet.iter().map(|unmet| unmet.stage).max() {
        None | Some(Stage::Observe) => Outcome::Allow,
        Some(Stage::Limit) => Outcome::Limit,
        Some(Stage::Enforce) => Outcome::Deny,
    };
    assert_eq!(decision.outcome, expected, "{unmet:?}");
    let told: BTreeSet<_> = decision.reasons.into_iter().collect();
    let effective: BTreeSet<_> = unmet.iter().filter(|unmet| unmet.stage > Stage::Observe).map(|unmet| unmet.reason.clone()).collect();
    assert_eq!(told, effective, "{:?}", phone.defects);
}

fn ask(home: &Path, args: &[&str]) -> String {
    let data = ["--data", "data"];
    let run = Command::new(env!("CARGO_BIN_EXE_countersign")).args(["device", "report"]).args(args).args(data).current_dir(home).output();
    let run = run.expect("a run");
    format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr))
}

fn report(home: &Path, args: &[&str]) -> ReportView {
    let text = ask(home, &[args, &["--json"]].concat());
    serde_json::from_str(&text).expect(&text)
}

#[derive(Clone, Copy, Default)]
struct Counted {
    devices: u64,
    by: [u64; 3],
}

impl Counted {
    fn count(&mut self, stage: Option<Stage>) {
        self.devices += 1;
        if let Some(stage) = stage {
            self.by[stage as usize] += 1;
        }
    }

    fn view(self) -> OutcomesView {
        let [observed, limited, refused] = self.by;
        OutcomesView { devices: self.devices, passed: self.devices - observed - limited - refused, observed, limited, refused }
    }
}

type Group = (Option<String>, Option<String>);

/// What the report has to say of phones that were made so.
#[derive(Default)]
struct Known {
    today: Counted,
    forecast: Counted,
    enforced: Counted,
    nobodys: Counted,
    nobodys_enforced: Counted,
    worse: u64,
    better: u64,
    revoked: u64,
    by: [BTreeMap<Group, Counted>; 5],
}

fn known(phones: &[Phone], set: Set, app: Option<&str>) -> Known {
    let mut known = Known::default();
    for phone in phones {
        // One phone's sessions are all through one app, the one that enrolled it.
        if app.is_some_and(|app| phone.device.posture.app.as_ref().is_none_or(|own| own.as_str() != app)) {
            continue;
        }
        if phone.device.state == DeviceState::Revoked {
            known.revoked += 1;
            continue;
        }
        let (today, fate) = (phone.fate(Set::Mixed).stage(), phone.fate(set));
        let stage = fate.stage();
        if phone.open().next().is_none() {
            known.nobodys.count(stage);
            known.nobodys_enforced.count(fate.enforced);
            continue;
        }
        known.today.count(today);
        known.forecast.count(stage);
        known.enforced.count(fate.enforced);
        known.worse += u64::from(stage > today);
        known.better += u64::from(stage < today);
        let [reasons, platforms, models, systems, apps] = &mut known.by;
        for (reason, stage) in &fate.reasons {
            reasons.entry((Some(reason.clone()), None)).or_default().count(Some(*stage));
        }
        let posture = &phone.device.posture;
        let said = posture.report.as_ref();
        let ios = posture.platform == Platform::Ios;
        let platform = if ios { "ios" } else { "android" }.to_owned();
        let system = if ios { said.and_then(|said| said.os_version) } else { posture.os_version };
        let system = system.map(|version| (version / 10_000).to_string());
        let lower = said.and_then(|said| said.app_version).into_iter().chain(posture.app_version).min();
        let version = lower.map(|v| if ios { format!("{}.{}.{}", v / 1_000_000, v / 1000 % 1000, v % 1000) } else { v.to_string() });
        platforms.entry((Some(platform.clone()), None)).or_default().count(stage);
        models.entry((phone.device.model.clone(), None)).or_default().count(stage);
        systems.entry((system, Some(platform.clone()))).or_default().count(stage);
        apps.entry((version, Some(platform))).or_default().count(stage);
    }
    known
}

fn the_sums_as_they_were_made(home: &Path, phones: &[Phone]) {
    let rows: [(&[&str], Set, Option<&str>); 5] = [
        (&[], Set::Mixed, None),
        (&["--what-if", "mixed.toml"], Set::Mixed, None),
        (&["--what-if", "observe.toml"], Set::AllObserve, None),
        (&["--what-if", "enforce.toml"], Set::AllEnforce, None),
        (&["--what-if", "enforce.toml", "--app", SHOP], Set::AllEnforce, Some(SHOP)),
    ];
    for (args, set, app) in rows {
        let full = report(home, &[args, &["--top", "50"]].concat());
        let known = known(phones, set, app);
        assert!(known.today.devices > 5000 && known.revoked > 100, "the sample is no sample: {args:?}");
        assert_eq!(full.today, known.today.view(), "{args:?}");
        assert_eq!(full.forecast, known.forecast.view(), "{args:?}");
        assert_eq!(full.enforced, known.enforced.view(), "{args:?}");
        assert_eq!((full.nobodys, full.nobodys_enforced), (known.nobodys.view(), known.nobodys_enforced.view()), "{args:?}");
        assert_eq!((full.worse, full.better, full.revoked), (known.worse, known.better, known.revoked), "{args:?}");
        for (number, expected) in known.by.iter().enumerate() {
            let full = breakdown(&full, number);
            let groups: BTreeMap<_, _> =
                full.groups.iter().map(|group| ((group.name.clone(), group.platform.clone()), group.outcomes)).collect();
            let expected: BTreeMap<_, _> = expected.iter().map(|(group, counted)| (group.clone(), counted.view())).collect();
            assert_eq!(groups, expected, "{args:?}: breakdown {number}");
            assert_eq!(full.others, Counted::default().view());
        }
    }
}

/// With fewer lines the same come first, and the sum of the others is a line.
fn the_others_are_the_rest(home: &Path) {
    let (full, short) = (report(home, &["--top", "50"]), report(home, &["--top", "3"]));
    for number in 0..5 {
        let (full, short) = (breakdown(&full, number), breakdown(&short, number));
        assert_eq!(short.groups[..], full.groups[..full.groups.len().min(3)], "breakdown {number}");
        let rest = full.groups.iter().skip(3).fold(Counted::default(), |sum, group| Counted {
            devices: sum.devices + group.outcomes.devices,
            by: [sum.by[0] + group.outcomes.observed, sum.by[1] + group.outcomes.limited, sum.by[2] + group.outcomes.refused],
        });
        assert_eq!(short.others, rest.view(), "breakdown {number}");
    }
}

fn breakdown(report: &ReportView, number: usize) -> &BreakdownView {
    [&report.by_reason, &report.by_platform, &report.by_model, &report.by_os_version, &report.by_app_version][number]
}

/// Phones that come to the doors, and are refused there or not.
async fn knock(node: &RunningNode) {
    let attested: fn(AtEndpoint) -> Recorded = |at| Recorded::DeviceAttested(DeviceAttested { at, evidence: None });
    let enrolled: fn(AtEndpoint) -> Recorded = |at| Recorded::DeviceEnrolled(DeviceEnrolled { at, device: None, dev_token: None });
    let revoked: fn(AtEndpoint) -> Recorded = |at| Recorded::DeviceRevoked(DeviceRevoked { at: Some(at), by: None, how: None });
    let rows: [(u64, fn(AtEndpoint) -> Recorded, Outcome, &[Reason], &str); 7] = [
        (0, enrolled, Outcome::Deny, &[Reason::ChainBroken], SHOP),
        (1, enrolled, Outcome::Deny, &[Reason::ChainBroken], SHOP),
        (2, enrolled, Outcome::Deny, &[Reason::BootloaderUnlocked], "com.example.bank"),
        (3, attested, Outcome::Deny, &[Reason::PlayVerdictMissing], SHOP),
        (7 * 86_400, attested, Outcome::Allow, &[], SHOP),
        (7 * 86_400 + 1, enrolled, Outcome::Deny, &[Reason::ChainBroken], SHOP),
        (4, revoked, Outcome::Allow, &[], SHOP),
    ];
    for (number, (age, of, outcome, reasons, client)) in (0..).zip(rows) {
        let at = AtEndpoint { endpoint: "/".to_owned(), client: ClientId::parse(client).ok(), cause: None };
        let of = of(at);
        let event = Event { outcome, reasons: reasons.to_vec(), of };
        let at = UnixMillis(NOW.minus(Seconds(age)).0 * 1000);
        let entry = Entry { at, decision: DecisionId::from_random([number; 8]), event, person: None, identity: Identity::default() };
        let _receipt = node.admin_service().stores.recorder.record(entry).await.expect("recorded");
    }
}

fn what_people_and_programs_read(home: &Path) {
    let here = home.canonicalize().expect("a directory").display().to_string();
    let told = |args: &[&str]| {
        let text = ask(home, args).replace(&here, "HOME").replace(&home.display().to_string(), "HOME");
        format!("$ countersign device report {}\n{text}", args.join(" "))
    };
    fs::write(home.join("bad.toml"), "public_url = \"https://localhost\"\n[device.require.rootd]\nmode = \"limit\"\n").expect("written");
    let runs = [
        told(&["--top", "4"]),
        told(&["--what-if", "enforce.toml", "--top", "2"]),
        told(&["--app", SHOP, "--what-if", "observe.toml", "--top", "1", "--json"]),
        told(&["--app", "com.example.none"]),
        told(&["--what-if", "bad.toml"]),
        told(&["--what-if", "none.toml", "--json"]),
    ];
    insta::assert_snapshot!(runs.join("\n"));
}
