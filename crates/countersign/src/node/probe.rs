//! What the demo looks at from inside: it plays the operator, who holds a stolen token in hand, and the log's reader.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_proof::{
    access_token::{self, Claims},
    jws::{Jws, Type},
    key_set::KeySet,
};
use countersign_store::segments;

use crate::{admin::office::ActRefusal, node::live::RunningNode};

/// What a verification of the log found, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogReport {
    /// Records under a signed checkpoint.
    pub committed: u64,
    /// All faults, in order of appearance.
    pub faults: Vec<String>,
}

impl RunningNode {
    /// The exact reasons that the log has for a decision; `None` when it has no such decision.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn reasons_of(&self, decision: &str) -> Result<Option<Vec<String>>> {
        let record = match self.office().decision(decision).await {
            Ok(record) => record,
            Err(ActRefusal::NotFound(_)) => return Ok(None),
            Err(refusal @ (ActRefusal::Invalid(_) | ActRefusal::Unavailable(_))) => return Err(anyhow!("{refusal:?}")),
        };
        Ok(Some(record.read()?.event.reasons.iter().map(ToString::to_string).collect()))
    }

    /// Verifies a log in `directory` by this node's key.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn verify_log(&self, directory: &Path) -> Result<LogReport> {
        let report = segments::verify(directory, &self.office().log_key, None)?;
        Ok(LogReport { committed: report.committed, faults: report.faults.iter().map(ToString::to_string).collect() })
    }

    /// Ends the session of an access token, as an operator would.
    ///
    /// # Errors
    /// When the token is none of ours, or the node fails.
    pub async fn revoke_session_of(&self, token: &str) -> Result<()> {
        let session = self.claims(token)?.session;
        self.office().revoke_session(session.as_str()).await.map(|_| ()).map_err(|refusal| anyhow!("{refusal:?}"))
    }

    /// Cuts off the device of an access token, as an operator would.
    ///
    /// # Errors
    /// When the token is none of ours, or the node fails.
    pub async fn revoke_device_of(&self, token: &str) -> Result<()> {
        let session = self.claims(token)?.session;
        let session = self.office().session(session.as_str()).await.map_err(|refusal| anyhow!("{refusal:?}"))?;
        self.office().revoke_device(session.device.as_str()).await.map(|_| ()).map_err(|refusal| anyhow!("{refusal:?}"))
    }

    /// The same token for another API: genuine in everything but its audience.
    ///
    /// # Errors
    /// When the token is none of ours.
    pub async fn token_for_another_audience(&self, token: &str) -> Result<String> {
        let claims = Claims { audience: "https://another-api.example.com".to_owned(), ..self.claims(token)? };
        let rings = self.live.rings.access.load();
        let key = rings.current(self.live.clock.now().seconds()).context("a key has its turn")?;
        let signed = access_token::issue(&key.key, &key.id, &claims).map_err(|e| anyhow!("{e}"))?;
        Ok(signed.expose().clone())
    }

    /// Verifies a statement as an upstream would, by the published keys alone: its subject.
    ///
    /// # Errors
    /// When it does not verify, or is not from this node for its upstream.
    pub fn check_statement(&self, statement: &str, jwks: &str) -> Result<String> {
        let keys = KeySet::from_jwks(jwks).map_err(|e| anyhow!("the published keys: {e}"))?;
        let jws = Jws::read(statement, Type::Is(countersign_gateway::STATEMENT_TYPE)).map_err(|e| anyhow!("the statement: {e:?}"))?;
        let payload = keys.verify(jws).map_err(|e| anyhow!("the statement: {e:?}"))?;
        let claims: serde_json::Value = serde_json::from_slice(payload.as_bytes())?;
        let text = |name: &str| claims.get(name).and_then(|value| value.as_str()).with_context(|| format!("the statement has no `{name}`"));
        let (issuer, audience) = (self.live.config.public.as_str(), self.live.config.upstream.origin.as_str());
        if text("iss")? != issuer || text("aud")? != audience {
            return Err(anyhow!("the statement is from `{}` for `{}`", text("iss")?, text("aud")?));
        }
        text("sub").map(String::from)
    }

    /// What stands in a token of ours, expired or not.
    fn claims(&self, token: &str) -> Result<Claims> {
        let issued_at = issued_at(token).context("the token has no time")?;
        let verified = self.live.rings.verifier(self.live.config.public.as_str(), self.live.clock.now().seconds());
        let verified = verified.verify(token, countersign_core::UnixSeconds(issued_at)).map_err(|e| anyhow!("the token: {e:?}"))?;
        Ok(verified.claims().clone())
    }
}

fn issued_at(token: &str) -> Option<u64> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice::<serde_json::Value>(&claims).ok()?.get("iat")?.as_u64()
}
