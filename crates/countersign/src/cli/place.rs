//! Where a command finds the node that it is about: by its config, or by its data directory.

use std::path::PathBuf;

use anyhow::{Result, anyhow};
use clap::Args;
use countersign_node::{
    config::{self, Config},
    layout,
};

/// The node's files.
#[derive(Args, Clone, Debug)]
pub struct Place {
    /// Configuration file.
    #[arg(long, global = true, default_value = "csign.toml", value_name = "FILE")]
    pub config: PathBuf,
    /// Data directory, if there is no configuration file here.
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

impl Place {
    /// The configuration.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn config(&self) -> Result<Config> {
        config::load(&self.config).map_err(|faults| anyhow!(faults))
    }

    /// The data directory.
    ///
    /// # Errors
    /// When none is given and the configuration cannot be read.
    pub fn data(&self) -> Result<PathBuf> {
        match &self.data {
            Some(data) => Ok(data.clone()),
            None => Ok(self.config()?.data),
        }
    }

    /// The admin socket.
    ///
    /// # Errors
    /// As [`Place::data`].
    pub fn socket(&self) -> Result<PathBuf> {
        match &self.data {
            Some(data) => Ok(data.join(layout::ADMIN_SOCKET)),
            None => Ok(self.config()?.admin_socket()),
        }
    }

    /// Where the audit log's segments are.
    ///
    /// # Errors
    /// As [`Place::data`].
    pub fn log(&self) -> Result<PathBuf> {
        Ok(self.data()?.join(layout::LOG))
    }
}
