//! Conditions of the room `config`.

super::entries! {}
