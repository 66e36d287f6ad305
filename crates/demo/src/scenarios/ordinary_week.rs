//! A week of ordinary lives, hour by hour: none of it may be restricted.

use std::net::Ipv4Addr;

use anyhow::{Context, Result, ensure};
use countersign_core::Clock;
use countersign_store::Incident;
use http::Method;

use crate::{
    phone::{Call, Handset, Phone},
    scenarios::{
        honest::{accounts_path, served, transfer},
        report::{Row, honest},
        world::World,
    },
};

/// A home in Berlin.
pub const HOME: Ipv4Addr = Ipv4Addr::new(127, 10, 7, 21);
/// Another one.
const OTHER_HOME: Ipv4Addr = Ipv4Addr::new(127, 10, 9, 4);
/// A German carrier's gateway.
pub const CARRIER: Ipv4Addr = Ipv4Addr::new(127, 11, 3, 5);
/// An office in Berlin.
pub const OFFICE: Ipv4Addr = Ipv4Addr::new(127, 12, 1, 1);
/// A hotel in New York.
const HOTEL: Ipv4Addr = Ipv4Addr::new(127, 20, 5, 5);

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;
const DAYS: u64 = 7;

/// One week for all of them; a row for each.
///
/// # Errors
/// When somebody cannot even join; a restriction is a row.
pub async fn rows(world: &World) -> Result<Vec<Row>> {
    let people = People::join(world).await?;
    let week = people.week(world).await;
    let told = |person: &'static str| {
        let failed = week.as_ref().err().map(|fault| format!("{fault:#}"));
        async move {
            match failed {
                None => Ok("a week, never asked for more than usual".to_owned()),
                Some(fault) => Err(anyhow::anyhow!("{person}: {fault}")),
            }
        }
    };
    Ok(vec![
        honest("a week between home, carrier and office", "5 requests on each of 7 days", told("the commuter")).await,
        honest("a week with a flight to New York and back", "Berlin, 12 h, New York, 3 days, Berlin", told("the traveller")).await,
        honest("a week with a new phone in its middle", "enrol, same passkey, go on", told("the new phone")).await,
        honest("a week of two people on one phone", "two accounts in turn", told("the family")).await,
        honest("and nobody was noticed", "countersign incident list", nobody(world)).await,
    ])
}

struct People {
    commuter: Phone,
    traveller: Phone,
    renewer: Phone,
    new_phone: Phone,
    family: Phone,
}

impl People {
    async fn join(world: &World) -> Result<Self> {
        let at_home = async |name: &str| -> Result<Phone> {
            let phone = world.phone()?;
            phone.move_to(OTHER_HOME);
            phone.enrol(&world.ca, &Handset::genuine()).await?;
            phone.register(name, None).await?;
            phone.sign_in().await?;
            Ok(phone)
        };
        Ok(Self {
            commuter: at_home("commuter@example.com").await?,
            traveller: at_home("traveller@example.com").await?,
            renewer: at_home("renewer@example.com").await?,
            new_phone: world.phone()?,
            family: at_home("parent@example.com").await?,
        })
    }

    async fn week(&self, world: &World) -> Result<()> {
        self.family.register("child@example.com", None).await.context("the second account on one phone")?;
        turn_to(world, 6);
        for day in 0..DAYS {
            self.day(world, day).await.with_context(|| format!("day {}", day.saturating_add(1)))?;
        }
        Ok(())
    }

    /// From six in the morning to six the next.
    async fn day(&self, world: &World, day: u64) -> Result<()> {
        let abroad = (2..5).contains(&day);
        world.clock.turn(2 * HOUR);
        look(&self.commuter, OTHER_HOME).await?;
        look(&self.renewer, OTHER_HOME).await?;
        if !abroad {
            look(&self.traveller, OTHER_HOME).await?;
        }
        world.clock.turn(HOUR / 2);
        look(&self.commuter, CARRIER).await?;
        world.clock.turn(HOUR);
        look(&self.commuter, OFFICE).await?;
        if day == 3 {
            self.new_phone.take_passkeys_of(&self.renewer).await;
            self.new_phone.move_to(OTHER_HOME);
            self.new_phone.enrol(&world.ca, &Handset::genuine()).await?;
            self.new_phone.sign_in().await.context("the new phone")?;
        }
        world.clock.turn(4 * HOUR);
        pay(&self.commuter, OFFICE).await?;
        if day == 3 {
            // A phone that was bound by a passkey from the keychain looks for a day, and pays from then on.
            look(&self.new_phone, CARRIER).await?;
        } else if day > 3 {
            if day == 4 {
                self.new_phone.step_up().await.context("the new phone, a day later")?;
            }
            pay(&self.new_phone, CARRIER).await?;
        } else {
            pay(&self.renewer, CARRIER).await?;
        }
        self.family.move_to(OTHER_HOME);
        self.family.sign_in().await.context("the family's phone")?;
        look(&self.family, OTHER_HOME).await?;
        world.clock.turn(6 * HOUR + HOUR / 2);
        // Landed at night, or after a day in the hotel.
        look(&self.traveller, if abroad { HOTEL } else { OTHER_HOME }).await?;
        world.clock.turn(5 * HOUR);
        look(&self.commuter, OTHER_HOME).await?;
        world.clock.turn(5 * HOUR);
        Ok(())
    }
}

/// Turns the clock to the next time that it is `hour` o'clock (UTC).
pub fn turn_to(world: &World, hour: u64) {
    let now = world.clock.now().seconds().0 % DAY;
    let wanted = hour.saturating_mul(HOUR);
    world.clock.turn(wanted.saturating_add(DAY).saturating_sub(now) % DAY);
}

/// Opens the app and looks.
pub async fn look(phone: &Phone, from: Ipv4Addr) -> Result<()> {
    phone.move_to(from);
    served(&phone.call(&Call::new(Method::GET, "/v1/me")).await?)?;
    served(&phone.call(&Call::new(Method::GET, &accounts_path(phone).await?)).await?)
}

async fn pay(phone: &Phone, from: Ipv4Addr) -> Result<()> {
    look(phone, from).await?;
    served(&phone.call(&transfer(phone, 1_250).await?).await?)
}

/// What the monitor noticed, newest first.
pub async fn noticed(world: &World) -> Result<Vec<Incident>> {
    world.node.admin_service().incidents(None).await.map_err(|why| anyhow::anyhow!("{why:?}"))
}

async fn nobody(world: &World) -> Result<String> {
    let incidents = noticed(world).await?;
    ensure!(incidents.is_empty(), "incidents: {incidents:?}");
    Ok("no incident".to_owned())
}
