//! Who acts: passkeys, grants, assurance and pairwise subjects as pure rules
