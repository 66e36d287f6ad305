//! Notifications about incidents: to people by mail, to other systems by signed messages to a webhook.
//!
//! Both wait in a bounded queue, are tried again for a while, and never make the reporter of a change wait. Messages that wait when the
//! process ends are lost; the incidents themselves are in the store. What this crate does not do: it decides nothing about what is worth a
//! message, and it holds no rule about incidents.

mod compose;
mod delivery;
mod mail_message;
mod mail_queue;
mod mailer;
mod smtp_client;
mod webhook;

pub use delivery::{Webhook, WebhookSettings};
pub use lettre::{message::Mailbox, transport::smtp::authentication::Credentials};
pub use mailer::{MailStats, Mailer, Mailing};
pub use smtp_client::{CarryError, SmtpClient, SmtpTls};
pub use webhook::{Message, WebhookKey, WebhookKeyRefusal};
