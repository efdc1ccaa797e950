//! Conditions of the room `sync`.

super::entries! {}
