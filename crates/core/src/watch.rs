//! What the servers tell whoever watches live traffic, and what they hear back at once.

use core::net::IpAddr;

use crate::{
    coarse::CoarsePlace,
    id::{Action, ClientId, DeviceId, SessionId, UserId},
    reason::Reason,
    risk::RiskView,
    time::UnixMillis,
};

/// One request of a session, told before it is decided.
#[derive(Clone, Copy, Debug)]
pub struct RequestSeen<'a> {
    /// Whose.
    pub user: &'a UserId,
    /// In which session.
    pub session: &'a SessionId,
    /// From which device.
    pub device: &'a DeviceId,
    /// Through which app.
    pub client: &'a ClientId,
    /// Which operation of the contract.
    pub action: &'a Action,
    /// The object that it is about, as a keyed hash: an account number never leaves the gateway in clear.
    pub object: Option<u64>,
    /// The HTTP method.
    pub method: &'a str,
    /// The client's address, as the gateway believes it.
    pub address: IpAddr,
    /// Why an earlier step refused it, if one did.
    pub refused: Option<&'a Reason>,
    /// When.
    pub at: UnixMillis,
}

/// What became of a request, told after the answer was sent.
#[derive(Clone, Copy, Debug)]
pub struct AnswerSeen<'a> {
    /// Whose.
    pub user: &'a UserId,
    /// In which session.
    pub session: &'a SessionId,
    /// Bytes of body that left.
    pub bytes_out: u64,
    /// Why the decision or the upstream refused it, if one did.
    pub refused: Option<&'a Reason>,
    /// When.
    pub at: UnixMillis,
}

/// A device as the login knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginDevice<'a> {
    /// Its key is in attested hardware and signed this login.
    Attested(&'a str),
    /// It names itself; a name can be copied.
    Claimed(&'a str),
    /// It says nothing.
    Unnamed,
}

/// What became of a login. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LoginOutcome {
    /// Nothing yet: it is only asked how the login looks.
    Asked,
    /// The secret or the account was wrong.
    Failed,
    /// It was right, and the person was let in without more.
    Passed,
    /// The person refused a prompt or let it lapse.
    PromptRefused,
    /// The step-up that was asked for was failed or given up.
    StepUpFailed,
    /// The step-up that was asked for was passed, and the person let in.
    StepUpPassed,
}

/// One login.
#[derive(Clone, Copy, Debug)]
pub struct LoginSeen<'a> {
    /// The account that was named, existing or not. Kept as a keyed hash only.
    pub account: &'a str,
    /// Whose account it is, when there is such a person.
    pub user: Option<&'a UserId>,
    /// The session that was opened, when one was.
    pub session: Option<&'a SessionId>,
    /// On what.
    pub device: LoginDevice<'a>,
    /// The installation that it is, when it is enrolled.
    pub installation: Option<&'a DeviceId>,
    /// The operating system with its version; empty when unknown.
    pub os: &'a str,
    /// The app with its version; empty when unknown.
    pub app: &'a str,
    /// Phone, tablet, ...; empty when unknown.
    pub form: &'a str,
    /// The client's address, as the server believes it.
    pub address: IpAddr,
    /// Milliseconds to the phone and back, when measured.
    pub round_trip_ms: Option<u16>,
    /// What became of it.
    pub outcome: LoginOutcome,
    /// When.
    pub at: UnixMillis,
}

/// Watches live traffic. Synchronous and quick (5 microseconds at the median): it stands on the way of every request.
pub trait Watch: Send + Sync {
    /// Takes note of a request and says how it looks.
    fn request(&self, seen: &RequestSeen<'_>) -> RiskView;

    /// Takes note of what became of a request.
    fn answered(&self, seen: &AnswerSeen<'_>);

    /// Takes note of a login and says how it looks.
    fn login(&self, seen: &LoginSeen<'_>) -> RiskView;

    /// Takes note that the person of `session` proved to be there: what looked odd was theirs.
    fn stepped_up(&self, user: &UserId, session: &SessionId, at: UnixMillis);

    /// Takes note of where a device says that it is. Remembered for an hour, in memory only; it may cost trust and never earns it (law 2).
    fn located(&self, device: &DeviceId, place: CoarsePlace, at: UnixMillis);
}

/// Watches nothing: every score is 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoWatch;

impl Watch for NoWatch {
    fn request(&self, _seen: &RequestSeen<'_>) -> RiskView {
        RiskView::default()
    }

    fn answered(&self, _seen: &AnswerSeen<'_>) {}

    fn login(&self, _seen: &LoginSeen<'_>) -> RiskView {
        RiskView::default()
    }

    fn stepped_up(&self, _user: &UserId, _session: &SessionId, _at: UnixMillis) {}

    fn located(&self, _device: &DeviceId, _place: CoarsePlace, _at: UnixMillis) {}
}
