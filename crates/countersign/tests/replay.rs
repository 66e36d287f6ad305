//! Real traffic through a whole node, and then every decision of its log made again from the record alone.

use countersign_demo::{
    Watching, World, decided_again,
    phone::{Call, Handset},
};
use http::Method;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn every_decision_of_a_log_is_made_again() {
    let world = World::start(Watching::Observing).await.expect("a world");
    let ana = world.customer("ana@example.com", &Handset::genuine()).await.expect("a customer");
    let me = ana.call(&Call::new(Method::GET, "/v1/me")).await.expect("an answer");
    let customer = me.json()["customer"].as_str().expect("a name").to_owned();
    let body = |cents: u64| json!({ "from": format!("{customer}-1"), "to": "DE02120300000000202051", "amount": cents, "currency": "EUR" });
    let pay = |cents| Call::new(Method::POST, &format!("/v1/customers/{customer}/transfers")).json(&body(cents));
    world.clock.turn(301);
    let calls = [
        (Call::new(Method::GET, &format!("/v1/customers/{customer}/accounts")), true),
        (pay(2_500), true),
        (pay(250_000), false),
        (Call::new(Method::GET, "/v1/customers/p_somebody/accounts"), false),
        (Call::new(Method::GET, "/v1/nothing"), false),
    ];
    for (call, served) in calls {
        let answer = ana.call(&call).await.expect("an answer");
        assert_eq!(answer.status.is_success(), served, "{} {}", call.target, answer.status);
    }
    // Rules that are read again decide under a name of their own, and both sets are found.
    let policies = world.home.path().join("policies");
    std::fs::write(policies.join("more.cedar"), "@id(\"more\") permit (principal, action, resource) when { context.device.trust > 9 };")
        .expect("written");
    world.node.reload().await;
    let answer = ana.call(&pay(2_500)).await.expect("an answer");
    assert!(answer.status.is_success(), "{}", answer.status);
    assert_eq!(std::fs::read_dir(world.home.path().join("data/rules")).expect("a directory").count(), 2);
    assert!(decided_again(&world).await.expect("all the same") >= 6);
    world.stop().await;
}
