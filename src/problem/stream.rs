//! Conditions of the room `stream`.

super::entries! {}
