//! Webhook messages, signed as Standard Webhooks asks (<https://www.standardwebhooks.com>, specification 1.0.0).

use std::fmt;

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use countersign_core::{IncidentId, Secret, UnixSeconds};

/// Reason why a text is not a webhook key. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookKeyRefusal {
    /// The part after `whsec_` is not base64.
    Malformed,
    /// The text does not begin with `whsec_`.
    PrefixMissing,
    /// The key has fewer than 24 or more than 64 bytes.
    SizeWrong,
}

impl fmt::Display for WebhookKeyRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the text after `whsec_` is not base64",
            Self::PrefixMissing => "a webhook secret must begin with `whsec_`",
            Self::SizeWrong => "a webhook secret must have 24 to 64 bytes; create one with `openssl rand -base64 32`",
        })
    }
}

impl std::error::Error for WebhookKeyRefusal {}

/// Key that signs messages to one receiver.
pub struct WebhookKey(hmac::Key);

impl fmt::Debug for WebhookKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookKey")
    }
}

impl WebhookKey {
    /// Parses `whsec_` and base64 of 24 to 64 bytes.
    ///
    /// # Errors
    /// A refusal when the text has another form.
    pub fn parse(text: &Secret<String>) -> Result<Self, WebhookKeyRefusal> {
        let encoded = text.expose().trim().strip_prefix("whsec_").ok_or(WebhookKeyRefusal::PrefixMissing)?;
        let bytes = Secret::new(STANDARD.decode(encoded).map_err(|_| WebhookKeyRefusal::Malformed)?);
        if !(24..=64).contains(&bytes.expose().len()) {
            return Err(WebhookKeyRefusal::SizeWrong);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, bytes.expose())))
    }
}

/// One message: its body and the three headers that go with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Header `webhook-id`, the same for every attempt, so that receivers can drop repetitions.
    pub id: String,
    /// Header `webhook-timestamp`, in seconds since 1970.
    pub timestamp: String,
    /// Header `webhook-signature`: `v1,` and the base64 of the HMAC-SHA256.
    pub signature: String,
    /// Body of the message, as JSON.
    pub body: String,
}

impl Message {
    /// Signs the message about the `count`-th change of an incident.
    #[must_use]
    pub fn sign(key: &WebhookKey, incident: &IncidentId, count: u64, body: String, now: UnixSeconds) -> Self {
        let id = format!("msg_{incident}_{count}");
        let timestamp = now.0.to_string();
        // The signed text is `id.timestamp.body`, so that none of the three can be exchanged.
        let tag = hmac::sign(&key.0, format!("{id}.{timestamp}.{body}").as_bytes());
        let signature = format!("v1,{}", STANDARD.encode(tag.as_ref()));
        Self { id, timestamp, signature, body }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Result<WebhookKey, WebhookKeyRefusal> {
        WebhookKey::parse(&Secret::new(text.to_owned()))
    }

    /// The example of the specification's reference implementations, with the id that they use.
    #[test]
    fn the_signature_is_the_one_that_receivers_compute() {
        let key = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a key");
        let tag = hmac::sign(&key.0, br#"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}"#);
        assert_eq!(STANDARD.encode(tag.as_ref()), "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_message_names_its_incident_and_is_signed_with_everything() {
        let key = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a key");
        let incident = IncidentId::from_random([1; 16]);
        let first = Message::sign(&key, &incident, 1, "{}".to_owned(), UnixSeconds(5));
        assert_eq!(first.id, format!("msg_{incident}_1"));
        assert_eq!(first.timestamp, "5");
        for other in [
            Message::sign(&key, &incident, 2, "{}".to_owned(), UnixSeconds(5)),
            Message::sign(&key, &incident, 1, "{ }".to_owned(), UnixSeconds(5)),
            Message::sign(&key, &incident, 1, "{}".to_owned(), UnixSeconds(6)),
        ] {
            assert_ne!(first.signature, other.signature);
        }
    }

    #[test]
    fn keys_are_taken_strictly() {
        let rows = [
            ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", WebhookKeyRefusal::PrefixMissing),
            ("whsec_not base64!", WebhookKeyRefusal::Malformed),
            ("whsec_AAAA", WebhookKeyRefusal::SizeWrong),
        ];
        for (text, expected) in rows {
            assert_eq!(key(text).expect_err("refused"), expected, "{text}");
        }
    }
}
