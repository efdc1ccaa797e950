//! Writes JSON straight into one buffer, indented by two spaces (as Stripe answers) or compact (as Checkout.com does).
//! It knows nothing of what it writes and reads nothing back.

/// The writer. Members are written in the order of the calls.
pub(crate) struct Json {
    out: Vec<u8>,
    depth: usize,
    /// Nothing has been written yet at this depth.
    fresh: bool,
    indented: bool,
    /// A key was written whose value comes next.
    keyed: bool,
}

/// JSON `null`.
pub(crate) struct Null;
/// A number whose text is already known.
pub(crate) struct Number<'a>(pub(crate) &'a str);

/// Anything that is one JSON value without inside.
pub(crate) trait Scalar {
    fn write(&self, out: &mut Vec<u8>);
}

impl Scalar for Null {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"null");
    }
}

impl Scalar for Number<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0.as_bytes());
    }
}

impl Scalar for bool {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(if *self { b"true" } else { b"false" });
    }
}

impl Scalar for i64 {
    fn write(&self, out: &mut Vec<u8>) {
        let mut digits = [0; 20];
        let mut at = digits.len();
        let mut left = self.unsigned_abs();
        loop {
            at -= 1;
            digits[at] = b'0' + (left % 10) as u8;
            left /= 10;
            if left == 0 {
                break;
            }
        }
        if *self < 0 {
            out.push(b'-');
        }
        out.extend_from_slice(&digits[at..]);
    }
}

impl Scalar for u32 {
    fn write(&self, out: &mut Vec<u8>) {
        i64::from(*self).write(out);
    }
}

impl Scalar for &str {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(b'"');
        let mut plain = 0;
        for (at, byte) in self.bytes().enumerate() {
            if byte >= 0x20 && byte != b'"' && byte != b'\\' {
                continue;
            }
            out.extend_from_slice(&self.as_bytes()[plain..at]);
            plain = at + 1;
            match byte {
                b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
                _ => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            }
        }
        out.extend_from_slice(&self.as_bytes()[plain..]);
        out.push(b'"');
    }
}

impl Scalar for String {
    fn write(&self, out: &mut Vec<u8>) {
        self.as_str().write(out);
    }
}

impl<T: Scalar> Scalar for Option<T> {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Some(value) => value.write(out),
            None => Null.write(out),
        }
    }
}

impl Json {
    /// An empty buffer for an indented text.
    pub(crate) fn indented() -> Self {
        Self { out: Vec::with_capacity(4096), depth: 0, fresh: true, indented: true, keyed: false }
    }

    /// An empty buffer for a compact text.
    pub(crate) fn compact() -> Self {
        Self { indented: false, ..Self::indented() }
    }

    /// The text.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        if self.indented {
            self.out.push(b'\n');
        }
        self.out
    }

    /// A member with a plain value.
    pub(crate) fn put(&mut self, key: &str, value: impl Scalar) {
        self.key(key);
        value.write(&mut self.out);
    }

    /// Members that are all `null`.
    pub(crate) fn nulls(&mut self, keys: &[&str]) {
        for key in keys {
            self.put(key, Null);
        }
    }

    /// A member that is an object.
    pub(crate) fn nest(&mut self, key: &str, inside: impl FnOnce(&mut Self)) {
        self.key(key);
        self.between(b'{', b'}', inside);
    }

    /// A member that is an array.
    pub(crate) fn list(&mut self, key: &str, inside: impl FnOnce(&mut Self)) {
        self.key(key);
        self.between(b'[', b']', inside);
    }

    /// A member whose value is the object that `write` writes as if it were an element.
    pub(crate) fn inside(&mut self, key: &str, write: impl FnOnce(&mut Self)) {
        self.key(key);
        self.keyed = true;
        write(self);
    }

    /// An object that is an element of an array, the value of a member, or the whole text.
    pub(crate) fn object(&mut self, inside: impl FnOnce(&mut Self)) {
        if self.depth > 0 && !std::mem::take(&mut self.keyed) {
            self.next();
        }
        self.between(b'{', b'}', inside);
    }

    /// An array that is the whole text.
    pub(crate) fn array(&mut self, inside: impl FnOnce(&mut Self)) {
        self.between(b'[', b']', inside);
    }

    /// A plain element of an array.
    pub(crate) fn element(&mut self, value: impl Scalar) {
        self.next();
        value.write(&mut self.out);
    }

    fn between(&mut self, open: u8, close: u8, inside: impl FnOnce(&mut Self)) {
        self.out.push(open);
        self.depth += 1;
        self.fresh = true;
        inside(self);
        self.depth -= 1;
        if !self.fresh {
            self.line();
        }
        self.fresh = false;
        self.out.push(close);
    }

    fn key(&mut self, key: &str) {
        self.next();
        key.write(&mut self.out);
        self.out.extend_from_slice(if self.indented { b": " } else { b":" });
    }

    fn next(&mut self) {
        if !self.fresh {
            self.out.push(b',');
        }
        self.fresh = false;
        self.line();
    }

    fn line(&mut self) {
        const BLANKS: &[u8] = b"\n                                ";
        if self.indented {
            self.out.extend_from_slice(&BLANKS[..BLANKS.len().min(1 + 2 * self.depth)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(mut json: Json) -> String {
        json.object(|w| {
            w.put("a", -12i64);
            w.nest("none", |_| {});
            w.list("b", |w| {
                w.element("x\"\\\n");
                w.object(|w| w.put("c", Some(true)));
            });
            w.nulls(&["d"]);
            w.inside("e", |w| w.object(|w| w.put("f", 1i64)));
        });
        String::from_utf8(json.finish()).unwrap()
    }

    #[test]
    fn indents_by_two_and_escapes() {
        let want = "{\n  \"a\": -12,\n  \"none\": {},\n  \"b\": [\n    \"x\\\"\\\\\\u000a\",\n    {\n      \"c\": true\n    }\n  ],\n  \"d\": null,\n  \"e\": {\n    \"f\": 1\n  }\n}\n";
        assert_eq!(sample(Json::indented()), want);
    }

    #[test]
    fn compact_is_the_same_value() {
        let compact = sample(Json::compact());
        assert_eq!(compact, r#"{"a":-12,"none":{},"b":["x\"\\\u000a",{"c":true}],"d":null,"e":{"f":1}}"#);
        let both: [serde_json::Value; 2] =
            [serde_json::from_str(&compact).unwrap(), serde_json::from_str(&sample(Json::indented())).unwrap()];
        assert_eq!(both[0], both[1]);
    }
}
