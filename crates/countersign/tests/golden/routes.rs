//! Routes: what each path answers to each method without credentials. Paths that are gone and methods that are not taken leave no line.

use http::Method;

use crate::{
    golden,
    place::{Place, ask},
    product::Call,
};

const METHODS: [Method; 6] = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// On the public port: the issuer, shared signals, and the API behind.
const PUBLIC: &[&str] = &[
    "/.well-known/jwks.json",
    "/.well-known/oauth-authorization-server",
    "/.well-known/ssf-configuration",
    "/countersign/v1/attest",
    "/countersign/v1/challenge",
    "/countersign/v1/devices",
    "/countersign/v1/login/finish",
    "/countersign/v1/login/start",
    "/countersign/v1/me/devices",
    "/countersign/v1/me/devices/d_AAAAAAAAAAAAAAAAAAAAAA",
    "/countersign/v1/me/devices/d_AAAAAAAAAAAAAAAAAAAAAA/not-me",
    "/countersign/v1/me/notices",
    "/countersign/v1/no-such-door",
    "/countersign/v1/registration/finish",
    "/countersign/v1/registration/start",
    "/countersign/v1/report",
    "/countersign/v1/revoke",
    "/countersign/v1/signals/events",
    "/countersign/v1/signals/jwks.json",
    "/countersign/v1/signals/poll",
    "/countersign/v1/signals/verify",
    "/countersign/v1/token",
    "/v1/rates",
];

/// On the admin socket.
const ADMIN: &[&str] = &[
    "/v1/audit/checkpoint",
    "/v1/backup",
    "/v1/decisions",
    "/v1/decisions/D-1",
    "/v1/dev-tokens",
    "/v1/dev-tokens/dt_1/revoke",
    "/v1/devices",
    "/v1/devices/d_1",
    "/v1/devices/d_1/revoke",
    "/v1/devices/report",
    "/v1/feeds",
    "/v1/feeds/boot_keys/roll-back",
    "/v1/incidents",
    "/v1/incidents/i_1",
    "/v1/incidents/i_1/fine",
    "/v1/invitations",
    "/v1/mail",
    "/v1/mail/test",
    "/v1/reload",
    "/v1/sessions",
    "/v1/sessions/s_1",
    "/v1/sessions/s_1/revoke",
    "/v1/status",
    "/v1/suppressions",
    "/v1/users",
    "/v1/users/nobody",
    "/v1/users/nobody/close",
];

/// On the side port.
const SIDE: &[&str] = &["/healthz", "/metrics", "/readyz"];

#[tokio::test(flavor = "multi_thread")]
async fn routes_are_as_they_were() {
    let place = Place::start().await;
    let mut lines = Vec::new();
    let http = place.http();
    for path in PUBLIC {
        for method in METHODS {
            let answer = http.send(&Call::new(method.clone(), path)).await.expect("an answer");
            let status = answer.status.as_u16();
            let body = answer.json();
            let code = ["code", "error", "err"].iter().find_map(|key| body.get(*key)?.as_str()).unwrap_or_default();
            if status != 405 {
                lines.push(format!("public {method} {path} {status} {code}").trim_end().to_owned());
            }
        }
    }
    let socket = place.home.path().join("data/admin.sock");
    for path in ADMIN {
        for method in METHODS.iter().filter(|method| **method != Method::HEAD) {
            // Nobody is asked to do anything: a body that is no JSON is refused wherever one is read.
            let (status, answer) = ask(&socket, method.as_str(), path, "").await;
            let known = status != 405 && (status != 404 || answer.get("error").is_some());
            lines.extend(known.then(|| format!("admin {method} {path} {status}")));
        }
    }
    let side = place.node.addresses().side;
    for path in SIDE {
        for method in METHODS.iter().filter(|method| **method != Method::HEAD) {
            let status = plain(side, method, path).await.0;
            lines.extend((status != 405 && status != 404).then(|| format!("side {method} {path} {status}")));
        }
    }
    golden("routes.txt", &(lines.join("\n") + "\n"));
    place.node.shutdown(std::time::Duration::from_secs(2)).await;
}

/// Status and text of an answer over plain HTTP.
pub async fn plain(address: std::net::SocketAddr, method: &Method, path: &str) -> (u16, String) {
    use http_body_util::BodyExt;
    let stream = tokio::net::TcpStream::connect(address).await.expect("a port");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(stream)).await.expect("a connection");
    tokio::spawn(connection);
    let request = http::Request::builder().method(method).uri(path).header("host", "side");
    let request = request.body(http_body_util::Empty::<bytes::Bytes>::new()).expect("a request");
    let answer = sender.send_request(request).await.expect("an answer");
    let status = answer.status().as_u16();
    let bytes = answer.into_body().collect().await.expect("a body").to_bytes();
    (status, String::from_utf8_lossy(&bytes).into_owned())
}
