//! Reads a body to the end that HTTP can prove and undoes its coding. It refuses what cannot be told from a cut body; it
//! does not look at what the body says.

use flate2::{Decompress, FlushDecompress, Status};

use super::{Failure, Headers, Response, Version};

/// zlib's largest window, which every gzip stream fits.
const WINDOW_BITS: u8 = 15;
/// First room for decoded bytes; doubled as needed.
const FIRST_ROOM: usize = 64 * 1024;

/// A whole body.
pub(super) struct Whole {
    /// Decoded.
    pub(super) bytes: Vec<u8>,
    /// How many bytes the wire carried for it.
    pub(super) wire_bytes: u64,
}

/// Reads all of the body. Neither the coded nor the decoded form may be longer than `max_bytes`.
pub(super) async fn whole(response: &mut Response, max_bytes: usize) -> Result<Whole, Failure> {
    let length = framing(response.version, &response.headers)?;
    if length.is_some_and(|length| length > max_bytes as u64) {
        return Err(Failure::TooLarge);
    }
    let mut coding = Coding::of(&response.headers)?;
    let mut bytes = Vec::with_capacity(length.and_then(|length| usize::try_from(length).ok()).unwrap_or(0));
    let mut wire_bytes = 0u64;
    while let Some(chunk) = response.body.next().await {
        let chunk = chunk?;
        wire_bytes += chunk.len() as u64;
        if wire_bytes > max_bytes as u64 {
            return Err(Failure::TooLarge);
        }
        coding.take(&chunk, &mut bytes, max_bytes)?;
    }
    if length.is_some_and(|length| length != wire_bytes) {
        return Err(Failure::Cut);
    }
    coding.end()?;
    Ok(Whole { bytes, wire_bytes })
}

/// The declared length, or `None` where chunks or the HTTP/2 stream show the end. Anything that leaves the end open or
/// says it twice is refused (RFC 9112 section 6.3; RFC 9113 section 8.1.1).
fn framing(version: Version, headers: &Headers) -> Result<Option<u64>, Failure> {
    let chunked = headers.only("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
    match (version, headers.count("transfer-encoding"), headers.count("content-length")) {
        (_, 0, 1) => headers.get("content-length").and_then(digits).ok_or(Failure::Protocol).map(Some),
        (Version::Http11, 1, 0) if chunked => Ok(None),
        (Version::Http2, 0, 0) => Ok(None),
        (_, 0, 0) => Err(Failure::Endless),
        _ => Err(Failure::Protocol),
    }
}

fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// How the body is coded.
enum Coding {
    Identity,
    Gzip { inflate: Decompress, ended: bool },
}

impl Coding {
    fn of(headers: &Headers) -> Result<Self, Failure> {
        if headers.count("content-encoding") > 1 {
            return Err(Failure::Encoding);
        }
        match headers.get("content-encoding").map(|name| name.trim().to_ascii_lowercase()).as_deref() {
            None | Some("" | "identity") => Ok(Self::Identity),
            Some("gzip" | "x-gzip") => Ok(Self::Gzip { inflate: Decompress::new_gzip(WINDOW_BITS), ended: false }),
            Some(_) => Err(Failure::Encoding),
        }
    }

    /// Decodes a piece onto `out`.
    fn take(&mut self, mut piece: &[u8], out: &mut Vec<u8>, max_bytes: usize) -> Result<(), Failure> {
        let Self::Gzip { inflate, ended } = self else {
            out.extend_from_slice(piece);
            return Ok(());
        };
        while !piece.is_empty() {
            if *ended {
                return Err(Failure::Damaged); // something follows the one member
            }
            if out.len() == out.capacity() {
                // One byte more than allowed is enough to see that it is too much.
                let room = out.len().max(FIRST_ROOM).min((max_bytes - out.len()).saturating_add(1));
                out.reserve_exact(room);
            }
            let (read, written) = (inflate.total_in(), out.len());
            // Checks the trailer's CRC and length by itself when it reaches them.
            let status = inflate.decompress_vec(piece, out, FlushDecompress::None).map_err(|_| Failure::Damaged)?;
            let taken = usize::try_from(inflate.total_in() - read).unwrap_or(piece.len());
            piece = &piece[taken..];
            if out.len() > max_bytes {
                return Err(Failure::TooLarge);
            }
            *ended = status == Status::StreamEnd;
            if !*ended && taken == 0 && out.len() == written {
                return Err(Failure::Damaged); // no way on
            }
        }
        Ok(())
    }

    /// The coded form must have ended too.
    fn end(&self) -> Result<(), Failure> {
        match self {
            Self::Identity | Self::Gzip { ended: true, .. } => Ok(()),
            Self::Gzip { ended: false, .. } => Err(Failure::Damaged),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> Headers {
        Headers(pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect())
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn gunzip(coded: &[u8], piece: usize, max_bytes: usize) -> Result<Vec<u8>, Failure> {
        let mut coding = Coding::of(&headers(&[("content-encoding", "gzip")]))?;
        let mut out = Vec::new();
        for piece in coded.chunks(piece) {
            coding.take(piece, &mut out, max_bytes)?;
        }
        coding.end().map(|()| out)
    }

    #[test]
    fn the_end_must_be_shown_once() {
        use Version::{Http2, Http10, Http11};
        const CHUNKED: (&str, &str) = ("transfer-encoding", "Chunked");
        const FIVE: (&str, &str) = ("content-length", "5");
        type Case = (Version, &'static [(&'static str, &'static str)], Result<Option<u64>, Failure>);
        let cases: &[Case] = &[
            (Http11, &[FIVE], Ok(Some(5))),
            (Http11, &[CHUNKED], Ok(None)),
            (Http11, &[], Err(Failure::Endless)),
            (Http11, &[FIVE, FIVE], Err(Failure::Protocol)),
            (Http11, &[FIVE, CHUNKED], Err(Failure::Protocol)),
            (Http11, &[CHUNKED, CHUNKED], Err(Failure::Protocol)),
            (Http11, &[("transfer-encoding", "gzip, chunked")], Err(Failure::Protocol)),
            (Http11, &[("content-length", "+5")], Err(Failure::Protocol)),
            (Http11, &[("content-length", "5, 5")], Err(Failure::Protocol)),
            (Http11, &[("content-length", "")], Err(Failure::Protocol)),
            (Http10, &[FIVE], Ok(Some(5))),
            (Http10, &[], Err(Failure::Endless)),
            (Http10, &[CHUNKED], Err(Failure::Protocol)),
            (Http2, &[], Ok(None)),
            (Http2, &[FIVE], Ok(Some(5))),
            (Http2, &[CHUNKED], Err(Failure::Protocol)),
        ];
        for (version, pairs, expected) in cases {
            assert_eq!(&framing(*version, &headers(pairs)), expected, "{version:?} {pairs:?}");
        }
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let coded = gzip(&vec![0; 50_000_000]);
        assert!(coded.len() < 60_000);
        assert_eq!(gunzip(&coded, 1000, 100_000), Err(Failure::TooLarge));
        // The limit is a limit of length, not a threshold just below it.
        let coded = gzip(&[7; 100_000]);
        assert_eq!(gunzip(&coded, 1000, 99_999), Err(Failure::TooLarge));
        assert_eq!(gunzip(&coded, 1000, 100_000).map(|out| out.len()), Ok(100_000));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

        #[test]
        fn gzip_comes_back_whatever_the_pieces(bytes in prop::collection::vec(any::<u8>(), 0..200_000), piece in 1usize..5000) {
            prop_assert_eq!(gunzip(&gzip(&bytes), piece, 200_000), Ok(bytes));
        }

        #[test]
        fn any_cut_or_changed_byte_is_seen(text in "[a-c]{0,300}", at in any::<prop::sample::Index>(), flip in 1u8..) {
            let coded = gzip(text.as_bytes());
            let at = at.index(coded.len());
            prop_assert_eq!(gunzip(&coded[..at], 64, 1000), Err(Failure::Damaged));
            // Bytes 4 to 9 of the header (time, hints, system) mean nothing to the content.
            let mut changed = coded.clone();
            changed[at] ^= flip;
            if let Ok(out) = gunzip(&changed, 64, 1000) {
                prop_assert!(out == text.as_bytes(), "byte {} changed unseen", at);
            }
        }
    }
}
