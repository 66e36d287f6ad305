//! The policy enforcement point: the way of a request
