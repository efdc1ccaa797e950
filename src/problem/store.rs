//! Conditions of the room `store`.

super::entries! {}
