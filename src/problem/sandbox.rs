//! Conditions of the room `sandbox`.

super::entries! {}
