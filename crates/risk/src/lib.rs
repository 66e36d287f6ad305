//! How unusual a login or a request is.
