//! Every decision of a demo, made again: from its record alone, by the rules that the record names.

use anyhow::{Result, ensure};
use countersign_audit::PersonKey;
use countersign_node::replaying::{Again, Replayer};
use countersign_policy::Replayed;
use countersign_store::{SubjectKeys, Subjects, segments, sqlite::Sqlite};

use crate::scenarios::{
    report::{Row, honest},
    world::World,
};

/// People whose keys are fetched; the demo has far fewer.
const PEOPLE_MAX: u32 = 100_000;

/// One row about all worlds of the demo.
pub async fn row(worlds: &[&World]) -> Row {
    let scenario = async {
        let mut decisions = 0_usize;
        for world in worlds {
            decisions = decisions.saturating_add(decided_again(world).await?);
        }
        Ok(format!("{decisions} decisions, the same"))
    };
    honest("every decision of this demo, made again", "the log and the rules it names", scenario).await
}

/// Makes every decision in the log of a world again; answers how many there are.
///
/// # Errors
/// At the first that is not what was recorded, or cannot be made again.
pub async fn decided_again(world: &World) -> Result<usize> {
    let store = Sqlite::open(&world.data()).await?;
    let mut keys = Vec::new();
    for user in store.list(PEOPLE_MAX).await? {
        keys.extend(SubjectKeys::find(&store, &user.id).await?.and_then(|key| PersonKey::new(&key)));
    }
    store.close().await;
    let mut replayer = Replayer::new(world.data(), keys);
    let mut decisions = 0_usize;
    for record in segments::tail(world.node.log_directory(), 0, usize::MAX)? {
        let entry = record.read()?;
        match replayer.again(&entry)? {
            Again::Decided(Replayed::Same) => decisions = decisions.saturating_add(1),
            Again::Decided(Replayed::Differs { now }) => {
                anyhow::bail!("{} was {:?} and is {now:?}", entry.decision, entry.event.decision())
            }
            Again::NotADecision => {}
            Again::Sealed => anyhow::bail!("{} is sealed with a key that is not there", entry.decision),
        }
    }
    ensure!(decisions > 0, "the log holds no decision");
    Ok(decisions)
}
