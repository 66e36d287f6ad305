//! The frames of one WebSocket, both ways, until one side ends it or the gateway does.
//!
//! Each direction holds one frame at most: what the other side does not take is not read. Whoever takes nothing, or says nothing
//! and answers no ping, is not waited for.

use std::{sync::Arc, time::Duration};

use bytes::{Buf, Bytes, BytesMut};
use countersign_core::{Entropy, Reason};
use countersign_policy::StreamRules;
use futures_util::future::{Either, select};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf},
    time::{Instant, Interval, MissedTickBehavior},
};

use crate::{
    config::HeldConfig,
    state::Gateway,
    streams::{
        frame::{Frame, FrameRefusal, Opcode, Reader, Sender},
        notice,
        open::Open,
        pace::Pace,
        recheck::{self, Cut},
    },
};

/// Bytes read at a time.
const READ_BYTES: usize = 8 * 1024;

/// Longest wait for a side to take its last frame, and to answer it.
const FAREWELL_MAX: Duration = Duration::from_secs(2);

/// How one direction ended.
#[derive(Debug)]
enum End {
    /// The gateway must end it.
    Broken(Reason),
    /// The client is gone without a word.
    ClientGone,
    /// A close frame was passed on.
    Closed,
}

/// One direction: reads one side, writes the other.
struct Direction<'a, R, W> {
    open: &'a Open,
    config: &'a HeldConfig,
    from: &'a mut R,
    reader: Reader,
    to: &'a mut Writer<W>,
    pace: Option<(u32, Pace)>,
    sender: Sender,
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Direction<'_, R, W> {
    async fn run(mut self) -> End {
        let mut ticks = ticks(self.config);
        let mut heard = Instant::now();
        loop {
            match self.pass().await {
                Ok(Passed::All) => {}
                Ok(Passed::Close) => return End::Closed,
                Err(end) => return end,
            }
            self.reader.buffer().reserve(READ_BYTES);
            tokio::select! {
                read = self.from.read_buf(self.reader.buffer()) => match read {
                    Ok(0) | Err(_) => return gone(self.sender),
                    Ok(_) => heard = Instant::now(),
                },
                _ = ticks.tick() => {
                    if heard.elapsed() >= self.config.idle_max {
                        return End::Broken(Reason::ConnectionIdle);
                    }
                    let ping = Frame::whole(Opcode::Ping, our_ping(self.open));
                    if let Err(end) = self.write(&ping).await {
                        return end;
                    }
                }
            }
        }
    }

    /// Passes on every frame that is whole.
    async fn pass(&mut self) -> Result<Passed, End> {
        loop {
            let Some(StreamRules::WebSocket { message_bytes_max, messages_per_second }) = self.open.rules() else {
                return Err(End::Broken(Reason::StreamUndeclared));
            };
            self.reader.limit(message_bytes_max);
            let frame = self.reader.frame().map_err(|refusal| End::Broken(self.fault(refusal)))?;
            let Some(frame) = frame else { return Ok(Passed::All) };
            if self.sender == Sender::Client {
                self.count(&frame, messages_per_second).map_err(End::Broken)?;
            }
            // The answer to a ping of ours is for us.
            if frame.opcode == Opcode::Pong && frame.payload == our_ping(self.open) {
                continue;
            }
            let closes = frame.opcode == Opcode::Close;
            let frame = if self.sender == Sender::Server { notice::of_upstream(frame) } else { frame };
            self.write(&frame).await?;
            if closes {
                return Ok(Passed::Close);
            }
        }
    }

    /// Writes to the other side.
    async fn write(&mut self, frame: &Frame) -> Result<(), End> {
        self.to.send(frame, self.config.write_max).await.map_err(|fault| match (fault, self.sender) {
            (WriteFault::Slow, _) => End::Broken(Reason::ReaderTooSlow),
            (WriteFault::Gone, Sender::Client) => gone(Sender::Server),
            (WriteFault::Gone, Sender::Server) => gone(Sender::Client),
        })
    }

    /// Messages are counted where they begin; and so is what costs as much as one and says nothing.
    fn count(&mut self, frame: &Frame, per_second: Option<u32>) -> Result<(), Reason> {
        let Some(per_second) = per_second else { return Ok(()) };
        let counts = match frame.opcode {
            Opcode::Binary | Opcode::Text | Opcode::Ping => true,
            Opcode::Pong => frame.payload != our_ping(self.open),
            Opcode::Continuation => frame.payload.is_empty(),
            Opcode::Close => false,
        };
        let now = Instant::now();
        if self.pace.as_ref().is_none_or(|(declared, _)| *declared != per_second) {
            self.pace = Some((per_second, Pace::new(per_second, now)));
        }
        match &mut self.pace {
            Some((_, pace)) if counts => pace.take(now).map_err(|_| Reason::MessagesTooMany),
            Some(_) | None => Ok(()),
        }
    }

    fn fault(&self, refusal: FrameRefusal) -> Reason {
        tracing::debug!(opened = %self.open.opened, sender = ?self.sender, ?refusal, "a frame was refused");
        match (self.sender, refusal) {
            (Sender::Client, FrameRefusal::MessageTooLarge) => Reason::MessageTooLarge,
            (Sender::Client, _) => Reason::MessageInvalid,
            (Sender::Server, _) => Reason::UpstreamUnavailable,
        }
    }
}

enum Passed {
    All,
    Close,
}

/// A client may go; an upstream that goes without a word has failed.
const fn gone(side: Sender) -> End {
    match side {
        Sender::Client => End::ClientGone,
        Sender::Server => End::Broken(Reason::UpstreamUnavailable),
    }
}

/// What our pings carry, so that their answers are told from those to others.
fn our_ping(open: &Open) -> Bytes {
    Bytes::copy_from_slice(open.opened.as_str().as_bytes())
}

fn ticks(config: &HeldConfig) -> Interval {
    let first = Instant::now().checked_add(config.ping_every).unwrap_or_else(Instant::now);
    let mut ticks = tokio::time::interval_at(first, config.ping_every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Why a side did not take a frame.
enum WriteFault {
    Gone,
    Slow,
}

/// Writes frames to one side. Dropping a `send` half-way leaves the rest here, so that the next frame never begins inside of one.
struct Writer<W> {
    io: W,
    rest: BytesMut,
    /// Masks what is written to servers (RFC 6455 section 5.3).
    masks: Option<Arc<dyn Entropy>>,
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    fn new(io: W, masks: Option<Arc<dyn Entropy>>) -> Self {
        Self { io, rest: BytesMut::new(), masks }
    }

    async fn send(&mut self, frame: &Frame, within: Duration) -> Result<(), WriteFault> {
        let mask = self.masks.as_ref().map(|entropy| {
            let mut mask = [0; 4];
            entropy.fill(&mut mask);
            mask
        });
        frame.write(mask, &mut self.rest);
        match tokio::time::timeout(within, self.drain()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(WriteFault::Gone),
            Err(_) => Err(WriteFault::Slow),
        }
    }

    async fn drain(&mut self) -> std::io::Result<()> {
        while !self.rest.is_empty() {
            let written = self.io.write(&self.rest).await?;
            if written == 0 {
                return Err(std::io::ErrorKind::WriteZero.into());
            }
            self.rest.advance(written);
        }
        self.io.flush().await
    }

    /// The last frame, and the end of what we say.
    async fn farewell(&mut self, frame: &Frame) {
        let _ = self.send(frame, FAREWELL_MAX).await;
        let _ = tokio::time::timeout(FAREWELL_MAX, self.io.shutdown()).await;
    }
}

/// Two sides of one connection.
struct Sides<S> {
    from_client: ReadHalf<S>,
    to_client: Writer<WriteHalf<S>>,
    from_upstream: ReadHalf<S>,
    to_upstream: Writer<WriteHalf<S>>,
}

/// Relays until the end, and says farewell.
pub(crate) async fn relay<S>(gateway: &Gateway, open: &Open, judged: impl Future<Output = Cut>, client: S, upstream: S)
where
    S: AsyncRead + AsyncWrite,
{
    let (from_client, to_client) = tokio::io::split(client);
    let (from_upstream, to_upstream) = tokio::io::split(upstream);
    let to_client = Writer::new(to_client, None);
    let to_upstream = Writer::new(to_upstream, Some(Arc::clone(&gateway.entropy)));
    let mut sides = Sides { from_client, to_client, from_upstream, to_upstream };
    let reason = {
        let passing = sides.pass(open, gateway.slots.config());
        tokio::pin!(passing, judged);
        match select(judged, passing).await {
            Either::Left((cut, _)) => Some(cut),
            Either::Right((reason, _)) => reason.map(|reason| Cut::because(gateway, open, reason.into())),
        }
    };
    let Some(mut cut) = reason else { return sides.part().await };
    // From here on nothing passes any more.
    cut.record(gateway, open).await;
    sides.cut(&cut).await;
}

impl<S: AsyncRead + AsyncWrite> Sides<S> {
    /// Passes frames both ways; the reason, where the gateway must end it.
    async fn pass(&mut self, open: &Open, config: &HeldConfig) -> Option<Reason> {
        let Some(StreamRules::WebSocket { message_bytes_max, .. }) = open.rules() else { return Some(Reason::StreamUndeclared) };
        let up = Direction {
            open,
            config,
            from: &mut self.from_client,
            reader: Reader::new(Sender::Client, message_bytes_max),
            to: &mut self.to_upstream,
            pace: None,
            sender: Sender::Client,
        };
        let down = Direction {
            open,
            config,
            from: &mut self.from_upstream,
            reader: Reader::new(Sender::Server, message_bytes_max),
            to: &mut self.to_client,
            pace: None,
            sender: Sender::Server,
        };
        let (up, down) = (up.run(), down.run());
        tokio::pin!(up, down);
        let (first, other) = match select(up, down).await {
            Either::Left((end, down)) => (end, Either::Left(down)),
            Either::Right((end, up)) => (end, Either::Right(up)),
        };
        match first {
            End::Broken(reason) => Some(reason),
            End::ClientGone => None,
            // The other side answers a close frame with one of its own (RFC 6455 section 5.5.1), if it is there.
            End::Closed => {
                let _ = tokio::time::timeout(FAREWELL_MAX, other).await;
                None
            }
        }
    }

    /// Both have said what they had to say, or one of them is gone.
    async fn part(mut self) {
        let (client, upstream) = (self.to_client.io.shutdown(), self.to_upstream.io.shutdown());
        let _ = tokio::time::timeout(FAREWELL_MAX, async { tokio::join!(client, upstream) }).await;
    }

    /// Tells both that it is over, and lets the client read it: a connection that is closed while bytes of the client are still
    /// unread is reset, and the last frame may be lost with it.
    async fn cut(mut self, cut: &Cut) {
        let frame = notice::frame(&cut.refusal, cut.context.id());
        let gone = Frame::close(1001, "");
        tokio::join!(self.to_client.farewell(&frame), self.to_upstream.farewell(&gone));
        let mut unread = [0; 1024];
        let drained = async { while matches!(self.from_client.read(&mut unread).await, Ok(1..)) {} };
        let _ = tokio::time::timeout(FAREWELL_MAX, drained).await;
    }
}

/// Relays under judgement.
pub(crate) async fn held<S>(gateway: &Gateway, open: &Open, listener: countersign_store::Listener, client: S, upstream: S)
where
    S: AsyncRead + AsyncWrite,
{
    relay(gateway, open, recheck::until_it_must_end(gateway, open, listener), client, upstream).await;
}
