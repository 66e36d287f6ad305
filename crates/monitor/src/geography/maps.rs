//! Where an address is and what kind of network it belongs to, from files of the operator's choice.
//!
//! Read are MMDB files of any vendor (<https://maxmind.github.io/MaxMind-DB/>): MaxMind's nested schema with an accuracy radius, and the
//! flat schema without one, as others write it. Read are also lists of prefixes and autonomous systems, plain or gzipped. An address that
//! no file knows is unknown, never risky. No data is bundled, because GeoLite's licence does not allow it.

use std::{fs, io::Read as _, net::IpAddr, path::Path};

use arc_swap::ArcSwap;
use countersign_core::Limits;
use countersign_risk::{
    geo::Position,
    lists::NetworkLists,
    network::{Asn, NetworkKind},
};
use flate2::read::MultiGzDecoder;
use maxminddb::Reader;
use serde::Deserialize;

use crate::{
    geography::places::Places,
    observe::{self, Place},
};

/// Radius in kilometres around a position whose database states none. Countries are located at their middle.
const RADIUS_UNKNOWN_KM: f64 = 200.0;

/// Content of each line of a list of networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListOf {
    /// A prefix (`192.0.2.0/24`) or an address.
    Prefixes,
    /// The number of an autonomous system.
    Systems,
}

/// All files of the operator, read and verified.
#[derive(Default)]
pub struct Maps {
    databases: Vec<Reader<Vec<u8>>>,
    lists: NetworkLists,
    places: Places,
}

/// Files in use; replaced as a whole, without a restart.
#[derive(Default)]
pub struct Geography(ArcSwap<Maps>);

/// Record of a database: the members that any of the known schemas has. Each database fills some of them.
#[derive(Debug, Default, Deserialize)]
struct Record {
    location: Option<Location>,
    country: Option<Country>,
    registered_country: Option<Country>,
    traits: Option<Traits>,
    #[serde(flatten)]
    flat: Traits,
    latitude: Option<Degrees>,
    longitude: Option<Degrees>,
    country_code: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Location {
    latitude: Option<f64>,
    longitude: Option<f64>,
    accuracy_radius: Option<u16>,
}

/// Degrees, which flat schemas write as numbers or as texts.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Degrees {
    Number(f64),
    Text(String),
}

#[derive(Debug, Deserialize)]
struct Country {
    iso_code: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Traits {
    autonomous_system_number: Option<u32>,
    connection_type: Option<String>,
    user_type: Option<String>,
    is_anonymous: Option<bool>,
    is_anonymous_vpn: Option<bool>,
    is_hosting_provider: Option<bool>,
    is_public_proxy: Option<bool>,
    is_residential_proxy: Option<bool>,
    is_satellite_provider: Option<bool>,
    is_tor_exit_node: Option<bool>,
}

impl Geography {
    /// Begins with these files in use.
    #[must_use]
    pub fn new(maps: Maps) -> Self {
        Self(ArcSwap::from_pointee(maps))
    }

    /// Takes other files into use, in place of all before.
    pub fn replace(&self, maps: Maps) {
        self.0.store(maps.into());
    }
}

impl observe::Places for Geography {
    fn locate(&self, address: IpAddr) -> Place {
        self.0.load().locate(address)
    }
}

impl Maps {
    /// Reads and verifies a database. Where two databases know the same fact, the one that was added first is believed.
    ///
    /// # Errors
    /// Advice in words about a file that is missing, damaged or no database.
    pub fn add_database(&mut self, file: &Path) -> Result<(), String> {
        self.databases.push(database(file)?);
        Ok(())
    }

    /// Reads a file of places that the operator knows; they count before any database.
    ///
    /// # Errors
    /// What to do about the file, in words.
    pub fn add_places(&mut self, file: &Path) -> Result<(), String> {
        self.places.add(&unpacked(file)?)
    }

    /// Reads a list of networks, all of which are of `kind`.
    ///
    /// # Errors
    /// What to do about the file, in words.
    pub fn add_list(&mut self, file: &Path, kind: NetworkKind, of: ListOf) -> Result<(), String> {
        let text = unpacked(file)?;
        let added = match of {
            ListOf::Prefixes => self.lists.add_prefixes(kind, &text),
            ListOf::Systems => self.lists.add_systems(kind, &text),
        };
        added.map(|_| ()).map_err(|why| why.to_string())
    }

    /// Tells whether no file was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.databases.is_empty() && self.places.is_empty() && self.lists == NetworkLists::default()
    }

    fn locate(&self, address: IpAddr) -> Place {
        let address = address.to_canonical();
        if let Some(place) = self.places.locate(address) {
            return place.clone();
        }
        let (mut network, mut country, mut kind, mut position) = (None, None, NetworkKind::Unknown, None);
        for database in &self.databases {
            // A record that does not decode is one that this database does not have.
            let Some(record) = database.lookup(address).ok().and_then(|found| found.decode::<Record>().ok().flatten()) else { continue };
            network = network.or_else(|| record.system());
            country = country.or_else(|| record.country());
            position = position.or_else(|| record.position());
            if kind == NetworkKind::Unknown {
                kind = record.kind();
            }
        }
        // The operator's lists know anonymisers that databases take for providers.
        let listed = self.lists.kind(address, network);
        Place { network, country, kind: if listed == NetworkKind::Unknown { kind } else { listed }, position }
    }
}

impl Record {
    fn all_traits(&self) -> impl Iterator<Item = &Traits> {
        self.traits.iter().chain([&self.flat])
    }

    fn system(&self) -> Option<Asn> {
        self.all_traits().find_map(|traits| traits.autonomous_system_number).map(Asn)
    }

    fn country(&self) -> Option<String> {
        let nested = [&self.country, &self.registered_country].into_iter().flatten().find_map(|country| country.iso_code.clone());
        let code = nested.or_else(|| self.country_code.clone())?;
        (code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase())).then_some(code)
    }

    fn position(&self) -> Option<Position> {
        let flat = || Some((self.latitude.as_ref()?.number()?, self.longitude.as_ref()?.number()?, None));
        let nested = self.location.as_ref().and_then(|at| Some((at.latitude?, at.longitude?, at.accuracy_radius)));
        let (latitude, longitude, radius) = nested.or_else(flat)?;
        Position::new(latitude, longitude, radius.map_or(RADIUS_UNKNOWN_KM, f64::from)).ok()
    }

    fn kind(&self) -> NetworkKind {
        let is = |flag: fn(&Traits) -> Option<bool>| self.all_traits().any(|traits| flag(traits) == Some(true));
        let anonymous: [fn(&Traits) -> Option<bool>; 4] =
            [|t| t.is_anonymous_vpn, |t| t.is_public_proxy, |t| t.is_residential_proxy, |t| t.is_tor_exit_node];
        if anonymous.into_iter().any(is) {
            return NetworkKind::Anonymiser;
        }
        if is(|traits| traits.is_hosting_provider) {
            return NetworkKind::Hosting;
        }
        if is(|traits| traits.is_anonymous) {
            return NetworkKind::Anonymiser;
        }
        if is(|traits| traits.is_satellite_provider) {
            return NetworkKind::Satellite;
        }
        let named = self
            .all_traits()
            .flat_map(|traits| [&traits.connection_type, &traits.user_type])
            .flatten()
            .map(|word| NetworkKind::named(word));
        named.into_iter().find(|kind| *kind != NetworkKind::Unknown).unwrap_or(NetworkKind::Unknown)
    }
}

impl Degrees {
    fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
        }
    }
}

fn database(file: &Path) -> Result<Reader<Vec<u8>>, String> {
    let size = fs::metadata(file).map_err(|e| format!("give a readable file ({e})"))?.len();
    if size > Limits::GEO_DATABASE_BYTES_MAX {
        return Err("it is larger than two gigabytes; check that it is the right file".to_owned());
    }
    let reader = Reader::open_readfile(file).map_err(|e| format!("it is not an MMDB database ({e}); download it again"))?;
    // Verified once here, so that a damaged file is found now and not at some request.
    reader.verify().map_err(|e| format!("it is damaged ({e}); download it again"))?;
    Ok(reader)
}

fn unpacked(file: &Path) -> Result<String, String> {
    let unreadable = |e: std::io::Error| format!("give a readable text file ({e})");
    let packed = fs::File::open(file).map_err(unreadable)?;
    let mut text = String::new();
    let read = if file.extension().is_some_and(|extension| extension == "gz") {
        MultiGzDecoder::new(packed).take(Limits::NETWORK_LIST_BYTES_MAX).read_to_string(&mut text)
    } else {
        packed.take(Limits::NETWORK_LIST_BYTES_MAX).read_to_string(&mut text)
    };
    read.map_err(unreadable)?;
    // How some editors begin a text is not part of it.
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/risk");

    fn geography(files: &[&str]) -> Maps {
        let databases = files.iter().map(|file| database(&Path::new(SHARED).join("geoip-test").join(file)).expect("a database"));
        Maps { databases: databases.collect(), lists: NetworkLists::default(), places: Places::default() }
    }

    fn locate(maps: &Maps, address: &str) -> Place {
        maps.locate(address.parse().expect("an address"))
    }

    #[test]
    fn vendors_databases_are_read() {
        let maps = geography(&[
            "GeoIP2-City-Test.mmdb",
            "GeoLite2-ASN-Test.mmdb",
            "GeoIP2-Anonymous-IP-Test.mmdb",
            "GeoIP2-Connection-Type-Test.mmdb",
        ]);
        let london = locate(&maps, "81.2.69.142");
        assert_eq!(london.country.as_deref(), Some("GB"));
        let expected = Position::new(51.5142, -0.0931, 10.0).expect("a position");
        assert!(london.position.is_some_and(|position| position.distance_km(expected) < 1.0), "{london:?}");
        assert_eq!(locate(&maps, "::ffff:81.2.69.142"), london, "an address has one place, however it is written");
        assert_eq!(locate(&maps, "1.128.0.0").network, Some(Asn(1221)));
        assert_eq!(locate(&maps, "1.2.0.0").kind, NetworkKind::Anonymiser);
        assert_eq!(locate(&maps, "71.160.223.45").kind, NetworkKind::Hosting);
        assert_eq!(locate(&maps, "1.0.1.0").kind, NetworkKind::Mobile);
        let nowhere = Place { network: None, country: None, kind: NetworkKind::Unknown, position: None };
        assert_eq!(locate(&maps, "192.0.2.1"), nowhere, "what no file knows is unknown");
        assert_eq!(locate(&Maps::default(), "81.2.69.142"), nowhere, "as is everything without files");
    }

    #[test]
    fn damaged_files_are_refused() {
        let place = tempfile::tempdir().expect("a directory");
        let whole = fs::read(Path::new(SHARED).join("geoip-test/GeoIP2-City-Test.mmdb")).expect("a database");
        let bent = |change: fn(&mut Vec<u8>)| {
            let mut bytes = whole.clone();
            change(&mut bytes);
            let file = place.path().join("a.mmdb");
            fs::write(&file, bytes).expect("written");
            database(&file).is_err()
        };
        assert!(bent(|bytes| bytes.truncate(100)) && bent(|bytes| bytes.drain(..1000).for_each(drop)) && bent(Vec::clear));
        assert!(bent(|bytes| bytes.iter_mut().take(5000).for_each(|byte| *byte = 0xff)), "a tree that leads nowhere");
        assert!(database(&place.path().join("missing")).is_err());
    }
}
