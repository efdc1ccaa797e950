//! Conditions of the room `agent`.

super::entries! {}
