//! Server-Sent Events, cut into whole events (WHATWG HTML section 9.2.5). Pure; fields are not read.
//!
//! Only whole events go on. A stream can so be ended at any time by an event of ours: what was begun and not finished has not been
//! said yet, and an empty line of ours completes nobody's half sentence.

use bytes::{Bytes, BytesMut};

/// An event larger than its operation takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventTooLarge;

/// Finds where events end, however their bytes are cut.
#[derive(Debug)]
pub struct Events {
    event_bytes_max: usize,
    held: BytesMut,
    /// Bytes of `held` that were looked at.
    seen: usize,
    line: Line,
}

/// What the last byte was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    /// Nothing yet on this line.
    Empty,
    /// A carriage return that ended a line with something on it; a line feed may belong to it.
    Returned,
    /// A carriage return that ended an empty line, and with it an event; a line feed may belong to it.
    ReturnedTwice,
    /// Something.
    Some,
}

impl Events {
    /// A cutter of events up to this size.
    #[must_use]
    pub fn new(event_bytes_max: usize) -> Self {
        Self { event_bytes_max, held: BytesMut::new(), seen: 0, line: Line::Empty }
    }

    /// Takes the next bytes, and gives all events that are whole now.
    ///
    /// # Errors
    /// When an event is larger than is taken; whole ones before it are lost with it.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Bytes, EventTooLarge> {
        self.held.extend_from_slice(bytes);
        let (mut whole, mut since) = (0, 0);
        for (at, byte) in self.held.iter().enumerate().skip(self.seen) {
            let after = at.saturating_add(1);
            let (line, ends) = step(self.line, *byte);
            self.line = line;
            if ends {
                if after.saturating_sub(since) > self.event_bytes_max {
                    return Err(EventTooLarge);
                }
                (whole, since) = (after, after);
            }
        }
        if self.held.len().saturating_sub(since) > self.event_bytes_max {
            return Err(EventTooLarge);
        }
        let events = self.held.split_to(whole).freeze();
        self.seen = self.held.len();
        Ok(events)
    }
}

/// What the line is after `byte`, and whether an event ends with it. A line ends by CR, LF or CR LF; an event by an empty line.
/// A line feed that only completes such an end belongs to the event before.
const fn step(line: Line, byte: u8) -> (Line, bool) {
    match (line, byte) {
        (Line::Some, b'\n') => (Line::Empty, false),
        (Line::Some, b'\r') => (Line::Returned, false),
        (Line::Returned, b'\n') => (Line::Empty, false),
        (Line::Empty | Line::Returned | Line::ReturnedTwice, b'\r') => (Line::ReturnedTwice, true),
        (Line::Empty | Line::ReturnedTwice, b'\n') => (Line::Empty, true),
        (Line::Empty | Line::Returned | Line::ReturnedTwice | Line::Some, _) => (Line::Some, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(text: &[u8], cut: usize) -> Result<(Vec<u8>, usize), EventTooLarge> {
        let mut events = Events::new(20);
        let mut out = Vec::new();
        for part in text.chunks(cut) {
            out.extend_from_slice(&events.take(part)?);
        }
        Ok((out, events.held.len()))
    }

    #[test]
    fn only_whole_events_go_on() {
        let rows: &[(&str, &str, Result<&str, EventTooLarge>)] = &[
            ("one", "data: 1\n\n", Ok("data: 1\n\n")),
            ("two", "data: 1\n\ndata: 2\n\n", Ok("data: 1\n\ndata: 2\n\n")),
            ("of two lines", "event: a\ndata: 1\n\n", Ok("event: a\ndata: 1\n\n")),
            ("by CR LF", "data: 1\r\n\r\n", Ok("data: 1\r\n\r\n")),
            ("by CR", "data: 1\r\rdata: 2\r\r", Ok("data: 1\r\rdata: 2\r\r")),
            ("mixed", "data: 1\r\n\n", Ok("data: 1\r\n\n")),
            ("half", "data: 1\n", Ok("")),
            ("one and a half", "data: 1\n\ndata: 2", Ok("data: 1\n\n")),
            ("a heartbeat", ":\n\n", Ok(":\n\n")),
            ("exactly the bound", "data: 12345678901 \n\n", Ok("data: 12345678901 \n\n")),
            ("a byte beyond it", "data: 12345678901  \n\n", Err(EventTooLarge)),
            ("a line without an end", "data: 123456789012345678901234567890", Err(EventTooLarge)),
        ];
        for (name, text, expected) in rows {
            for cut in 1..=text.len() {
                let got = all(text.as_bytes(), cut).map(|(out, _)| String::from_utf8(out).expect("text"));
                assert_eq!(got, expected.map(String::from), "{name}, in pieces of {cut}");
            }
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_made_up(text in "[a\n\r:]{0,40}", cut in 1_usize..40) {
            if let Ok((out, held)) = all(text.as_bytes(), cut) {
                prop_assert_eq!(out.len() + held, text.len());
                prop_assert!(text.as_bytes().starts_with(&out));
                prop_assert!(out.is_empty() || out.ends_with(b"\n") || out.ends_with(b"\r"));
                prop_assert_eq!(all(text.as_bytes(), 1), Ok((out, held)));
            }
        }
    }
}
