//! Attacks by two readings: what the gateway judges is one thing, and what the API would read is another.

use anyhow::{Context, Result, ensure};
use http::Method;
use serde_json::Value;

use crate::{
    phone::{Answer, Call, Handset, Phone},
    scenarios::{
        attack::{People, attack, held},
        honest::{accounts_path, customer},
        report::Row,
        world::World,
    },
};

/// Runs all attacks by two readings.
///
/// # Errors
/// When the honest preparation of an attack fails.
pub async fn run(world: &World, People { mallory, .. }: &People) -> Result<Vec<Row>> {
    let mut rows = bodies(world, mallory).await?;
    rows.extend(heads(world, mallory).await);
    rows.push(reserved_headers(world, mallory).await);
    rows.push(guess(world).await);
    rows.push(other_request(world, mallory).await);
    Ok(rows)
}

/// A transfer of so many cents as the policy sees it, with another member beside.
async fn bodies(world: &World, mallory: &Phone) -> Result<Vec<Row>> {
    let mine = customer(mallory).await?;
    let target = format!("/v1/customers/{mine}/transfers");
    let beside = |members: &str| format!(r#"{{"from":"{mine}-1","to":"DE02120300000000202051","currency":"EUR",{members}}}"#);
    let json = "application/json";
    let tricks = [
        (
            "one amount, two spellings",
            r#"{"amount":1,...,"Amount":250000}"#,
            json,
            beside(r#""amount":1,"Amount":250000"#),
            "body_member_ambiguous",
        ),
        ("an amount in another spelling alone", r#"{"AMOUNT":250000,...}"#, json, beside(r#""AMOUNT":250000"#), "body_member_ambiguous"),
        (
            "an amount with a separator",
            r#"{"amount":1,...,"am_ount":250000}"#,
            json,
            beside(r#""amount":1,"am_ount":250000"#),
            "body_member_ambiguous",
        ),
        (
            "a member that nobody declared",
            r#"{"amount":1,...,"fee":250000}"#,
            json,
            beside(r#""amount":1,"fee":250000"#),
            "body_member_undeclared",
        ),
        ("an amount with an exponent", r#"{"amount":1e5,...}"#, json, beside(r#""amount":1e5"#), "body_field_invalid"),
        (
            "an amount beyond what all read alike",
            r#"{"amount":9007199254740993,...}"#,
            json,
            beside(r#""amount":9007199254740993"#),
            "body_field_invalid",
        ),
        ("a transfer in a list", r#"[{"amount":1,...}]"#, json, format!("[{}]", beside(r#""amount":1"#)), "body_field_invalid"),
        ("another character set", "charset=utf-16", "application/json; charset=utf-16", beside(r#""amount":1"#), "body_malformed"),
    ];
    let mut rows = Vec::new();
    for (name, sent, media, body, reason) in tricks {
        let mut call = Call::new(Method::POST, &target).header("content-type", media);
        call.body = body.into();
        rows.push(attack(world, name, sent, held(400, reason), mallory.call(&call)).await);
    }
    Ok(rows)
}

async fn heads(world: &World, mallory: &Phone) -> Vec<Row> {
    let echo = |target: &str| Call::new(Method::POST, target);
    vec![
        attack(
            world,
            "a header taken away after it was judged",
            "Connection: content-type",
            held(400, "request_malformed"),
            mallory.call(&echo("/v1/echo").header("connection", "content-type")),
        )
        .await,
        attack(
            world,
            "another method in the query",
            "POST /v1/echo?_method=DELETE",
            held(400, "method_overridden"),
            mallory.call(&echo("/v1/echo?_method=DELETE")),
        )
        .await,
    ]
}

/// Sends what an API believes of some proxy, in the spellings that some server makes one of.
async fn reserved_headers(world: &World, mallory: &Phone) -> Row {
    const RESERVED: [&str; 12] = [
        "countersign.user",
        "countersign_identity",
        "proxy",
        "remote-user",
        "client-cert",
        "true-client-ip",
        "x-original-method",
        "x-accel-redirect",
        "x-envoy-original-path",
        "x-webauth-user",
        "x-goog-authenticated-user-email",
        "x_forwarded_for",
    ];
    let attempt = async {
        let call = RESERVED.iter().fold(Call::new(Method::GET, "/v1/echo"), |call, name| call.header(name, "forged"));
        let answer = mallory.call(&call).await?;
        let seen = answer.json();
        let headers = seen.get("headers").and_then(Value::as_array).context("the bank saw no headers")?;
        let forged = headers.iter().find(|header| header.get(1).and_then(Value::as_str) == Some("forged"));
        ensure!(forged.is_none(), "reached the bank: {}", forged.unwrap_or(&Value::Null));
        Ok::<Answer, anyhow::Error>(answer)
    };
    seen(
        attack(world, "headers that APIs believe of proxies", "Remote-User, Proxy, Countersign.User, ...", held(200, ""), attempt).await,
        "header stripped",
        "all are stripped",
    )
}

/// A balance that is hidden, guessed by the validator that the bank makes of it.
async fn guess(world: &World) -> Row {
    let attempt = async {
        let phone = world.customer("old.guess@example.com", &Handset::old_patch()).await?;
        let path = format!("{}/{}-1", accounts_path(&phone).await?, customer(&phone).await?);
        let (mut statuses, mut last) = (Vec::new(), None);
        // The first is right: every account opens with as much.
        for balance in [1_000_000, 999_999] {
            let answer = phone.call(&Call::new(Method::GET, &path).header("if-none-match", &format!("\"{balance}\""))).await?;
            ensure!(answer.header("etag").is_none() && answer.json().get("balance").is_some_and(Value::is_null), "the balance was shown");
            statuses.push(answer.status.as_u16());
            last = Some(answer);
        }
        ensure!(statuses == [200, 200], "right and wrong guesses differ: {statuses:?}");
        last.context("an answer")
    };
    let row = attack(world, "a hidden balance, guessed", "If-None-Match: \"<balance>\"", held(200, "patch_level_old"), attempt).await;
    seen(row, "", "right and wrong guesses are answered alike")
}

/// The word about one request, read on its way to the bank, is of no use for another.
async fn other_request(world: &World, mallory: &Phone) -> Row {
    let attempt = async {
        let answer = mallory.call(&Call::new(Method::GET, "/v1/me")).await?;
        let statement = answer.json();
        let text = statement.get("statement").and_then(Value::as_str).context("a statement")?.to_owned();
        let claims = text.split('.').nth(1).context("claims")?;
        let claims: Value = serde_json::from_slice(&base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, claims)?)?;
        let is = |claim: &str, value: &str| claims.get(claim).and_then(Value::as_str) == Some(value);
        ensure!(is("htm", "GET") && is("htu", &format!("{}v1/me", world.around.origin)), "the statement is for any request: {claims}");
        Ok::<Answer, anyhow::Error>(answer)
    };
    let row =
        attack(world, "a statement to the bank, used on a transfer", "Countersign-Identity of GET /v1/me", held(200, ""), attempt).await;
    seen(row, "htm and htu of another request", "it names GET /v1/me alone")
}

/// A row whose answer is an honest one: what counts is what was seen in it.
fn seen(mut row: Row, reason: &str, got: &str) -> Row {
    row.ok = row.ok || (row.expected.trim() == "200" && row.got.starts_with("200"));
    row.expected = got.to_owned();
    if row.ok {
        got.clone_into(&mut row.got);
        if !reason.is_empty() {
            reason.clone_into(&mut row.reason);
        }
    }
    row
}
