//! The serde side of the projection: seeds that carry the walk through a page. Only plumbing; what is done with a value is
//! decided in `project`.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::declare::Conversion;
use super::page::Leaf;
use super::tree::{Edge, Node};
use super::walk::Walk;

/// The response around the records.
pub(super) struct Envelope<'a, 'w> {
    pub(super) walk: &'a mut Walk<'w>,
    pub(super) field: &'static str,
    pub(super) leaves: &'static [&'static str],
    /// Each record is parsed apart, so that one that is no JSON is rejected alone.
    pub(super) apart: bool,
}

impl<'de> Visitor<'de> for Envelope<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a page")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            if key == self.field {
                if std::mem::replace(&mut self.walk.found, true) {
                    return Err(A::Error::custom("the records came twice"));
                }
                map.next_value_seed(RecordsSeed { walk: self.walk, apart: self.apart })?;
            } else if let Some(at) = self.leaves.iter().position(|leaf| *leaf == key) {
                let leaf = map.next_value_seed(LeafSeed)?;
                // Said twice is not said.
                let before = self.walk.page.leaves[at].replace(leaf);
                if before.is_some() {
                    self.walk.page.leaves[at] = Some(Leaf::Other);
                }
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    // A bare array of records.
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        self.walk.found = self.field.is_empty();
        records(self.walk, self.apart, &mut seq)
    }
}

struct LeafSeed;

impl<'de> DeserializeSeed<'de> for LeafSeed {
    type Value = Leaf;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Leaf, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for LeafSeed {
    type Value = Leaf;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a scalar")
    }

    fn visit_unit<E: Error>(self) -> Result<Leaf, E> {
        Ok(Leaf::Null)
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<Leaf, E> {
        Ok(Leaf::Bool(truth))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Leaf, E> {
        Ok(Leaf::Int(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Leaf, E> {
        Ok(i64::try_from(number).map_or(Leaf::Other, Leaf::Int))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Leaf, E> {
        Ok(Leaf::Other)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Leaf, E> {
        Ok(if text.len() <= 4096 { Leaf::Text(text.to_owned()) } else { Leaf::Other })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Leaf, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Leaf::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Leaf, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Leaf::Other)
    }
}

struct RecordsSeed<'a, 'w> {
    walk: &'a mut Walk<'w>,
    apart: bool,
}

fn records<'de, A: SeqAccess<'de>>(walk: &mut Walk<'_>, apart: bool, seq: &mut A) -> Result<(), A::Error> {
    if !apart {
        while seq.next_element_seed(RecordSeed { walk })?.is_some() {}
        return Ok(());
    }
    while let Some(raw) = seq.next_element::<&RawValue>()? {
        let before = walk.marks();
        let mut json = serde_json::Deserializer::from_str(raw.get());
        if (RecordSeed { walk }).deserialize(&mut json).is_err() {
            walk.broken(&before);
        }
    }
    Ok(())
}

impl<'de> DeserializeSeed<'de> for RecordsSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for RecordsSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        records(self.walk, self.apart, &mut seq)
    }
}

/// One record of the main table.
pub(super) struct RecordSeed<'a, 'w> {
    pub(super) walk: &'a mut Walk<'w>,
}

impl<'de> DeserializeSeed<'de> for RecordSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let starts = self.walk.begin();
        let node = self.walk.root();
        ObjectSeed { node, walk: self.walk }.deserialize(deserializer)?;
        self.walk.finish(&starts);
        Ok(())
    }
}

/// An object (or, wrongly, anything else) where a record or an element is expected.
pub(super) struct ObjectSeed<'a, 'w> {
    pub(super) node: &'w Node,
    pub(super) walk: &'a mut Walk<'w>,
}

impl<'de> DeserializeSeed<'de> for ObjectSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Visitor methods for scalars that all end the same way.
macro_rules! scalars {
    ($($method:ident: $type:ty),* => $end:ident) => {
        $(fn $method<E: Error>(self, _: $type) -> Result<(), E> { self.$end() })*
    };
}

impl ObjectSeed<'_, '_> {
    #[allow(clippy::unnecessary_wraps)] // the shape of a visitor's answer
    fn odd<E: Error>(self) -> Result<(), E> {
        self.walk.not_an_object();
        Ok(())
    }
}

impl<'de> Visitor<'de> for ObjectSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        self.walk.object(self.node, map)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        self.odd()
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.odd()
    }

    scalars!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str => odd);
}

/// A key, as the edge it leads along; unknown keys are counted as drift.
pub(super) struct KeySeed<'a, 'w> {
    pub(super) node: &'w Node,
    pub(super) walk: &'a mut Walk<'w>,
    /// Where in the object the last known key stood.
    pub(super) place: &'a mut usize,
}

impl<'de, 'w> DeserializeSeed<'de> for KeySeed<'_, 'w> {
    type Value = Option<&'w Edge>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'w> Visitor<'_> for KeySeed<'_, 'w> {
    type Value = Option<&'w Edge>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        let found = self.node.keys.find(key, self.place).map(|at| &self.node.edges[at]);
        if found.is_none() {
            self.walk.drift(self.node, key);
        }
        Ok(found)
    }
}

/// The value of a known key.
pub(super) struct ValueSeed<'a, 'w> {
    pub(super) edge: &'w Edge,
    pub(super) walk: &'a mut Walk<'w>,
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let edge = self.edge;
        if edge.mode {
            if let Leaf::Bool(live) = LeafSeed.deserialize(deserializer)? {
                self.walk.page.modes[usize::from(live)] += 1;
            }
        } else if edge.leaves.is_empty() && edge.child.is_none() && edge.array.is_none() {
            IgnoredAny::deserialize(deserializer)?;
        } else if edge.raw {
            let raw = <&RawValue>::deserialize(deserializer)?;
            self.walk.decimal(edge, raw.get());
        } else {
            deserializer.deserialize_any(self)?;
        }
        Ok(())
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.walk.null(self.edge);
        Ok(())
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<(), E> {
        self.walk.boolean(self.edge, truth);
        Ok(())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.walk.int(self.edge, number);
        Ok(())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        match i64::try_from(number) {
            Ok(number) => self.walk.int(self.edge, number),
            // Beyond 64 bits signed: as odd as a fraction would be.
            Err(_) => {
                self.walk.no_scalar(self.edge);
                self.walk.no_object(self.edge);
            }
        }
        Ok(())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        self.walk.float(self.edge, number);
        Ok(())
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<(), E> {
        let place = self.walk.place(text);
        self.walk.text(self.edge, text, Some(place));
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.walk.text(self.edge, text, None);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if let Some((cell, Conversion::Allowed)) = self.edge.leaves.first() {
            return self.walk.allowed(*cell, map);
        }
        self.walk.no_scalar(self.edge);
        self.walk.no_array(self.edge);
        match self.edge.child {
            Some(child) => self.walk.object(self.walk.node(child), map),
            None => {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(())
            }
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        if let Some(table) = self.edge.array {
            return self.walk.elements(table, seq);
        }
        self.walk.no_scalar(self.edge);
        self.walk.no_object(self.edge);
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
}
