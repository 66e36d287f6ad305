//! Log of the process: lines go to a thread that writes them. Whoever says something never waits for whoever reads it, and a reader that
//! is gone, slow or full stops nothing: what it does not take is dropped and counted.

use std::{
    io::{self, Write},
    panic,
    sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError},
    thread,
    time::Duration,
};

use countersign_core::Limits;
use tracing_subscriber::fmt::MakeWriter;

/// Lines that were dropped, by cause.
const DROPPED: &str = "countersign_log_lines_dropped_total";

/// Where lines are handed in.
#[derive(Clone)]
pub struct ProcessLog(SyncSender<Note>);

/// Message to the thread that writes.
enum Note {
    /// Line of the log, with its break.
    Line(Vec<u8>),
    /// That somebody waits until everything before it is written.
    Upto(SyncSender<()>),
}

/// Waits, when it is dropped, until the last lines are written, for a short while.
#[must_use = "the last lines are written when this is dropped"]
pub struct LastLines(ProcessLog);

impl ProcessLog {
    /// Starts the thread that writes to `to`.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn start(to: impl Write + Send + 'static) -> io::Result<(Self, LastLines)> {
        let (lines, waiting) = mpsc::sync_channel(Limits::LOG_LINES_WAITING_MAX);
        thread::Builder::new().name("process-log".to_owned()).spawn(move || write_all(to, &waiting))?;
        let log = Self(lines);
        Ok((log.clone(), LastLines(log)))
    }

    fn hand_in(&self, line: Vec<u8>) {
        match self.0.try_send(Note::Line(line)) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => metrics::counter!(DROPPED, "cause" => "reader_slow").increment(1),
            Err(TrySendError::Disconnected(_)) => metrics::counter!(DROPPED, "cause" => "writer_gone").increment(1),
        }
    }
}

impl Drop for LastLines {
    fn drop(&mut self) {
        let (done, written) = mpsc::sync_channel(1);
        let mut note = Note::Upto(done);
        let mut left = Duration::from_secs(Limits::LAST_LOG_LINES_WAIT_MAX.0);
        // A reader that never reads keeps the queue full; it gets no more than this.
        while let Err(TrySendError::Full(back)) = self.0.0.try_send(note) {
            let step = Duration::from_millis(10);
            if left.is_zero() {
                return;
            }
            thread::sleep(step);
            (note, left) = (back, left.saturating_sub(step));
        }
        match written.recv_timeout(left) {
            Ok(()) | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
    }
}

fn write_all(mut to: impl Write, notes: &Receiver<Note>) {
    while let Ok(note) = notes.recv() {
        match note {
            Note::Line(line) => {
                if to.write_all(&line).and_then(|()| to.flush()).is_err() {
                    metrics::counter!(DROPPED, "cause" => "unwritable").increment(1);
                }
            }
            Note::Upto(done) => drop(done.try_send(())),
        }
    }
}

/// One line in the making.
pub struct LineWriter<'a> {
    log: &'a ProcessLog,
    line: Vec<u8>,
}

impl Write for LineWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = Limits::LOG_LINE_BYTES_MAX.saturating_sub(self.line.len());
        self.line.extend(bytes.iter().take(room));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LineWriter<'_> {
    fn drop(&mut self) {
        if self.line.is_empty() {
            return;
        }
        // A line that was cut is still a line.
        if self.line.last() != Some(&b'\n') {
            self.line.push(b'\n');
        }
        self.log.hand_in(std::mem::take(&mut self.line));
    }
}

impl<'a> MakeWriter<'a> for ProcessLog {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> LineWriter<'a> {
        LineWriter { log: self, line: Vec::with_capacity(256) }
    }
}

/// Lets panics be said by the log as well: the standard library's own hook would wait for a reader that does not read.
pub fn say_panics() {
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let text = panic.payload_as_str().unwrap_or("no text");
        tracing::error!(place, text, "a panic; what was being done is refused");
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    /// A reader that is gone, that is there, or that never reads.
    #[derive(Clone)]
    enum Reader {
        Gone,
        Stuck,
        There(Arc<Mutex<Vec<u8>>>),
    }

    impl Write for Reader {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match self {
                Self::Gone => Err(io::ErrorKind::BrokenPipe.into()),
                Self::Stuck => loop {
                    thread::park();
                },
                Self::There(read) => {
                    read.lock().expect("unbroken").extend_from_slice(bytes);
                    Ok(bytes.len())
                }
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn whoever_says_something_never_waits_and_never_fails() {
        for reader in [Reader::Gone, Reader::Stuck] {
            let (log, last) = ProcessLog::start(reader).expect("a thread");
            for _ in 0..3 * Limits::LOG_LINES_WAITING_MAX {
                writeln!(log.make_writer(), "a line").expect("taken");
            }
            drop(last);
        }
    }

    #[test]
    fn lines_are_whole_in_order_and_bounded() {
        let read = Arc::new(Mutex::new(Vec::new()));
        let (log, last) = ProcessLog::start(Reader::There(Arc::clone(&read))).expect("a thread");
        for number in 0..9 {
            let mut line = log.make_writer();
            write!(line, "line ").and_then(|()| writeln!(line, "{number}")).expect("taken");
        }
        writeln!(log.make_writer(), "{}", "x".repeat(300_030)).expect("taken");
        drop(last);
        let read = String::from_utf8(read.lock().expect("unbroken").clone()).expect("text");
        let lines: Vec<_> = read.lines().collect();
        assert_eq!((lines[0], lines[8], lines.len()), ("line 0", "line 8", 10));
        assert_eq!(lines[9].len(), Limits::LOG_LINE_BYTES_MAX);
    }
}
