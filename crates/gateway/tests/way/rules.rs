//! The operations and policies that the tests judge by.

use std::sync::Arc;

use countersign_audit::RulesDigest;
use countersign_compliance::{App, AppRelease, Apps, Requirement, Requirements, Rollout, Rule};
use countersign_core::{AppFinding, AppId, ClientId, Platform, RiskBar, Seconds, Stage, WhenLimited};
use countersign_gateway::Rules;
use countersign_policy::{OperationSpec, Operations, Policies, PolicySource, RequestHeaders, RuleSet, StreamKind, StreamSpec};

const POLICIES: &str = r#"
@id("own_accounts")
permit (principal, action == Action::"accounts.read", resource) when { resource.owner == principal && context.device.trust >= 2 };

@id("own_transfers")
permit (principal, action == Action::"transfers.create", resource) when { resource.owner == principal };

@id("own_card")
permit (principal, action == Action::"card.read", resource) when { resource.owner == principal };

@id("own_plain")
permit (principal, action == Action::"plain.read", resource) when { resource.owner == principal };

@id("own_streams")
permit (principal, action in Action::"open", resource) when { resource.owner == principal };

@id("admins")
permit (principal in Role::"admin", action == Action::"users.list", resource);

@id("large_transfers") @outcome("step_up") @acr("phishing_resistant") @max_age("2m") @reason("large_transfer")
forbid (principal, action == Action::"transfers.create", resource)
when { context.request.amount > 1000 && context.auth.acr != "phishing_resistant" };

@id("old_phones") @outcome("limit") @mask("/iban") @rate("30/m") @reason("patch_level_old")
forbid (principal, action == Action::"accounts.read", resource) when { context.device.patch_age_days > 90 };
"#;

fn operation(method: &str, path: &str, action: &str) -> OperationSpec {
    OperationSpec { method: method.to_owned(), path: path.to_owned(), action: action.to_owned(), ..OperationSpec::default() }
}

/// A small bank.
pub fn rules() -> Rules {
    let of_account =
        |spec: OperationSpec| OperationSpec { resource: Some("Account".to_owned()), owner: Some("token.sub".to_owned()), ..spec };
    let specs = [
        OperationSpec { id: Some("path.account".to_owned()), ..of_account(operation("GET", "/v1/accounts/{account}", "accounts.read")) },
        OperationSpec {
            id: Some("token.sub".to_owned()),
            body: [("amount", "long /amount"), ("note", "text? /note"), ("to", "any? /to")]
                .map(|(name, text)| (name.to_owned(), text.to_owned()))
                .into(),
            ..of_account(operation("POST", "/v1/transfers", "transfers.create"))
        },
        operation("GET", "/v1/admin/users", "users.list"),
        OperationSpec {
            id: Some("token.sub".to_owned()),
            request_headers: RequestHeaders::Declared(vec!["X-App-Version".to_owned()]),
            ..of_account(operation("GET", "/v1/plain", "plain.read"))
        },
        OperationSpec { id: Some("path.account".to_owned()), ..of_account(operation("PUT", "/v1/accounts/{account}", "accounts.read")) },
        OperationSpec {
            id: Some("token.sub".to_owned()),
            evidence_age_max: Some(Seconds(3600)),
            ..of_account(operation("GET", "/v1/card", "card.read"))
        },
    ];
    let open = |path, action, kind, message_bytes_max, messages_per_second| OperationSpec {
        id: Some("token.sub".to_owned()),
        when_limited: Some(WhenLimited::Refuse),
        stream: Some(StreamSpec { kind, message_bytes_max, messages_per_second }),
        ..of_account(operation("GET", path, action))
    };
    let specs = specs.into_iter().chain([
        open("/v1/live", "open.live", StreamKind::WebSocket, Some(1024), Some(5)),
        open("/v1/events", "open.events", StreamKind::Events, Some(1024), None),
        open("/v1/download", "open.download", StreamKind::Stream, None, None),
        OperationSpec { method: "POST".to_owned(), ..open("/bank.v1.Raw/{call}", "open.raw", StreamKind::Stream, None, None) },
        OperationSpec { method: "POST".to_owned(), ..open("/bank.v1.Calls/{call}", "open.call", StreamKind::Grpc, Some(1024), Some(5)) },
        OperationSpec {
            id: Some("token.sub".to_owned()),
            when_limited: Some(WhenLimited::Refuse),
            body_bytes_max: Some(4096),
            ..of_account(operation("POST", "/bank.v1.Unary/{call}", "open.unary"))
        },
    ]);
    let policies = vec![PolicySource { file: "bank.cedar".to_owned(), text: POLICIES.to_owned() }];
    let set = RuleSet { operations: specs.collect(), policies };
    let operations = Operations::new(&set.operations).expect("sound operations");
    let policies = Policies::load(&set.policies, &operations).expect("sound policies");
    Rules {
        operations,
        policies,
        digest: RulesDigest::of(&set.to_text()),
        risk: RiskBar::SHIPPED,
        apps: Arc::new(Apps::from_iter([(ClientId::parse("com.example.bank").expect("an id"), bank())])),
    }
}

/// The bank's app.
fn bank() -> App {
    App { package: AppId::parse("com.example.bank").expect("a package"), bundle: None, requirements: requirements() }
}

/// What the bank asks of phones, in three stages.
fn requirements() -> Requirements {
    let release = AppRelease {
        min: 5,
        min_text: "2.0".to_owned(),
        grace_until: None,
        store: Some("https://play.google.com/store/apps/details?id=com.example.bank".to_owned()),
    };
    let rule = |rule, stage| Requirement { rule, rollout: Rollout::all(stage) };
    Requirements(vec![
        rule(Rule::AppVersion([(Platform::Android, release)].into()), Stage::Enforce),
        rule(Rule::NotRevoked, Stage::Enforce),
        rule(Rule::Without(AppFinding::Hooked), Stage::Enforce),
        rule(Rule::Without(AppFinding::Rooted), Stage::Limit),
        rule(Rule::Without(AppFinding::Vpn), Stage::Observe),
    ])
}
