//! Conditions of the room `providers`.

super::entries! {}
