//! The enforcement points. Each takes requests in its own form, states what it can keep ([`crate::can::Can`]), has every request
//! admitted by the one way ([`crate::way::admit`]), and then does with an admission what it is there for.

pub(crate) mod auth_request;
pub(crate) mod proxy;
