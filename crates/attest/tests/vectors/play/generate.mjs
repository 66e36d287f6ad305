// Makes tokens.json: tokens as Google Play makes them, and the same with one thing wrong, by the npm package `jose`.
//
//   npm install jose && node generate.mjs > tokens.json
//
// The keys are test keys and stand here. Each run draws other content keys, vectors and signatures.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createPrivateKey, createPublicKey } from "node:crypto";
import * as jose from "jose";

const utf8 = new TextEncoder();
const require = createRequire(import.meta.url);
const version = JSON.parse(readFileSync(require.resolve("jose/package.json"))).version;

const decryption = Uint8Array.from({ length: 32 }, (_, i) => i * 7 + 3);
const otherDecryption = decryption.map((byte) => byte ^ 1);
// RFC 7517 appendix A.2 and, for somebody else, RFC 7515 appendix A.3: published keys that protect nothing.
const google = {
  kty: "EC", crv: "P-256",
  x: "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
  y: "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
  d: "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE",
};
const thief = {
  kty: "EC", crv: "P-256",
  x: "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
  y: "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
  d: "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
};

const at = 1_750_000_000;
const binding = "QEQhBBYzxMVaU7uHOPi3IpiTVuDGPhHQRulIuFmR1rI";
const verdict = {
  requestDetails: { requestPackageName: "com.example.bank", requestHash: binding, timestampMillis: String(at * 1000 - 2345) },
  appIntegrity: {
    appRecognitionVerdict: "PLAY_RECOGNIZED",
    packageName: "com.example.bank",
    certificateSha256Digest: ["hIO7bIJmGlKa_ly9Jw-83oZMk_2iAF3IMh-OG7SGmR8"],
    versionCode: "42",
  },
  deviceIntegrity: {
    deviceRecognitionVerdict: ["MEETS_BASIC_INTEGRITY", "MEETS_DEVICE_INTEGRITY"],
    recentDeviceActivity: { deviceActivityLevel: "LEVEL_1" },
    deviceAttributes: { sdkVersion: 36 },
    deviceRecall: { values: { bitFirst: true, bitSecond: false, bitThird: false }, writeDates: { yyyymmFirst: 202505 } },
  },
  accountDetails: { appLicensingVerdict: "LICENSED" },
  environmentDetails: { appAccessRiskVerdict: { appsDetected: ["KNOWN_INSTALLED"] }, playProtectVerdict: "NO_ISSUES" },
};

async function signed(payload, { key = google, alg = "ES256", header = {} } = {}) {
  return new jose.CompactSign(utf8.encode(payload)).setProtectedHeader({ alg, ...header }).sign(await jose.importJWK(key, alg));
}

async function sealed(text, { key = decryption, alg = "A256KW", enc = "A256GCM", header = {} } = {}) {
  return new jose.CompactEncrypt(utf8.encode(text)).setProtectedHeader({ alg, enc, ...header }).encrypt(key);
}

/** The token with one character of one part replaced by its neighbour in the alphabet. */
function tampered(token, part, position) {
  const parts = token.split(".");
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const text = parts[part];
  const other = alphabet[alphabet.indexOf(text[position]) ^ 1];
  parts[part] = text.slice(0, position) + other + text.slice(position + 1);
  return parts.join(".");
}

const changed = (change) => {
  const copy = structuredClone(verdict);
  change(copy);
  return JSON.stringify(copy);
};
const cases = [];
/** A token that opens, and which rules its verdict breaks. */
const opens = async (name, payload, broken, options = {}) =>
  cases.push({ name, token: await sealed(await signed(payload, options), options), payload, broken });
/** A token that does not open. */
const refused = (name, token, code) => cases.push({ name, token, refused: code });

const good = JSON.stringify(verdict);
await opens("a phone in order", good, []);
await opens("a classic request", changed((v) => { v.requestDetails.nonce = v.requestDetails.requestHash; delete v.requestDetails.requestHash; }), []);
await opens("a classic request, padded", changed((v) => { v.requestDetails.nonce = `${v.requestDetails.requestHash}=`; delete v.requestDetails.requestHash; }), []);
await opens("written with space", JSON.stringify(verdict, null, 2), []);
await opens("names of keys in both headers", good, [], { header: { kid: "1", typ: "JWT" } });
await opens("hardware", changed((v) => v.deviceIntegrity.deviceRecognitionVerdict.push("MEETS_STRONG_INTEGRITY")), []);
await opens("fields of later times", changed((v) => { v.environmentDetails.locationSpoofingRiskVerdict = ["LOW_RISK_DEVICE"]; v.weather = {}; }), []);
await opens("another request", changed((v) => { v.requestDetails.requestHash = "aGVsbG8"; }), ["play_request_mismatch"]);
await opens("an hour old", changed((v) => { v.requestDetails.timestampMillis = String((at - 3600) * 1000); }), ["play_verdict_too_old"]);
await opens("an hour ahead, as a number", changed((v) => { v.requestDetails.timestampMillis = (at + 3600) * 1000; }), ["play_verdict_too_early"]);
await opens("a test", changed((v) => { v.testingDetails = { isTestingResponse: true }; }), ["play_testing_response"]);
await opens("an emulator", changed((v) => { v.deviceIntegrity = { deviceRecognitionVerdict: ["MEETS_VIRTUAL_INTEGRITY"] }; }), ["play_device_integrity_missing"]);
await opens("a rooted phone", JSON.stringify({
  requestDetails: verdict.requestDetails,
  appIntegrity: { appRecognitionVerdict: "UNEVALUATED" },
  deviceIntegrity: { recentDeviceActivity: { deviceActivityLevel: "UNEVALUATED" }, deviceAttributes: {} },
  accountDetails: { appLicensingVerdict: "UNEVALUATED" },
  environmentDetails: { appAccessRiskVerdict: {}, playProtectVerdict: "UNEVALUATED" },
}), ["play_device_integrity_missing", "play_app_unrecognized", "app_unknown", "play_unlicensed", "play_protect_risk", "app_access_risk"]);
await opens("a repackaged app", changed((v) => {
  v.appIntegrity.appRecognitionVerdict = "UNRECOGNIZED_VERSION";
  v.appIntegrity.certificateSha256Digest = ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"];
}), ["play_app_unrecognized", "app_signer_unknown"]);
await opens("an old app", changed((v) => { v.appIntegrity.versionCode = "41"; }), ["app_version_too_old"]);
await opens("a sideloaded app", changed((v) => { v.accountDetails.appLicensingVerdict = "UNLICENSED"; }), ["play_unlicensed"]);
await opens("Play Protect is off", changed((v) => { v.environmentDetails.playProtectVerdict = "POSSIBLE_RISK"; }), ["play_protect_risk"]);
await opens("a remote control", changed((v) => v.environmentDetails.appAccessRiskVerdict.appsDetected.push("UNKNOWN_CONTROLLING")), ["app_access_risk"]);
await opens("no verdict", "{}", ["play_verdict_malformed"]);
await opens("two requests", good.replace("{", '{"requestDetails":{},'), ["play_verdict_malformed"]);

const inner = await signed(good);
const token = await sealed(inner);
const half = decryption.slice(0, 16);
refused("A128KW", await sealed(inner, { alg: "A128KW", key: half }), "play_token_malformed");
refused("A256GCMKW", await sealed(inner, { alg: "A256GCMKW" }), "play_token_malformed");
refused("dir", await sealed(inner, { alg: "dir" }), "play_token_malformed");
refused("PBES2", await sealed(inner, { alg: "PBES2-HS256+A128KW" }), "play_token_malformed");
refused("A128GCM", await sealed(inner, { enc: "A128GCM" }), "play_token_malformed");
refused("A256CBC-HS512", await sealed(inner, { enc: "A256CBC-HS512" }), "play_token_malformed");
refused("another app's decryption key", await sealed(inner, { key: otherDecryption }), "play_token_undecryptable");
refused("another header", tampered(token, 0, 3), "play_token_malformed");
refused("another wrapped key", tampered(token, 1, 10), "play_token_undecryptable");
refused("another vector", tampered(token, 2, 4), "play_token_undecryptable");
refused("another content", tampered(token, 3, 100), "play_token_undecryptable");
refused("another tag", tampered(token, 4, 7), "play_token_undecryptable");
refused("a tag cut off", token.slice(0, -8), "play_token_malformed");
refused("not encrypted", inner, "play_token_malformed");
refused("not signed", await sealed(good), "play_token_malformed");
refused("signed by a thief", await sealed(await signed(good, { key: thief })), "play_signature_invalid");
const sentAlong = { jwk: { kty: thief.kty, crv: thief.crv, x: thief.x, y: thief.y } };
refused("signed by a thief who sends his key along", await sealed(await signed(good, { key: thief, header: sentAlong })), "play_signature_invalid");
const hmac = { kty: "oct", k: Buffer.from(decryption).toString("base64url") };
refused("a secret for a signature", await sealed(await signed(good, { key: hmac, alg: "HS256" })), "play_token_malformed");
refused("alg none", await sealed(new jose.UnsecuredJWT(verdict).encode()), "play_token_malformed");
refused("a changed payload", await sealed(tampered(inner, 1, 40)), "play_signature_invalid");
refused("encrypted twice", await sealed(token), "play_token_malformed");

const spki = createPublicKey(createPrivateKey({ key: google, format: "jwk" })).export({ type: "spki", format: "der" });
console.log(JSON.stringify({
  made_with: `jose ${version}`,
  decryption_key: Buffer.from(decryption).toString("base64"),
  verification_key: spki.toString("base64"),
  binding,
  at,
  cases,
}, null, 1));
