//! The limits on everything that comes from outside: bytes, counts, depth, rates, waiting times, sizes of files and answers that are read,
//! and what memory and storage keep because of it. Reaching one has a reason of its own; see `docs/reasons.md`.
//!
//! One kind of number stands beside its rule instead: a constant of one algorithm that no input from outside can reach, such as a parameter
//! of a model in `risk`, the length of a profile that it keeps, the bounds of a latitude, or how many rows one transaction changes. The
//! crate `codec` imports nothing of ours; whoever calls it passes the limit as an argument.

use crate::{decision::RateLimit, time::Seconds};

/// The limits that every room shares. Constants, because a limit that can be turned off is not one.
pub struct Limits;

impl Limits {
    // --- Tokens and proofs ---

    /// Bytes in an identifier.
    pub const ID_BYTES_MAX: usize = 128;
    /// Bytes in one compact JWS: an access token or a proof.
    pub const JWS_BYTES_MAX: usize = 8 * 1024;
    /// Bytes in a proof's `htu`.
    pub const URL_BYTES_MAX: usize = 4 * 1024;
    /// Verified access tokens remembered at one time; about a kilobyte each.
    pub const TOKENS_REMEMBERED_MAX: usize = 20_000;
    /// Life of an access token.
    pub const ACCESS_TOKEN_LIFE: Seconds = Seconds(300);
    /// Life that an access token must have left to be given again to whoever repeats a refresh: nobody is answered with what is about
    /// to lapse.
    pub const REPEATED_TOKEN_LIFE_MIN: Seconds = Seconds(60);
    /// Greatest age of a proof without a nonce; RFC 9449 section 11.1 asks for a window of seconds or minutes.
    pub const PROOF_AGE_MAX: Seconds = Seconds(60);
    /// Greatest lead of a phone's clock over ours.
    pub const PROOF_SKEW_MAX: Seconds = Seconds(5);
    /// Longest time for which a used proof is remembered: the life of a nonce with its bucket, and the differences of clocks.
    pub const PROOF_REMEMBERED_MAX: Seconds = Seconds(Self::NONCE_LIFE.0 + 60 + 2 * Self::PROOF_SKEW_MAX.0);
    /// Greatest lead over our clock of a moment that we noted ourselves (a sign-in, evidence). What is dated further ahead was dated while
    /// the clock was wrong, and its age is unknown.
    pub const CLOCK_AHEAD_MAX: Seconds = Seconds(300);
    /// The same for lists that are fetched or are files: their dates come from elsewhere, and a clock that is an hour or so behind must not
    /// make every phone a stranger.
    pub const LIST_AHEAD_MAX: Seconds = Seconds(86_400);
    /// Step of the clock that is noticed: below it, everything that is compared with time has room enough.
    pub const CLOCK_STEP_MIN: Seconds = Seconds(10);
    /// Signing keys of one purpose that are kept after their time is over. They are counted, not timed: a clock that is wrong makes keys
    /// look old, and must not be able to destroy them.
    pub const OLD_KEYS_KEPT_MAX: usize = 12;
    /// Time for which a nonce is taken at the API after the end of the bucket in which it was issued; as long as a proof without one, so
    /// that neither is remembered for longer than the other.
    pub const NONCE_LIFE: Seconds = Seconds(60);
    /// Time for which a nonce is taken at the issuer after the end of its bucket. It is the time for which somebody who holds a device key
    /// for a moment can make proofs and delegations ahead, so it is short: long enough for two hardware signatures on a slow network.
    pub const ISSUER_NONCE_LIFE: Seconds = Seconds(25);
    /// Proofs of enrolled devices remembered at one time; beyond it new proofs are refused, not old ones forgotten.
    pub const REPLAY_ENTRIES_MAX: usize = 2_000_000;
    /// Part of the free room for proofs that one device may hold: one in so many. Devices that flood can never take all of it: with n
    /// of them, one part in 1 + n/4 stays free (dynamic thresholds, Choudhury and Hahne 1998).
    pub const REPLAY_SHARE_OF_FREE: usize = 4;
    /// Proofs of keys that are no device's, remembered at one time; beyond it the oldest go, and older nonces do not count any more.
    pub const REPLAY_STRANGERS_MAX: usize = 131_072;
    /// Life of an authorization code; RFC 6749 section 4.1.2 recommends at most ten minutes.
    pub const CODE_LIFE: Seconds = Seconds(60);
    /// Bytes of a JWK Set, which also bounds its number of keys.
    pub const JWK_SET_BYTES_MAX: usize = 64 * 1024;

    // --- HTTP ---

    /// Bytes in all header names and values of a request.
    pub const HEADER_BYTES_MAX: usize = 32 * 1024;
    /// Header lines in a request.
    pub const HEADERS_MAX: usize = 100;
    /// Bytes of a body that policy looks at or that obligations rewrite.
    pub const PARSED_BODY_BYTES_MAX: usize = 1024 * 1024;
    /// Bytes of a body that streams through.
    pub const STREAMED_BODY_BYTES_MAX: u64 = 64 * 1024 * 1024;
    /// Bytes of a JSON document at a door of ours (enrolment, login).
    pub const DOOR_JSON_BYTES_MAX: usize = 128 * 1024;
    /// Bytes of a form at a door of ours (token, revocation).
    pub const DOOR_FORM_BYTES_MAX: usize = 16 * 1024;
    /// Parameters in a form.
    pub const FORM_PARAMETERS_MAX: usize = 32;

    // --- Connections, bodies and answers ---

    /// Part of the connections that one site may hold: one in so many.
    pub const CONNECTIONS_SITE_PART: usize = 4;
    /// TLS handshakes in progress at one time.
    pub const HANDSHAKES_MAX: usize = 1024;
    /// TLS handshakes in progress at one time that one site may have.
    pub const HANDSHAKES_OF_A_SITE_MAX: usize = 256;
    /// Time after which a connection without a request ends; what answers pings is idle all the same.
    pub const CONNECTION_IDLE_MAX: Seconds = Seconds(60);
    /// Time that a connection has to take what waits for it, before it is cut.
    pub const READER_WAIT_MAX: Seconds = Seconds(30);
    /// Time that one answer may wait while others of its connection are read.
    pub const ANSWER_WAIT_MAX: Seconds = Seconds(120);
    /// Time that the next bytes of a body may take whose sender has proved nothing yet.
    pub const DOOR_BODY_IDLE_MAX: Seconds = Seconds(10);
    /// Time that the whole body may take of a request that is not admitted yet: as much as is read, at 140 kbit/s.
    pub const DOOR_BODY_TIME_MAX: Seconds = Seconds(60);
    /// Time that a body and its answer may take in all where no stream is declared.
    pub const EXCHANGE_TIME_MAX: Seconds = Seconds(600);
    /// Age from which an exchange is judged again whenever what it stands on changes.
    pub const UNWATCHED_TIME_MAX: Seconds = Seconds(2);
    /// Exchanges of one person at one time; what is buffered for each is bounded, and so is what is buffered for a person.
    pub const EXCHANGES_OF_A_PERSON_MAX: u32 = 256;
    /// Bytes of bodies that are kept in memory before they pass, in all.
    pub const BUFFERED_BYTES_MAX: usize = 256 * 1024 * 1024;
    /// Bytes of bodies that are kept in memory for one site.
    pub const BUFFERED_BYTES_OF_A_SITE_MAX: usize = 32 * 1024 * 1024;
    /// Bytes of bodies that are kept in memory for one connection.
    pub const BUFFERED_BYTES_OF_A_CONNECTION_MAX: usize = 8 * 1024 * 1024;
    /// Bytes of a request's first part that are kept until its answer begins, to send it again where nothing of it was served.
    pub const REPEATABLE_BODY_BYTES_MAX: usize = 64 * 1024;
    /// Time for which the rest of a refused upload is read and dropped, so that its sender sees the answer and no reset.
    pub const LINGER_MAX: Seconds = Seconds(3);
    /// Empty lines before a request line; RFC 9112 section 2.2 asks to take one.
    pub const EMPTY_LINES_MAX: u8 = 8;
    /// Bytes of a header of the PROXY protocol, with its 16 fixed ones: addresses and a few type-length-values.
    pub const PROXY_HEADER_BYTES_MAX: usize = 2048;
    /// Hops of `X-Forwarded-For` or `Forwarded` that are looked at.
    pub const FORWARDED_HOPS_MAX: usize = 32;

    // --- JSON ---

    /// Nesting of a JSON document.
    pub const JSON_DEPTH_MAX: usize = 64;

    /// Characters of a member's name that a refusal repeats to whoever sent it.
    pub const NAMED_MEMBER_CHARS_MAX: usize = 64;

    // --- Sign-in ---

    /// Bytes in the name of an account or a device.
    pub const NAME_BYTES_MAX: usize = 128;

    /// Fewest bits of a bearer token that an operator chooses (RFC 6749 section 10.10 wants it unguessable).
    pub const TOKEN_BITS_MIN: usize = 128;

    /// Fewest different characters of such a token: 128 random bits have no fewer, in whatever alphabet.
    pub const TOKEN_CHARACTERS_MIN: usize = 7;
    /// Life of a challenge for enrolment, passkey registration or login.
    pub const CHALLENGE_LIFE: Seconds = Seconds(300);
    /// Spent challenges of one purpose that are remembered; beyond it the oldest go, and challenges as old as those do not count any more.
    pub const CHALLENGES_SPENT_MAX: usize = 262_144;
    /// Ceremonies and attestations that one device may answer within [`Limits::CHALLENGE_LIFE`], of each purpose.
    pub const CHALLENGES_PER_DEVICE_MAX: u32 = 100;
    /// Bytes of a ceremony as it is handed out, sealed: a few hundred for a login, more with the credentials' options.
    pub const CEREMONY_BYTES_MAX: usize = 16 * 1024;
    /// Life of a development token.
    pub const DEV_TOKEN_LIFE_MAX: Seconds = Seconds(90 * 86_400);
    /// Phones that one development token enrols.
    pub const DEV_TOKEN_PHONES_MAX: u32 = 100;
    /// Sessions of one person on one device that a step-up reaches.
    pub const STEP_UP_SESSIONS_MAX: u32 = 32;
    /// Age up to which a person's authentication counts as fresh: such a person may cut a device off, and is not asked to step up
    /// because of a score.
    pub const FRESH_AUTHENTICATION_AGE_MAX: Seconds = Seconds(300);
    /// Devices of one person that are listed, revoked ones too; the newest come first.
    pub const DEVICES_LISTED_MAX: u32 = 1000;
    /// Sessions of one person that are listed, ended at once, or changed because of one signal; a person has a few.
    pub const PERSON_SESSIONS_MAX: u32 = 1000;
    /// Time for which a person's devices hear of a new device, or of one that was cut off.
    pub const NOTICE_LIFE: Seconds = Seconds(30 * 86_400);
    /// Bytes of a development token as it is handed over: what a camera can read from a QR code on a terminal.
    pub const DEV_KIT_BYTES_MAX: usize = 1024;
    /// Bytes of a passkey's credential id (WebAuthn level 3 section 4, "credential ID").
    pub const CREDENTIAL_ID_BYTES_MAX: usize = 1023;
    /// Request keys whose sessions are remembered, so that signing out with one is no theft.
    pub const NAMED_KEYS_MAX: usize = 200_000;
    /// Prompts of the login that are remembered at a time; beyond it, a new one takes the place of the oldest.
    pub const PROMPTS_MAX: usize = 10_000;

    // --- Refusals of strangers in the log ---

    /// Share of the budget of records for strangers that one site has, in fifths: what one site does leaves room for all others.
    pub const STRANGER_SITE_FIFTHS: u32 = 2;
    /// Sites whose counted refusals are told apart until the next summary; what comes from others is counted together.
    pub const COUNTED_SITES_MAX: usize = 1024;
    /// Reasons that are told apart for one site, and in one summary; others are counted together.
    pub const COUNTED_REASONS_MAX: usize = 8;
    /// Sites that a summary names, those with the most refusals; the rest are summed up.
    pub const SUMMARY_SITES_MAX: usize = 4;
    /// Time between two summaries of counted refusals.
    pub const SUMMARY_INTERVAL: Seconds = Seconds(60);
    /// Characters of a stranger's path that are recorded.
    pub const STRANGER_PATH_CHARACTERS_MAX: usize = 128;

    /// Bytes of the disk that the log sets aside, and gives up when the disk is full: on a small disk.
    pub const LOG_RESERVE_BYTES_MIN: u64 = 64 * 1024;
    /// The same on a large one.
    pub const LOG_RESERVE_BYTES_MAX: u64 = 16 * 1024 * 1024;

    /// Sessions that one person may have open on one device; with one more, the oldest ends. An app opens one, and a second when its first
    /// answer was lost.
    pub const SESSIONS_OF_A_BINDING_MAX: usize = 8;
    /// Requests of one person, on all devices together: a hundred a second for a minute, far above what an app's screens ask for.
    pub const PERSON_RATE: RateLimit = RateLimit { count: 6_000, window: Seconds(60) };
    /// Devices, accounts, sites and certificates whose shares at the doors are remembered, of each kind; beyond it, the one whose share is
    /// nearest to being whole is forgotten.
    pub const SHARES_REMEMBERED_MAX: usize = 100_000;
    /// Time within which log and database say, when they are asked, that they can be written.
    pub const PROBE_WAIT_MAX: Seconds = Seconds(2);
    /// File descriptors that must be left for a node to be ready.
    pub const DESCRIPTORS_LEFT_MIN: u64 = 32;
    /// Messages of the process that wait for their reader; beyond, they are dropped and counted.
    pub const LOG_LINES_WAITING_MAX: usize = 4096;
    /// Bytes of one message of the process; what libraries say may be as long as what a client sent.
    pub const LOG_LINE_BYTES_MAX: usize = 16 * 1024;
    /// Time that the last messages have at the end of the process.
    pub const LAST_LOG_LINES_WAIT_MAX: Seconds = Seconds(1);

    // --- Attestation evidence ---

    /// Certificates in an attestation chain.
    pub const CHAIN_CERTIFICATES_MAX: usize = 10;
    /// Bytes of one certificate in an attestation chain.
    pub const CERTIFICATE_BYTES_MAX: usize = 16 * 1024;
    /// Bytes of one App Attest attestation: certificates, receipt and authenticator data.
    pub const APP_ATTEST_BYTES_MAX: usize = 64 * 1024;
    /// Bytes of one App Attest assertion.
    pub const APP_ATTEST_ASSERTION_BYTES_MAX: usize = 4 * 1024;
    /// Bytes of the authenticator data in either of them (WebAuthn section 6.1).
    pub const AUTHENTICATOR_DATA_BYTES_MAX: usize = 2 * 1024;
    /// Entries in the extension map of authenticator data.
    pub const AUTHENTICATOR_EXTENSIONS_MAX: usize = 16;
    /// Levels of arrays and maps within an unknown extension of authenticator data (CTAP 2.1 section 8 allows four in all, of which the map of
    /// extensions is one).
    pub const AUTHENTICATOR_EXTENSION_LEVELS_MAX: u8 = 3;
    /// Items of one array, or keys and values of one map, in an unknown extension of authenticator data.
    pub const AUTHENTICATOR_EXTENSION_ITEMS_MAX: u64 = 64;
    /// Characters of an unknown extension's name that a report shows.
    pub const EXTENSION_NAME_CHARS_MAX: usize = 64;
    /// Trust anchors in one text of certificates. Google publishes two roots and Apple one for each purpose.
    pub const ANCHORS_MAX: usize = 64;
    /// Fewest certificates in a chain of Android Key Attestation: the attested key's, the one of the key that attests it, and the root.
    pub const KEY_ATTESTATION_CERTIFICATES_MIN: usize = 3;
    /// Time by which an attested key may say that it was made in the future: the phone's clock is not ours.
    pub const ATTESTATION_AHEAD_MAX: Seconds = Seconds(300);
    /// Time by which a security patch level may lie in the future: makers ship next month's patches in the month before.
    pub(crate) const PATCH_LEVEL_AHEAD_MAX: Seconds = Seconds(31 * 86_400);
    /// Tags in one authorization list of a key description; 46 are known by name.
    pub const AUTHORIZATION_TAGS_MAX: usize = 128;
    /// Pairs of the provisioning extension's map that are looked at (RFC 8949 section 3.1 lets a map have any number).
    pub const PROVISIONING_PAIRS_MAX: u64 = 16;
    /// Fewest certificates in an App Attest attestation: the key's own and that of the authority which issued it.
    pub const APP_ATTEST_CERTIFICATES_MIN: usize = 2;
    /// Bytes of a key's name in App Attest, decoded: it is a SHA-256, and a longer one matches no key.
    pub const APP_ATTEST_KEY_ID_BYTES_MAX: usize = 64;
    /// Bytes of a bundle version in authenticator data; Apple's rules for `CFBundleVersion` stay far below.
    pub const BUNDLE_VERSION_BYTES_MAX: usize = 128;
    /// Bytes of the system's version in an App Attest certificate; `26.1.1` has six.
    pub const SYSTEM_VERSION_BYTES_MAX: usize = 32;
    /// Bytes of one receipt of App Attest; Apple's have about four thousand.
    pub const RECEIPT_BYTES_MAX: usize = 32 * 1024;
    /// Age up to which a receipt that comes with an attestation is taken: Apple advises five minutes.
    pub const RECEIPT_AGE_MAX: Seconds = Seconds(300);
    /// Nesting of elements of indefinite length in a receipt; Apple's nest five.
    pub const RECEIPT_DEPTH_MAX: usize = 16;
    /// Octets of one length in a receipt. Four can express 4 GiB, far more than a receipt may have.
    pub const RECEIPT_LENGTH_OCTETS_MAX: usize = 4;
    /// Certificates in one receipt; Apple's have three.
    pub const RECEIPT_CERTIFICATES_MAX: usize = 8;
    /// Certificates from a receipt's signer to the last one below the anchor; Apple's have two.
    pub const RECEIPT_CHAIN_MAX: usize = 4;
    /// Signers of a receipt after which counting stops, since more than one is refused anyway.
    pub const RECEIPT_SIGNERS_COUNTED_MAX: usize = 8;
    /// Fields in one receipt; Apple's have ten.
    pub const RECEIPT_FIELDS_MAX: usize = 64;
    /// Bytes of a token of Play Integrity, of the verdict in it, and of an answer of Google's that holds one; tokens have about two
    /// thousand.
    pub const VERDICT_BYTES_MAX: usize = 64 * 1024;
    /// Nesting of objects and lists in a verdict; Google's are four deep.
    pub const VERDICT_DEPTH_MAX: usize = 12;
    /// Values in one list of labels or digests of a verdict; Google defines fewer than ten labels a list.
    pub const VERDICT_VALUES_MAX: usize = 32;
    /// Unknown members of a verdict whose names are kept for the operator.
    pub const VERDICT_UNKNOWN_MEMBERS_MAX: usize = 16;
    /// Bytes of an unknown member's path that are kept for the operator.
    pub const VERDICT_UNKNOWN_MEMBER_BYTES_MAX: usize = 128;
    /// Greatest lead of Apple's or Google's clock over ours, in a receipt or a verdict.
    pub const VENDOR_CLOCK_AHEAD_MAX: Seconds = Seconds(60);
    /// Bytes of the installer's name in a report of the SDK, which is the name of a package.
    pub const INSTALLER_BYTES_MAX: usize = 128;
    /// Phones whose share of a vendor's daily quota is counted; when there are more, those whose day is over make room, and else nobody new
    /// is asked about.
    pub const VENDOR_QUOTA_PHONES_MAX: usize = 100_000;

    // --- Operations and policies ---

    /// Segments of a path template. Routing may try two ways at each, so the number bounds its cost.
    pub const PATH_SEGMENTS_MAX: usize = 16;
    /// Bytes of a path parameter's value.
    pub const PATH_PARAMETER_BYTES_MAX: usize = 256;
    /// Bytes of a text field that policies look at.
    pub const TEXT_FIELD_BYTES_MAX: usize = 1024;
    /// Bytes of a file of policy cases.
    pub const CASES_BYTES_MAX: usize = 1024 * 1024;
    /// Permits of one action that are split to give advice; further ones are left out of the advice.
    pub const ADVICE_PERMITS_MAX: usize = 64;
    /// Conjuncts of one permit that are considered; further ones are left out of the advice.
    pub const ADVICE_CONJUNCTS_MAX: usize = 32;

    // --- Streams ---

    /// Bytes of a message that an operation may declare. One message of each direction is held in memory.
    pub const STREAM_MESSAGE_BYTES_MAX: u64 = 1024 * 1024;
    /// Messages per second that an operation may declare.
    pub const STREAM_MESSAGES_PER_SECOND_MAX: u64 = 100_000;

    // --- Fetched data, and files that are read ---

    /// Bytes of Google's list of revoked attestation keys; the whole list is well below one tenth of it.
    pub const STATUS_LIST_BYTES_MAX: usize = 32 * 1024 * 1024;
    /// Entries of the list of revoked attestation keys.
    pub const STATUS_LIST_ENTRIES_MAX: usize = 500_000;
    /// Bytes of a file of verified-boot keys.
    pub const BOOT_KEYS_BYTES_MAX: usize = 1024 * 1024;
    /// Keys in a file of verified-boot keys.
    pub const BOOT_KEYS_MAX: usize = 4096;
    /// Time that one look at a feed may take, from the connection to the last byte.
    pub const FEED_WAIT_MAX: Seconds = Seconds(60);
    /// Bytes of an `ETag` that is kept for the next look; a longer one is forgotten (RFC 9110 section 8.8.3 sets no end).
    pub const FEED_ETAG_BYTES_MAX: usize = 256;
    /// Bytes of the file that says which versions of a feed are kept; ours has at most about two thousand.
    pub const FEED_STATE_BYTES_MAX: usize = 64 * 1024;
    /// Versions of a feed that are remembered as rolled back, so that they are not taken again.
    pub const FEED_ROLLED_BACK_MAX: usize = 16;
    /// Time that one call to a vendor or a receiver may take, from the connection to the last byte.
    pub const CALL_WAIT_MAX: Seconds = Seconds(10);
    /// Bytes of an answer to a call that we make.
    pub const ANSWER_BYTES_MAX: usize = 1024 * 1024;
    /// Entries in all lists of networks together. The largest public lists have some hundred thousand.
    pub const NETWORK_LIST_ENTRIES_MAX: usize = 4_000_000;
    /// Bytes of one list of networks, unpacked.
    pub const NETWORK_LIST_BYTES_MAX: u64 = 256 * 1024 * 1024;
    /// Bytes of a database of places; the largest commercial ones have a few hundred million.
    pub const GEO_DATABASE_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;
    /// Places of all plain files of places together; a database holds more.
    pub const GEO_PLACES_MAX: usize = 100_000;

    /// Longest time for which an access token of Google's is kept; Google gives them for an hour.
    pub const GOOGLE_TOKEN_LIFE_MAX: Seconds = Seconds(3_600);

    // --- Shared signals (SSF) ---

    /// Greatest lead of a transmitter's clock over ours.
    pub const SET_CLOCK_AHEAD_MAX: Seconds = Seconds(300);
    /// Audiences of one security event token (RFC 8417).
    pub const SET_AUDIENCES_MAX: usize = 16;
    /// Languages in which one reason of an event may be given.
    pub const SET_LANGUAGES_MAX: usize = 64;
    /// Identifiers of one `aliases` subject (RFC 9493 section 3.2.8), and addresses of one `ip-addresses` subject.
    pub const SET_SUBJECT_MEMBERS_MAX: usize = 32;
    /// Identifiers of events that are remembered; a transmitter repeats an event within minutes.
    pub const SETS_REMEMBERED_MAX: usize = 20_000;
    /// Bytes of a pushed event or of a poll (RFC 8935, RFC 8936).
    pub const SIGNAL_BODY_BYTES_MAX: usize = 64 * 1024;
    /// Pieces of news that wait to be made into events and sent.
    pub const SIGNALS_WAITING_MAX: usize = 1024;
    /// Events that are looked at for a push at a time; a receiver that fails on one of them is offered the others as well.
    pub const PUSHED_EVENTS_MAX: u32 = 32;
    /// Events that wait for a receiver to poll. Beyond it, the oldest are dropped, and the caller is told.
    pub const OUTBOX_EVENTS_MAX: usize = 10_000;
    /// Events in one answer to a poll.
    pub const POLLED_EVENTS_MAX: usize = 100;

    // --- Monitoring ---

    /// Accounts and sources whose alarms are remembered.
    pub const ALARMS_MAX: usize = 10_000;
    /// Sessions, opened by an unusual login, that are remembered until their person confirms.
    pub const UNCONFIRMED_SESSIONS_MAX: usize = 10_000;
    /// Network addresses whose places are cached; when it is reached, the cache is emptied.
    pub const SITES_CACHED_MAX: usize = 4096;
    /// Phones whose reported place is kept; the one that reported longest ago is dropped first.
    pub const REPORTED_PLACES_MAX: usize = 100_000;
    /// Open incidents in memory, those that are loaded after a restart too.
    pub const OPEN_INCIDENTS_MAX: usize = 2_000;

    // --- Mail and webhooks ---

    /// Changes of incidents that wait to be made into mails; beyond, they are counted and dropped.
    pub const MAIL_CHANGES_WAITING_MAX: usize = 256;
    /// Mails that wait to be sent; beyond it, new ones are refused.
    pub const MAILS_WAITING_MAX: usize = 1_000;
    /// Mails due at once that stay mails of their own; more become one digest.
    pub const MAILS_ALONE_MAX: usize = 5;
    /// Incidents whose opening mail is remembered as sent.
    pub const MAIL_INCIDENTS_REMEMBERED_MAX: usize = 4_000;
    /// Characters of one line of a mail that comes from an incident.
    pub const MAIL_LINE_CHARACTERS_MAX: usize = 400;
    /// Incidents that one digest lists.
    pub const MAIL_DIGEST_LINES_MAX: usize = 100;
    /// Time that handing over one mail may take, from the connection to the server's last reply.
    pub const SMTP_WAIT_MAX: Seconds = Seconds(30);
    /// Bytes that a mail server may say before TLS.
    pub const SMTP_BYTES_BEFORE_TLS_MAX: u64 = 8 * 1024;
    /// Characters of a mail server's reply that are told to an operator.
    pub const SMTP_REPLY_CHARACTERS_MAX: usize = 300;
    /// Messages that wait for one receiver; beyond, they are counted and dropped.
    pub const WEBHOOK_MESSAGES_WAITING_MAX: usize = 256;

    // --- Devices that are counted ---

    /// Groups of a breakdown of the fleet that have a line of their own.
    pub const FORECAST_GROUPS_MAX: usize = 50;
    /// Groups that are told apart while a fleet is counted. Apps state their phone's model, so that there may be as many models as devices;
    /// a group that comes after so many is counted with the others.
    pub const FORECAST_GROUPS_HELD_MAX: usize = 10_000;

    // --- Storage ---

    /// Time for which one writer of the database waits for another.
    pub const DATABASE_WAIT_MAX: Seconds = Seconds(5);
    /// Sessions, and devices, that are kept in memory.
    pub const CACHED_ROWS_MAX: usize = 100_000;
    /// Changes that wait for a listener that is behind; beyond it the listener is told that everything changed.
    pub const CHANGES_WAITING_MAX: usize = 1024;
    /// Answers to refreshes that are kept; beyond it those go that would lapse first, and a refresh that repeats one is answered afresh.
    pub const REPEATED_ANSWERS_MAX: usize = 100_000;
    /// Counters of rates that are kept; beyond it those that have run empty go, and if none has, nothing more is counted in.
    pub const RATE_COUNTERS_MAX: usize = 100_000;
    /// Incidents that are stored; beyond it the oldest go.
    pub const INCIDENTS_MAX: u32 = 10_000;
    /// Lines of an incident's timeline.
    pub const INCIDENT_MOMENTS_MAX: usize = 50;

    // --- Data sets of `countersign evaluate` ---

    /// Bytes of a line of a data set of logins, commands or edges: 15,000 names of 64 bytes fit.
    pub const COMMANDS_LINE_BYTES_MAX: u64 = 1 << 20;
    /// Bytes of such a data set, unpacked.
    pub const COMMANDS_FILE_BYTES_MAX: u64 = 1 << 33;
    /// People in a data set of commands; the public one has fifty.
    pub const COMMANDS_PEOPLE_MAX: usize = 10_000;
    /// Sources and classes of attack that are told apart in a data set of edges.
    pub const EDGES_NAMES_MAX: usize = 1 << 20;
    /// People whose states are held while a data set of logins is read.
    pub const LOGINS_PEOPLE_MAX: usize = 1_000_000;
    /// Bytes of a line of a data set of rows of numbers.
    pub const ROWS_LINE_BYTES_MAX: usize = 64 * 1024;
    /// Bytes of a data set of rows of numbers, unpacked.
    pub const ROWS_FILE_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;
    /// Columns of a row of numbers and of a model of such rows.
    pub const ROW_COLUMNS_MAX: usize = 256;
    /// Bytes of a column's name.
    pub const ROW_COLUMN_NAME_BYTES_MAX: usize = 128;
}
