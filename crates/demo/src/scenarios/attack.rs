//! One attack: who is attacked by whom, what must come back, and the row that says whether it did.

use anyhow::Result;
use countersign_core::Secret;

use crate::{
    phone::{Answer, Phone, code_of},
    scenarios::{
        report::{Kind, Row},
        world::World,
    },
};

/// The people of the attacks: a victim, and a thief with an account and a genuine phone of his own.
pub struct People {
    /// Whose things are stolen.
    pub ana: Phone,
    /// Who steals.
    pub mallory: Phone,
}

/// What must come back.
#[derive(Clone, Copy)]
pub struct Held {
    /// HTTP status.
    pub status: u16,
    /// Exact reason in the log.
    pub reason: &'static str,
}

/// Shorthand for a [`Held`].
pub const fn held(status: u16, reason: &'static str) -> Held {
    Held { status, reason }
}

/// Runs one attack: `attempt` answers with what came back last.
pub async fn attack(world: &World, name: &str, sent: &str, expected: Held, attempt: impl Future<Output = Result<Answer>>) -> Row {
    let began = tokio::time::Instant::now();
    let outcome = attempt.await;
    let ms = began.elapsed().as_secs_f64() * 1000.0;
    let (got, reason, ok) = match outcome {
        Ok(answer) => {
            let reason = world.logged(&answer);
            let ok = answer.status.as_u16() == expected.status && reason.split(' ').any(|code| code == expected.reason);
            (format!("{} {}", answer.status.as_u16(), code_of(&answer)), reason, ok)
        }
        Err(fault) => ("no answer".to_owned(), format!("{fault:#}"), false),
    };
    let expected = format!("{} {}", expected.status, expected.reason);
    Row { name: name.to_owned(), kind: Kind::Attack, sent: sent.to_owned(), expected, got: got.trim_end().to_owned(), reason, ms, ok }
}

/// The phone's access token.
pub async fn access(phone: &Phone) -> Result<Secret<String>> {
    Ok(phone.tokens().await.ok_or_else(|| anyhow::anyhow!("not signed in"))?.access)
}
