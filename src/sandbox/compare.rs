//! For tests: where two JSON values differ.

use std::collections::BTreeSet;

use serde_json::Value;

/// Paths at which two values differ; `*` stands for the elements of an array. Both must have the same members.
pub(crate) fn differences(one: &Value, other: &Value, path: &str, out: &mut BTreeSet<String>) {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            assert!(one.keys().eq(other.keys()), "{path}");
            one.iter().for_each(|(key, inside)| differences(inside, &other[key], &format!("{path}.{key}"), out));
        }
        (Value::Array(one), Value::Array(other)) => {
            assert_eq!(one.len(), other.len(), "{path}");
            one.iter().zip(other).for_each(|(one, other)| differences(one, other, &format!("{path}.*"), out));
        }
        _ if one != other => drop(out.insert(path.to_owned())),
        _ => {}
    }
}
