//! RFC 6455 section 5: bytes become frames, or a refusal. Pure; nothing is repaired.
//!
//! Both sides of a relay are read alike but for the mask: a client masks every frame, a server none (section 5.1). What passed is
//! written again from its parts, so that no byte of a frame's head is the sender's own. Text is not checked for UTF-8: a relay
//! shows it to nobody, and its reader must check it anyway.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Bytes of a control frame's payload (section 5.5).
pub const CONTROL_BYTES_MAX: usize = 125;

/// Why bytes are no frame. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameRefusal {
    /// A close frame with half a code, a code that may not be sent, or a reason that is not UTF-8 (section 7.4).
    CloseMalformed,
    /// A continuation of nothing (section 5.4).
    ContinuationOfNothing,
    /// A control frame in parts (section 5.5).
    ControlFragmented,
    /// A control frame of more than 125 bytes (section 5.5).
    ControlTooLong,
    /// A length in more bytes than it needs, or beyond 63 bits (section 5.2).
    LengthNotMinimal,
    /// A client's frame without a mask (section 5.1).
    MaskMissing,
    /// A server's frame with one (section 5.1).
    MaskPresent,
    /// A new message before the last one's end (section 5.4).
    MessageInterrupted,
    /// A message of more bytes than the operation takes.
    MessageTooLarge,
    /// An opcode that means nothing (section 5.2).
    OpcodeUnknown,
    /// A bit that only an extension may set, and none was agreed on (section 5.2).
    ReservedBit,
}

/// What a frame is. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    /// Begins a message of bytes.
    Binary,
    /// Ends the connection.
    Close,
    /// Goes on with a message.
    Continuation,
    /// Asks for a pong.
    Ping,
    /// Answers a ping.
    Pong,
    /// Begins a message of text.
    Text,
}

impl Opcode {
    const fn parse(bits: u8) -> Option<Self> {
        match bits {
            0x0 => Some(Self::Continuation),
            0x1 => Some(Self::Text),
            0x2 => Some(Self::Binary),
            0x8 => Some(Self::Close),
            0x9 => Some(Self::Ping),
            0xA => Some(Self::Pong),
            _ => None,
        }
    }

    const fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xA,
        }
    }

    const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// Whether a frame is the last of its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// It is.
    Last,
    /// More follow.
    NotLast,
}

/// Who wrote the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// Masks.
    Client,
    /// Does not.
    Server,
}

/// A frame with one reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it is.
    pub opcode: Opcode,
    /// Whether it is its message's last.
    pub part: Part,
    /// What it carries, unmasked.
    pub payload: Bytes,
}

impl Frame {
    /// A frame that is whole in itself.
    #[must_use]
    pub const fn whole(opcode: Opcode, payload: Bytes) -> Self {
        Self { opcode, part: Part::Last, payload }
    }

    /// A close frame. A reason that does not fit is cut where a character ends.
    #[must_use]
    pub fn close(code: u16, reason: &str) -> Self {
        let mut payload = BytesMut::with_capacity(CONTROL_BYTES_MAX);
        payload.put_u16(code);
        payload.put_slice(reason.get(..reason.floor_char_boundary(CONTROL_BYTES_MAX.saturating_sub(2))).unwrap_or_default().as_bytes());
        Self::whole(Opcode::Close, payload.freeze())
    }

    /// The code of a close frame; `None` for one without, and for all others.
    #[must_use]
    pub fn close_code(&self) -> Option<u16> {
        match (self.opcode, self.payload.first_chunk::<2>()) {
            (Opcode::Close, Some(code)) => Some(u16::from_be_bytes(*code)),
            _ => None,
        }
    }

    /// Writes it as a server would, or as a client with this mask.
    pub fn write(&self, mask: Option<[u8; 4]>, out: &mut BytesMut) {
        let first = match self.part {
            Part::Last => 0x80,
            Part::NotLast => 0,
        };
        let masked = if mask.is_some() { 0x80 } else { 0 };
        out.put_u8(first | self.opcode.bits());
        let length = self.payload.len();
        match (u8::try_from(length), u16::try_from(length)) {
            (Ok(short @ 0..=125), _) => out.put_u8(masked | short),
            (_, Ok(middle)) => {
                out.put_u8(masked | 126);
                out.put_u16(middle);
            }
            (_, Err(_)) => {
                out.put_u8(masked | 127);
                out.put_u64(u64::try_from(length).unwrap_or(u64::MAX));
            }
        }
        match mask {
            None => out.put_slice(&self.payload),
            Some(mask) => {
                out.put_slice(&mask);
                out.extend(self.payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
            }
        }
    }
}

/// Reads the frames of one sender, however their bytes are cut.
#[derive(Debug)]
pub struct Reader {
    sender: Sender,
    message_bytes_max: usize,
    buffer: BytesMut,
    /// Bytes of the message under way.
    message: Option<usize>,
}

/// A frame's first bytes.
struct Head {
    opcode: Opcode,
    part: Part,
    mask: Option<[u8; 4]>,
    bytes: usize,
    payload: usize,
}

impl Reader {
    /// A reader of messages up to this size.
    #[must_use]
    pub fn new(sender: Sender, message_bytes_max: usize) -> Self {
        Self { sender, message_bytes_max, buffer: BytesMut::new(), message: None }
    }

    /// Where the next bytes are read into. Take all frames out before asking again, so that it never holds more than one.
    pub const fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Messages may have this size from the next frame on.
    pub const fn limit(&mut self, message_bytes_max: usize) {
        self.message_bytes_max = message_bytes_max;
    }

    /// The next frame, if all of it is there.
    ///
    /// # Errors
    /// The first rule that it breaks, as soon as its head is there. Nothing can be read after that.
    pub fn frame(&mut self) -> Result<Option<Frame>, FrameRefusal> {
        let Some(head) = head(&self.buffer, self.sender)? else { return Ok(None) };
        let message = self.admit(&head)?;
        let Some(length) = head.bytes.checked_add(head.payload) else { return Err(FrameRefusal::MessageTooLarge) };
        if self.buffer.len() < length {
            return Ok(None);
        }
        self.buffer.advance(head.bytes);
        let mut payload = self.buffer.split_to(head.payload);
        if let Some(mask) = head.mask {
            payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        }
        self.message = message;
        if head.opcode == Opcode::Close {
            closes(&payload)?;
        }
        Ok(Some(Frame { opcode: head.opcode, part: head.part, payload: payload.freeze() }))
    }

    /// Whether the frame may stand where it stands, and what is under way after it.
    fn admit(&self, head: &Head) -> Result<Option<usize>, FrameRefusal> {
        if head.opcode.is_control() {
            return match head.part {
                Part::NotLast => Err(FrameRefusal::ControlFragmented),
                Part::Last if head.payload > CONTROL_BYTES_MAX => Err(FrameRefusal::ControlTooLong),
                Part::Last => Ok(self.message),
            };
        }
        let before = match (self.message, head.opcode) {
            (Some(before), Opcode::Continuation) => before,
            (None, Opcode::Continuation) => return Err(FrameRefusal::ContinuationOfNothing),
            (Some(_), _) => return Err(FrameRefusal::MessageInterrupted),
            (None, _) => 0,
        };
        let now = before.checked_add(head.payload).filter(|now| *now <= self.message_bytes_max).ok_or(FrameRefusal::MessageTooLarge)?;
        Ok(match head.part {
            Part::Last => None,
            Part::NotLast => Some(now),
        })
    }
}

fn head(bytes: &[u8], sender: Sender) -> Result<Option<Head>, FrameRefusal> {
    let Some(([first, second], rest)) = bytes.split_first_chunk::<2>() else { return Ok(None) };
    if first & 0x70 != 0 {
        return Err(FrameRefusal::ReservedBit);
    }
    let opcode = Opcode::parse(first & 0x0F).ok_or(FrameRefusal::OpcodeUnknown)?;
    let part = if first & 0x80 == 0 { Part::NotLast } else { Part::Last };
    match (sender, second & 0x80) {
        (Sender::Client, 0) => return Err(FrameRefusal::MaskMissing),
        (Sender::Server, 0x80) => return Err(FrameRefusal::MaskPresent),
        (Sender::Client | Sender::Server, _) => {}
    }
    let (payload, rest, length_bytes) = match second & 0x7F {
        126 => {
            let Some((length, rest)) = rest.split_first_chunk::<2>() else { return Ok(None) };
            let length = u16::from_be_bytes(*length);
            if length < 126 {
                return Err(FrameRefusal::LengthNotMinimal);
            }
            (usize::from(length), rest, 2_usize)
        }
        127 => {
            let Some((length, rest)) = rest.split_first_chunk::<8>() else { return Ok(None) };
            let length = u64::from_be_bytes(*length);
            if length <= u64::from(u16::MAX) || length > u64::MAX >> 1 {
                return Err(FrameRefusal::LengthNotMinimal);
            }
            (usize::try_from(length).map_err(|_| FrameRefusal::MessageTooLarge)?, rest, 8)
        }
        short => (usize::from(short), rest, 0),
    };
    let (mask, mask_bytes) = match (sender, rest.first_chunk::<4>()) {
        (Sender::Server, _) => (None, 0_usize),
        (Sender::Client, Some(mask)) => (Some(*mask), 4),
        // The length is known already: what is too large is refused before its mask has come.
        (Sender::Client, None) => (None, 4),
    };
    Ok(Some(Head { opcode, part, mask, bytes: length_bytes.saturating_add(mask_bytes).saturating_add(2), payload }))
}

/// A close frame's payload (sections 5.5.1 and 7.4).
fn closes(payload: &[u8]) -> Result<(), FrameRefusal> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() { Ok(()) } else { Err(FrameRefusal::CloseMalformed) };
    };
    let sendable = matches!(u16::from_be_bytes(*code), 1000..=1003 | 1007..=1014 | 3000..=4999);
    if sendable && std::str::from_utf8(reason).is_ok() { Ok(()) } else { Err(FrameRefusal::CloseMalformed) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAX: usize = 70_000;

    fn read(sender: Sender, bytes: &[u8]) -> Result<Vec<Frame>, FrameRefusal> {
        let mut reader = Reader::new(sender, MAX);
        let mut frames = Vec::new();
        for byte in bytes {
            reader.buffer().put_u8(*byte);
            while let Some(frame) = reader.frame()? {
                frames.push(frame);
            }
        }
        Ok(frames)
    }

    fn bytes(head: &[u8], count: usize) -> Vec<u8> {
        [head, &vec![0; count]].concat()
    }

    /// The examples of RFC 6455 section 5.7.
    #[test]
    fn the_examples_of_the_rfc_are_read() {
        let hello = |opcode| Frame::whole(opcode, Bytes::from_static(b"Hello"));
        let rows: &[(&str, Sender, &[u8], Vec<Frame>)] = &[
            ("unmasked text", Sender::Server, &[0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f], vec![hello(Opcode::Text)]),
            ("masked text", Sender::Client, &[0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58], vec![hello(Opcode::Text)]),
            (
                "fragmented text",
                Sender::Server,
                &[0x01, 0x03, 0x48, 0x65, 0x6c, 0x80, 0x02, 0x6c, 0x6f],
                vec![
                    Frame { opcode: Opcode::Text, part: Part::NotLast, payload: Bytes::from_static(b"Hel") },
                    Frame::whole(Opcode::Continuation, Bytes::from_static(b"lo")),
                ],
            ),
            ("ping", Sender::Server, &[0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f], vec![hello(Opcode::Ping)]),
            ("masked pong", Sender::Client, &[0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58], vec![hello(Opcode::Pong)]),
            ("256 bytes", Sender::Server, &bytes(&[0x82, 0x7E, 0x01, 0x00], 256), vec![Frame::whole(Opcode::Binary, vec![0; 256].into())]),
            (
                "64 KiB",
                Sender::Server,
                &bytes(&[0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0], 65_536),
                vec![Frame::whole(Opcode::Binary, vec![0; 65_536].into())],
            ),
        ];
        for (name, sender, bytes, expected) in rows {
            assert_eq!(read(*sender, bytes).as_ref(), Ok(expected), "{name}");
        }
    }

    #[test]
    fn what_is_not_strictly_a_frame_is_refused() {
        use FrameRefusal as R;
        let too_large = [&[0x82, 0x7F][..], &70_001_u64.to_be_bytes()].concat();
        let just_fits = bytes(&[&[0x82, 0x7F][..], &70_000_u64.to_be_bytes()].concat(), 70_000);
        let in_parts = [bytes(&[0x02, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0], 65_536), vec![0x80, 0x7E, 0x11, 0x71]].concat();
        let rows: &[(&str, Sender, &[u8], Result<usize, R>)] = &[
            ("an empty text", Sender::Server, &[0x81, 0x00], Ok(1)),
            ("a ping between parts", Sender::Server, &[0x01, 0x00, 0x89, 0x00, 0x80, 0x00], Ok(3)),
            ("the largest message", Sender::Server, &just_fits, Ok(1)),
            ("a byte more", Sender::Server, &too_large, Err(R::MessageTooLarge)),
            ("a byte more in parts", Sender::Server, &in_parts, Err(R::MessageTooLarge)),
            ("63 bits of length", Sender::Server, &[0x82, 0x7F, 0x7F, 255, 255, 255, 255, 255, 255, 255], Err(R::MessageTooLarge)),
            ("64 bits of length", Sender::Server, &[0x82, 0x7F, 0x80, 0, 0, 0, 0, 0, 0, 0], Err(R::LengthNotMinimal)),
            ("125 in two bytes", Sender::Server, &[0x82, 0x7E, 0, 125], Err(R::LengthNotMinimal)),
            ("65535 in eight bytes", Sender::Server, &[0x82, 0x7F, 0, 0, 0, 0, 0, 0, 255, 255], Err(R::LengthNotMinimal)),
            ("a client without a mask", Sender::Client, &[0x81, 0x00], Err(R::MaskMissing)),
            ("a server with one", Sender::Server, &[0x81, 0x80], Err(R::MaskPresent)),
            ("compression", Sender::Server, &[0xC1, 0x00], Err(R::ReservedBit)),
            ("the second bit", Sender::Server, &[0xA1, 0x00], Err(R::ReservedBit)),
            ("the third bit", Sender::Server, &[0x91, 0x00], Err(R::ReservedBit)),
            ("opcode 3", Sender::Server, &[0x83, 0x00], Err(R::OpcodeUnknown)),
            ("opcode 11", Sender::Server, &[0x8B, 0x00], Err(R::OpcodeUnknown)),
            ("a ping in parts", Sender::Server, &[0x09, 0x00], Err(R::ControlFragmented)),
            ("a long ping", Sender::Server, &[0x89, 0x7E, 0, 126], Err(R::ControlTooLong)),
            ("a continuation of nothing", Sender::Server, &[0x80, 0x00], Err(R::ContinuationOfNothing)),
            ("a message within one", Sender::Server, &[0x01, 0x00, 0x81, 0x00], Err(R::MessageInterrupted)),
            ("an empty close", Sender::Server, &[0x88, 0x00], Ok(1)),
            ("a close", Sender::Server, &[0x88, 0x03, 0x03, 0xE8, b'a'], Ok(1)),
            ("a close of ours", Sender::Server, &[0x88, 0x02, 0x11, 0x31], Ok(1)),
            ("half a code", Sender::Server, &[0x88, 0x01, 0x03], Err(R::CloseMalformed)),
            ("a code that nobody sends", Sender::Server, &[0x88, 0x02, 0x03, 0xEE], Err(R::CloseMalformed)),
            ("code 5000", Sender::Server, &[0x88, 0x02, 0x13, 0x88], Err(R::CloseMalformed)),
            ("a reason that is no text", Sender::Server, &[0x88, 0x03, 0x03, 0xE8, 0xFF], Err(R::CloseMalformed)),
        ];
        for (name, sender, bytes, expected) in rows {
            assert_eq!(read(*sender, bytes).map(|frames| frames.len()), *expected, "{name}");
        }
    }

    #[test]
    fn a_reason_is_cut_where_a_character_ends() {
        let frame = Frame::close(4401, &"ä".repeat(100));
        assert_eq!((frame.close_code(), frame.payload.len()), (Some(4401), 124));
        assert_eq!(closes(&frame.payload), Ok(()));
    }

    fn frames() -> impl Strategy<Value = Vec<Frame>> {
        let payload = prop_oneof![0..4_usize, 124..128_usize, 65_534..65_538_usize].prop_map(|n| Bytes::from(vec![b'x'; n]));
        let message = (prop_oneof![Just(Opcode::Text), Just(Opcode::Binary)], payload, 0..3_usize).prop_map(|(opcode, payload, pings)| {
            let mut frames = vec![Frame { opcode, part: Part::NotLast, payload }];
            frames.extend((0..pings).map(|_| Frame::whole(Opcode::Ping, Bytes::from_static(b"p"))));
            frames.push(Frame::whole(Opcode::Continuation, Bytes::from_static(b"end")));
            frames
        });
        proptest::collection::vec(message, 0..3).prop_map(|messages| messages.concat())
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(frames in frames(), mask: Option<[u8; 4]>, cut in 1_usize..70_000) {
            let mut wire = BytesMut::new();
            frames.iter().for_each(|frame| frame.write(mask, &mut wire));
            let sender = if mask.is_some() { Sender::Client } else { Sender::Server };
            let mut reader = Reader::new(sender, MAX);
            let mut seen = Vec::new();
            for part in wire.chunks(cut) {
                reader.buffer().put_slice(part);
                while let Some(frame) = reader.frame().expect("a frame") {
                    seen.push(frame);
                }
            }
            prop_assert_eq!(seen, frames);
        }

        #[test]
        fn any_bytes_in_any_pieces_say_the_same(bytes in proptest::collection::vec(any::<u8>(), 0..300), cut in 1_usize..300) {
            for sender in [Sender::Client, Sender::Server] {
                let mut reader = Reader::new(sender, 200);
                let mut seen = Ok(Vec::new());
                'all: for part in bytes.chunks(cut) {
                    reader.buffer().put_slice(part);
                    loop {
                        match (reader.frame(), &mut seen) {
                            (Ok(Some(frame)), Ok(frames)) => frames.push(frame),
                            (Ok(_), _) => break,
                            (Err(refusal), _) => {
                                seen = Err(refusal);
                                break 'all;
                            }
                        }
                    }
                }
                let mut bytewise = Reader::new(sender, 200);
                let mut expected = Ok(Vec::new());
                'each: for byte in &bytes {
                    bytewise.buffer().put_u8(*byte);
                    loop {
                        match (bytewise.frame(), &mut expected) {
                            (Ok(Some(frame)), Ok(frames)) => frames.push(frame),
                            (Ok(_), _) => break,
                            (Err(refusal), _) => {
                                expected = Err(refusal);
                                break 'each;
                            }
                        }
                    }
                }
                prop_assert_eq!(seen, expected);
            }
        }
    }
}
