//! From a file to a page.

use anyhow::{Result, anyhow};
use serde_json::Value;

use crate::cli::{
    attest_inspect::{
        android, apple,
        asked::InspectArgs,
        explain::Told,
        kind::{EXPECTED, Evidence, recognise},
        play, report,
        what_if::{Answer, what_if},
    },
    output::{Exit, Output, say, say_json},
};

/// Explains the evidence; the exit status is good when every verdict is.
pub fn run(args: &InspectArgs, output: Output) -> Result<Exit> {
    let evidence =
        recognise(args.bytes()?).ok_or_else(|| anyhow!("`{}` is not evidence of a known kind; {EXPECTED}", args.file.display()))?;
    let Told { mut text, mut document, exit, posture } = match evidence {
        Evidence::AndroidChain(chain) => android::explain(&chain, args)?,
        Evidence::AppleAssertion(bytes) => apple::assertion(&bytes, args)?,
        Evidence::AppleAttestation(bytes) => apple::attestation(&bytes, args)?,
        Evidence::AppleReceipt(bytes) => apple::receipt(&bytes, args)?,
        Evidence::PlayPayload(json) => play::payload(&json, args)?,
        Evidence::PlayToken(token) => play::token(&token, args)?,
        Evidence::Report(jws) => report::explain(&jws, args)?,
    };
    if let Some(config) = &args.what_if {
        let answer = match posture {
            Some(posture) => what_if(config, &posture, args.now())?,
            None => Answer {
                text: "what if: the evidence is not accepted, so requirements cannot be checked".to_owned(),
                document: Value::Null,
            },
        };
        text += &format!("\n\n{}", answer.text);
        document.insert("what_if".to_owned(), answer.document);
    }
    match output {
        Output::Json => say_json(&Value::Object(document)),
        Output::Text => say(text),
    }
    Ok(exit)
}
