//! Bodies that end wrongly, are coded wrongly, or do not come; and wrong clocks in the head.

use std::io::Write as _;
use std::time::Duration;

use super::{End, Kind, next, then, with_body};
use crate::broken::endpoints::ENDPOINTS;
use crate::broken::house::NOW_MS;
use crate::broken::proxy::{Exchange, Then, Wire};

const CHUNKED: (&str, &str) = ("transfer-encoding", "chunked");
const GZIP: (&str, &str) = ("content-encoding", "gzip");

fn half(body: &[u8]) -> &[u8] {
    &body[..body.len() / 2]
}

fn chunks(pieces: &[&[u8]]) -> Vec<u8> {
    pieces.iter().flat_map(|piece| [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat()).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn length(body: &[u8]) -> String {
    body.len().to_string()
}

/// The honest answer, coded as gzip by `spoil`.
fn zipped(name: &'static str, spoil: fn(Vec<u8>) -> Vec<u8>) -> Kind {
    Kind::passing(name, End::Stops("http.damaged"), move |exchange| {
        next(exchange.told.bytes(&[GZIP], &spoil(gzip(&exchange.told.body))))
    })
}

/// The honest answer with this `Date`; an empty one is none at all.
fn dated(name: &'static str, date: &'static str) -> Kind {
    Kind::always(name, End::Whole, move |exchange| next(exchange.told.bytes(&[("date", date)], &exchange.told.body)))
}

/// The honest answer with a `Date` this far off. It is another one at each endpoint: two that agree would be believed.
fn off(name: &'static str, seconds: i64) -> Kind {
    Kind::always(name, End::Whole, move |exchange| {
        let number = ENDPOINTS.iter().position(|one| std::ptr::eq(one, exchange.endpoint))? as i64;
        let at = jiff::Timestamp::from_second(NOW_MS / 1000 + seconds - number * 3600).ok()?;
        let date = at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        next(exchange.told.bytes(&[("date", &date)], &exchange.told.body))
    })
}

/// What the connection does in place of all or of the rest of an answer.
fn connection(name: &'static str, end: &'static str, what: fn(&Exchange<'_>) -> (Vec<u8>, Then)) -> Kind {
    Kind::passing(name, End::Stops(end), move |exchange| {
        let (bytes, after) = what(exchange);
        then(bytes, after)
    })
}

pub(super) fn kinds() -> Vec<Kind> {
    [bodies(), codings(), connections(), dates()].into_iter().flatten().collect()
}

fn two_lengths(exchange: &Exchange<'_>, second: &str) -> (Vec<u8>, Then) {
    let body = &exchange.told.body;
    (exchange.told.framed(&[("content-length", &*length(body)), ("content-length", second)], body), Then::Next)
}

fn bodies() -> Vec<Kind> {
    let (cut, endless, protocol) = ("http.cut", "http.endless", "http.protocol");
    vec![
        connection("cut before its length", cut, |exchange| {
            (
                exchange.told.framed(&[("content-length", &length(&exchange.told.body))], half(&exchange.told.body)),
                Then::Close,
            )
        }),
        connection("reset before its length", cut, |exchange| {
            (
                exchange.told.framed(&[("content-length", &length(&exchange.told.body))], half(&exchange.told.body)),
                Then::Reset,
            )
        }),
        connection("cut inside a chunk", cut, |exchange| {
            let all = chunks(&[&exchange.told.body]);
            (exchange.told.framed(&[CHUNKED], half(&all)), Then::Close)
        }),
        connection("cut between chunks", cut, |exchange| {
            (exchange.told.framed(&[CHUNKED], &chunks(&[half(&exchange.told.body)])), Then::Close)
        }),
        connection("ended by the connection, whole", endless, |exchange| {
            (exchange.told.framed(&[], &exchange.told.body), Then::Close)
        }),
        connection("ended by the connection, cut", endless, |exchange| {
            (exchange.told.framed(&[], half(&exchange.told.body)), Then::Close)
        }),
        connection("chunks of no size", protocol, |exchange| {
            (exchange.told.framed(&[CHUNKED], b"zz\r\n{}\r\n0\r\n\r\n"), Then::Close)
        }),
        connection("two lengths that agree", protocol, |exchange| two_lengths(exchange, &length(&exchange.told.body))),
        connection("two lengths that differ", protocol, |exchange| two_lengths(exchange, "7")),
        connection("length and chunks", protocol, |exchange| {
            let body = chunks(&[&exchange.told.body, b""]);
            (exchange.told.framed(&[("content-length", "7"), CHUNKED], &body), Then::Next)
        }),
        Kind::passing("whole in chunks", End::Whole, |exchange| {
            next(exchange.told.framed(
                &[CHUNKED],
                &chunks(&[half(&exchange.told.body), &exchange.told.body[half(&exchange.told.body).len()..], b""]),
            ))
        }),
        Kind::always("half of it as if all", End::Stops("sync.malformed"), |exchange| {
            with_body(exchange, half(&exchange.told.body))
        }),
        Kind::always("a length too small", End::Stops("sync.malformed"), |exchange| {
            let body = &exchange.told.body;
            then(exchange.told.framed(&[("content-length", &(body.len() - 2).to_string())], body), Then::Close)
        }),
        Kind::passing("another answer behind it", End::Whole, |exchange| {
            let once = exchange.told.bytes(&[], &exchange.told.body);
            then([once, exchange.told.bytes(&[], b"{\"data\":[]}")].concat(), Then::Close)
        }),
        Kind::passing("nothing", End::Stops("http.empty"), |exchange| with_body(exchange, b"")),
        Kind::passing("white space", End::Stops("http.empty"), |exchange| with_body(exchange, b" \r\n\t ")),
    ]
}

fn codings() -> Vec<Kind> {
    vec![
        Kind::passing("whole as gzip", End::Whole, |exchange| {
            next(exchange.told.bytes(&[GZIP], &gzip(&exchange.told.body)))
        }),
        zipped("gzip cut", |coded| half(&coded).to_vec()),
        zipped("gzip without its end", |coded| coded[..coded.len() - 8].to_vec()),
        zipped("gzip with a wrong sum", |mut coded| {
            let at = coded.len() - 6;
            coded[at] ^= 1;
            coded
        }),
        zipped("junk behind gzip", |coded| [coded, b"junk".to_vec()].concat()),
        zipped("gzip twice over", |coded| [coded.clone(), coded].concat()),
        Kind::passing("plain said to be gzip", End::Stops("http.damaged"), |exchange| {
            next(exchange.told.bytes(&[GZIP], &exchange.told.body))
        }),
        Kind::always("gzip not said", End::Stops("sync.malformed"), |exchange| {
            with_body(exchange, &gzip(&exchange.told.body))
        }),
        Kind::always("said to be brotli", End::Stops("http.encoding"), |exchange| {
            next(exchange.told.bytes(&[("content-encoding", "br")], &exchange.told.body))
        }),
    ]
}

fn connections() -> Vec<Kind> {
    let (cut, timeout) = ("http.cut", "http.timeout");
    vec![
        connection("closed without an answer", cut, |_| (Vec::new(), Then::Close)),
        connection("reset without an answer", cut, |_| (Vec::new(), Then::Reset)),
        connection("half a head", cut, |_| (b"HTTP/1.1 200 OK\r\nContent-Ty".to_vec(), Then::Close)),
        connection("another protocol", "http.protocol", |_| (b"SSH-2.0-OpenSSH_9.9\r\n".to_vec(), Then::Close)),
        connection("silence", timeout, |_| (Vec::new(), Then::Stall)).silent(),
        connection("silence in the middle", timeout, |exchange| {
            let length = length(&exchange.told.body);
            (exchange.told.framed(&[("content-length", &length)], half(&exchange.told.body)), Then::Stall)
        })
        .silent(),
        Kind::passing("a drip that takes too long", End::Stops(timeout), |exchange| {
            let bytes = exchange.told.bytes(&[], &exchange.told.body);
            Some(Wire { bytes, then: Then::Close, drip: Some(Duration::from_millis(100)) })
        })
        .silent(),
        Kind::passing("a drip that ends in time", End::Whole, |exchange| {
            let bytes = exchange.told.bytes(&[], &exchange.told.body);
            Some(Wire { bytes, then: Then::Next, drip: Some(Duration::from_millis(1)) })
        }),
    ]
}

fn dates() -> Vec<Kind> {
    vec![
        dated("no date", ""),
        off("a date a year ahead", 365 * 86_400),
        off("a date a day ahead", 86_400),
        off("a date a day back", -86_400),
        off("a date a year back", -365 * 86_400),
        off("a date before 1970", -60 * 365 * 86_400),
        off("a date beyond all time", 7_900 * 365 * 86_400),
        dated("a date that is none", "yesterday"),
        Kind::always("two dates", End::Whole, |exchange| {
            let dates = [("date", "Wed, 18 Mar 2026 12:00:00 GMT"), ("date", "Thu, 18 Mar 2027 12:00:00 GMT")];
            next(exchange.told.bytes(&dates, &exchange.told.body))
        }),
    ]
}
