//! `countersign phone`: a software phone against a running development node, for trying and for continuous integration.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, anyhow, ensure};
use clap::{Args, Subcommand};
use countersign_core::Entropy;
use countersign_demo::phone::{Answer, Call, DemoCa, Handset, Phone, Surroundings};
use countersign_identity::DevKit;
use countersign_node::{
    OsEntropy, SystemClock,
    admin::wire::{Invite, Invited, Status},
};
use http::Method;
use serde_json::{Value, json};

use crate::cli::{
    ask,
    dev_token::pin,
    output::{Exit, Output, say, say_json},
    place::Place,
};

/// What the phone does, once it is enrolled and its person signed in.
#[derive(Debug, Subcommand)]
pub enum PhoneCommand {
    /// Send one GET request; print the response and the decision number
    Get(CallArgs),
    /// Send requests continuously; print the decision number of each response
    Load(LoadArgs),
    /// Send one POST request with a JSON body
    Post(PostArgs),
}

/// Which request.
#[derive(Args, Debug)]
pub struct CallArgs {
    /// Path and query, such as `/v1/orders`
    path: String,
    /// Role of the phone's user; can be repeated
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
}

/// Which request, with what.
#[derive(Args, Debug)]
pub struct PostArgs {
    #[command(flatten)]
    call: CallArgs,
    /// The body, as JSON
    #[arg(long, value_name = "JSON", default_value = "{}")]
    body: String,
}

/// How much load.
#[derive(Args, Debug)]
pub struct LoadArgs {
    #[command(flatten)]
    call: CallArgs,
    /// Number of concurrent requests
    #[arg(long, default_value_t = 8)]
    at_once: usize,
    /// Duration in seconds
    #[arg(long, default_value_t = 5, value_name = "SECONDS")]
    seconds: u64,
}

/// Runs the phone. `No` when the request was refused.
///
/// # Errors
/// When no development node runs, or phone or person cannot be enrolled.
pub async fn run(command: &PhoneCommand, place: &Place, dev_token: Option<&str>, output: Output) -> Result<Exit> {
    match command {
        PhoneCommand::Get(args) => {
            once(&Call::new(Method::GET, &args.path), &ready(place, &args.roles, dev_token).await?, place, output).await
        }
        PhoneCommand::Post(args) => {
            let body: Value =
                serde_json::from_str(&args.body).context("`--body` is not JSON; write it in single quotes, such as '{\"amount\": 5}'")?;
            let phone = ready(place, &args.call.roles, dev_token).await?;
            once(&Call::new(Method::POST, &args.call.path).json(&body), &phone, place, output).await
        }
        PhoneCommand::Load(args) => load(args, place, dev_token).await,
    }
}

async fn once(call: &Call, phone: &Phone, place: &Place, output: Output) -> Result<Exit> {
    let answer = phone.call(call).await?;
    let decision = answer.header("countersign-decision").unwrap_or("none");
    let body = String::from_utf8_lossy(&answer.body);
    match output {
        Output::Json => say_json(&json!({ "status": answer.status.as_u16(), "decision": decision, "body": shown(&answer) })),
        Output::Text => {
            say(format!("{}   {decision}", answer.status));
            say(body);
            if !answer.status.is_success() {
                say(format!("why: countersign why {decision} --config {}", place.config.display()));
            }
        }
    }
    Ok(if answer.status.is_success() { Exit::Fine } else { Exit::No })
}

/// A body as JSON where it is JSON, else as text.
fn shown(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_else(|_| json!(String::from_utf8_lossy(&answer.body)))
}

/// What was answered is printed at once, so that whoever kills the node knows what it had acknowledged.
async fn load(args: &LoadArgs, place: &Place, dev_token: Option<&str>) -> Result<Exit> {
    let phone = Arc::new(ready(place, &args.call.roles, dev_token).await?);
    let served = Arc::new(AtomicU64::new(0));
    let until = tokio::time::Instant::now() + Duration::from_secs(args.seconds);
    let workers: Vec<_> = (0..args.at_once)
        .map(|_| {
            let (phone, served, call) = (Arc::clone(&phone), Arc::clone(&served), Call::new(Method::GET, &args.call.path));
            tokio::spawn(async move {
                while tokio::time::Instant::now() < until {
                    let answer = phone.call(&call).await?;
                    if let Some(decision) = answer.header("countersign-decision") {
                        say(decision);
                        served.fetch_add(1, Ordering::Relaxed);
                    }
                }
                anyhow::Ok(())
            })
        })
        .collect();
    for worker in workers {
        worker.await??;
    }
    ensure!(served.load(Ordering::Relaxed) > 0, "no request was answered; see `countersign logs tail`");
    Ok(Exit::Fine)
}

/// A phone that is enrolled, of a person who is signed in. Both are new.
async fn ready(place: &Place, roles: &[String], dev_token: Option<&str>) -> Result<Phone> {
    let config = place.config()?;
    let status: Status = ask::get(&config.admin_socket(), "/v1/status").await?;
    ensure!(
        status.dev,
        "the node does not run in development mode, so it accepts no simulated phone; start it with `countersign serve --dev`"
    );
    let dev = config.data.join("dev");
    let ca = DemoCa::kept_in(&dev)?;
    let _: Status = ask::post(&config.admin_socket(), "/v1/reload", &json!({})).await?;
    let app = config.apps.first().context("the configuration has no `[app.ID]` section")?;
    let kit = dev_token.map(DevKit::parse).transpose()?;
    if let Some(expected) = kit.as_ref().and_then(|kit| kit.pin) {
        ensure!(
            expected == pin(&config.data)?,
            "the development token was made for a node with another certificate; make a new one with `countersign dev-token create`"
        );
    }
    let public = || config.public.as_str().parse().context("`public_url` is not a URL");
    let around = Surroundings {
        origin: kit.as_ref().map_or_else(public, |kit| Ok(kit.server.clone()))?,
        root_pem: fs::read_to_string(dev.join("tls-root.pem")).context("reading the development node's root certificate")?,
        app: kit.as_ref().map_or(&app.client, |kit| &kit.client).to_string(),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(OsEntropy),
    };
    let mut bytes = [0; 6];
    OsEntropy.fill(&mut bytes);
    let name = format!("phone-{}", hex::encode(bytes));
    let invitation: Invited =
        ask::post(&config.admin_socket(), "/v1/invitations", &Invite { name: name.clone(), roles: roles.to_vec(), hours: 1 }).await?;
    let phone = Phone::new(around, 0)?;
    let android = |e| anyhow!("{e:#}; check that the app `{}` has an `android` package in the configuration", app.client);
    match kit {
        Some(kit) => phone.enrol_by_dev_token(kit.token.secret().expose()).await?,
        None => phone.enrol(&ca, &Handset::genuine()).await.map_err(android)?,
    };
    phone.register(&name, Some(&invitation.code)).await?;
    phone.sign_in().await?;
    Ok(phone)
}
