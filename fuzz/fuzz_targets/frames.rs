//! What comes over an open connection: WebSocket frames of either side, messages of gRPC, and Server-Sent Events. How bytes are cut decides nothing.
#![no_main]
use bytes::BytesMut;
use countersign_gateway::{Events, Frame, FrameReader, FrameRefusal, FrameSender, Messages};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for sender in [FrameSender::Client, FrameSender::Server] {
        let (frames, end) = frames(sender, bytes, 3);
        assert_eq!((&frames, &end), (&self::frames(sender, bytes, bytes.len().max(1)).0, &self::frames(sender, bytes, 1).1));
        // What was read is written again, and says the same.
        let mut wire = BytesMut::new();
        let mask = if sender == FrameSender::Client { Some([1, 2, 3, 4]) } else { None };
        frames.iter().for_each(|frame| frame.write(mask, &mut wire));
        assert_eq!(self::frames(sender, &wire, 7).0, frames);
    }
    let (whole, pieces) = (events(bytes, bytes.len().max(1)), events(bytes, 1));
    if let (Some(whole), Some(pieces)) = (whole, pieces) {
        assert_eq!(whole, pieces);
        assert!(bytes.starts_with(&whole));
    }
    let (whole, pieces) = (messages(bytes, bytes.len().max(1)), messages(bytes, 1));
    if let (Some(whole), Some(pieces)) = (whole, pieces) {
        assert_eq!(whole, pieces);
        assert!(bytes.starts_with(&whole.0));
    }
});

fn messages(bytes: &[u8], size: usize) -> Option<(Vec<u8>, usize)> {
    let mut messages = Messages::new(4096);
    let (mut out, mut count) = (Vec::new(), 0);
    for part in bytes.chunks(size) {
        let whole = messages.take(part).ok()?;
        out.extend_from_slice(&whole.bytes);
        count += whole.count;
    }
    Some((out, count))
}

fn frames(sender: FrameSender, bytes: &[u8], size: usize) -> (Vec<Frame>, Option<FrameRefusal>) {
    let mut reader = FrameReader::new(sender, 4096);
    let mut seen = Vec::new();
    for part in bytes.chunks(size) {
        reader.buffer().extend_from_slice(part);
        loop {
            match reader.frame() {
                Ok(Some(frame)) => seen.push(frame),
                Ok(None) => break,
                Err(refusal) => return (seen, Some(refusal)),
            }
        }
    }
    (seen, None)
}

fn events(bytes: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut events = Events::new(4096);
    let mut out = Vec::new();
    for part in bytes.chunks(size) {
        out.extend_from_slice(&events.take(part).ok()?);
    }
    Some(out)
}
