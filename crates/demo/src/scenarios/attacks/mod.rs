//! What must be stopped: each attack is a real request by somebody who holds exactly what the row says.

mod at_the_api;
mod at_the_doors;
mod of_another_time;
mod of_two_readings;
mod on_the_disk;
mod on_the_wire;

use anyhow::Result;

use crate::{
    phone::Handset,
    scenarios::{attack::People, report::Row, world::World},
};

/// Runs all of them, in order.
///
/// # Errors
/// When the victim or the thief cannot even sign in; an attack that gets through is a row.
pub async fn run(world: &World) -> Result<Vec<Row>> {
    let people = People {
        ana: world.customer("ana.victim@example.com", &Handset::genuine()).await?,
        mallory: world.customer("mallory@example.com", &Handset::genuine()).await?,
    };
    let mut rows = at_the_api::run(world, &people).await?;
    rows.extend(of_two_readings::run(world, &people).await?);
    rows.extend(at_the_doors::run(world, &people).await?);
    rows.extend(on_the_disk::run(world, &people).await?);
    rows.extend(on_the_wire::run(world).await?);
    rows.extend(of_another_time::run().await?);
    Ok(rows)
}
