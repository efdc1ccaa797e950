//! Conditions of the room `http`.

super::entries! {}
