//! Attacks on the issuer's doors: stolen grants, and evidence that is not what it says.

use anyhow::{Context, Result, ensure};
use countersign_core::Secret;
use http::Method;

use crate::{
    phone::{Answer, Asked, Call, Handset, Phone, Tamper},
    scenarios::{
        attack::{People, attack, held},
        report::Row,
        world::{APP, World},
    },
};

/// Runs all of them.
///
/// # Errors
/// When the honest preparation of an attack fails.
pub async fn run(world: &World, people: &People) -> Result<Vec<Row>> {
    let mut rows = grants(world, people).await?;
    rows.extend(evidence(world).await?);
    rows.push(
        attack(
            world,
            "one handset makes 150 keys",
            "POST /devices, one key after the other",
            held(429, "enrolments_too_many"),
            many_keys(world),
        )
        .await,
    );
    Ok(rows)
}

async fn grants(world: &World, People { mallory, .. }: &People) -> Result<Vec<Row>> {
    let victim = world.customer("victim.of.theft@example.com", &Handset::genuine()).await?;
    let (code, verifier) = victim.authorize().await?;
    let guessed = Secret::new("a".repeat(43));
    let refresh = victim.tokens().await.context("the victim is signed in")?.refresh;
    let mut rows = vec![
        attack(world, "an intercepted code, another verifier", "POST /token", held(400, "pkce_mismatch"), victim.redeem(&code, &guessed))
            .await,
        attack(world, "an intercepted code, the thief's phone", "POST /token, mallory's device key", held(400, "refresh_foreign_key"), {
            mallory.redeem(&code, &verifier)
        })
        .await,
        attack(
            world,
            "a captured refresh request, sent again",
            "POST /token, byte for byte",
            held(400, "proof_replayed"),
            replayed_refresh(&victim),
        )
        .await,
        attack(
            world,
            "a stolen refresh token",
            "POST /token, mallory's device key",
            held(400, "refresh_foreign_key"),
            mallory.ask_to_renew(&refresh),
        )
        .await,
        attack(world, "the session it belonged to is frozen", "GET as the victim", held(401, "session_challenged"), async {
            let tokens = victim.tokens().await.context("the victim is signed in")?;
            victim.http().send(&victim.proved(&Call::new(Method::GET, "/v1/me"), &tokens.access)?).await
        })
        .await,
    ];
    let leaver = world.customer("leaver@example.com", &Handset::genuine()).await?;
    let kept = leaver.tokens().await.context("the leaver is signed in")?;
    leaver.sign_out().await?;
    rows.push(
        attack(world, "a refresh token after signing out", "POST /token", held(400, "refresh_unknown"), leaver.ask_to_renew(&kept.refresh))
            .await,
    );
    rows.push(
        attack(world, "an access token after signing out", "GET /v1/me", held(401, "session_revoked"), async {
            leaver.http().send(&leaver.proved(&Call::new(Method::GET, "/v1/me"), &kept.access)?).await
        })
        .await,
    );
    Ok(rows)
}

/// Enrols key after key of one handset. Another handset at the same site is taken afterwards.
async fn many_keys(world: &World) -> Result<Answer> {
    let (mut refused, mut taken) = (None, 0);
    for _ in 0..150 {
        let phone = world.phone()?;
        let answer = phone.present_chain(&world.ca, &Handset::of_one_batch(), &phone.challenge().await?).await?;
        if answer.status.is_success() {
            taken += 1;
        } else {
            refused = Some(answer);
        }
    }
    ensure!(taken <= 20, "{taken} keys of one handset were taken");
    world.phone()?.enrol(&world.ca, &Handset::genuine()).await.context("another handset at the same site")?;
    refused.context("all keys were taken")
}

async fn replayed_refresh(victim: &Phone) -> Result<Answer> {
    let refresh = victim.tokens().await.context("the victim is signed in")?.refresh;
    let captured = victim.refresh_request(&refresh)?;
    victim.http().send(&captured).await?;
    victim.http().send(&captured).await
}

async fn evidence(world: &World) -> Result<Vec<Row>> {
    let rows: &[(&str, &str, Tamper, &'static str)] = &[
        ("a rooted phone", "chain says: unlocked, boot not verified", Tamper::Rooted, "boot_not_verified"),
        ("an unlocked bootloader", "chain says: unlocked, boot verified", Tamper::UnlockedBootloader, "bootloader_unlocked"),
        ("a phone with a home-made system", "chain says: self-signed boot", Tamper::SelfSignedBoot, "boot_not_verified"),
        ("a software keystore", "chain says: Software", Tamper::SoftwareKeystore, "key_not_hardware"),
        ("a repackaged app", "another signing certificate", Tamper::RepackagedApp, "app_signer_unknown"),
        ("another app", "another package name", Tamper::AnotherApp, "app_unknown"),
        ("a stale challenge", "the challenge of an earlier enrolment", Tamper::StaleChallenge, "challenge_unknown"),
        ("evidence for another challenge", "challenge bytes differ", Tamper::AnotherChallenge, "challenge_mismatch"),
        ("another phone's evidence", "chain for a foreign key", Tamper::ForeignKey, "attestation_key_mismatch"),
        ("an appended certificate", "own key certified by an attested key", Tamper::AppendedCertificate, "chain_extended"),
        ("a certificate authority of one's own", "chain to an unknown root", Tamper::OwnAuthority, "anchor_unknown"),
        ("an expired chain, recombined with a public root", "another end was appended", Tamper::RecombinedExpired, "chain_broken"),
        ("a stolen attestation key", "on the vendor's revocation list", Tamper::RevokedIntermediate, "certificate_revoked"),
        ("a forged description", "one byte changed after signing", Tamper::ForgedDescription, "chain_signature_invalid"),
        ("an imported key", "origin: imported", Tamper::ImportedKey, "key_not_generated"),
    ];
    let mut out = Vec::new();
    for (name, sent, tamper, reason) in rows {
        let status = if *reason == "challenge_unknown" { 400 } else { 403 };
        out.push(attack(world, name, sent, held(status, reason), present(world, *tamper)).await);
    }
    Ok(out)
}

/// Enrols a phone whose evidence was tampered with in one way.
async fn present(world: &World, tamper: Tamper) -> Result<Answer> {
    let phone = world.phone()?;
    let challenge = phone.challenge().await?;
    let now = countersign_core::Clock::now(&*world.clock).seconds();
    let chain = world.ca.attest_tampered(tamper, &Asked { app: APP, key: phone.device_key(), challenge: &challenge, now })?;
    if tamper == Tamper::StaleChallenge {
        phone.present(&challenge, &chain).await?;
    }
    phone.present(&challenge, &chain).await
}
