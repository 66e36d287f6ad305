//! Who uses something up that counts once, as far as it is known.

use countersign_core::DeviceId;

/// Party that uses up a proof or a challenge. What is used up is remembered, and memory is given in shares: nobody fills another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spender<'a> {
    /// An enrolled device, found by its key or by the session of its token.
    Device(&'a DeviceId),
    /// A key that is nobody's, or nobody's any more. Anybody makes such keys, so they have a small room of their own.
    Stranger,
}
