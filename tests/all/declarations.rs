//! Tests of `declarations`.
