//! Conditions of the room `vault`.

super::entries! {}
