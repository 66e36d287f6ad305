//! From the text of the file to a [`Config`]: one function a section.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use countersign_compliance::{AfterGrace, DailyLimit};
use countersign_core::{AppId, ClientId, Limits, Seconds, WhenLimited};
use countersign_gateway::{Network, Origin, Protocol, Scheme, declarable};
use countersign_identity::PasskeyOrigin;
use countersign_monitor::geography::ListOf;
use countersign_policy::{OtherMembers, RequestHeaders, StreamKind, StreamSpec};
use countersign_risk::network::NetworkKind;
use toml::de::DeTable;
use url::Url;

use crate::config::{
    admin, defaults, device, doors,
    fault::Faults,
    feeds,
    listen::{Listening, address, listening},
    model::{
        App, Bounds, Config, DataReaders, Dev, GeoList, GeographyFiles, IosApp, Login, Operation, PlainUpstream, PlaySource, SidePort,
        SignUp, TlsFiles, Upstream, UpstreamIdentity, Vendors,
    },
    monitor,
    section::{At, Section, Source},
    signals, value,
};

/// Reads the text of `file`.
pub fn config(text: &str, file: &Path) -> Result<Config, Faults> {
    let source = Source::new(file, text);
    let table = match DeTable::parse(text) {
        Ok(table) => table,
        Err(error) => {
            let line = error.span().map(|span| source.line(span.start));
            let what = error.message().lines().next().unwrap_or_default().to_owned();
            let remedy = if what.starts_with("duplicate key") {
                "remove one of the two; write each operation as a table of a list, `[[operation]]`"
            } else {
                "see https://toml.io for the syntax"
            };
            source.fault(line, format!("this is not valid TOML: {what}"), remedy);
            return source.into_faults().or(()).and_then(|()| Err(Faults::default()));
        }
    };
    let mut top = Section::new(&source, "", None, table.get_ref());
    let here = Here(file.parent().unwrap_or(Path::new("")).to_owned());
    let config = top_level(&mut top, file, &here);
    top.end();
    let faults = source.into_faults();
    match config {
        Some(config) => faults.or(config),
        None => faults.or(()).and_then(|()| Err(Faults::default())),
    }
}

/// The directory in which the file stands.
struct Here(PathBuf);

impl Here {
    fn path(&self, text: &str) -> PathBuf {
        self.0.join(text)
    }
}

fn top_level(top: &mut Section<'_>, file: &Path, here: &Here) -> Option<Config> {
    let public = public(top);
    let upstream = upstream(top, here);
    let Listening { listen, proxies } = listening(top);
    let data_readers =
        top.flag("data_shared").map_or(defaults::DATA_READERS, |at| if at.value { DataReaders::Shared } else { DataReaders::OwnerOnly });
    let data = top.text("data").map_or_else(|| here.path(defaults::DATA), |at| here.path(at.value));
    let policies = top.text("policies").map_or_else(|| here.path(defaults::POLICIES), |at| here.path(at.value));
    let dev = top.flag("dev").map_or(defaults::DEV, |at| if at.value { Dev::On } else { Dev::Off });
    let apps = apps(top, here);
    let login = login(top.table("login", "[login]"));
    let device = device::device(top.table("device", "[device]"), &here.0);
    let vendors = vendors(top.table("vendors", "[vendors]"), here);
    let feeds = feeds::feeds(top.table("feeds", "[feeds]"));
    if let Some(feed) = feeds.iter().find(|feed| feed.url.scheme() == "https" && vendors.as_ref().is_some_and(|all| all.ca.is_none())) {
        let what = format!("`feeds.{}` uses `https`, but there are no CA certificates to verify it with", feed.kind.as_str());
        top.fault(Some(feed.line), what, "add `ca = \"/etc/ssl/certs/ca-certificates.crt\"` to `[vendors]`");
    }
    let geography = geography(top.table("geography", "[geography]"), here);
    let monitor = monitor::monitor(top.table("monitor", "[monitor]"), &here.0);
    let admin = admin::admin(top.table("admin", "[admin]"), &here.0);
    let auth_request = doors::doors(top.table("doors", "[doors]"), &here.0);
    let signals = signals::signals(top.table("signals", "[signals]"), &here.0);
    let tls = top.table("tls", "[tls]").and_then(|section| tls(section, here));
    let operations: Vec<_> = top.tables("operation").into_iter().filter_map(operation).collect();
    let call = operations.iter().find(|operation| operation.stream.is_some_and(|stream| stream.kind == StreamKind::Grpc));
    if let Some(call) = call.filter(|_| upstream.as_ref().is_some_and(|upstream| upstream.protocol == Protocol::Http1)) {
        top.fault(Some(call.line), "a gRPC operation needs HTTP/2 to the upstream", "add `upstream_protocol = \"http2\"`");
    }
    let bounds = limits(top.table("limits", "[limits]"));
    let metrics = metrics(top.table("metrics", "[metrics]"), here);
    let (public, upstream, vendors) = (public?, upstream?, vendors?);
    Some(Config {
        file: file.to_owned(),
        dev,
        public,
        listen,
        proxies,
        upstream,
        data,
        data_readers,
        policies,
        apps,
        login,
        device,
        vendors,
        feeds,
        geography,
        monitor,
        signals,
        admin,
        auth_request,
        tls,
        operations,
        bounds,
        metrics,
    })
}

fn public(top: &mut Section<'_>) -> Option<Origin> {
    let at = top.required_text("public_url", "\"https://api.example.com\"")?;
    let origin = origin(top, "public_url", at)?;
    if origin.scheme() != Scheme::Https {
        top.fault(Some(at.line), "`public_url` does not begin with `https://`", "phones connect with TLS; write `https://` and the host");
        return None;
    }
    Some(origin)
}

fn upstream(top: &mut Section<'_>, here: &Here) -> Option<Upstream> {
    let at = top.required_text("upstream", "\"http://127.0.0.1:8080\"")?;
    let ca = top.text("upstream_ca").map(|at| here.path(at.value));
    let plain = top.flag("upstream_plain");
    let protocol = top.word("upstream_protocol", &Protocol::ALL.map(|protocol| (protocol.as_str(), protocol)));
    let certificate = top.text("upstream_cert").map(|at| At { value: here.path(at.value), line: at.line });
    let key = top.text("upstream_key").map(|at| At { value: here.path(at.value), line: at.line });
    let origin = origin(top, "upstream", at)?;
    let identity = match (certificate, key) {
        (None, None) => None,
        (Some(certificate), Some(key)) => {
            if origin.scheme() == Scheme::Http {
                top.fault(
                    Some(certificate.line),
                    "`upstream_cert` needs an `https` upstream",
                    "write `https://` in `upstream`, or remove it",
                );
            }
            Some(UpstreamIdentity { certificate: certificate.value, key: key.value, line: certificate.line })
        }
        (Some(At { line, .. }), None) => {
            top.fault(Some(line), "`upstream_key` is missing", "add `upstream_key = \"node.key\"`, the private key of `upstream_cert`");
            None
        }
        (None, Some(At { line, .. })) => {
            top.fault(Some(line), "`upstream_cert` is missing", "add `upstream_cert = \"node.pem\"`, the certificate of `upstream_key`");
            None
        }
    };
    if origin.scheme() == Scheme::Https && ca.is_none() {
        top.fault(
            Some(at.line),
            "`upstream` is `https`, but there is no CA certificate to verify it with",
            "set `upstream_ca` to the PEM file of its certificate authority, or use `http` on a private network",
        );
    }
    if let Some(said) = &protocol
        && (said.value, origin.scheme()) == (Protocol::Negotiated, Scheme::Http)
    {
        top.fault(Some(said.line), "`upstream_protocol = \"negotiated\"` needs an `https` upstream", "write `http1` or `http2`");
    }
    if let Some(said) = plain.filter(|said| said.value && origin.scheme() == Scheme::Https) {
        top.fault(Some(said.line), "`upstream_plain = true` and an `https` upstream contradict each other", "remove `upstream_plain`");
    }
    Some(Upstream {
        origin,
        line: at.line,
        ca,
        identity,
        protocol: protocol.map_or(defaults::UPSTREAM_PROTOCOL, |said| said.value),
        plain: plain
            .map_or(defaults::PLAIN_UPSTREAM, |said| if said.value { PlainUpstream::Anywhere } else { PlainUpstream::OnThisMachine }),
    })
}

fn origin(section: &Section<'_>, key: &str, at: At<&str>) -> Option<Origin> {
    Origin::parse(at.value)
        .map_err(|error| section.fault(Some(at.line), format!("`{key}` cannot be `{}`", at.value), error.to_string()))
        .ok()
}

fn apps(top: &mut Section<'_>, here: &Here) -> Vec<App> {
    let Some(mut section) = top.table("app", "app") else {
        top.fault(None, "no app is configured", "add `[app.\"com.example.shop\"]` with your app's id");
        return Vec::new();
    };
    let mut apps = Vec::new();
    for (name, mut section) in section.named_tables() {
        apps.extend(app(name, &mut section, here));
        section.end();
    }
    apps
}

fn app(name: At<&str>, section: &mut Section<'_>, here: &Here) -> Option<App> {
    let client = ClientId::parse(name.value)
        .map_err(|error| section.fault(Some(name.line), format!("an app cannot be called `{}`", name.value), error.to_string()))
        .ok();
    let mut android_app = section.table("android", "android");
    let play = android_app.as_mut().and_then(|android| play(android, here));
    let (package, signers) = android(android_app, name);
    let ios = section.table("ios", "ios").and_then(ios);
    let overrides = device::overrides(section);
    let sector = section.text("sector").map_or_else(|| name.value.to_owned(), |at| at.value.to_owned());
    Some(App { client: client?, package: package?, signers, play, ios, overrides, sector, line: name.line })
}

fn android(section: Option<Section<'_>>, name: At<&str>) -> (Option<AppId>, Vec<[u8; 32]>) {
    let Some(mut section) = section else { return (AppId::parse(name.value).ok(), Vec::new()) };
    let package = section.text("package").unwrap_or(name);
    let id = AppId::parse(package.value)
        .map_err(|error| section.fault(Some(package.line), format!("`package` cannot be `{}`", package.value), error.to_string()))
        .ok();
    let mut signers = Vec::new();
    match section.texts("cert_sha256") {
        None => section.fault(
            section.line(),
            "`cert_sha256` is missing in `android`",
            "add `cert_sha256 = [\"9F:2A:...\"]`, as shown by `keytool -list` or the Play Console",
        ),
        Some(texts) => {
            for At { value, line } in texts {
                match value::fingerprint(value) {
                    Some(signer) => signers.push(signer),
                    None => section.fault(
                        Some(line),
                        format!("`cert_sha256` cannot hold `{value}`"),
                        "write the SHA-256 of the signing certificate as 64 hexadecimal digits",
                    ),
                }
            }
        }
    }
    section.end();
    (id, signers)
}

/// Who reads the app's tokens of Play Integrity: one of us.
fn play(android: &mut Section<'_>, here: &Here) -> Option<PlaySource> {
    match (android.text("play_keys"), android.text("play_service_account")) {
        (None, None) => None,
        (Some(at), None) => Some(PlaySource::Keys(here.path(at.value), at.line)),
        (None, Some(at)) => Some(PlaySource::ServiceAccount(here.path(at.value), at.line)),
        (Some(at), Some(_)) => {
            android.fault(Some(at.line), "`play_keys` and `play_service_account` cannot be used together", "remove one of them");
            None
        }
    }
}

fn vendors(section: Option<Section<'_>>, here: &Here) -> Option<Vendors> {
    let mut vendors = Vendors {
        ca: None,
        play_endpoint: Url::parse(defaults::PLAY_ENDPOINT).ok()?,
        outage: defaults::OUTAGE,
        play_daily: defaults::PLAY_DAILY,
        app_attest_daily: None,
    };
    let Some(mut section) = section else { return Some(vendors) };
    vendors.ca = section.text("ca").map(|at| (here.path(at.value), at.line));
    if let Some(at) =
        section.parsed("play_endpoint", "write a URL, such as `https://playintegrity.googleapis.com`", |text| Url::parse(text).ok())
    {
        vendors.play_endpoint = at.value;
    }
    if let Some(grace) = section.span("grace") {
        vendors.outage.grace = grace;
    }
    if let Some(at) = section.word("then", &[("limit", AfterGrace::Limit), ("refuse", AfterGrace::Refuse)]) {
        vendors.outage.then = at.value;
    }
    if let Some(at) = section.number("play_daily", 0..=u64::from(u32::MAX)) {
        vendors.play_daily = at.value;
    }
    vendors.app_attest_daily = ramp(&mut section);
    section.end();
    Some(vendors)
}

/// `app_attest_daily`, which may grow from a day on.
fn ramp(section: &mut Section<'_>) -> Option<DailyLimit> {
    let first = section.number("app_attest_daily", 0..=u64::from(u32::MAX));
    let growth = section.number("app_attest_growth_percent", 0..=1000);
    let from = section.parsed("app_attest_from", "write a day, such as `2026-12-01`", value::day);
    match (first, growth, from) {
        (None, None, None) => None,
        (Some(first), None, None) => Some(DailyLimit::Even(first.value)),
        (Some(first), Some(growth), Some(from)) => {
            let growth_percent = u32::try_from(growth.value).unwrap_or(u32::MAX);
            Some(DailyLimit::Ramp { first: first.value, growth_percent, from: from.value })
        }
        (first, growth, from) => {
            let line = first.map(|at| at.line).or(growth.map(|at| at.line)).or(from.map(|at| at.line));
            let remedy =
                "write for example `app_attest_daily = 1000`, `app_attest_growth_percent = 50` and `app_attest_from = \"2026-12-01\"`";
            section.fault(line, "`app_attest_daily`, `app_attest_growth_percent` and `app_attest_from` must be used together", remedy);
            None
        }
    }
}

fn ios(mut section: Section<'_>) -> Option<IosApp> {
    let team = section.required_text("team", "\"9CYHJNG644\"").map(|at| at.value.to_owned());
    let bundle = section.required_text("bundle", "\"com.example.shop\"").map(|at| at.value.to_owned());
    section.end();
    Some(IosApp { team: team?, bundle: bundle? })
}

fn login(section: Option<Section<'_>>) -> Login {
    let mut login =
        Login { sign_up: defaults::SIGN_UP, origins: Vec::new(), bindings: defaults::BINDINGS, session_life: defaults::SESSION_LIFE };
    let Some(mut section) = section else { return login };
    if let Some(at) = section.word("sign_up", &[("invite", SignUp::Invite), ("open", SignUp::Open)]) {
        login.sign_up = at.value;
    }
    for At { value, line } in section.texts("origins").unwrap_or_default() {
        match PasskeyOrigin::parse(value) {
            Ok(origin) => login.origins.push(origin),
            Err(error) => section.fault(Some(line), format!("`origins` cannot hold `{value}`"), error.to_string()),
        }
    }
    if let Some(hours) = section.number("session_hours", 1..=87_840) {
        login.session_life.whole = Seconds(hours.value.saturating_mul(3600));
    }
    if let Some(hours) = section.number("session_idle_hours", 1..=87_840) {
        login.session_life.idle = Seconds(hours.value.saturating_mul(3600));
    }
    if let Some(hours) = section.number("device_cool_down_hours", 0..=720) {
        login.bindings.cool_down = Seconds(hours.value.saturating_mul(3600));
    }
    if let Some(count) = section.number("devices_max", 1..=1000) {
        login.bindings.devices_max = u32::try_from(count.value).unwrap_or(u32::MAX);
    }
    section.end();
    login
}

fn geography(section: Option<Section<'_>>, here: &Here) -> GeographyFiles {
    let mut files = GeographyFiles::default();
    let Some(mut section) = section else { return files };
    files.databases =
        section.texts("databases").unwrap_or_default().into_iter().map(|At { value, line }| (here.path(value), line)).collect();
    files.places = section.texts("places").unwrap_or_default().into_iter().map(|At { value, line }| (here.path(value), line)).collect();
    let kinds = [
        ("anonymiser", NetworkKind::Anonymiser),
        ("fixed", NetworkKind::Fixed),
        ("hosting", NetworkKind::Hosting),
        ("mobile", NetworkKind::Mobile),
        ("satellite", NetworkKind::Satellite),
    ];
    for mut list in section.tables("list") {
        let file = list.required_text("file", "\"vpn_ipv4.txt\"").map(|at| (here.path(at.value), at.line));
        if !list.has("kind") {
            list.fault(list.line(), "`kind` is missing in `[[geography.list]]`", "add `kind = \"anonymiser\"`, or another kind of network");
        }
        let kind = list.word("kind", &kinds);
        let of = list.word("of", &[("prefixes", ListOf::Prefixes), ("systems", ListOf::Systems)]).map_or(defaults::LIST_OF, |at| at.value);
        if let (Some((file, line)), Some(At { value: kind, .. })) = (file, kind) {
            files.lists.push(GeoList { file, line, kind, of });
        }
        list.end();
    }
    section.end();
    files
}

fn tls(mut section: Section<'_>, here: &Here) -> Option<TlsFiles> {
    let line = section.line().unwrap_or(1);
    let certificate = section.required_text("cert", "\"fullchain.pem\"").map(|at| here.path(at.value));
    let key = section.required_text("key", "\"privkey.pem\"").map(|at| here.path(at.value));
    section.end();
    Some(TlsFiles { certificate: certificate?, key: key?, line })
}

fn operation(mut section: Section<'_>) -> Option<Operation> {
    let line = section.line().unwrap_or(1);
    let pattern = section.required_text("match", "\"GET /v1/accounts/{id}\"").map(|at| at.value.to_owned());
    let action = section.required_text("action", "\"accounts.read\"").map(|at| at.value.to_owned());
    let owned = |at: Option<At<&str>>| at.map(|at| at.value.to_owned());
    let (resource, id, owner) = (owned(section.text("resource")), owned(section.text("id")), owned(section.text("owner")));
    let (mut body, mut body_others) = (Vec::new(), OtherMembers::Closed);
    if let Some(mut table) = section.table("body", "body") {
        // A field may be called `open` as well; its value is a text.
        if table.holds_flag("open") && table.flag("open").is_some_and(|at| at.value) {
            body_others = OtherMembers::Open;
        }
        body = table.named_texts().into_iter().map(|(name, at)| (name.to_owned(), at.value.to_owned())).collect();
    }
    let request_headers = request_headers(&mut section);
    let body_max = section.number("body_max", 0..=Limits::STREAMED_BODY_BYTES_MAX).map(|at| at.value);
    let when_limited = section.word("when_limited", &[("allow", WhenLimited::Allow), ("refuse", WhenLimited::Refuse)]).map(|at| at.value);
    let evidence_age_max = section.span("evidence_age_max");
    let stream = section.table("stream", "stream").and_then(stream);
    section.end();
    Some(Operation {
        stream,
        line,
        pattern: pattern?,
        action: action?,
        resource,
        id,
        owner,
        body,
        body_others,
        request_headers,
        body_max,
        when_limited,
        evidence_age_max,
    })
}

/// Headers that reach the API: `request_headers = "declared"`, and their names in `headers`.
fn request_headers(section: &mut Section<'_>) -> RequestHeaders {
    let declared = section.word("request_headers", &[("declared", true), ("usual", false)]).is_some_and(|at| at.value);
    let names = section.texts("headers");
    match (declared, names) {
        (false, None) => RequestHeaders::Usual,
        (false, Some(_)) => {
            section.fault(section.line(), "`headers` has no effect", "add `request_headers = \"declared\"`, or remove `headers`");
            RequestHeaders::Usual
        }
        (true, names) => {
            let names = names.unwrap_or_default();
            for name in &names {
                if let Err(why) = declarable(name.value) {
                    section.fault(
                        Some(name.line),
                        format!("`headers` cannot hold `{}`: {why}", name.value),
                        "remove it, or rename the header",
                    );
                }
            }
            RequestHeaders::Declared(names.into_iter().map(|name| name.value.to_owned()).collect())
        }
    }
}

fn stream(mut section: Section<'_>) -> Option<StreamSpec> {
    if !section.has("kind") {
        section.fault(section.line(), "`kind` is missing in `stream`", "add `kind = \"websocket\"` (or `events`, `grpc`, `stream`)");
    }
    let kind = section.word("kind", &StreamKind::ALL.map(|kind| (kind.as_str(), kind)));
    let message_bytes_max = section.number("message_bytes_max", 0..=u64::MAX).map(|at| at.value);
    let messages_per_second = section.number("messages_per_second", 0..=u64::MAX).map(|at| at.value);
    section.end();
    Some(StreamSpec { kind: kind?.value, message_bytes_max, messages_per_second })
}

fn limits(section: Option<Section<'_>>) -> Bounds {
    let mut bounds = defaults::BOUNDS;
    let Some(mut section) = section else { return bounds };
    if let Some(at) = section.number("connections_max", 1..=1_000_000) {
        bounds.connections_max = usize::try_from(at.value).unwrap_or(usize::MAX);
    }
    if let Some(at) = section.number("body_max", 0..=Limits::STREAMED_BODY_BYTES_MAX) {
        bounds.body_bytes_max = at.value;
    }
    if let Some(at) = section.number("open_connections_max", 0..=1_000_000) {
        bounds.open_connections_max = usize::try_from(at.value).unwrap_or(usize::MAX);
    }
    if let Some(at) = section.number("stranger_records_per_minute", 1..=60_000) {
        bounds.stranger_records_per_minute = u32::try_from(at.value).unwrap_or(u32::MAX);
    }
    if let Some(span) = section.span("judged_every") {
        bounds.judged_every = Duration::from_secs(span.0.max(1));
    }
    if let Some(span) = section.span("drain") {
        bounds.drain_max = std::time::Duration::from_secs(span.0);
    }
    if let Some(span) = section.span("upstream_timeout") {
        bounds.upstream_max = std::time::Duration::from_secs(span.0);
    }
    section.end();
    bounds
}

fn metrics(section: Option<Section<'_>>, here: &Here) -> SidePort {
    let mut side = SidePort { listen: defaults::METRICS_LISTEN, token: None, networks: Vec::new() };
    let Some(mut section) = section else { return side };
    let listen = address(&mut section, "listen");
    side.token = section.text("token_file").map(|at| (here.path(at.value), at.line));
    for At { value, line } in section.texts("networks").unwrap_or_default() {
        match Network::parse(value) {
            Ok(network) => side.networks.push(network),
            Err(why) => section.fault(Some(line), format!("`networks` cannot hold `{value}`"), why.to_string()),
        }
    }
    if let Some(At { value, line }) = listen
        && !value.ip().to_canonical().is_loopback()
        && side.token.is_none()
        && side.networks.is_empty()
    {
        section.fault(
            Some(line),
            "the metrics would be reachable from the network",
            "add `token_file` or `networks = [\"10.0.0.0/24\"]`, or use a loopback address, such as `127.0.0.1:7442`",
        );
    }
    section.end();
    side.listen = listen.map_or(defaults::METRICS_LISTEN, |at| at.value);
    side
}
