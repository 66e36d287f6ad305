//! The meaning of policies: the semantics of annotated `forbid`s in DESIGN, errors, advice, and every problem of a policy file.

#![expect(clippy::expect_used, reason = "tests stop where they fail")]

use countersign_policy::{CaseProblem, OperationSpec, Operations, Policies, PolicySource, run, schema_text};

fn operations() -> Operations {
    let spec = |method: &str, path: &str, action: &str| OperationSpec {
        method: method.to_owned(),
        path: path.to_owned(),
        action: action.to_owned(),
        resource: Some("Account".to_owned()),
        id: Some("path.account".to_owned()),
        owner: Some("path.customer".to_owned()),
        ..OperationSpec::default()
    };
    let mut transfer = spec("POST", "/{customer}/{account}/transfers", "transfers.create");
    transfer.body = [("amount".to_owned(), "long /amount".to_owned()), ("note".to_owned(), "text? /note".to_owned())].into();
    let admin =
        OperationSpec { method: "GET".to_owned(), path: "/admin".to_owned(), action: "admin".to_owned(), ..OperationSpec::default() };
    Operations::new(&[spec("GET", "/{customer}/{account}", "accounts.read"), transfer, admin]).expect("sound")
}

fn load(text: &str) -> Result<Policies, Vec<String>> {
    let source = PolicySource { file: "app.cedar".to_owned(), text: text.to_owned() };
    Policies::load(&[source], &operations()).map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

const BANK: &str = r#"
@id("own_accounts")
permit (principal, action in Action::"accounts", resource)
when { resource.owner == principal && context.device.trust >= 2 };

@id("own_transfers")
permit (principal, action == Action::"transfers.create", resource)
when { resource.owner == principal && context.device.trust >= 3 };

@id("admins")
permit (principal in Role::"admin", action == Action::"admin", resource);

@id("large") @outcome("step_up") @acr("phishing_resistant") @max_age("2m") @reason("large_transfer")
forbid (principal, action == Action::"transfers.create", resource)
when { context.request.amount > 1000 && context.auth.presence_age_s > 120 };

@id("old") @outcome("limit") @mask("/iban,/balance") @rate("30/m") @reason("patch_level_old")
forbid (principal, action in Action::"accounts", resource)
when { context.device.patch_age_days > 90 };

@id("frozen_amount")
forbid (principal, action == Action::"transfers.create", resource)
when { context.request.amount == 666 };

@id("overflows") @outcome("limit")
forbid (principal, action == Action::"transfers.create", resource)
when { context.request.amount + 1 == 0 };
"#;

#[test]
fn outcomes_reasons_and_errors() {
    let cases = r#"[
      {"name":"an own account","action":"accounts.read","expect":{"outcome":"allow"}},
      {"name":"another's account","action":"accounts.read","owner":"somebody","expect":{"outcome":"deny","reasons":["no_permit"]}},
      {"name":"a software key","action":"accounts.read","device":{"key":"software"},"expect":{"outcome":"deny","reasons":["no_permit"]}},
      {"name":"an old phone","action":"accounts.read","device":{"patch_age_days":91},"expect":{"outcome":"limit","reasons":["patch_level_old"]}},
      {"name":"an old phone of another","action":"accounts.read","owner":"somebody","device":{"patch_age_days":91},"expect":{"outcome":"deny","reasons":["no_permit","patch_level_old"]}},
      {"name":"a transfer","action":"transfers.create","fields":{"amount":1000},"auth_age_s":9000,"expect":{"outcome":"allow"}},
      {"name":"a large one, finger fresh","action":"transfers.create","fields":{"amount":1001},"auth_age_s":120,"expect":{"outcome":"allow"}},
      {"name":"a large one, finger old","action":"transfers.create","fields":{"amount":1001},"auth_age_s":121,"expect":{"outcome":"step_up","reasons":["large_transfer"]}},
      {"name":"a plain forbid, named by its id","action":"transfers.create","fields":{"amount":666},"expect":{"outcome":"deny","reasons":["frozen_amount"]}},
      {"name":"a forbid that cannot be evaluated","action":"transfers.create","fields":{"amount":9223372036854775807},"expect":{"outcome":"deny","reasons":["policy_error"]}},
      {"name":"an unlocked phone","action":"transfers.create","fields":{"amount":1},"device":{"bootloader_locked":false},"expect":{"outcome":"deny","reasons":["no_permit"]}},
      {"name":"an admin","action":"admin","roles":["admin"],"expect":{"outcome":"allow"}},
      {"name":"no admin","action":"admin","roles":["teller"],"expect":{"outcome":"deny","reasons":["no_permit"]}}
    ]"#;
    let policies = load(BANK).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let results = run(&policies, &operations(), cases).expect("cases");
    assert_eq!(results.len(), 13);
    let differ: Vec<_> = results.iter().filter(|result| result.expected != result.got).collect();
    assert!(differ.is_empty(), "{differ:#?}");
}

#[test]
fn a_file_of_cases_says_what_it_does_not_understand() {
    let policies = load(BANK).expect("sound");
    let run = |json: &str| run(&policies, &operations(), json).err();
    let unknown = |text: &str| Some(CaseProblem::Unknown { case: "a".to_owned(), text: text.to_owned() });
    assert_eq!(run(r#"[{"name":"a","action":"x","expect":{"outcome":"allow"}}]"#), unknown("x"));
    assert_eq!(run(r#"[{"name":"a","action":"admin","acr":"x","expect":{"outcome":"allow"}}]"#), unknown("x"));
    assert_eq!(run(r#"[{"name":"a","action":"admin","device":{"key":"x"},"expect":{"outcome":"allow"}}]"#), unknown("x"));
    assert!(matches!(run("[{\"name\":\"a\",\n\"acton\":\"x\"}]"), Some(CaseProblem::Malformed { line: 2, .. })));
    assert_eq!(run(&" ".repeat(1024 * 1024 + 1)), Some(CaseProblem::TooLong));
}

#[test]
fn what_is_not_understood_is_not_activated_and_says_where() {
    let permit = "permit (principal, action, resource)";
    let forbid = "forbid (principal, action, resource)";
    let rows: &[(&str, String, &str)] = &[
        ("no Cedar", "permit (principal, action\n, resource) when { };".to_owned(), "app.cedar:2: "),
        ("a name that no operation has", format!("{permit}\nwhen {{ context.device.trsut > 1 }};"), "app.cedar:2: "),
        ("an action that does not exist", "permit (principal, action == Action::\"x\", resource);".to_owned(), "app.cedar:1: "),
        (
            "an optional field without has",
            "\npermit (principal, action == Action::\"transfers.create\", resource) when { context.request.note == \"x\" };".to_owned(),
            "app.cedar:2: ",
        ),
        ("another type", format!("{permit} when {{ context.device.trust == \"3\" }};"), "app.cedar:1: "),
        (
            "an unknown annotation",
            format!("\n\n@outcom(\"limit\") {forbid};"),
            "app.cedar:3: there is no annotation `@outcom`; there are @acr",
        ),
        (
            "an unknown outcome",
            format!("@outcome(\"allow\") {forbid};"),
            "the value of `@outcome` is invalid; write limit, step_up or deny",
        ),
        ("an outcome of a permit", format!("@outcome(\"limit\") {permit};"), "`@outcome` cannot be used here"),
        ("a mask of a deny", format!("@mask(\"/a\") {forbid};"), "`@mask` cannot be used here; use it together with"),
        ("an acr of a limit", format!("@outcome(\"limit\") @acr(\"basic\") {forbid};"), "`@acr` cannot be used here; use it together with"),
        ("a mask that is no path", format!("@outcome(\"limit\") @mask(\"iban\") {forbid};"), "the value of `@mask` is invalid"),
        ("a rate without a unit", format!("@outcome(\"limit\") @rate(\"30\") {forbid};"), "the value of `@rate` is invalid"),
        ("an age without a unit", format!("@outcome(\"step_up\") @max_age(\"30\") {forbid};"), "the value of `@max_age` is invalid"),
        ("a reason that is no code", format!("@reason(\"Too old\") {forbid};"), "the value of `@reason` is invalid"),
        (
            "a name twice",
            format!("@id(\"a\") {permit};\n@id(\"a\") {permit};"),
            "app.cedar:2: the name `a` stands twice, first in app.cedar:1",
        ),
        ("a template", "permit (principal == ?principal, action, resource);".to_owned(), "a template"),
    ];
    for (name, text, expected) in rows {
        let problems = load(text).err().unwrap_or_else(|| panic!("{name}: activated"));
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{name}: {problems:#?}");
    }
}

#[test]
fn the_schema_is_readable_and_true() {
    let text = schema_text(&operations());
    for line in [
        "action \"accounts.read\" in [\"accounts\"] appliesTo",
        "entity Account = { owner: User };",
        "amount: Long, note?: String",
        "entity Api;",
    ] {
        assert!(text.contains(line), "no `{line}` in:\n{text}");
    }
}
