//! The authorization server: enrolment, passkey login, tokens
