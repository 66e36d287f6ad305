//! Who holds the places of a listener. Places are few, and a stranger's wish for them is not: one site has a share, and at the limit
//! the connection goes that has been idle longest, of the site that has most.
//!
//! Idle is what serves no request. What a client says below HTTP, such as the answer to a ping, does not make it busy.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use countersign_core::Site;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Sites that are looked at for something idle, the most crowded first.
const SITES_LOOKED_AT: usize = 64;

/// Number of places, in all and for one site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Places {
    /// Places for all together.
    pub(crate) all: usize,
    /// Places for one site.
    pub(crate) of_a_site: usize,
}

/// Share of a holder: the places of its site, or those of all, where it stands for many sites.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Share {
    /// A proxy of the operator's, behind which there are many.
    OfMany,
    /// Anybody else, one of a site.
    OfASite,
}

/// No place is free, and nobody who must give way is idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Crowded;

/// The places, and who holds them.
#[derive(Debug)]
pub(crate) struct Crowd {
    places: Places,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    /// Numbers holders, and the moments at which they became idle.
    next: u64,
    holders: HashMap<u64, Holder>,
    sites: HashMap<Site, OfSite>,
    /// The same by how many they hold.
    by_size: BTreeSet<(usize, Site)>,
}

#[derive(Debug)]
struct Holder {
    site: Site,
    /// Number of requests in progress.
    busy: usize,
    /// Number of the moment at which it became idle.
    idle: Option<u64>,
    since: Instant,
    gives_way: CancellationToken,
}

#[derive(Debug, Default)]
struct OfSite {
    holders: usize,
    /// Those that are idle, longest first.
    idle: BTreeMap<u64, u64>,
}

impl Held {
    fn number(&mut self) -> u64 {
        self.next = self.next.wrapping_add(1);
        self.next
    }

    fn resize(&mut self, site: Site, change: impl FnOnce(&mut OfSite)) {
        let of_site = self.sites.entry(site).or_default();
        self.by_size.remove(&(of_site.holders, site));
        change(of_site);
        if of_site.holders == 0 {
            self.sites.remove(&site);
        } else {
            self.by_size.insert((of_site.holders, site));
        }
    }

    fn size(&self, site: Site) -> usize {
        self.sites.get(&site).map_or(0, |of_site| of_site.holders)
    }

    fn oldest_idle(&self, site: Site) -> Option<u64> {
        self.sites.get(&site)?.idle.first_key_value().map(|(_, id)| *id)
    }

    /// The idle one that gives way to a newcomer of `site`: of the site that has most, and no fewer than the newcomer's.
    fn who_gives_way(&self, site: Site) -> Option<u64> {
        let own = self.size(site);
        let larger = self.by_size.iter().rev().take(SITES_LOOKED_AT).filter(|(size, other)| *other == site || *size > own);
        larger.filter_map(|(_, other)| self.oldest_idle(*other)).next()
    }

    fn leaves(&mut self, id: u64) -> Option<Holder> {
        let holder = self.holders.remove(&id)?;
        self.resize(holder.site, |of_site| {
            of_site.holders = of_site.holders.saturating_sub(1);
            if let Some(moment) = holder.idle {
                of_site.idle.remove(&moment);
            }
        });
        Some(holder)
    }

    fn sheds(&mut self, id: u64) {
        if let Some(holder) = self.leaves(id) {
            holder.gives_way.cancel();
        }
    }
}

impl Crowd {
    pub(crate) fn new(places: Places) -> Arc<Self> {
        Arc::new(Self { places, held: Mutex::default() })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place, from somebody who gives way where none is free.
    pub(crate) fn enter(self: &Arc<Self>, site: Site, share: Share, now: Instant) -> Result<Place, Crowded> {
        let mut held = self.lock();
        let gives_way = if share == Share::OfASite && held.size(site) >= self.places.of_a_site {
            Some(held.oldest_idle(site).ok_or(Crowded)?)
        } else if held.holders.len() >= self.places.all {
            Some(held.who_gives_way(site).ok_or(Crowded)?)
        } else {
            None
        };
        if let Some(id) = gives_way {
            held.sheds(id);
        }
        let (id, moment, token) = (held.number(), held.number(), CancellationToken::new());
        held.resize(site, |of_site| {
            of_site.holders = of_site.holders.saturating_add(1);
            of_site.idle.insert(moment, id);
        });
        held.holders.insert(id, Holder { site, busy: 0, idle: Some(moment), since: now, gives_way: token.clone() });
        Ok(Place { crowd: Arc::clone(self), id, gives_way: token })
    }

    /// Frees the place of one that is idle, where there is one: descriptors have run out.
    pub(crate) fn make_room(&self) {
        let mut held = self.lock();
        let oldest = held.by_size.iter().rev().take(SITES_LOOKED_AT).filter_map(|(_, site)| held.oldest_idle(*site)).next();
        if let Some(id) = oldest {
            held.sheds(id);
        }
    }

    #[cfg(test)]
    fn size(&self) -> usize {
        self.lock().holders.len()
    }
}

/// One place, until it is dropped or taken away.
#[derive(Debug)]
#[must_use]
pub(crate) struct Place {
    crowd: Arc<Crowd>,
    id: u64,
    gives_way: CancellationToken,
}

impl Place {
    /// Waits until the place is taken away.
    pub(crate) async fn taken_away(&self) {
        self.gives_way.cancelled().await;
    }

    /// Notes that a request begins.
    pub(crate) fn begins(&self) {
        let mut held = self.crowd.lock();
        let Some(holder) = held.holders.get_mut(&self.id) else { return };
        holder.busy = holder.busy.saturating_add(1);
        let (site, idle) = (holder.site, holder.idle.take());
        if let Some(moment) = idle
            && let Some(of_site) = held.sites.get_mut(&site)
        {
            of_site.idle.remove(&moment);
        }
    }

    /// A request has ended, answer and all.
    pub(crate) fn ends(&self, now: Instant) {
        let mut held = self.crowd.lock();
        let moment = held.number();
        let Some(holder) = held.holders.get_mut(&self.id) else { return };
        holder.busy = holder.busy.saturating_sub(1);
        if holder.busy > 0 {
            return;
        }
        (holder.idle, holder.since) = (Some(moment), now);
        let site = holder.site;
        if let Some(of_site) = held.sites.get_mut(&site) {
            of_site.idle.insert(moment, self.id);
        }
    }

    /// Since when it serves no request; `None` while it serves one.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        let held = self.crowd.lock();
        held.holders.get(&self.id).filter(|holder| holder.idle.is_some()).map(|holder| holder.since)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(self.crowd.lock().leaves(self.id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(n: u8) -> Site {
        Site::of(std::net::IpAddr::from([192, 0, n, 7]))
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Then {
        Refused,
        /// The newcomer takes the place of this one.
        InsteadOf(usize),
        Takes,
    }

    #[tokio::test]
    async fn places_are_shared() {
        type Who = (u8, bool);
        let (idle, busy): (fn(u8) -> Who, fn(u8) -> Who) = (|site| (site, true), |site| (site, false));
        let rows: &[(&str, Vec<Who>, u8, Then)] = &[
            ("room for all", vec![idle(1)], 1, Then::Takes),
            ("a site has its share, and gives up its oldest", vec![busy(1), idle(1), idle(1)], 1, Then::InsteadOf(1)),
            ("a site whose share is busy", vec![busy(1), busy(1), busy(1)], 1, Then::Refused),
            ("the most crowded gives way", vec![idle(2), idle(1), idle(1), idle(3)], 4, Then::InsteadOf(1)),
            ("the next one where that is busy", vec![busy(1), busy(1), busy(1), idle(2)], 4, Then::InsteadOf(3)),
            ("not to one that has as many", vec![idle(1), busy(2), idle(3), idle(4)], 2, Then::Refused),
            ("a site gives way to itself", vec![idle(1), idle(1), idle(2), idle(2)], 2, Then::InsteadOf(2)),
            ("all are busy", vec![busy(1), busy(2), busy(3), busy(4)], 5, Then::Refused),
        ];
        for (name, holders, newcomer, expected) in rows {
            let crowd = Crowd::new(Places { all: 4, of_a_site: 3 });
            let now = Instant::now();
            let places: Vec<_> = holders.iter().map(|(n, _)| crowd.enter(site(*n), Share::OfASite, now).expect("a place")).collect();
            for (place, (_, idle)) in places.iter().zip(holders) {
                if !idle {
                    place.begins();
                }
                assert_eq!(place.idle_since().is_some(), *idle, "{name}");
            }
            let taken = crowd.enter(site(*newcomer), Share::OfASite, now);
            let shed = places.iter().position(|place| place.gives_way.is_cancelled());
            assert!(taken.is_ok() || shed.is_none(), "{name}: nobody goes for nobody");
            let got = match (&taken, shed) {
                (Err(Crowded), _) => Then::Refused,
                (Ok(_), None) => Then::Takes,
                (Ok(_), Some(at)) => Then::InsteadOf(at),
            };
            assert_eq!(got, *expected, "{name}");
            drop((places, taken));
            assert_eq!(crowd.size(), 0, "{name}");
            assert!(crowd.lock().sites.is_empty() && crowd.lock().by_size.is_empty(), "{name}");
        }
    }

    #[tokio::test]
    async fn a_proxy_has_no_share() {
        let crowd = Crowd::new(Places { all: 3, of_a_site: 1 });
        let now = Instant::now();
        let one = crowd.enter(site(1), Share::OfMany, now);
        let two = crowd.enter(site(1), Share::OfMany, now);
        assert!(one.is_ok() && two.is_ok());
        assert_eq!(crowd.enter(site(1), Share::OfASite, now).err(), None, "its oldest idle gives way");
        crowd.make_room();
        assert_eq!(crowd.size(), 0, "the newest was dropped, and the other was idle");
    }

    #[tokio::test]
    async fn whoever_becomes_idle_last_goes_last() {
        let crowd = Crowd::new(Places { all: 2, of_a_site: 2 });
        let now = Instant::now();
        let (one, two) = (crowd.enter(site(1), Share::OfASite, now), crowd.enter(site(1), Share::OfASite, now));
        let (one, two) = (one.expect("a place"), two.expect("a place"));
        one.begins();
        one.begins();
        one.ends(now);
        assert_eq!(one.idle_since(), None, "one request is still in progress");
        one.ends(now);
        assert_eq!(one.idle_since(), Some(now));
        let _three = crowd.enter(site(2), Share::OfASite, now).expect("a place");
        assert_eq!((one.gives_way.is_cancelled(), two.gives_way.is_cancelled()), (false, true));
    }
}
