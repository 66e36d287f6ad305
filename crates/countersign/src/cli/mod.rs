//! The commands, one a file. What they print goes through [`Output`], what they answer is an [`Exit`].

pub mod args;
mod ask;
mod attest_check;
mod attest_inspect;
mod audit;
mod backup;
#[cfg(feature = "demo")]
mod demo;
mod dev_token;
mod evaluate;
mod feed;
mod incident;
mod init;
mod logs;
mod output;
mod people;
#[cfg(feature = "demo")]
mod phone;
mod place;
mod policy;
mod process_log;
mod report;
mod serve;
pub mod when;
mod why;

pub use output::{Exit, Output, say, say_json};
