//! The operations and policies that the tests judge by, and the witnesses' makers.
