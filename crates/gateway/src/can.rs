//! What an enforcement point can keep of what operations and decisions ask for. What it cannot keep, it refuses.

use countersign_core::Reason;
use countersign_policy::Found;
use http::HeaderMap;

use crate::{hygiene, permit::Permit};

/// An ability of a door, had or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ability {
    /// The door can do it.
    Able,
    /// The door cannot do it, and refuses what needs it.
    Unable,
}

/// The abilities of one door. Each door states all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Can {
    /// Hides fields of the answer.
    pub(crate) mask: Ability,
    /// Holds a connection open, judges it again and cuts it.
    pub(crate) hold: Ability,
    /// Reads a body before it is forwarded, and stops one that is too long.
    pub(crate) read_body: Ability,
    /// Takes headers away that must not reach the API.
    pub(crate) clean: Ability,
}

impl Can {
    /// Takes an operation that the door can serve. Asked before anything about the caller, since the answer is the same for all.
    ///
    /// # Errors
    /// [`Reason::StreamUndeclared`], [`Reason::BodyMalformed`] or [`Reason::BodyTooLarge`]: the reason of a request that lacks what
    /// the operation needs, which at such a door is every request.
    pub(crate) fn serve(self, operation: &Found<'_>) -> Result<(), Reason> {
        match self.hold {
            Ability::Unable if operation.stream().is_some() => return Err(Reason::StreamUndeclared),
            Ability::Able | Ability::Unable => {}
        }
        match self.read_body {
            Ability::Unable if operation.reads_body() => Err(Reason::BodyMalformed),
            // A limit of the operation's own, which nobody there would notice to be exceeded.
            Ability::Unable if operation.body_bytes_max().is_some() => Err(Reason::BodyTooLarge),
            Ability::Able | Ability::Unable => Ok(()),
        }
    }

    /// Takes the headers of a request, if whatever must not reach the API can be taken away.
    ///
    /// # Errors
    /// [`Reason::HeaderNotRemovable`].
    pub(crate) fn clean(self, operation: &Found<'_>, headers: &HeaderMap) -> Result<(), Reason> {
        match self.clean {
            Ability::Able => Ok(()),
            Ability::Unable => hygiene::needs_no_cleaning(headers, operation.request_headers()).map_err(|_| Reason::HeaderNotRemovable),
        }
    }

    /// Takes a permit whose obligations the door can keep. Rates are kept for every door.
    ///
    /// # Errors
    /// [`Reason::ResponseNotMaskable`].
    pub(crate) fn keep(self, permit: &Permit) -> Result<(), Reason> {
        match self.mask {
            Ability::Unable if !permit.masks().is_empty() => Err(Reason::ResponseNotMaskable),
            Ability::Able | Ability::Unable => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_policy::{OperationSpec, Operations, StreamKind, StreamSpec};

    #[test]
    fn a_door_serves_what_it_can_keep() {
        const ALL: Can = Can { mask: Ability::Able, hold: Ability::Able, read_body: Ability::Able, clean: Ability::Able };
        type Declares = fn(&mut OperationSpec);
        type Lacks = fn(&mut Can);
        let socket: Declares = |spec| {
            spec.method = "GET".to_owned();
            spec.stream = Some(StreamSpec { kind: StreamKind::WebSocket, message_bytes_max: None, messages_per_second: None });
        };
        let fields: Declares = |spec| drop(spec.body.insert("amount".to_owned(), "long /amount".to_owned()));
        let limit: Declares = |spec| spec.body_bytes_max = Some(10);
        let rows: &[(&str, Declares, Lacks, Result<(), Reason>)] = &[
            ("nothing special, all abilities", |_| {}, |_| {}, Ok(())),
            ("nothing special, no ability", |_| {}, |can| (can.hold, can.read_body) = (Ability::Unable, Ability::Unable), Ok(())),
            ("a socket", socket, |_| {}, Ok(())),
            ("a socket, not to be held", socket, |can| can.hold = Ability::Unable, Err(Reason::StreamUndeclared)),
            ("a socket, where bodies are not read", socket, |can| can.read_body = Ability::Unable, Ok(())),
            ("fields", fields, |_| {}, Ok(())),
            ("fields, not to be read", fields, |can| can.read_body = Ability::Unable, Err(Reason::BodyMalformed)),
            ("fields, where nothing is held", fields, |can| can.hold = Ability::Unable, Ok(())),
            ("a limit", limit, |_| {}, Ok(())),
            ("a limit, not to be kept", limit, |can| can.read_body = Ability::Unable, Err(Reason::BodyTooLarge)),
        ];
        for (name, declares, lacks, expected) in rows {
            let mut spec =
                OperationSpec { method: "POST".to_owned(), path: "/a".to_owned(), action: "a".to_owned(), ..OperationSpec::default() };
            declares(&mut spec);
            let mut can = ALL;
            lacks(&mut can);
            let operations = Operations::new(&[spec.clone()]).expect("sound");
            let found = operations.find(&spec.method, "/a").expect("declared");
            assert_eq!(can.serve(&found), *expected, "{name}");
        }
    }
}
