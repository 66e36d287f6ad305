//! The bank on a port of loopback: `countersign-example-bank [PORT]`, 8080 without one.

use std::{io, net::Ipv4Addr};

use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> io::Result<()> {
    let port = match std::env::args().nth(1) {
        None => 8080,
        Some(text) => text.parse().map_err(|_| io::Error::other(format!("`{text}` is not a port; give a number up to 65535")))?,
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    countersign_example_bank::serve(listener).await
}
