//! What an app says of its phone. It is believed where it costs trust, from the next request on (law 2).

use axum::response::Response;
use countersign_attest::report;
use countersign_core::Reason;
use countersign_store::DeviceChange;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::{
    answer,
    enrol::known_client,
    house::Issuer,
    json, posture,
    proven::prove_device_key,
    receive::Call,
    record::{self, Seen},
    refusal::Refusal,
    visit::Visit,
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    client_id: String,
    report: String,
}

#[derive(Serialize)]
struct Heard {
    limited: bool,
}

/// Takes a report of the device whose key signed both the report and the request.
pub async fn report(issuer: &Issuer, call: &Call, visit: &Visit) -> Result<Response, Refusal> {
    let (device, key) = prove_device_key(issuer, call, visit).await?;
    let said: Said = json::parse(&call.body)?;
    let client = known_client(issuer, &said.client_id, visit)?;
    let app = issuer.app(&client).ok_or(Reason::ClientUnknown)?;
    app.enrolled(device.live.posture())?;
    let report::Said { report, place } = report::read(&said.report, key.key(), visit.second())?;
    let after = device.live.posture().clone().with_report(report.clone());
    let lacks = app.lacks(&after, &issuer.revocations.load(), visit.second());
    record::allowed(issuer, Seen { device: Some(posture::seen(&after, &lacks)), ..Seen::default() }, visit).await?;
    issuer.stores.devices.change(device.id(), DeviceChange::Report(report)).await?;
    if let Some(place) = place {
        issuer.world.watch.located(device.id(), place, visit.now);
    }
    let limited = countersign_core::worst(&lacks) >= Some(countersign_core::Stage::Limit);
    Ok(answer::json(StatusCode::OK, &Heard { limited }))
}
