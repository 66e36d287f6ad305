//! The interface between the servers and the observer of live traffic: what it is told, and the scores that it returns at once.

use core::net::IpAddr;

use crate::{
    coarse::CoarsePlace,
    id::{Action, ClientId, DeviceId, SessionId, UserId},
    reason::Reason,
    risk::RiskView,
    time::UnixMillis,
};

/// One request of a session, reported before it is decided.
#[derive(Clone, Copy, Debug)]
pub struct RequestSeen<'a> {
    /// Person of the session.
    pub user: &'a UserId,
    /// Session that the request belongs to.
    pub session: &'a SessionId,
    /// Device of the session.
    pub device: &'a DeviceId,
    /// App of the session.
    pub client: &'a ClientId,
    /// Operation of the contract that is called.
    pub action: &'a Action,
    /// Keyed hash of the object that the request is about. An account number never leaves the gateway in clear.
    pub object: Option<u64>,
    /// HTTP method of the request.
    pub method: &'a str,
    /// Address of the client, as the gateway believes it.
    pub address: IpAddr,
    /// Reason why an earlier step refused the request, if one did.
    pub refused: Option<&'a Reason>,
    /// Time of the request.
    pub at: UnixMillis,
}

/// Outcome of a request, reported after the answer was sent.
#[derive(Clone, Copy, Debug)]
pub struct AnswerSeen<'a> {
    /// Person of the session.
    pub user: &'a UserId,
    /// Session that the request belongs to.
    pub session: &'a SessionId,
    /// Number of body bytes that were sent.
    pub bytes_out: u64,
    /// Reason why the decision or the upstream refused the request, if one did.
    pub refused: Option<&'a Reason>,
    /// Time of the answer.
    pub at: UnixMillis,
}

/// Device of a login, and how far its name can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginDevice<'a> {
    /// Key in attested hardware, which signed this login.
    Attested(&'a str),
    /// Name that the client sent; a name can be copied.
    Claimed(&'a str),
    /// The client gave no name.
    Unnamed,
}

/// Factor of a login, by what failures say about it. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LoginFactor {
    /// A code or a password: many failures mean that somebody guesses, and the next try may be right by chance.
    Guessable,
    /// A passkey, which nobody guesses: the failures of others say nothing about a login that verifies.
    Passkey,
}

/// Outcome of a login. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LoginOutcome {
    /// The login has no outcome yet: the caller only asks for its score.
    Asked,
    /// The secret was wrong or the account does not exist.
    Failed,
    /// The login succeeded without a step-up.
    Passed,
    /// The person refused a prompt or let it expire.
    PromptRefused,
    /// The required step-up was failed or given up.
    StepUpFailed,
    /// The required step-up was passed, and the person let in.
    StepUpPassed,
    /// The credential was not one of the account's, so that the failure says something about whoever tried and nothing about the account.
    Strayed,
}

/// One login, as it is reported to the observer.
#[derive(Clone, Copy, Debug)]
pub struct LoginSeen<'a> {
    /// Account name that was given, existing or not. The observer keeps only a keyed hash of it.
    pub account: &'a str,
    /// Person whose account it is, when there is one.
    pub user: Option<&'a UserId>,
    /// Session that was opened, when one was.
    pub session: Option<&'a SessionId>,
    /// Device of the login.
    pub device: LoginDevice<'a>,
    /// Enrolled installation of the app, when there is one.
    pub installation: Option<&'a DeviceId>,
    /// Operating system with its version; empty when unknown.
    pub os: &'a str,
    /// App with its version; empty when unknown.
    pub app: &'a str,
    /// Form of the device, such as phone or tablet; empty when unknown.
    pub form: &'a str,
    /// Address of the client, as the server believes it.
    pub address: IpAddr,
    /// Round-trip time to the phone in milliseconds, when it was measured.
    pub round_trip_ms: Option<u16>,
    /// Factor that was shown, or is asked for.
    pub factor: LoginFactor,
    /// Outcome of the login.
    pub outcome: LoginOutcome,
    /// Time of the login.
    pub at: UnixMillis,
}

/// Observer of live traffic. It is synchronous and fast (5 microseconds at the median), because every request waits for it.
pub trait Observer: Send + Sync {
    /// Records a request and returns its risk score.
    fn request(&self, seen: &RequestSeen<'_>) -> RiskView;

    /// Records the outcome of a request.
    fn answered(&self, seen: &AnswerSeen<'_>);

    /// Records a login and returns its risk score.
    fn login(&self, seen: &LoginSeen<'_>) -> RiskView;

    /// Records that the person of `session` passed a step-up: what looked odd was theirs.
    fn stepped_up(&self, user: &UserId, session: &SessionId, at: UnixMillis);

    /// Records the place that a device reports. It is kept for an hour, in memory only. It can lower trust and never raise it (law 2 of the
    /// design).
    fn located(&self, device: &DeviceId, place: CoarsePlace, at: UnixMillis);
}

/// An observer that observes nothing: every score is 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoObserver;

impl Observer for NoObserver {
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
