//! Files about places and networks, as the config names them.

use std::path::Path;

use countersign_monitor::geography::Maps;

use crate::config::{Fault, Faults, GeoList, GeographyFiles};

/// Reads and verifies every file that the config, whose own file is `config`, names.
///
/// # Errors
/// Each file that is missing, damaged or something else.
pub fn maps(config: &Path, files: &GeographyFiles) -> Result<Maps, Faults> {
    let (mut maps, mut faults) = (Maps::default(), Faults::default());
    let mut fault = |line: usize, what: String, remedy: String| faults.push(Fault::at(config, line, what, remedy));
    for (file, line) in &files.databases {
        if let Err(why) = maps.add_database(file) {
            fault(*line, format!("the database `{}` cannot be used", file.display()), why);
        }
    }
    for (file, line) in &files.places {
        if let Err(why) = maps.add_places(file) {
            fault(*line, format!("the places in `{}` cannot be used", file.display()), why);
        }
    }
    for GeoList { file, line, kind, of } in &files.lists {
        if let Err(why) = maps.add_list(file, *kind, *of) {
            fault(*line, format!("the list `{}` cannot be used", file.display()), why);
        }
    }
    faults.or(maps)
}
