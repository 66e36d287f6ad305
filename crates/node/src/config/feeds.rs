//! `[feeds.NAME]`: what is fetched while a node runs, from where and how often.

use countersign_compliance::FeedKind;
use countersign_core::Seconds;
use url::Url;

use crate::config::{
    defaults,
    model::FeedSource,
    section::{At, Section},
};

/// The shortest time between looks: whoever asks more often is turned away by vendors.
const EVERY_MIN: Seconds = Seconds(60);

/// The section.
pub fn feeds(section: Option<Section<'_>>) -> Vec<FeedSource> {
    let Some(mut section) = section else { return Vec::new() };
    let feeds = FeedKind::ALL.iter().filter_map(|kind| source(*kind, section.table(kind.as_str(), format!("feeds.{}", kind.as_str()))?));
    let feeds = feeds.collect();
    section.end();
    feeds
}

fn source(kind: FeedKind, mut section: Section<'_>) -> Option<FeedSource> {
    let line = section.line().unwrap_or(1);
    let example = "\"https://android.googleapis.com/attestation/status\"";
    let url = section.required_text("url", example).and_then(|at| url(&section, at));
    let every = section.span("every").unwrap_or(defaults::FEED_EVERY);
    let warn_after = section.span("warn_after").unwrap_or(Seconds(defaults::FEED_WARN_AFTER.0.max(every.0.saturating_mul(3))));
    if every < EVERY_MIN {
        section.fault(Some(line), "`every` is less than a minute", "write at least `1m`; vendors refuse more frequent requests");
    }
    if warn_after < every {
        section.fault(Some(line), "`warn_after` is shorter than `every`, so it would always warn", "set it to at least twice `every`");
    }
    section.end();
    Some(FeedSource { kind, url: url?, every, warn_after, line })
}

fn url(section: &Section<'_>, At { value, line }: At<&str>) -> Option<Url> {
    let url = Url::parse(value).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.host_str().is_some());
    if url.is_none() {
        section.fault(Some(line), format!("`url` cannot be `{value}`"), "write a URL that begins with `https://`");
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;
    use std::path::Path;

    const MINIMAL: &str = "public_url = \"https://api.example.com\"\nupstream = \"http://127.0.0.1:8080\"\n[app.\"com.example.shop\"]\n\
        [vendors]\nca = \"roots.pem\"\n";

    #[test]
    fn feeds_are_read() {
        let text = format!(
            "{MINIMAL}[feeds.status_list]\nurl = \"https://android.googleapis.com/attestation/status\"\nevery = \"6h\"\nwarn_after = \"2d\"\n\
             [feeds.boot_keys]\nurl = \"http://127.0.0.1:1/keys\"\n"
        );
        let feeds = parse(&text, Path::new("csign.toml")).expect("understood").feeds;
        let read: Vec<_> = feeds.iter().map(|feed| (feed.kind, feed.every, feed.warn_after, feed.line)).collect();
        let expected = [
            (FeedKind::BootKeys, defaults::FEED_EVERY, defaults::FEED_WARN_AFTER, 10),
            (FeedKind::StatusList, Seconds(21_600), Seconds(172_800), 6),
        ];
        assert_eq!(read, expected);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let rows = [
            ("[feeds.status_list]\nevery = \"6h\"\n", "csign.toml:6: `url` is missing"),
            ("[feeds.status_list]\nurl = \"ftp://a\"\n", "csign.toml:7: `url` cannot be `ftp://a`"),
            ("[feeds.status_list]\nurl = \"https://a\"\nevery = \"59s\"\n", "csign.toml:6: `every` is less than a minute"),
            ("[feeds.status_list]\nurl = \"https://a\"\nwarn_after = \"23h\"\n", "csign.toml:6: `warn_after` is shorter than `every`"),
            ("[feeds.weather]\nurl = \"https://a\"\n", "csign.toml:6: unknown key `weather` in `[feeds]`"),
        ];
        for (text, expected) in rows {
            let said = parse(&format!("{MINIMAL}{text}"), Path::new("csign.toml")).expect_err(text).to_string();
            assert!(said.starts_with(expected), "{said}");
        }
        let without_roots = MINIMAL.split("[vendors]").next().unwrap_or_default();
        let text = format!("{without_roots}[feeds.status_list]\nurl = \"https://a\"\n");
        let said = parse(&text, Path::new("csign.toml")).expect_err("no roots").to_string();
        assert!(
            said.starts_with("csign.toml:4: `feeds.status_list` uses `https`, but there are no CA certificates to verify it with"),
            "{said}"
        );
    }
}
