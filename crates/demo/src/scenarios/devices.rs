//! Device trust: iPhones, verdicts, reports, old systems and apps, evidence that ages, and a maker's key that leaks.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use countersign_attest::{apple::Environment, play::request_hash};
use http::Method;
use serde_json::json;

use crate::{
    phone::{Answer, Call, EnclaveKey, Handset, Phone, Verdict, code_of},
    scenarios::{
        attack::{attack, held},
        honest::{accounts_path, served, transfer},
        report::{Row, honest},
        world::{APP, World},
    },
};

/// Seconds after which the bank's evidence about a phone is too old to show an account.
const PAST_EVIDENCE: u64 = 12 * 3600 + 1;

/// What must work.
///
/// # Errors
/// When the honest preparation fails.
pub async fn honest_rows(world: &World) -> Result<Vec<Row>> {
    let iphone = Arc::new(world.phone()?);
    let key = Arc::new(EnclaveKey::new()?);
    Ok(vec![
        honest("an iPhone joins, and reads its accounts", "App Attest object, passkey, GET", joins(world, &iphone, &key)).await,
        honest("eight assertions at once, out of order", "8 x POST /attest, newest first", eight(&iphone, &key)).await,
        honest("a phone whose maker wrote `CA:FALSE` above its keys", "a genuine chain from the factory", modest(world)).await,
        honest("Google vouches for a phone besides", "POST /attest with a token of Play Integrity", vouched(world)).await,
        honest("evidence grew old: renewed without the person", "GET, POST /attest, GET", renewed(world)).await,
    ])
}

async fn joins(world: &World, iphone: &Phone, key: &EnclaveKey) -> Result<String> {
    iphone.enrol_by_app_attest(&world.apple, key, Environment::Production).await?;
    iphone.register("ana.with.an.iphone@example.com", None).await?;
    iphone.sign_in().await?;
    served(&iphone.call(&Call::new(Method::GET, &accounts_path(iphone).await?)).await?)?;
    Ok("vouched for by app_attest".to_owned())
}

async fn eight(iphone: &Arc<Phone>, key: &EnclaveKey) -> Result<String> {
    let mut made = Vec::new();
    for _ in 0..8 {
        let challenge = iphone.challenge_to_attest().await?;
        made.push((challenge, iphone.assertion(key, &challenge)?));
    }
    let sent: Vec<_> = made
        .into_iter()
        .rev()
        .map(|(challenge, assertion)| {
            let iphone = Arc::clone(iphone);
            tokio::spawn(async move { iphone.renew_evidence(&challenge, "assertion", json!(assertion)).await })
        })
        .collect();
    for answer in sent {
        served(&answer.await??)?;
    }
    Ok("8 accepted".to_owned())
}

async fn modest(world: &World) -> Result<String> {
    let phone = world.customer("modest.maker@example.com", &Handset::of_modest_maker()).await?;
    served(&phone.call(&Call::new(Method::GET, "/v1/me")).await?)?;
    Ok("device attested, served".to_owned())
}

async fn vouched(world: &World) -> Result<String> {
    let phone = world.customer("with.google@example.com", &Handset::genuine()).await?;
    served(&verdict(world, &phone, |_| {}).await?)?;
    served(&phone.call(&Call::new(Method::GET, "/v1/me")).await?)?;
    Ok("verdict taken".to_owned())
}

async fn renewed(world: &World) -> Result<String> {
    let (phone, handset) = (world.customer("old.evidence@example.com", &Handset::genuine()).await?, Handset::genuine());
    let customer = accounts_path(&phone).await?;
    let card = Call::new(Method::GET, &format!("{customer}/{}-1", customer.split('/').nth(3).context("a customer")?));
    world.clock.turn(PAST_EVIDENCE);
    let first = phone.call(&card).await?;
    let challenge = first.header("www-authenticate").unwrap_or_default().to_owned();
    ensure!(code_of(&first) == "reattest" && challenge.contains("use_fresh_attestation"), "{} {challenge}", first.status);
    served(&phone.call_proving(&card, &world.ca, &handset).await?)?;
    Ok("reattest, then allow".to_owned())
}

/// What must be stopped.
///
/// # Errors
/// When the honest preparation of an attack fails.
pub async fn attack_rows(world: &World) -> Result<Vec<Row>> {
    let mut rows = apple(world).await?;
    rows.extend(google(world).await?);
    rows.extend(lacking(world).await?);
    rows.extend(leaked(world).await?);
    Ok(rows)
}

async fn apple(world: &World) -> Result<Vec<Row>> {
    let (iphone, key) = (world.phone()?, EnclaveKey::new()?);
    let sandbox =
        attack(world, "an App Attest key of a developer's build", "environment: development", held(403, "environment_mismatch"), {
            iphone.present_app_attest(&world.apple, &key, Environment::Development)
        })
        .await;
    let stolen = attack(
        world,
        "an iPhone's attestation for a thief's device key",
        "the object was made for another key",
        held(403, "challenge_mismatch"),
        async { world.phone()?.present_foreign_app_attest(&world.apple, &key, &iphone).await },
    )
    .await;
    iphone.enrol_by_app_attest(&world.apple, &key, Environment::Production).await?;
    served(&iphone.assert(&key).await?)?;
    let copy = key.cloned()?;
    served(&iphone.assert(&key).await?)?;
    let (name, expected) = ("a copy of an iPhone's key counts on its own", held(403, "assertion_counter_reused"));
    let cloned = attack(world, name, "POST /attest, a counter that was used", expected, iphone.assert(&copy)).await;
    Ok(vec![sandbox, stolen, cloned])
}

/// A token for a fresh challenge, bent in one way, presented by `phone`.
async fn verdict(world: &World, phone: &Phone, bend: impl FnOnce(&mut Verdict<'_>)) -> Result<Answer> {
    let challenge = phone.challenge_to_attest().await?;
    let token = token(world, phone, &challenge, bend)?;
    phone.renew_evidence(&challenge, "integrity", json!(token)).await
}

fn token(world: &World, phone: &Phone, challenge: &[u8; 32], bend: impl FnOnce(&mut Verdict<'_>)) -> Result<String> {
    let request_hash = request_hash(challenge, phone.device_key().public().thumbprint());
    let labels = ["MEETS_BASIC_INTEGRITY", "MEETS_DEVICE_INTEGRITY"];
    let mut verdict = Verdict { package: APP, request_hash: &request_hash, at: phone.now(), labels: &labels };
    bend(&mut verdict);
    world.google.token(&verdict, &*world.around.entropy)
}

async fn google(world: &World) -> Result<Vec<Row>> {
    let phone = world.customer("verdicts@example.com", &Handset::genuine()).await?;
    let replayed = async {
        let first = phone.challenge_to_attest().await?;
        let captured = token(world, &phone, &first, |_| {})?;
        served(&phone.renew_evidence(&first, "integrity", json!(captured)).await?)?;
        phone.renew_evidence(&phone.challenge_to_attest().await?, "integrity", json!(captured)).await
    };
    let mut rows = vec![
        attack(world, "a verdict of Google, used again", "POST /attest, the same token", held(403, "play_request_mismatch"), replayed)
            .await,
        attack(world, "a verdict about another app", "packageName of another app", held(403, "app_unknown"), {
            verdict(world, &phone, |verdict| verdict.package = "com.example.other")
        })
        .await,
        attack(world, "a verdict of ten minutes ago", "timestampMillis 600 s old", held(403, "play_verdict_too_old"), {
            verdict(world, &phone, |verdict| verdict.at.0 = verdict.at.0.saturating_sub(600))
        })
        .await,
    ];
    let sound = async {
        served(&verdict(world, &phone, |verdict| verdict.labels = &["MEETS_BASIC_INTEGRITY"]).await?)?;
        phone.call(&Call::new(Method::GET, "/v1/me")).await
    };
    let name = "a phone that Google does not find sound";
    rows.push(attack(world, name, "verdict without device integrity, then GET", held(403, "play_device_integrity_missing"), sound).await);
    Ok(rows)
}

async fn lacking(world: &World) -> Result<Vec<Row>> {
    let phone = world.customer("rooted@example.com", &Handset::genuine()).await?;
    let payment = transfer(&phone, 100).await?;
    served(&phone.call(&payment).await?)?;
    let rooted = async {
        served(&phone.report(&["rooted"]).await?)?;
        phone.call(&payment).await
    };
    let mut rows = vec![
        attack(world, "a phone whose app found it rooted pays", "POST /report, POST .../transfers", held(403, "rooted"), rooted).await,
    ];
    let lied = async {
        served(&phone.report(&[]).await?)?;
        phone.call(&payment).await
    };
    rows.push(attack(world, "the same app takes it back", "POST /report without findings", held(403, "rooted"), lied).await);
    let old = world.customer("old.patches.pay@example.com", &Handset::old_patch()).await?;
    let payment = transfer(&old, 100).await?;
    rows.push(
        attack(world, "a phone without a year's patches pays", "POST .../transfers", held(403, "patch_level_too_old"), old.call(&payment))
            .await,
    );
    let old_app = async {
        let phone = world.phone()?;
        let answer = phone.present_chain(&world.ca, &Handset::old_app(39), &phone.challenge().await?).await?;
        let shop = answer.json().pointer("/remedies/0/url").and_then(|url| url.as_str().map(String::from)).context("no link to a store")?;
        ensure!(shop == "https://play.google.com/store/apps/details?id=com.example.bank", "{shop}");
        Ok(answer)
    };
    let (name, sent) = ("an app that is no longer supported", "chain says: version 39; answer links to the store");
    rows.push(attack(world, name, sent, held(403, "app_version_too_old"), old_app).await);
    let foreign = async {
        let (thief, genuine) = (world.customer("thief.of.freshness@example.com", &Handset::genuine()).await?, world.phone()?);
        thief.attest_again_with_chain_of(&genuine, &world.ca).await
    };
    let name = "another phone's fresh evidence";
    rows.push(attack(world, name, "POST /attest, chain made for another device key", held(403, "challenge_mismatch"), foreign).await);
    Ok(rows)
}

/// A maker's key leaks while its phones are in use.
async fn leaked(world: &World) -> Result<Vec<Row>> {
    let phone = world.customer("of.a.careless.maker@example.com", &Handset::of_leaking_batch()).await?;
    let call = Call::new(Method::GET, "/v1/me");
    served(&phone.call(&call).await?)?;
    let revoked = async {
        world.publish_the_leak().await?;
        phone.call(&call).await
    };
    let name = "a maker's key leaks: its phones are cut off";
    Ok(vec![attack(world, name, "status list read again, then GET", held(403, "certificate_revoked"), revoked).await])
}
