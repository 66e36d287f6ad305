//! The bank's HTTP: JSON in, JSON out.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    ledger::{Ledger, Order},
    live,
};

/// Bytes of a body that the echo repeats the length of.
const ECHO_BYTES_MAX: usize = 64 * 1024 * 1024;

#[derive(Clone, Default)]
struct Bank(Arc<Mutex<Ledger>>);

impl Bank {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The bank, with empty books.
pub fn router() -> Router {
    Router::new()
        .route("/v1/rates", get(rates))
        .route("/v1/me", get(me))
        .route("/v1/customers/{customer}/accounts", get(accounts))
        .route("/v1/customers/{customer}/accounts/{account}", get(account))
        .route("/v1/customers/{customer}/transfers", post(transfer))
        .route("/v1/admin/customers", get(customers))
        .route("/v1/echo", any(echo))
        .route("/v1/live", get(live::socket))
        .route("/v1/events", get(live::events))
        .with_state(Bank::default())
}

/// Serves the bank until the task is dropped.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve(listener: TcpListener) -> io::Result<()> {
    axum::serve(listener, router()).await
}

async fn rates() -> Json<Value> {
    Json(json!({ "base": "EUR", "rates": { "CHF": 0.93, "GBP": 0.86, "USD": 1.08 } }))
}

/// Who Countersign says is asking. The statement is repeated so that the demo can verify it; an API of your own would not.
async fn me(headers: HeaderMap) -> Json<Value> {
    Json(json!({ "customer": header(&headers, "countersign-user"), "statement": header(&headers, "countersign-identity") }))
}

async fn accounts(State(bank): State<Bank>, Path(customer): Path<String>) -> Response {
    let mut ledger = bank.ledger();
    let Some(accounts) = ledger.accounts(&customer) else { return full() };
    let accounts: Vec<_> =
        accounts.iter().map(|a| json!({ "id": a.id, "iban": a.iban, "balance": a.balance, "currency": "EUR" })).collect();
    Json(json!({ "accounts": accounts })).into_response()
}

/// The balance is the validator, as plain as APIs make it: who may not see the one must not learn it by the other.
async fn account(State(bank): State<Bank>, Path((customer, id)): Path<(String, String)>, asked: HeaderMap) -> Response {
    let mut ledger = bank.ledger();
    let Some(accounts) = ledger.accounts(&customer) else { return full() };
    match accounts.iter().find(|account| account.id == id) {
        Some(a) => {
            let validator = format!("\"{}\"", a.balance);
            if header(&asked, "if-none-match") == Some(validator.as_str()) {
                return (StatusCode::NOT_MODIFIED, [("etag", validator)]).into_response();
            }
            let shown = Json(json!({ "id": a.id, "iban": a.iban, "balance": a.balance, "currency": "EUR" }));
            ([("etag", validator)], shown).into_response()
        }
        None => problem(StatusCode::NOT_FOUND, "account_unknown"),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TransferBody {
    from: String,
    to: String,
    /// Cents.
    amount: i64,
    currency: String,
    /// For the receiver; the bank does not read it.
    #[serde(default, rename = "note")]
    _note: Option<String>,
}

async fn transfer(State(bank): State<Bank>, Path(customer): Path<String>, body: Bytes) -> Response {
    let Ok(body) = serde_json::from_slice::<TransferBody>(&body) else { return problem(StatusCode::BAD_REQUEST, "body_invalid") };
    if body.currency != "EUR" {
        return problem(StatusCode::BAD_REQUEST, "currency_unknown");
    }
    let order = Order { from: body.from, to: body.to, amount: body.amount };
    match bank.ledger().book(&customer, &order) {
        Ok(booked) => {
            let answer = json!({
                "id": format!("t-{}", booked.number), "from": order.from, "to": order.to,
                "amount": order.amount, "currency": "EUR", "balance": booked.balance,
            });
            (StatusCode::CREATED, Json(answer)).into_response()
        }
        Err(refusal) => problem(StatusCode::UNPROCESSABLE_ENTITY, refusal.code()),
    }
}

async fn customers(State(bank): State<Bank>) -> Json<Value> {
    let ledger = bank.ledger();
    Json(json!({ "customers": ledger.customers().collect::<Vec<_>>() }))
}

/// What arrived here, for whoever tests what passes through.
async fn echo(request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, ECHO_BYTES_MAX).await else {
        return problem(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large");
    };
    let headers: Vec<_> =
        head.headers.iter().map(|(name, value)| [name.as_str().into(), String::from_utf8_lossy(value.as_bytes())]).collect();
    Json(json!({
        "method": head.method.as_str(), "path": head.uri.path(), "query": head.uri.query(), "headers": headers, "bytes": body.len(),
    }))
    .into_response()
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn full() -> Response {
    problem(StatusCode::INSUFFICIENT_STORAGE, "bank_full")
}

fn problem(status: StatusCode, code: &str) -> Response {
    (status, Json(json!({ "error": code }))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    async fn ask(router: &Router, method: &str, path: &str, body: &str) -> (u16, Value) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("countersign-user", "ana")
            .body(Body::from(body.to_owned()))
            .expect("a request");
        let answer = router.clone().oneshot(request).await.expect("infallible");
        let status = answer.status().as_u16();
        let bytes = answer.into_body().collect().await.expect("a body").to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    #[tokio::test]
    async fn a_customer_can_bank() {
        let bank = router();
        let rows: &[(&str, &str, &str, &str, u16, &str, Value)] = &[
            ("accounts", "GET", "/v1/customers/ana/accounts", "", 200, "/accounts/0/balance", json!(1_000_000)),
            ("one account", "GET", "/v1/customers/ana/accounts/ana-2", "", 200, "/balance", json!(0)),
            ("nobody's account", "GET", "/v1/customers/ana/accounts/bob-1", "", 404, "/error", json!("account_unknown")),
            (
                "a transfer",
                "POST",
                "/v1/customers/ana/transfers",
                r#"{"from":"ana-1","to":"x","amount":1,"currency":"EUR"}"#,
                201,
                "/balance",
                json!(999_999),
            ),
            ("no transfer", "POST", "/v1/customers/ana/transfers", "{", 400, "/error", json!("body_invalid")),
            (
                "another currency",
                "POST",
                "/v1/customers/ana/transfers",
                r#"{"from":"ana-1","to":"x","amount":1,"currency":"XTS"}"#,
                400,
                "/error",
                json!("currency_unknown"),
            ),
            (
                "too much",
                "POST",
                "/v1/customers/ana/transfers",
                r#"{"from":"ana-2","to":"x","amount":1,"currency":"EUR"}"#,
                422,
                "/error",
                json!("balance_too_low"),
            ),
            ("all customers", "GET", "/v1/admin/customers", "", 200, "/customers/0", json!("ana")),
            ("who asks", "GET", "/v1/me", "", 200, "/customer", json!("ana")),
            ("rates", "GET", "/v1/rates", "", 200, "/base", json!("EUR")),
            ("an echo", "PUT", "/v1/echo?a=b", "four", 200, "/bytes", json!(4)),
        ];
        for (name, method, path, body, status, pointer, expected) in rows {
            let (got, answer) = ask(&bank, method, path, body).await;
            assert_eq!(got, *status, "{name}: {answer}");
            assert_eq!(answer.pointer(pointer), Some(expected), "{name}: {answer}");
        }
    }
}
