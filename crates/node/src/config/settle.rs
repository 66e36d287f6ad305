//! What must fit together: a configuration that is right word by word can still promise what nobody keeps.

use std::os::unix::net::SocketAddr;

use countersign_compliance::FeedKind;
use countersign_gateway::Scheme;

use crate::{
    config::{
        fault::{Fault, Faults},
        model::{Config, Dev, DoorListen, Listen, PlainUpstream, StatusListSource},
    },
    files,
};

/// Checks `config` for the kind of node that it shall be.
///
/// # Errors
/// Every combination that is refused, with its line and remedy.
pub fn settle(config: &Config, dev: Dev) -> Result<(), Faults> {
    let mut faults = Faults::default();
    let mut refuse = |line: Option<usize>, what: String, remedy: &str| {
        faults.push(Fault { file: config.file.clone(), line, what, remedy: remedy.to_owned() });
    };
    let fetched = config.feeds.iter().find(|feed| feed.kind == FeedKind::StatusList);
    if let (StatusListSource::Nowhere(line), Some(_)) = (&config.device.status_list, fetched) {
        let what = "`status_list = \"none\"` and `[feeds.status_list]` contradict each other".to_owned();
        refuse(Some(*line), what, "remove one of them");
    }
    let door = config.auth_request.as_ref().and_then(|door| match &door.listen {
        DoorListen::Loopback(_) => None,
        DoorListen::Unix { path, .. } => Some(path.clone()),
    });
    for path in [Some(config.admin_socket()), door].into_iter().flatten() {
        // The system takes about a hundred bytes for the path of a socket (unix(7), `sun_path`).
        if SocketAddr::from_pathname(files::socket_made_at(&path)).is_err() {
            let what = format!("the path of the socket `{}` is too long ({} bytes)", path.display(), path.as_os_str().len());
            refuse(None, what, "use a directory with a shorter path, or a symbolic link to the deep one");
        }
    }
    match dev {
        Dev::Off => {
            let android = config.apps.iter().find(|app| !app.signers.is_empty());
            if let (Some(app), StatusListSource::Unsaid, None) = (android, &config.device.status_list, fetched) {
                let what = "there is no revocation list, so leaked attestation keys would be accepted".to_owned();
                let remedy = "add `[feeds.status_list]` or `status_list` in `[device]`; `status_list = \"none\"` goes without one";
                refuse(Some(app.line), what, remedy);
            }
            let upstream = &config.upstream;
            if (upstream.origin.scheme(), upstream.plain) == (Scheme::Http, PlainUpstream::OnThisMachine)
                && !upstream.origin.on_this_machine()
            {
                let what = "`upstream` is `http` and not on this machine, so requests would cross the network unprotected".to_owned();
                let remedy = "use `https` with `upstream_ca`, or `http://127.0.0.1`; `upstream_plain = true` accepts it as it is";
                refuse(Some(upstream.line), what, remedy);
            }
            if config.tls.is_none() {
                let what = "there is no certificate for `public_url`".to_owned();
                refuse(None, what, "add `[tls]` with `cert` and `key`, or use `--dev` for a test");
            }
            for app in config.apps.iter().filter(|app| app.signers.is_empty() && app.ios.is_none()) {
                let what = format!(
                    "the app `{}` has neither an Android signing certificate nor an `ios` section, so no phone can enrol",
                    app.client
                );
                refuse(Some(app.line), what, "add `android = { cert_sha256 = [\"9F:2A:...\"] }`, or use `--dev` for a test");
            }
        }
        Dev::On => {
            if let Listen::On { address, line } = config.listen
                && !address.ip().is_loopback()
            {
                let what = format!("a development node may listen only on loopback, not on `{address}`");
                refuse(Some(line), what, "remove `listen`, or run without `dev`");
            }
            if let Some(tls) = &config.tls {
                let what = "a development node makes its own certificate".to_owned();
                refuse(Some(tls.line), what, "remove `[tls]`, or run without `dev`");
            }
        }
    }
    faults.or(())
}
