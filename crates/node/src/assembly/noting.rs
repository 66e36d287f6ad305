//! The database and the log tell each other how far they have come, again and again, so that a start finds an older copy of either.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use countersign_audit::{DatabaseSeen, Frontier};
use countersign_store::{
    Unavailable, segments,
    sqlite::{Continuity, Sqlite},
};
use tokio::sync::{Mutex, MutexGuard};

use crate::{admin::service::AdminService, layout};

/// Maker of the notes.
pub(crate) struct Noting {
    database: Arc<Sqlite>,
    log: PathBuf,
    last: Mutex<Last>,
}

/// Newest note that is on the disk.
pub(crate) struct Last {
    id: String,
    number: u64,
    /// Entries of the log with the one about the note itself.
    log_size: u64,
}

impl Noting {
    /// Begins behind what is known; `id` names a database that has no name yet.
    ///
    /// # Errors
    /// Our fault only.
    pub async fn begin(database: Arc<Sqlite>, data: &Path, id: String) -> Result<Self, Unavailable> {
        let known = database.continuity().await?;
        let (id, number) = known.map_or((id, 0), |known| (known.database, known.number));
        Ok(Self { database, log: data.join(layout::LOG), last: Mutex::new(Last { id, number, log_size: 0 }) })
    }

    /// Notes how far the log goes in the database, and then in the log how far the database goes. Nothing, when nothing was recorded since the
    /// last note.
    ///
    /// # Errors
    /// Our fault only; the next note makes it good.
    pub async fn note(&self, admin: &AdminService) -> Result<(), Unavailable> {
        let mut last = self.last.lock().await;
        let log = self.log.clone();
        let read = tokio::task::spawn_blocking(move || segments::durable_checkpoint(&log)).await;
        let checkpoint = read.map_err(|_| Unavailable::new("reading the log"))?.map_err(|fault| Unavailable::new(fault.to_string()))?;
        let (log_size, log_root) = checkpoint.map_or((0, Frontier::default().root()), |checkpoint| (checkpoint.size, checkpoint.root));
        if log_size == last.log_size {
            return Ok(());
        }
        let (database, number) = (last.id.clone(), last.number.saturating_add(1));
        // INVARIANT: the database is on the disk with this number before the log names it, and the log was on the disk before that.
        self.database.note_continuity(&Continuity { database: database.clone(), number, log_size, log_root, backup: false }).await?;
        last.number = number;
        admin.database_noted(DatabaseSeen { id: database, number }).await?;
        last.log_size = log_size.saturating_add(1);
        Ok(())
    }

    /// Keeps notes from being made until the answer is dropped, for whoever copies all files.
    pub(crate) async fn pause(&self) -> MutexGuard<'_, Last> {
        self.last.lock().await
    }
}
