//! Notifications about incidents: to people by mail, to other systems by signed messages to a webhook.
//!
//! Both wait in a bounded queue, are tried again for a while, and never make the reporter of a change wait. Messages that wait when the
//! process ends are lost; the incidents themselves are in the store. What this crate does not do: it decides nothing about what is worth a
//! message, and it holds no rule about incidents.

mod carrier;
mod compose;
mod delivery;
mod letter;
mod letterbox;
mod postman;
mod webhook;

pub use carrier::{Carrier, CarryError, Way};
pub use delivery::{Webhook, WebhookSettings};
pub use lettre::{message::Mailbox, transport::smtp::authentication::Credentials};
pub use postman::{Mailing, Postman, Standing};
pub use webhook::{Message, WebhookKey, WebhookKeyRefusal};
