//! Whoever proves nothing is read nothing from: at every door with a body, the head alone decides whether the body is read.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::body::{Body, Bytes};
use countersign_issuer::{BodyKind, SignUp, endpoints};
use http::Request;

use crate::world::World;

/// A body that notes whether anybody has asked for it.
fn noted(read: Arc<AtomicBool>) -> Body {
    Body::from_stream(futures_util::stream::once(async move {
        read.store(true, Ordering::SeqCst);
        Ok::<_, std::io::Error>(Bytes::from_static(b"{}"))
    }))
}

#[tokio::test]
async fn no_body_is_read_of_who_proves_nothing() {
    let world = World::new(SignUp::Open);
    for endpoint in endpoints().filter(|endpoint| endpoint.body != BodyKind::Nothing) {
        let media_type = match endpoint.body {
            BodyKind::Form => "application/x-www-form-urlencoded",
            BodyKind::Json | BodyKind::Nothing => "application/json",
        };
        for (name, value) in [("x-nothing", "1"), ("dpop", "not.a.proof"), ("authorization", "DPoP not.a.token")] {
            let read = Arc::new(AtomicBool::new(false));
            let path = endpoint.path.replace("{id}", "d_1");
            let request = Request::builder().method(endpoint.method.clone()).uri(&path).header("content-type", media_type);
            let answer = world.send(request.header(name, value).body(noted(Arc::clone(&read))).expect("a request")).await;
            // The one door at which a phone that has no key yet begins.
            let expected = endpoint.path == "/countersign/v1/challenge";
            assert_eq!(read.load(Ordering::SeqCst), expected, "{path} with {name}: {}", answer.verdict());
            assert!(answer.status.is_client_error(), "{path}: {}", answer.verdict());
        }
    }
}
