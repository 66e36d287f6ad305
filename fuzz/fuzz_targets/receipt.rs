//! A receipt of App Attest: whatever is changed in one that verifies, it says the same or it is refused.
#![no_main]
use countersign_attest::{
    anchors::{Anchors, Purpose, Source, Vendor},
    apple::{ReceiptAge, ReceiptOf, receipt_facts, verify_receipt},
};
use countersign_core::{Seconds, UnixMillis, UnixSeconds};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let source = Source { vendor: Vendor::Operator, purpose: Purpose::AppAttestReceipt };
    let anchors = Anchors::parse(source, include_str!("receipt_roots.pem")).unwrap_or_else(|_| Anchors::none());
    let expected = ReceiptOf {
        app_id: "TEAM123456.com.example.bank",
        key_spki: include_bytes!("receipt_key.der"),
        age: ReceiptAge::FreshWithin(Seconds(300)),
    };
    let facts = receipt_facts(bytes);
    if let Ok(receipt) = verify_receipt(bytes, &expected, &anchors, UnixSeconds(1_751_328_000)) {
        assert_eq!((receipt.risk_metric(), receipt.created_at()), (Some(7), UnixMillis(1_751_327_880_500)));
        assert!(facts.is_ok_and(|facts| facts.risk_metric == Some(7)), "what verifies can be told");
    }
});
