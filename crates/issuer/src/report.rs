//! Report of an app about its phone. A report is believed where it costs trust, from the next request on (law 2).

use axum::response::Response;
use countersign_attest::report;
use countersign_compliance::worst;
use countersign_core::Stage;
use countersign_store::DeviceChange;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::{
    answer,
    context::RequestContext,
    enrol::known_client,
    json, posture,
    proven::prove_device_key,
    receive::Call,
    record::{self, Seen},
    refusal::Refusal,
    state::Issuer,
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
pub async fn report(issuer: &Issuer, call: &Call, context: &RequestContext) -> Result<Response, Refusal> {
    let (device, key) = prove_device_key(issuer, call, context).await?;
    let said: Said = json::parse(&call.body)?;
    let client = known_client(issuer, &said.client_id, context)?;
    let apps = issuer.apps();
    let app = apps.of(&client)?;
    app.enrolled(device.live.posture())?;
    let report::Said { report, place } = report::read(&said.report, key.key(), context.second())?;
    let after = device.live.posture().clone().with_report(report.clone());
    let unmet = app.unmet(&after, &issuer.revocations.load(), None, context.second());
    record::allowed(issuer, Seen { device: Some(posture::seen(&after, &unmet)), ..Seen::default() }, context).await?;
    issuer.stores.devices.change(device.id(), DeviceChange::Report(report)).await?;
    if let Some(place) = place {
        issuer.world.observer.located(device.id(), place, context.now);
    }
    let limited = worst(&unmet) >= Some(Stage::Limit);
    Ok(answer::json(StatusCode::OK, &Heard { limited }))
}
