//! Conditions of the room `service`.

super::entries! {}
