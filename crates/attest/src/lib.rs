//! Hardware evidence about a phone, verified: bytes, anchors and time in, evidence or a reason out
