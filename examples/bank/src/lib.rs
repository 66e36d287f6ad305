//! A small bank API.
