//! Operators, as the configuration names the users of this machine.

use std::collections::BTreeMap;

use countersign_core::OperatorName;

/// The names of operators by their user ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Operators {
    /// Those whom the configuration names, and nobody else.
    Named(BTreeMap<u32, OperatorName>),
    /// Whoever may open the socket, called `uid:1000`.
    #[default]
    Unnamed,
}

/// The user is none of the operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoOperator;

impl Operators {
    /// The name of a user.
    ///
    /// # Errors
    /// When operators are named and this user is none of them: root, too, has to be named.
    pub fn name(&self, uid: u32) -> Result<OperatorName, NoOperator> {
        match self {
            Self::Named(names) => names.get(&uid).cloned().ok_or(NoOperator),
            Self::Unnamed => OperatorName::parse(&format!("{UNNAMED}{uid}")).map_err(|_| NoOperator),
        }
    }
}

/// Beginning of the names of users whom nobody named.
pub(crate) const UNNAMED: &str = "uid:";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_one_name_or_is_refused() {
        let alice = OperatorName::parse("alice").expect("a name");
        let named = Operators::Named([(1000, alice.clone())].into());
        let unnamed = |uid: u32| OperatorName::parse(&format!("uid:{uid}")).map_err(|_| NoOperator);
        let rows: &[(&str, &Operators, u32, Result<OperatorName, NoOperator>)] = &[
            ("named", &named, 1000, Ok(alice)),
            ("another", &named, 1001, Err(NoOperator)),
            ("root is nobody special", &named, 0, Err(NoOperator)),
            ("the last", &named, u32::MAX, Err(NoOperator)),
            ("nobody is named", &Operators::Unnamed, 1000, unnamed(1000)),
            ("nobody is named, root", &Operators::Unnamed, 0, unnamed(0)),
        ];
        for (name, operators, uid, expected) in rows {
            assert_eq!(operators.name(*uid), *expected, "{name}");
        }
    }
}
