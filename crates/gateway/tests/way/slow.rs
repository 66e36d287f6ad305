//! Bodies that take their time: what ends meanwhile has ended, and nobody waits for ever.

use std::{
    convert::Infallible,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use countersign_core::{Reason, SessionState};
use countersign_gateway::{Peer, serve};
use countersign_store::DeviceState;
use futures_util::{Stream, StreamExt, stream};
use http::StatusCode;
use http_body::Frame;
use http_body_util::StreamBody;

use crate::fixture::{Fixture, NOW, World};

type Sent = Result<Frame<Bytes>, Infallible>;

fn frame(text: &'static str) -> Sent {
    Ok(Frame::data(Bytes::from_static(text.as_bytes())))
}

/// Sends a transfer with this body.
async fn transfer(fixture: &Fixture, body: impl Stream<Item = Sent> + Send + 'static) -> (StatusCode, Vec<Reason>) {
    let (head, _) = fixture.request("POST", "/v1/transfers", r#"{"amount": 50}"#).into_parts();
    let request = http::Request::from_parts(head, StreamBody::new(Box::pin(body)));
    let answer = serve(&fixture.gateway, request, Peer::new("192.0.2.77:50000".parse().expect("an address"))).await;
    let recorded = fixture.world.recorded.lock().expect("a lock").drain(..).flat_map(|entry| entry.event.reasons).collect();
    (answer.status(), recorded)
}

/// What happens between the first and the last byte of a body.
type Event = fn(&World);

#[tokio::test]
async fn what_ends_while_a_body_is_sent_has_ended() {
    let rows: &[(&str, Event, u16, Option<Reason>)] = &[
        ("nothing", |_| {}, 200, None),
        ("the session is revoked", |world| ends(world, SessionState::Revoked), 401, Some(Reason::SessionRevoked)),
        ("the session is limited", |world| ends(world, SessionState::Limited), 401, Some(Reason::SessionSuspect)),
        ("the phone is reported stolen", stolen, 401, Some(Reason::DeviceRevoked)),
        ("the token expires", |world| world.clock.store(NOW + 291, Ordering::SeqCst), 401, Some(Reason::TokenExpired)),
    ];
    for (name, event, status, reason) in rows {
        let fixture = Fixture::new().await;
        let (world, event) = (Arc::clone(&fixture.world), *event);
        let last = stream::once(async move {
            event(&world);
            frame(": 50}")
        });
        let (answered, recorded) = transfer(&fixture, stream::iter([frame("{\"amount\"")]).chain(last)).await;
        let asked = fixture.world.asked.lock().expect("a lock").len();
        assert_eq!((answered.as_u16(), asked), (*status, usize::from(reason.is_none())), "{name}");
        if let Some(reason) = reason {
            assert_eq!(recorded, std::slice::from_ref(reason), "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_drips_is_not_waited_for() {
    let fixture = Fixture::new().await;
    let began = tokio::time::Instant::now();
    let drops = stream::repeat(()).then(|()| async {
        tokio::time::sleep(Duration::from_secs(20)).await;
        frame(" ")
    });
    let (answered, recorded) = transfer(&fixture, drops).await;
    assert_eq!((answered.as_u16(), recorded), (400, vec![Reason::RequestTooSlow]));
    assert_eq!(began.elapsed(), Duration::from_secs(60));
    assert!(fixture.world.asked.lock().expect("a lock").is_empty());
}

fn ends(world: &World, state: SessionState) {
    world.sessions.lock().expect("a lock").values_mut().for_each(|session| session.state = state);
}

fn stolen(world: &World) {
    world.devices.lock().expect("a lock").values_mut().for_each(|device| device.state = DeviceState::Revoked);
}
