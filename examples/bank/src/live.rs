//! What the bank says without being asked again: exchange rates as they change, over a WebSocket or as events.
//!
//! It decides nothing about how long a connection stays open either. Countersign does, and cuts it.

use std::{convert::Infallible, time::Duration};

use axum::{
    body::{Body, Bytes},
    extract::ws::{Message, WebSocket, WebSocketUpgrade},
    http::header,
    response::{IntoResponse, Response},
};
use tokio::time::interval;

/// How often rates change.
const RATES_EVERY: Duration = Duration::from_millis(200);

/// A WebSocket on which rates come by themselves, and what is said is repeated.
pub async fn socket(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(talk)
}

async fn talk(mut socket: WebSocket) {
    let mut ticks = interval(RATES_EVERY);
    let mut tick = 0_u64;
    loop {
        let message = tokio::select! {
            _ = ticks.tick() => {
                tick = tick.wrapping_add(1);
                Message::text(rate(tick))
            }
            heard = socket.recv() => match heard {
                Some(Ok(message @ (Message::Binary(_) | Message::Text(_)))) => message,
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
            },
        };
        if socket.send(message).await.is_err() {
            return;
        }
    }
}

/// The same rates as Server-Sent Events.
pub async fn events() -> Response {
    let (rates, stream) = tokio::io::duplex(1024);
    tokio::spawn(async move {
        let mut rates = rates;
        let mut ticks = interval(RATES_EVERY);
        for tick in 1_u64.. {
            ticks.tick().await;
            let event = format!("event: rate\ndata: {}\n\n", rate(tick));
            if tokio::io::AsyncWriteExt::write_all(&mut rates, event.as_bytes()).await.is_err() {
                return;
            }
        }
    });
    let body = Body::from_stream(chunks(stream));
    ([(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")], body).into_response()
}

fn chunks(stream: tokio::io::DuplexStream) -> impl futures_util::Stream<Item = Result<Bytes, Infallible>> {
    futures_util::stream::unfold(stream, async |mut stream| {
        let mut chunk = vec![0; 1024];
        match tokio::io::AsyncReadExt::read(&mut stream, &mut chunk).await {
            Ok(0) | Err(_) => None,
            Ok(count) => {
                chunk.truncate(count);
                Some((Ok(Bytes::from(chunk)), stream))
            }
        }
    })
}

/// A rate that moves a little.
fn rate(tick: u64) -> String {
    format!(r#"{{"n":{tick},"pair":"EUR/USD","rate":1.{:03}}}"#, 80_u64.wrapping_add(tick % 10))
}
