//! Names of request headers that are not a client's to send: some API behind some proxy believes them.
//!
//! A name is compared in its normal form, letters and digits alone in lower case, since CGI, WSGI and PHP read `Countersign.User`,
//! `Countersign_User` and `Countersign-User` as one variable. Where such a form would hit an app's own header (`X-MS-*` and `X-Msg-Id`), the
//! spelling with hyphens is compared. What belongs to no family is the app's own and passes.
//!
//! Sources: RFC 7239, RFC 9440, RFC 3875 section 4.1; the documentation of oauth2-proxy, Authelia, authentik, Vouch, Pomerium, Grafana
//! (`X-WEBAUTH-USER`), Kong, WSO2, Shibboleth, mod_auth_openidc, mod_auth_mellon, SiteMinder, WebSEAL, Tailscale, Teleport, Linkerd,
//! Kubernetes (`X-Remote-*`, `Impersonate-*`), Google IAP, App Engine and API Gateway, AWS ALB, Azure App Service and Front Door, Cloudflare,
//! Fastly, Akamai, Netlify, Vercel, Fly.io, Envoy, nginx (`X-Accel-*`), lighttpd, IIS (`X-Original-URL`, `X-Rewrite-URL`), Symfony, Rails
//! and ASP.NET Core (method overrides); httpoxy (CVE-2016-5385, `Proxy`); CVE-2025-29927 (`X-Middleware-Subrequest`).

/// Claim that a reserved header would make. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// Origin of a request, and how it came. A proxy in front of us may add these; an API believes ours.
    Address,
    /// Person or program that sends it.
    Identity,
    /// Another method, target, environment or treatment than was judged.
    Override,
    /// Claim that Countersign alone makes.
    Ours,
}

use Family::{Address, Identity, Ours, Override};

/// Whole names, in normal form. Sorted, and looked up so.
const NAMES: &[(&str, Family)] = &[
    ("authenticateduser", Identity),
    ("authtype", Identity),
    ("authuser", Identity),
    ("baseurl", Override),
    ("clientip", Address),
    ("documentroot", Override),
    ("forwarded", Address),
    ("frontendhttps", Address),
    ("https", Address),
    ("pathinfo", Override),
    ("pathtranslated", Override),
    ("proxy", Override),
    ("querystring", Override),
    ("realip", Address),
    ("requestmethod", Override),
    ("requesturi", Override),
    ("scriptfilename", Override),
    ("scriptname", Override),
    ("servername", Override),
    ("serverport", Override),
    ("xclientip", Address),
    ("xemail", Identity),
    ("xforwarded", Address),
    ("xforwardfor", Address),
    ("xgroups", Identity),
    ("xhost", Override),
    ("xhttphost", Override),
    ("xidentity", Identity),
    ("xprincipal", Identity),
    ("xproto", Address),
    ("xproxyclientip", Address),
    ("xproxyurl", Override),
    ("xroles", Identity),
    ("xscheme", Address),
    ("xsubject", Identity),
    ("xurl", Override),
    ("xurlscheme", Address),
    ("xuser", Identity),
    ("xuseremail", Identity),
    ("xusergroups", Identity),
    ("xuserid", Identity),
    ("xuserinfo", Identity),
    ("xusername", Identity),
    ("xuserroles", Identity),
];

/// Beginnings of names, in normal form.
const BEGINNINGS: &[(&str, Family)] = &[
    ("countersign", Ours),
    ("cfconnectingip", Address),
    ("clientcert", Identity),
    ("fastlyclient", Address),
    ("forwardedfor", Address),
    ("impersonateuser", Identity),
    ("oidcclaim", Identity),
    ("remoteaddr", Address),
    ("remoteuser", Identity),
    ("sslclient", Identity),
    ("trueclientip", Address),
    ("xaccelredirect", Override),
    ("xauthenticated", Identity),
    ("xauthrequest", Identity),
    ("xauthuser", Identity),
    ("xclientcert", Identity),
    ("xclusterclientip", Address),
    ("xforwardedclientcert", Identity),
    ("xforwardedemail", Identity),
    ("xforwardedgroup", Identity),
    ("xforwardedpreferredusername", Identity),
    ("xforwardeduser", Identity),
    ("xforwarded", Address),
    ("xhttpmethod", Override),
    ("xmethodoverride", Override),
    ("xoriginaluri", Override),
    ("xoriginalurl", Override),
    ("xrealip", Address),
    ("xremoteuser", Identity),
    ("xrewriteurl", Override),
    ("xsendfile", Override),
    ("xsslclient", Identity),
    ("xwebauth", Identity),
];

/// Beginnings of names as they are spelled, in lower case.
const SPELLED: &[(&str, Family)] = &[
    ("akamai-", Address),
    ("cf-access-", Identity),
    ("cf-", Address),
    ("cloudfront-", Address),
    ("do-connecting-", Address),
    ("fastly-", Address),
    ("fly-", Address),
    ("forwarded-", Address),
    ("impersonate-", Identity),
    ("incap-", Address),
    ("iv-", Identity),
    ("l5d-", Identity),
    ("mellon-", Identity),
    ("oam-", Identity),
    ("oidc-", Identity),
    ("proxy-", Override),
    ("remote-", Identity),
    ("shib-", Identity),
    ("sm-", Identity),
    ("ssl-", Identity),
    ("tailscale-", Identity),
    ("teleport-", Identity),
    ("tls-client-", Identity),
    ("true-client-", Address),
    ("wl-proxy-", Address),
    ("x-3scale-", Identity),
    ("x-accel-", Override),
    ("x-akamai-", Address),
    ("x-amzn-mtls-", Identity),
    ("x-amzn-oidc-", Identity),
    ("x-anonymous-consumer", Identity),
    ("x-apigateway-", Identity),
    ("x-appengine-", Identity),
    ("x-appgw-", Address),
    ("x-arr-", Identity),
    ("x-auth-", Identity),
    ("x-authelia-", Identity),
    ("x-authentik-", Identity),
    ("x-azure-", Address),
    ("x-client-dn", Identity),
    ("x-client-verify", Identity),
    ("x-cluster-", Address),
    ("x-consumer-", Identity),
    ("x-credential-", Identity),
    ("x-edge-", Address),
    ("x-endpoint-api-", Identity),
    ("x-envoy-", Override),
    ("x-goog-", Identity),
    ("x-host-", Override),
    ("x-http-host-", Override),
    ("x-invoke-", Override),
    ("x-istio-", Identity),
    ("x-jwt-", Identity),
    ("x-keycloak-", Identity),
    ("x-kong-", Identity),
    ("x-lighttpd-", Override),
    ("x-mashape-", Identity),
    ("x-middleware-", Override),
    ("x-ms-", Identity),
    ("x-nextjs-", Override),
    ("x-nf-", Address),
    ("x-oathkeeper-", Identity),
    ("x-original-", Override),
    ("x-originating-", Address),
    ("x-override-", Override),
    ("x-path-", Override),
    ("x-pomerium-", Identity),
    ("x-principal-", Identity),
    ("x-proxy-", Override),
    ("x-proxyuser-", Address),
    ("x-rapidapi-", Identity),
    ("x-real-", Address),
    ("x-remote-", Identity),
    ("x-reproxy-", Override),
    ("x-rewrite-", Override),
    ("x-script-", Override),
    ("x-spiffe-", Identity),
    ("x-ssl-", Identity),
    ("x-tls-", Identity),
    ("x-tyk-", Identity),
    ("x-vercel-", Address),
    ("x-vouch-", Identity),
    ("x-wsgi-", Override),
];

/// Way in which a name is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// Letters, digits and hyphens, as RFC 9110 section 5.1 advises: one variable of CGI, whoever makes it.
    Plain,
    /// With another character of a token. CGI makes `_` of most of them, so that it is another name's second spelling.
    Aliased,
}

/// Reads in which way `name` is written.
pub(crate) fn spelling(name: &str) -> Spelling {
    if name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') { Spelling::Plain } else { Spelling::Aliased }
}

/// The family of `name`, which is in lower case; `None` for an app's own.
pub(crate) fn family(name: &str) -> Option<Family> {
    let form: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let spelled: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let whole = NAMES.binary_search_by_key(&form.as_str(), |(known, _)| known).ok().and_then(|at| NAMES.get(at));
    let begins = || BEGINNINGS.iter().find(|(known, _)| form.starts_with(known));
    let is_spelled = || SPELLED.iter().find(|(known, _)| spelled.starts_with(known));
    whole.or_else(begins).or_else(is_spelled).map(|(_, family)| *family)
}

const MALFORMED: &str = "its name has other characters than letters, digits and hyphens";
const RESERVED: &str = "an API could take it for the word of a proxy, so that no client may send it";

/// Takes the name of a header that an operation may declare (`request_headers = "declared"`).
///
/// # Errors
/// In words, when the name is reserved, or is a second spelling of another one.
pub fn declarable(name: &str) -> Result<(), &'static str> {
    match (spelling(name), family(&name.to_ascii_lowercase())) {
        (Spelling::Aliased, _) => Err(MALFORMED),
        (Spelling::Plain, _) if name.is_empty() => Err(MALFORMED),
        (Spelling::Plain, Some(_)) => Err(RESERVED),
        (Spelling::Plain, None) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_tables_are_in_order_and_in_their_form() {
        assert!(NAMES.is_sorted_by(|(a, _), (b, _)| a < b));
        let normal = |name: &str| name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        assert!(NAMES.iter().chain(BEGINNINGS).all(|(name, _)| normal(name)));
        assert!(SPELLED.iter().all(|(name, _)| normal(&name.replace('-', ""))));
    }

    #[test]
    fn what_some_api_believes_is_of_a_family() {
        let rows: &[(&str, Option<Family>)] = &[
            // Ours, in each spelling that some server makes one of.
            ("countersign-user", Some(Ours)),
            ("countersign_identity", Some(Ours)),
            ("countersign.user", Some(Ours)),
            ("countersignuser", Some(Ours)),
            ("counter-sign-decision", Some(Ours)),
            // Who sends it.
            ("remote-user", Some(Identity)),
            ("remote_user", Some(Identity)),
            ("remote-groups", Some(Identity)),
            ("x-remote-user", Some(Identity)),
            ("x-remote-extra-scopes", Some(Identity)),
            ("impersonate-group", Some(Identity)),
            ("x-auth-request-email", Some(Identity)),
            ("x-auth-user", Some(Identity)),
            ("x-authenticated-userid", Some(Identity)),
            ("x-webauth-user", Some(Identity)),
            ("x-forwarded-user", Some(Identity)),
            ("x-forwarded-email", Some(Identity)),
            ("x-forwarded-client-cert", Some(Identity)),
            ("x-goog-authenticated-user-email", Some(Identity)),
            ("x-goog-iap-jwt-assertion", Some(Identity)),
            ("x-amzn-oidc-data", Some(Identity)),
            ("x-ms-client-principal", Some(Identity)),
            ("x-ms-token-aad-id-token", Some(Identity)),
            ("cf-access-jwt-assertion", Some(Identity)),
            ("client-cert", Some(Identity)),
            ("client-cert-chain", Some(Identity)),
            ("x-client-cert", Some(Identity)),
            ("x-ssl-client-s-dn", Some(Identity)),
            ("ssl-client-verify", Some(Identity)),
            ("x-arr-clientcert", Some(Identity)),
            ("tailscale-user-login", Some(Identity)),
            ("x-pomerium-jwt-assertion", Some(Identity)),
            ("x-consumer-username", Some(Identity)),
            ("oidc_claim_sub", Some(Identity)),
            ("shib-session-id", Some(Identity)),
            ("sm_user", Some(Identity)),
            ("iv-user", Some(Identity)),
            ("x-appengine-user-email", Some(Identity)),
            ("x-user", Some(Identity)),
            ("x-user-id", Some(Identity)),
            // Whence it came.
            ("forwarded", Some(Address)),
            ("x-forwarded-for", Some(Address)),
            ("x_forwarded_for", Some(Address)),
            ("x-forwarded-prefix", Some(Address)),
            ("x-real-ip", Some(Address)),
            ("x-client-ip", Some(Address)),
            ("client-ip", Some(Address)),
            ("x-cluster-client-ip", Some(Address)),
            ("true-client-ip", Some(Address)),
            ("cf-connecting-ip", Some(Address)),
            ("fastly-client-ip", Some(Address)),
            ("wl-proxy-client-ip", Some(Address)),
            ("x-azure-clientip", Some(Address)),
            ("front-end-https", Some(Address)),
            // What is done.
            ("proxy", Some(Override)),
            ("x-http-method-override", Some(Override)),
            ("x-http-method", Some(Override)),
            ("x-method-override", Some(Override)),
            ("x-original-method", Some(Override)),
            ("x-original-url", Some(Override)),
            ("x-original-host", Some(Override)),
            ("x-rewrite-url", Some(Override)),
            ("x-host", Some(Override)),
            ("x-accel-redirect", Some(Override)),
            ("x-envoy-original-path", Some(Override)),
            ("x-sendfile", Some(Override)),
            ("script-name", Some(Override)),
            ("x-middleware-subrequest", Some(Override)),
            // An app's own.
            ("accept", None),
            ("content-type", None),
            ("user-agent", None),
            ("idempotency-key", None),
            ("if-none-match", None),
            ("x-app-version", None),
            ("x-api-key", None),
            ("x-author", None),
            ("x-client-version", None),
            ("x-correlation-id", None),
            ("x-csrf-token", None),
            ("x-device-id", None),
            ("x-hostname", None),
            ("x-msg-id", None),
            ("x-platform", None),
            ("x-remoteness", None),
            ("x-request-id", None),
            ("x-session-id", None),
            ("x-user-agent", None),
            ("x-username-hint", None),
            ("traceparent", None),
            ("x-b3-traceid", None),
            ("x-amzn-trace-id", None),
            ("sec-websocket-key", None),
            ("sentry-trace", None),
            ("grpc-timeout", None),
            ("x-grpc-web", None),
            ("origin", None),
        ];
        for (name, expected) in rows {
            assert_eq!(family(name), *expected, "{name}");
        }
    }

    #[test]
    fn an_operation_declares_an_apps_own_headers() {
        let rows = [
            ("X-App-Version", Ok(())),
            ("X_App_Version", Err(MALFORMED)),
            ("", Err(MALFORMED)),
            ("X-Forwarded-For", Err(RESERVED)),
            ("Countersign-User", Err(RESERVED)),
        ];
        for (name, expected) in rows {
            assert_eq!(declarable(name), expected, "{name}");
        }
    }

    #[test]
    fn names_beyond_letters_digits_and_hyphens_are_second_spellings() {
        for (name, expected) in [
            ("x-app-version", Spelling::Plain),
            ("x_app_version", Spelling::Aliased),
            ("x.app.version", Spelling::Aliased),
            ("x~app", Spelling::Aliased),
            ("x|app", Spelling::Aliased),
            ("x'app", Spelling::Aliased),
        ] {
            assert_eq!(spelling(name), expected, "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_separator_hides_a_claim_of_ours(cuts in proptest::collection::vec((0_usize..15, "[-_.~!#$%&'*+^`|]"), 0..6)) {
            let mut name = "countersignuser".to_owned();
            for (at, separator) in cuts {
                name.insert_str(at.min(name.len()), &separator);
            }
            prop_assert_eq!(family(&name), Some(Ours), "{}", name);
        }

        #[test]
        fn no_name_panics(name in "[a-z0-9_.~-]{0,60}") {
            let _ = family(&name);
        }
    }
}
