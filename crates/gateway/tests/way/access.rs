//! The table of what every door answers alike, at the doors of the API.

use std::sync::Arc;

use bytes::Bytes;
use countersign_compliance::Apps;
use countersign_core::{AppId, ClientId, SessionState, UnixSeconds};
use countersign_proof::{
    access_token,
    jwk::{Algorithm, SigningKey},
};
use countersign_store::{DeviceState, UserState};
use http::{HeaderValue, Request, header};
use http_body_util::Full;

use crate::{
    cases::{CASES, Wrong},
    fixture::{Attack, Fixture, NOW, session},
};

const PATH: &str = "/v1/accounts/a1";

/// The doors of the gateway.
#[derive(Clone, Copy, Debug)]
enum Door {
    AuthRequest,
    Proxy,
}

impl Door {
    async fn serve(self, f: &Fixture, request: Request<Full<Bytes>>) {
        match self {
            Self::AuthRequest => drop(f.ask_as_nginx(request).await),
            Self::Proxy => drop(f.serve(request).await),
        }
    }
}

/// Brings the one thing into disorder, and asks.
async fn ask(f: &Fixture, door: Door, wrong: Wrong) {
    let thief = SigningKey::generate(Algorithm::Es256).expect("a key").0;
    let other_hash = access_token::hash_text("another token");
    let none = Attack::default();
    let request = |attack| f.request_with("GET", PATH, "", attack);
    let edited = |edit: &dyn Fn(&mut Request<Full<Bytes>>)| {
        let mut request = f.request("GET", PATH, "");
        edit(&mut request);
        request
    };
    let text = |request: &Request<Full<Bytes>>, name: &str| request.headers()[name].to_str().expect("text").to_owned();
    let request = match wrong {
        Wrong::AccountClosed => {
            f.world.accounts.lock().expect("a lock").insert(session().user, UserState::Closed);
            request(none)
        }
        Wrong::AccountGone => {
            f.world.accounts.lock().expect("a lock").clear();
            request(none)
        }
        Wrong::AppGone => {
            f.gateway.access().apps.store(Arc::new(Apps::default()));
            request(none)
        }
        Wrong::BearerToken => edited(&|r| {
            let token = text(r, "authorization").replace("DPoP", "Bearer");
            r.headers_mut().insert(header::AUTHORIZATION, token.parse().expect("a value"));
        }),
        Wrong::DeviceOfAnotherApp => {
            f.set_device(|device| device.posture.app = AppId::parse("com.example.other").ok());
            request(none)
        }
        Wrong::DeviceRevoked => {
            f.set_device(|device| device.state = DeviceState::Revoked);
            request(none)
        }
        Wrong::DeviceUnknown => {
            f.world.devices.lock().expect("a lock").clear();
            request(none)
        }
        Wrong::ListOfProofs => edited(&|r| {
            let proof = text(r, "dpop");
            r.headers_mut().insert("dpop", format!("{proof},{proof}").parse().expect("a value"));
        }),
        Wrong::NoProof => edited(&|r| drop(r.headers_mut().remove("dpop"))),
        Wrong::NoToken => edited(&|r| drop(r.headers_mut().remove("authorization"))),
        Wrong::Nothing => request(none),
        Wrong::ProofBeyondAscii => edited(&|r| {
            r.headers_mut().insert("dpop", HeaderValue::from_bytes("\u{e4}".as_bytes()).expect("a value"));
        }),
        Wrong::ProofForAnotherMethod => request(Attack { proof_method: Some("POST"), ..none }),
        Wrong::ProofForAnotherPath => request(Attack { proof_path: Some("/v1/accounts/a2"), ..none }),
        Wrong::ProofForAnotherToken => request(Attack { proof_hash: Some(&other_hash), ..none }),
        Wrong::ProofReplayed => {
            let first = request(none);
            let again = edited(&|r| *r.headers_mut() = first.headers().clone());
            door.serve(f, first).await;
            again
        }
        Wrong::ProofUnreadable => edited(&|r| drop(r.headers_mut().insert("dpop", HeaderValue::from_static("a.b.c")))),
        Wrong::SessionChallenged => {
            f.set_session(|session| session.state = SessionState::Challenged);
            request(none)
        }
        Wrong::SessionExpired => {
            f.set_session(|session| session.expires_at = UnixSeconds(NOW - 1));
            request(none)
        }
        Wrong::SessionOfAnotherApp => {
            // Configured as well, and of the same package, so that nothing else is wrong.
            let other = ClientId::parse("com.example.other").expect("an id");
            let bank = f.gateway.access().apps.load().of(&session().client).expect("an app").clone();
            let both = Apps::from_iter([(session().client, bank.clone()), (other.clone(), bank)]);
            f.gateway.access().apps.store(Arc::new(both));
            f.set_session(|session| session.client = other);
            request(none)
        }
        Wrong::SessionRevoked => {
            f.set_session(|session| session.state = SessionState::Revoked);
            request(none)
        }
        Wrong::SessionUnknown => {
            f.world.sessions.lock().expect("a lock").clear();
            request(none)
        }
        Wrong::ThiefsKey => request(Attack { key: Some(&thief), ..none }),
        Wrong::ThiefsKeyForAnotherMethod => request(Attack { key: Some(&thief), proof_method: Some("POST"), ..none }),
        Wrong::ThiefsKeyForAnotherToken => request(Attack { key: Some(&thief), proof_hash: Some(&other_hash), ..none }),
        Wrong::TokenAfterTwoSpaces => edited(&|r| {
            let token = text(r, "authorization").replace("DPoP ", "DPoP  ");
            r.headers_mut().insert(header::AUTHORIZATION, token.parse().expect("a value"));
        }),
        Wrong::TokenExpired => request(Attack { claims: &|claims| claims.expires_at = UnixSeconds(NOW), ..none }),
        Wrong::TokenForAnotherAudience => {
            request(Attack { claims: &|claims| claims.audience = "https://api.example.net".to_owned(), ..none })
        }
        Wrong::TwoProofs => edited(&|r| {
            let proof = r.headers()["dpop"].clone();
            r.headers_mut().append("dpop", proof);
        }),
        Wrong::TwoTokens => edited(&|r| {
            let token = r.headers()["authorization"].clone();
            r.headers_mut().append("authorization", token);
        }),
    };
    door.serve(f, request).await;
}

#[tokio::test]
async fn the_api_answers_as_every_door_does() {
    for (door, (wrong, reason, signal)) in
        [Door::Proxy, Door::AuthRequest].into_iter().flat_map(|door| CASES.iter().map(move |context| (door, context)))
    {
        let f = Fixture::new().await;
        ask(&f, door, *wrong).await;
        let recorded = f.world.recorded.lock().expect("a lock").last().expect("an entry").clone();
        assert_eq!(recorded.event.reasons.first(), reason.as_ref(), "{door:?}: {wrong:?}");
        let heard: Vec<_> = f.world.signals.lock().expect("a lock").iter().map(|signal| signal.kind).collect();
        assert_eq!(heard, signal.iter().copied().collect::<Vec<_>>(), "{door:?}: {wrong:?}");
    }
}
