//! Mails about incidents, as plain text that a person can read. Pure: an incident goes in, text comes out.
//!
//! A mail holds no more than the message of a webhook: pseudonyms, but no addresses and no names.

use std::fmt::Write as _;

use countersign_core::{Limits, SessionState, UnixSeconds};
use countersign_store::{Incident, IncidentState};

/// Occasion of a mail about an incident. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The incident is over.
    Ended,
    /// The incident is new.
    Opened,
    /// The incident was over before a mail about its opening was sent.
    Passed,
}

impl Phase {
    /// Stable word of the occasion in a message's `Message-ID` and in a digest.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Opened => "opened",
            Self::Passed => "passed",
        }
    }
}

/// Sender of the mails, with the format of times.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Writer<'a> {
    /// Host name of this installation, which follows the `@` of a `Message-ID`.
    pub host: &'a str,
    /// Function that writes an instant for people.
    pub instant: fn(UnixSeconds) -> String,
}

/// One mail without an address. No field but `text` contains a line break.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MailMessage {
    /// Header `Subject`; that of an answer begins with `Re: `, so that mail programs show one thread.
    pub subject: String,
    /// Header `Message-ID`, the same for every attempt, so that a mail that arrives twice is recognised.
    pub id: String,
    /// Headers `In-Reply-To` and `References`: the mail that began the thread.
    pub answers: Option<String>,
    /// Text of the mail; lines end with `\n`.
    pub text: String,
}

impl Writer<'_> {
    /// The mail about one incident.
    #[must_use]
    pub(crate) fn message(&self, incident: &Incident, phase: Phase) -> MailMessage {
        let name = |phase: Phase| format!("<{}.{}@{}>", plain(incident.id.as_str()), phase.as_str(), plain(self.host));
        let subject = format!("Countersign: {} about {} ({})", incident.kind.as_str(), whom(incident), plain(incident.id.as_str()));
        match phase {
            Phase::Ended => MailMessage {
                subject: format!("Re: {subject}"),
                id: name(Phase::Ended),
                answers: Some(name(Phase::Opened)),
                text: self.text(incident, phase),
            },
            // An incident that is over already begins its thread, as a new one does.
            Phase::Opened | Phase::Passed => {
                MailMessage { subject, id: name(Phase::Opened), answers: None, text: self.text(incident, phase) }
            }
        }
    }

    /// One mail about many incidents that changed within a short time.
    #[must_use]
    pub fn digest(&self, incidents: &[(Incident, Phase)]) -> MailMessage {
        let mut text = format!("{} incidents changed at {} within a short time.\n\n", incidents.len(), plain(self.host));
        for (incident, phase) in incidents.iter().take(Limits::MAIL_DIGEST_LINES_MAX) {
            let (id, kind, at) = (plain(incident.id.as_str()), incident.kind.as_str(), (self.instant)(incident.first_at.seconds()));
            let _ = writeln!(text, "{at}  {id}  {}  {kind} about {}, {}", phase.as_str(), whom(incident), done(incident));
        }
        if let Some(more @ 1..) = incidents.len().checked_sub(Limits::MAIL_DIGEST_LINES_MAX) {
            let _ = writeln!(text, "... and {more} more");
        }
        text += "\nTo see one:      countersign incident show ID\n\
                 To undo one:     countersign incident undo ID\n\
                 To see them all: countersign incident list\n";
        let first = incidents.first().map(|(incident, phase)| format!("{}.{}", plain(incident.id.as_str()), phase.as_str()));
        MailMessage {
            subject: format!("Countersign: {} incidents", incidents.len()),
            id: format!("<digest.{}.{}@{}>", first.unwrap_or_default(), incidents.len(), plain(self.host)),
            answers: None,
            text,
        }
    }

    /// A test mail, which only shows that mails arrive.
    #[must_use]
    pub(crate) fn trial(&self, now: UnixSeconds) -> MailMessage {
        MailMessage {
            subject: "Countersign: a test".to_owned(),
            id: format!("<test.{}@{}>", now.0, plain(self.host)),
            answers: None,
            text: format!(
                "An operator of {} requested this mail at {} to test whether mails about incidents arrive.\n",
                plain(self.host),
                (self.instant)(now)
            ),
        }
    }

    fn text(&self, incident: &Incident, phase: Phase) -> String {
        let (id, kind, at) = (plain(incident.id.as_str()), incident.kind.as_str(), self.instant);
        let mut text = match phase {
            Phase::Opened => format!("Countersign at {} noticed `{kind}`.\n\n", plain(self.host)),
            Phase::Ended => format!("The incident `{kind}` at {} is over.\n\n", plain(self.host)),
            Phase::Passed => format!("Countersign at {} noticed `{kind}`, and it is over already.\n\n", plain(self.host)),
        };
        let _ = writeln!(text, "Incident:  {id}");
        let _ = writeln!(text, "About:     {}", whom(incident));
        let _ = writeln!(text, "State:     {}", state(incident.state));
        let _ = writeln!(
            text,
            "Noticed:   {}, from {} to {}",
            times(incident.count),
            at(incident.first_at.seconds()),
            at(incident.last_at.seconds())
        );
        if incident.score > 0 {
            let _ = writeln!(text, "Score:     {} of 100", incident.score);
        }
        let _ = writeln!(text, "Done:      {}", done(incident));
        text += "\nWhat happened, and why\n";
        for moment in &incident.timeline {
            let _ = writeln!(text, "  {}  {}", at(moment.at.seconds()), plain(&moment.what));
        }
        if incident.score > 0 {
            text += "  (The number after a reason is its part of the score, as a natural logarithm: 2.3 means that an attack is ten times as likely.)\n";
        }
        text += "\nWhat you can do\n";
        let _ = writeln!(text, "  show all details:             countersign incident show {id}");
        match incident.state {
            IncidentState::Open => {
                let _ = writeln!(text, "  undo it if it was harmless:   countersign incident undo {id}");
                let _ = writeln!(text, "  suppress this kind:           countersign incident suppress {kind} --hours 24");
            }
            IncidentState::Closed | IncidentState::Fine => {}
        }
        text
    }
}

/// Subject of the incident by its pseudonym, as in the log.
fn whom(incident: &Incident) -> String {
    let user = incident.user.as_ref().map(countersign_core::UserId::as_str);
    let device = incident.device.as_ref().map(countersign_core::DeviceId::as_str);
    let session = incident.session.as_ref().map(countersign_core::SessionId::as_str);
    user.or(device).or(session).map_or_else(|| "everybody".to_owned(), plain)
}

/// Description of what was done.
fn done(incident: &Incident) -> String {
    let Some(worst) = incident.deeds.iter().map(|deed| deed.to).max() else { return "nothing was changed".to_owned() };
    let what = match worst {
        SessionState::Active => "left active",
        SessionState::Limited => "limited to reading until the person confirms",
        SessionState::Challenged => "blocked until the person signs in again",
        SessionState::Revoked => "ended",
    };
    match incident.deeds.len() {
        1 => format!("a session was {what}"),
        many => format!("{many} sessions were changed, at worst {what}"),
    }
}

const fn state(state: IncidentState) -> &'static str {
    match state {
        IncidentState::Closed => "closed, expired",
        IncidentState::Fine => "fine, the reactions were undone where possible",
        IncidentState::Open => "open",
    }
}

fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

/// One line of pure text: without line breaks and without characters that control a terminal or change the direction of writing.
// SECURITY: everything that reaches a header goes through here, whoever made it. A line break would let a value add headers.
fn plain(text: &str) -> String {
    let steers = |c: char| {
        c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().take(Limits::MAIL_LINE_CHARACTERS_MAX).map(|c| if steers(c) { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use countersign_core::{DecisionId, IncidentId, SessionId, SignalKind, UnixMillis, UserId};
    use countersign_store::{ActionTaken, Moment};
    use proptest::prelude::{any, proptest};

    use super::*;

    const WRITER: Writer<'static> = Writer { host: "api.example.com", instant: |at| format!("T{}", at.0) };

    fn incident() -> Incident {
        let session = SessionId::from_random([9; 16]);
        Incident {
            id: IncidentId::from_random([1; 16]),
            kind: SignalKind::Scraping,
            state: IncidentState::Open,
            user: Some(UserId::from_random([2; 16])),
            device: None,
            session: Some(session.clone()),
            first_at: UnixMillis(100_000),
            last_at: UnixMillis(160_000),
            count: 3,
            score: 87,
            deeds: vec![ActionTaken {
                session,
                from: SessionState::Active,
                to: SessionState::Challenged,
                decision: DecisionId::from_random([3; 8]),
            }],
            timeline: vec![Moment { at: UnixMillis(100_000), what: "noticed scraping, score 87: objects 3.1, rate 1.2".to_owned() }],
        }
    }

    #[test]
    fn a_mail_says_what_who_why_and_the_way_back() {
        let incident = incident();
        let (id, user) = (incident.id.as_str(), incident.user.as_ref().expect("somebody").as_str());
        let message = WRITER.message(&incident, Phase::Opened);
        assert_eq!(message.subject, format!("Countersign: scraping about {user} ({id})"));
        assert_eq!((message.id.clone(), message.answers), (format!("<{id}.opened@api.example.com>"), None));
        let lines = [
            "Countersign at api.example.com noticed `scraping`.".to_owned(),
            format!("About:     {user}"),
            "Noticed:   3 times, from T100 to T160".to_owned(),
            "Done:      a session was blocked until the person signs in again".to_owned(),
            "  T100  noticed scraping, score 87: objects 3.1, rate 1.2".to_owned(),
            format!("  undo it if it was harmless:   countersign incident undo {id}"),
        ];
        for line in lines {
            assert!(message.text.lines().any(|have| have == line), "{line}\n{}", message.text);
        }
        let ended = WRITER.message(&Incident { state: IncidentState::Fine, ..incident }, Phase::Ended);
        assert_eq!((ended.subject, ended.answers), (format!("Re: {}", message.subject), Some(message.id.clone())));
        assert_ne!(ended.id, message.id);
        assert!(!ended.text.contains("incident undo"), "there is nothing left to undo");
    }

    #[test]
    fn a_digest_is_one_mail_and_bounded() {
        let many: Vec<_> = (0..150).map(|_| (incident(), Phase::Opened)).collect();
        let message = WRITER.digest(&many);
        assert_eq!(message.subject, "Countersign: 150 incidents");
        assert_eq!(message.text.lines().filter(|line| line.contains("scraping about")).count(), Limits::MAIL_DIGEST_LINES_MAX);
        assert!(message.text.contains("... and 50 more"));
        assert!(!WRITER.digest(many.get(..100).expect("some")).text.contains("more"));
    }

    proptest! {
        /// Whatever a line of the timeline or the host contains, it stays one line of the text and reaches no header.
        #[test]
        fn nothing_breaks_out_of_its_line(what in any::<String>(), host in any::<String>()) {
            let mut incident = incident();
            incident.timeline = vec![Moment { at: UnixMillis(0), what: format!("{what}\r\nBcc: thief@example.com\u{2028}\u{202e}x") }];
            let writer = Writer { host: &host, ..WRITER };
            let calm = writer.message(&Incident { timeline: vec![Moment { at: UnixMillis(0), what: "x".to_owned() }], ..incident.clone() }, Phase::Ended);
            let message = writer.message(&incident, Phase::Ended);
            assert_eq!(message.text.split(['\n', '\r', '\u{2028}']).count(), calm.text.split('\n').count());
            for header in [Some(message.subject), Some(message.id), message.answers].into_iter().flatten() {
                assert!(!header.contains(|c: char| c.is_control()), "{header:?}");
            }
        }
    }
}
