//! Conditions of the room `egress`.

super::entries! {}
