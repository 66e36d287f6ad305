//! `countersign user`, `device`, `session`: look and change, at a running node.

use std::path::Path;

use anyhow::Result;
use clap::{Args, Subcommand};
use countersign_core::UnixSeconds;
use serde::Serialize;

use countersign_node::admin::wire::{Changed, DeviceView, Invite, Invited, SessionView, UserView};

use crate::cli::{
    ask,
    output::{Exit, Output, say, say_json, table},
    place::Place,
    report::{self, ReportArgs},
    when,
};

/// What to do with people.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Close an account and end its sessions
    Close(OneArgs),
    /// Invite a person to create an account; prints a code that can be used once
    Invite(InviteArgs),
    /// List the newest accounts
    List,
    /// Close an account and end its sessions (the same as `close`)
    Revoke(OneArgs),
    /// Show one account, by id or name
    Show(OneArgs),
}

/// What to do with devices.
#[derive(Debug, Subcommand)]
pub enum DeviceCommand {
    /// List the newest devices
    List,
    /// Count devices that pass or fail your device rules, now or with another configuration file
    Report(ReportArgs),
    /// Revoke a device and all sessions on it; this cannot be undone
    Revoke(OneArgs),
    /// Show one device
    Show(OneArgs),
}

/// What to do with sessions.
#[derive(Debug, Subcommand)]
pub enum SessionCommand {
    /// List the newest sessions
    List(FilterArgs),
    /// Revoke a session: its next request is refused; this cannot be undone
    Revoke(OneArgs),
    /// Show one session
    Show(OneArgs),
}

/// Which one.
#[derive(Args, Debug)]
pub struct OneArgs {
    /// The id, or for accounts the name.
    id: String,
}

/// Which ones.
#[derive(Args, Debug)]
pub struct FilterArgs {
    /// Show only sessions of this person (`u_...`).
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// Show only sessions on this device (`d_...`).
    #[arg(long, value_name = "ID")]
    device: Option<String>,
}

/// Whom to invite.
#[derive(Args, Debug)]
pub struct InviteArgs {
    /// Name of the new account.
    name: String,
    /// Role of the new account; can be repeated.
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// Hours until the invitation expires.
    #[arg(long, default_value_t = 72)]
    hours: u64,
}

/// Does it.
pub async fn user(command: &UserCommand, place: &Place, output: Output) -> Result<Exit> {
    let socket = place.socket()?;
    match command {
        UserCommand::List => rows(&ask::get::<Vec<UserView>>(&socket, "/v1/users").await?, output),
        UserCommand::Show(one) => card(&ask::get::<UserView>(&socket, &format!("/v1/users/{}", ask::segment(&one.id))).await?, output),
        UserCommand::Close(one) | UserCommand::Revoke(one) => {
            change(&socket, &format!("/v1/users/{}/close", ask::segment(&one.id)), "closed", output).await?
        }
        UserCommand::Invite(args) => {
            let body = Invite { name: args.name.clone(), roles: args.roles.clone(), hours: args.hours };
            let invited: Invited = ask::post(&socket, "/v1/invitations", &body).await?;
            match output {
                Output::Json => say_json(&invited),
                Output::Text => say(format!(
                    "{}\nthis code is shown only once; it can be used once, until {}",
                    invited.code,
                    when::instant(UnixSeconds(invited.expires_at))
                )),
            }
        }
    }
    Ok(Exit::Fine)
}

/// Does it.
pub async fn device(command: &DeviceCommand, place: &Place, output: Output) -> Result<Exit> {
    let socket = place.socket()?;
    match command {
        DeviceCommand::List => rows(&ask::get::<Vec<DeviceView>>(&socket, "/v1/devices").await?, output),
        DeviceCommand::Show(one) => {
            card(&ask::get::<DeviceView>(&socket, &format!("/v1/devices/{}", ask::segment(&one.id))).await?, output)
        }
        DeviceCommand::Report(args) => return report::run(args, place, output).await,
        DeviceCommand::Revoke(one) => change(&socket, &format!("/v1/devices/{}/revoke", ask::segment(&one.id)), "revoked", output).await?,
    }
    Ok(Exit::Fine)
}

/// Does it.
pub async fn session(command: &SessionCommand, place: &Place, output: Output) -> Result<Exit> {
    let socket = place.socket()?;
    match command {
        SessionCommand::List(filter) => {
            let user = filter.user.as_ref().map(|id| format!("user={}&", ask::segment(id))).unwrap_or_default();
            let device = filter.device.as_ref().map(|id| format!("device={}", ask::segment(id))).unwrap_or_default();
            rows(&ask::get::<Vec<SessionView>>(&socket, &format!("/v1/sessions?{user}{device}")).await?, output);
        }
        SessionCommand::Show(one) => {
            card(&ask::get::<SessionView>(&socket, &format!("/v1/sessions/{}", ask::segment(&one.id))).await?, output)
        }
        SessionCommand::Revoke(one) => {
            change(&socket, &format!("/v1/sessions/{}/revoke", ask::segment(&one.id)), "revoked", output).await?
        }
    }
    Ok(Exit::Fine)
}

async fn change(socket: &Path, path: &str, done: &str, output: Output) -> Result<()> {
    let changed: Changed = ask::post(socket, path, &serde_json::json!({})).await?;
    match output {
        Output::Json => say_json(&changed),
        Output::Text => say(format!("{done}; {} sessions ended; recorded as {}", changed.sessions_ended, changed.decision)),
    }
    Ok(())
}

/// Something that is a row in a list.
trait Listed: Serialize {
    const HEADER: &'static [&'static str];
    fn cells(&self) -> Vec<String>;
}

impl Listed for UserView {
    const HEADER: &'static [&'static str] = &["user", "name", "roles", "state", "since"];
    fn cells(&self) -> Vec<String> {
        vec![self.id.clone(), self.name.clone(), self.roles.join(" "), self.state.clone(), when::instant(UnixSeconds(self.created_at))]
    }
}

impl Listed for DeviceView {
    const HEADER: &'static [&'static str] = &["device", "name", "state", "trust", "key", "patches", "app", "enrolled"];
    fn cells(&self) -> Vec<String> {
        let patches = self.patch_level.clone().unwrap_or_default();
        let app = self.app.clone().unwrap_or_default();
        let trust = if self.vouched_by == "development_token" { format!("{} DEV", self.trust) } else { self.trust.to_string() };
        let enrolled = when::instant(UnixSeconds(self.enrolled_at));
        vec![self.id.clone(), self.name.clone(), self.state.clone(), trust, self.security_level.clone(), patches, app, enrolled]
    }
}

impl Listed for SessionView {
    const HEADER: &'static [&'static str] = &["session", "user", "device", "app", "state", "signed in"];
    fn cells(&self) -> Vec<String> {
        let signed_in = format!("{}, {}", self.acr, when::instant(UnixSeconds(self.auth_time)));
        vec![self.id.clone(), self.user.clone(), self.device.clone(), self.client.clone(), self.state.clone(), signed_in]
    }
}

fn rows<T: Listed>(all: &[T], output: Output) {
    match output {
        Output::Json => say_json(&all),
        Output::Text => {
            let mut table = table(T::HEADER);
            for row in all {
                table.add_row(row.cells());
            }
            say(table.to_string());
        }
    }
}

/// All that is known of one thing, a line a field.
fn card(one: &impl Serialize, output: Output) {
    match output {
        Output::Json => say_json(one),
        Output::Text => {
            let document = serde_json::to_value(one).unwrap_or_default();
            for (name, value) in document.as_object().into_iter().flatten() {
                let text = match value {
                    serde_json::Value::Null => continue,
                    serde_json::Value::String(text) => text.clone(),
                    serde_json::Value::Number(number) if name.ends_with("_at") || name == "auth_time" => {
                        when::instant(UnixSeconds(number.as_u64().unwrap_or_default()))
                    }
                    serde_json::Value::Array(items) => items.iter().filter_map(|item| item.as_str()).collect::<Vec<_>>().join(" "),
                    other @ (serde_json::Value::Bool(_) | serde_json::Value::Number(_) | serde_json::Value::Object(_)) => other.to_string(),
                };
                say(format!("{name:<18} {text}"));
            }
        }
    }
}
