//! Attacks on the API: tokens, proofs, paths, other people's things.

use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_core::Secret;
use http::Method;
use serde_json::json;

use crate::{
    phone::{Answer, Call, Handset},
    scenarios::{
        attack::{People, access, attack, held},
        honest::{accounts_path, customer, transfer},
        report::Row,
        world::World,
    },
};

/// Runs all of them.
///
/// # Errors
/// When the honest preparation of an attack fails.
pub async fn run(world: &World, people: &People) -> Result<Vec<Row>> {
    let mut rows = tokens(world, people).await?;
    rows.extend(proofs(world, people).await?);
    rows.extend(paths(world, people).await?);
    rows.extend(permissions(world, people).await?);
    rows.extend(disowned(world).await?);
    Ok(rows)
}

fn get(path: &str) -> Call {
    Call::new(Method::GET, path)
}

async fn tokens(world: &World, People { ana, mallory }: &People) -> Result<Vec<Row>> {
    let path = accounts_path(ana).await?;
    let token = access(ana).await?;
    let send = async |call: Call| ana.http().send(&call).await;
    let with = |text: String| ana.proved(&get(&path), &Secret::new(text));
    let foreign = Secret::new(world.token_for_another_audience(token.expose()).await.context("signing a token for another API")?);
    let mut rows = vec![
        attack(world, "no token", "GET, no headers", held(401, "token_missing"), send(get(&path))).await,
        attack(world, "a token of another audience", "genuine signature, aud = another API", held(401, "token_audience_wrong"), async {
            send(ana.proved(&get(&path), &foreign)?).await
        })
        .await,
        attack(world, "a tampered token", "one claim changed", held(401, "token_signature_invalid"), async {
            send(with(tampered(token.expose())?)?).await
        })
        .await,
        attack(world, "alg: none", "unsigned token", held(401, "token_algorithm_refused"), async {
            send(with(unsigned(token.expose())?)?).await
        })
        .await,
        attack(world, "bearer downgrade", "Authorization: Bearer <genuine token>", held(401, "bearer_downgrade"), {
            send(get(&path).header("authorization", &format!("Bearer {}", token.expose())))
        })
        .await,
        attack(world, "two tokens", "Authorization twice", held(401, "token_repeated_header"), async {
            send(ana.proved(&get(&path), &token)?.header("authorization", "DPoP x")).await
        })
        .await,
        attack(world, "a stolen access token", "ana's token, mallory's key", held(401, "proof_key_mismatch"), async {
            mallory.http().send(&mallory.proved(&get(&path), &token)?).await
        })
        .await,
    ];
    world.clock.turn(301);
    rows.push(
        attack(world, "an expired token", "301 s after it was issued", held(401, "token_expired"), async {
            send(ana.proved(&get(&path), &token)?).await
        })
        .await,
    );
    ana.renew(ana.tokens().await.map_or(0, |tokens| tokens.generation)).await?;
    mallory.renew(mallory.tokens().await.map_or(0, |tokens| tokens.generation)).await?;
    Ok(rows)
}

/// `token` with another subject and the old signature.
fn tampered(token: &str) -> Result<String> {
    let mut parts = token.split('.');
    let (head, claims, signature) = (parts.next(), parts.next(), parts.next());
    let mut claims: serde_json::Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims.context("claims")?)?)?;
    if let Some(fields) = claims.as_object_mut() {
        fields.insert("sub".to_owned(), json!("p_somebody_else"));
    }
    Ok(format!("{}.{}.{}", head.context("header")?, URL_SAFE_NO_PAD.encode(claims.to_string()), signature.context("signature")?))
}

/// `token`'s claims under a header that asks for no signature (RFC 8725 section 2.1).
fn unsigned(token: &str) -> Result<String> {
    let claims = token.split('.').nth(1).context("claims")?;
    Ok(format!("{}.{claims}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"at+jwt"}"#)))
}

async fn proofs(world: &World, People { ana, .. }: &People) -> Result<Vec<Row>> {
    let path = accounts_path(ana).await?;
    let token = access(ana).await?;
    let authorization = format!("DPoP {}", token.expose());
    let send = async |call: Call| ana.http().send(&call).await;
    let with_proof =
        |proof: Result<String>| Ok::<_, anyhow::Error>(get(&path).header("authorization", &authorization).header("dpop", &proof?));
    let other = Secret::new("another-token".to_owned());
    let captured = ana.proved(&get(&path), &token)?;
    send(captured.clone()).await?;
    Ok(vec![
        attack(
            world,
            "no proof",
            "genuine token alone",
            held(401, "proof_missing"),
            send(get(&path).header("authorization", &authorization)),
        )
        .await,
        attack(world, "a replayed request", "a captured request, sent again", held(401, "proof_replayed"), send(captured)).await,
        attack(world, "a proof for another method", "made for DELETE, used on GET", held(401, "proof_wrong_method"), async {
            send(with_proof(ana.prove(ana.request_key(), "DELETE", &path, Some(&token)))?).await
        })
        .await,
        attack(world, "a proof for another URL", "made for /v1/me, used on accounts", held(401, "proof_wrong_target"), async {
            send(with_proof(ana.prove(ana.request_key(), "GET", "/v1/me", Some(&token)))?).await
        })
        .await,
        attack(world, "a proof for another token", "ath of another token", held(401, "proof_token_mismatch"), async {
            send(with_proof(ana.prove(ana.request_key(), "GET", &path, Some(&other)))?).await
        })
        .await,
        attack(world, "two proofs", "DPoP header twice", held(401, "proof_repeated_header"), async {
            let proof = ana.prove(ana.request_key(), "GET", &path, Some(&token))?;
            send(ana.proved(&get(&path), &token)?.header("dpop", &proof)).await
        })
        .await,
        attack(world, "a proof that is not one", "DPoP: a.b.c", held(401, "proof_malformed"), async {
            send(get(&path).header("authorization", &authorization).header("dpop", "a.b.c")).await
        })
        .await,
        attack(world, "a request for another host", "Host: evil.example", held(400, "host_unknown"), async {
            send(ana.proved(&get(&path), &token)?.header("host", "evil.example")).await
        })
        .await,
    ])
}

async fn paths(world: &World, People { ana, mallory }: &People) -> Result<Vec<Row>> {
    let (mine, others) = (customer(mallory).await?, customer(ana).await?);
    let token = access(mallory).await?;
    let mut rows = Vec::new();
    let tricks = [
        ("//", format!("/v1//customers/{others}/accounts")),
        ("/../", format!("/v1/customers/{mine}/../{others}/accounts")),
        ("..;/", format!("/v1/customers/{mine}/..;/{others}/accounts")),
        ("%2e%2e", format!("/v1/customers/{mine}/%2e%2e/{others}/accounts")),
        ("%252e%252e", format!("/v1/customers/{mine}/%252e%252e/{others}/accounts")),
        ("%2f", format!("/v1/customers/{mine}%2f..%2f{others}/accounts")),
    ];
    for (trick, path) in tricks {
        let sent = format!("{trick} in the path");
        let attempt = async { mallory.http().send(&mallory.proved(&get(&path), &token)?).await };
        rows.push(attack(world, &format!("path trick `{trick}`"), &sent, held(400, "path_ambiguous"), attempt).await);
    }
    let attempt = async { mallory.call(&get("/v1/debug/heap")).await };
    rows.push(attack(world, "an undeclared path", "GET /v1/debug/heap", held(403, "unknown_operation"), attempt).await);
    let attempt = async { mallory.call(&Call::new(Method::DELETE, "/v1/rates")).await };
    rows.push(attack(world, "an undeclared method", "DELETE /v1/rates", held(403, "unknown_operation"), attempt).await);
    Ok(rows)
}

async fn permissions(world: &World, People { ana, mallory }: &People) -> Result<Vec<Row>> {
    let (mine, anas) = (customer(mallory).await?, accounts_path(ana).await?);
    world.clock.turn(181);
    let large = transfer(mallory, 250_000).await?;
    let twice = format!(r#"{{"from":"{mine}-1","to":"DE02120300000000202051","amount":1,"amount":250000,"currency":"EUR"}}"#);
    let transfers = format!("/v1/customers/{mine}/transfers");
    Ok(vec![
        attack(world, "another customer's accounts", "GET ana's accounts as mallory", held(403, "no_permit"), mallory.call(&get(&anas)))
            .await,
        attack(world, "a transfer for another customer", "POST ana's transfers as mallory", held(403, "no_permit"), async {
            let mut call = transfer(mallory, 100).await?;
            call.target = format!("/v1/customers/{}/transfers", customer(ana).await?);
            mallory.call(&call).await
        })
        .await,
        attack(
            world,
            "an ordinary user on an admin operation",
            "GET /v1/admin/customers",
            held(403, "no_permit"),
            mallory.call(&get("/v1/admin/customers")),
        )
        .await,
        attack(
            world,
            "a large transfer, the finger three minutes old",
            "POST .../transfers 2,500.00",
            held(401, "large_transfer"),
            mallory.call(&large),
        )
        .await,
        attack(world, "one body, two amounts", r#"{"amount":1,...,"amount":250000}"#, held(400, "body_malformed"), {
            let mut call = Call::new(Method::POST, &transfers).header("content-type", "application/json");
            call.body = twice.into();
            async move { mallory.call(&call).await }
        })
        .await,
        attack(world, "an amount that is a text", r#"{"amount":"1"}"#, held(400, "body_field_invalid"), async {
            let body = json!({ "from": format!("{mine}-1"), "to": "x", "amount": "1", "currency": "EUR" });
            mallory.call(&Call::new(Method::POST, &transfers).json(&body)).await
        })
        .await,
        impostor_by_header(world, ana, mallory).await,
        old_phone(world).await,
    ])
}

/// A thief who got hold of a synchronised passkey signs in on a phone of his own; the owner sees it, and says that it was not her.
async fn disowned(world: &World) -> Result<Vec<Row>> {
    const DEVICES: &str = "/countersign/v1/me/devices";
    let owner = world.customer("ana.two-phones@example.com", &Handset::genuine()).await?;
    // Of two phones that a person has from the same second on, neither is the newer one.
    world.clock.turn(60);
    let thief = world.phone()?;
    thief.enrol(&world.ca, &Handset::genuine()).await?;
    thief.take_passkeys_of(&owner).await;
    thief.sign_in().await?;
    let path = accounts_path(&thief).await?;
    let token = access(&thief).await?;
    anyhow::ensure!(thief.http().send(&thief.proved(&get(&path), &token)?).await?.status == 200, "the thief's phone is let in at first");
    let own = owner.call(&get(DEVICES)).await?.json();
    let this = |device: &&serde_json::Value| device.get("this_device").and_then(|v| v.as_bool()) == Some(true);
    let own = own.get("devices").and_then(|v| v.as_array()).and_then(|devices| devices.iter().find(this).cloned());
    let own = own.as_ref().and_then(|device| device.get("id")).and_then(|v| v.as_str()).context("the owner's phone")?.to_owned();
    let turned = Call::new(Method::POST, &format!("{DEVICES}/{own}/not-me")).json(&json!({}));
    let mut rows = vec![
        attack(
            world,
            "a stolen passkey disowns its owner's phone",
            "POST .../not-me from the thief's phone",
            held(401, "session_suspect"),
            thief.call(&turned),
        )
        .await,
        attack(
            world,
            "and lifts its own limit",
            "POST /login/finish purpose=step_up, the same passkey",
            held(403, "binding_cooling_down"),
            thief.confirm(),
        )
        .await,
    ];
    let listed = owner.call(&get(DEVICES)).await?.json();
    let devices = listed.get("devices").and_then(|v| v.as_array()).context("a list of devices")?;
    let stranger = devices.iter().find(|device| device.get("new_device").and_then(|v| v.as_bool()) == Some(true));
    let id = stranger.and_then(|device| device.get("id")).and_then(|v| v.as_str()).context("the thief's phone is marked as new")?;
    let said = owner.call(&Call::new(Method::POST, &format!("{DEVICES}/{id}/not-me")).json(&json!({}))).await?;
    anyhow::ensure!(said.status == 200, "the owner is heard: {}", said.status);
    let attempt = async { thief.http().send(&thief.proved(&get(&path), &token)?).await };
    let sent = "the thief's next request, after the owner's not-me";
    rows.push(attack(world, "a phone that its person disowned", sent, held(401, "session_revoked"), attempt).await);
    Ok(rows)
}

/// The thief tells the upstream directly who he would like to be.
async fn impostor_by_header(world: &World, ana: &crate::phone::Phone, mallory: &crate::phone::Phone) -> Row {
    let mut row = attack(world, "an identity of one's own choice", "Countersign-User: <ana>", held(200, ""), async {
        let (anas, own) = (customer(ana).await?, customer(mallory).await?);
        let answer = mallory.call(&get("/v1/me").header("countersign-user", &anas)).await?;
        anyhow::ensure!(answer.json().get("customer").and_then(|v| v.as_str()) == Some(own.as_str()), "the bank believed the header");
        Ok::<Answer, anyhow::Error>(answer)
    })
    .await;
    row.ok = row.got.starts_with("200");
    row.expected = "the header is stripped".to_owned();
    if row.ok {
        row.got = "200, as mallory".to_owned();
        row.reason = "header stripped".to_owned();
    }
    row
}

/// A phone without last year's security updates is limited, not denied.
async fn old_phone(world: &World) -> Row {
    let mut seen = String::new();
    let mut row = attack(world, "a phone with an old patch level", "GET .../accounts", held(200, "patch_level_old"), async {
        let phone = world.customer("old.phone@example.com", &Handset::old_patch()).await?;
        let answer = phone.call(&get(&accounts_path(&phone).await?)).await?;
        let account = answer.json().pointer("/accounts/0").cloned().unwrap_or_default();
        anyhow::ensure!(account.get("iban").is_some_and(serde_json::Value::is_null), "the iban was shown: {account}");
        anyhow::ensure!(account.get("balance").is_some_and(serde_json::Value::is_null), "the balance was shown: {account}");
        "200, iban and balance hidden".clone_into(&mut seen);
        Ok(answer)
    })
    .await;
    if row.ok {
        row.got = seen;
    }
    row
}
