//! What must be noticed: each is done by somebody whose requests are all right one by one, and is restricted before the next.

use std::net::Ipv4Addr;

use anyhow::{Context, Result, ensure};
use countersign_core::SignalKind;
use http::Method;
use tokio::time::{Duration, Instant, sleep};

use crate::{
    phone::{Answer, Call, Handset, Phone, code_of},
    scenarios::{
        attack::Held,
        honest::{accounts_path, transfer},
        ordinary_week::{CARRIER, HOME, look, noticed, turn_to},
        report::{Kind, Row},
        world::{World, operator},
    },
};

/// A carrier in Lagos.
const LAGOS: Ipv4Addr = Ipv4Addr::new(127, 40, 2, 2);
/// Days of habits before a session is used by somebody else.
const DAYS: u64 = 14;

/// Longest wait for a restriction: ten times what is promised, so that a busy machine does not lie.
const PATIENCE: Duration = Duration::from_secs(1);

/// All of them, in order.
///
/// # Errors
/// When the preparation fails.
pub async fn rows(world: &World) -> Result<Vec<Row>> {
    let (traveller, sleeper) = of_habit(world).await?;
    let mut rows = vec![
        row(
            world,
            "a session in Berlin, five minutes later in Lagos",
            "GET from 127.10/16, GET from 127.40/16",
            SignalKind::ImpossibleTravel,
            travel(world, &traveller),
        )
        .await,
        row(
            world,
            "a session at night, elsewhere, for other things",
            "14 days of habits, then 03:00 from Lagos",
            SignalKind::UnusualUse,
            stranger(world, &sleeper),
        )
        .await,
        row(
            world,
            "a teller who reads one customer after the other",
            "GET .../customers/{n}/accounts",
            SignalKind::Scraping,
            scraping(world),
        )
        .await,
        row(
            world,
            "a person who is pestered with prompts",
            "POST /login/start purpose=step_up, again and again",
            SignalKind::MfaFatigue,
            pestered(world),
        )
        .await,
        row(world, "an operation that no app calls", "GET /v1/internal/export", SignalKind::HoneyOperation, honey(world)).await,
    ];
    rows.push(
        row(
            world,
            "one phone tries many accounts",
            "POST /login/finish for account after account",
            SignalKind::PasswordSpraying,
            spraying(world),
        )
        .await,
    );
    rows.push(
        row(
            world,
            "many phones everywhere try many accounts",
            "the same from forty networks",
            SignalKind::CredentialStuffing,
            stuffing(world),
        )
        .await,
    );
    Ok(rows)
}

/// What came of it: the last answer, and how long the restriction took.
struct Seen {
    answer: Answer,
    after: Duration,
    expected: Held,
}

/// Runs one: what is done must be noticed as what it is, and the next request held.
async fn row(world: &World, name: &str, sent: &str, kind: SignalKind, scenario: impl Future<Output = Result<Seen>>) -> Row {
    let began = Instant::now();
    let outcome = scenario.await;
    let ms = began.elapsed().as_secs_f64() * 1000.0;
    let noticed = noticed_in_time(world, kind).await;
    let (expected, got, reason, ok) = match outcome {
        Ok(seen) => {
            let logged = world.logged(&seen.answer);
            let held = seen.answer.status.as_u16() == seen.expected.status && logged.split(' ').any(|code| code == seen.expected.reason);
            let reason = match &noticed {
                Some(what) => format!("{logged} after {:.1} ms; {what}", seen.after.as_secs_f64() * 1000.0),
                None => format!("{logged}; no incident `{}`", kind.as_str()),
            };
            let got = format!("{} {}", seen.answer.status.as_u16(), code_of(&seen.answer));
            (format!("{} {}", seen.expected.status, seen.expected.reason), got, reason, held && noticed.is_some())
        }
        Err(fault) => (String::new(), "no answer".to_owned(), format!("{fault:#}"), false),
    };
    Row { name: name.to_owned(), kind: Kind::Attack, sent: sent.to_owned(), expected, got: got.trim_end().to_owned(), reason, ms, ok }
}

/// What operators read of an incident of this kind, once there is one: what is refused at the door is told a moment later.
async fn noticed_in_time(world: &World, kind: SignalKind) -> Option<String> {
    let began = Instant::now();
    loop {
        let incidents = noticed(world).await.unwrap_or_default();
        if let Some(incident) = incidents.into_iter().find(|incident| incident.kind == kind) {
            return incident.timeline.first().map(|moment| moment.what.trim_start_matches("noticed ").to_owned());
        }
        if began.elapsed() > PATIENCE {
            return None;
        }
        sleep(Duration::from_millis(1)).await;
    }
}

/// Asks until it is held: what was noticed with one request restricts a following one. How long that took.
async fn held(phone: &Phone, call: &Call, expected: Held) -> Result<Seen> {
    let began = Instant::now();
    loop {
        let answer = phone.call(call).await?;
        let after = began.elapsed();
        if !answer.status.is_success() || after > PATIENCE {
            return Ok(Seen { answer, after, expected });
        }
        sleep(Duration::from_millis(1)).await;
    }
}

const STEP_UP: fn(&'static str) -> Held = |reason| Held { status: 401, reason };

async fn customer(world: &World, name: &str) -> Result<Phone> {
    world.fetch_status_list().await?;
    let phone = world.phone()?;
    phone.move_to(HOME);
    phone.enrol(&world.ca, &Handset::genuine()).await?;
    phone.register(name, None).await?;
    phone.sign_in().await?;
    Ok(phone)
}

/// Two people who have looked at their accounts three times a day for two weeks.
async fn of_habit(world: &World) -> Result<(Phone, Phone)> {
    let one = customer(world, "at.home@example.com").await?;
    let other = customer(world, "creature.of.habit@example.com").await?;
    turn_to(world, 7);
    for _ in 0..DAYS {
        for (hours, from) in [(0, HOME), (2, CARRIER), (10, HOME)] {
            world.clock.turn(hours * 3600);
            look(&one, from).await?;
            look(&other, from).await?;
        }
        world.clock.turn(12 * 3600);
    }
    Ok((one, other))
}

/// One of the bank's own, who may see every customer's accounts.
async fn teller(world: &World, name: &str) -> Result<Phone> {
    world.fetch_status_list().await?;
    let roles = [String::from("teller")];
    let (code, _) = world.node.admin_service().invite(name, &roles, 1, &operator()?).await.map_err(|why| anyhow::anyhow!("{why:?}"))?;
    let phone = world.phone()?;
    phone.move_to(HOME);
    phone.enrol(&world.ca, &Handset::genuine()).await?;
    phone.register(name, Some(code.expose())).await?;
    phone.sign_in().await?;
    Ok(phone)
}

async fn travel(world: &World, phone: &Phone) -> Result<Seen> {
    look(phone, HOME).await?;
    world.clock.turn(301);
    let call = transfer(phone, 900).await?;
    phone.move_to(LAGOS);
    held(phone, &call, STEP_UP("risk_raised")).await
}

async fn stranger(world: &World, phone: &Phone) -> Result<Seen> {
    let call = transfer(phone, 900).await?;
    turn_to(world, 3);
    phone.move_to(LAGOS);
    let echo = Call::new(Method::GET, "/v1/echo");
    for _ in 0..8 {
        let answer = phone.call(&echo).await?;
        if !answer.status.is_success() {
            break;
        }
    }
    held(phone, &call, STEP_UP("risk_raised")).await
}

async fn scraping(world: &World) -> Result<Seen> {
    let phone = teller(world, "curious.teller@example.com").await?;
    let own = Call::new(Method::GET, &accounts_path(&phone).await?);
    for number in 0..400_u32 {
        let answer = phone.call(&Call::new(Method::GET, &format!("/v1/customers/p_{number}/accounts"))).await?;
        if !answer.status.is_success() {
            break;
        }
    }
    held(&phone, &own, STEP_UP("session_challenged")).await
}

async fn pestered(world: &World) -> Result<Seen> {
    let phone = customer(world, "sleeping@example.com").await?;
    let began = Instant::now();
    for _ in 0..20 {
        let answer = phone.prompt().await?;
        if !answer.status.is_success() {
            return Ok(Seen { answer, after: began.elapsed(), expected: Held { status: 429, reason: "login_attempts_too_many" } });
        }
    }
    anyhow::bail!("twenty prompts were shown")
}

async fn honey(world: &World) -> Result<Seen> {
    let phone = customer(world, "insider@example.com").await?;
    phone.call(&Call::new(Method::GET, "/v1/internal/export")).await?;
    held(&phone, &Call::new(Method::GET, "/v1/me"), STEP_UP("session_revoked")).await
}

/// One phone tries account after account. None opens, the operator hears of it, and whoever is next door with the right passkey signs in.
async fn spraying(world: &World) -> Result<Seen> {
    let phone = customer(world, "thief@example.com").await?;
    let (began, mut last) = (Instant::now(), None);
    for number in 0..60_u32 {
        let answer = phone.try_account(&format!("person{number}@example.com")).await?;
        ensure!(!answer.status.is_success(), "a stranger's account opened");
        if number % 10 == 0 {
            // A fast thief is stopped by the share of checks that a phone has.
            world.clock.turn(10);
        }
        last = Some(answer);
    }
    customer(world, "honest.next.door@example.com").await.context("an honest person behind the same address")?;
    Ok(Seen { answer: last.context("sixty tries")?, after: began.elapsed(), expected: Held { status: 401, reason: "login_refused" } })
}

async fn stuffing(world: &World) -> Result<Seen> {
    let mut phones = Vec::new();
    for number in 0..40_u8 {
        let phone = customer(world, &format!("bot{number}@example.com")).await?;
        phone.move_to(Ipv4Addr::new(127, 40, number, 9));
        phones.push(phone);
    }
    let (began, mut last) = (Instant::now(), None);
    for round in 0..12_u32 {
        for (number, phone) in phones.iter().enumerate() {
            let answer = phone.try_account(&format!("victim{round}-{number}@example.com")).await.context("a bot")?;
            ensure!(!answer.status.is_success(), "a stranger's account opened");
            last = Some(answer);
        }
    }
    customer(world, "honest.meanwhile@example.com").await.context("an honest person meanwhile")?;
    Ok(Seen { answer: last.context("480 tries")?, after: began.elapsed(), expected: Held { status: 401, reason: "login_refused" } })
}
