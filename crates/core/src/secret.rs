//! Secrets: values that are not printed, are compared in constant time, and are wiped when dropped.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// A value that must not reach a log, a panic message or freed memory.
///
/// The type has no `Display`, `Debug` shows nothing of the value, and it is overwritten on drop. Reading it takes a visible call of
/// [`Secret::expose`].
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes the value, which is wiped when the secret is dropped.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. Reviewers search for calls of this function.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize + AsRef<[u8]>> PartialEq for Secret<T> {
    /// Compares in constant time: the duration does not reveal where two secrets of the same length differ.
    fn eq(&self, other: &Self) -> bool {
        self.0.as_ref().ct_eq(other.0.as_ref()).into()
    }
}

impl<T: Zeroize + AsRef<[u8]>> Eq for Secret<T> {}

impl<T: Zeroize + Clone> Clone for Secret<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print() {
        assert_eq!(format!("{:?}", Secret::new(String::from("hunter2"))), "Secret(..)");
    }

    #[test]
    fn secrets_compare_by_value() {
        assert!(Secret::new([1_u8, 2]) == Secret::new([1_u8, 2]));
        assert!(Secret::new([1_u8, 2]) != Secret::new([1_u8, 3]));
        assert!(Secret::new(vec![1_u8]) != Secret::new(vec![1_u8, 2]));
    }
}
