//! What must work: an honest day, wrong clocks, lost answers, races, a new phone.

use std::sync::Arc;

use anyhow::{Context, Result, anyhow, ensure};
use countersign_gateway::STATEMENT_TYPE;
use countersign_proof::{
    jws::{Jws, Type},
    key_set::KeySet,
};
use http::Method;
use serde_json::json;

use crate::{
    phone::{Answer, Call, Handset, Phone},
    scenarios::{
        report::{Row, honest},
        world::World,
    },
};

/// Seconds after which an access token has certainly expired.
const PAST_TOKEN_LIFE: u64 = 301;

/// Runs all of them, in order.
///
/// # Errors
/// Never for a refusal, which is a row; only when the world itself fails.
pub async fn run(world: &World) -> Result<Vec<Row>> {
    let ana = Arc::new(world.phone()?);
    Ok(vec![
        honest("a new customer: attested, registered, signed in", "enrol, passkey, code, tokens", joins(world, &ana)).await,
        honest("ana reads her accounts", "GET .../accounts", reads(&ana)).await,
        honest("ana pays a friend", "POST .../transfers 25.00", pays(&ana, 2_500)).await,
        honest("ana pays a lot: asked for a finger, then served", "POST .../transfers 2,500.00", pays_a_lot(world, &ana)).await,
        honest("a transfer whose note is null", r#"{"amount":100,...,"note":null}"#, null_note(&ana)).await,
        honest("a query as OkHttp and browsers send it", r"GET /v1/echo?filter={a|b}^2`c\d", raw_query(&ana)).await,
        honest("an app's own headers", "X-App-Version, Idempotency-Key, traceparent", own_headers(&ana)).await,
        honest("the bank can check who was let in", "Countersign-Identity against /.well-known/jwks.json", names(&ana)).await,
        honest("a phone whose clock is ten minutes slow", "proofs 600 s old", wrong_clock(world, "slow", -600)).await,
        honest("a phone whose clock is a day ahead", "proofs 86,400 s early", wrong_clock(world, "early", 86_400)).await,
        honest("a hundred requests at once with an expired token", "100 x GET", stampede(world, &ana)).await,
        honest("a refresh answer lost on the way", "POST /token twice", lost_answer(world, &ana)).await,
        honest("an app and its widget refresh together", "2 x POST /token at once", app_and_widget(world, &ana)).await,
        honest("a code answer lost on the way", "POST /token twice", lost_code(&ana)).await,
        honest("a new phone for the same person", "enrol, same passkey", new_phone(world, &ana)).await,
    ])
}

/// Where this customer's accounts stand: the bank knows people by their pairwise names.
pub async fn accounts_path(phone: &Phone) -> Result<String> {
    Ok(format!("/v1/customers/{}/accounts", customer(phone).await?))
}

/// The customer's name at the bank.
pub async fn customer(phone: &Phone) -> Result<String> {
    let answer = phone.call(&Call::new(Method::GET, "/v1/me")).await?;
    served(&answer)?;
    Ok(answer.json().get("customer").and_then(|v| v.as_str()).context("the bank did not say who asks")?.to_owned())
}

/// The answer, if the API served it.
///
/// # Errors
/// When it did not.
pub fn served(answer: &Answer) -> Result<()> {
    ensure!(answer.status.is_success(), "{} {}", answer.status.as_u16(), String::from_utf8_lossy(&answer.body));
    Ok(())
}

async fn joins(world: &World, ana: &Phone) -> Result<String> {
    ana.enrol(&world.ca, &Handset::genuine()).await?;
    ana.register("ana@example.com", None).await?;
    ana.sign_in().await?;
    Ok("device attested, session open".to_owned())
}

async fn reads(ana: &Phone) -> Result<String> {
    let answer = ana.call(&Call::new(Method::GET, &accounts_path(ana).await?)).await?;
    served(&answer)?;
    let iban = answer.json().pointer("/accounts/0/iban").and_then(|v| v.as_str().map(String::from)).context("no iban in the answer")?;
    Ok(format!("iban {iban}"))
}

/// A transfer of so many cents from this customer's first account.
pub async fn transfer(phone: &Phone, cents: u64) -> Result<Call> {
    let customer = customer(phone).await?;
    let body = json!({ "from": format!("{customer}-1"), "to": "DE02120300000000202051", "amount": cents, "currency": "EUR" });
    Ok(Call::new(Method::POST, &format!("/v1/customers/{customer}/transfers")).json(&body))
}

async fn pays(ana: &Phone, cents: u64) -> Result<String> {
    let answer = ana.call(&transfer(ana, cents).await?).await?;
    served(&answer)?;
    Ok("transfer booked".to_owned())
}

async fn pays_a_lot(world: &World, ana: &Phone) -> Result<String> {
    world.clock.turn(PAST_TOKEN_LIFE);
    let call = transfer(ana, 250_000).await?;
    let first = ana.call(&call).await?;
    let challenge = first.header("www-authenticate").unwrap_or_default().to_owned();
    ensure!(
        first.status.as_u16() == 401 && challenge.contains("insufficient_user_authentication"),
        "no step-up was asked for: {}",
        first.status
    );
    ana.step_up().await?;
    served(&ana.call(&call).await?)?;
    Ok("step_up, then allow".to_owned())
}

async fn null_note(ana: &Phone) -> Result<String> {
    let customer = customer(ana).await?;
    let body = json!({ "from": format!("{customer}-1"), "to": "DE02120300000000202051", "amount": 100, "currency": "EUR", "note": null });
    served(&ana.call(&Call::new(Method::POST, &format!("/v1/customers/{customer}/transfers")).json(&body)).await?)?;
    Ok("counts as absent".to_owned())
}

async fn raw_query(ana: &Phone) -> Result<String> {
    let query = r"filter={a|b}^2`c\d&filter[]=1";
    let answer = ana.call(&Call::new(Method::GET, &format!("/v1/echo?{query}"))).await?;
    served(&answer)?;
    ensure!(answer.json().get("query").and_then(|v| v.as_str()) == Some(query), "the bank saw another query: {}", answer.json());
    Ok("byte for byte".to_owned())
}

async fn own_headers(ana: &Phone) -> Result<String> {
    let own = [("x-app-version", "7"), ("idempotency-key", "k"), ("traceparent", "00-a-b-01")];
    let call = own.iter().fold(Call::new(Method::GET, "/v1/echo"), |call, (name, value)| call.header(name, value));
    let answer = ana.call(&call).await?;
    served(&answer)?;
    let arrived = answer.json();
    let seen = arrived.get("headers").and_then(|v| v.as_array()).context("the bank saw no headers")?;
    for (name, value) in own {
        ensure!(seen.contains(&json!([name, value])), "`{name}` did not arrive");
    }
    Ok("passed on".to_owned())
}

async fn names(ana: &Phone) -> Result<String> {
    let answer = ana.call(&Call::new(Method::GET, "/v1/me")).await?;
    served(&answer)?;
    let statement = answer.json().get("statement").and_then(|v| v.as_str().map(String::from)).context("the bank got no statement")?;
    let jwks = ana.http().send(&Call::new(Method::GET, "/.well-known/jwks.json")).await?;
    let keys = KeySet::from_jwks(&String::from_utf8_lossy(&jwks.body)).map_err(|e| anyhow!("the published keys: {e:?}"))?;
    let statement = Jws::read(&statement, Type::Is(STATEMENT_TYPE)).map_err(|e| anyhow!("the statement: {e:?}"))?;
    let payload = keys.verify(statement).map_err(|e| anyhow!("the statement's signature: {e:?}"))?;
    let claims: serde_json::Value = serde_json::from_slice(payload.as_bytes())?;
    ensure!(claims.get("sub") == answer.json().get("customer"), "the statement names somebody else");
    let names = |claim: &str, value: &str| claims.get(claim).and_then(|v| v.as_str()).is_some_and(|named| named.ends_with(value));
    ensure!(names("htm", "GET") && names("htu", "/v1/me") && claims.get("jti").is_some(), "the statement does not name its request");
    Ok("signature, subject and request verified".to_owned())
}

async fn wrong_clock(world: &World, name: &str, seconds: i64) -> Result<String> {
    let phone = Phone::new(world.around.clone(), seconds)?;
    phone.enrol(&world.ca, &Handset::genuine()).await?;
    phone.register(&format!("{name}@example.com"), None).await?;
    phone.sign_in().await?;
    served(&phone.call(&Call::new(Method::GET, &accounts_path(&phone).await?)).await?)?;
    Ok("recovered by nonce".to_owned())
}

async fn stampede(world: &World, ana: &Arc<Phone>) -> Result<String> {
    let path = accounts_path(ana).await?;
    world.clock.turn(PAST_TOKEN_LIFE);
    let before = ana.refreshes();
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let (ana, call) = (Arc::clone(ana), Call::new(Method::GET, &path));
            tokio::spawn(async move { ana.call(&call).await })
        })
        .collect();
    for call in calls {
        served(&call.await??)?;
    }
    let refreshes = ana.refreshes().saturating_sub(before);
    ensure!(refreshes == 1, "{refreshes} refreshes");
    Ok("100 served, 1 refresh, 0 sign-outs".to_owned())
}

async fn lost_answer(world: &World, ana: &Phone) -> Result<String> {
    world.clock.turn(PAST_TOKEN_LIFE);
    let refresh = ana.tokens().await.context("ana is signed in")?.refresh;
    let lost = ana.ask_to_renew(&refresh).await?;
    served(&lost)?;
    let again = ana.ask_to_renew(&refresh).await?;
    served(&again)?;
    let token = |answer: &Answer| answer.json().get("access_token").cloned();
    ensure!(token(&lost).is_some() && token(&lost) == token(&again), "the second answer holds another token");
    served(&ana.call(&Call::new(Method::GET, &accounts_path(ana).await?)).await?)?;
    Ok("the same token again".to_owned())
}

async fn app_and_widget(world: &World, ana: &Phone) -> Result<String> {
    let widget = ana.widget().await?;
    world.clock.turn(PAST_TOKEN_LIFE);
    let (for_app, for_widget) = (Call::new(Method::GET, "/v1/me"), Call::new(Method::GET, "/v1/me"));
    let (app, side) = tokio::join!(ana.call(&for_app), widget_call(&widget, &for_widget));
    served(&app?)?;
    served(&side?)?;
    served(&ana.call(&for_app).await?)?;
    Ok("both served, nobody signed out".to_owned())
}

/// The widget's copy of the access token opens to the app's request key only, so it renews first.
async fn widget_call(widget: &Phone, call: &Call) -> Result<Answer> {
    widget.renew(widget.tokens().await.map_or(0, |tokens| tokens.generation)).await?;
    widget.call(call).await
}

async fn lost_code(ana: &Phone) -> Result<String> {
    let (code, verifier) = ana.authorize().await?;
    let lost = ana.redeem(&code, &verifier).await?;
    served(&lost)?;
    let again = ana.redeem(&code, &verifier).await?;
    served(&again)?;
    let refresh = |answer: &Answer| answer.json().get("refresh_token").cloned();
    ensure!(refresh(&lost).is_some() && refresh(&lost) == refresh(&again), "the second answer holds another refresh token");
    Ok("the same session again".to_owned())
}

async fn new_phone(world: &World, ana: &Phone) -> Result<String> {
    let phone = world.phone()?;
    phone.enrol(&world.ca, &Handset::genuine()).await?;
    phone.take_passkeys_of(ana).await;
    phone.sign_in().await?;
    ensure!(customer(&phone).await? == customer(ana).await?, "the bank sees another customer");
    Ok("same customer, second device".to_owned())
}
