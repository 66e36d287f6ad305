//! `countersign incident`: what the monitor noticed and did, and an operator's word on it.

use anyhow::Result;
use clap::{Args, Subcommand};
use countersign_core::{UnixMillis, UnixSeconds};

use countersign_node::admin::wire::{IncidentView, MailView, Suppress, Suppressed};

use crate::cli::{
    ask,
    output::{Exit, Output, say, say_json, table},
    place::Place,
    when,
};

/// What to do.
#[derive(Debug, Subcommand)]
pub enum IncidentCommand {
    /// Mark an incident as harmless: undo the reaction, and let the monitor learn from it
    #[command(visible_alias = "undo")]
    Fine(OneArgs),
    /// List the newest incidents
    List(ListArgs),
    /// Show the state of incident mails, or send a test mail
    Mail(MailArgs),
    /// Show one incident with its timeline
    Show(OneArgs),
    /// Do not react to one kind of signal for some hours
    Suppress(SuppressArgs),
    /// List the suppressions in force
    Suppressions,
}

/// Which one.
#[derive(Args, Debug)]
pub struct OneArgs {
    /// The incident's id (`i_...`).
    id: String,
}

/// Which ones.
#[derive(Args, Debug)]
pub struct ListArgs {
    /// Show only incidents in this state: `open`, `fine` or `closed`.
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
}

/// What about mails.
#[derive(Args, Debug)]
pub struct MailArgs {
    /// Send a test mail now.
    #[arg(long)]
    test: bool,
}

/// What not to react to.
#[derive(Args, Debug)]
pub struct SuppressArgs {
    /// The kind of signal: `scraping`, `unusual_use`, ...
    kind: String,
    /// Only for this person (`u_...`).
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// Duration in hours.
    #[arg(long, default_value_t = 24)]
    hours: u64,
}

/// Does it.
pub async fn run(command: &IncidentCommand, place: &Place, output: Output) -> Result<Exit> {
    let socket = place.socket()?;
    match command {
        IncidentCommand::List(args) => {
            let query = args.state.as_ref().map(|state| format!("?state={}", ask::segment(state))).unwrap_or_default();
            let rows: Vec<IncidentView> = ask::get(&socket, &format!("/v1/incidents{query}")).await?;
            list(&rows, output);
        }
        IncidentCommand::Show(one) => show(&ask::get(&socket, &format!("/v1/incidents/{}", ask::segment(&one.id))).await?, output),
        IncidentCommand::Fine(one) => {
            show(&ask::post(&socket, &format!("/v1/incidents/{}/fine", ask::segment(&one.id)), &serde_json::json!({})).await?, output);
        }
        IncidentCommand::Mail(args) if args.test => {
            mail(&ask::post(&socket, "/v1/mail/test", &serde_json::json!({})).await?, output);
        }
        IncidentCommand::Mail(_) => mail(&ask::get(&socket, "/v1/mail").await?, output),
        IncidentCommand::Suppress(args) => {
            let body = Suppress { kind: args.kind.clone(), user: args.user.clone(), hours: args.hours };
            suppressed(&[ask::post(&socket, "/v1/suppressions", &body).await?], output);
        }
        IncidentCommand::Suppressions => suppressed(&ask::get::<Vec<Suppressed>>(&socket, "/v1/suppressions").await?, output),
    }
    Ok(Exit::Fine)
}

fn list(incidents: &[IncidentView], output: Output) {
    match output {
        Output::Json => say_json(&incidents),
        Output::Text => {
            let mut drawn = table(&["ID", "KIND", "STATE", "USER", "SCORE", "TIMES", "SESSION", "LAST"]);
            for incident in incidents {
                let done = incident.deeds.last().map_or("-", |deed| deed.to.as_str());
                drawn.add_row([
                    incident.id.clone(),
                    incident.kind.clone(),
                    incident.state.clone(),
                    incident.user.clone().unwrap_or_else(|| "-".to_owned()),
                    incident.score.to_string(),
                    incident.count.to_string(),
                    done.to_owned(),
                    when::instant(UnixSeconds(incident.last_at)),
                ]);
            }
            say(drawn.to_string());
        }
    }
}

fn show(incident: &IncidentView, output: Output) {
    if output == Output::Json {
        say_json(incident);
        return;
    }
    let who = incident.user.as_deref().or(incident.device.as_deref()).or(incident.session.as_deref()).unwrap_or("everyone");
    say(format!("{}  {} about {who}, {}, noticed {} times", incident.id, incident.kind, incident.state, incident.count));
    for moment in &incident.timeline {
        say(format!("  {}  {}", when::instant(UnixMillis(moment.at_ms).seconds()), moment.what));
    }
}

fn mail(view: &MailView, output: Output) {
    if output == Output::Json {
        say_json(view);
        return;
    }
    say(format!("mails about incidents go to {} by {}", view.to.join(", "), view.server));
    say(format!("  {} delivered, {} waiting, {} given up, {} dropped", view.delivered, view.waiting, view.given_up, view.dropped));
    if let Some(at) = view.last_delivered {
        say(format!("  {}  the mail server accepted the last one", when::instant(UnixSeconds(at))));
    }
    if let (Some(at), Some(why)) = (view.last_failure, &view.failure) {
        say(format!("  {}  {why}", when::instant(UnixSeconds(at))));
    }
}

fn suppressed(rows: &[Suppressed], output: Output) {
    match output {
        Output::Json => say_json(&rows),
        Output::Text => {
            let mut drawn = table(&["KIND", "ABOUT", "UNTIL"]);
            for row in rows {
                let user = row.user.clone().unwrap_or_else(|| "everyone".to_owned());
                drawn.add_row([row.kind.clone(), user, when::instant(UnixSeconds(row.until))]);
            }
            say(drawn.to_string());
        }
    }
}
