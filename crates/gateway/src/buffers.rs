//! How much of other people's bodies is kept in memory before it passes: bounded in all, for one site and for one connection.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use countersign_core::{Limits, Site};

/// Bytes that may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Bytes for all together.
    pub all: usize,
    /// Bytes for one site.
    pub of_a_site: usize,
    /// Bytes for one connection.
    pub of_a_connection: usize,
}

impl Budget {
    /// Budget that [`Limits`] names.
    pub const USUAL: Self = Self {
        all: Limits::BUFFERED_BYTES_MAX,
        of_a_site: Limits::BUFFERED_BYTES_OF_A_SITE_MAX,
        of_a_connection: Limits::BUFFERED_BYTES_OF_A_CONNECTION_MAX,
    };
}

/// There is no room for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// Ledger of what is kept for whom.
#[derive(Debug)]
pub(crate) struct Buffers {
    budget: Budget,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    all: usize,
    sites: HashMap<Site, usize>,
}

impl Buffers {
    pub(crate) fn new(budget: Budget) -> Arc<Self> {
        Arc::new(Self { budget, held: Mutex::default() })
    }

    fn take(&self, site: Site, bytes: usize) -> Result<(), Full> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let all = held.all.saturating_add(bytes);
        let of_site = held.sites.get(&site).map_or(0, |kept| *kept).saturating_add(bytes);
        if all > self.budget.all || of_site > self.budget.of_a_site {
            return Err(Full);
        }
        held.all = all;
        held.sites.insert(site, of_site);
        Ok(())
    }

    fn give_back(&self, site: Site, bytes: usize) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.all = held.all.saturating_sub(bytes);
        let left = held.sites.get(&site).map_or(0, |kept| kept.saturating_sub(bytes));
        if left == 0 {
            held.sites.remove(&site);
        } else {
            held.sites.insert(site, left);
        }
    }
}

/// Share of one connection in the ledger.
#[derive(Clone, Debug)]
pub(crate) struct OfConnection {
    buffers: Arc<Buffers>,
    site: Site,
    bytes: Arc<AtomicUsize>,
}

impl OfConnection {
    pub(crate) fn new(buffers: Arc<Buffers>, site: Site) -> Self {
        Self { buffers, site, bytes: Arc::default() }
    }
}

/// Bytes that one exchange keeps, until it is dropped.
#[derive(Debug)]
pub(crate) struct Kept {
    of: OfConnection,
    bytes: AtomicUsize,
}

impl Kept {
    pub(crate) fn new(of: OfConnection) -> Self {
        Self { of, bytes: AtomicUsize::new(0) }
    }

    /// Takes room for more.
    pub(crate) fn take(&self, bytes: usize) -> Result<(), Full> {
        let before = self.of.bytes.fetch_add(bytes, Ordering::Relaxed);
        let fits = before.saturating_add(bytes) <= self.of.buffers.budget.of_a_connection;
        if !fits || self.of.buffers.take(self.of.site, bytes).is_err() {
            self.of.bytes.fetch_sub(bytes, Ordering::Relaxed);
            return Err(Full);
        }
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let bytes = *self.bytes.get_mut();
        if bytes > 0 {
            self.of.bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.of.buffers.give_back(self.of.site, bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_keeps_more_than_his_share() {
        let buffers = Buffers::new(Budget { all: 100, of_a_site: 60, of_a_connection: 40 });
        let connection = |n: u8| OfConnection::new(Arc::clone(&buffers), Site::of(std::net::IpAddr::from([192, 0, n, 1])));
        let (one, two, other) = (connection(1), connection(1), connection(2));
        let (a, b, c, d) = (Kept::new(one.clone()), Kept::new(one), Kept::new(two), Kept::new(other.clone()));
        assert_eq!(a.take(40), Ok(()));
        assert_eq!(b.take(1), Err(Full), "the connection has its share");
        assert_eq!(c.take(20), Ok(()));
        assert_eq!(c.take(1), Err(Full), "the site has its share");
        assert_eq!(d.take(40), Ok(()), "another site has its own");
        let third = Kept::new(connection(3));
        assert_eq!(third.take(1), Err(Full), "there is an end for all");
        drop(a);
        assert_eq!(third.take(30), Ok(()));
        assert_eq!(b.take(10), Ok(()));
        drop((b, c, d, third, other));
        let held = buffers.held.lock().expect("a lock");
        assert!(held.all == 0 && held.sites.is_empty());
    }
}
