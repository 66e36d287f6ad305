//! What may be done: operations, Cedar policies and the one decision function
