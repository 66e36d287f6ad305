//! The admin API: JSON over HTTP on a Unix socket that only this user can open. Its permission is the file's.

use std::sync::Arc;

use async_trait::async_trait;
use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use countersign_core::{BootState, DeviceId, EvidenceTier, OperatorName, SecurityLevel, Session, Stage, UserId};
use countersign_feeds::Feeds;
use countersign_monitor::react::Reactor;
use countersign_notify::Mailer;
use countersign_store::{Device, DeviceState, Passkey, SessionFilter, User, UserState, segments::Record};
use serde::Deserialize;

use crate::admin::{
    dev_tokens, feeds,
    incidents::{self, IncidentRoutes},
    mail,
    operators::By,
    report::{self, FleetReport},
    service::{Act, ActRefusal, AdminService},
    wire::{
        Changed, CheckpointView, DevTokenAsk, DevTokenEnded, DevTokenMade, DevTokenView, DeviceView, Invite, Invited, RecordView, Refused,
        SessionView, Status, UserView,
    },
};

/// Records of one answer.
const RECORDS_MAX: usize = 1000;

/// Reads again what can change while a node runs.
#[async_trait]
pub trait Reload: Send + Sync {
    /// Does it, as `by` asked.
    ///
    /// # Errors
    /// Everything that is wrong; what was in use stays.
    async fn reload(&self, by: &OperatorName) -> Result<(), String>;
}

/// What the routes lean on.
pub struct AdminState {
    /// Where acts are done.
    pub admin_service: Arc<AdminService>,
    /// The node itself.
    pub status: Status,
    /// What can change in it.
    pub reload: Arc<dyn Reload>,
    /// What the monitor does.
    pub reactor: Arc<Reactor>,
    /// What a report on all devices leans on.
    pub fleet_report: FleetReport,
    /// What is fetched.
    pub feeds: Arc<Feeds>,
    /// Who writes mails.
    pub mailer: Option<Arc<Mailer>>,
}

type Answer<T> = Result<Json<T>, ActRefusal>;

/// All routes.
pub fn router(admin: AdminState) -> Router {
    let surveys = report::router(admin.fleet_report.clone());
    let fetched = feeds::router(Arc::clone(&admin.feeds));
    let mails = mail::router(admin.mailer.clone());
    let routes = IncidentRoutes { admin_service: Arc::clone(&admin.admin_service), reactor: Arc::clone(&admin.reactor) };
    Router::new()
        .route("/v1/status", get(async |State(admin): State<Arc<AdminState>>| Json(admin.status.clone())))
        .route("/v1/reload", post(reload))
        .route("/v1/users", get(users))
        .route("/v1/users/{who}", get(user))
        .route("/v1/users/{who}/close", post(close_user))
        .route("/v1/invitations", post(invite))
        .route("/v1/dev-tokens", get(list_dev_tokens).post(make_dev_token))
        .route("/v1/dev-tokens/{id}/revoke", post(revoke_dev_token))
        .route("/v1/devices", get(devices))
        .route("/v1/devices/{id}", get(device))
        .route("/v1/devices/{id}/revoke", post(revoke_device))
        .route("/v1/sessions", get(sessions))
        .route("/v1/sessions/{id}", get(session))
        .route("/v1/sessions/{id}/revoke", post(revoke_session))
        .route("/v1/decisions", get(decisions))
        .route("/v1/decisions/{id}", get(decision))
        .route("/v1/audit/checkpoint", get(checkpoint))
        .with_state(Arc::new(admin))
        .merge(incidents::router(routes))
        .merge(mails)
        .merge(surveys)
        .merge(fetched)
}

impl IntoResponse for ActRefusal {
    fn into_response(self) -> Response {
        let (status, error) = match self {
            Self::Invalid(error) => (StatusCode::BAD_REQUEST, error),
            Self::NotFound(error) => (StatusCode::NOT_FOUND, error),
            Self::Unavailable(fault) => (StatusCode::SERVICE_UNAVAILABLE, format!("{fault}; nothing was changed; see the log of the node")),
        };
        (status, Json(Refused { error })).into_response()
    }
}

async fn reload(State(admin): State<Arc<AdminState>>, By(by): By) -> Answer<Status> {
    admin.reload.reload(&by).await.map_err(ActRefusal::Invalid)?;
    Ok(Json(admin.status.clone()))
}

async fn users(State(admin): State<Arc<AdminState>>) -> Answer<Vec<UserView>> {
    Ok(Json(admin.admin_service.users().await?.iter().map(|user| user_view(user, None)).collect()))
}

async fn user(State(admin): State<Arc<AdminState>>, Path(who): Path<String>) -> Answer<UserView> {
    let (user, passkeys) = admin.admin_service.user(&who).await?;
    Ok(Json(user_view(&user, Some(&passkeys))))
}

async fn close_user(State(admin): State<Arc<AdminState>>, By(by): By, Path(who): Path<String>) -> Answer<Changed> {
    Ok(Json(changed(admin.admin_service.close_user(&who, &by).await?)))
}

async fn invite(State(admin): State<Arc<AdminState>>, By(by): By, Json(ask): Json<Invite>) -> Answer<Invited> {
    let (code, invitation) = admin.admin_service.invite(&ask.name, &ask.roles, ask.hours, &by).await?;
    Ok(Json(Invited { code: code.expose().clone(), expires_at: invitation.expires_at.0 }))
}

async fn list_dev_tokens(State(admin): State<Arc<AdminState>>) -> Answer<Vec<DevTokenView>> {
    let now = admin.admin_service.clock.now().seconds();
    Ok(Json(admin.admin_service.dev_tokens().await?.iter().map(|kept| dev_tokens::view(kept, now)).collect()))
}

async fn make_dev_token(State(admin): State<Arc<AdminState>>, By(by): By, Json(ask): Json<DevTokenAsk>) -> Answer<DevTokenMade> {
    let made = admin.admin_service.make_dev_token(&ask, &by).await?;
    Ok(Json(DevTokenMade {
        token: made.text.secret().expose().clone(),
        id: made.token.id.to_string(),
        expires_at: made.token.expires_at.0,
        development: made.refused_at.map_or("take", Stage::as_str).to_owned(),
    }))
}

async fn revoke_dev_token(State(admin): State<Arc<AdminState>>, By(by): By, Path(id): Path<String>) -> Answer<DevTokenEnded> {
    let ended = admin.admin_service.revoke_dev_token(&id, &by).await?;
    Ok(Json(DevTokenEnded {
        decision: ended.act.decision.to_string(),
        devices_revoked: ended.devices,
        sessions_ended: ended.act.sessions_ended,
    }))
}

async fn devices(State(admin): State<Arc<AdminState>>) -> Answer<Vec<DeviceView>> {
    Ok(Json(admin.admin_service.devices().await?.iter().map(device_view).collect()))
}

async fn device(State(admin): State<Arc<AdminState>>, Path(id): Path<String>) -> Answer<DeviceView> {
    Ok(Json(device_view(&admin.admin_service.device(&id).await?)))
}

async fn revoke_device(State(admin): State<Arc<AdminState>>, By(by): By, Path(id): Path<String>) -> Answer<Changed> {
    Ok(Json(changed(admin.admin_service.revoke_device(&id, &by).await?)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SessionQuery {
    user: Option<String>,
    device: Option<String>,
}

async fn sessions(State(admin): State<Arc<AdminState>>, Query(query): Query<SessionQuery>) -> Answer<Vec<SessionView>> {
    let invalid = |text: &str, why: countersign_core::IdError| ActRefusal::Invalid(format!("`{text}` is not an id: {why}"));
    let user = query.user.map(|text| UserId::parse(&text).map_err(|why| invalid(&text, why))).transpose()?;
    let device = query.device.map(|text| DeviceId::parse(&text).map_err(|why| invalid(&text, why))).transpose()?;
    Ok(Json(admin.admin_service.sessions(&SessionFilter { user, device, live_at: None }).await?.iter().map(session_view).collect()))
}

async fn session(State(admin): State<Arc<AdminState>>, Path(id): Path<String>) -> Answer<SessionView> {
    Ok(Json(session_view(&admin.admin_service.session(&id).await?)))
}

async fn revoke_session(State(admin): State<Arc<AdminState>>, By(by): By, Path(id): Path<String>) -> Answer<Changed> {
    Ok(Json(changed(admin.admin_service.revoke_session(&id, &by).await?)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordsQuery {
    #[serde(default)]
    from: u64,
    count: Option<usize>,
}

async fn decisions(State(admin): State<Arc<AdminState>>, Query(query): Query<RecordsQuery>) -> Answer<Vec<RecordView>> {
    let count = query.count.unwrap_or(RECORDS_MAX).min(RECORDS_MAX);
    Ok(Json(admin.admin_service.records(query.from, count).await?.into_iter().map(record_view).collect()))
}

async fn decision(State(admin): State<Arc<AdminState>>, Path(id): Path<String>) -> Answer<RecordView> {
    Ok(Json(record_view(admin.admin_service.decision(&id).await?)))
}

async fn checkpoint(State(admin): State<Arc<AdminState>>) -> Answer<CheckpointView> {
    let (size, note) = admin.admin_service.checkpoint().await?;
    Ok(Json(CheckpointView { size, note }))
}

fn user_view(user: &User, passkeys: Option<&[Passkey]>) -> UserView {
    UserView {
        id: user.id.to_string(),
        name: user.name.clone(),
        roles: user.roles.iter().map(ToString::to_string).collect(),
        state: match user.state {
            UserState::Active => "active",
            UserState::Closed => "closed",
        }
        .to_owned(),
        created_at: user.created_at.0,
        passkeys: passkeys.map(<[_]>::len),
    }
}

fn device_view(device: &Device) -> DeviceView {
    let posture = &device.posture;
    DeviceView {
        id: posture.device.to_string(),
        name: device.name.clone(),
        state: match device.state {
            DeviceState::Active => "active",
            DeviceState::Revoked => "revoked",
        }
        .to_owned(),
        trust: posture.trust(),
        tier: match posture.tier {
            EvidenceTier::None => "none",
            EvidenceTier::SelfReported => "self_reported",
            EvidenceTier::Platform => "platform",
            EvidenceTier::Hardware => "hardware",
        }
        .to_owned(),
        vouched_by: posture.by.as_str().to_owned(),
        security_level: match posture.security_level {
            SecurityLevel::Software => "software",
            SecurityLevel::TrustedEnvironment => "trusted_environment",
            SecurityLevel::StrongBox => "strong_box",
        }
        .to_owned(),
        boot_state: posture.boot_state.map(|state| {
            match state {
                BootState::Failed => "failed",
                BootState::SelfSigned => "self_signed",
                BootState::Unverified => "unverified",
                BootState::Verified => "verified",
            }
            .to_owned()
        }),
        bootloader_locked: posture.bootloader_locked,
        patch_level: posture.patch_level.map(|level| level.to_string()),
        app: posture.app.as_ref().map(ToString::to_string),
        key: posture.key.to_string(),
        enrolled_at: device.enrolled_at.0,
        established_at: posture.established_at.0,
    }
}

fn session_view(session: &Session) -> SessionView {
    SessionView {
        id: session.id.to_string(),
        user: session.user.to_string(),
        device: session.device.to_string(),
        client: session.client.to_string(),
        state: session.state.as_str().to_owned(),
        acr: session.acr.as_str().to_owned(),
        auth_time: session.auth_time.0,
        created_at: session.created_at.0,
        expires_at: session.expires_at.0,
    }
}

fn record_view(record: Record) -> RecordView {
    // What cannot be read is shown as nothing; `countersign audit verify` says what was done to it.
    RecordView { seq: record.seq, entry: record.read().map(|entry| entry.document()).unwrap_or_default() }
}

fn changed(act: Act) -> Changed {
    Changed { decision: act.decision.to_string(), sessions_ended: act.sessions_ended }
}
