//! A request's query string, decoded. Brackets may come bare or percent-encoded, as the official clients send them.

/// Names and values, in order.
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads `a=b&c%5Bd%5D=e`.
    pub(crate) fn parse(text: &str) -> Self {
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        };
        Self(text.split('&').filter(|pair| !pair.is_empty()).map(pair).collect())
    }

    /// The last value of `name`.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Drops these names.
    pub(crate) fn forget(&mut self, names: &[&str]) {
        self.0.retain(|(name, _)| !names.contains(&name.as_str()));
    }

    /// All pairs, in order.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let hex = |at: usize| after.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        match (byte, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &after[2..];
            }
            (b'+', _, _) => bytes.push(b' '),
            _ => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_names_and_values() {
        let query = Query::parse("limit=3&created%5Bgte%5D=1&created[lt]=2&q=a%2Fb+c%zz&empty&limit=4");
        assert_eq!(query.get("limit"), Some("4"));
        assert_eq!(query.get("created[gte]"), Some("1"));
        assert_eq!(query.get("created[lt]"), Some("2"));
        assert_eq!(query.get("q"), Some("a/b c%zz"));
        assert_eq!(query.get("empty"), Some(""));
        assert_eq!(query.get("other"), None);
        assert_eq!(query.pairs().count(), 6);
    }
}
