//! The files by which Google and Apple learn that apps of ours belong to our host. A phone makes a passkey for the host in no app that
//! these do not name.

use axum::{Router, http::header, routing::get};
use countersign_gateway::body::{Body, BodyError};
use http::{Request, Response};
use http_body_util::BodyExt;
use serde_json::json;
use tower::ServiceExt;

use crate::config::App;

/// Digital Asset Links, which Android reads (developer.android.com, "Add support for Digital Asset Links").
pub(crate) const ASSET_LINKS: &str = "/.well-known/assetlinks.json";

/// Associated domains, which Apple's servers read (developer.apple.com, "Supporting associated domains").
pub(crate) const APPLE: &str = "/.well-known/apple-app-site-association";

/// Time for which readers may keep the files, as the header `Cache-Control` says it: an hour.
const KEPT: &str = "public, max-age=3600";

/// The files, as far as there are apps for them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Association {
    android: Option<String>,
    apple: Option<String>,
}

impl Association {
    /// The files about these apps. One that would name no app is not there.
    #[must_use]
    pub fn of(apps: &[App]) -> Self {
        let android: Vec<_> = apps
            .iter()
            .filter(|app| !app.signers.is_empty())
            .map(|app| {
                let fingerprints: Vec<_> = app.signers.iter().map(fingerprint).collect();
                json!({
                    // What the Credential Manager asks for (developer.android.com, "Sign in your user with Credential Manager").
                    "relation": ["delegate_permission/common.handle_all_urls", "delegate_permission/common.get_login_creds"],
                    "target": { "namespace": "android_app", "package_name": app.package.as_str(), "sha256_cert_fingerprints": fingerprints },
                })
            })
            .collect();
        let apple: Vec<_> = apps.iter().filter_map(|app| app.ios.as_ref()).map(|ios| format!("{}.{}", ios.team, ios.bundle)).collect();
        Self {
            android: (!android.is_empty()).then(|| json!(android).to_string()),
            apple: (!apple.is_empty()).then(|| json!({ "webcredentials": { "apps": apple } }).to_string()),
        }
    }

    /// The file at a path, if there is one.
    #[must_use]
    pub fn at(&self, path: &str) -> Option<&str> {
        match path {
            ASSET_LINKS => self.android.as_deref(),
            APPLE => self.apple.as_deref(),
            _ => None,
        }
    }
}

/// Answers with a file.
pub async fn answer(file: &str, request: Request<Body>) -> Response<Body> {
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, KEPT)];
    let file = file.to_owned();
    let router = Router::new().route(ASSET_LINKS, get((headers.clone(), file.clone()))).route(APPLE, get((headers, file)));
    let answer = router.oneshot(request.map(axum::body::Body::new)).await;
    match answer {
        Ok(answer) => answer.map(|body| body.map_err(|fault| BodyError::Broken(Box::new(fault))).boxed_unsync()),
        Err(never) => match never {},
    }
}

/// A certificate's SHA-256 as Google's file has it: pairs of upper-case digits, joined by colons.
fn fingerprint(signer: &[u8; 32]) -> String {
    signer.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::Value;

    use super::*;
    use crate::config::parse;

    fn of(apps: &str) -> Association {
        let text = format!("public_url = \"https://api.example.com\"\nupstream = \"http://127.0.0.1:1\"\n{apps}");
        Association::of(&parse(&text, Path::new("csign.toml")).expect("understood").apps)
    }

    #[test]
    fn the_files_name_the_apps() {
        let both = of(&format!(
            "[app.\"com.example.shop\"]\nandroid = {{ package = \"com.example.android\", cert_sha256 = [\"{}\", \"{}\"] }}\n\
             ios = {{ team = \"9CYHJNG644\", bundle = \"com.example.ios\" }}\n[app.\"com.example.tool\"]\nios = {{ team = \"9CYHJNG644\", bundle = \"com.example.tool\" }}\n",
            "ab".repeat(32),
            "0f".repeat(32)
        ));
        let read = |path: &str| serde_json::from_str::<Value>(both.at(path).expect("a file")).expect("JSON");
        let fingerprints = ["AB", "0F"].map(|pair| [pair; 32].join(":"));
        let expected = json!([{
            "relation": ["delegate_permission/common.handle_all_urls", "delegate_permission/common.get_login_creds"],
            "target": {
                "namespace": "android_app",
                "package_name": "com.example.android",
                "sha256_cert_fingerprints": fingerprints,
            },
        }]);
        assert_eq!(read(ASSET_LINKS), expected);
        assert_eq!(read(APPLE), json!({ "webcredentials": { "apps": ["9CYHJNG644.com.example.ios", "9CYHJNG644.com.example.tool"] } }));
        assert_eq!(both.at("/.well-known/security.txt"), None);
        assert_eq!(of("[app.\"com.example.shop\"]\n"), Association::default(), "nobody is named");
    }
}
